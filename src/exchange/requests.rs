//! Requests about records: opened, moved on, and told as they stand.
//!
//! A request is a `record_request` record of the gateway's own. Each step is a new version of it, and
//! versions are never changed, so that what was done stays to be seen. A request that the platform
//! sent is the platform's to move on; it is told here as any other.

mod amend;
mod answer;
mod asking;
mod copy;
mod decide;
mod entry;
mod erase;
mod kept;
mod letter;
mod paper;
mod program;
mod request;
mod step;

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use self::kept::{Kept, Moment, Proof};
use super::ingest::{BASE, Ingest, Rules, zone};
use super::people::{client_name, is_client};
use super::retention::is_held;
use crate::clock::Clock;
use crate::domain::{IdKey, Kind, Op, Record, TenantId};
use crate::error::{Error, Result};
use crate::package::Language;
use crate::policy::request::{Event, Matter, Outcome, Regime, State, Terms};
use crate::store::Store;

pub use self::amend::{Correctable, Receiver};
pub use self::asking::{FORMATS, MATTERS, MEDIA, focus};
pub use self::copy::{Copies, Copying, Made, Making};
pub use self::decide::Verdict;
pub use self::entry::{Entry, Passage, Run};
pub use self::erase::{Erased, Erasures};
pub use self::kept::{Correction, Disagreement, Fulfilment, Letter, Refused, Requester, Scope};
pub use self::kept::{Stretch, Told};
pub use self::request::{Asked, Decision, Happened, Request};
pub use self::step::{By, Step};

/// What the ids of the gateway's own requests begin with.
const OWN: &str = "tlr-";
/// The longest that somebody may write, in characters.
pub const LONGEST: usize = 4_000;

/// The requests about records.
pub struct Requests {
    store: Arc<dyn Store>,
    rules: Arc<ArcSwap<Rules>>,
    ids: IdKey,
    clock: Arc<dyn Clock>,
}

/// What is the same for all requests of a practice.
struct Practice {
    /// What it is called.
    name: String,
    zone: TimeZone,
    /// The zone's name, for records.
    tz: Option<String>,
    regime: Regime,
}

