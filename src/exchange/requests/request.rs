//! A request as it stands: what is asked for, by whom, where it is, and by when it is owed.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::kept::{
    Correction, Decided, Disagreement, Fulfilment, Kept, Letter, Refused, Requester, Scope,
    Stretch, Told,
};
use super::{LONGEST, OWN};
use crate::domain::Record;
use crate::error::{Error, Result};
use crate::policy::request::{
    Clock, Event, Extension, Matter, Outcome, Pause, Reason, Refusal, Regime, Standing, State,
    Terms,
};

/// What somebody asks.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The platform's id of the client whose record it is about.
    pub client: String,
    /// What is asked for.
    pub matter: Matter,
    /// Under which law; that of the practice where nothing is said.
    pub regime: Option<Regime>,
    /// Who asks.
    pub requester: Requester,
    /// When it was received; now where nothing is said.
    pub received: Option<Timestamp>,
    /// How it came: `portal`, `app`, `letter`, …
    pub channel: String,
    /// How it is known who asks, where it is.
    pub proof: Option<String>,
    /// What of the record, and in which form.
    pub scope: Scope,
    /// What they say about it.
    pub statement: Option<String>,
    /// The `session_note` record that is to be corrected, where it is one.
    pub entry: Option<String>,
}

/// A request as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its name.
    pub id: String,
    /// How many steps it has been.
    pub version: u64,
    /// The platform's id of the client.
    pub client: String,
    /// What is asked for.
    pub matter: Matter,
    /// Under which law.
    pub regime: Regime,
    /// Who asks; nobody where the platform does not say.
    pub requester: Option<Requester>,
    /// When it was received.
    pub received: Timestamp,
    /// The day of that on the practice's wall.
    pub received_on: Date,
    /// How it came.
    pub channel: String,
    /// What of the record, and in which form.
    pub scope: Scope,
    /// What they say about it.
    pub statement: Option<String>,
    /// Where it is.
    pub state: State,
    /// What was done, in order.
    pub history: Vec<Happened>,
    /// What was decided on entries, in order; of several on one entry the last counts.
    pub decisions: Vec<Decision>,
    /// Whether it is known who asks.
    pub is_proven: bool,
    /// The job that makes the copy, where one was ordered.
    pub ordered: Option<String>,
    /// What was given.
    pub fulfilment: Option<Fulfilment>,
    /// What was written about it.
    pub letters: Vec<Letter>,
    /// The `session_note` record that is to be corrected, where it is one.
    pub entry: Option<String>,
    /// The correction that was granted.
    pub correction: Option<Correction>,
    /// That a correction or an erasure was refused.
    pub refused: Option<Refused>,
    /// What goes along with an entry that was not corrected.
    pub disagreement: Option<Disagreement>,
    /// Who is told of the correction.
    pub told: Vec<Told>,
    /// The last day on which it may be answered, where there is one.
    pub due: Option<Date>,
    /// How it stands with the time; of no concern where it is closed.
    pub standing: Standing,
    /// The days on which somebody is reminded.
    pub reminders: Vec<Date>,
}

/// What was decided on an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The platform's kind of the entry's record.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// The version that was looked at.
    pub version: Option<u64>,
    /// What.
    pub outcome: Outcome,
    /// On which ground, where something is withheld.
    pub reason: Option<Reason>,
    /// What is left out of the text.
    pub spans: Vec<Stretch>,
    /// The `staff` record of who decided.
    pub by: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
    /// How many reviews of a denial had been asked for by then.
    pub round: usize,
}

impl Decision {
    /// Nothing where it cannot be told what it is.
    fn read(kept: &Decided) -> Option<Self> {
        let reason = kept.ground.as_ref().map(|ground| ground.parse().ok());
        Some(Self {
            kind: kept.item_kind.clone(),
            id: kept.item_id.clone(),
            version: kept.version,
            outcome: kept.outcome.parse().ok()?,
            reason: reason.flatten(),
            spans: kept.spans.clone(),
            by: kept.by.clone(),
            at: kept.at.as_ref().and_then(|at| at.parse().ok()),
            round: kept.round.unwrap_or_default(),
        })
    }
}

