//! Who would see what of a patient's record, for what, and by which rule; and what a consent that
//! is planned would change.
//!
//! The rules are asked about each resource of the general plane, as they were asked when the rows
//! were worked out by which queries answer. Notes that are kept apart are told of in one sentence
//! that is always there, so that nobody learns whether there are any.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::consents;
use super::ingest::{Around, Case, Memory, OUTSIDE, Rules, allow};
use crate::clock::Clock;
use crate::domain::{FhirId, IdKey, Kind, Op, Record, TenantId};
use crate::error::{Error, Result};
use crate::policy::{Actor, Decision, Item, Obligations, Purpose, Recipient, Rule, Standing};
use crate::store::{Guard, Placed, Store};

/// How many resources of a record are looked at.
const MOST: usize = 50_000;

/// About whom it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The patient.
    Patient,
    /// Somebody who acts for them, by the platform's id.
    Proxy(String),
    /// An outside recipient, by its `client_id`.
    Recipient(String),
}

impl std::str::FromStr for Who {
    type Err = &'static str;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "patient" => Ok(Self::Patient),
            Some(("proxy", id)) if !id.is_empty() => Ok(Self::Proxy(id.to_owned())),
            Some(("client", id)) if !id.is_empty() => Ok(Self::Recipient(id.to_owned())),
            _ => Err("an actor is patient, proxy:ID of a related_party, or client:CLIENT_ID"),
        }
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Patient => f.write_str("patient"),
            Self::Proxy(id) => write!(f, "proxy:{id}"),
            Self::Recipient(id) => write!(f, "client:{id}"),
        }
    }
}

/// To whom it is explained: nothing beyond what they may see is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// The practice; only of these types, where it is somebody who may see no others.
    Practice(Option<BTreeSet<&'static str>>),
    /// The patient, of what they may see themself.
    Patient,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The custodian.
    pub tenant: TenantId,
    /// Whose record.
    pub patient: FhirId,
    /// About whom; everybody whom the record names where it is not said.
    pub actor: Option<Who>,
    /// What for; every purpose where it is not said.
    pub purpose: Option<Purpose>,
    /// A consent as it would be signed: the data of a `consent` record, or a FHIR Consent.
    pub plan: Option<Value>,
    /// A consent that would be there no more: the one that the plan replaces, or that is taken back.
    pub without: Option<FhirId>,
    /// To whom it is explained.
    pub audience: Audience,
}

/// What is found.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// At which instant.
    pub at: Timestamp,
    /// One answer for each actor and purpose.
    pub answers: Vec<Answer>,
}

/// What one actor would see for one purpose.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Who.
    pub who: Who,
    /// What for.
    pub purpose: Purpose,
    /// What, by which rule.
    pub lines: Vec<Line>,
}

/// Resources of a type that one rule decides about alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The type.
    pub resource_type: String,
    /// How many.
    pub count: usize,
    /// Whether they would be released.
    pub is_released: bool,
    /// Whether they are released as it stands, where a consent is planned.
    pub was_released: Option<bool>,
    /// By which rule.
    pub rule: &'static Rule,
    /// The consents that it rests on, as `Consent/id`; the planned one has no id.
    pub consents: Vec<String>,
    /// Under which conditions.
    pub conditions: Vec<&'static str>,
}

/// What is needed to explain.
pub struct Explainer<'a> {
    /// Where records are.
    pub store: &'a dyn Store,
    /// The law and the tables.
    pub rules: &'a Rules,
    /// The maker of ids.
    pub ids: &'a IdKey,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// The id of a consent that is planned.
const PLANNED: &str = "planned";

impl Explainer<'_> {
    /// Explains.
    ///
    /// # Errors
    ///
    /// `NotFound` where there is no such patient; `Invalid` for a plan that is no consent.
    pub fn explain(&self, asked: &Asked) -> Result<Explanation> {
        let (tenant, at) = (&asked.tenant, self.clock.now());
        let placed = self.store.placed(tenant, &asked.patient, MOST)?;
        let own = placed.iter().find(|one| one.is("Patient", &asked.patient));
        let client = own.map(|one| one.origin_id.clone()).ok_or(Error::NotFound)?;
        // A transaction that is never committed: what is read is of one instant.
        let write = self.store.write()?;
        let Some(record) = write.record(tenant, Kind::Client, &client)? else {
            // Nobody knows what the patient said, so that nothing is allowed to anybody.
            return Ok(Explanation { at, answers: Vec::new() });
        };
        let memory = RefCell::<Memory>::default();
        let neighbours = Around::new(&*write, tenant, &memory);
        let ids = self.ids.tenant(tenant);
        let around = allow::Around {
            neighbours: &neighbours,
            ids: &ids,
            law: &self.rules.tables.law,
            now: at,
        };
        let now = Case::of(&record, &around);
        let gone = asked.without.as_ref().and_then(|id| {
            let found = placed.iter().find(|one| one.is("Consent", id));
            found.map(|one| one.origin_id.as_str())
        });
        let then = then(asked, gone, &record, &placed, &around)?;
        neighbours.failure()?;
        let items: Vec<_> = placed.iter().filter_map(|one| Some((one, item(one)?))).collect();
        let mut shown = items;
        shown.retain(|(one, item)| may_hear(asked, &now, one, item, at));
        let consent = |id: &String| match id.as_str() {
            PLANNED => PLANNED.to_owned(),
            id => format!("Consent/{}", ids.id(Kind::Consent, id)),
        };
        let decided = then.as_ref().unwrap_or(&now);
        let mut answers = Vec::new();
        for (who, purpose) in questions(asked, decided) {
            let Some(actor) = actor(&who, decided) else { continue };
            let mut lines: BTreeMap<Key, (usize, &'static Rule)> = BTreeMap::new();
            for (one, item) in &shown {
                let decision = decided.decide(&actor, purpose, item, at);
                let was = then.as_ref().map(|_| now.decide(&actor, purpose, item, at).permits);
                let (rule, key) = (decision.rule, Key::of(one, was, decision));
                lines.entry(key).or_insert((0, rule)).0 += 1;
            }
            let lines = lines.into_iter().map(|(key, (count, rule))| Line {
                resource_type: key.resource_type,
                count,
                is_released: !key.is_withheld,
                was_released: key.was_released,
                rule,
                consents: key.basis.iter().map(consent).collect(),
                conditions: key.conditions.names().collect(),
            });
            answers.push(Answer { who, purpose, lines: lines.collect() });
        }
        Ok(Explanation { at, answers })
    }
}

