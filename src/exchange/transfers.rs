//! Transfers of care: prepared, signed off, carried to whoever goes on treating the person, and told
//! as they stand.
//!
//! A transfer is a `transfer` record of the gateway's own. Each step is a new version of it, and
//! versions are never changed, so that what was done stays to be seen. What may follow what is
//! [`crate::policy::transfer`]. Carrying is a durable job ([`Sending`]). A transfer that the platform
//! sent is told here as any other, and is the platform's to move on.

mod handing;
mod kept;
mod selected;
mod sending;
mod transfer;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use serde_json::Map;

use self::kept::{Kept, Moment, To};
use self::transfer::OWN;
use super::gather::{Part, gather};
use super::ingest::{BASE, Ingest, Rules};
use crate::auth;
use crate::clock::Clock;
use crate::config::{ReceiverSettings, Takes};
use crate::domain::{FhirId, IdKey, Kind, Op, Record, TenantId};
use crate::error::{Error, Result};
use crate::policy::transfer::{Event, OPEN_FOR, Side, State};
use crate::policy::{Mandate, Obligations, Principal, Purpose, Under};
use crate::store::{JobFilter, JobState, NewJob, Store, Write};

pub use self::handing::{Handed, HandedLink, Handing};
pub use self::kept::{Acknowledged, Attempt, Package};
pub use self::sending::{KIND, Sending};
pub use self::transfer::{Happened, LONGEST, SECTIONS, Transfer, URGENCIES, Wanted};

/// The channel of what goes to a FHIR server.
const PUSH: &str = "fhir_push";
/// The channel of what is read behind a link.
const LINK: &str = "portal_link";
/// How long a job may take: longer than any transfer is open, which ends by its own time.
const WITHIN: Duration = Duration::from_hours(30 * 24);

/// The transfers of care.
#[derive(Clone)]
pub struct Transfers {
    store: Arc<dyn Store>,
    rules: Arc<ArcSwap<Rules>>,
    ids: IdKey,
    clock: Arc<dyn Clock>,
    receivers: Arc<[ReceiverSettings]>,
    able: Obligations,
}

/// A step of a transfer.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// By whom.
    pub by: String,
    /// Why, or what was said.
    pub why: Option<String>,
    /// The person as the receiver's server knows them: `Patient/…`.
    pub patient_there: Option<String>,
    /// The attempt that ended so.
    pub attempt: Option<Attempt>,
    /// What was sent.
    pub package: Option<Package>,
    /// The link that was made for the receiver, by its name.
    pub link: Option<String>,
}

impl Step {
    /// A step that somebody takes.
    pub fn by(by: impl Into<String>) -> Self {
        Self { by: by.into(), ..Self::default() }
    }
}

impl Transfers {
    /// The transfers in a store, to these receivers.
    pub fn new(
        store: Arc<dyn Store>,
        rules: Arc<ArcSwap<Rules>>,
        ids: IdKey,
        clock: Arc<dyn Clock>,
        receivers: &[ReceiverSettings],
        able: Obligations,
    ) -> Self {
        Self { store, rules, ids, clock, receivers: receivers.into(), able }
    }

