//! The uses of emergency access, and what their reviewers said: each use is to be reviewed within the
//! days of the law's table.

use jiff::{SignedDuration, Timestamp};

use super::Audit;
use super::action::Action;
use super::actor::Actor;
use super::event::Event;
use super::reading::{Question, read, search};
use crate::domain::TenantId;
use crate::error::{Error, Result};
use crate::policy::AuditPermit;
use crate::store::Ledger;

/// How many events are read at once.
const PAGE: usize = 500;
/// The name of the note that says which use was reviewed.
const USE: &str = "use";
/// The longest that a reviewer may write, in characters.
pub const LONGEST: usize = 1_000;

/// A use of emergency access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The event's id.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who, as their resource.
    pub user: String,
    /// By which client.
    pub client: String,
    /// Whose record.
    pub patient: String,
    /// `BTG` or `ETREAT`.
    pub purpose: String,
    /// Why, in their own words.
    pub reason: String,
    /// How many resources were shown.
    pub shown: usize,
    /// Until when it is to be reviewed.
    pub due: Timestamp,
    /// What the reviewer said, if one has.
    pub review: Option<Review>,
}

/// What a reviewer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Whether the use was justified.
    pub is_justified: bool,
    /// More about it; may be empty.
    pub words: String,
}

/// All uses of a tenant, newest first; the last word about each counts.
///
/// # Errors
///
/// The ledger failed.
pub fn emergencies(
    ledger: &dyn Ledger,
    permit: &AuditPermit,
    review_days: i64,
) -> Result<Vec<Use>> {
    let reviews = all(ledger, permit, Action::BreakGlassReviewed)?;
    let uses = all(ledger, permit, Action::BreakGlass)?;
    let note = |event: &Event, name: &str| event.noted(name).unwrap_or_default().to_owned();
    let review = |id: &str| {
        let found = reviews.iter().find(|review| review.noted(USE) == Some(id))?;
        Some(Review {
            at: found.at,
            by: note(found, "by"),
            is_justified: found.noted("verdict") == Some(verdict(true)),
            words: note(found, "words"),
        })
    };
    let opened = uses.into_iter().filter(|event| event.status < 400);
    Ok(opened
        .map(|event| Use {
            at: event.at,
            user: event.who.user.clone().unwrap_or_default(),
            client: event.who.client.clone().unwrap_or_else(|| event.who.subject.clone()),
            patient: event.patients.first().cloned().unwrap_or_default(),
            purpose: event.who.purpose.clone().unwrap_or_default(),
            reason: note(&event, "reason"),
            shown: event.shown.len(),
            due: event
                .at
                .saturating_add(SignedDuration::from_hours(24 * review_days))
                .unwrap_or(event.at),
            review: review(&event.id),
            id: event.id,
        })
        .collect())
}

/// Writes down what a reviewer says about a use.
///
/// # Errors
///
/// `NotFound` where there is no such use; `Invalid` for words that are too long.
pub fn review(
    audit: &Audit,
    tenant: &TenantId,
    id: &str,
    (is_justified, words): (bool, &str),
    (who, now): (Actor, Timestamp),
) -> Result<()> {
    if words.chars().count() > LONGEST {
        return Err(Error::invalid("words", format!("up to {LONGEST} characters")));
    }
    let permit = AuditPermit::operator(tenant.clone());
    let found = read(&**audit.ledger(), &permit, id)?;
    let is_one = |event: &Event| event.action == Action::BreakGlass && event.status < 400;
    let found = found.filter(is_one).ok_or(Error::NotFound)?;
    let by = who.user.clone().unwrap_or_else(|| who.subject.clone());
    let mut event = Event::new(Action::BreakGlassReviewed, now, Some(tenant), who);
    event.patients.clone_from(&found.patients);
    event.note(USE, id);
    event.note("by", by);
    event.note("verdict", verdict(is_justified));
    if !words.is_empty() {
        event.note("words", words);
    }
    audit.record_blocking(&event)
}

/// The word for a verdict.
pub const fn verdict(is_justified: bool) -> &'static str {
    if is_justified { "justified" } else { "unjustified" }
}

fn all(ledger: &dyn Ledger, permit: &AuditPermit, action: Action) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    let mut before = None;
    loop {
        let question =
            Question { action: Some(action), before, count: PAGE, ..Question::default() };
        let found = search(ledger, permit, &question)?;
        events.extend(found.events);
        match found.next {
            Some(next) => before = Some(next),
            None => return Ok(events),
        }
    }
}
