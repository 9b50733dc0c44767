//! Who has been allowed something, and what for, as the rows name them.

use jiff::Timestamp;

use super::decision::Obligations;
use super::purpose::Purpose;
use super::user::{FhirUser, UserType};
use crate::domain::FhirId;

/// Somebody to whom something was granted, for a purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grantee {
    name: String,
    purpose: Purpose,
}

impl Grantee {
    /// The patient, about their own record.
    pub fn of_patient() -> Self {
        Self::new("self", Purpose::PatientRequest)
    }

    /// Somebody who acts for the patient, by the id of their RelatedPerson.
    pub fn of_proxy(person: &FhirId) -> Self {
        Self::new(&format!("proxy {person}"), Purpose::FamilyRequest)
    }

    /// An outside recipient, by its registered `client_id`.
    pub fn of_recipient(client_id: &str, purpose: Purpose) -> Self {
        Self::new(&format!("client {client_id}"), purpose)
    }

    fn new(who: &str, purpose: Purpose) -> Self {
        Self { name: format!("{} {who}", purpose.as_str()), purpose }
    }

    /// The name in the rows.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// What for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }
}

/// Under which grants somebody looks at records; the practice itself looks under none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Under {
    /// Whose grants.
    pub grantee: String,
    /// The only patient whom they may be about, if there is one.
    pub patient: Option<FhirId>,
    /// When; nothing is granted at no time.
    pub at: Option<Timestamp>,
    /// Which conditions the way by which they look can meet.
    pub able: Obligations,
}

impl Under {
    /// Under which grants a person looks; staff of the practice under none.
    pub fn of_person(user: &FhirUser) -> Option<Self> {
        let (grantee, patient) = match user.kind {
            UserType::Practitioner => return None,
            UserType::Patient => (Grantee::of_patient(), Some(user.id.clone())),
            UserType::RelatedPerson => (Grantee::of_proxy(&user.id), None),
        };
        Some(Self { grantee: grantee.name, patient, at: None, able: Obligations::NONE })
    }

    /// Under which grants a client looks by itself; without a purpose it is granted nothing.
    pub fn of_client(client_id: &str, purpose: Option<Purpose>) -> Self {
        let grantee = purpose.map(|purpose| Grantee::of_recipient(client_id, purpose).name);
        let able = Obligations::NONE;
        Self { grantee: grantee.unwrap_or_default(), patient: None, at: None, able }
    }

    /// What for.
    pub fn purpose(&self) -> Option<Purpose> {
        self.grantee.split(' ').next()?.parse().ok()
    }
}
