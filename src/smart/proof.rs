//! Client authentication (RFC 6749, 2.3): who asks for a token, and how they prove it.

use std::net::IpAddr;
use std::sync::Arc;

use super::client::{Client, Proof};
use super::fault::{Code, Fault, Refused};
use super::{Authority, TOKEN};
use crate::auth::{Assertion, SecretHash};
use crate::error::{Error, Result};

/// The one kind of assertion (RFC 7523, 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// A hash of no secret, so that an unknown client takes as long as a known one.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What a request says of who sent it.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// `client_id` of the form.
    pub client_id: Option<String>,
    /// Id and secret of the `Authorization` header (Basic).
    pub basic: Option<(String, String)>,
    /// `client_secret` of the form, which is not how secrets are sent here.
    pub secret_in_form: bool,
    /// `client_assertion_type` of the form.
    pub assertion_type: Option<String>,
    /// `client_assertion` of the form.
    pub assertion: Option<String>,
    /// Where the request came from.
    pub address: Option<IpAddr>,
}

impl Credentials {
    /// The client that it says it is; nothing is proven by it.
    pub(super) fn named(&self) -> Option<String> {
        let asserted = || self.assertion.as_deref().and_then(Assertion::client);
        let basic = || self.basic.as_ref().map(|(id, _)| id.clone());
        self.client_id.clone().or_else(basic).or_else(asserted)
    }

    /// Whether nothing is shown at all.
    pub(super) fn is_silent(&self) -> bool {
        self.basic.is_none()
            && self.client_id.is_none()
            && self.assertion.is_none()
            && self.assertion_type.is_none()
            && !self.secret_in_form
    }
}

impl Authority {
    /// The client that sent a request.
    ///
    /// # Errors
    ///
    /// `invalid_client`, whatever is wrong; `invalid_request` for a request that does not say who it
    /// is of, or says it twice.
    pub async fn prove(
        self: &Arc<Self>,
        shown: Credentials,
    ) -> std::result::Result<Client, Refused> {
        let (address, named) = (shown.address, shown.named().unwrap_or_default());
        let guesses = &self.parts.guesses;
        if let Some(address) = address
            && guesses.is_closed(address, &named).await
        {
            let hint = "the client could not prove itself too often: wait for a minute";
            return Err(Fault::new(Code::SlowDown, hint).into());
        }
        let proven = self.proven_by(shown).await;
        if let (Some(address), Err(Refused::Fault(fault))) = (address, &proven)
            && fault.code == Code::InvalidClient
        {
            guesses.failed(address, &named).await;
        }
        proven
    }

    async fn proven_by(
        self: &Arc<Self>,
        shown: Credentials,
    ) -> std::result::Result<Client, Refused> {
        if shown.secret_in_form {
            let hint = "send the client's secret with HTTP Basic";
            return Err(Fault::new(Code::InvalidRequest, hint).into());
        }
        match (&shown.basic, &shown.assertion, &shown.assertion_type) {
            (None, Some(assertion), Some(kind)) => {
                if kind != ASSERTION_TYPE {
                    let hint = "the client_assertion_type is jwt-bearer (RFC 7523)";
                    return Err(Fault::new(Code::InvalidRequest, hint).into());
                }
                self.asserted(assertion.clone(), shown.client_id).await
            }
            (Some((id, secret)), None, None) => {
                if shown.client_id.as_ref().is_some_and(|named| named != id) {
                    return Err(Fault::client().into());
                }
                self.knows(id.clone(), secret.clone()).await
            }
            (None, None, None) => {
                let hint = "say with client_id which client asks";
                let id = shown.client_id.ok_or(Fault::new(Code::InvalidRequest, hint))?;
                let client = self.known(id).await?;
                let public = client.filter(|client| matches!(client.proof, Proof::Public));
                public.ok_or_else(|| Fault::client().into())
            }
            _ => {
                let hint = "prove in one way which client asks, and in all its parts";
                Err(Fault::new(Code::InvalidRequest, hint).into())
            }
        }
    }

    /// The client of that id, from a thread that may block.
    async fn known(self: &Arc<Self>, id: String) -> Result<Option<Client>> {
        let authority = Arc::clone(self);
        let asked = tokio::task::spawn_blocking(move || authority.clients().get(&id)).await;
        asked.map_err(Error::internal)?
    }

    /// The client of an id and a secret. It takes as long for an unknown one.
    async fn knows(
        self: &Arc<Self>,
        id: String,
        secret: String,
    ) -> std::result::Result<Client, Refused> {
        let authority = Arc::clone(self);
        let check = move || -> Result<Option<Client>> {
            let client = authority.clients().get(&id)?;
            let hashes = match client.as_ref().map(|client| &client.proof) {
                Some(Proof::Secret(hashes)) => hashes.clone(),
                _ => SecretHash::parse(NOBODY).into_iter().collect(),
            };
            let is_good = hashes.iter().any(|hash| hash.is_of(&secret));
            let is_symmetric =
                |client: &Client| matches!(client.proof, Proof::Secret(_)) && is_good;
            Ok(client.filter(is_symmetric))
        };
        let checked = tokio::task::spawn_blocking(check).await.map_err(Error::internal)??;
        checked.ok_or_else(|| Fault::client().into())
    }

    /// The client of an assertion, which is good once.
    async fn asserted(
        self: &Arc<Self>,
        text: String,
        named: Option<String>,
    ) -> std::result::Result<Client, Refused> {
        let refused = || Refused::from(Fault::client());
        let id = Assertion::client(&text).ok_or_else(refused)?;
        if named.is_some_and(|named| named != id) {
            return Err(refused());
        }
        let client = self.known(id).await?.ok_or_else(refused)?;
        let endpoint = self.site()?.url(TOKEN);
        let now = self.now();
        let address = match &client.proof {
            Proof::KeysAt(url) => Some(url.as_str()),
            _ => None,
        };
        let assertion = Assertion::read(&text, &client.id, &endpoint, address, now.as_second());
        let assertion = assertion.ok_or_else(refused)?;
        let is_signed = match &client.proof {
            Proof::Keys(set) => assertion.is_signed_by(set),
            Proof::KeysAt(url) => self.signed(url, &assertion).await,
            Proof::Public | Proof::Secret(_) => false,
        };
        if !is_signed {
            return Err(refused());
        }
        let (key, until) = assertion.once();
        let until = jiff::Timestamp::from_second(until).map_err(Error::internal)?;
        let authority = Arc::clone(self);
        // In the store, which all replicas share and which outlives a cache.
        let first = move || authority.store().is_first(&key, until, now);
        let is_first = tokio::task::spawn_blocking(first).await.map_err(Error::internal)??;
        if is_first { Ok(client) } else { Err(refused()) }
    }

    /// Whether a key at an address signed an assertion. A key that is not there is looked for anew:
    /// the client may have changed its keys.
    async fn signed(&self, url: &str, assertion: &Assertion<'_>) -> bool {
        for anew in [false, true] {
            let Some(set) = self.key_sets.get(url, anew).await else { return false };
            if assertion.is_named_in(&set) {
                return assertion.is_signed_by(&set);
            }
        }
        false
    }
}