impl Requests {
    /// The requests in a store.
    pub fn new(
        store: Arc<dyn Store>,
        rules: Arc<ArcSwap<Rules>>,
        ids: IdKey,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, rules, ids, clock }
    }

    /// Opens a request. Its clock runs from when it was received.
    ///
    /// # Errors
    ///
    /// `NotFound` where there is no such client, `Invalid` for what nobody can ask.
    pub fn open(&self, tenant: &TenantId, asked: Asked) -> Result<Request> {
        self.open_as(tenant, &own_id()?, asked)
    }

    /// Opens a request that may have been sent before; answers whether it is new.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_once(
        &self,
        tenant: &TenantId,
        delivery: &[u8],
        asked: Asked,
    ) -> Result<(Request, bool)> {
        let hash = hex::encode(digest(&SHA256, delivery));
        let id = format!("{OWN}{}", hash.get(..32).unwrap_or(&hash));
        match self.request(tenant, &id)? {
            Some(known) => Ok((known, false)),
            None => Ok((self.open_as(tenant, &id, asked)?, true)),
        }
    }

    fn open_as(&self, tenant: &TenantId, id: &str, asked: Asked) -> Result<Request> {
        let now = self.clock.now();
        let practice = self.practice(tenant)?;
        asked.check(now)?;
        let client = self.store.source(tenant, Kind::Client, &asked.client)?;
        client.filter(|client| is_client(client)).ok_or(Error::NotFound)?;
        self.check_entry(tenant, &asked.client, asked.entry.as_deref())?;
        let received = practice.moment(asked.received.unwrap_or(now));
        let proven = asked.proof.as_ref().map(|method| Proof {
            method: method.clone(),
            verified_at: practice.moment(now),
            result: "passed".to_owned(),
        });
        let kept = Kept {
            matter: asked.matter.as_str().to_owned(),
            regime: asked.regime.as_ref().unwrap_or(&practice.regime).to_string(),
            client_id: asked.client,
            requester: Some(asked.requester),
            received_at: received,
            channel: Some(asked.channel),
            identity: proven,
            scope: Some(asked.scope),
            statement: asked.statement,
            history: Vec::new(),
            review: None,
            ordered: None,
            fulfilment: None,
            letters: Vec::new(),
            entry: asked.entry.filter(|_| asked.matter == Matter::Amendment),
            correction: None,
            refused: None,
            disagreement: None,
            told: Vec::new(),
            status: State::Received.as_str().to_owned(),
        };
        self.put(tenant, (id, 1), &kept, &practice)?;
        self.request(tenant, id)?.ok_or(Error::NotFound)
    }

    /// The instant that stands for a day on which something came: now, if that is today, or else its
    /// noon on the practice's wall.
    pub fn received_on(&self, tenant: &TenantId, day: Date) -> Result<Timestamp> {
        let (now, practice) = (self.clock.now(), self.practice(tenant)?);
        if now.to_zoned(practice.zone.clone()).date() == day {
            return Ok(now);
        }
        let noon = day.at(12, 0, 0, 0).to_zoned(practice.zone).map_err(Error::internal)?;
        Ok(noon.timestamp())
    }

    /// Moves a request of the gateway's own on.
    ///
    /// # Errors
    ///
    /// `NotFound` where there is no such request, `Conflict` where that cannot happen now, `Invalid`
    /// where something is missing that the step needs.
    pub fn step(&self, tenant: &TenantId, id: &str, step: Step) -> Result<Request> {
        if let Some(request) = self.request(tenant, id)? {
            self.check_entry(tenant, &request.client, step.entry.as_deref())?;
        }
        self.change(tenant, id, |at, kept| at.take(step, kept))
    }

    /// Changes a request of the gateway's own: a version of it, or nothing.
    fn change(
        &self,
        tenant: &TenantId,
        id: &str,
        change: impl FnOnce(&At<'_>, &mut Kept) -> Result<()>,
    ) -> Result<Request> {
        let now = self.clock.now();
        let practice = self.practice(tenant)?;
        let rules = self.rules.load_full();
        let found = self.store.source(tenant, Kind::RecordRequest, id)?.ok_or(Error::NotFound)?;
        let client = found.client_ids.first().map(String::as_str).unwrap_or_default();
        let language = self.language(tenant, client)?;
        let person = self.store.source(tenant, Kind::Client, client)?;
        let name = person.as_deref().map(client_name).unwrap_or_default();
        let mut write = self.store.write()?;
        let is_held = is_held(&*write, tenant, client, now)?;
        let patient = self.ids.tenant(tenant).id(Kind::Client, client);
        // Whoever else moves it on at this moment comes after us, or came before.
        write.hold_patients(tenant, std::slice::from_ref(&patient))?;
        let record = write.record(tenant, Kind::RecordRequest, id)?.ok_or(Error::NotFound)?;
        if !id.starts_with(OWN) {
            let hint = "the platform sent this request, so the platform moves it on";
            return Err(Error::Conflict { hint: hint.to_owned() });
        }
        let terms = &rules.tables.terms;
        let request = Request::read(&record, terms, &practice.zone, now).ok_or(Error::NotFound)?;
        let mut kept = Kept::read(&record).ok_or(Error::NotFound)?;
        let at = At { request, terms, practice: &practice, language, now, name, is_held };
        let before = (kept.correction.clone(), kept.disagreement.clone());
        change(&at, &mut kept)?;
        let version = record.version.saturating_add(1);
        let mut records = vec![self::record(tenant, (id, version), &kept, &practice, now)];
        if before != (kept.correction.clone(), kept.disagreement.clone()) {
            records.extend(at.papers(&*write, tenant, &kept)?);
        }
        self.ingest(&rules).put_all_own(&mut *write, &records, Vec::new())?;
        write.commit()?;
        self.request(tenant, id)?.ok_or(Error::NotFound)
    }

    /// The language that a client is written to in.
    fn language(&self, tenant: &TenantId, client: &str) -> Result<Language> {
        let found = self.store.source(tenant, Kind::Client, client)?;
        let tag = found.as_ref().and_then(|client| client.data.get("language")?.as_str());
        Ok(tag.and_then(Language::tagged).unwrap_or_default())
    }

    /// A request.
    pub fn request(&self, tenant: &TenantId, id: &str) -> Result<Option<Request>> {
        let found = self.store.source(tenant, Kind::RecordRequest, id)?;
        Ok(self.told(tenant, found)?.into_iter().next())
    }

    /// The requests about a client's record, newest first.
    pub fn of_client(&self, tenant: &TenantId, client: &str) -> Result<Vec<Request>> {
        let found =
            self.store.sources_referring(tenant, Kind::RecordRequest, Kind::Client, client)?;
        let mut requests = self.told(tenant, found)?;
        requests.retain(|request| request.client == client);
        requests.sort_by(|a, b| b.received.cmp(&a.received).then_with(|| a.id.cmp(&b.id)));
        Ok(requests)
    }

    /// All requests of a practice: what is owed first, by its last day; then what is closed, newest
    /// first.
    pub fn all(&self, tenant: &TenantId) -> Result<Vec<Request>> {
        let mut requests = self.told(tenant, self.store.sources(tenant, Kind::RecordRequest)?)?;
        requests.sort_by_key(Request::urgency);
        Ok(requests)
    }

    fn told(
        &self,
        tenant: &TenantId,
        records: impl IntoIterator<Item = Arc<Record>>,
    ) -> Result<Vec<Request>> {
        let (practice, rules) = (self.practice(tenant)?, self.rules.load());
        let (terms, now) = (&rules.tables.terms, self.clock.now());
        let records = records.into_iter().filter(|record| record.op == Op::Upsert);
        Ok(records.filter_map(|one| Request::read(&one, terms, &practice.zone, now)).collect())
    }

    fn put(
        &self,
        tenant: &TenantId,
        key: (&str, u64),
        kept: &Kept,
        practice: &Practice,
    ) -> Result<()> {
        let rules = self.rules.load_full();
        let mut write = self.store.write()?;
        let record = record(tenant, key, kept, practice, self.clock.now());
        self.ingest(&rules).put_own(&mut *write, &record)?;
        write.commit()
    }

    fn ingest<'a>(&'a self, rules: &'a Rules) -> Ingest<'a> {
        let (store, ids, clock) = (&*self.store, &self.ids, &*self.clock);
        Ingest { store, rules, ids, base: BASE, clock }
    }

    /// The practice: its clock, and the law that its requests are under.
    fn practice(&self, tenant: &TenantId) -> Result<Practice> {
        let found = self.store.sources(tenant, Kind::Organization)?;
        let active = |one: &&Arc<Record>| {
            one.op == Op::Upsert && one.data.get("active").and_then(Value::as_bool) == Some(true)
        };
        let practice = found.iter().find(active).map(AsRef::as_ref);
        let field = |name: &str| practice.and_then(|one| one.data.get(name));
        let code = field("jurisdiction").and_then(Value::as_str).unwrap_or("US");
        let is_program = field("part2_program").and_then(Value::as_bool) == Some(true);
        let state = Regime::State(code.to_owned());
        let regime = match code.split('-').next() {
            Some("US") if is_program => Regime::Part2,
            Some("US") if self.rules.load().tables.terms.names(&state) => state,
            Some("US") => Regime::Hipaa,
            _ => Regime::Gdpr,
        };
        let tz = field("tz").and_then(Value::as_str).map(str::to_owned);
        let name = field("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Practice { name, zone: zone(practice), tz, regime })
    }
}

impl Practice {
    /// An instant as it is read on the practice's wall, with its offset.
    fn moment(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }
}

/// A request that is about to be changed, with what its steps turn on.
struct At<'a> {
    request: Request,
    terms: &'a Terms,
    practice: &'a Practice,
    language: Language,
    now: Timestamp,
    /// What the client is called.
    name: String,
    /// Whether the record is under a legal hold.
    is_held: bool,
}

