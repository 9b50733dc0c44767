//! The token endpoint (RFC 6749, 3.2): a code, a refresh token or a client's own proof in, an access
//! token out.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::bearer::acts_still;
use super::client::Client;
use super::decision::{Decision, Event};
use super::fault::{Code, Fault, Refused};
use super::grant::Given;
use super::launch::after;
use super::proof::Credentials;
use super::refusal::Caller;
use super::{Authority, identity};
use crate::auth;
use crate::error::{Error, Result};
use crate::policy::{Level, Plain, Principal, Scope, Scopes, Under};
use crate::store::{GrantRow, Refresh, RefreshRow, Rotation};

/// What a client asks the token endpoint for.
#[derive(Debug, Clone, Default)]
pub struct TokenRequest {
    /// Who asks.
    pub credentials: Credentials,
    /// `grant_type`.
    pub grant_type: Option<String>,
    /// `code`.
    pub code: Option<String>,
    /// `redirect_uri`.
    pub redirect_uri: Option<String>,
    /// `code_verifier`.
    pub verifier: Option<String>,
    /// `refresh_token`.
    pub refresh_token: Option<String>,
    /// `scope`.
    pub scope: Option<String>,
}

/// What the token endpoint answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenAnswer {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    scope: String,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// What is asked for in one of the ways.
type Answered = std::result::Result<(TokenAnswer, Told), Refused>;

/// What is told of an answer.
struct Told {
    event: Event,
    grant: Option<GrantRow>,
}

fn missing(hint: &'static str) -> Refused {
    Fault::new(Code::InvalidRequest, hint).into()
}

impl Authority {
    /// Answers a token request.
    pub async fn token(
        self: &Arc<Self>,
        request: TokenRequest,
    ) -> std::result::Result<TokenAnswer, Refused> {
        let caller = Caller::of(&request.credentials);
        let answered = self.answer(request).await;
        self.tell(caller, answered).await
    }

