//! A transfer as it stands: whose, to whom, where it is, and what has happened.

use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::LINK;
use super::kept::{Acknowledged, Attempt, Kept, Package};
use crate::domain::Record;
use crate::error::{Error, Result};
use crate::policy::transfer::{Event, OPEN_FOR, REMINDERS, State, TRIED_FOR};

/// What the ids of the gateway's own transfers begin with.
pub(super) const OWN: &str = "tlt-";
/// How much later than its end it is noticed that a transfer was left on its way.
const SLACK: Duration = Duration::from_hours(7);
/// The longest that somebody may write, in characters.
pub const LONGEST: usize = 4_000;
/// How urgent a transfer can be.
pub const URGENCIES: &[&str] = &["routine", "urgent", "crisis"];
/// The parts of a record that can be named.
pub const SECTIONS: &[(&str, &[&str])] = &[
    ("problems", &["Condition"]),
    ("plan", &["CarePlan"]),
    ("goals", &["Goal"]),
    ("assessments", &["Observation", "QuestionnaireResponse"]),
    ("encounters", &["Encounter", "Appointment", "EpisodeOfCare"]),
    ("messages", &["Communication"]),
    ("documents", &["DocumentReference", "Binary"]),
];

/// What somebody wants to be transferred.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The platform's id of the client.
    pub client: String,
    /// The receiver, by its name in the settings.
    pub receiver: String,
    /// Why, in words that the receiver reads.
    pub reason: String,
    /// `routine`, `urgent` or `crisis`.
    pub urgency: String,
    /// Which parts; all that consent gives where none is named.
    pub sections: Vec<String>,
    /// Notes that go along although the documents are not among the parts, by the platform's ids.
    pub notes: Vec<String>,
    /// Whether the receiver is given a link, although they have a server.
    pub by_link: bool,
    /// Who asks for it.
    pub by: String,
    /// What is the same each time the same transfer is asked for, so that it is made once.
    pub key: Option<String>,
}

/// A transfer as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Its name.
    pub id: String,
    /// How many steps it has been.
    pub version: u64,
    /// The platform's id of the client.
    pub client: String,
    /// What the receiver is called.
    pub to: String,
    /// The receiver, by its name in the settings.
    pub receiver: Option<String>,
    /// Why.
    pub reason: String,
    /// How urgent it is.
    pub urgency: Option<String>,
    /// Which parts; all where none is named.
    pub sections: Vec<String>,
    /// Notes that go along.
    pub notes: Vec<String>,
    /// Where it is.
    pub state: State,
    /// When it was last signed off or sent again.
    pub ready: Option<Timestamp>,
    /// Until when it may be taken.
    pub expires: Option<Timestamp>,
    /// The person as the receiver's server knows them, where somebody said so.
    pub patient_there: Option<String>,
    /// By which way it goes.
    pub channel: Option<String>,
    /// The link that the receiver was given last, by its name.
    pub link: Option<String>,
    /// The attempts to deliver it.
    pub attempts: Vec<Attempt>,
    /// What was sent last.
    pub package: Option<Package>,
    /// The last acknowledgement.
    pub ack: Option<Acknowledged>,
    /// What has happened, in order.
    pub history: Vec<Happened>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// What.
    pub event: Event,
    /// When.
    pub at: Timestamp,
    /// By whom it was said.
    pub by: Option<String>,
    /// Why: a stable name, or what somebody wrote.
    pub why: Option<String>,
}

impl Wanted {
    /// Refuses what cannot be sent.
    pub(super) fn check(&self) -> Result<()> {
        if self.reason.trim().is_empty() || self.reason.chars().count() > LONGEST {
            let hint = format!("say why care goes over, in at most {LONGEST} characters");
            return Err(Error::invalid("reason", hint));
        }
        if !URGENCIES.contains(&self.urgency.as_str()) {
            return Err(Error::invalid("urgency", "give routine, urgent or crisis"));
        }
        let is_known = |name: &String| SECTIONS.iter().any(|(known, _)| known == name);
        if !self.sections.iter().all(is_known) {
            let known: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
            return Err(Error::invalid("sections", format!("give some of {}", known.join(", "))));
        }
        Ok(())
    }
}