impl At<'_> {
    /// Takes a step.
    fn take(&self, step: Step, kept: &mut Kept) -> Result<()> {
        let after = step.check(&self.request, self.terms, &self.practice.zone, self.now)?;
        let erases = matches!(step.event, Event::Approve | Event::DenyInPart | Event::Fulfil);
        if self.is_held && erases && self.request.matter == Matter::Erasure {
            let hint = "the record is under a legal hold, and nothing of it is erased: deny it, or \
                        wait until the hold is over";
            return Err(Error::Conflict { hint: hint.to_owned() });
        }
        self.amend(&step, kept);
        self.note(after, step, kept)
    }

    /// Takes a step from the state that another has led to.
    fn then(&self, state: State, step: Step, kept: &mut Kept) -> Result<()> {
        let after = state.after(step.event).ok_or_else(|| Error::Conflict {
            hint: "the request has moved on: look at it again".to_owned(),
        })?;
        self.note(after, step, kept)
    }

    /// What was decided on each entry, as far as something is withheld: the last of each.
    fn held(&self) -> Vec<&Decision> {
        let all = &self.request.decisions;
        let is_last = |(at, one): &(usize, &Decision)| {
            !all.iter().skip(at + 1).any(|later| later.kind == one.kind && later.id == one.id)
        };
        let last = all.iter().enumerate().filter(is_last).map(|(_, one)| one);
        last.filter(|one| one.outcome != Outcome::Release).collect()
    }

    /// The grounds of what is withheld, in the client's language.
    fn ground_words(&self) -> Result<Option<String>> {
        let held = self.held();
        let grounds: BTreeSet<_> =
            held.iter().filter_map(|one| Some((one.outcome, one.reason?))).collect();
        let said = grounds.iter().map(|(what, why)| letter::statement(self.language, *what, *why));
        let said = said.collect::<Result<Vec<_>>>()?;
        Ok((!said.is_empty()).then(|| said.join(" ")))
    }

    /// The day on the practice's wall.
    fn today(&self) -> Date {
        self.now.to_zoned(self.practice.zone.clone()).date()
    }

    fn note(&self, after: State, step: Step, kept: &mut Kept) -> Result<()> {
        after.as_str().clone_into(&mut kept.status);
        if step.event == Event::IdentityProven {
            kept.identity = Some(Proof {
                method: step.proof.clone().unwrap_or_else(|| "in_person".to_owned()),
                verified_at: self.practice.moment(self.now),
                result: "passed".to_owned(),
            });
        }
        kept.letters.extend(letter::of(self, &step)?);
        kept.letters.extend(letter::notices(self, &step, kept)?);
        kept.history.push(Moment {
            event: step.event.as_str().to_owned(),
            at: self.practice.moment(self.now),
            by: Some(step.by.to_string()),
            reason: step.reason,
            until: step.until.map(|until| until.to_string()),
        });
        Ok(())
    }
}

/// A version of a request.
fn record(
    tenant: &TenantId,
    (id, version): (&str, u64),
    kept: &Kept,
    practice: &Practice,
    now: Timestamp,
) -> Record {
    let key = (Kind::RecordRequest, id, version);
    let made = Record::made(tenant, key, now, vec![kept.client_id.clone()], kept.value());
    Record { tz: practice.tz.clone(), ..made }
}

/// A name that nobody guesses and no platform has.
fn own_id() -> Result<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(Error::internal)?;
    Ok(format!("{OWN}{}", hex::encode(bytes)))
}
