//! The accounting of disclosures: who has received parts of a record, for the one it is about.
//!
//! 45 CFR 164.528: date, recipient, what, and what for, six years back. Which disclosures have to
//! be accounted for is decided by the rules (`policy::accounting`); the others are told too where all are asked for. Several
//! to one recipient for one purpose are summed up: the first, the last, and how many
//! (164.528(b)(3)).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Action, Event, Question, Shown, search};
use crate::domain::FhirId;
use crate::error::Result;
use crate::policy::{AuditPermit, Basis, NoteClass};
use crate::store::Ledger;

/// How many events are looked at together.
const BATCH: usize = 1_000;
/// What a note that is kept apart is called here; it is no resource.
const APART: &str = "note kept apart";

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
    let user = event.who.user.as_deref();
    // Who acts for the patient is treated as the patient (45 CFR 164.502(g)), and sees nobody else's.
    if user.is_some_and(|user| user == own || user.starts_with("RelatedPerson/")) {
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

/// The events by which parts of a record were handed over, oldest first. Releases of notes that are
/// kept apart are among them where the permit reaches those.
pub fn events(ledger: &dyn Ledger, permit: &AuditPermit, period: &Period) -> Result<Vec<Event>> {
    let mut found = Vec::new();
    for apart in [false, true] {
        let mut question = Question {
            patient: Some(period.patient.clone()),
            outcome: Some(0),
            since: period.since,
            until: period.until,
            count: BATCH,
            apart,
            ..Question::default()
        };
        loop {
            let page = search(ledger, permit, &question)?;
            let handed = |event: &Event| is_release(event) || hands_over(event, &period.patient);
            found.extend(page.events.into_iter().filter(handed));
            let Some(next) = page.next else { break };
            question.before = Some(next);
        }
    }
    found.sort_by_key(|event| event.at);
    Ok(found)
}

/// Whether an event is the release of a note that is kept apart, which is no resource.
fn is_release(event: &Event) -> bool {
    event.action == Action::Released && event.noted("note").is_some()
}

fn hands_over(event: &Event, patient: &FhirId) -> bool {
    let place = event.patients.iter().position(|known| known == patient.as_str());
    let is_about = |shown: &super::Shown| shown.patient.is_some() && shown.patient == place;
    event.action != Action::AuditRead && event.shown.iter().any(is_about)
}

/// What was handed over together, and on what it rests.
struct Part<'a> {
    basis: Basis,
    is_accountable: bool,
    /// Each with its type, or what else it is.
    what: Vec<(&'a str, &'a str)>,
}

/// The parts of an event: the Part 2 records were disclosed by consent and are accounted for, and what
/// was shown beside them rests on what it would rest on alone.
fn parts<'a>(event: &'a Event, patient: &FhirId) -> Vec<Part<'a>> {
    if let Some(note) = event.noted("note").filter(|_| is_release(event)) {
        // Of one whose class was not written down nobody can show that it need not be told.
        let part2 = event.noted("class") != Some(NoteClass::Psychotherapy.as_str());
        let is_accountable = Basis::Consent.is_accountable(part2);
        return vec![Part { basis: Basis::Consent, is_accountable, what: vec![(APART, note)] }];
    }
    let place = event.patients.iter().position(|known| known == patient.as_str());
    let part = |part2: bool| {
        let of = |shown: &&Shown| shown.patient == place && event.is_part2(shown) == part2;
        let what = event.shown.iter().filter(of);
        let what: Vec<_> =
            what.map(|shown| (shown.resource_type.as_str(), shown.id.as_str())).collect();
        let basis = match basis(event, patient) {
            Basis::Tpo | Basis::Other if part2 => Basis::Consent,
            basis => basis,
        };
        let is_accountable = basis.is_accountable(part2);
        (!what.is_empty()).then_some(Part { basis, is_accountable, what })
    };
    [part(false), part(true)].into_iter().flatten().collect()
}

/// Sums events up by recipient and purpose, in the order of the first.
pub fn sum_up(events: &[Event], patient: &FhirId) -> Vec<Disclosure> {
    let mut sums: BTreeMap<_, (Disclosure, BTreeSet<(&str, &str)>)> = BTreeMap::new();
    for event in events {
        let to = event.noted("to").filter(|_| is_release(event));
        let recipient = event.who.client.as_ref().unwrap_or(&event.who.subject);
        let (recipient, purpose) = (to.unwrap_or(recipient), &event.who.purpose);
        for Part { basis, is_accountable, what } in parts(event, patient) {
            let (sum, seen) =
                sums.entry((recipient, purpose, basis, is_accountable)).or_insert_with(|| {
                    let sum = Disclosure {
                        recipient: recipient.to_owned(),
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
            for one in what {
                if seen.insert(one) {
                    *sum.what.entry(one.0.to_owned()).or_default() += 1;
                }
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
    (APART, APART, "notes kept apart"),
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
        let proxy = Some("RelatedPerson/r1");
        assert_eq!(accounted(None, proxy, &[]), (Basis::PatientAccess, false));
    }

    #[test]
    fn of_a_page_with_one_part_2_record_that_record_is_accounted_for() {
        let who = Actor { purpose: Some("TREAT".into()), ..Actor::default() };
        let mut page = event(0, &who, "plain", "p1");
        page.show("Encounter", &"sealed".parse().unwrap(), "1", Some(&"p1".parse().unwrap()));
        page.show("Encounter", &"theirs".parse().unwrap(), "1", Some(&"p2".parse().unwrap()));
        page.note("part2", "true");
        let told = |page: &Event, patient: &str| -> Vec<_> {
            let sums = sum_up(std::slice::from_ref(page), &patient.parse().unwrap());
            sums.iter().map(|sum| (sum.basis, sum.is_accountable, sum.what())).collect()
        };
        let all = (Basis::Consent, true, "2 sessions".to_owned());
        assert_eq!(told(&page, "p1"), [all], "before they were marked");
        page.mark_part2(&["Encounter/sealed".to_owned()].into());
        let one = || "1 session".to_owned();
        let own = [(Basis::Tpo, false, one()), (Basis::Consent, true, one())];
        let mut found = told(&page, "p1");
        found.sort_by_key(|(_, is_accountable, _)| *is_accountable);
        assert_eq!(found, own);
        assert_eq!(told(&page, "p2"), [(Basis::Tpo, false, one())]);
        let seen = page.about_only(&"p1".parse().unwrap());
        assert!(told(&seen, "p1").contains(&own[1]), "and so it is as the patient sees it");
    }

    #[test]
    fn the_release_of_a_note_that_is_kept_apart_is_told_by_its_class() {
        for (class, is_accountable) in
            [("sud_counseling", true), ("psychotherapy", false), ("", true)]
        {
            let mut event =
                Event::new(Action::Released, Timestamp::UNIX_EPOCH, None, Actor::operator());
            event.about(&"p1".parse().unwrap());
            for (name, value) in [("note", "n1"), ("class", class), ("to", "client:clinic")] {
                event.note(name, value);
            }
            let sums = sum_up(&[event], &"p1".parse().unwrap());
            let [sum] = sums.as_slice() else { panic!("{sums:?}") };
            assert_eq!(
                (sum.recipient.as_str(), sum.what()),
                ("client:clinic", "1 note kept apart".into())
            );
            assert_eq!(
                (sum.basis, sum.is_accountable),
                (Basis::Consent, is_accountable),
                "{class}"
            );
        }
    }
}
