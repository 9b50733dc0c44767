//! The one writer, and its transaction.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, MutexGuard};

use rusqlite::Connection;

use super::connection::broken;
use super::source::Known;
use super::{allowed, isolated, jobs, projection, quarantine, reindex, retained, schema, source};
use crate::domain::{FhirId, Kind, Record, TenantId};
use crate::error::{Error, Result};
use crate::store::record::Key;
use crate::store::{
    Accepted, Allowed, ApartName, NewJob, NewResource, Offer, Purge, Purged, Quarantined, Write,
};

/// Records kept in memory; clients, staff and threads are asked for by all that hangs on them.
const KEPT: usize = 4_096;

/// The connection that writes, with the records that it has read lately.
pub(super) struct Writer {
    connection: Connection,
    records: RefCell<HashMap<String, Option<Known>>>,
    /// SQLite's count of the commits of other connections, other processes' included.
    seen: i64,
    /// The search parameters by which this process writes the index.
    fingerprint: String,
}

impl Writer {
    pub(super) fn new(connection: Connection, fingerprint: String) -> Self {
        Self { connection, records: RefCell::default(), seen: -1, fingerprint }
    }

    /// Writes something that is no record, outside of a transaction.
    pub(super) fn run<T>(
        &self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        write(&self.connection).map_err(broken)
    }
}

/// An open transaction, undone when dropped.
pub(super) struct Transaction<'a> {
    writer: MutexGuard<'a, Writer>,
    open: bool,
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(writer: MutexGuard<'a, Writer>) -> Result<Self> {
        writer.connection.execute_batch("BEGIN IMMEDIATE").map_err(broken)?;
        let seen = writer
            .connection
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(broken)?;
        let mut transaction = Self { writer, open: true };
        let writer = &mut *transaction.writer;
        if writer.seen != seen {
            writer.records.get_mut().clear();
            check_index(&writer.connection, &writer.fingerprint)?;
            writer.seen = seen;
        }
        Ok(transaction)
    }

    fn connection(&self) -> &Connection {
        &self.writer.connection
    }

    fn known(&self, key: Key<'_>) -> Result<Option<Known>> {
        let name = key.columns().join("\u{1f}");
        if let Some(known) = self.writer.records.borrow().get(&name) {
            return Ok(known.clone());
        }
        let known = source::load(self.connection(), key)?;
        let mut records = self.writer.records.borrow_mut();
        if records.len() >= KEPT {
            records.clear();
        }
        records.insert(name, known.clone());
        Ok(known)
    }

    fn forget(&mut self, key: Key<'_>) {
        self.writer.records.get_mut().remove(&key.columns().join("\u{1f}"));
    }
}

/// Refuses to write where another version has changed what the search index means.
fn check_index(connection: &Connection, fingerprint: &str) -> Result<()> {
    let written_by = schema::fact(connection, reindex::INDEX).map_err(broken)?;
    if written_by.as_deref() == Some(fingerprint) {
        return Ok(());
    }
    Err(Error::Setup(
        "another version of throughline has taken over the data folder: end this one".to_owned(),
    ))
}

