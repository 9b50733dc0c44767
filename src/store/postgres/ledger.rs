//! The ledger in PostgreSQL, over connections of its own, so that it never waits for other writers.
//!
//! Who adds to a chain holds its end until the commit, so that replicas add one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_postgres::Row;

use super::engine::Engine;
use super::fault::Tried;
use super::pool::Pool;
use super::row::{count, get, hash, instant};
use super::session::{Param, Session};
use super::{address, limits};
use crate::config::StoreSettings;
use crate::domain::FhirId;
use crate::error::Result;
use crate::store::ledger::{Checkpoint, Entry, Kept, Ledger, Tip, Wanted, stored};

/// Connections that write: this process has one writer, and one that signs.
const WRITERS: usize = 2;
/// Connections that read.
const READERS: usize = 4;

/// A ledger in a PostgreSQL database that is migrated.
pub struct PostgresLedger {
    readers: Pool,
    writers: Pool,
}

impl PostgresLedger {
    /// Opens the ledger of a database that is migrated.
    ///
    /// # Errors
    ///
    /// `Setup` with what to do.
    pub fn open(settings: &StoreSettings) -> Result<Self> {
        let address = address(settings)?;
        let engine = Arc::new(Engine::start()?);
        let pool = |read_only, most| {
            Pool::new(Arc::clone(&engine), address.clone(), limits(settings, read_only), most)
        };
        Ok(Self { readers: pool(true, READERS), writers: pool(false, WRITERS) })
    }
}

impl Ledger for PostgresLedger {
    fn append(&self, entries: &[Entry]) -> Result<Vec<Tip>> {
        let mut pooled = self.writers.take()?;
        let mut added = append(pooled.session()?, entries);
        // A connection that died while it was idle took nothing with it: the first statement of the
        // transaction has told so.
        if added.as_ref().is_err_and(|failure| failure.is_unused) && !pooled.is_new() {
            pooled.renew()?;
            added = append(pooled.session()?, entries);
        }
        let failed = added.is_err();
        if failed {
            // Dropped with its transaction, whatever has become of that.
            pooled.set_open(true);
        }
        Ok(added.map_err(|failure| failure.fault)?)
    }

    fn tips(&self) -> Result<Vec<Tip>> {
        Ok(self.readers.run(|session| {
            let select = "SELECT tenant, number, hash, sealed FROM audit_tip ORDER BY tenant";
            session.query(select, &[])?.iter().map(tip).collect::<Tried<_>>()
        })?)
    }

    fn entries(&self, tenant: &str, after: u64, limit: usize) -> Result<Vec<Kept>> {
        let (after, limit) = (stored(after)?, i64::try_from(limit).unwrap_or(i64::MAX));
        Ok(self.readers.run(|session| {
            let rows = session.query(
                "SELECT number, hash, at, actor, action, outcome, body FROM audit_event
                 WHERE tenant = $1 AND number > $2 ORDER BY number LIMIT $3",
                &[&tenant, &after, &limit],
            )?;
            rows.iter().map(kept).collect::<Tried<_>>()
        })?)
    }

    fn find(&self, wanted: &Wanted) -> Result<Vec<Kept>> {
        let statement = wanted.statement().replace('?', "$");
        let outcome = wanted.outcome.map(i64::from);
        let since = wanted.since.map(Timestamp::as_microsecond);
        let until = wanted.until.map(Timestamp::as_microsecond);
        let (below, most) = (wanted.below(), wanted.most());
        let patient = wanted.patient.as_ref().map(FhirId::as_str);
        let mut values: Vec<Param<'_>> = vec![
            &wanted.tenant,
            &below,
            &wanted.actor,
            &wanted.action,
            &outcome,
            &since,
            &until,
            &most,
        ];
        if patient.is_some() {
            values.push(&patient);
        }
        Ok(self.readers.run(|session| {
            session.query(&statement, &values)?.iter().map(kept).collect::<Tried<_>>()
        })?)
    }

    fn filed(&self, tenant: &str, pairs: &[(u64, FhirId)]) -> Result<usize> {
        let numbers: Vec<i64> = pairs.iter().map(|(number, _)| number.cast_signed()).collect();
        let patients: Vec<&str> = pairs.iter().map(|(_, patient)| patient.as_str()).collect();
        let found = self.readers.run(|session| {
            let rows = session.query(
                "SELECT count(*) FROM unnest($2::bigint[], $3::text[]) AS asked (number, patient)
                 JOIN audit_patient p ON p.tenant = $1 AND p.number = asked.number
                   AND p.patient = asked.patient COLLATE \"C\"",
                &[&tenant, &numbers, &patients],
            )?;
            rows.first().map_or(Ok(0), |row| count(row, 0))
        })?;
        Ok(usize::try_from(found).unwrap_or(usize::MAX))
    }

    fn seal(&self, checkpoint: &Checkpoint) -> Result<()> {
        let number = stored(checkpoint.number)?;
        let Checkpoint { tenant, statement, .. } = checkpoint;
        Ok(self.writers.run(|session| {
            session.execute(
                "WITH made AS (INSERT INTO audit_checkpoint (tenant, number, statement)
                   VALUES ($1, $2, $3) ON CONFLICT DO NOTHING)
                 UPDATE audit_tip SET sealed = $2 WHERE tenant = $1 AND sealed < $2",
                &[tenant, &number, statement],
            )?;
            Ok(())
        })?)
    }

    fn checkpoints(&self, tenant: &str) -> Result<Vec<Checkpoint>> {
        Ok(self.readers.run(|session| {
            let rows = session.query(
                "SELECT number, statement FROM audit_checkpoint WHERE tenant = $1 ORDER BY number",
                &[&tenant],
            )?;
            let checkpoint = |row| {
                let (number, statement) = (count(row, 0)?, get(row, 1)?);
                Ok(Checkpoint { tenant: tenant.to_owned(), number, statement })
            };
            rows.iter().map(checkpoint).collect::<Tried<_>>()
        })?)
    }
}