/// One step that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// What.
    pub event: Event,
    /// When.
    pub at: Timestamp,
    /// The day of that on the practice's wall.
    pub on: Date,
    /// By whom.
    pub by: Option<String>,
    /// Why, in the words of whoever did it.
    pub reason: Option<String>,
    /// Until when, of an extension.
    pub until: Option<Date>,
}

impl Asked {
    /// Refuses what nobody can ask.
    pub(super) fn check(&self, now: Timestamp) -> Result<()> {
        if self.received.is_some_and(|received| received > now) {
            return Err(Error::invalid(
                "received",
                "a request is received before it is written down",
            ));
        }
        let length = self.statement.as_ref().map_or(0, |text| text.chars().count());
        if length > LONGEST {
            let hint = format!("write at most {LONGEST} characters, and send the rest as a letter");
            return Err(Error::invalid("statement", hint));
        }
        let days =
            [&self.scope.from, &self.scope.to].map(|day| day.as_deref().map(str::parse::<Date>));
        let [from, to] = days;
        let wrong =
            || Error::invalid("period", "write days as 2026-11-28, the first before the last");
        let from = from.transpose().map_err(|_not_a_day| wrong())?;
        let to = to.transpose().map_err(|_not_a_day| wrong())?;
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(wrong());
        }
        let needs_words = matches!(self.matter, Matter::Amendment | Matter::Restriction);
        let says_nothing = self.statement.as_ref().is_none_or(|text| text.trim().is_empty());
        if needs_words && says_nothing {
            return Err(Error::invalid("statement", "say what should be changed, or not be shown"));
        }
        Ok(())
    }
}

