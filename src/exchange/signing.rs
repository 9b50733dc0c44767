//! Consents that people give, change and take back themselves, by an app of theirs or at the portal.
//!
//! What is signed becomes `consent` records of the gateway's own, with the bytes that were signed as
//! their evidence, and goes the way of every record: what it allows holds with the transaction that
//! stores it. A consent that the platform keeps is not written over; it is taken back by a record of
//! our own that replaces it, which no later version of it undoes.

mod sheet;

use std::cell::RefCell;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use self::sheet::{Paper, Sheet};
use super::consents;
use super::ingest::derive::Neighbours as _;
use super::ingest::{Around, BASE, Case, Ingest, Memory, Rules, allow};
use super::people::is_client;
use crate::clock::Clock;
use crate::domain::{FhirId, IdKey, Kind, Op, Record, TenantId};
use crate::error::{Error, Result};
use crate::policy::{Defect, Hand, Signer};
use crate::store::{Placed, Store, Write};

/// What the ids of the gateway's own consents begin with.
pub const OWN: &str = "tlc-";
/// What the ids of the ends of others' consents begin with.
const END: &str = "tle-";
/// How many resources of a record are looked at.
const MOST: usize = 50_000;
/// How many exceptions a consent may have.
const MOST_EXCEPTIONS: usize = 16;
/// How long ago somebody may have signed what is sent now.
const FRESH: SignedDuration = SignedDuration::from_hours(24);
/// How far the clocks of apps may be ahead.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// Somebody to whom records may go, as registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// The `client_id`.
    pub client_id: String,
    /// What people know it as.
    pub name: String,
    /// What it asks for, as a code of v3-ActReason.
    pub purpose: String,
}

/// What is said about something that was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// The element.
    pub element: &'static str,
    /// What became of it.
    pub says: &'static str,
    /// Whether it is kept otherwise than it was said.
    pub differs: bool,
}

/// What came of signing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The Consent.
    pub id: FhirId,
    /// Whether it was not there before.
    pub is_new: bool,
    /// What there is to know about it.
    pub notes: Vec<Note>,
}

/// The consents that people sign.
pub struct Signing {
    store: Arc<dyn Store>,
    rules: Arc<ArcSwap<Rules>>,
    ids: IdKey,
    clock: Arc<dyn Clock>,
}

/// What is around a signature.
struct Desk<'a> {
    hand: &'a Hand,
    client: Arc<Record>,
    placed: &'a [Placed],
    signer: Option<Signer>,
    /// The record of whoever signs, where it is not the client.
    party: Option<String>,
    now: Timestamp,
    tz: Option<String>,
}

