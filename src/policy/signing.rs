//! Who may sign a consent, and change one.
//!
//! A consent is the patient's to give, or that of whoever acts for them by right. Staff never sign
//! for a patient here, and no system does.

use std::sync::Arc;

use jiff::Timestamp;

use super::actor::{AuthorityKind, Proxy};
use super::clause::{Clause, Reach};
use super::decision::Decision;
use super::directive::Signer;
use super::law::Law;
use super::patient::{Majority, Patient};
use super::permit::{Action, Permit};
use super::principal::Principal;
use super::rule;
use super::scope::Rights;
use super::user::{FhirUser, UserType};
use crate::domain::{FhirId, TenantId};
use crate::error::{Error, Result};
use crate::fhir::search::Condition;

const CONSENT: &str = "Consent";

/// What somebody wants to do with consents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Give one.
    Give,
    /// Change one, or take it back.
    Change,
}

/// Somebody who may sign for a patient, as far as their token says.
#[derive(Debug, Clone)]
pub struct Hand {
    principal: Arc<Principal>,
    /// For whom.
    pub patient: FhirId,
    /// Who.
    pub person: FhirUser,
}

impl Hand {
    /// Decides whether a caller may do that with the consents of the patient in context.
    ///
    /// # Errors
    ///
    /// `Denied` where the scopes do not name it, or where it is neither the patient nor somebody who
    /// acts for them.
    pub fn decide(principal: &Arc<Principal>, act: Act) -> Result<Self> {
        let right = match act {
            Act::Give => Rights::CREATE,
            Act::Change => Rights::UPDATE,
        };
        let named =
            |scope: &super::ResourceScope| scope.is_of_consents() && scope.rights.contain(right);
        let patient = principal.patient.clone().ok_or(Error::Denied)?;
        let person = principal.fhir_user.clone().ok_or(Error::Denied)?;
        let is_theirs = match person.kind {
            UserType::Patient => person.id == patient,
            UserType::RelatedPerson => true,
            UserType::Practitioner => false,
        };
        if !is_theirs || principal.under.is_none() || !principal.scopes.resources().any(named) {
            return Err(Error::Denied);
        }
        Ok(Self { principal: Arc::clone(principal), patient, person })
    }

    /// The tenant.
    pub fn tenant(&self) -> &TenantId {
        &self.principal.tenant
    }

    /// The client through which they act.
    pub fn client(&self) -> &str {
        &self.principal.client
    }

    /// Whether it is the patient themself.
    pub fn is_patient(&self) -> bool {
        self.person.kind == UserType::Patient
    }

    /// The permit to be shown the consent that was signed, whatever else the scopes cover.
    pub fn permit(&self, consent: &FhirId) -> Permit {
        let conditions = vec![Condition::Id(vec![consent.as_str().to_owned()])];
        let clause = Clause { reach: Reach::Patient(self.patient.clone()), conditions };
        Permit::of_clause(&self.principal, Action::Read, CONSENT, clause)
    }
}

/// Whether the patient may say yes by themself: not who is a minor, or may be one, unless the law of
/// the practice's place lets somebody of that age decide.
pub fn signs_alone(patient: &Patient, law: &Law, at: Timestamp) -> bool {
    let own_age = law.of(&patient.jurisdiction).consents_alone_from;
    patient.died.is_none()
        && (patient.majority(law, at) == Majority::Adult
            || patient.emancipated
            || patient.decides_alone
            || patient.consented_alone
            || own_age.is_some_and(|age| patient.reached(age, at) == Some(true)))
}

/// As what somebody signs for the patient whom the rules let see the record by this decision. Who sees
/// it by the patient's own word represents nobody, and nobody signs for the dead.
pub fn signs_for(
    patient: &Patient,
    proxy: &Proxy,
    decision: &Decision,
    at: Timestamp,
) -> Option<Signer> {
    if !decision.permits || patient.died.is_some() {
        return None;
    }
    let holds = |kind: AuthorityKind| {
        proxy.authorities.iter().any(|one| one.kind == kind && one.evidenced && one.term.holds(at))
    };
    if decision.rule == rule::C4_1 {
        return Some(Signer::Guardian);
    }
    if decision.rule != rule::C4_11 {
        return None;
    }
    let kinds = [
        (AuthorityKind::PowerOfAttorney, Signer::PowerOfAttorney),
        (AuthorityKind::CourtOrder, Signer::Court),
    ];
    kinds.into_iter().find(|(kind, _)| holds(*kind)).map(|(_, signer)| signer)
}
