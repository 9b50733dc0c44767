//! The EHR launch: a context that the platform's front end makes, and an app that it names redeems
//! (SMART App Launch 2.2, "EHR launch").

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Authority;
use super::client::Client;
use crate::auth;
use crate::domain::{FhirId, TenantId};
use crate::error::{Error, Result};
use crate::policy::FhirUser;
use crate::store::Handle;

/// The kind of the handle.
const KIND: &str = "launch";
/// How long a launch can be redeemed.
const LIFETIME: Duration = Duration::from_mins(5);

/// The context of a launch.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Whose records it is about.
    pub tenant: TenantId,
    /// The patient whose record is open.
    pub patient: Option<FhirId>,
    /// The encounter that is open.
    pub encounter: Option<FhirId>,
    /// Who launched it; nobody else may go on.
    pub user: Option<FhirUser>,
    /// The client that it is for; nobody else may redeem it.
    pub client: Option<String>,
    /// What the app is told with the token.
    pub told: Told,
}

/// What an app is told with its token, beside the patient and the encounter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// What the person wants to do: `intent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// Whether the app has to show whose record it is: `need_patient_banner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need_patient_banner: Option<bool>,
    /// Where the platform's style is: `smart_style_url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smart_style_url: Option<String>,
    /// The platform's word for its tenant: `tenant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Further resources in context, as objects with a `reference`: `fhirContext`.
    #[serde(default, rename = "fhirContext", skip_serializing_if = "Vec::is_empty")]
    pub fhir_context: Vec<Value>,
}

/// A launch as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    tenant: String,
    patient: Option<String>,
    encounter: Option<String>,
    user: Option<String>,
    client: Option<String>,
    told: Told,
}

impl Authority {
    /// Keeps the context of a launch; answers the `launch` that the app is to be given.
    pub fn make_launch(&self, launch: &Launch) -> Result<String> {
        let (secret, now) = (auth::secret()?, self.now());
        let handle = Handle {
            kind: KIND.to_owned(),
            digest: auth::digest(&secret),
            tenant: Some(launch.tenant.clone()),
            subject: String::new(),
            body: serde_json::to_vec(&Kept::from(launch)).map_err(Error::internal)?,
            expires: after(now, LIFETIME),
        };
        self.store().put_handle(&handle, now)?;
        Ok(secret)
    }

    /// The launch that a client redeems, if it is one of its tenant's and may be its own.
    pub(super) fn launched(&self, launch: &str, client: &Client) -> Result<Option<Kept>> {
        let found = self.store().handle(KIND, &auth::digest(launch), self.now())?;
        let Some(found) = found else { return Ok(None) };
        let kept: Kept = serde_json::from_slice(&found.body).map_err(Error::internal)?;
        let is_theirs = kept.tenant == client.tenant.as_str()
            && kept.client.as_ref().is_none_or(|named| *named == client.id);
        Ok(Some(kept).filter(|_| is_theirs))
    }
}

impl From<&Launch> for Kept {
    fn from(launch: &Launch) -> Self {
        Self {
            tenant: launch.tenant.to_string(),
            patient: launch.patient.as_ref().map(ToString::to_string),
            encounter: launch.encounter.as_ref().map(ToString::to_string),
            user: launch.user.as_ref().map(ToString::to_string),
            client: launch.client.clone(),
            told: launch.told.clone(),
        }
    }
}

impl Kept {
    pub(super) fn launch(&self) -> Result<Launch> {
        let broken = || Error::broken("a launch cannot be read");
        let id = |id: &Option<String>| id.as_deref().map(str::parse::<FhirId>).transpose();
        Ok(Launch {
            tenant: self.tenant.parse().map_err(|()| broken())?,
            patient: id(&self.patient).map_err(|()| broken())?,
            encounter: id(&self.encounter).map_err(|()| broken())?,
            user: self.user.as_deref().map(str::parse).transpose().map_err(|()| broken())?,
            client: self.client.clone(),
            told: self.told.clone(),
        })
    }
}

/// The instant so long after another.
pub(super) fn after(now: Timestamp, time: Duration) -> Timestamp {
    let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    let then = now.as_microsecond().saturating_add(micros);
    Timestamp::from_microsecond(then).unwrap_or(Timestamp::MAX)
}