impl Signing {
    /// The consents of a store.
    pub fn new(
        store: Arc<dyn Store>,
        rules: Arc<ArcSwap<Rules>>,
        ids: IdKey,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, rules, ids, clock }
    }

    /// Takes in a consent that was signed. What was sent before, byte for byte, is there already, as
    /// it is now: nothing that was taken back comes into force again by being sent again.
    ///
    /// # Errors
    ///
    /// `Denied` where that is not theirs to sign; `Invalid` and `NotSupported` with the element.
    pub fn give(&self, hand: &Hand, sent: &Value, connected: &[Connected]) -> Result<Signed> {
        let sheet = Sheet::read(sent, hand, self.clock.now())?;
        if sheet.status != "active" {
            let hint = "send what was signed, with the status active";
            return Err(Error::invalid("Consent.status", hint));
        }
        let root = id_of(hand, sent);
        self.at_the_desk(hand, |write, desk| {
            if write.record(hand.tenant(), Kind::Consent, &root)?.is_some() {
                return Ok(Outcome { id: root.clone(), notes: Vec::new(), is_new: false });
            }
            let notes = self.sign(write, desk, &sheet, (&root, None), connected)?;
            Ok(Outcome { id: root.clone(), notes, is_new: true })
        })
    }

    /// Changes a consent, or takes it back. `version` is the version that is changed.
    ///
    /// # Errors
    ///
    /// `NotFound` where there is none that they may see; `Conflict` where it is not theirs to change,
    /// was changed meanwhile, or is over.
    pub fn change(
        &self,
        hand: &Hand,
        id: &FhirId,
        version: &str,
        sent: &Value,
        connected: &[Connected],
    ) -> Result<Signed> {
        match text(sent, "status") {
            Some("active") => {}
            Some("inactive") => {
                // Of what is taken back only whose it is counts: it may have been signed long ago.
                Sheet::is_of(sent, hand)?;
                return self.take_back(hand, id, Some(version));
            }
            _ => {
                let hint =
                    "a consent is changed with the status active, and taken back with inactive";
                return Err(Error::invalid("Consent.status", hint));
            }
        }
        let sheet = Sheet::read(sent, hand, self.clock.now())?;
        self.at_the_desk(hand, |write, desk| {
            let record = found(write, desk, id)?;
            is_version(&record, version)?;
            let is_theirs = record.id.starts_with(OWN) && desk.signed(&record);
            if !is_theirs {
                return Err(conflict(
                    "the practice keeps this consent, or another signed it: take it back \
                                     with the status inactive, and give a new one",
                ));
            }
            if text(&record.data, "status") != Some("active") {
                return Err(conflict(
                    "this consent is over, and does not come into force again: give a \
                                     new one",
                ));
            }
            let before = text(&record.data, "signed_at").and_then(|at| at.parse().ok());
            if before.is_some_and(|before: Timestamp| sheet.signed < before) {
                let hint = "this was signed before what it would replace";
                return Err(Error::invalid("Consent.dateTime", hint));
            }
            let notes = self.sign(write, desk, &sheet, (&record.id, Some(&record)), connected)?;
            Ok(Outcome { id: record.id.clone(), notes, is_new: false })
        })
    }

    /// Takes a consent back; one that was taken back already stays so.
    ///
    /// # Errors
    ///
    /// As [`Self::change`].
    pub fn take_back(&self, hand: &Hand, id: &FhirId, version: Option<&str>) -> Result<Signed> {
        self.at_the_desk(hand, |write, desk| {
            let record = found(write, desk, id)?;
            if let Some(version) = version {
                is_version(&record, version)?;
            }
            let done = |notes| Outcome { id: record.id.clone(), notes, is_new: false };
            let end = end_of(&record);
            let is_over = record.op != Op::Upsert
                || !matches!(text(&record.data, "status"), Some("active" | "proposed" | "draft"))
                || write.record(hand.tenant(), Kind::Consent, &end)?.is_some();
            if is_over {
                return Ok(done(Vec::new()));
            }
            desk.may_end(&record)?;
            if record.id.starts_with(OWN) {
                let mut data = record.data.clone();
                if let Value::Object(members) = &mut data {
                    members.insert("status".to_owned(), json!("revoked"));
                    members.insert("revocations".to_owned(), json!([desk.revocation()]));
                }
                let key = (Kind::Consent, record.id.as_str(), record.version.saturating_add(1));
                self.ingest(&self.rules.load()).put_own(write, &desk.record(key, data))?;
                return Ok(done(exceptions_stay(write, hand.tenant(), &record.id)?));
            }
            let data = json!({
                "type": text(&record.data, "type"), "decision": "deny", "status": "revoked",
                "supersedes": record.id, "signed_at": format!("{:.3}", desk.now), "method": "e_sign",
                "signer": desk.signer_value(), "revocations": [desk.revocation()],
            });
            let no = desk.record((Kind::Consent, &end, 1), data);
            let others = vec![(hand.tenant().clone(), Kind::Consent, record.id.clone())];
            self.ingest(&self.rules.load()).put_all_own(write, &[no], others)?;
            Ok(done(Vec::new()))
        })
    }

    /// Runs one transaction about the patient's consents, in which nobody else changes them.
    fn at_the_desk(
        &self,
        hand: &Hand,
        work: impl FnOnce(&mut dyn Write, &Desk<'_>) -> Result<Outcome>,
    ) -> Result<Signed> {
        let tenant = hand.tenant();
        let placed = self.store.placed(tenant, &hand.patient, MOST)?;
        let own = placed.iter().find(|one| one.is("Patient", &hand.patient));
        let client = own.map(|one| one.origin_id.clone()).ok_or(Error::Denied)?;
        let mut write = self.store.write()?;
        write.hold_patients(tenant, std::slice::from_ref(&hand.patient))?;
        let client = write.record(tenant, Kind::Client, &client)?;
        let client = client.filter(|client| is_client(client)).ok_or(Error::Denied)?;
        let desk = self.desk(&*write, hand, client, &placed)?;
        let Outcome { id, notes, is_new } = work(&mut *write, &desk)?;
        write.commit()?;
        Ok(Signed { id: self.ids.tenant(tenant).id(Kind::Consent, &id), is_new, notes })
    }

    fn desk<'a>(
        &self,
        write: &dyn Write,
        hand: &'a Hand,
        client: Arc<Record>,
        placed: &'a [Placed],
    ) -> Result<Desk<'a>> {
        let now = self.clock.now();
        let ids = self.ids.tenant(hand.tenant());
        let memory = RefCell::<Memory>::default();
        let neighbours = Around::new(write, hand.tenant(), &memory);
        let rules = self.rules.load();
        let around =
            allow::Around { neighbours: &neighbours, ids: &ids, law: &rules.tables.law, now };
        let case = Case::of(&client, &around);
        let is_them = |id: &&str| ids.id(Kind::RelatedParty, id) == hand.person.id;
        let party = (!hand.is_patient()).then(|| case.proxies().find(is_them).map(str::to_owned));
        let (signer, party) = match party {
            None => (case.signer(true, now), None),
            Some(None) => return Err(Error::Denied),
            Some(Some(party)) => (case.signer_for(&party, now), Some(party)),
        };
        // Whoever represents the patient no more signs nothing; the patient may always say no.
        if signer.is_none() && (party.is_some() || case.signer(false, now).is_none()) {
            return Err(Error::Denied);
        }
        let practice = neighbours.organization();
        neighbours.failure()?;
        let tz = practice.as_deref().and_then(|one| text(&one.data, "tz")).map(str::to_owned);
        Ok(Desk { hand, client, placed, signer, party, now, tz })
    }

    /// Stores what a sheet says, instead of `before` where there is one; answers what to know.
    fn sign(
        &self,
        write: &mut dyn Write,
        desk: &Desk<'_>,
        sheet: &Sheet<'_>,
        (root, before): (&str, Option<&Record>),
        connected: &[Connected],
    ) -> Result<Vec<Note>> {
        let tenant = desk.hand.tenant();
        let resolve = |reference: &str| desk.origin(reference).map(|one| one.origin_id.clone());
        let read = consents::read(sheet.consent, &resolve)?;
        let mut notes: Vec<Note> = read
            .notes
            .iter()
            .map(|(element, says)| Note { element, says, differs: true })
            .collect();
        let mut rules = read.rules.into_iter();
        let root_data = rules.next().ok_or(Error::NotFound)?;
        // That notes which are kept apart are no part of it needs no saying.
        let mut exceptions: Vec<Value> = rules.collect();
        exceptions.retain(|one| one.pointer("/scope/include_labels") != Some(&json!(["PSYTHPN"])));
        if exceptions.len() > MOST_EXCEPTIONS {
            let hint = "this is more exceptions than one consent may have: give several";
            return Err(Error::invalid("Consent.provision.provision", hint));
        }
        let permits = text(&root_data, "decision") == Some("permit");
        if permits && desk.signer.is_none() {
            return Err(Error::Denied);
        }
        let version = before.map_or(1, |before| before.version.saturating_add(1));
        let paper = Paper::of(sheet.consent, root);
        let mut data = vec![(root.to_owned(), version, root_data)];
        if !exceptions.is_empty() {
            notes.push(EXCEPTIONS_APART);
        }
        for (place, one) in exceptions.into_iter().enumerate() {
            let id = exception(root, place);
            let known = write.record(tenant, Kind::Consent, &id)?;
            data.push((id, known.map_or(1, |known| known.version.saturating_add(1)), one));
        }
        let key = (Kind::Attachment, paper.id.as_str(), version);
        let mut records = vec![desk.record(key, paper.data(root, desk.now))];
        for (id, version, one) in &mut data {
            let members = one.as_object_mut().ok_or(Error::NotFound)?;
            members.insert("signer".to_owned(), desk.signer_value());
            members.insert("evidence".to_owned(), paper.evidence());
            members.insert("signed_at".to_owned(), json!(format!("{:.3}", sheet.signed)));
            if id == root && !sheet.identifiers.is_empty() {
                members.insert("identifiers".to_owned(), json!(sheet.identifiers));
            }
            name(members, connected);
            if permits && id == root {
                notes.extend(self.check(write, desk, members, connected)?);
            }
            records.push(desk.record((Kind::Consent, id, *version), one.take()));
        }
        records.extend(fallen(write, desk, root, data.len() - 1)?);
        self.ingest(&self.rules.load()).put_all_own(write, &records, Vec::new())?;
        Ok(notes)
    }

    /// Refuses a yes that would open nothing, and says what it leaves closed.
    fn check(
        &self,
        write: &dyn Write,
        desk: &Desk<'_>,
        data: &Map<String, Value>,
        connected: &[Connected],
    ) -> Result<Vec<Note>> {
        let ids = self.ids.tenant(desk.hand.tenant());
        let memory = RefCell::<Memory>::default();
        let neighbours = Around::new(write, desk.hand.tenant(), &memory);
        let rules = self.rules.load();
        let law = &rules.tables.law;
        let around = allow::Around { neighbours: &neighbours, ids: &ids, law, now: desk.now };
        let planned = desk.record((Kind::Consent, "planned", 1), Value::Object(data.clone()));
        let directive = Case::of(&desk.client, &around).planned(&planned, &around);
        neighbours.failure()?;
        let directive =
            directive.ok_or_else(|| Error::invalid("Consent", "send a whole Consent"))?;
        if let Some((_, element, hint)) =
            LACKING.iter().find(|(defect, ..)| directive.defects.contains(defect))
        {
            return Err(Error::invalid(*element, *hint));
        }
        if directive.scope.unknown {
            let hint = "a limit that there is no word for here: leave it out, or ask the practice";
            return Err(Error::not_supported("Consent.provision", hint));
        }
        if directive.term.until.is_some_and(|until| until <= desk.now) {
            let hint = "this is over already: give a later last day";
            return Err(Error::invalid("Consent.provision.period.end", hint));
        }
        let is_known = |id: &str| connected.iter().any(|one| one.client_id == id);
        let named: Vec<&str> = directive.clients().collect();
        if !named.iter().any(|id| is_known(id)) {
            let hint = "none of these is connected here, so that nothing would go to anybody: name a \
                        recipient by an identifier of the system https://throughline.example/ids/client";
            return Err(Error::invalid("Consent.provision.actor.reference", hint));
        }
        let unknown =
            directive.parties.iter().any(|party| !party.clients.iter().any(|id| is_known(id)));
        Ok(unknown.then_some(UNKNOWN_RECIPIENT).into_iter().chain([KEPT_CLOSED]).collect())
    }

    fn ingest<'a>(&'a self, rules: &'a Rules) -> Ingest<'a> {
        let (store, ids, clock) = (&*self.store, &self.ids, &*self.clock);
        Ingest { store, rules, ids, base: BASE, clock }
    }
}

