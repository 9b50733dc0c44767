//! Whether the authority by which a job was asked for still stands.

use std::sync::Arc;

use jiff::Timestamp;

use crate::error::Result;
use crate::exchange::jobs::Mandates;
use crate::policy::Mandate;
use crate::smart::Authority;
use crate::store::{Store, TokenName};

/// Asks the authorization server and its memory.
pub(super) struct StandingMandates {
    pub(super) authority: Arc<Authority>,
    pub(super) store: Arc<dyn Store>,
}

impl Mandates for StandingMandates {
    fn stands(&self, mandate: &Mandate, now: Timestamp) -> Result<bool> {
        // A token of the practice itself is of no registered client.
        if !mandate.is_own() && self.authority.clients().get(&mandate.client)?.is_none() {
            return Ok(false);
        }
        let grant = mandate.grant.as_deref();
        let token = TokenName { jti: &mandate.jti, grant, client: &mandate.client };
        self.store.is_live(token, now)
    }
}