/// The case as it would be, where something is planned: with the plan, and without what is gone.
fn then<'a>(
    asked: &Asked,
    gone: Option<&str>,
    record: &Record,
    placed: &[Placed],
    around: &allow::Around<'a>,
) -> Result<Option<Case<'a>>> {
    if asked.plan.is_none() && gone.is_none() {
        return Ok(None);
    }
    let mut case = Case::of(record, around);
    if let Some(id) = gone {
        case = case.without(id);
    }
    match &asked.plan {
        Some(plan) => sign(case, plan, record, placed, around).map(Some),
        None => Ok(Some(case)),
    }
}

/// The case as it would be if the plan were signed.
fn sign<'a>(
    mut case: Case<'a>,
    plan: &Value,
    record: &Record,
    placed: &[Placed],
    around: &allow::Around<'a>,
) -> Result<Case<'a>> {
    let session = |reference: &str| {
        let (name, id) = reference.split_once('/')?;
        let is_it = |one: &&Placed| one.resource_type == name && one.id.as_str() == id;
        placed.iter().find(is_it).map(|one| one.origin_id.clone())
    };
    for data in consents::read(plan, &session)?.rules {
        let signed = case.signing(&planned(record, &data, around.now), around);
        case = signed.ok_or_else(|| Error::invalid("consent", "send a whole consent"))?;
    }
    Ok(case)
}

/// What lines are told apart by; what is released comes first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    is_withheld: bool,
    resource_type: String,
    was_released: Option<bool>,
    rule: &'static str,
    basis: Vec<String>,
    conditions: Obligations,
}

impl Key {
    fn of(one: &Placed, was_released: Option<bool>, decision: Decision) -> Self {
        Self {
            is_withheld: !decision.permits,
            resource_type: one.resource_type.clone(),
            was_released,
            rule: decision.rule.code,
            basis: decision.basis,
            conditions: decision.obligations,
        }
    }
}

/// Whether whoever asks may be told of a resource.
fn may_hear(asked: &Asked, now: &Case<'_>, one: &Placed, item: &Item, at: Timestamp) -> bool {
    match &asked.audience {
        Audience::Practice(None) => true,
        Audience::Practice(Some(types)) => types.contains(one.resource_type.as_str()),
        Audience::Patient => {
            let patient = Actor::Patient { verified: true };
            now.decide(&patient, Purpose::PatientRequest, item, at).permits
        }
    }
}

/// What the rules turn on of a resource.
pub(super) fn item(one: &Placed) -> Option<Item> {
    let mut item = Item::of_class(&one.guard.class)?;
    item.related.clone_from(&one.guard.related);
    let dated = one.guard.dated;
    item.dated =
        (dated != Guard::UNDATED).then(|| Timestamp::from_microsecond(dated).ok()).flatten();
    Some(item)
}

/// The questions: those that are asked, or of everybody whom the record names.
fn questions(asked: &Asked, case: &Case<'_>) -> Vec<(Who, Purpose)> {
    let everybody = || {
        let proxies = case.proxies().map(|id| Who::Proxy(id.to_owned()));
        let clients: BTreeSet<&str> = case.clients().collect();
        let clients = clients.into_iter().map(|id| Who::Recipient(id.to_owned()));
        std::iter::once(Who::Patient).chain(proxies).chain(clients).collect()
    };
    let actors: Vec<Who> = asked.actor.clone().map_or_else(everybody, |who| vec![who]);
    let of = |who: &Who| -> Vec<(Who, Purpose)> {
        let purposes: &[Purpose] = match who {
            Who::Patient => &[Purpose::PatientRequest],
            Who::Proxy(_) => &[Purpose::FamilyRequest],
            Who::Recipient(_) => &OUTSIDE,
        };
        let stated = asked.purpose.map_or_else(|| purposes.to_vec(), |purpose| vec![purpose]);
        stated.into_iter().map(|purpose| (who.clone(), purpose)).collect()
    };
    actors.iter().flat_map(of).collect()
}

/// The actor as the rules read it; nothing for somebody who does not act for the patient.
pub(super) fn actor(who: &Who, case: &Case<'_>) -> Option<Actor> {
    Some(match who {
        Who::Patient => Actor::Patient { verified: true },
        Who::Proxy(id) => Actor::Proxy(case.proxy(id)?),
        Who::Recipient(client_id) => Actor::Recipient(Recipient {
            client_id: client_id.clone(),
            name: String::new(),
            npi: None,
            standing: Standing::Other,
        }),
    })
}

/// A planned consent as the record that it would be.
fn planned(client: &Record, data: &serde_json::Value, at: Timestamp) -> Record {
    Record {
        tenant: client.tenant.clone(),
        kind: Kind::Consent,
        id: PLANNED.to_owned(),
        version: 1,
        op: Op::Upsert,
        occurred_at: None,
        recorded_at: None,
        updated_at: at,
        tz: None,
        client_ids: vec![client.id.clone()],
        labels: Vec::new(),
        part2: None,
        data: data.clone(),
    }
}
