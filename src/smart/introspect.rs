//! Looking at tokens (RFC 7662), and taking them back (RFC 7009).

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Authority;
use super::client::{Client, Proof};
use super::decision::{Decision, Event};
use super::fault::Refused;
use super::grant::Given;
use super::proof::Credentials;
use crate::auth::{Verified, digest};
use crate::error::{Error, Result};
use crate::policy::{Principal, Scopes};

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
        let sight = match asker {
            Asker::Client(credentials) => {
                let client = self.prove(*credentials).await?;
                match client.proof {
                    Proof::Public => {
                        Sight::Own { tenant: client.tenant.to_string(), client: client.id }
                    }
                    _ => Sight::Tenant(client),
                }
            }
            Asker::Bearer(own) => {
                let principal = Arc::clone(&self.admit(&own).await?.principal);
                let (tenant, client) = (principal.tenant.to_string(), principal.client.clone());
                Sight::Own { tenant, client }
            }
        };
        let inactive = json!({ "active": false });
        if let Ok(verified) = self.admit(&token).await {
            let is_seen = sight.sees(&verified.principal);
            return Ok(if is_seen { self.described(&verified)? } else { inactive });
        }
        let authority = Arc::clone(self);
        let refresh = move || authority.refresh_described(&token);
        let found = tokio::task::spawn_blocking(refresh).await.map_err(Error::internal)??;
        let seen = found.filter(|(principal, _)| sight.sees(principal));
        Ok(seen.map_or(inactive, |(_, described)| described))
    }

    fn described(&self, verified: &Verified) -> Result<Value> {
        let mut described = self.about(&verified.principal, verified.expires)?;
        described.extend([
            ("token_type".to_owned(), json!("Bearer")),
            ("iat".to_owned(), json!(verified.issued)),
            ("jti".to_owned(), json!(verified.jti)),
        ]);
        Ok(described.into())
    }

    fn refresh_described(&self, token: &str) -> Result<Option<(Principal, Value)>> {
        let found = self.store().refresh(&digest(token), self.now())?;
        let Some((grant, true)) = found else { return Ok(None) };
        let given = Given::of(&grant)?;
        let principal = given.principal(&grant, Scopes::parse(&given.scopes))?;
        let described = self.about(&principal, grant.expires.as_second())?;
        Ok(Some((principal, described.into())))
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
        let client = self.prove(credentials).await?;
        let authority = Arc::clone(self);
        let work = move || authority.revoke_shown(&client, &token);
        Ok(tokio::task::spawn_blocking(work).await.map_err(Error::internal)??)
    }

    fn revoke_shown(&self, client: &Client, token: &str) -> Result<()> {
        let now = self.now();
        if let Some((grant, _)) = self.store().refresh(&digest(token), now)? {
            if grant.client == client.id {
                self.revoke_grant(&grant.tenant, &grant.id)?;
            }
            return Ok(());
        }
        let Ok(verified) = self.parts.tokens.verify(token) else { return Ok(()) };
        let principal = &verified.principal;
        if principal.client != client.id || principal.tenant != client.tenant {
            return Ok(());
        }
        let expires = Timestamp::from_second(verified.expires).map_err(Error::internal)?;
        self.store().revoke_token(&verified.jti, expires, now)?;
        self.forget(&principal.tenant, verified.grant.as_deref());
        self.saw(&Decision {
            tenant: Some(principal.tenant.as_str()),
            client: Some(&client.id),
            subject: Some(&principal.subject),
            grant: verified.grant.as_deref(),
            ..Decision::of(Event::Revoked)
        })?;
        Ok(())
    }
}

impl Sight {
    fn sees(&self, principal: &Principal) -> bool {
        match self {
            Self::Tenant(client) => client.tenant == principal.tenant,
            Self::Own { tenant, client } => {
                *tenant == principal.tenant.as_str() && *client == principal.client
            }
        }
    }
}
