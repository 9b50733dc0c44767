//! By whose authority something is done beside the requests, as it is kept with what is to be done.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Obligations, Principal, Scopes, Under};
use crate::domain::TenantId;
use crate::error::{Error, Result};

/// What a token said when a job was asked for, and by what it can be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mandate {
    /// The token's subject.
    pub subject: String,
    /// The client that the token was issued to.
    pub client: String,
    /// The token's name.
    pub jti: String,
    /// The grant that it was made from.
    pub grant: Option<String>,
    scopes: String,
    patient: Option<String>,
    encounter: Option<String>,
    fhir_user: Option<String>,
    /// Whether it looks under no grants: the practice's own.
    own: bool,
    grantee: String,
    grantee_patient: Option<String>,
}

impl Mandate {
    /// That of a principal, with the token's name and its grant.
    pub fn of(principal: &Principal, jti: &str, grant: Option<&str>) -> Self {
        let under = principal.under.as_ref();
        Self {
            subject: principal.subject.clone(),
            client: principal.client.clone(),
            jti: jti.to_owned(),
            grant: grant.map(str::to_owned),
            scopes: principal.scopes.to_string(),
            patient: principal.patient.as_ref().map(ToString::to_string),
            encounter: principal.encounter.as_ref().map(ToString::to_string),
            fhir_user: principal.fhir_user.as_ref().map(ToString::to_string),
            own: under.is_none(),
            grantee: under.map(|under| under.grantee.clone()).unwrap_or_default(),
            grantee_patient: under.and_then(|under| Some(under.patient.as_ref()?.to_string())),
        }
    }

    /// The mandate that was kept as JSON.
    pub fn read(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).map_err(Error::internal)
    }

    /// As JSON.
    pub fn write(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(Error::internal)
    }

    /// Whether the practice itself asked.
    pub fn is_own(&self) -> bool {
        self.own
    }

    /// Who asks, at an instant.
    pub fn principal(&self, tenant: &TenantId, at: Timestamp) -> Result<Principal> {
        // What is there has to be understood: a patient that is not would widen what is shown.
        fn part<T: std::str::FromStr>(text: Option<&String>) -> Result<Option<T>> {
            let unread = |_unread: T::Err| Error::broken("a mandate cannot be read");
            text.map(|text| text.parse().map_err(unread)).transpose()
        }
        let patient = part(self.grantee_patient.as_ref())?;
        let (grantee, able) = (self.grantee.clone(), Obligations::OF_READING);
        Ok(Principal {
            client: self.client.clone(),
            scopes: Scopes::parse(&self.scopes),
            patient: part(self.patient.as_ref())?,
            encounter: part(self.encounter.as_ref())?,
            fhir_user: part(self.fhir_user.as_ref())?,
            under: (!self.own).then_some(Under { grantee, patient, at: Some(at), able }),
            ..Principal::new(tenant.clone(), self.subject.clone(), "")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Purpose;

    #[test]
    fn a_mandate_that_was_kept_is_the_principal_that_gave_it() {
        let tenant: TenantId = "hv".parse().unwrap();
        let at = Timestamp::from_second(7).unwrap();
        let own = Principal::new(tenant.clone(), "ops", "system/*.rs");
        let recipient = Principal {
            under: Some(Under {
                at: Some(at),
                able: Obligations::OF_READING,
                ..Under::of_client("ehr", Some(Purpose::Treatment))
            }),
            ..Principal::new(tenant.clone(), "ehr", "system/Goal.rs?lifecycle-status=active")
        };
        let person = Principal {
            client: "app".into(),
            patient: Some("p".parse().unwrap()),
            encounter: Some("e".parse().unwrap()),
            fhir_user: Some("Patient/p".parse().unwrap()),
            under: Some(Under {
                patient: Some("p".parse().unwrap()),
                at: Some(at),
                grantee: "PATRQT self".into(),
                able: Obligations::OF_READING,
            }),
            ..Principal::new(tenant.clone(), "somebody", "patient/*.rs offline_access")
        };
        for before in [own, recipient, person] {
            let kept = Mandate::of(&before, "jti", Some("grant")).write().unwrap();
            let mandate = Mandate::read(&kept).unwrap();
            let after = mandate.principal(&tenant, at).unwrap();
            assert_eq!(format!("{after:?}"), format!("{before:?}"));
            assert_eq!((mandate.jti.as_str(), mandate.grant.as_deref()), ("jti", Some("grant")));
        }
    }

    #[test]
    fn a_mandate_that_is_not_understood_is_nobodys() {
        let principal = Principal::new("hv".parse().unwrap(), "ops", "system/*.rs");
        let mut mandate = Mandate::of(&principal, "jti", None);
        mandate.patient = Some("not an id".into());
        assert!(mandate.principal(&"hv".parse().unwrap(), Timestamp::UNIX_EPOCH).is_err());
        assert!(Mandate::read(br#"{"subject":"ops"}"#).is_err());
    }
}
