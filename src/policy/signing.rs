//! Who may sign a consent, change one, and ask for something about a record.
//!
//! A consent is the patient's to give, or that of whoever acts for them by right, and so is a request.
//! Staff never sign for a patient here, and no system does.

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

/// What somebody wants to do in the patient's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Give a consent.
    Give,
    /// Change a consent, or take it back.
    Change,
    /// Ask for something about the record.
    Ask,
}

impl Act {
    /// The type of what they write.
    const fn resource_type(self) -> &'static str {
        match self {
            Self::Give | Self::Change => "Consent",
            Self::Ask => "Task",
        }
    }
}

/// Somebody who may sign or ask for a patient, as far as their token says.
#[derive(Debug, Clone)]
pub struct Hand {
    principal: Arc<Principal>,
    resource_type: &'static str,
    /// For whom.
    pub patient: FhirId,
    /// Who.
    pub person: FhirUser,
}

impl Hand {
    /// Decides whether a caller may do that for the patient in context.
    ///
    /// # Errors
    ///
    /// `Denied` where the scopes do not name it, or where it is neither the patient nor somebody who
    /// acts for them.
    pub fn decide(principal: &Arc<Principal>, act: Act) -> Result<Self> {
        let right = match act {
            Act::Give | Act::Ask => Rights::CREATE,
            Act::Change => Rights::UPDATE,
        };
        let resource_type = act.resource_type();
        let named = |scope: &super::ResourceScope| {
            scope.is_of_all(resource_type) && scope.rights.contain(right)
        };
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
        Ok(Self { principal: Arc::clone(principal), resource_type, patient, person })
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

    /// The permit to be shown what they wrote, whatever else the scopes cover.
    pub fn permit(&self, id: &FhirId) -> Permit {
        let conditions = vec![Condition::Id(vec![id.as_str().to_owned()])];
        let clause = Clause { reach: Reach::Patient(self.patient.clone()), conditions };
        Permit::of_clause(&self.principal, Action::Read, self.resource_type, clause)
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
