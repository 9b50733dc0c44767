//! Looking at tokens (RFC 7662), and taking them back (RFC 7009).

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Authority;
use super::client::{Client, Proof};
use super::decision::{Decision, Event};
use super::fault::{Code, Fault, Refused};
use super::grant::Given;
use super::proof::Credentials;
use super::refusal::Caller;
use crate::auth::{Verified, digest};
use crate::domain::FhirId;
use crate::error::{Error, Result};
use crate::policy::{Principal, Scopes};
use crate::store::Refresh;

/// Who asks about a token.
#[derive(Debug, Clone)]
pub enum Asker {
    /// A client that proves that it is itself.
    Client(Box<Credentials>),
    /// Whoever shows a good access token.
    Bearer(String),
}

/// Whose tokens somebody may look at.
enum Sight {
    /// Those of a whole tenant: a client that proved itself.
    Tenant(Client),
    /// Those of one client.
    Own { tenant: String, client: String },
}

/// A good token.
struct Found {
    principal: Arc<Principal>,
    grant: Option<String>,
    told: Map<String, Value>,
}

impl Authority {
    /// What a token is good for; `active` is false for one that is not, or not the asker's to know.
    ///
    /// # Errors
    ///
    /// `invalid_client` or `Unauthenticated` where it is not known who asks.
    pub async fn introspect(
        self: &Arc<Self>,
        asker: Asker,
        token: String,
    ) -> std::result::Result<Value, Refused> {
        let (caller, asker) = match asker {
            Asker::Client(credentials) => (Caller::of(&credentials), Asker::Client(credentials)),
            bearer @ Asker::Bearer(_) => (Caller::default(), bearer),
        };
        let looked = self.look(asker, token).await;
        self.tell(caller, looked).await
    }

