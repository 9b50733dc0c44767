//! Makes the search index anew from the stored bytes, after the search parameters have changed.
//!
//! Two facts say how far it is: the fingerprint of the parameters by which the index is written,
//! and, while older rows are left, the number of the last resource that was done. So it can be
//! ended at any time, and goes on where it stood.

use tokio_postgres::Row;

use super::fault::{Fault, Tried};
use super::index::{self, Entry};
use super::row::get;
use super::schema::{fact, keep_writers_out, set_fact, unset_fact};
use super::session::{Param, Session};
use crate::error::Result;
use crate::fhir::search::IndexRow;
use crate::fhir::search::index::rows as rows_of;

/// The fact that names the parameters by which the index is written.
pub(super) const INDEX: &str = "index";
/// The fact that says how far the rest is, while there is a rest.
const AFTER: &str = "index_after";
/// Resources in one transaction.
const BATCH: i64 = 500;
/// How often a transaction that got into another's way is tried again.
const ATTEMPTS: u32 = 5;

/// Whether the index is not, or not wholly, by these parameters.
pub(super) fn is_due(session: &mut Session, fingerprint: &str) -> Tried<bool> {
    let written_by = fact(session, INDEX)?;
    Ok(written_by.as_deref() != Some(fingerprint) || fact(session, AFTER)?.is_some())
}

/// Brings the index up to date; tells how many resources are done.
pub(super) fn run(
    session: &mut Session,
    fingerprint: &str,
    watch: &mut dyn FnMut(u64),
) -> Result<()> {
    begin(session, fingerprint)?;
    let mut done = 0;
    while let Some(after) = fact(session, AFTER)? {
        let after = after.parse().map_err(Fault::broken)?;
        done += patiently(session, after)?;
        watch(done);
    }
    Ok(())
}

/// From here on writers write by the new parameters.
fn begin(session: &mut Session, fingerprint: &str) -> Tried<()> {
    session.batch("BEGIN")?;
    keep_writers_out(session)?;
    if fact(session, INDEX)?.as_deref() != Some(fingerprint) {
        set_fact(session, INDEX, fingerprint)?;
        set_fact(session, AFTER, "0")?;
    }
    session.batch("COMMIT")
}

fn patiently(session: &mut Session, after: i64) -> Result<u64> {
    for _ in 1..ATTEMPTS {
        match some(session, after) {
            Err(crate::Error::Unavailable(_)) if session.is_alive() => session.batch("ROLLBACK")?,
            other => return other,
        }
    }
    some(session, after)
}

/// Does the next resources in one transaction.
fn some(session: &mut Session, after: i64) -> Result<u64> {
    session.batch("BEGIN")?;
    let resources = session.query(
        "SELECT rid, tenant, type, id, updated, patient, body FROM resource
         WHERE rid > $1 ORDER BY rid LIMIT $2 FOR UPDATE",
        &[&after, &BATCH],
    )?;
    let made = resources.iter().map(Made::of).collect::<Result<Vec<_>>>()?;
    match made.last() {
        None => unset_fact(session, AFTER)?,
        Some(last) => {
            replace(session, &made)?;
            set_fact(session, AFTER, &last.rid.to_string())?;
        }
    }
    session.batch("COMMIT")?;
    Ok(made.len() as u64)
}

/// A resource with its new rows.
struct Made<'r> {
    rid: i64,
    tenant: &'r str,
    resource_type: &'r str,
    id: &'r str,
    updated: i64,
    patient: String,
    has_moved: bool,
    rows: Vec<IndexRow>,
}

impl<'r> Made<'r> {
    fn of(row: &'r Row) -> Result<Self> {
        let resource_type: &str = get(row, 2)?;
        let (patient, rows) = rows_of(resource_type, get(row, 6)?)?;
        // What names no patient stays in the compartment where it was put.
        let before: &str = get(row, 5)?;
        let patient = patient.map_or_else(|| before.to_owned(), |named| named.to_string());
        Ok(Self {
            rid: get(row, 0)?,
            tenant: get(row, 1)?,
            resource_type,
            id: get(row, 3)?,
            updated: get(row, 4)?,
            has_moved: patient != before,
            patient,
            rows,
        })
    }

    fn entry(&self) -> Entry<'_> {
        let Self { rid, tenant, resource_type, id, updated, patient, rows, .. } = self;
        let (rid, updated) = (*rid, *updated);
        Entry { tenant, rid, resource_type, patient, updated, id, rows }
    }
}

fn replace(session: &mut Session, made: &[Made<'_>]) -> Tried<()> {
    let tenants: Vec<&str> = made.iter().map(|made| made.tenant).collect();
    let rids: Vec<i64> = made.iter().map(|made| made.rid).collect();
    let deletions = index::deletions(&tenants, &rids);
    let moved: Vec<&Made<'_>> = made.iter().filter(|made| made.has_moved).collect();
    let moved_rids: Vec<i64> = moved.iter().map(|made| made.rid).collect();
    let patients: Vec<&str> = moved.iter().map(|made| made.patient.as_str()).collect();
    let moved: [Param<'_>; 2] = [&moved_rids, &patients];
    let mut statements: Vec<(&str, &[Param<'_>])> = vec![(
        "UPDATE resource r SET patient = m.patient
         FROM unnest($1::bigint[], $2::text[]) AS m (rid, patient) WHERE r.rid = m.rid",
        &moved,
    )];
    statements.extend(deletions.iter().map(|(text, params)| (*text, params.as_slice())));
    session.queries(&statements)?;
    let entries: Vec<Entry<'_>> = made.iter().map(Made::entry).collect();
    index::insert(session, &entries.iter().collect::<Vec<_>>())
}
