//! Breaking the glass.

use std::sync::Arc;

use jiff::SignedDuration;

use super::actor::{Actor, Role, Standing};
use super::clause::{Clause, Reach};
use super::decision::{Decision, Obligations};
use super::item::Item;
use super::permit::{Action, Permit};
use super::principal::Principal;
use super::purpose::Purpose;
use super::question::{Means, Question};
use super::rule;
use super::scope::{Level, Rights};
use super::user::UserType;
use crate::domain::{FhirId, Kind, TenantId};
use crate::error::{Error, Result};
use crate::fhir::search::Condition;

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

/// A glass that a clinician may break, as far as their token says.
#[derive(Debug, Clone)]
pub struct Glass {
    principal: Arc<Principal>,
    /// Who.
    pub user: FhirId,
    /// Whose record.
    pub patient: FhirId,
    /// What for.
    pub purpose: Purpose,
}

impl Glass {
    /// How long ago they may have signed in.
    pub const PROVEN_WITHIN: SignedDuration = SignedDuration::from_mins(15);

    /// Decides whether a caller may break a glass at all.
    ///
    /// # Errors
    ///
    /// `Denied` to whoever is nobody of the practice's staff, or whose token reads no records of
    /// patients.
    pub fn decide(principal: &Arc<Principal>, patient: &FhirId, purpose: Purpose) -> Result<Self> {
        let user = principal.fhir_user.as_ref().ok_or(Error::Denied)?;
        let reads = principal.scopes.resources().any(|scope| {
            scope.level == Level::User
                && scope.is_about("Patient")
                && scope.rights.contain(Rights::READ)
        });
        let is_staff = user.kind == UserType::Practitioner && principal.under.is_none();
        if !is_staff || !reads || !purpose.is_emergency() {
            return Err(Error::Denied);
        }
        let (user, patient) = (user.id.clone(), patient.clone());
        Ok(Self { principal: Arc::clone(principal), user, patient, purpose })
    }

    /// The tenant.
    pub fn tenant(&self) -> &TenantId {
        &self.principal.tenant
    }

    /// The permit to see one resource that the rules opened, if the token reads such ones.
    pub fn permit(&self, resource_type: &'static str, id: &FhirId) -> Option<Permit> {
        let reads = self.principal.scopes.resources().any(|scope| {
            scope.level == Level::User
                && scope.is_about(resource_type)
                && scope.rights.contain(Rights::READ)
                && scope.conditions().next().is_none()
        });
        let conditions = vec![Condition::Id(vec![id.as_str().to_owned()])];
        let clause = Clause { reach: Reach::Patient(self.patient.clone()), conditions };
        reads.then(|| Permit::of_clause(&self.principal, Action::Read, resource_type, clause))
    }
}