    /// Prepares a transfer: a draft, which nobody is sent before it is signed off. Says whether it is
    /// a new one, and not one that was made by the same key before.
    ///
    /// # Errors
    ///
    /// `NotFound` where there is no such client, `Invalid` for what cannot be sent, `Conflict` where
    /// no consent lets the receiver have anything.
    pub fn create(&self, tenant: &TenantId, wanted: Wanted) -> Result<(Transfer, bool)> {
        wanted.check()?;
        let now = self.clock.now();
        let id = match &wanted.key {
            Some(key) => format!("{OWN}{}", self.ids.tenant(tenant).id(Kind::Transfer, key)),
            None => format!("{OWN}{}", auth::name()?),
        };
        if let Some(before) = self.transfer(tenant, &id)? {
            return Ok((before, false));
        }
        let client = self.store.source(tenant, Kind::Client, &wanted.client)?;
        client.filter(|client| client.op == Op::Upsert).ok_or(Error::NotFound)?;
        let receiver = self.receiver(tenant, &wanted.receiver).ok_or_else(|| {
            Error::invalid("receiver", "name one of [[receivers]] in the settings")
        })?;
        self.consented(tenant, &wanted.client, receiver, now)?;
        let by_link = wanted.by_link || receiver.takes == Takes::Link;
        let to = To {
            org_name: receiver.title.clone(),
            channel: Some(if by_link { LINK } else { PUSH }.to_owned()),
            fhir_client_id: Some(receiver.client.clone()),
            more: Map::new(),
        };
        let kept = Kept {
            client_id: wanted.client,
            matter: "external".to_owned(),
            to,
            reason: wanted.reason,
            urgency: Some(wanted.urgency),
            requested_by: Some(wanted.by),
            sections: wanted.sections,
            note_ids: wanted.notes,
            attempts: Vec::new(),
            package: None,
            ack: None,
            receiver: Some(wanted.receiver),
            patient_there: None,
            link: None,
            made_at: Some(written(now)),
            ready_at: None,
            expires_at: Some(written(later(now, OPEN_FOR))),
            history: Vec::new(),
            status: State::Draft.as_str().to_owned(),
            more: Map::new(),
        };
        let mut write = self.store.write()?;
        write
            .hold_patients(tenant, std::slice::from_ref(&self.patient(tenant, &kept.client_id)))?;
        let is_new = write.record(tenant, Kind::Transfer, &id)?.is_none();
        if is_new {
            self.put(&mut *write, tenant, (&id, 1), &kept)?;
        }
        write.commit()?;
        Ok((self.transfer(tenant, &id)?.ok_or(Error::NotFound)?, is_new))
    }

    /// Refuses who is none of the practice's people.
    ///
    /// # Errors
    ///
    /// `Invalid` where there is no such member of staff.
    pub fn member(&self, tenant: &TenantId, staff: &str) -> Result<()> {
        let found = self.store.source(tenant, Kind::Staff, staff)?;
        let is_known = found.is_some_and(|record| record.op == Op::Upsert);
        let hint = "name one of your staff, whose record you have sent";
        if is_known { Ok(()) } else { Err(Error::invalid("by", hint)) }
    }