impl Transfer {
    /// The transfer that a record is; nothing if it cannot be told what it is.
    pub(super) fn read(record: &Record) -> Option<Self> {
        let kept = Kept::read(record)?;
        let instant = |text: Option<String>| text.and_then(|text| text.parse().ok());
        let happened = kept.history.into_iter().filter_map(|moment| {
            let (event, at) = (moment.event.parse().ok()?, moment.at.parse().ok()?);
            Some(Happened { event, at, by: moment.by, why: moment.why })
        });
        Some(Self {
            id: record.id.clone(),
            version: record.version,
            client: kept.client_id,
            to: kept.to.org_name,
            channel: kept.to.channel,
            link: kept.link,
            receiver: kept.receiver,
            reason: kept.reason,
            urgency: kept.urgency,
            sections: kept.sections,
            notes: kept.note_ids,
            state: kept.status.parse().ok()?,
            ready: instant(kept.ready_at),
            expires: instant(kept.expires_at),
            patient_there: kept.patient_there,
            attempts: kept.attempts,
            package: kept.package,
            ack: kept.ack,
            history: happened.collect(),
        })
    }

    /// The transfer for the platform, whose people wrote what is in it.
    pub fn told(&self) -> Value {
        let step = |step: &Happened| {
            json!({
                "event": step.event.as_str(), "at": step.at.to_string(), "by": step.by,
                "why": step.why,
            })
        };
        let mut told = self.outline();
        if let Some(told) = told.as_object_mut() {
            told.insert("reason".to_owned(), json!(self.reason));
            told.insert("history".to_owned(), self.history.iter().map(step).collect());
        }
        told
    }

    /// The transfer for programs, without what people wrote: that belongs in no log.
    pub fn outline(&self) -> Value {
        let step = |step: &Happened| json!({ "event": step.event.as_str(), "at": step.at.to_string(), "by": step.by });
        let ack = self.ack.as_ref().map(|ack| json!({ "kind": ack.kind, "at": ack.at }));
        json!({
            "id": self.id, "client": self.client, "to": self.to, "receiver": self.receiver,
            "state": self.state.as_str(), "urgency": self.urgency, "channel": self.channel,
            "expires": self.expires.map(|at| at.to_string()),
            "attempts": self.attempts, "package": self.package, "ack": ack,
            "reminders": self.reminders().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "history": self.history.iter().map(step).collect::<Vec<_>>(),
        })
    }

    /// Whether the gateway made it, and so moves it on.
    pub fn is_ours(&self) -> bool {
        self.id.starts_with(OWN)
    }

    /// Whether the receiver is given a link, by people of the practice.
    pub fn goes_by_link(&self) -> bool {
        self.is_ours() && self.channel.as_deref() == Some(LINK)
    }

    /// When somebody is reminded that the receiver has not said who looks after the person, or has not
    /// opened the link.
    pub fn reminders(&self) -> Vec<Timestamp> {
        let sent = self.history.iter().rev().find(|one| one.event == Event::Delivered);
        let since = match self.state {
            State::Ready if self.link.is_some() => self.ready,
            state => sent.map(|sent| sent.at).filter(|_| state.is_awaited()),
        };
        let Some(since) = since else { return Vec::new() };
        let later = |days: &i32| since.checked_add((i64::from(*days) * 24).hours()).ok();
        REMINDERS.iter().filter_map(later).collect()
    }

    /// Whether somebody has to do something: say who it is there, or ask the receiver.
    pub fn needs_somebody(&self, now: Timestamp) -> bool {
        let is_held = self.history.last().is_some_and(|last| last.event == Event::Held);
        // Whoever carries it would have said by then that it failed, or is over.
        let until = if self.goes_by_link() { OPEN_FOR } else { TRIED_FOR } + SLACK;
        let is_left =
            self.ready.is_some_and(|at| at.saturating_add(until).is_ok_and(|end| end <= now));
        self.state == State::Ready && (is_held || is_left)
            || self.state == State::Failed
            || self.reminders().first().is_some_and(|first| *first <= now)
    }

    /// Which types of resources go along with the person; all where nothing is named.
    pub(super) fn has(&self, resource_type: &str) -> bool {
        let mut named = SECTIONS.iter().filter(|(name, _)| self.sections.iter().any(|s| s == name));
        let is_part = SECTIONS.iter().any(|(_, types)| types.contains(&resource_type));
        !is_part
            || self.sections.is_empty()
            || named.any(|(_, types)| types.contains(&resource_type))
    }
}
