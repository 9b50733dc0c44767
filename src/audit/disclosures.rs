//! The accounting of disclosures: who has received parts of a record, for the one it is about.
//!
//! 45 CFR 164.528: date, recipient, what, and what for, six years back. Which disclosures have to
//! be accounted for is decided by the rules (`policy::accounting`); the others are told too where all are asked for. Several
//! to one recipient for one purpose are summed up: the first, the last, and how many
//! (164.528(b)(3)).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Action, Event, Question, search};
use crate::domain::FhirId;
use crate::error::Result;
use crate::policy::{AuditPermit, Basis};
use crate::store::Ledger;

/// How many events are looked at together.
const BATCH: usize = 1_000;

/// What one recipient has received for one purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// Who.
    pub recipient: String,
    /// What for: a code of `v3-ActReason`, if one was given.
    pub purpose: Option<String>,
    /// On what it rests.
    pub basis: Basis,
    /// Whether it is listed in an accounting.
    pub is_accountable: bool,
    /// When first.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
    /// How many times.
    pub times: usize,
    /// How many different resources of each type.
    pub what: BTreeMap<String, usize>,
}

/// Whose record, and when.
#[derive(Debug, Clone)]
pub struct Period {
    /// The patient.
    pub patient: FhirId,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// On what an event rests. Where nothing is said of it, it is accounted for: that it need not be
/// has to be shown.
fn basis(event: &Event, patient: &FhirId) -> Basis {
    let own = format!("Patient/{patient}");
    if event.who.user.as_deref() == Some(own.as_str()) {
        return Basis::PatientAccess;
    }
    if let Some(basis) = event.noted("basis").and_then(|basis| basis.parse().ok()) {
        return basis;
    }
    match event.who.purpose.as_deref() {
        Some("TREAT" | "HPAYMT" | "HOPERAT") => Basis::Tpo,
        Some("PATRQT") => Basis::PatientAccess,
        Some("ETREAT" | "BTG") => Basis::Emergency,
        _ => Basis::Other,
    }
}

/// The events by which parts of a record were handed over, oldest first.
pub fn events(ledger: &dyn Ledger, permit: &AuditPermit, period: &Period) -> Result<Vec<Event>> {
    let mut question = Question {
        patient: Some(period.patient.clone()),
        outcome: Some(0),
        since: period.since,
        until: period.until,
        count: BATCH,
        ..Question::default()
    };
    let mut found = Vec::new();
    loop {
        let page = search(ledger, permit, &question)?;
        found.extend(page.events.into_iter().filter(|event| hands_over(event, &period.patient)));
        let Some(next) = page.next else { break };
        question.before = Some(next);
    }
    found.reverse();
    Ok(found)
}

fn hands_over(event: &Event, patient: &FhirId) -> bool {
    let place = event.patients.iter().position(|known| known == patient.as_str());
    let is_about = |shown: &super::Shown| shown.patient.is_some() && shown.patient == place;
    event.action != Action::AuditRead && event.shown.iter().any(is_about)
}

/// Sums events up by recipient and purpose, in the order of the first.
pub fn sum_up(events: &[Event], patient: &FhirId) -> Vec<Disclosure> {
    let mut sums: BTreeMap<_, (Disclosure, BTreeSet<(&str, &str)>)> = BTreeMap::new();
    for event in events {
        let recipient = event.who.client.as_ref().unwrap_or(&event.who.subject);
        let (purpose, basis) = (&event.who.purpose, basis(event, patient));
        let is_accountable = basis.is_accountable(event.noted("part2") == Some("true"));
        let place = event.patients.iter().position(|known| known == patient.as_str());
        let (sum, seen) =
            sums.entry((recipient, purpose, basis, is_accountable)).or_insert_with(|| {
                let sum = Disclosure {
                    recipient: recipient.clone(),
                    purpose: purpose.clone(),
                    basis,
                    is_accountable,
                    first: event.at,
                    last: event.at,
                    times: 0,
                    what: BTreeMap::new(),
                };
                (sum, BTreeSet::new())
            });
        sum.first = sum.first.min(event.at);
        sum.last = sum.last.max(event.at);
        sum.times += 1;
        for shown in event.shown.iter().filter(|shown| shown.patient == place) {
            if seen.insert((&shown.resource_type, &shown.id)) {
                *sum.what.entry(shown.resource_type.clone()).or_default() += 1;
            }
        }
    }
    let mut sums: Vec<_> = sums.into_values().map(|(sum, _)| sum).collect();
    sums.sort_by_key(|sum| sum.first);
    sums
}

impl Disclosure {
    /// What was received, for people.
    pub fn what(&self) -> String {
        let part = |(name, count): (&String, &usize)| format!("{count} {}", words(name, *count));
        self.what.iter().map(part).collect::<Vec<_>>().join(", ")
    }

