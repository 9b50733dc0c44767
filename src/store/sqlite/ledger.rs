//! The ledger in a file of its own, so that its waiting for the disk holds no other writer up.
//!
//! Every commit is on the disk when it returns, also if the machine loses power right after.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::connection::{Durability, Location, Readers, broken};
use super::read::instant;
use super::schema::{self, LEDGER};
use crate::domain::FhirId;
use crate::error::{Error, Result};
use crate::store::ledger::{Checkpoint, Entry, Kept, Ledger, Tip, Wanted, stored};
use crate::store::upgrade::{Migration, Upgrade, Upgraded, check_losses};

/// A ledger in a SQLite file.
pub struct SqliteLedger {
    readers: Readers,
    writer: Mutex<Connection>,
}

impl SqliteLedger {
    /// Opens or creates the file at `path`, whose folder must exist.
    pub fn open(path: &Path) -> Result<Self> {
        Self::at(Location::file(path, Durability::Power, &LEDGER))
    }

    /// A new ledger in this process's memory, gone when it is dropped.
    pub fn in_memory() -> Result<Self> {
        Self::at(Location::memory(&LEDGER)?)
    }

    /// Brings a file up to date, or says what that would take. Opening does the same where nothing
    /// is lost by it.
    pub fn migrate(path: &Path, upgrade: Upgrade) -> Result<Upgraded> {
        let location = Location::file(path, Durability::Power, &LEDGER);
        let connection = location.open_writer()?;
        let due = schema::pending(&connection, &LEDGER)?;
        check_losses(due, upgrade.allow_loss)?;
        let migrations = due.iter().map(Migration::title).collect();
        if !upgrade.only_check {
            location.prepare(&connection)?;
            schema::migrate(&connection, &LEDGER, upgrade)?;
        }
        Ok(Upgraded { migrations, reindex: false })
    }

    fn at(location: Location) -> Result<Self> {
        let connection = location.open_writer()?;
        location.prepare(&connection)?;
        schema::migrate(&connection, &LEDGER, Upgrade::default())?;
        Ok(Self { readers: Readers::new(location), writer: Mutex::new(connection) })
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        // A writer that panicked has rolled back when its transaction was dropped.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for SqliteLedger {
    fn append(&self, entries: &[Entry]) -> Result<Vec<Tip>> {
        let mut writer = self.writer();
        let transaction =
            writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(broken)?;
        let tips = add(&transaction, entries).map_err(broken)?;
        transaction.commit().map_err(broken)?;
        Ok(tips)
    }

    fn tips(&self) -> Result<Vec<Tip>> {
        self.readers.take()?.run(|connection| {
            let mut select = connection
                .prepare_cached("SELECT tenant, number, hash, sealed FROM audit_tip ORDER BY 1")?;
            let rows = select.query_map([], |row| tip(row.get(0)?, row, 1))?;
            rows.collect()
        })
    }

    fn entries(&self, tenant: &str, after: u64, limit: usize) -> Result<Vec<Kept>> {
        let (after, limit) = (stored(after)?, i64::try_from(limit).map_err(Error::internal)?);
        self.readers.take()?.run(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT number, hash, at, actor, action, outcome, body FROM audit_event
                 WHERE tenant = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
            )?;
            select.query_map(params![tenant, after, limit], kept)?.collect()
        })
    }

    fn find(&self, wanted: &Wanted) -> Result<Vec<Kept>> {
        self.readers.take()?.run(|connection| {
            let mut select = connection.prepare_cached(&wanted.statement())?;
            let outcome = wanted.outcome.map(i64::from);
            let since = wanted.since.map(Timestamp::as_microsecond);
            let until = wanted.until.map(Timestamp::as_microsecond);
            let (tenant, below, most) = (&wanted.tenant, wanted.below(), wanted.most());
            let patient = wanted.patient.as_ref().map(FhirId::as_str);
            let mut values = vec![];
            let all: [&dyn rusqlite::ToSql; 8] =
                [tenant, &below, &wanted.actor, &wanted.action, &outcome, &since, &until, &most];
            values.extend(all);
            if patient.is_some() {
                values.push(&patient);
            }
            select.query_map(values.as_slice(), kept)?.collect()
        })
    }

    fn filed(&self, tenant: &str, pairs: &[(u64, FhirId)]) -> Result<usize> {
        self.readers.take()?.run(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT 1 FROM audit_patient WHERE tenant = ?1 AND patient = ?2 AND number = ?3",
            )?;
            let mut found = 0;
            for (number, patient) in pairs {
                found += usize::from(select.exists(params![
                    tenant,
                    patient.as_str(),
                    number.cast_signed()
                ])?);
            }
            Ok(found)
        })
    }

    fn seal(&self, checkpoint: &Checkpoint) -> Result<()> {
        let Checkpoint { tenant, number, statement } = checkpoint;
        let number = stored(*number)?;
        let mut writer = self.writer();
        let seal = || {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction
                .prepare_cached("INSERT OR IGNORE INTO audit_checkpoint VALUES (?1, ?2, ?3)")?
                .execute(params![tenant, number, statement])?;
            transaction
                .prepare_cached(
                    "UPDATE audit_tip SET sealed = ?2 WHERE tenant = ?1 AND sealed < ?2",
                )?
                .execute(params![tenant, number])?;
            transaction.commit()
        };
        let sealed: rusqlite::Result<()> = { seal }();
        sealed.map_err(broken)
    }

    fn checkpoints(&self, tenant: &str) -> Result<Vec<Checkpoint>> {
        self.readers.take()?.run(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT number, statement FROM audit_checkpoint WHERE tenant = ?1 ORDER BY 1",
            )?;
            let rows = select.query_map([tenant], |row| {
                let number = row.get::<_, i64>(0)?.cast_unsigned();
                Ok(Checkpoint { tenant: tenant.to_owned(), number, statement: row.get(1)? })
            })?;
            rows.collect()
        })
    }
}