    async fn look(
        self: &Arc<Self>,
        asker: Asker,
        token: String,
    ) -> std::result::Result<Value, Refused> {
        let (sight, address) = match asker {
            Asker::Client(credentials) => {
                let address = credentials.address;
                let client = self.prove(*credentials).await?;
                let sight = match client.proof {
                    Proof::Public => {
                        Sight::Own { tenant: client.tenant.to_string(), client: client.id }
                    }
                    _ => Sight::Tenant(client),
                };
                (sight, address)
            }
            Asker::Bearer(own) => {
                let principal = Arc::clone(&self.admit(&own).await?.principal);
                let (tenant, client) = (principal.tenant.to_string(), principal.client.clone());
                (Sight::Own { tenant, client }, None)
            }
        };
        let admitted = self.admit(&token).await.ok();
        let authority = Arc::clone(self);
        let work = move || {
            let found = match &admitted {
                Some(verified) => Some(authority.described(verified)?),
                None => authority.refresh_described(&token)?,
            };
            let seen = found.filter(|found| sight.sees(&found.principal));
            authority.saw(&Decision {
                tenant: Some(sight.tenant()),
                client: Some(sight.client()),
                grant: seen.as_ref().and_then(|seen| seen.grant.as_deref()),
                address,
                ..Decision::of(Event::Introspected)
            })?;
            Ok(seen.map_or_else(|| json!({ "active": false }), |seen| seen.told.into()))
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
    }

    fn described(&self, verified: &Verified) -> Result<Found> {
        let mut told = self.about(&verified.principal, verified.expires)?;
        told.extend([
            ("token_type".to_owned(), json!("Bearer")),
            ("iat".to_owned(), json!(verified.issued)),
            ("jti".to_owned(), json!(verified.jti)),
        ]);
        let principal = Arc::clone(&verified.principal);
        Ok(Found { principal, grant: verified.grant.clone(), told })
    }

    fn refresh_described(&self, token: &str) -> Result<Option<Found>> {
        let found = self.store().refresh(&digest(token), self.now())?;
        let Some(Refresh { grant, expires, is_good: true }) = found else { return Ok(None) };
        let given = Given::of(&grant)?;
        let principal = given.principal(&grant, Scopes::parse(&given.scopes))?;
        let told = self.about(&principal, expires.min(grant.expires).as_second())?;
        Ok(Some(Found { principal: Arc::new(principal), grant: Some(grant.id), told }))
    }

    fn about(&self, principal: &Principal, expires: i64) -> Result<Map<String, Value>> {
        let site = self.site()?;
        let user = principal.fhir_user.as_ref().map(|user| format!("{}/{user}", site.base));
        let about = [
            ("active", Some(json!(true))),
            ("iss", Some(json!(site.issuer))),
            ("aud", Some(json!(site.base))),
            ("sub", Some(json!(principal.subject))),
            ("client_id", Some(json!(principal.client))),
            ("scope", Some(json!(principal.scopes.to_string()))),
            ("exp", Some(json!(expires))),
            ("patient", principal.patient.as_ref().map(|id| json!(id.as_str()))),
            ("encounter", principal.encounter.as_ref().map(|id| json!(id.as_str()))),
            ("fhirUser", user.map(|user| json!(user))),
        ];
        let said = |(name, value): (&str, Option<Value>)| Some((name.to_owned(), value?));
        Ok(about.into_iter().filter_map(said).collect())
    }

    /// Takes a token back that a client shows: a refresh token with its whole grant, an access token
    /// by itself. A token that is not good, or another's, is none to be taken back.
    pub async fn revoke(
        self: &Arc<Self>,
        credentials: Credentials,
        token: String,
    ) -> std::result::Result<(), Refused> {
        let caller = Caller::of(&credentials);
        let client = match self.prove(credentials).await {
            Ok(client) => client,
            Err(refused) => return self.tell(caller, Err(refused)).await,
        };
        let authority = Arc::clone(self);
        let work = move || authority.revoke_shown(&client, &token);
        let is_revoked = tokio::task::spawn_blocking(work).await.map_err(Error::internal)??;
        if !is_revoked {
            let hint = "there is no such token of this client";
            let fault = Fault::new(Code::InvalidGrant, hint);
            // Taken down, but not told (RFC 7009, 2.2).
            if let Err(Refused::Error(error)) = self.tell::<()>(caller, Err(fault.into())).await {
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Whether there was one to be taken back.
    fn revoke_shown(&self, client: &Client, token: &str) -> Result<bool> {
        let now = self.now();
        if let Some(Refresh { grant, .. }) = self.store().refresh(&digest(token), now)? {
            let is_own = grant.client == client.id;
            if is_own {
                self.revoke_grant(&grant.tenant, &grant.id, &client.id)?;
            }
            return Ok(is_own);
        }
        let Ok(verified) = self.parts.tokens.verify(token) else { return Ok(false) };
        let principal = &verified.principal;
        if principal.client != client.id || principal.tenant != client.tenant {
            return Ok(false);
        }
        let expires = Timestamp::from_second(verified.expires).map_err(Error::internal)?;
        self.store().revoke_token(&verified.jti, expires, now)?;
        self.forget(&principal.tenant, verified.grant.as_deref());
        self.saw(&Decision {
            tenant: Some(principal.tenant.as_str()),
            client: Some(&client.id),
            subject: Some(&principal.subject),
            grant: verified.grant.as_deref(),
            patient: principal.patient.as_ref().map(FhirId::as_str),
            ..Decision::of(Event::Revoked)
        })?;
        Ok(true)
    }
}

impl Sight {
    fn tenant(&self) -> &str {
        match self {
            Self::Tenant(client) => client.tenant.as_str(),
            Self::Own { tenant, .. } => tenant,
        }
    }

    fn client(&self) -> &str {
        match self {
            Self::Tenant(client) => &client.id,
            Self::Own { client, .. } => client,
        }
    }

    fn sees(&self, principal: &Principal) -> bool {
        match self {
            Self::Tenant(client) => client.tenant == principal.tenant,
            Self::Own { tenant, client } => {
                *tenant == principal.tenant.as_str() && *client == principal.client
            }
        }
    }
}
