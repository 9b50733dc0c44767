//! A write transaction. What it does is kept until it is needed or committed, and then sent for
//! many records at once, since every statement is a way to the server and back.
//!
//! ## Several replicas
//! Whoever offers or marks records holds [`INTAKE`] until the end of the transaction, so that the
//! versions of a record, and what a change makes due, are worked out by one at a time. Mapping
//! needs no such lock: the mark of a record is locked by whoever maps it, others pass over it, and
//! whoever marks the record again waits for it. So a mark that was set after somebody began to map
//! is never taken away by them, and what is made of an older state never replaces what is made of
//! a newer one. Locks are taken in one order (intake, marks, quarantine), so that nobody waits in
//! a circle.

mod allowed;
mod marks;
mod memory;
mod numbers;
mod projection;
mod records;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use self::marks::Marks;
use self::memory::{Memory, Name};
pub(super) use self::numbers::Numbers;
use self::projection::Projections;
use self::records::Records;
use super::fault::Tried;
use super::pool::{Pool, Pooled};
use super::session::Session;
use super::{jobs, quarantine, retained, schema};
use crate::domain::{FhirId, Kind, Record, TenantId};
use crate::error::Result;
use crate::store::record::Key;
use crate::store::{
    Accepted, Allowed, ApartName, NewJob, NewResource, Offer, Purge, Purged, Quarantined, Write,
};

/// Held by whoever offers or marks records.
const INTAKE: &str = "SELECT pg_advisory_xact_lock(7526692001)";

/// An open transaction, undone when dropped.
pub(super) struct Transaction<'a>(RefCell<Open<'a>>);

/// What a transaction has done and knows.
struct Open<'a> {
    session: Pooled<'a>,
    numbers: &'a Numbers,
    has_intake: bool,
    memory: Memory,
    records: Records,
    marks: Marks,
    projections: Projections,
    quarantine: quarantine::Changes,
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(pool: &'a Pool, numbers: &'a Numbers, fingerprint: &str) -> Result<Self> {
        let mut session = pool.take()?;
        match schema::begin(session.session()?, fingerprint) {
            Err(fault) if fault.is_lost() && !session.is_new() => {
                session.renew()?;
                schema::begin(session.session()?, fingerprint)?;
            }
            begun => begun?,
        }
        session.set_open(true);
        Ok(Self(RefCell::new(Open {
            session,
            numbers,
            has_intake: false,
            memory: Memory::default(),
            records: Records::default(),
            marks: Marks::default(),
            projections: Projections::default(),
            quarantine: quarantine::Changes::default(),
        })))
    }
}

impl Open<'_> {
    fn session(&mut self) -> Tried<&mut Session> {
        self.session.session()
    }

    /// Before anything is offered or marked.
    fn take_intake(&mut self) -> Tried<()> {
        if !self.has_intake {
            // What is remembered was read before others were kept out.
            self.memory.clear();
            self.session()?.query(INTAKE, &[])?;
            self.has_intake = true;
        }
        self.flush_projections()
    }

    /// Writes the records offered, so that queries see them.
    fn flush_records(&mut self) -> Tried<()> {
        self.records.write(self.session.session()?)
    }

    /// Writes the records and what is due because of them.
    fn flush_intake(&mut self) -> Tried<()> {
        self.flush_records()?;
        self.marks.write(self.session.session()?)?;
        self.records.withdraw(self.session.session()?)
    }

    /// Sees to it that nothing that has become isolated is read.
    fn settle(&mut self) -> Tried<()> {
        if self.records.has_withdrawn() { self.flush_intake() } else { Ok(()) }
    }

    fn flush_projections(&mut self) -> Tried<()> {
        self.projections.write(self.session.session()?, self.numbers)
    }
}

