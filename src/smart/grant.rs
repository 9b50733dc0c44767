//! What a person granted to an app, and may take back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Authority;
use super::decision::{Decision, Event};
use super::launch::Told;
use crate::domain::{FhirId, TenantId};
use crate::error::{Error, Result};
use crate::policy::{FhirUser, Plain, Principal, Scopes, Under};
use crate::store::GrantRow;

/// What was given, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Given {
    pub(super) scopes: String,
    pub(super) fhir_user: String,
    pub(super) encounter: Option<String>,
    /// When the person proved who they are, in seconds since 1970, if the provider said so.
    #[serde(default)]
    pub(super) proven: Option<i64>,
    #[serde(default)]
    pub(super) told: Told,
}

impl Given {
    /// What a grant gave.
    pub(super) fn of(grant: &GrantRow) -> Result<Self> {
        serde_json::from_slice(&grant.body).map_err(Error::internal)
    }

    /// Who calls with a token of the grant.
    pub(super) fn principal(&self, grant: &GrantRow, scopes: Scopes) -> Result<Principal> {
        let broken = || Error::broken("a grant cannot be read");
        let id = |id: &str| id.parse::<FhirId>().map_err(|()| broken());
        let user: FhirUser = self.fhir_user.parse().map_err(|()| broken())?;
        Ok(Principal {
            client: grant.client.clone(),
            scopes,
            patient: (!grant.patient.is_empty()).then(|| id(&grant.patient)).transpose()?,
            encounter: self.encounter.as_deref().map(id).transpose()?,
            under: Under::of_person(&user),
            fhir_user: Some(user),
            ..Principal::new(grant.tenant.clone(), grant.subject.clone(), "")
        })
    }
}

/// A grant, as the person is shown it.
#[derive(Debug, Clone, PartialEq)]
pub struct Granted {
    /// Its name.
    pub id: String,
    /// The client's id.
    pub client: String,
    /// The client's name; its id if it is not registered any more.
    pub name: String,
    /// Who gave it.
    pub subject: String,
    /// The patient it is about.
    pub patient: Option<FhirId>,
    /// What the app may do.
    pub scopes: Scopes,
    /// Since when.
    pub made: Timestamp,
    /// When a token was last made from it.
    pub used: Option<Timestamp>,
    /// Until when.
    pub expires: Timestamp,
}

impl Authority {
    /// The grants that somebody gave, or that are about a patient, newest first.
    pub fn grants_of(
        &self,
        tenant: &TenantId,
        subject: &str,
        patient: Option<&FhirId>,
    ) -> Result<Vec<Granted>> {
        let patient = patient.map(FhirId::as_str);
        let rows = self.store().grants_of(tenant, subject, patient, self.now())?;
        rows.into_iter().map(|row| self.shown(row)).collect()
    }

    fn shown(&self, row: GrantRow) -> Result<Granted> {
        let name = self.clients().get(&row.client)?.map(|client| client.name);
        Ok(Granted {
            scopes: Scopes::parse(&Given::of(&row)?.scopes),
            name: name.unwrap_or_else(|| row.client.clone()),
            client: row.client,
            id: row.id,
            subject: row.subject,
            patient: row.patient.parse().ok(),
            made: row.made,
            used: row.used,
            expires: row.expires,
        })
    }

    /// Takes back what somebody granted for as long as they are signed in.
    pub fn end_online(&self, tenant: &TenantId, subject: &str) -> Result<()> {
        for grant in self.grants_of(tenant, subject, None)? {
            let is_online = grant.scopes.has(Plain::OnlineAccess);
            if is_online && !grant.scopes.has(Plain::OfflineAccess) {
                self.revoke_grant(tenant, &grant.id, subject)?;
            }
        }
        Ok(())
    }

    /// When the person behind a grant that stands proved who they are, if that is known.
    pub fn signed_in(&self, grant: &str) -> Result<Option<Timestamp>> {
        let Some(row) = self.store().grant(grant)? else { return Ok(None) };
        Ok(Given::of(&row)?.proven.and_then(|at| Timestamp::from_second(at).ok()))
    }

    /// Takes a grant back in the name of `by`, with all tokens made from it, on every replica within
    /// a second; answers whether there was one to be.
    pub fn revoke_grant(&self, tenant: &TenantId, id: &str, by: &str) -> Result<bool> {
        let grant = self.store().grant(id)?;
        let revoked = self.store().revoke_grant(tenant, id, self.now())?;
        self.forget(tenant, Some(id));
        if revoked {
            self.saw(&Decision {
                tenant: Some(tenant.as_str()),
                client: grant.as_ref().map(|grant| grant.client.as_str()),
                subject: Some(by),
                patient: grant.as_ref().map(|grant| grant.patient.as_str()),
                grant: Some(id),
                ..Decision::of(Event::Revoked)
            })?;
        }
        Ok(revoked)
    }
}
