//! Who may read the audit: the privacy officer that of a tenant, a patient that of their own record.

use super::permit::Action;
use super::principal::Principal;
use super::scope::Level;
use crate::domain::{FhirId, TenantId};
use crate::error::{Error, Result};

/// How far somebody may look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Everything of the tenant.
    Tenant,
    /// What was done with one patient's record.
    Patient(FhirId),
}

/// A decision that somebody may read the audit; only this module makes one.
#[derive(Debug, Clone)]
pub struct AuditPermit {
    tenant: TenantId,
    reach: Reach,
}

impl AuditPermit {
    /// Decides whether `principal` may read the audit. A scope has to name the type: one for all
    /// types is about records, and says nothing of who has looked at them.
    pub fn decide(principal: &Principal, action: Action) -> Result<Self> {
        let tenant = principal.tenant.clone();
        let under = principal.under.as_ref();
        if under.is_none() && principal.is_auditor(Level::System, action) {
            return Ok(Self { tenant, reach: Reach::Tenant });
        }
        let own = principal.patient.clone();
        let own = own.filter(|_| principal.is_auditor(Level::Patient, action));
        // Who acts for a patient is no more the patient than an outside recipient is the practice.
        let own = own.filter(|own| under.is_none_or(|under| under.patient.as_ref() == Some(own)));
        own.map(|patient| Self { tenant, reach: Reach::Patient(patient) }).ok_or(Error::Denied)
    }

    /// Whoever sits at the machine itself, by a command.
    pub fn operator(tenant: TenantId) -> Self {
        Self { tenant, reach: Reach::Tenant }
    }

    /// The tenant.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// How far it reaches.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_for_all_types_is_none_for_the_audit() {
        let decide = |scope: &str, action| {
            let principal = Principal::new("hv".parse().unwrap(), "s", scope);
            AuditPermit::decide(&principal, action).is_ok()
        };
        assert!(!decide("system/*.rs", Action::Read));
        assert!(!decide("system/Patient.rs", Action::Read));
        assert!(!decide("patient/AuditEvent.rs", Action::Read));
        assert!(decide("system/AuditEvent.rs", Action::Search));
        assert!(decide("system/AuditEvent.r", Action::Read));
        assert!(!decide("system/AuditEvent.r", Action::Search));
    }
}