impl Write for Transaction<'_> {
    fn expect(&mut self, records: &[(TenantId, Kind, String)]) -> Result<()> {
        let open = self.0.get_mut();
        open.take_intake()?;
        let names = records.iter().map(|(tenant, kind, id)| Name::new(tenant, *kind, id));
        Ok(open.memory.learn(open.session.session()?, names, true)?)
    }

    fn put_record(&mut self, offer: &Offer<'_>) -> Result<Accepted> {
        let open = self.0.get_mut();
        open.take_intake()?;
        let Open { session, numbers, memory, records, .. } = open;
        let session = session.session()?;
        let name = Name::of(offer.record);
        let known = memory.offered(session, &name)?;
        records.put(session, numbers, known, offer)
    }

    fn put_isolated(&mut self, record: &Record, content_hash: &[u8; 32]) -> Result<Accepted> {
        let open = self.0.get_mut();
        open.take_intake()?;
        let name = Name::of(record);
        let known = open.memory.offered(open.session.session()?, &name)?;
        let (accepted, moved) = open.records.isolate(known, record, content_hash)?;
        if moved {
            open.marks.mark(name);
        }
        Ok(accepted)
    }

    fn apart_of(&self, tenant: &TenantId, client: &str) -> Result<Vec<ApartName>> {
        let open = &mut *self.0.borrow_mut();
        open.flush_intake()?;
        Ok(retained::apart_of(open.session()?, tenant, client)?)
    }

    fn purge(&mut self, purge: &Purge) -> Result<Purged> {
        let open = self.0.get_mut();
        open.take_intake()?;
        open.flush_intake()?;
        open.flush_projections()?;
        let purged = retained::purge(open.session()?, purge)?;
        open.memory.clear();
        Ok(purged)
    }

    fn was_purged(&self, tenant: &TenantId, kind: Kind, id: &str) -> Result<bool> {
        let rows = self.0.borrow_mut().session()?.query(
            "SELECT 1 FROM purged WHERE tenant = $1 AND kind = $2 AND id = $3",
            &[&tenant.as_str(), &kind.as_str(), &id],
        )?;
        Ok(!rows.is_empty())
    }

    fn record(&self, tenant: &TenantId, kind: Kind, id: &str) -> Result<Option<Arc<Record>>> {
        let open = &mut *self.0.borrow_mut();
        open.settle()?;
        open.memory.state(open.session.session()?, &Name::new(tenant, kind, id))
    }

    fn referring(
        &self,
        tenant: &TenantId,
        kind: Kind,
        to: Kind,
        id: &str,
    ) -> Result<Vec<Arc<Record>>> {
        let open = &mut *self.0.borrow_mut();
        open.settle()?;
        open.flush_records()?;
        open.memory.referring(open.session.session()?, tenant, kind, (to, id))
    }

    fn records(&self, tenant: &TenantId, kind: Kind) -> Result<Vec<Arc<Record>>> {
        let open = &mut *self.0.borrow_mut();
        open.settle()?;
        open.flush_records()?;
        open.memory.of_kind(open.session.session()?, tenant, kind)
    }

    fn mark_dirty(&mut self, tenant: &TenantId, kind: Kind, id: &str) -> Result<()> {
        let open = self.0.get_mut();
        open.take_intake()?;
        open.marks.mark(Name::new(tenant, kind, id));
        Ok(())
    }

    fn mark_referring_dirty(
        &mut self,
        tenant: &TenantId,
        kinds: &[Kind],
        to: Kind,
        id: &str,
    ) -> Result<()> {
        let open = self.0.get_mut();
        open.take_intake()?;
        open.marks.mark_referring(Name::new(tenant, to, id), kinds);
        Ok(())
    }

    fn mark_kinds_dirty(&mut self, kinds: &[Kind]) -> Result<()> {
        let open = self.0.get_mut();
        open.take_intake()?;
        open.marks.mark_kinds(kinds);
        Ok(())
    }

    fn dirty(&self, limit: usize) -> Result<Vec<(TenantId, Kind, String)>> {
        let open = &mut *self.0.borrow_mut();
        open.flush_intake()?;
        open.flush_projections()?;
        let claimed = open.projections.claim(open.session.session()?, limit)?;
        // What was read before may be older than what the marks are about.
        open.memory.clear();
        open.memory.learn(open.session.session()?, claimed.iter().cloned(), false)?;
        Ok(claimed.into_iter().map(Name::into_parts).collect::<Tried<_>>()?)
    }

    fn put_projection(
        &mut self,
        tenant: &TenantId,
        kind: Kind,
        id: &str,
        resources: Vec<NewResource>,
    ) -> Result<()> {
        let open = self.0.get_mut();
        open.flush_intake()?;
        let name = Name::new(tenant, kind, id);
        if open.projections.collides(&name, &resources) {
            open.flush_projections()?;
        }
        open.projections.put(name, resources);
        Ok(())
    }

    fn hold_patients(&mut self, tenant: &TenantId, patients: &[FhirId]) -> Result<()> {
        let open = self.0.get_mut();
        open.flush_intake()?;
        open.flush_projections()?;
        allowed::hold(open.session()?, tenant, patients)?;
        // What was read before may be older than what the one before us did.
        open.memory.clear();
        Ok(())
    }

    fn order_job(&mut self, job: &NewJob) -> Result<()> {
        jobs::put(self.0.get_mut().session()?, job, u32::MAX).map(drop)?;
        Ok(())
    }

    fn note_classes(
        &mut self,
        tenant: &TenantId,
        classes: &BTreeSet<(FhirId, String)>,
    ) -> Result<BTreeSet<FhirId>> {
        Ok(allowed::note_classes(self.0.get_mut().session()?, tenant, classes)?)
    }

    fn classes(&self, tenant: &TenantId, patient: &FhirId) -> Result<Vec<String>> {
        Ok(allowed::classes(self.0.borrow_mut().session()?, tenant, patient)?)
    }

    fn put_allowed(&mut self, tenant: &TenantId, patient: &FhirId, rows: &[Allowed]) -> Result<()> {
        Ok(allowed::put(self.0.get_mut().session()?, tenant, patient, rows)?)
    }

    fn quarantine(&mut self, entry: &Quarantined) -> Result<()> {
        self.0.get_mut().quarantine.add(entry);
        Ok(())
    }

    fn isolated_body(&self, number: i64) -> Result<Option<Vec<u8>>> {
        let open = &mut *self.0.borrow_mut();
        if open.quarantine.has_released(number) {
            return Ok(None);
        }
        Ok(quarantine::isolated_body(open.session()?, number)?)
    }

    fn release_refused(
        &mut self,
        tenant: &TenantId,
        kind: Kind,
        id: &str,
        reason: &str,
    ) -> Result<()> {
        let key = Key { tenant, kind, id };
        self.0.get_mut().quarantine.release_refused(key.columns(), reason);
        Ok(())
    }

    fn release(&mut self, number: i64) -> Result<()> {
        self.0.get_mut().quarantine.release(number);
        Ok(())
    }

    fn claim_fact(&mut self, name: &str, value: &str) -> Result<String> {
        Ok(schema::claim_fact(self.0.get_mut().session()?, name, value)?)
    }

    fn set_fact(&mut self, name: &str, value: &str) -> Result<()> {
        Ok(schema::set_fact(self.0.get_mut().session()?, name, value)?)
    }

    fn commit(self: Box<Self>) -> Result<()> {
        let mut open = self.0.into_inner();
        open.flush_intake()?;
        open.flush_projections()?;
        open.quarantine.write(open.session.session()?)?;
        open.session()?.batch("COMMIT")?;
        open.session.set_open(false);
        Ok(())
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        // Where this fails, the connection is given up, and the server rolls back.
        if self.session.is_open()
            && self.session().and_then(|session| session.batch("ROLLBACK")).is_ok()
        {
            self.session.set_open(false);
        }
    }
}