impl Write for Transaction<'_> {
    fn put_record(&mut self, offer: &Offer<'_>) -> Result<Accepted> {
        let key = Key::of(offer.record);
        let accepted = source::put(self.connection(), offer, || self.known(key))?;
        self.forget(key);
        Ok(accepted)
    }

    fn put_isolated(&mut self, record: &Record, content_hash: &[u8; 32]) -> Result<Accepted> {
        self.forget(Key::of(record));
        isolated::put(self.connection(), record, content_hash)
    }

    fn apart_of(&self, tenant: &TenantId, client: &str) -> Result<Vec<ApartName>> {
        retained::apart_of(self.connection(), tenant, client).map_err(broken)
    }

    fn purge(&mut self, purge: &Purge) -> Result<Purged> {
        self.writer.records.get_mut().clear();
        retained::purge(self.connection(), purge).map_err(broken)
    }

    fn was_purged(&self, tenant: &TenantId, kind: Kind, id: &str) -> Result<bool> {
        Ok(retained::floor(self.connection(), Key { tenant, kind, id })?.is_some())
    }

    fn record(&self, tenant: &TenantId, kind: Kind, id: &str) -> Result<Option<Arc<Record>>> {
        Ok(self.known(Key { tenant, kind, id })?.map(|known| known.record))
    }

    fn referring(
        &self,
        tenant: &TenantId,
        kind: Kind,
        to: Kind,
        id: &str,
    ) -> Result<Vec<Arc<Record>>> {
        let links = source::referring(self.connection(), tenant, kind, to, id).map_err(broken)?;
        let mut records: Vec<Arc<Record>> = Vec::with_capacity(links.len());
        for (id, seq) in links {
            let repeated = records.last().is_some_and(|last| last.id == id);
            if !repeated
                && let Some(known) = self.known(Key { tenant, kind, id: &id })?
                && known.stands_on(seq)
            {
                records.push(known.record);
            }
        }
        Ok(records)
    }

    fn records(&self, tenant: &TenantId, kind: Kind) -> Result<Vec<Arc<Record>>> {
        let ids = source::ids(self.connection(), tenant, kind).map_err(broken)?;
        let mut records = Vec::with_capacity(ids.len());
        for id in ids {
            records.extend(self.record(tenant, kind, &id)?);
        }
        Ok(records)
    }

    fn mark_dirty(&mut self, tenant: &TenantId, kind: Kind, id: &str) -> Result<()> {
        source::mark(self.connection(), Key { tenant, kind, id }).map_err(broken)
    }

    fn mark_referring_dirty(
        &mut self,
        tenant: &TenantId,
        kinds: &[Kind],
        to: Kind,
        id: &str,
    ) -> Result<()> {
        kinds
            .iter()
            .try_for_each(|kind| source::mark_referring(self.connection(), tenant, *kind, to, id))
            .map_err(broken)
    }

    fn mark_kinds_dirty(&mut self, kinds: &[Kind]) -> Result<()> {
        kinds
            .iter()
            .try_for_each(|kind| source::mark_kind(self.connection(), *kind))
            .map_err(broken)
    }

    fn dirty(&self, limit: usize) -> Result<Vec<(TenantId, Kind, String)>> {
        source::marked(self.connection(), limit).map_err(broken)
    }

    fn put_projection(
        &mut self,
        tenant: &TenantId,
        kind: Kind,
        id: &str,
        resources: Vec<NewResource>,
    ) -> Result<()> {
        let key = Key { tenant, kind, id };
        projection::put(self.connection(), key, &resources)
            .and_then(|()| source::unmark(self.connection(), key))
            .map_err(broken)
    }

    fn hold_patients(&mut self, _tenant: &TenantId, _patients: &[FhirId]) -> Result<()> {
        // There is one writer.
        Ok(())
    }

    fn note_classes(
        &mut self,
        tenant: &TenantId,
        classes: &BTreeSet<(FhirId, String)>,
    ) -> Result<BTreeSet<FhirId>> {
        allowed::note_classes(self.connection(), tenant, classes).map_err(broken)
    }

    fn classes(&self, tenant: &TenantId, patient: &FhirId) -> Result<Vec<String>> {
        allowed::classes(self.connection(), tenant, patient).map_err(broken)
    }

    fn put_allowed(&mut self, tenant: &TenantId, patient: &FhirId, rows: &[Allowed]) -> Result<()> {
        allowed::put(self.connection(), tenant, patient, rows).map_err(broken)
    }

    fn order_job(&mut self, job: &NewJob) -> Result<()> {
        jobs::put(self.connection(), job, u32::MAX).map(drop).map_err(broken)
    }

    fn quarantine(&mut self, entry: &Quarantined) -> Result<()> {
        quarantine::put(self.connection(), entry).map_err(broken)
    }

    fn isolated_body(&self, number: i64) -> Result<Option<Vec<u8>>> {
        quarantine::isolated_body(self.connection(), number).map_err(broken)
    }

    fn release_refused(
        &mut self,
        tenant: &TenantId,
        kind: Kind,
        id: &str,
        reason: &str,
    ) -> Result<()> {
        let key = Key { tenant, kind, id };
        quarantine::release_refused(self.connection(), key, reason).map_err(broken)
    }

    fn release(&mut self, number: i64) -> Result<()> {
        quarantine::release(self.connection(), number).map_err(broken)
    }

    fn claim_fact(&mut self, name: &str, value: &str) -> Result<String> {
        schema::claim_fact(self.connection(), name, value).map_err(broken)
    }

    fn set_fact(&mut self, name: &str, value: &str) -> Result<()> {
        schema::set_fact(self.connection(), name, value).map_err(broken)
    }

    fn commit(mut self: Box<Self>) -> Result<()> {
        self.writer.connection.execute_batch("COMMIT").map_err(broken)?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open {
            self.writer.records.get_mut().clear();
            // If this fails, the connection rolls back when it next begins or closes.
            let _ignored = self.writer.connection.execute_batch("ROLLBACK");
        }
    }
}
