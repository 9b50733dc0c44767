//! Makes the search index anew from the stored bytes, after the search parameters have changed.
//!
//! Two facts say how far it is: the fingerprint of the parameters by which the index is written,
//! and, while older rows are left, the number of the last resource that was done. So it can be
//! ended at any time, and goes on where it stood.

use rusqlite::{Connection, params};

use super::connection::broken;
use super::projection::{Found, clear};
use super::schema::{fact, set_fact, unset_fact};
use crate::error::{Error, Result};
use crate::fhir::search::index;

/// The fact that names the parameters by which the index is written.
pub(super) const INDEX: &str = "index";
/// The fact that says how far the rest is, while there is a rest.
const AFTER: &str = "index_after";
/// Resources in one transaction.
const BATCH: usize = 500;

/// Whether the index is not, or not wholly, by these parameters.
pub(super) fn is_due(connection: &Connection, fingerprint: &str) -> rusqlite::Result<bool> {
    let written_by = fact(connection, INDEX)?;
    Ok(written_by.as_deref() != Some(fingerprint) || fact(connection, AFTER)?.is_some())
}

/// Brings the index up to date; tells how many resources are done.
pub(super) fn run(
    connection: &Connection,
    fingerprint: &str,
    watch: &mut dyn FnMut(u64),
) -> Result<()> {
    let mut done = 0;
    while is_due(connection, fingerprint).map_err(broken)? {
        connection.execute_batch("BEGIN IMMEDIATE").map_err(broken)?;
        let some = begin(connection, fingerprint)
            .map_err(broken)
            .and_then(|after| after.map_or(Ok(0), |after| some(connection, &after)));
        let end = if some.is_ok() { "COMMIT" } else { "ROLLBACK" };
        connection.execute_batch(end).map_err(broken)?;
        done += some?;
        watch(done);
    }
    Ok(())
}

/// From here on writers write by the new parameters; answers what to go on after.
fn begin(connection: &Connection, fingerprint: &str) -> rusqlite::Result<Option<String>> {
    if fact(connection, INDEX)?.as_deref() != Some(fingerprint) {
        set_fact(connection, INDEX, fingerprint)?;
        set_fact(connection, AFTER, "0")?;
    }
    fact(connection, AFTER)
}

/// Does the next resources.
fn some(connection: &Connection, after: &str) -> Result<u64> {
    let after: i64 = after.parse().map_err(Error::internal)?;
    let some = resources(connection, after).map_err(broken)?;
    for resource in &some {
        let (patient, rows) = index::rows(&resource.kind, &resource.body)?;
        // What names no patient stays in the compartment where it was put.
        let patient = patient.as_ref().map_or(resource.patient.as_str(), |named| named.as_str());
        replace(connection, resource, patient, &rows).map_err(broken)?;
    }
    match some.last() {
        Some(last) => set_fact(connection, AFTER, &last.rid.to_string()).map_err(broken)?,
        None => finish(connection).map_err(broken)?,
    }
    Ok(some.len() as u64)
}

/// Everything may be found by other rows now, so that nothing which was made before is current.
fn finish(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE compartment SET change = random()", [])?;
    unset_fact(connection, AFTER)
}

struct Resource {
    rid: i64,
    tenant: String,
    kind: String,
    id: String,
    updated: i64,
    patient: String,
    body: Vec<u8>,
}

fn resources(connection: &Connection, after: i64) -> rusqlite::Result<Vec<Resource>> {
    connection
        .prepare_cached(
            "SELECT rid, tenant, type, id, updated, patient, body FROM resource
             WHERE rid > ?1 ORDER BY rid LIMIT ?2",
        )?
        .query_map(params![after, i64::try_from(BATCH).unwrap_or(i64::MAX)], |row| {
            Ok(Resource {
                rid: row.get(0)?,
                tenant: row.get(1)?,
                kind: row.get(2)?,
                id: row.get(3)?,
                updated: row.get(4)?,
                patient: row.get(5)?,
                body: row.get(6)?,
            })
        })?
        .collect()
}

fn replace(
    connection: &Connection,
    resource: &Resource,
    patient: &str,
    rows: &[crate::fhir::search::IndexRow],
) -> rusqlite::Result<()> {
    let Resource { rid, tenant, kind: resource_type, id, updated, .. } = resource;
    clear(connection, tenant, *rid)?;
    connection
        .prepare_cached("UPDATE resource SET patient = ?2 WHERE rid = ?1 AND patient <> ?2")?
        .execute(params![rid, patient])?;
    let found = Found { tenant, rid: *rid, resource_type, patient, updated: *updated, id };
    rows.iter().try_for_each(|row| found.index(connection, row))
}
