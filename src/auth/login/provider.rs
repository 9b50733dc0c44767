//! The platform's OpenID provider, and this gateway as its relying party: authorization code with
//! PKCE (RFC 7636), `nonce`, `state` and `iss` (RFC 9207), and logout
//! (OpenID Connect RP-Initiated Logout 1.0).
//!
//! What the provider publishes is kept for some minutes; keys it does not know yet are asked for at
//! once, but not by every forged token.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClaimName, CoreClaimType,
    CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm,
    CoreResponseMode, CoreResponseType, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreSubjectIdentifierType, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, AuthorizationCode, ClaimsVerificationError,
    Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, IdToken, IdTokenFields, IssuerUrl,
    LogoutProviderMetadata, LogoutRequest, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadata, RedirectUrl, Scope,
    SignatureVerificationError, StandardErrorResponse, StandardTokenResponse, TokenResponse,
    UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::claims::{Identity, Others};
use super::http;
use crate::clock::Clock;
use crate::config::ProviderSettings;
use crate::error::{Error, Result};

/// How long what the provider publishes is taken as it is.
const KEPT: SignedDuration = SignedDuration::from_mins(10);
/// How often new keys may be asked for.
const KEYS_EVERY: SignedDuration = SignedDuration::from_secs(10);
/// How far the provider's clock may be ahead.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

type Fields = IdTokenFields<
    Others,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Token =
    IdToken<Others, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type Party = Client<
    Others,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What a provider publishes: with where one signs out, and whether it says who answers.
type Metadata = ProviderMetadata<
    LogoutProviderMetadata<Answering>,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// How a provider answers (RFC 9207, 3).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Answering {
    /// Whether each answer has `iss`.
    #[serde(rename = "authorization_response_iss_parameter_supported", default)]
    says_who: bool,
}

impl AdditionalProviderMetadata for Answering {}

/// What has to be remembered until the person comes back.
#[derive(Clone, Serialize, Deserialize)]
pub struct Attempt {
    /// The parameter that comes back with them.
    pub state: String,
    nonce: String,
    verifier: String,
    /// When they went, if they have to prove anew who they are.
    #[serde(default)]
    anew: Option<Timestamp>,
}

impl Attempt {
    /// Whether somebody who came back proved anew who they are, if they had to: the provider says
    /// when, and it is since they went.
    pub fn is_met_by(&self, identity: &Identity) -> bool {
        self.anew.is_none_or(|departed| {
            identity.proven.is_some_and(|at| departed.duration_since(at) <= SKEW)
        })
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attempt")
    }
}

/// Where the person goes.
#[derive(Debug)]
pub struct Departure {
    /// The provider's page.
    pub url: String,
    /// What has to be remembered.
    pub attempt: Attempt,
}

/// What the person came back with.
#[derive(Clone, Copy)]
pub struct Return<'a> {
    /// The code.
    pub code: &'a str,
    /// Who says that it is from them, if they say so.
    pub issuer: Option<&'a str>,
}

/// What the provider publishes, and when it was asked.
#[derive(Clone)]
struct Published {
    metadata: Metadata,
    asked: Timestamp,
}

/// The provider.
pub struct Provider {
    issuer: IssuerUrl,
    client: ClientId,
    secret: Option<ClientSecret>,
    scopes: Vec<Scope>,
    /// The claims that are needed, so that they are asked for where the ID token has not got them.
    needed: Vec<String>,
    back: RedirectUrl,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    published: Mutex<Option<Published>>,
}

impl Provider {
    /// The provider of the settings, which sends people back to `back`, an absolute URL.
    ///
    /// # Errors
    ///
    /// `Setup`, with what to put right. The provider is not asked yet.
    pub fn open(
        settings: &ProviderSettings,
        needed: Vec<String>,
        back: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let secret = settings.client_secret_file.as_deref().map(secret).transpose()?;
        let issuer = IssuerUrl::new(settings.issuer.clone());
        let issuer = issuer.map_err(|_cause| setup("login.provider.issuer is no URL"))?;
        let back = RedirectUrl::new(back.to_owned()).map_err(Error::internal)?;
        Ok(Self {
            issuer,
            client: ClientId::new(settings.client_id.clone()),
            secret,
            scopes: settings.scopes.iter().cloned().map(Scope::new).collect(),
            needed,
            back,
            http: http::client().map_err(Error::internal)?,
            clock,
            published: Mutex::default(),
        })
    }