    /// What for, for people.
    pub fn what_for(&self) -> &str {
        match self.purpose.as_deref() {
            None => "no purpose was given",
            Some("TREAT") => "treatment",
            Some("HPAYMT") => "payment",
            Some("HOPERAT") => "health care operations",
            Some("PATRQT") => "at the person's own request",
            Some("ETREAT" | "BTG") => "an emergency",
            Some(code) => code,
        }
    }
}

/// A type as people call it: one of it, several of it.
const WORDS: &[(&str, &str, &str)] = &[
    ("Patient", "set of personal details", "sets of personal details"),
    ("Encounter", "session", "sessions"),
    ("Appointment", "appointment", "appointments"),
    ("Communication", "message", "messages"),
    ("DocumentReference", "document", "documents"),
    ("Binary", "text of a document", "texts of documents"),
    ("CarePlan", "treatment plan", "treatment plans"),
    ("Goal", "goal", "goals"),
    ("Condition", "diagnosis", "diagnoses"),
    ("Observation", "result", "results"),
    ("QuestionnaireResponse", "questionnaire", "questionnaires"),
    ("Consent", "consent", "consents"),
    ("EpisodeOfCare", "episode of care", "episodes of care"),
    ("CareTeam", "care team", "care teams"),
    ("RelatedPerson", "related person", "related persons"),
    ("Provenance", "note of origin", "notes of origin"),
];

fn words(resource_type: &str, count: usize) -> &str {
    let row = WORDS.iter().find(|(name, _, _)| *name == resource_type);
    row.map_or(resource_type, |(_, one, several)| if count == 1 { one } else { several })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Actor;

    fn event(second: i64, who: &Actor, id: &str, of: &str) -> Event {
        let at = Timestamp::from_second(second).unwrap();
        let mut event = Event::new(Action::Read, at, None, who.clone());
        event.show("Encounter", &id.parse().unwrap(), "1", Some(&of.parse().unwrap()));
        event
    }

    #[test]
    fn several_to_one_recipient_for_one_purpose_are_summed_up() {
        let actor = |subject: &str, purpose: Option<&str>| Actor {
            subject: subject.into(),
            purpose: purpose.map(Into::into),
            ..Actor::default()
        };
        let (court, clinic) = (actor("court", None), actor("clinic", Some("TREAT")));
        let mut last = event(40, &court, "e1", "p1");
        last.show("Encounter", &"of-another".parse().unwrap(), "1", Some(&"p2".parse().unwrap()));
        let events = [
            event(10, &court, "e1", "p1"),
            event(20, &clinic, "e1", "p1"),
            event(30, &court, "e2", "p1"),
            last,
        ];
        let sums = sum_up(&events, &"p1".parse().unwrap());
        let told: Vec<_> = sums
            .iter()
            .map(|sum| (sum.recipient.as_str(), sum.times, sum.what(), sum.is_accountable))
            .collect();
        assert_eq!(
            told,
            [
                ("court", 3, "2 sessions".to_owned(), true),
                ("clinic", 1, "1 session".to_owned(), false),
            ]
        );
        assert_eq!((sums[0].first.as_second(), sums[0].last.as_second()), (10, 40));
    }

    #[test]
    fn an_exception_has_to_be_shown() {
        let accounted = |purpose: Option<&str>, user: Option<&str>, notes: &[(&str, &str)]| {
            let who = Actor {
                purpose: purpose.map(Into::into),
                user: user.map(Into::into),
                ..Actor::default()
            };
            let mut event = event(0, &who, "e1", "p1");
            for (name, value) in notes {
                event.note(name, *value);
            }
            let sums = sum_up(&[event], &"p1".parse().unwrap());
            (sums[0].basis, sums[0].is_accountable)
        };
        assert_eq!(accounted(None, None, &[]), (Basis::Other, true));
        assert_eq!(accounted(Some("LEGAL"), None, &[]), (Basis::Other, true));
        assert_eq!(accounted(None, Some("Patient/p2"), &[]), (Basis::Other, true));
        assert_eq!(accounted(Some("HPAYMT"), None, &[]), (Basis::Tpo, false));
        assert_eq!(accounted(None, Some("Patient/p1"), &[]), (Basis::PatientAccess, false));
        let consent = [("basis", "consent")];
        assert_eq!(accounted(None, None, &consent), (Basis::Consent, false));
        let part2 = [("basis", "consent"), ("part2", "true")];
        assert_eq!(accounted(None, None, &part2), (Basis::Consent, true));
    }
}
