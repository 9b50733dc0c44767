//! Reading events under a permit: the privacy officer all of a tenant, a patient those about them.

use jiff::Timestamp;

use super::{Action, Event};
use crate::domain::FhirId;
use crate::error::Result;
use crate::policy::{AuditPermit, AuditReach};
use crate::store::Ledger;
use crate::store::ledger::{Kept, Wanted};

/// Which events are asked for.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// About this patient.
    pub patient: Option<FhirId>,
    /// By whom.
    pub actor: Option<String>,
    /// What was done.
    pub action: Option<Action>,
    /// How it went, as FHIR counts it.
    pub outcome: Option<u8>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Only those of smaller numbers.
    pub before: Option<u64>,
    /// At most so many.
    pub count: usize,
    /// Those about what is kept apart, and no others.
    pub apart: bool,
}

/// Events, newest first.
#[derive(Debug, Default)]
pub struct Found {
    /// The events.
    pub events: Vec<Event>,
    /// Where the next page starts; `None` on the last.
    pub next: Option<u64>,
}

impl Question {
    /// Whether an event is one of those that are asked for.
    pub fn holds(&self, event: &Event) -> bool {
        let is = |id: &FhirId| event.patients.iter().any(|patient| patient == id.as_str());
        self.patient.as_ref().is_none_or(is)
            && self.actor.as_ref().is_none_or(|actor| *actor == event.who.subject)
            && self.action.is_none_or(|action| action == event.action)
            && self.outcome.is_none_or(|outcome| outcome == event.outcome())
            && self.since.is_none_or(|since| event.at >= since)
            && self.until.is_none_or(|until| event.at < until)
    }
}

/// The events that are asked for.
pub fn search(ledger: &dyn Ledger, permit: &AuditPermit, question: &Question) -> Result<Found> {
    let patient = match (permit.reach(), &question.patient) {
        (AuditReach::Patient(own), Some(asked)) if own != asked => return Ok(Found::default()),
        (AuditReach::Patient(own), _) => Some(own.clone()),
        (AuditReach::Tenant, asked) => asked.clone(),
    };
    if question.apart && *permit.reach() != AuditReach::Tenant {
        return Ok(Found::default());
    }
    let tenant = permit.tenant();
    let chain = if question.apart { Event::apart(tenant) } else { tenant.as_str().to_owned() };
    let wanted = Wanted {
        tenant: chain,
        patient,
        actor: question.actor.clone(),
        action: question.action.map(|action| action.name().to_owned()),
        outcome: question.outcome,
        since: question.since,
        until: question.until,
        before: question.before,
        // One more than is asked for, to know whether there is another page.
        limit: question.count + 1,
    };
    let mut kept = ledger.find(&wanted)?;
    let has_more = kept.len() > question.count;
    kept.truncate(question.count);
    let next = kept.last().filter(|_| has_more).map(|last| last.number);
    let seen = |entry: &Kept| Ok(Event::of(&entry.body)?.seen_by(permit.reach()));
    Ok(Found { events: kept.iter().map(seen).collect::<Result<_>>()?, next })
}

/// The event of an id.
pub fn read(ledger: &dyn Ledger, permit: &AuditPermit, id: &str) -> Result<Option<Event>> {
    let Some((since, until)) = Event::time_of(id) else { return Ok(None) };
    let within = Question {
        since: Some(since),
        until: Some(until),
        count: usize::try_from(i32::MAX).unwrap_or_default(),
        ..Question::default()
    };
    let found = search(ledger, permit, &within)?;
    Ok(found.events.into_iter().find(|event| event.id == id))
}

impl Event {
    /// The event as somebody sees it who may look so far. A patient learns who was there for their
    /// own record: nothing of other patients, and not from which address.
    fn seen_by(self, reach: &AuditReach) -> Self {
        let AuditReach::Patient(own) = reach else { return self };
        let mut seen = self.about_only(own);
        seen.who.address = None;
        seen
    }

    /// What of the event is about one patient.
    #[must_use]
    pub fn about_only(mut self, own: &FhirId) -> Self {
        let place = self.patients.iter().position(|patient| patient == own.as_str());
        let part2: Vec<bool> = self.shown.iter().map(|shown| self.is_part2(shown)).collect();
        for (shown, part2) in self.shown.iter_mut().zip(part2) {
            shown.part2 = part2;
        }
        self.shown.retain(|shown| shown.patient.is_some() && shown.patient == place);
        for shown in &mut self.shown {
            shown.patient = Some(0);
        }
        self.patients = vec![own.as_str().to_owned()];
        let shown = &self.shown;
        self.asked = self.asked.filter(|asked| {
            let id = asked.id.as_deref();
            let is_own = asked.resource_type == "Patient" && id == Some(own.as_str());
            is_own || shown.iter().any(|one| id == Some(one.id.as_str()))
        });
        // On what it rests is the same for all of it; other notes count or name what is others'.
        self.notes.retain(|(name, _)| name == "basis");
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Actor, Asked};

    #[test]
    fn a_patient_sees_nothing_of_another() {
        let [own, other] = ["own", "other"].map(|id| id.parse::<FhirId>().unwrap());
        let who = Actor { address: Some("192.0.2.1".into()), ..Actor::operator() };
        let mut event = Event::new(Action::Search, Timestamp::UNIX_EPOCH, None, who);
        event.show("Encounter", &"theirs".parse().unwrap(), "1", Some(&other));
        event.show("Encounter", &"mine".parse().unwrap(), "1", Some(&own));
        event.show("Practitioner", &"both".parse().unwrap(), "1", None);
        event.asked = Some(Asked { resource_type: "Patient".into(), id: Some("other".into()) });
        event.note("records", "2");
        let seen = event.clone().seen_by(&AuditReach::Patient(own));
        let text = serde_json::to_string(&seen).unwrap();
        for hidden in ["other", "theirs", "both", "192.0.2.1", "records"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
        assert!(text.contains("mine"));
        assert_eq!(event.clone().seen_by(&AuditReach::Tenant), event);
    }
}
