//! Refusals at the endpoints that apps call by themselves, taken down before they are told.

use std::net::IpAddr;
use std::sync::Arc;

use super::Authority;
use super::decision::{Decision, Event};
use super::fault::{Fault, Refused};
use super::proof::Credentials;
use crate::error::{Error, Result};

/// Who asks, as far as they say it; nothing is proven by it.
#[derive(Debug, Clone, Default)]
pub(super) struct Caller {
    client: Option<String>,
    address: Option<IpAddr>,
}

impl Caller {
    /// Who shows these credentials.
    pub(super) fn of(shown: &Credentials) -> Self {
        Self { client: shown.named(), address: shown.address }
    }
}

impl Authority {
    /// Refuses a request that does not say what it asks for.
    pub async fn turn_away(self: &Arc<Self>, address: Option<IpAddr>, fault: Fault) -> Refused {
        let caller = Caller { client: None, address };
        match self.tell::<()>(caller, Err(fault.into())).await {
            Err(refused) => refused,
            Ok(()) => fault.into(),
        }
    }

    /// An answer, once its refusal is taken down.
    pub(super) async fn tell<T>(
        self: &Arc<Self>,
        caller: Caller,
        answered: std::result::Result<T, Refused>,
    ) -> std::result::Result<T, Refused> {
        if let Err(Refused::Fault(fault)) = &answered {
            let (authority, fault) = (Arc::clone(self), *fault);
            let work = move || authority.saw_refusal(&caller, fault);
            tokio::task::spawn_blocking(work).await.map_err(Error::internal)??;
        }
        answered
    }

    /// A name that nobody has is not worth a record, and could hold anything.
    fn saw_refusal(&self, caller: &Caller, fault: Fault) -> Result<()> {
        let client = caller.client.as_deref().map(|id| self.clients().get(id));
        let client = client.transpose()?.flatten();
        self.saw(&Decision {
            tenant: client.as_ref().map(|client| client.tenant.as_str()),
            client: client.as_ref().map(|client| client.id.as_str()),
            error: Some(fault.code),
            address: caller.address,
            ..Decision::of(Event::Refused)
        })
    }
}