/// What is said where a consent is taken back that has exceptions.
fn exceptions_stay(write: &dyn Write, tenant: &TenantId, id: &str) -> Result<Vec<Note>> {
    let first = write.record(tenant, Kind::Consent, &exception(id, 0))?;
    let stays = first.is_some_and(|one| one.op == Op::Upsert);
    Ok(stays.then_some(EXCEPTIONS_STAY).into_iter().collect())
}

/// The ends of the exceptions that a changed consent has no more.
fn fallen(write: &dyn Write, desk: &Desk<'_>, root: &str, kept: usize) -> Result<Vec<Record>> {
    let mut ends = Vec::new();
    for place in kept..MOST_EXCEPTIONS {
        let id = exception(root, place);
        let Some(known) = write.record(desk.hand.tenant(), Kind::Consent, &id)? else { break };
        if known.op == Op::Upsert {
            let version = known.version.saturating_add(1);
            ends.push(desk.end((Kind::Consent, &id, version)));
        }
    }
    Ok(ends)
}

/// The record of a consent of the patient's.
fn found(write: &dyn Write, desk: &Desk<'_>, id: &FhirId) -> Result<Arc<Record>> {
    let placed = desk.placed.iter().find(|one| one.is("Consent", id)).ok_or(Error::NotFound)?;
    let record = write.record(desk.hand.tenant(), Kind::Consent, &placed.origin_id)?;
    record.filter(|one| one.client_ids == [desk.client.id.as_str()]).ok_or(Error::NotFound)
}

