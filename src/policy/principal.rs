//! Who calls, as a verified token says.

use std::sync::Arc;

use jiff::Timestamp;

use super::decision::Obligations;
use super::grantee::Under;
use super::scope::Scopes;
use super::user::FhirUser;
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

    /// The same, asking at an instant, by a way that can meet these conditions.
    pub fn asking_at(self: &Arc<Self>, at: Timestamp, able: Obligations) -> Arc<Self> {
        // What a system sees of its own practice is the same at all times.
        if self.under.is_none() && self.fhir_user.is_none() {
            return Arc::clone(self);
        }
        let under = self.under.clone().map(|under| Under { at: Some(at), able, ..under });
        Arc::new(Self { under, at: Some(at), ..Self::clone(self) })
    }
}
