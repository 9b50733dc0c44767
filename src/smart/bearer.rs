//! Whether a token that is shown is good, and still good.
//!
//! The signature is remembered until the token ends. That nobody took it back is remembered for
//! half a second, or until a replica says otherwise.

use std::sync::Arc;

use jiff::Timestamp;

use super::Authority;
use crate::auth::Verified;
use crate::error::{Error, Result};
use crate::policy::{Principal, UserType};
use crate::store::{Store, TokenName};

impl Authority {
    /// What a token says, if it is good now.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, whatever is wrong with it; `Unavailable` where it cannot be told whether it
    /// was taken back.
    pub async fn admit(&self, token: &str) -> Result<Arc<Verified>> {
        let verified = match self.parts.tokens.verify(token) {
            Ok(verified) => verified,
            Err(_not_ours) => {
                self.issuers.verify(token, &self.key_sets, self.now().as_second()).await?
            }
        };
        let scope = self.scope(&verified.principal.tenant, verified.grant.as_deref());
        let is_live = if let Some(is_live) = self.live.get(&verified.digest, &scope) {
            is_live
        } else {
            let making = self.live.begin(&scope);
            let is_live = self.ask(&verified).await?;
            self.live.keep(verified.digest, making, is_live);
            is_live
        };
        if is_live { Ok(verified) } else { Err(Error::Unauthenticated) }
    }

    /// Asks the store, where that holds nobody up.
    async fn ask(&self, verified: &Arc<Verified>) -> Result<bool> {
        let now = self.now();
        let question = {
            let verified = Arc::clone(verified);
            move |store: &dyn Store| {
                if !acts_still(store, &verified.principal, now)? {
                    return Ok(false);
                }
                let token = TokenName {
                    jti: &verified.jti,
                    grant: verified.grant.as_deref(),
                    client: &verified.principal.client,
                };
                store.is_live(token, now)
            }
        };
        if self.store().is_embedded() {
            return question(self.store());
        }
        let store = Arc::clone(&self.parts.store);
        tokio::task::spawn_blocking(move || question(&*store)).await.map_err(Error::internal)?
    }
}

/// Whether whoever acts for a patient still may: a token of somebody who may see nothing of that
/// record any more (a right that ended, a restriction, a birthday) is as good as taken back.
pub(super) fn acts_still(store: &dyn Store, who: &Principal, now: Timestamp) -> Result<bool> {
    let acts = who.fhir_user.as_ref().is_some_and(|user| user.kind == UserType::RelatedPerson);
    match (&who.patient, &who.under) {
        (Some(patient), Some(under)) if acts => {
            store.is_granted(&who.tenant, patient, &under.grantee, now)
        }
        _ => Ok(true),
    }
}
