//! Who calls, as a verified token says.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Scopes, Under};
use crate::domain::{FhirId, TenantId};

/// Who calls: the person or system, the client that acts for them, and what it may do.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The tenant whose records the token is for.
    pub tenant: TenantId,
    /// The token's subject; for logs an opaque id.
    pub subject: String,
    /// The client that the token was issued to.
    pub client: String,
    /// What the client may do.
    pub scopes: Scopes,
    /// The patient in context, whom `patient/` scopes are about.
    pub patient: Option<FhirId>,
    /// The encounter in context.
    pub encounter: Option<FhirId>,
    /// Who the person is, whom `user/` scopes are about.
    pub fhir_user: Option<FhirUser>,
    /// Under which grants it looks; the practice itself looks under none.
    pub under: Option<Under>,
    /// When it asks; a practitioner has no caseload at no time.
    pub at: Option<Timestamp>,
}

impl Principal {
    /// A client that acts for itself; its scopes as a list separated by spaces.
    pub fn new(tenant: TenantId, subject: impl Into<String>, scopes: &str) -> Self {
        let subject = subject.into();
        Self {
            tenant,
            client: subject.clone(),
            subject,
            scopes: Scopes::parse(scopes),
            patient: None,
            encounter: None,
            fhir_user: None,
            under: None,
            at: None,
        }
    }

    /// The same, asking at an instant.
    pub fn asking_at(self: &Arc<Self>, at: Timestamp) -> Arc<Self> {
        // What a system sees of its own practice is the same at all times.
        if self.under.is_none() && self.fhir_user.is_none() {
            return Arc::clone(self);
        }
        let under = self.under.clone().map(|under| Under { at: Some(at), ..under });
        Arc::new(Self { under, at: Some(at), ..Self::clone(self) })
    }
}

/// What kind of person a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserType {
    /// The client of the practice themself.
    Patient,
    /// Somebody who works there.
    Practitioner,
    /// Somebody who acts for a client.
    RelatedPerson,
}

impl UserType {
    /// The resource type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Patient => "Patient",
            Self::Practitioner => "Practitioner",
            Self::RelatedPerson => "RelatedPerson",
        }
    }
}

/// The resource that a person is: `Patient/…`, `Practitioner/…` or `RelatedPerson/…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FhirUser {
    /// Its type.
    pub kind: UserType,
    /// Its logical id.
    pub id: FhirId,
}

impl FromStr for FhirUser {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, id) = text.split_once('/').ok_or(())?;
        let kinds = [UserType::Patient, UserType::Practitioner, UserType::RelatedPerson];
        let kind = kinds.into_iter().find(|kind| kind.as_str() == name).ok_or(())?;
        Ok(Self { kind, id: id.parse()? })
    }
}

impl fmt::Display for FhirUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.id)
    }
}
