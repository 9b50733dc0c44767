//! Breaking the glass: what of a patient's record a clinician sees in an emergency who does not treat
//! them. The rules decide about each entry; notes, messages and what is kept apart are never among them.

use std::cell::RefCell;

use jiff::Timestamp;
use serde_json::Value;

use super::explain::item;
use super::ingest::derive::Neighbours as _;
use super::ingest::{Around, Case, Memory, Rules, allow, term};
use crate::clock::Clock;
use crate::domain::{FhirId, IdKey, Kind, Op, Record};
use crate::error::{Error, Result};
use crate::policy::{Actor, Emergency, Glass, Obligations, Role, Staff};
use crate::store::{Placed, Store};

/// How many resources of a record are looked at.
const MOST: usize = 50_000;
/// How many of the last sessions are shown.
const SESSIONS: usize = 3;
/// The types that are shown. Who wrote what, and which files there are, is no part of an emergency.
const SHOWN: [&str; 7] =
    ["Patient", "RelatedPerson", "CareTeam", "CarePlan", "Goal", "Condition", "Encounter"];

/// What somebody says who breaks a glass.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Why, in their own words.
    pub reason: String,
    /// Whether they proved who they are a short time ago.
    pub proven_again: bool,
}

/// What is opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Opened {
    /// The resources: the type and the id, by type.
    pub resources: Vec<(&'static str, FhirId)>,
    /// Whether some are of a program under 42 CFR Part 2.
    pub part2: bool,
}

/// What is needed to decide.
pub struct Emergencies<'a> {
    /// Where records are.
    pub store: &'a dyn Store,
    /// The law and the tables.
    pub rules: &'a Rules,
    /// The maker of ids.
    pub ids: &'a IdKey,
    /// The time.
    pub clock: &'a dyn Clock,
}

impl Emergencies<'_> {
    /// What is opened.
    ///
    /// # Errors
    ///
    /// `Denied` to whoever is no clinician of the practice now; `Invalid` for a reason that is too
    /// short; `NotFound` where there is no such patient.
    pub fn open(&self, glass: &Glass, broken: &Broken) -> Result<Opened> {
        let (tenant, now, law) = (glass.tenant(), self.clock.now(), &self.rules.tables.law);
        let ids = self.ids.tenant(tenant);
        let staff = self.store.sources(tenant, Kind::Staff)?;
        let is_them = |one: &&std::sync::Arc<Record>| ids.id(Kind::Staff, &one.id) == glass.user;
        let member = staff.iter().find(is_them).filter(|one| one.op == Op::Upsert);
        let member = member.ok_or(Error::Denied)?;
        if broken.reason.trim().chars().count() < law.emergency_reason_characters {
            let least = law.emergency_reason_characters;
            let hint = format!("say in {least} characters or more why you need it");
            return Err(Error::invalid("reason", hint));
        }
        let placed = self.store.placed(tenant, &glass.patient, MOST)?;
        let own = placed.iter().find(|one| one.is("Patient", &glass.patient));
        let client = own.map(|one| one.origin_id.clone()).ok_or(Error::NotFound)?;
        // A transaction that is never committed: what is read is of one instant.
        let write = self.store.write()?;
        let client = write.record(tenant, Kind::Client, &client)?.ok_or(Error::NotFound)?;
        let memory = RefCell::<Memory>::default();
        let neighbours = Around::new(&*write, tenant, &memory);
        let around = allow::Around { neighbours: &neighbours, ids: &ids, law, now };
        let case = Case::of(&client, &around);
        neighbours.failure()?;
        let zone = allow::zone(neighbours.organization().as_deref());
        let role = role(member, &zone, now).ok_or(Error::Denied)?;
        let actor =
            Actor::Staff(Staff { id: member.id.clone(), role, assigned: false, own_chart: false });
        let emergency = Emergency {
            reason: broken.reason.clone(),
            proven_again: broken.proven_again,
            since: now,
        };
        let last = last_sessions(&placed, now);
        let mut opened = Opened::default();
        for name in SHOWN {
            for one in placed.iter().filter(|one| one.resource_type == name) {
                let Some(mut item) = item(one) else { continue };
                item.for_emergencies |= name == "Encounter" && last.contains(&&one.id);
                let decision = case.in_emergency(&actor, glass.purpose, &item, &emergency, now);
                if decision.permits {
                    opened.part2 |= decision.obligations.include(Obligations::RECORD_EMERGENCY);
                    opened.resources.push((name, one.id.clone()));
                }
            }
        }
        Ok(opened)
    }
}

/// What a member of the staff does now, as far as it counts in an emergency.
fn role(member: &Record, zone: &jiff::tz::TimeZone, now: Timestamp) -> Option<Role> {
    if member.data.get("active").and_then(Value::as_bool) != Some(true) {
        return None;
    }
    let roles = member.data.get("roles").and_then(Value::as_array).into_iter().flatten();
    let mut held = roles
        .filter(|one| term(one, zone).is_some_and(|term| term.holds(now)))
        .filter_map(|one| one.get("role").and_then(Value::as_str)?.parse().ok());
    held.find(|role| matches!(role, Role::Therapist | Role::Supervisor))
}

/// The last sessions that took place.
fn last_sessions(placed: &[Placed], now: Timestamp) -> Vec<&FhirId> {
    let until = now.as_microsecond();
    let mut sessions: Vec<_> = placed
        .iter()
        .filter(|one| one.resource_type == "Encounter" && one.guard.dated <= until)
        .collect();
    sessions.sort_by_key(|one| std::cmp::Reverse(one.guard.dated));
    sessions.into_iter().take(SESSIONS).map(|one| &one.id).collect()
}