impl Request {
    /// The request that a record is; nothing if it cannot be told what it is.
    pub(super) fn read(
        record: &Record,
        terms: &Terms,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Option<Self> {
        let kept = Kept::read(record)?;
        let history: Vec<Happened> = kept
            .history
            .iter()
            .filter_map(|moment| {
                let at: Timestamp = moment.at.parse().ok()?;
                Some(Happened {
                    event: moment.event.parse().ok()?,
                    at,
                    on: at.to_zoned(zone.clone()).date(),
                    by: moment.by.clone(),
                    reason: moment.reason.clone(),
                    until: moment.until.as_ref().and_then(|until| until.parse().ok()),
                })
            })
            .collect();
        let received: Timestamp = kept.received_at.parse().ok()?;
        let mut request = Self {
            id: record.id.clone(),
            version: record.version,
            client: kept.client_id,
            matter: kept.matter.parse().ok()?,
            regime: kept.regime.parse().ok()?,
            requester: kept.requester,
            received,
            received_on: received.to_zoned(zone.clone()).date(),
            channel: kept.channel.unwrap_or_default(),
            scope: kept.scope.unwrap_or_default(),
            statement: kept.statement,
            state: kept.status.parse().ok()?,
            history,
            decisions: kept
                .review
                .iter()
                .flat_map(|review| &review.decisions)
                .filter_map(Decision::read)
                .collect(),
            is_proven: kept.identity.is_some_and(|proof| proof.result == "passed"),
            ordered: kept.ordered,
            fulfilment: kept.fulfilment,
            letters: kept.letters,
            entry: kept.entry,
            correction: kept.correction,
            refused: kept.refused,
            disagreement: kept.disagreement,
            told: kept.told,
            due: None,
            standing: Standing::Untimed,
            reminders: Vec::new(),
        };
        let told = request
            .clock(terms, zone, |clock| (clock.due(), clock.standing(now), clock.reminders()));
        (request.due, request.standing, request.reminders) = told;
        Some(request)
    }

    /// Asks its clock.
    pub(super) fn clock<T>(
        &self,
        terms: &Terms,
        zone: &TimeZone,
        ask: impl FnOnce(&Clock<'_>) -> T,
    ) -> T {
        let deadlines = terms.of(self.matter, &self.regime);
        let pauses = Pause::among(self.history.iter().map(|step| (step.event, step.at)));
        let extension = self.extension();
        let received = self.received;
        ask(&Clock { deadlines: &deadlines, zone, received, pauses: &pauses, extension })
    }

    /// The notice that it takes longer.
    fn extension(&self) -> Option<Extension> {
        let told = self.history.iter().find(|step| step.event == Event::Extend)?;
        Some(Extension { told: told.at, until: told.until? })
    }

    /// Whether it asks for a copy.
    pub fn is_for_a_copy(&self) -> bool {
        matches!(self.matter, Matter::Access | Matter::Portability)
    }

    /// Whether the copy is taken from the portal, and not sent on paper.
    pub fn is_electronic(&self) -> bool {
        self.scope.format.as_deref() != Some("paper")
            && self.scope.media.as_deref().is_none_or(|media| media == "portal")
    }

    /// The `related_party` record of who asks for the client; nothing where they ask for themself.
    pub fn party(&self) -> Option<&str> {
        let requester = self.requester.as_ref().filter(|one| one.kind != "client");
        requester.and_then(|one| one.id.as_deref())
    }

    /// Whether somebody else than the client asks.
    pub fn is_by_another(&self) -> bool {
        self.requester.as_ref().is_some_and(|one| one.kind != "client")
    }

    /// Whether somebody has to decide anew who had no part in a denial.
    pub fn is_appealed(&self) -> bool {
        self.round() > 0 && !self.state.is_closed()
    }

    /// Whether the person may ask for a denial to be reviewed: of a whole one, or of one of an entry
    /// that was given in part.
    pub fn may_be_reviewed(&self) -> bool {
        let is_held = |one: &Decision| one.reason.is_some_and(Reason::is_reviewable);
        // Who is refused a correction disagrees in writing instead (45 CFR 164.526(d)).
        self.grounds().is_empty()
            && self.state.after(Event::ReviewRequested).is_some()
            && (self.state != State::Fulfilled || self.decisions.iter().any(is_held))
    }

    /// On which grounds it may be refused, where the law names grounds for all of it.
    pub fn grounds(&self) -> &'static [Refusal] {
        Refusal::of(self.matter, &self.regime)
    }

    /// Whether the person may say that they disagree: once, and of a correction alone.
    pub fn may_disagree(&self) -> bool {
        let has_said = self.disagreement.as_ref().is_some_and(|one| one.statement.is_some());
        self.matter == Matter::Amendment
            && self.refused.is_some()
            && !has_said
            && self.state.after(Event::Disagree).is_some()
    }

    /// Whether the practice may answer a statement of disagreement: once.
    pub fn may_be_rebutted(&self) -> bool {
        let open = |one: &Disagreement| one.statement.is_some() && one.rebuttal.is_none();
        self.disagreement.as_ref().is_some_and(open) && self.state.after(Event::Rebut).is_some()
    }

    /// Whether it may be said who is told of a correction: while nobody has been.
    pub fn may_be_agreed(&self) -> bool {
        let is_told = self.told.iter().any(|one| one.told_at.is_some());
        self.correction.is_some() && !is_told && self.state.after(Event::Agree).is_some()
    }

    /// Whether somebody waits to be told.
    pub fn has_to_tell(&self) -> bool {
        self.told.iter().any(|one| one.told_at.is_none())
    }

    /// How often the person has asked for a denial to be reviewed.
    pub(super) fn round(&self) -> usize {
        self.history.iter().filter(|step| step.event == Event::ReviewRequested).count()
    }

    /// Whether the gateway made it, and so moves it on.
    pub fn is_ours(&self) -> bool {
        self.id.starts_with(OWN)
    }

    /// Whether it is owed and past its last day.
    pub fn is_overdue(&self) -> bool {
        !self.state.is_closed() && matches!(self.standing, Standing::Overdue { .. })
    }

    /// In which order requests are worked on: what is owed by its last day, then what has none.
    pub(super) fn urgency(&self) -> (bool, Date, i64, String) {
        let due = if self.state.is_closed() { Date::MIN } else { self.due.unwrap_or(Date::MAX) };
        (self.state.is_closed(), due, -self.received.as_second(), self.id.clone())
    }
}