/// The id of what a hand signs with these words: the same for the same.
fn id_of(hand: &Hand, sent: &Value) -> String {
    format!("{OWN}{}", sheet::digest(&format!("{}\u{1f}{sent}", hand.patient)))
}

fn end_of(record: &Record) -> String {
    format!("{END}{}", sheet::digest(&format!("{}\u{1f}{}", record.tenant, record.id)))
}

/// What a transaction came to.
struct Outcome {
    id: String,
    notes: Vec<Note>,
    is_new: bool,
}

/// What a yes may lack, where it is, and what to do about it.
const LACKING: [(Defect, &str, &str); 5] = [
    (Defect::Recipient, "Consent.provision.actor", "say to whom"),
    (Defect::Purpose, "Consent.provision.purpose", "say what for"),
    (Defect::Description, "Consent.provision.class", "say what of"),
    (
        Defect::Expiry,
        "Consent.provision.period.end",
        "say until when: a release without an end holds nothing open (45 CFR 164.508(c)(1)(v))",
    ),
    (Defect::Meaning, "Consent.provision.period", "give days of the calendar"),
];

const EXCEPTIONS_APART: Note = Note {
    element: "Consent.provision.provision",
    says: "each exception is kept as a consent of its own, which says no",
    differs: false,
};
const EXCEPTIONS_STAY: Note = Note {
    element: "Consent.provision.provision",
    says: "its exceptions say no until they are taken back themselves",
    differs: false,
};
const UNKNOWN_RECIPIENT: Note = Note {
    element: "Consent.provision.actor.reference",
    says: "nothing goes to a recipient who is not connected here",
    differs: true,
};
const KEPT_CLOSED: Note = Note {
    element: "Consent",
    says: "it opens no record of a program under 42 CFR Part 2 and no psychotherapy note: the practice \
           has forms for these",
    differs: false,
};

