//! One event, as it is written down.

use std::collections::{BTreeSet, HashMap};

use aws_lc_rs::rand;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Action, Actor};
use crate::domain::{FhirId, TenantId};
use crate::error::{Error, Result};
use crate::store::ledger::Entry;

/// The version of this form.
const FORM: u8 = 1;
/// How many random bytes an event's id ends with.
const RANDOM: usize = 10;

/// What was done, once.
///
/// It never holds content, tokens, or values of search parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The form of this text.
    v: u8,
    /// 32 hexadecimal digits: the milliseconds since 1970, and chance.
    pub id: String,
    /// When it was answered.
    pub at: Timestamp,
    /// The tenant, if it is one's.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub tenant: String,
    /// What was done.
    pub action: Action,
    /// The status of the answer, as in HTTP; from 400 on it was refused.
    pub status: u16,
    /// Why it was refused: a code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub issue: Option<String>,
    /// Who did it.
    pub who: Actor,
    /// The request's id.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub request: String,
    /// What was asked for by its name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asked: Option<Asked>,
    /// The names of the parameters, with modifiers and chains.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub parameters: Vec<String>,
    /// Whose records it is about.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub patients: Vec<String>,
    /// What was shown.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub shown: Vec<Shown>,
    /// Codes and numbers beside, each with its name.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<(String, String)>,
}

/// What a request named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The type.
    #[serde(rename = "t")]
    pub resource_type: String,
    /// The id, if one was named that could be one of ours.
    #[serde(rename = "i", skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
}

/// A resource that was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The type.
    #[serde(rename = "t")]
    pub resource_type: String,
    /// The id.
    #[serde(rename = "i")]
    pub id: String,
    /// The version.
    #[serde(rename = "v", skip_serializing_if = "String::is_empty", default)]
    pub version: String,
    /// Whose record it belongs to, by the place among the event's patients.
    #[serde(rename = "p", skip_serializing_if = "Option::is_none", default)]
    pub patient: Option<usize>,
    /// Whether it is a Part 2 record that was shown by a consent.
    #[serde(rename = "s", skip_serializing_if = "std::ops::Not::not", default)]
    pub part2: bool,
}

