//! Says whose a Bundle is, where that is certain: a durable job beside the requests, so that the time
//! of an answer tells nobody who is a patient here.
//!
//! Jobs of this kind wake nobody: they are done together when it is looked for them next, not each
//! right after its request, where it would slow down the next one.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::bundle::inspect;
use super::{born, families, patients};
use crate::auth;
use crate::config::ReceivingSettings;
use crate::domain::{FhirId, TenantId};
use crate::error::{Error, Result};
use crate::exchange::jobs::{Doing, Task, Trouble, Work};
use crate::policy::{Action, Mandate, Permit, Principal};
use crate::store::{Decision, Job, JobPart, NewJob, ReceivedState, Store, StoredResource};

/// The name of this kind of work.
pub const KIND: &str = "match";
/// What says whose a Bundle is where nobody has to.
const BY_IDENTIFIER: &str = "identifier";
/// How many identifiers of a person are looked up.
const IDENTIFIERS: usize = 20;
/// How long a job may wait and take.
const WITHIN: Duration = Duration::from_hours(30 * 24);
/// How long a job that is done is kept.
const KEPT: Duration = Duration::from_mins(1);

/// Matches what others sent.
pub struct Matching {
    /// Where what was sent is, and the patients.
    pub store: Arc<dyn Store>,
    /// How it is matched.
    pub settings: ReceivingSettings,
}

impl Work for Matching {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn work(self: Arc<Self>, task: Task) -> Doing<std::result::Result<(), Trouble>> {
        Box::pin(async move { task.aside(move |task| Ok(self.look(task)?)).await })
    }

    fn kept(&self) -> Duration {
        KEPT
    }

    fn clear(self: Arc<Self>, _: Job, _: Vec<JobPart>) -> Doing<Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

/// The practice itself, looking for patients of its own.
fn own(tenant: &TenantId) -> Principal {
    Principal::new(tenant.clone(), "receiving", "system/Patient.rs")
}

/// The job that matches what is kept under a name.
pub(super) fn order(tenant: &TenantId, name: &str, now: Timestamp) -> Result<NewJob> {
    let own = own(tenant);
    Ok(NewJob {
        id: auth::name()?,
        tenant: tenant.clone(),
        kind: KIND.to_owned(),
        client: own.client.clone(),
        // The practice's own: nobody's token.
        mandate: Mandate::of(&own, &auth::name()?, None).write()?,
        task: name.as_bytes().to_vec(),
        made: now,
        due: now,
        expires: now.saturating_add(WITHIN).unwrap_or(Timestamp::MAX),
    })
}

impl Matching {
    /// Looks whose a Bundle is that waits.
    fn look(&self, task: &Task) -> Result<()> {
        let (tenant, name) = (&task.job().new.tenant, &task.job().new.task);
        let name = String::from_utf8_lossy(name).into_owned();
        let Some((received, body)) = self.store.received_as(tenant, &name)? else { return Ok(()) };
        if received.state != ReceivedState::Waiting {
            return Ok(());
        }
        let Ok(sent) = inspect(&body) else { return Ok(()) };
        if let Some(patient) = self.certain(tenant, &sent.patient)? {
            let by = BY_IDENTIFIER.to_owned();
            let decision = Decision { patient: Some(patient), by, reason: None, at: task.now() };
            self.store.decide_received(tenant, &name, &decision)?;
        }
        Ok(())
    }

    /// Whose a Patient of somebody else is, if that is certain.
    fn certain(&self, tenant: &TenantId, sent: &Value) -> Result<Option<FhirId>> {
        let permit = Permit::decide(&Arc::new(own(tenant)), Action::Search, "Patient")?;
        let mut found: Option<StoredResource> = None;
        let identifiers = sent["identifier"].as_array().map(Vec::as_slice).unwrap_or_default();
        for identifier in identifiers.iter().take(IDENTIFIERS) {
            let named = identifier["system"].as_str().zip(identifier["value"].as_str());
            let Some((system, value)) = named.filter(|(s, v)| !s.is_empty() && !v.is_empty())
            else {
                continue;
            };
            for one in patients(&*self.store, &permit, system, value)? {
                if found.as_ref().is_some_and(|known| known.id != one.id) {
                    return Ok(None);
                }
                found = Some(one);
            }
        }
        let Some(found) = found else { return Ok(None) };
        let own: Value = serde_json::from_slice(&found.body).map_err(Error::internal)?;
        let theirs = families(sent, true);
        let is_same = own.get("active") != Some(&Value::Bool(false))
            && born(&own).is_some()
            && born(&own) == born(sent)
            && families(&own, self.settings.match_former_names)
                .iter()
                .any(|family| theirs.contains(family));
        Ok(is_same.then_some(found.id))
    }
}
