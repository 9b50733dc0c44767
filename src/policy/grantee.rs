//! Who has been allowed something, and what for, as the rows name them.

use super::purpose::Purpose;
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