    async fn answer(
        self: &Arc<Self>,
        request: TokenRequest,
    ) -> std::result::Result<TokenAnswer, Refused> {
        let way = match request.grant_type.as_deref() {
            Some("authorization_code") => Self::for_code,
            Some("refresh_token") => Self::for_refresh,
            Some("client_credentials") => Self::for_itself,
            None => return Err(missing("say with grant_type what is shown for the token")),
            Some(_) => {
                let hint = "see grant_types_supported in the smart-configuration";
                return Err(Fault::new(Code::UnsupportedGrantType, hint).into());
            }
        };
        let address = request.credentials.address;
        let client = self.prove(self.credentials(&request).await?).await?;
        let authority = Arc::clone(self);
        let work = move || -> std::result::Result<TokenAnswer, Refused> {
            let (answer, told) = way(&authority, &client, &request)?;
            authority.saw(&Decision {
                tenant: Some(client.tenant.as_str()),
                client: Some(&client.id),
                subject: told.grant.as_ref().map(|grant| grant.subject.as_str()),
                patient: told.grant.as_ref().map(|grant| grant.patient.as_str()),
                grant: told.grant.as_ref().map(|grant| grant.id.as_str()),
                scopes: Some(&answer.scope),
                address,
                ..Decision::of(told.event)
            })?;
            Ok(answer)
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
    }

    /// What a client shows of itself. A public one may leave its name out where its refresh token
    /// says whose it is (RFC 6749, 6).
    async fn credentials(
        self: &Arc<Self>,
        request: &TokenRequest,
    ) -> std::result::Result<Credentials, Refused> {
        let mut shown = request.credentials.clone();
        if request.grant_type.as_deref() == Some("refresh_token")
            && shown.is_silent()
            && let Some(token) = &request.refresh_token
        {
            let (authority, digest) = (Arc::clone(self), auth::digest(token));
            let find = move || authority.store().refresh(&digest, authority.now());
            let found = tokio::task::spawn_blocking(find).await.map_err(Error::internal)??;
            let hint = "the refresh token is not good: ask the person again";
            let found = found.ok_or(Fault::new(Code::InvalidGrant, hint))?;
            shown.client_id = Some(found.grant.client);
        }
        Ok(shown)
    }

    fn for_code(&self, client: &Client, request: &TokenRequest) -> Answered {
        let code = request.code.as_deref().ok_or_else(|| missing("send the code"))?;
        let redirect_uri = request.redirect_uri.as_deref();
        let redirect_uri = redirect_uri.ok_or_else(|| missing("send the redirect_uri"))?;
        let verifier = request.verifier.as_deref();
        let verifier = verifier.ok_or_else(|| missing("send the code_verifier (RFC 7636)"))?;
        let (code, grant) = self.redeem(code, &client.id, redirect_uri, verifier)?;
        let given = Given::of(&grant)?;
        let scopes = Scopes::parse(&given.scopes);
        let refresh = self.first_refresh(&grant, &scopes)?;
        self.store().use_grant(&grant.id, self.now())?;
        let nonce = code.nonce.as_deref();
        let answer = self.given(client, &grant, &given, scopes, (refresh, nonce))?;
        Ok((answer, Told { event: Event::Issued, grant: Some(grant) }))
    }

    fn for_refresh(&self, client: &Client, request: &TokenRequest) -> Answered {
        let invalid = || {
            let hint = "the refresh token is not good: ask the person again";
            Refused::from(Fault::new(Code::InvalidGrant, hint))
        };
        let shown = request.refresh_token.as_deref();
        let shown = shown.ok_or_else(|| missing("send the refresh_token"))?;
        let (digest, now) = (auth::digest(shown), self.now());
        let found = self.store().refresh(&digest, now)?.ok_or_else(invalid)?;
        let Refresh { grant, is_good, .. } = found;
        // Another client's token is nobody's here, and stays good for its own.
        if grant.client != client.id {
            return Err(invalid());
        }
        let given = Given::of(&grant)?;
        let granted = Scopes::parse(&given.scopes);
        // It is kept: a right that was only interrupted, by an order that is lifted, comes back.
        if !acts_still(self.store(), &given.principal(&grant, granted.clone())?, now)? {
            return Err(invalid());
        }
        let scopes = match request.scope.as_deref().filter(|scope| !scope.is_empty()) {
            None => granted.clone(),
            Some(text) => {
                let asked = Scopes::parse(text);
                let is_known = text.split(' ').filter(|scope| !scope.is_empty()).count()
                    == asked.iter().count();
                if is_good && (asked.is_empty() || !is_known || !granted.cover(&asked)) {
                    let hint = "ask for a part of what was granted, or leave scope out";
                    return Err(Fault::new(Code::InvalidScope, hint).into());
                }
                asked
            }
        };
        // What the client may have had meanwhile.
        let scopes = scopes.within(&client.scopes);
        let next = auth::secret()?;
        let row = RefreshRow {
            digest: auth::digest(&next),
            grant: grant.id.clone(),
            expires: self.refresh_until(&granted, now).min(grant.expires),
        };
        match self.store().rotate(&digest, &row, now)? {
            Rotation::Rotated(grant) => {
                let answer = self.given(client, &grant, &given, scopes, (Some(next), None))?;
                Ok((answer, Told { event: Event::Refreshed, grant: Some(grant) }))
            }
            Rotation::Reused(grant) => {
                self.forget(&grant.tenant, Some(&grant.id));
                self.saw(&Decision {
                    tenant: Some(grant.tenant.as_str()),
                    client: Some(&grant.client),
                    subject: Some(&grant.subject),
                    grant: Some(&grant.id),
                    patient: Some(&grant.patient),
                    address: request.credentials.address,
                    ..Decision::of(Event::Reused)
                })?;
                Err(invalid())
            }
            Rotation::Unknown => Err(invalid()),
        }
    }

    fn for_itself(&self, client: &Client, request: &TokenRequest) -> Answered {
        if !client.is_backend() {
            let hint = "this client gets tokens through a person only";
            return Err(Fault::new(Code::UnauthorizedClient, hint).into());
        }
        let is_system =
            |scope: &&Scope| matches!(scope, Scope::Resource(own) if own.level == Level::System);
        let asked = Scopes::parse(request.scope.as_deref().unwrap_or_default());
        let within = asked.offered().within(&client.scopes);
        let scopes: Scopes = within.iter().filter(is_system).cloned().collect();
        if scopes.is_empty() {
            let hint = "ask for system scopes that the client is registered with";
            return Err(Fault::new(Code::InvalidScope, hint).into());
        }
        let under = (!client.is_own).then(|| Under::of_client(&client.id, client.purpose));
        let principal = Principal {
            scopes,
            under,
            ..Principal::new(client.tenant.clone(), client.id.clone(), "")
        };
        let (access_token, _) = self.parts.tokens.issue(&principal, self.terms.access, None)?;
        let answer = TokenAnswer {
            access_token,
            token_type: "Bearer",
            expires_in: self.terms.access.as_secs(),
            scope: principal.scopes.to_string(),
            others: Map::new(),
        };
        Ok((answer, Told { event: Event::Credited, grant: None }))
    }

    /// The first refresh token of a grant, where one was granted.
    fn first_refresh(&self, grant: &GrantRow, scopes: &Scopes) -> Result<Option<String>> {
        if !scopes.has(Plain::OfflineAccess) && !scopes.has(Plain::OnlineAccess) {
            return Ok(None);
        }
        let secret = auth::secret()?;
        self.store().put_refresh(&RefreshRow {
            digest: auth::digest(&secret),
            grant: grant.id.clone(),
            expires: self.refresh_until(scopes, self.now()).min(grant.expires),
        })?;
        Ok(Some(secret))
    }

    fn refresh_until(&self, scopes: &Scopes, now: Timestamp) -> Timestamp {
        let is_offline = scopes.has(Plain::OfflineAccess);
        after(now, if is_offline { self.terms.refresh } else { self.terms.online })
    }

    /// A token of a grant, with what comes along.
    fn given(
        &self,
        client: &Client,
        grant: &GrantRow,
        given: &Given,
        scopes: Scopes,
        (refresh, nonce): (Option<String>, Option<&str>),
    ) -> Result<TokenAnswer> {
        let principal = given.principal(grant, scopes)?;
        let left = grant.expires.as_second() - self.now().as_second();
        let left = Duration::from_secs(u64::try_from(left).unwrap_or_default());
        let lifetime = self.terms.access.min(left);
        let (access_token, _) = self.parts.tokens.issue(&principal, lifetime, Some(&grant.id))?;
        let mut others = Map::new();
        for (name, id) in [("patient", &principal.patient), ("encounter", &principal.encounter)] {
            others.extend(id.as_ref().map(|id| (name.to_owned(), json!(id.as_str()))));
        }
        if let Value::Object(told) = json!(given.told) {
            others.extend(told);
        }
        others.extend(refresh.map(|secret| ("refresh_token".to_owned(), json!(secret))));
        if principal.scopes.has(Plain::OpenId) {
            let about = identity::About { client, given, nonce, lifetime };
            let token = self.id_token(&principal, &about)?;
            others.insert("id_token".to_owned(), json!(token));
        }
        Ok(TokenAnswer {
            access_token,
            token_type: "Bearer",
            expires_in: lifetime.as_secs(),
            scope: principal.scopes.to_string(),
            others,
        })
    }
}