fn add(transaction: &Transaction<'_>, entries: &[Entry]) -> rusqlite::Result<Vec<Tip>> {
    let mut tips = BTreeMap::new();
    let mut event = transaction.prepare_cached(
        "INSERT INTO audit_event (tenant, number, hash, at, actor, action, outcome, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let mut filed =
        transaction.prepare_cached("INSERT OR IGNORE INTO audit_patient VALUES (?1, ?2, ?3)")?;
    for entry in entries {
        let tenant = entry.tenant.as_str();
        if !tips.contains_key(tenant) {
            tips.insert(tenant, end(transaction, tenant)?);
        }
        let Some(tip) = tips.get_mut(tenant) else { continue };
        tip.advance(&entry.body);
        let number = tip.number.cast_signed();
        event.execute(params![
            tenant,
            number,
            tip.hash,
            entry.at.as_microsecond(),
            entry.actor,
            entry.action,
            entry.outcome,
            entry.body
        ])?;
        for patient in &entry.patients {
            filed.execute(params![tenant, patient.as_str(), number])?;
        }
    }
    let mut put =
        transaction.prepare_cached("INSERT OR REPLACE INTO audit_tip VALUES (?1, ?2, ?3, ?4)")?;
    for tip in tips.values() {
        let (number, sealed) = (tip.number.cast_signed(), tip.sealed.cast_signed());
        put.execute(params![tip.tenant, number, tip.hash, sealed])?;
    }
    Ok(tips.into_values().collect())
}

/// The end of a chain.
fn end(connection: &Connection, tenant: &str) -> rusqlite::Result<Tip> {
    let found = connection
        .prepare_cached("SELECT number, hash, sealed FROM audit_tip WHERE tenant = ?1")?
        .query_row([tenant], |row| tip(tenant.to_owned(), row, 0))
        .optional()?;
    Ok(found.unwrap_or_else(|| Tip::of_nothing(tenant)))
}

fn tip(tenant: String, row: &Row<'_>, first: usize) -> rusqlite::Result<Tip> {
    Ok(Tip {
        tenant,
        number: row.get::<_, i64>(first)?.cast_unsigned(),
        hash: row.get(first + 1)?,
        sealed: row.get::<_, i64>(first + 2)?.cast_unsigned(),
    })
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        number: row.get::<_, i64>(0)?.cast_unsigned(),
        hash: row.get(1)?,
        at: instant(row, 2)?,
        actor: row.get(3)?,
        action: row.get(4)?,
        outcome: row.get(5)?,
        body: row.get(6)?,
    })
}
