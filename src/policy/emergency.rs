//! Breaking the glass.

use jiff::{SignedDuration, Timestamp};

use super::actor::{Actor, Role, Standing};
use super::decide::{Means, Question};
use super::decision::{Decision, Obligations};
use super::item::Item;
use super::rule;
use crate::domain::Kind;

/// A glass that somebody broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emergency {
    /// Why, in their own words.
    pub reason: String,
    /// Whether they proved again who they are.
    pub proven_again: bool,
    /// When.
    pub since: Timestamp,
}

/// Decides about an item in an emergency; a restriction that was agreed to yields.
pub(super) fn decide(q: &Question<'_>, restricted: bool) -> Decision {
    if !is_broken(q) {
        return Decision::deny(rule::C5_2);
    }
    if !is_needed(q.item) {
        return Decision::deny(rule::C5_3);
    }
    let watched = Obligations::ALERT.and(Obligations::REVIEW).and(Obligations::WATERMARK);
    let rule = match q.item {
        _ if restricted => rule::P5_EMERGENCY,
        item if item.labels.part2 => rule::C3_9,
        _ => rule::C5_1,
    };
    Decision::permit(rule)
        .under(watched.and(Obligations::MINIMUM))
        .under(Obligations::NO_FURTHER_USE.when(restricted))
        .under(Obligations::RECORD_EMERGENCY.when(q.item.labels.part2))
}

/// Whether a glass was broken by somebody who may, for a reason, and not too long ago.
fn is_broken(q: &Question<'_>) -> bool {
    let may = match q.actor {
        Actor::Staff(member) => matches!(member.role, Role::Therapist | Role::Supervisor),
        Actor::Recipient(recipient) => recipient.standing == Standing::Emergency,
        Actor::Custodian | Actor::Patient { .. } | Actor::Proxy(_) => false,
    };
    let lasts = SignedDuration::from_mins(q.law.emergency_minutes);
    may && q.means == Means::Query
        && q.emergency.is_some_and(|glass| {
            let length = glass.reason.trim().chars().count();
            let age = q.at.duration_since(glass.since);
            glass.proven_again
                && length >= q.law.emergency_reason_characters
                && !age.is_negative()
                && age < lasts
        })
}

/// Who the patient is, whom to call, what they have, what is planned against risk, and the last
/// sessions. No notes, no messages.
fn is_needed(item: &Item) -> bool {
    match item.kind {
        Kind::Client | Kind::RelatedParty | Kind::TreatmentPlan => true,
        Kind::Diagnosis | Kind::SessionLog => item.for_emergencies,
        _ => false,
    }
}
