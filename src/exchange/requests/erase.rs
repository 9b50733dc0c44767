//! An erasure that was granted, carried out: what no schedule keeps goes, and the letter names what stays
//! (GDPR Art. 12(3), 17(3)).
//!
//! What was granted of a part only is for a person; this erases all of the record that may go. A legal hold
//! stops it, whenever it was set.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{At, By, Request, Requests, Step};
use crate::audit::Actor;
use crate::domain::TenantId;
use crate::error::{Error, Result};
use crate::exchange::retention::{Authority, Extent, Retention, Survivors};
use crate::package::Language;
use crate::policy::request::{Event, Matter, State};

/// What was erased of a record, and what stays.
#[derive(Debug, Clone)]
pub struct Erased {
    /// The language in which the person is written to; who they are is gone by then.
    pub(super) language: Language,
    /// What went, and what stays.
    pub(super) survivors: Survivors,
}

/// Carries out erasures.
#[derive(Clone)]
pub struct Erasures {
    /// The requests.
    pub requests: Arc<Requests>,
    /// What takes records away.
    pub retention: Retention,
}

impl Erasures {
    /// What carrying a request out would leave. Nothing is changed.
    ///
    /// # Errors
    ///
    /// `NotFound` where there is no such request; `Conflict` where it is not granted as a whole, or the
    /// record is under a legal hold.
    pub fn preview(&self, tenant: &TenantId, id: &str) -> Result<Survivors> {
        let request = self.granted(tenant, id)?;
        match self.retention.would_erase(tenant, &request.client, Extent::WhatNobodyHasToKeep) {
            Err(Error::NotFound) => Ok(gone()),
            other => other,
        }
    }

    /// Erases what a request was granted for, writes to whoever asked, and closes it. Where that ended in
    /// between, the next call finishes it.
    ///
    /// # Errors
    ///
    /// As [`Self::preview`]; nothing was erased then.
    pub async fn carry_out(
        &self,
        tenant: &TenantId,
        id: &str,
        by: By,
        actor: Actor,
    ) -> Result<Request> {
        let (request, language) = self
            .aside(tenant, id, |this, tenant, id| {
                let request = this.granted(tenant, id)?;
                let language = this.requests.language(tenant, &request.client)?;
                Ok((request, language))
            })
            .await?;
        let authority = Authority { by: actor, by_what: format!("request {id}") };
        let extent = Extent::WhatNobodyHasToKeep;
        let erased = self.retention.erase(tenant, &request.client, &authority, extent).await;
        let survivors = match erased {
            Err(Error::NotFound) => gone(),
            other => other?,
        };
        let erased = Erased { language, survivors };
        self.aside(tenant, id, move |this, tenant, id| {
            let step = Step { erased: Some(erased), ..Step::new(Event::Fulfil, by) };
            this.requests.change(tenant, id, |at: &At<'_>, kept| at.take(step, kept))
        })
        .await
    }

    /// A request that waits to be carried out.
    fn granted(&self, tenant: &TenantId, id: &str) -> Result<Request> {
        let request = self.requests.request(tenant, id)?.ok_or(Error::NotFound)?;
        if request.matter == Matter::Erasure
            && request.is_ours()
            && request.state == State::Approved
        {
            return Ok(request);
        }
        let hint = "only an erasure that was granted as a whole is carried out here: what was granted in \
                    part, a person erases where it was written";
        Err(Error::Conflict { hint: hint.to_owned() })
    }

    /// Asks the store where waiting holds nobody up.
    async fn aside<T: Send + 'static>(
        &self,
        tenant: &TenantId,
        id: &str,
        work: impl FnOnce(&Self, &TenantId, &str) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (this, tenant, id) = (self.clone(), tenant.clone(), id.to_owned());
        let done = tokio::task::spawn_blocking(move || work(&this, &tenant, &id));
        done.await.map_err(Error::internal)?
    }
}

/// What is left where the record went before.
fn gone() -> Survivors {
    Survivors { is_whole: true, proof: BTreeMap::new(), ..Survivors::default() }
}