    /// The provider's issuer.
    pub fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    /// Sends somebody to the provider; `anew` makes them prove again who they are.
    ///
    /// # Errors
    ///
    /// `Unavailable` while the provider does not answer.
    pub async fn depart(&self, language: &str, anew: bool) -> Result<Departure> {
        let party = self.party(&self.published(KEPT).await?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let mut request = party
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(self.scopes.iter().cloned())
            .add_extra_param("ui_locales", language.to_owned())
            .set_pkce_challenge(challenge);
        if anew {
            // By an age the provider has to say when they did (OpenID Connect Core, 2, auth_time).
            request = request.add_prompt(CoreAuthPrompt::Login).set_max_age(Duration::ZERO);
        }
        let (url, state, nonce) = request.url();
        let attempt = Attempt {
            state: state.secret().clone(),
            nonce: nonce.secret().clone(),
            verifier: verifier.secret().clone(),
            anew: anew.then(|| self.clock.now()),
        };
        Ok(Departure { url: url.into(), attempt })
    }

    /// Who came back.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, whatever is wrong with what they came with; `Unavailable` while the
    /// provider does not answer.
    pub async fn receive(&self, back: Return<'_>, attempt: &Attempt) -> Result<Identity> {
        let published = self.published(KEPT).await?;
        let is_ours = match back.issuer {
            Some(issuer) => issuer == self.issuer.as_str(),
            // One that says it always says so in its metadata (RFC 9207, 2.4).
            None => !published.metadata.additional_metadata().additional_metadata.says_who,
        };
        if !is_ours {
            return Err(Error::Unauthenticated);
        }
        let party = self.party(&published);
        let request = party
            .exchange_code(AuthorizationCode::new(back.code.to_owned()))
            .map_err(|_missing| Error::unavailable("the provider has no token endpoint"))?
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier.clone()));
        let tokens = request.request_async(&|request| self.send(request)).await;
        let tokens = tokens.map_err(|failure| match failure {
            openidconnect::RequestTokenError::Request(_) => {
                Error::unavailable("the provider's token endpoint does not answer")
            }
            _ => Error::Unauthenticated,
        })?;
        let token = tokens.id_token().ok_or(Error::Unauthenticated)?;
        let mut identity = match self.identify(&party, token, &tokens, attempt) {
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey
                | SignatureVerificationError::CryptoError(_),
            )) => {
                let party = self.party(&self.published(KEYS_EVERY).await?);
                self.identify(&party, token, &tokens, attempt)
            }
            other => other,
        }
        .map_err(|_unsaid| Error::Unauthenticated)?;
        self.complete(&party, &tokens, &mut identity).await?;
        Ok(identity)
    }

    /// Where somebody signs out of the provider too, and comes back to `back`; nowhere, if the
    /// provider has no such place or does not answer.
    pub async fn logout(&self, id_token: &str, back: &str) -> Option<String> {
        let published = self.published(KEPT).await.ok()?;
        let place = published.metadata.additional_metadata().end_session_endpoint.clone()?;
        let request = LogoutRequest::from(place)
            .set_client_id(self.client.clone())
            .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(back.to_owned()).ok()?);
        let request = match id_token.parse::<Token>() {
            Ok(token) => request.set_id_token_hint(&token),
            Err(_) => request,
        };
        Some(request.http_get_url().into())
    }

    /// The person whom an ID token names, if it is good (OpenID Connect Core 1.0, 3.1.3.7).
    fn identify(
        &self,
        party: &Party,
        token: &Token,
        tokens: &Tokens,
        attempt: &Attempt,
    ) -> std::result::Result<Identity, ClaimsVerificationError> {
        let now = self.clock.now();
        let latest = now.saturating_add(SKEW);
        let latest = latest.map_err(|_end| ClaimsVerificationError::Other("no time".to_owned()))?;
        let verifier = party
            .id_token_verifier()
            .set_allowed_algs([
                CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
                CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
                CoreJwsSigningAlgorithm::EcdsaP256Sha256,
                CoreJwsSigningAlgorithm::EcdsaP384Sha384,
                CoreJwsSigningAlgorithm::EdDsa,
            ])
            .set_issue_time_verifier_fn(move |issued| {
                let is_past = issued.timestamp() <= latest.as_second();
                is_past.then_some(()).ok_or_else(|| "it is from the future".to_owned())
            });
        let claims = token.claims(&verifier, &Nonce::new(attempt.nonce.clone()))?;
        if let Some(expected) = claims.access_token_hash() {
            let broken = |_unsaid| ClaimsVerificationError::Other("at_hash".to_owned());
            let algorithm =
                token.signing_alg().map_err(ClaimsVerificationError::SignatureVerification)?;
            let key = token
                .signing_key(&verifier)
                .map_err(ClaimsVerificationError::SignatureVerification)?;
            let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key);
            if actual.map_err(broken)? != *expected {
                return Err(ClaimsVerificationError::Other("at_hash".to_owned()));
            }
        }
        let proven = claims.auth_time().map(|at| at.timestamp());
        let proven = proven.and_then(|at| Timestamp::from_second(at).ok());
        Ok(Identity {
            issuer: self.issuer.to_string(),
            subject: claims.subject().to_string(),
            claims: claims.additional_claims().0.clone(),
            proven: proven.map(|at| at.min(now)),
            id_token: token.to_string(),
        })
    }

    /// Asks for the claims that the ID token has not got.
    async fn complete(
        &self,
        party: &Party,
        tokens: &Tokens,
        identity: &mut Identity,
    ) -> Result<()> {
        let is_complete = self.needed.iter().all(|claim| !identity.values(claim).is_empty());
        if is_complete {
            return Ok(());
        }
        let subject = openidconnect::SubjectIdentifier::new(identity.subject.clone());
        let Ok(request) = party.user_info(tokens.access_token().clone(), Some(subject)) else {
            return Ok(());
        };
        let claims: UserInfoClaims<Others, CoreGenderClaim> = request
            .request_async(&|request| self.send(request))
            .await
            .map_err(|_unsaid| Error::unavailable("the provider's claims cannot be read"))?;
        let Others(more) = claims.additional_claims().clone();
        let known: Map<String, Value> = std::mem::take(&mut identity.claims);
        // What is signed counts more than what is not.
        identity.claims = more.into_iter().chain(known).collect();
        Ok(())
    }

    fn party(&self, published: &Published) -> Party {
        let (client, secret) = (self.client.clone(), self.secret.clone());
        Party::from_provider_metadata(published.metadata.clone(), client, secret)
            .set_redirect_uri(self.back.clone())
    }

    /// What the provider publishes, no older than `age`.
    async fn published(&self, age: SignedDuration) -> Result<Published> {
        let now = self.clock.now();
        let mut published = self.published.lock().await;
        if let Some(known) =
            published.as_ref().filter(|known| now.duration_since(known.asked) < age)
        {
            return Ok(known.clone());
        }
        let send = |request| self.send(request);
        let asked = Metadata::discover_async(self.issuer.clone(), &send);
        let metadata = asked
            .await
            .map_err(|_unsaid| Error::unavailable("the provider cannot be discovered"))?;
        let fresh = Published { metadata, asked: now };
        *published = Some(fresh.clone());
        Ok(fresh)
    }

    fn send(
        &self,
        request: HttpRequest,
    ) -> impl Future<Output = std::result::Result<openidconnect::HttpResponse, http::Trouble>> + use<>
    {
        http::send(self.http.clone(), request)
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Provider")
    }
}

/// The secret in a file, which only its owner may read.
fn secret(path: &Path) -> Result<ClientSecret> {
    use std::os::unix::fs::PermissionsExt;
    let wrong = |what: &str| setup(&format!("{}: {what}", path.display()));
    let known = std::fs::metadata(path).map_err(|cause| wrong(&cause.to_string()))?;
    if known.permissions().mode() & 0o007 != 0 {
        return Err(wrong("everybody can read the provider's secret: chmod 600 it"));
    }
    let text = std::fs::read_to_string(path).map_err(|cause| wrong(&cause.to_string()))?;
    Ok(ClientSecret::new(text.trim().to_owned()))
}

fn setup(what: &str) -> Error {
    Error::Setup(what.to_owned())
}