    /// The receivers of a practice: the name in the settings, and what it is called.
    pub fn receivers<'a>(
        &'a self,
        tenant: &'a TenantId,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let own = self.receivers.iter().filter(|one| one.tenant == tenant.as_str());
        own.map(|one| (one.name.as_str(), one.title.as_str()))
    }

    /// Somebody of the practice moves a transfer on: signs it off, stops it, has it sent again, or
    /// writes down what the receiver said.
    ///
    /// # Errors
    ///
    /// `NotFound` where there is no such transfer, `Conflict` where that cannot happen now, `Denied`
    /// for what only the gateway can say.
    pub fn step(&self, tenant: &TenantId, id: &str, event: Event, step: Step) -> Result<Transfer> {
        if !event.may_be_said_by(Side::Practice) {
            return Err(Error::Denied);
        }
        let there = step.patient_there.as_deref();
        if there.is_some_and(|there| there != NEW && !is_patient(there)) {
            return Err(Error::invalid("patient", "give Patient/ and an id, or `new`"));
        }
        let begins = matches!(event, Event::Approve | Event::Resend);
        if begins && step.link.is_none() {
            let found = self.transfer(tenant, id)?;
            if found.is_some_and(|found| found.goes_by_link() && found.is_ours()) {
                return Err(Error::broken("a transfer by a link was begun without one"));
            }
        }
        self.happen(tenant, id, event, step)
    }

    /// Writes down what happened to a transfer, and has it carried where that is next.
    fn happen(&self, tenant: &TenantId, id: &str, event: Event, step: Step) -> Result<Transfer> {
        let now = self.clock.now();
        let mut write = self.store.write()?;
        let found = write.record(tenant, Kind::Transfer, id)?.ok_or(Error::NotFound)?;
        let client = found.client_ids.first().map(String::as_str).unwrap_or_default();
        // Whoever else moves it on at this moment comes after us, or came before.
        write.hold_patients(tenant, std::slice::from_ref(&self.patient(tenant, client)))?;
        let record = write.record(tenant, Kind::Transfer, id)?.ok_or(Error::NotFound)?;
        let before = Transfer::read(&record).ok_or(Error::NotFound)?;
        if !before.is_ours() {
            let hint = "the platform sent this transfer, so the platform moves it on";
            return Err(Error::Conflict { hint: hint.to_owned() });
        }
        let after = before.state.after(event).ok_or_else(|| {
            let (state, event) = (before.state.as_str(), event.as_str());
            Error::Conflict { hint: format!("a transfer that is {state} cannot have {event}") }
        })?;
        let begins = matches!(event, Event::Approve | Event::Resend);
        // Who it is there cannot change under an attempt.
        if step.patient_there.is_some() && self.is_carried(id, "", now)? {
            let hint = "it is being sent at this moment: look how that ends first";
            return Err(Error::Conflict { hint: hint.to_owned() });
        }
        if begins {
            let receiver = self.receiver_of(tenant, &before)?;
            self.consented(tenant, &before.client, receiver, now)?;
        }
        let mut kept = Kept::read(&record).ok_or(Error::NotFound)?;
        note(&mut kept, (event, after), step, now);
        self.put(&mut *write, tenant, (id, record.version.saturating_add(1)), &kept)?;
        if begins {
            write.order_job(&Self::order(tenant, id, now)?)?;
        }
        write.commit()?;
        self.transfer(tenant, id)?.ok_or(Error::NotFound)
    }

    /// A transfer.
    pub fn transfer(&self, tenant: &TenantId, id: &str) -> Result<Option<Transfer>> {
        let found = self.store.source(tenant, Kind::Transfer, id)?;
        let found = found.filter(|record| record.op == Op::Upsert);
        Ok(found.as_deref().and_then(Transfer::read))
    }

    /// The transfers of a practice: open ones first, each group newest first.
    pub fn all(&self, tenant: &TenantId) -> Result<Vec<Transfer>> {
        let records = self.store.sources(tenant, Kind::Transfer)?;
        let upserts = records.iter().filter(|record| record.op == Op::Upsert);
        let mut found: Vec<(Timestamp, Transfer)> = upserts
            .filter_map(|record| Some((record.updated_at, Transfer::read(record)?)))
            .collect();
        found.sort_by(|(a_at, a), (b_at, b)| {
            let closed = (a.state.is_closed(), b.state.is_closed());
            closed.0.cmp(&closed.1).then(b_at.cmp(a_at)).then_with(|| a.id.cmp(&b.id))
        });
        Ok(found.into_iter().map(|(_, transfer)| transfer).collect())
    }

    /// The Patient that a client is.
    pub fn patient(&self, tenant: &TenantId, client: &str) -> FhirId {
        self.ids.tenant(tenant).id(Kind::Client, client)
    }

    /// A receiver of a tenant.
    fn receiver(&self, tenant: &TenantId, name: &str) -> Option<&ReceiverSettings> {
        let mut all = self.receivers.iter();
        all.find(|one| one.name == name && one.tenant == tenant.as_str())
    }

    fn receiver_of(&self, tenant: &TenantId, transfer: &Transfer) -> Result<&ReceiverSettings> {
        let name = transfer.receiver.as_deref().unwrap_or_default();
        self.receiver(tenant, name).ok_or_else(|| Error::Conflict {
            hint: "its receiver is not in the settings any more: put it back, or make another \
                   transfer"
                .to_owned(),
        })
    }

    /// Who the receiver is under the consents, at an instant.
    fn principal(
        &self,
        tenant: &TenantId,
        receiver: &ReceiverSettings,
        at: Timestamp,
    ) -> Arc<Principal> {
        let under = Under::of_client(&receiver.client, Some(Purpose::Treatment));
        let principal = Principal {
            under: Some(under),
            ..Principal::new(tenant.clone(), receiver.client.as_str(), "system/*.rs")
        };
        Arc::new(principal).asking_at(at, self.able)
    }

    /// Whether a consent still lets the receiver of a transfer know of the person. One whose receiver
    /// is known no more is not told of.
    fn may_have(&self, tenant: &TenantId, transfer: &Transfer, at: Timestamp) -> Result<bool> {
        let name = transfer.receiver.as_deref().unwrap_or_default();
        let Some(receiver) = self.receiver(tenant, name) else { return Ok(false) };
        match self.consented(tenant, &transfer.client, receiver, at) {
            Err(Error::Conflict { .. }) => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// Refuses where no consent lets the receiver know of the person.
    fn consented(
        &self,
        tenant: &TenantId,
        client: &str,
        receiver: &ReceiverSettings,
        at: Timestamp,
    ) -> Result<()> {
        let principal = self.principal(tenant, receiver, at);
        let patient = self.patient(tenant, client);
        match gather(&*self.store, &principal, &patient, Part::Types(&["Patient"])) {
            Err(Error::NotFound | Error::Denied) => Err(no_consent()),
            other => other.map(|_| ()),
        }
    }

    /// The job that carries a transfer: with what it follows from, or not at all.
    fn order(tenant: &TenantId, id: &str, now: Timestamp) -> Result<NewJob> {
        let own = Principal::new(tenant.clone(), "transfers", "system/*.rs");
        Ok(NewJob {
            id: auth::name()?,
            tenant: tenant.clone(),
            kind: KIND.to_owned(),
            client: own.client.clone(),
            // The practice's own: nobody's token. Consent is asked at every attempt.
            mandate: Mandate::of(&own, &auth::name()?, None).write()?,
            // A job whose transfer was sent again since is over.
            task: format!("{id} {}", written(now)).into_bytes(),
            made: now,
            due: now,
            expires: later(now, WITHIN),
        })
    }

    /// Whether another job than this one is at a transfer now.
    fn is_carried(&self, id: &str, but: &str, now: Timestamp) -> Result<bool> {
        let state = Some(JobState::Open);
        let filter = JobFilter { kind: Some(KIND.to_owned()), state, limit: u32::MAX >> 1 };
        let of_it = format!("{id} ");
        Ok(self.store.jobs(&filter)?.iter().any(|job| {
            job.new.id != but
                && job.new.task.starts_with(of_it.as_bytes())
                && job.lease.as_ref().is_some_and(|lease| lease.ends > now)
        }))
    }

    fn put(
        &self,
        write: &mut dyn Write,
        tenant: &TenantId,
        (id, version): (&str, u64),
        kept: &Kept,
    ) -> Result<()> {
        let key = (Kind::Transfer, id, version);
        let clients = vec![kept.client_id.clone()];
        let record = Record::made(tenant, key, self.clock.now(), clients, kept.value());
        let rules = self.rules.load_full();
        let (store, ids, clock) = (&*self.store, &self.ids, &*self.clock);
        let ingest = Ingest { store, rules: &rules, ids, base: BASE, clock };
        ingest.put_own(write, &record)
    }
}

fn no_consent() -> Error {
    let hint = "no consent in force lets this receiver have anything of the record";
    Error::Conflict { hint: hint.to_owned() }
}

/// What stands for somebody whom the receiver does not know yet.
pub const NEW: &str = "new";

fn is_patient(text: &str) -> bool {
    let id = text.strip_prefix("Patient/").unwrap_or_default();
    id.parse::<FhirId>().is_ok()
}

/// Puts what happened into the record.
fn note(kept: &mut Kept, (event, after): (Event, State), step: Step, now: Timestamp) {
    after.as_str().clone_into(&mut kept.status);
    if matches!(event, Event::Approve | Event::Resend) {
        kept.ready_at = Some(written(now));
        kept.expires_at = Some(written(later(now, OPEN_FOR)));
    }
    if step.patient_there.is_some() {
        kept.patient_there = step.patient_there;
    }
    kept.attempts.extend(step.attempt);
    kept.package = step.package.or(kept.package.take());
    kept.link = step.link.or(kept.link.take());
    let (at, by) = (written(now), Some(step.by));
    if let Some(ack) = event.acknowledges() {
        let (kind, text) = (ack.as_str().to_owned(), step.why.clone());
        kept.ack = Some(Acknowledged { kind, at: at.clone(), by: by.clone(), text });
    }
    kept.history.push(Moment { event: event.as_str().to_owned(), at, by, why: step.why });
}

/// An instant as records have it: milliseconds, in UTC.
fn written(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn later(at: Timestamp, after: Duration) -> Timestamp {
    at.saturating_add(after).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_there_is_a_patient_by_its_id() {
        assert!(is_patient("Patient/a-1"));
        for wrong in ["Patient/", "a-1", "Practitioner/1", "Patient/a/b", "Patient/../x"] {
            assert!(!is_patient(wrong), "{wrong}");
        }
    }
}
