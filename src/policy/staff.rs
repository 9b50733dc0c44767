//! What the practice's own people see: what their work needs (45 CFR 164.514(d)(2)).

use super::actor::{Role, Staff};
use super::conflict::InForce;
use super::decide::{Question, ids};
use super::decision::{Decision, Obligations};
use super::emergency;
use super::item::Item;
use super::purpose::Purpose;
use super::rule::{self, Rule};
use crate::domain::Kind;

/// A member of the staff.
pub(super) fn decide(
    q: &Question<'_>,
    member: &Staff,
    purpose: Purpose,
    in_force: &InForce<'_>,
) -> Decision {
    if member.own_chart {
        return Decision::deny(rule::C9_OWN_CHART);
    }
    let restrictions = in_force.restrictions(q.actor, purpose, q.item);
    if purpose.is_emergency() {
        return emergency::decide(q, !restrictions.is_empty());
    }
    if !restrictions.is_empty() {
        return Decision::deny(rule::P5_RESTRICTION).resting_on(ids(&restrictions));
    }
    match needed(member, purpose, q.item) {
        Some(rule) => {
            let minimum = Obligations::MINIMUM.when(member.role == Role::Biller);
            Decision::permit(rule).under(minimum)
        }
        None => Decision::deny(rule::C9_NOT_NEEDED),
    }
}

fn needed(member: &Staff, purpose: Purpose, item: &Item) -> Option<&'static Rule> {
    let cares = matches!(purpose, Purpose::Treatment | Purpose::CareManagement);
    let runs = purpose == Purpose::Operations;
    match member.role {
        Role::Therapist if member.assigned && cares => Some(rule::C9_THERAPIST),
        Role::Supervisor if member.assigned && (cares || runs) => Some(rule::C9_SUPERVISOR),
        Role::Admin if runs && is_office(item) => Some(rule::C9_ADMIN),
        Role::Biller if purpose == Purpose::Payment && is_billed(item) => Some(rule::C9_BILLER),
        Role::PrivacyOfficer if purpose == Purpose::PatientRequest => Some(rule::C9_PRIVACY),
        Role::PrivacyOfficer if runs && is_office(item) => Some(rule::C9_PRIVACY),
        _ => None,
    }
}

/// What the office works with.
fn is_office(item: &Item) -> bool {
    item.is_demographic()
        || matches!(
            item.kind,
            Kind::RelatedParty
                | Kind::Appointment
                | Kind::Assignment
                | Kind::Consent
                | Kind::RecordRequest
                | Kind::Transfer
                | Kind::Disclosure
                | Kind::AccessEvent
        )
}

/// What a bill is made of.
pub(super) fn is_billed(item: &Item) -> bool {
    item.is_demographic()
        || matches!(item.kind, Kind::SessionLog | Kind::Diagnosis | Kind::Appointment)
}