/// Names recipients as they are registered, where a consent does not.
fn name(data: &mut Map<String, Value>, connected: &[Connected]) {
    for recipient in data.get_mut("recipients").and_then(Value::as_array_mut).into_iter().flatten()
    {
        let id = recipient.pointer("/fhir_client_ids/0").and_then(Value::as_str);
        let known = id.and_then(|id| connected.iter().find(|one| one.client_id == id));
        // The name that is shown later is the registered one, whatever an app wrote beside the id.
        if let (Some(known), Some(members)) = (known.cloned(), recipient.as_object_mut()) {
            members.insert("name".to_owned(), json!(known.name));
        }
    }
}

/// The id of the record of an exception.
fn exception(root: &str, place: usize) -> String {
    format!("{root}-{}", place + 1)
}

/// Whether `version` is the version of a resource that is made from this state of a record.
fn is_version(record: &Record, version: &str) -> Result<()> {
    let of_record = version.split('-').next();
    if of_record == Some(record.version.to_string().as_str()) {
        return Ok(());
    }
    Err(conflict("it was changed meanwhile: read it again"))
}

fn conflict(hint: &str) -> Error {
    Error::Conflict { hint: hint.to_owned() }
}

fn text<'a>(data: &'a Value, name: &str) -> Option<&'a str> {
    data.get(name).and_then(Value::as_str)
}
