//! The embedded store: one SQLite file in WAL mode, one writer, and readers that never wait for it.

mod connection;
mod feeds;
mod isolated;
mod projection;
mod quarantine;
mod read;
mod search;
mod source;
mod write;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::connection::{Location, Readers};
use self::write::{Transaction, Writer};
use super::{Head, Page, Quarantined, Store, StoredResource, Write};
use crate::domain::{FhirId, Kind};
use crate::error::Result;
use crate::fhir::search::Query;
use crate::policy::Permit;

pub use self::connection::Durability;

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
        Self::at(Location::file(path, durability))
    }

    /// A new store in this process's memory, gone when it is dropped.
    pub fn in_memory() -> Result<Self> {
        Self::at(Location::memory()?)
    }

    fn at(location: Location) -> Result<Self> {
        let writer = Writer::new(location.open_writer()?);
        Ok(Self { readers: Readers::new(location), writer: Mutex::new(writer) })
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A writer that panicked has rolled back when its transaction was dropped.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for SqliteStore {
    fn read(&self, permit: &Permit, id: &FhirId) -> Result<Option<StoredResource>> {
        self.readers.take()?.run(|connection| read::current(connection, permit, id))
    }

    fn version(
        &self,
        permit: &Permit,
        id: &FhirId,
        version_id: &str,
    ) -> Result<Option<StoredResource>> {
        self.readers.take()?.run(|connection| read::version(connection, permit, id, version_id))
    }

    fn history(&self, permit: &Permit, id: &FhirId) -> Result<Vec<StoredResource>> {
        self.readers.take()?.run(|connection| read::history(connection, permit, id))
    }

    fn search(&self, permit: &Permit, query: &Query) -> Result<Page> {
        self.readers.take()?.run(|connection| search::page(connection, permit, query))
    }

    fn head(&self, permit: &Permit, id: &FhirId) -> Result<Option<Head>> {
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
}