impl Event {
    /// An event that went well, about nothing yet.
    pub fn new(action: Action, at: Timestamp, tenant: Option<&TenantId>, who: Actor) -> Self {
        // As exact as the ledger is.
        let at = Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at);
        Self {
            v: FORM,
            id: id(at),
            at,
            tenant: tenant.map(|tenant| tenant.as_str().to_owned()).unwrap_or_default(),
            action,
            status: 200,
            issue: None,
            who,
            request: String::new(),
            asked: None,
            parameters: Vec::new(),
            patients: Vec::new(),
            shown: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The chain of a tenant for what is kept apart; no tenant's name has a slash.
    pub fn apart(tenant: &TenantId) -> String {
        format!("{tenant}/apart")
    }

    /// Adds a code or a number.
    pub fn note(&mut self, name: &str, value: impl Into<String>) {
        self.notes.push((name.to_owned(), value.into()));
    }

    /// The value of a note.
    pub fn noted(&self, name: &str) -> Option<&str> {
        self.notes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Adds a patient; answers the place.
    pub fn about(&mut self, patient: &FhirId) -> usize {
        let known = self.patients.iter().position(|known| known == patient.as_str());
        known.unwrap_or_else(|| {
            self.patients.push(patient.as_str().to_owned());
            self.patients.len() - 1
        })
    }

    /// Adds a resource that was shown, and whose record it belongs to.
    pub fn show(
        &mut self,
        resource_type: &str,
        id: &FhirId,
        version: &str,
        patient: Option<&FhirId>,
    ) {
        let patient = patient.map(|patient| self.about(patient));
        self.shown.push(Shown {
            resource_type: resource_type.to_owned(),
            id: id.as_str().to_owned(),
            version: version.to_owned(),
            patient,
            part2: false,
        });
    }

    /// Adds resources that were shown, of which there may be very many, as [`Event::show`] does.
    pub fn show_all<'s>(
        &mut self,
        shown: impl Iterator<Item = (&'s str, &'s FhirId, &'s str, Option<&'s FhirId>)>,
    ) {
        let mut places: HashMap<String, usize> = self.patients.iter().cloned().zip(0..).collect();
        for (resource_type, id, version, patient) in shown {
            let place = |patient: &FhirId| {
                *places.entry(patient.to_string()).or_insert_with(|| {
                    self.patients.push(patient.to_string());
                    self.patients.len() - 1
                })
            };
            self.shown.push(Shown {
                patient: patient.map(place),
                resource_type: resource_type.to_owned(),
                id: id.as_str().to_owned(),
                version: version.to_owned(),
                part2: false,
            });
        }
    }

    /// Marks the Part 2 records among what was shown, by `Type/id`.
    pub fn mark_part2(&mut self, keys: &BTreeSet<String>) {
        for shown in self.shown.iter_mut().filter(|_| !keys.is_empty()) {
            shown.part2 = keys.contains(&format!("{}/{}", shown.resource_type, shown.id));
        }
    }

    /// Whether something that was shown counts as a Part 2 record. An event that says so of itself and
    /// marks none was written before they were marked: then each counts.
    pub fn is_part2(&self, shown: &Shown) -> bool {
        let unmarked = || !self.shown.iter().any(|one| one.part2);
        shown.part2 || (self.noted("part2") == Some("true") && unmarked())
    }

    /// How it went, as FHIR counts it (<https://hl7.org/fhir/R4/valueset-audit-event-outcome.html>).
    pub fn outcome(&self) -> u8 {
        match self.status {
            ..400 => 0,
            400..500 => 4,
            _ => 8,
        }
    }

    /// The event as an entry of the ledger.
    pub fn entry(&self) -> Result<Entry> {
        Ok(Entry {
            tenant: self.tenant.clone(),
            at: self.at,
            actor: self.who.subject.clone(),
            action: self.action.name().to_owned(),
            outcome: self.outcome(),
            patients: self.patients.iter().filter_map(|patient| patient.parse().ok()).collect(),
            body: serde_json::to_vec(self).map_err(Error::internal)?,
        })
    }

    /// The event that an entry holds.
    ///
    /// # Errors
    ///
    /// It was not written by this or an earlier version.
    pub fn of(body: &[u8]) -> Result<Self> {
        serde_json::from_slice(body).map_err(Error::internal)
    }

    /// The millisecond within which the event of an id was, if the id is one.
    pub fn time_of(id: &str) -> Option<(Timestamp, Timestamp)> {
        let digits = (id.len() == 32).then(|| id.get(..12)).flatten()?;
        let millis = i64::from_str_radix(digits, 16).ok()?;
        let instant = |millis| Timestamp::from_millisecond(millis).ok();
        Some((instant(millis)?, instant(millis + 1)?))
    }
}

/// An id that is in the order of time, and cannot be guessed.
fn id(at: Timestamp) -> String {
    let mut bytes = [0; 6 + RANDOM];
    let millis = at.as_millisecond().to_be_bytes();
    let (time, chance) = bytes.split_at_mut(6);
    time.copy_from_slice(millis.get(2..).unwrap_or(&[0; 6]));
    // Without random numbers no request gets as far as this; the id would still tell the time.
    if rand::fill(chance).is_err() {
        chance.fill(0);
    }
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        let tenant: TenantId = "hv".parse().unwrap();
        let at = "2026-11-27T10:00:00.123456Z".parse().unwrap();
        Event::new(Action::Read, at, Some(&tenant), Actor::operator())
    }

    #[test]
    fn an_event_reads_as_it_was_written() {
        let mut event = event();
        let (resource, patient) = ("e1".parse().unwrap(), "p1".parse().unwrap());
        event.show("Encounter", &resource, "1-a", Some(&patient));
        event.show("Practitioner", &resource, "", None);
        event.note("records", "3");
        let entry = event.entry().unwrap();
        assert_eq!(Event::of(&entry.body).unwrap(), event);
        assert_eq!(entry.patients, [patient]);
        assert!(entry.body.len() < 400, "{}", String::from_utf8_lossy(&entry.body));
    }

    #[test]
    fn many_are_shown_as_one_after_another_is() {
        let id = |text: String| -> FhirId { text.parse().unwrap() };
        let all: Vec<(FhirId, Option<FhirId>)> = (0..200)
            .map(|i| (id(format!("e{i}")), (i % 3 > 0).then(|| id(format!("p{}", i % 7)))))
            .collect();
        let (mut one, mut many) = (event(), event());
        many.id.clone_from(&one.id);
        for event in [&mut one, &mut many] {
            event.about(&id("p5".into()));
        }
        let shown = all.iter().map(|(id, whose)| ("Goal", id, "1", whose.as_ref()));
        shown.clone().for_each(|(of, id, version, whose)| one.show(of, id, version, whose));
        many.show_all(shown);
        assert_eq!(many, one);
        assert_eq!((many.shown.len(), many.patients.len()), (200, 7));
    }

    #[test]
    fn an_id_tells_when_its_event_was() {
        let event = event();
        let (from, to) = Event::time_of(&event.id).unwrap();
        assert!(from <= event.at && event.at < to);
        assert_eq!(Event::time_of("short"), None);
        assert_eq!(Event::time_of(&"z".repeat(32)), None);
    }
}
