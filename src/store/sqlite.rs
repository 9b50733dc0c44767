//! The embedded store: one SQLite file in WAL mode, one writer, and readers that never wait for it.

mod allowed;
mod apart;
mod connection;
mod directory;
mod exports;
mod feeds;
mod grants;
mod handles;
mod isolated;
mod jobs;
mod ledger;
mod links;
#[cfg(test)]
mod plans;
mod projection;
mod quarantine;
mod read;
mod received;
mod reindex;
mod retained;
mod schema;
mod search;
mod source;
mod write;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use self::connection::{Location, Readers, broken};
use self::schema::{FileKind, STORE};
use self::search::Reading;
use self::write::{Transaction, Writer};
use super::upgrade::{Migration, Upgrade, Upgraded, check_losses};
use super::{Everything, Head, Page, Quarantined, Store, StoredResource, Write, sql};
use crate::domain::{FhirId, Kind};
use crate::error::{Error, Result};
use crate::fhir::search::{Query, fingerprint};
use crate::policy::Permit;

pub use self::connection::Durability;
pub use self::ledger::SqliteLedger;

/// A store in a SQLite file.
pub struct SqliteStore {
    readers: Readers,
    writer: Mutex<Writer>,
}

impl SqliteStore {
    /// Opens or creates the file at `path`, whose folder must exist.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, Durability::default())
    }

    /// Opens or creates the file at `path` with a given durability.
    pub fn open_with(path: &Path, durability: Durability) -> Result<Self> {
        Self::at(Location::file(path, durability, &STORE))
    }

    /// A new store in this process's memory, gone when it is dropped.
    pub fn in_memory() -> Result<Self> {
        Self::at(Location::memory(&STORE)?)
    }

    /// Brings a file up to date, or says what that would take; `watch` is told how many resources
    /// have been indexed anew. Opening does the same where nothing is lost by it.
    ///
    /// # Errors
    ///
    /// `Setup` for a file that may not be touched, and says why.
    pub fn migrate(path: &Path, upgrade: Upgrade, watch: &mut dyn FnMut(u64)) -> Result<Upgraded> {
        let location = Location::file(path, Durability::default(), &STORE);
        let connection = if upgrade.only_check && !path.exists() {
            Location::memory(&STORE)?.open_writer()?
        } else {
            location.open_writer()?
        };
        let due = schema::pending(&connection, &STORE)?;
        check_losses(due, upgrade.allow_loss)?;
        let migrations = due.iter().map(Migration::title).collect();
        let has_index = schema::exists(&connection, "fact").map_err(broken)?;
        let is_new = schema::kind(&connection, &STORE).map_err(broken)? == FileKind::Empty;
        let fingerprint = fingerprint();
        let reindex = !is_new
            && (!has_index || reindex::is_due(&connection, &fingerprint).map_err(broken)?);
        if !upgrade.only_check {
            bring_up_to_date(&location, &connection, upgrade, &fingerprint, watch)?;
        }
        Ok(Upgraded { migrations, reindex })
    }

    fn at(location: Location) -> Result<Self> {
        let connection = location.open_writer()?;
        let fingerprint = fingerprint();
        let upgrade = Upgrade::default();
        bring_up_to_date(&location, &connection, upgrade, &fingerprint, &mut |_| ())?;
        let writer = Writer::new(connection, fingerprint);
        Ok(Self { readers: Readers::new(location), writer: Mutex::new(writer) })
    }

    /// The current version of a resource, where the caller may see only some of its type.
    fn visible(&self, permit: &Permit, id: &FhirId) -> Result<Option<StoredResource>> {
        self.readers.take()?.snapshot(|reading| sql::current(&Reading(reading), permit, id))
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A writer that panicked has rolled back when its transaction was dropped.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bring_up_to_date(
    location: &Location,
    connection: &Connection,
    upgrade: Upgrade,
    fingerprint: &str,
    watch: &mut dyn FnMut(u64),
) -> Result<()> {
    location.prepare(connection)?;
    schema::migrate(connection, &STORE, upgrade)?;
    reindex::run(connection, fingerprint, watch)
}

impl Store for SqliteStore {
    fn is_embedded(&self) -> bool {
        true
    }

    fn read(&self, permit: &Permit, id: &FhirId) -> Result<Option<StoredResource>> {
        if !permit.is_open() {
            return self.visible(permit, id);
        }
        self.readers.take()?.run(|connection| read::current(connection, permit, id))
    }

    fn version(
        &self,
        permit: &Permit,
        id: &FhirId,
        version_id: &str,
    ) -> Result<Option<StoredResource>> {
        let version = |connection: &Connection| read::version(connection, permit, id, version_id);
        if permit.is_open() {
            return self.readers.take()?.run(version);
        }
        let Some(current) = self.visible(permit, id)? else { return Ok(None) };
        if permit.under().is_some() {
            // An earlier version may hold what has been withheld since.
            return Ok(Some(current).filter(|current| current.version_id == version_id));
        }
        let versions = self.readers.take()?.run(version)?.into_iter().collect();
        Ok(sql::admitted(permit, &current, versions)?.pop())
    }

    fn history(&self, permit: &Permit, id: &FhirId) -> Result<Vec<StoredResource>> {
        let history = |connection: &Connection| read::history(connection, permit, id);
        if permit.is_open() {
            return self.readers.take()?.run(history);
        }
        let Some(current) = self.visible(permit, id)? else { return Ok(Vec::new()) };
        if permit.under().is_some() {
            return Ok(vec![current]);
        }
        sql::admitted(permit, &current, self.readers.take()?.run(history)?)
    }

    fn search(&self, permit: &Permit, query: &Query) -> Result<Page> {
        self.readers.take()?.snapshot(|reading| sql::page(&Reading(reading), permit, query))
    }

    fn everything(&self, permit: &Permit, scope: &Everything) -> Result<Page> {
        self.readers.take()?.snapshot(|reading| sql::everything(&Reading(reading), permit, scope))
    }

    fn edition(&self, permit: &Permit, scope: &Everything) -> Result<Option<String>> {
        let edition = |reading: &Connection| sql::edition(&Reading(reading), permit, scope);
        self.readers.take()?.snapshot(edition).map(Some)
    }

    fn head(&self, permit: &Permit, id: &FhirId) -> Result<Option<Head>> {
        if !permit.is_open() {
            return Ok(self.visible(permit, id)?.as_ref().map(Head::from));
        }
        self.readers.take()?.run(|connection| read::head(connection, permit, id))
    }

    fn write(&self) -> Result<Box<dyn Write + '_>> {
        Ok(Box::new(Transaction::begin(self.writer())?))
    }

    fn quarantine(&self) -> Result<Vec<Quarantined>> {
        self.readers.take()?.run(quarantine::list)
    }

    fn quarantined(&self, number: i64) -> Result<Option<Quarantined>> {
        self.readers.take()?.run(|connection| quarantine::entry(connection, number))
    }

    fn record_counts(&self) -> Result<Vec<(Kind, u64)>> {
        self.readers.take()?.run(read::record_counts)
    }

    fn resource_counts(&self) -> Result<Vec<(String, u64)>> {
        self.readers.take()?.run(read::resource_counts)
    }

    fn ready(&self) -> Result<()> {
        self.fact("id_key")?;
        let due = |connection: &Connection| {
            Ok(!schema::pending(connection, &STORE)?.is_empty()
                || reindex::is_due(connection, &fingerprint()).map_err(broken)?)
        };
        if self.readers.take()?.snapshot(due)? {
            let advice = "it has the migrations of another version: replace this server by it";
            return Err(Error::Setup(advice.to_owned()));
        }
        Ok(())
    }

    fn fact(&self, name: &str) -> Result<Option<String>> {
        self.readers.take()?.run(|connection| schema::fact(connection, name))
    }
}