/// What was not added.
struct Failure {
    fault: super::fault::Fault,
    /// Whether the connection was lost before anything was done over it.
    is_unused: bool,
}

/// Adds entries in one transaction of two trips.
fn append(session: &mut Session, entries: &[Entry]) -> std::result::Result<Vec<Tip>, Failure> {
    let mut tips: BTreeMap<&str, Tip> = BTreeMap::new();
    for entry in entries {
        tips.entry(&entry.tenant).or_insert_with(|| Tip::of_nothing(&entry.tenant));
    }
    hold(session, &mut tips).map_err(|fault| Failure { is_unused: fault.is_lost(), fault })?;
    let rows = Rows::of(entries, &mut tips);
    rows.put(session, &tips).map_err(|fault| Failure { is_unused: false, fault })?;
    Ok(tips.into_values().collect())
}

/// Begins a transaction that holds the ends of these chains.
fn hold(session: &mut Session, tips: &mut BTreeMap<&str, Tip>) -> Tried<()> {
    let names: Vec<&str> = tips.keys().copied().collect();
    let nothing = [0_u8; 32].as_slice();
    let answers = session.queries(&[
        ("BEGIN", &[]),
        // Whatever the database's default is: what is told to be done has to be on the disk.
        ("SET LOCAL synchronous_commit = on", &[]),
        (
            "INSERT INTO audit_tip (tenant, number, hash, sealed)
             SELECT name, 0, $2, 0 FROM unnest($1::text[]) AS name ORDER BY name
             ON CONFLICT DO NOTHING",
            &[&names, &nothing],
        ),
        (
            "SELECT tenant, number, hash, sealed FROM audit_tip WHERE tenant = ANY($1)
             ORDER BY tenant FOR UPDATE",
            &[&names],
        ),
    ])?;
    for row in answers.last().into_iter().flatten() {
        if let Some(end) = tips.get_mut(get::<&str>(row, 0)?) {
            *end = tip(row)?;
        }
    }
    Ok(())
}

/// Entries as columns.
#[derive(Default)]
struct Rows<'a> {
    tenants: Vec<&'a str>,
    numbers: Vec<i64>,
    hashes: Vec<Vec<u8>>,
    ats: Vec<i64>,
    actors: Vec<&'a str>,
    actions: Vec<&'a str>,
    outcomes: Vec<i64>,
    bodies: Vec<&'a [u8]>,
    of: Vec<&'a str>,
    patients: Vec<&'a str>,
    places: Vec<i64>,
}

impl<'a> Rows<'a> {
    fn of(entries: &'a [Entry], tips: &mut BTreeMap<&str, Tip>) -> Self {
        let mut rows = Self::default();
        for entry in entries {
            let Some(tip) = tips.get_mut(entry.tenant.as_str()) else { continue };
            tip.advance(&entry.body);
            let number = tip.number.cast_signed();
            rows.tenants.push(&entry.tenant);
            rows.numbers.push(number);
            rows.hashes.push(tip.hash.to_vec());
            rows.ats.push(entry.at.as_microsecond());
            rows.actors.push(&entry.actor);
            rows.actions.push(&entry.action);
            rows.outcomes.push(i64::from(entry.outcome));
            rows.bodies.push(&entry.body);
            for patient in &entry.patients {
                rows.of.push(&entry.tenant);
                rows.patients.push(patient.as_str());
                rows.places.push(number);
            }
        }
        rows
    }

    fn put(&self, session: &mut Session, tips: &BTreeMap<&str, Tip>) -> Tried<()> {
        let names: Vec<&str> = tips.keys().copied().collect();
        let numbers: Vec<i64> = tips.values().map(|tip| tip.number.cast_signed()).collect();
        let hashes: Vec<&[u8]> = tips.values().map(|tip| tip.hash.as_slice()).collect();
        session.queries(&[
            (
                "INSERT INTO audit_event
                   (tenant, number, hash, at, actor, action, outcome, body)
                 SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bigint[],
                   $5::text[], $6::text[], $7::bigint[], $8::bytea[])",
                &[
                    &self.tenants,
                    &self.numbers,
                    &self.hashes,
                    &self.ats,
                    &self.actors,
                    &self.actions,
                    &self.outcomes,
                    &self.bodies,
                ],
            ),
            (
                "INSERT INTO audit_patient (tenant, patient, number)
                 SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
                 ON CONFLICT DO NOTHING",
                &[&self.of, &self.patients, &self.places],
            ),
            (
                "UPDATE audit_tip SET number = new.number, hash = new.hash
                 FROM unnest($1::text[], $2::bigint[], $3::bytea[]) AS new (tenant, number, hash)
                 WHERE audit_tip.tenant = new.tenant COLLATE \"C\"",
                &[&names, &numbers, &hashes],
            ),
        ])?;
        session.batch("COMMIT")
    }
}

fn tip(row: &Row) -> Tried<Tip> {
    Ok(Tip {
        tenant: get(row, 0)?,
        number: count(row, 1)?,
        hash: hash(row, 2)?,
        sealed: count(row, 3)?,
    })
}

fn kept(row: &Row) -> Tried<Kept> {
    Ok(Kept {
        number: count(row, 0)?,
        hash: hash(row, 1)?,
        at: instant(row, 2)?,
        actor: get(row, 3)?,
        action: get(row, 4)?,
        outcome: u8::try_from(get::<i64>(row, 5)?).map_err(super::fault::Fault::broken)?,
        body: get(row, 6)?,
    })
}
