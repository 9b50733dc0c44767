//! Other issuers whose access tokens are believed: each for one tenant, and no further than the
//! configuration says.

use std::str::FromStr;
use std::sync::Arc;

use jsonwebtoken::jwk::{JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use moka::sync::Cache;
use serde::Deserialize;

use crate::auth::{KeySets, SKEW_S, Verified, digest};
use crate::config::IssuerSettings;
use crate::domain::TenantId;
use crate::error::{Error, Result};
use crate::policy::{FhirUser, Principal, Scopes, Under};

/// What tokens may be signed with.
const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::ES256, Algorithm::ES384, Algorithm::RS256, Algorithm::RS384];
/// How many verdicts are remembered.
const REMEMBERED: u64 = 10_000;
/// The longest token that is looked at, in bytes.
const LONGEST: usize = 8 * 1024;

/// An issuer.
struct Issuer {
    name: String,
    key_set: String,
    audience: String,
    tenant: TenantId,
    scopes: Scopes,
}

/// The issuers.
pub(super) struct Issuers {
    known: Vec<Issuer>,
    verdicts: Cache<[u8; 32], Arc<Verified>>,
}

/// Who says that they issued it; nothing is proven by it.
#[derive(Deserialize)]
struct Named {
    iss: String,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    #[serde(default)]
    nbf: i64,
    #[serde(default)]
    iat: i64,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    patient: Option<String>,
    #[serde(default)]
    encounter: Option<String>,
    #[serde(default, rename = "fhirUser")]
    fhir_user: Option<String>,
}

impl Issuers {
    /// The issuers of the settings.
    ///
    /// # Errors
    ///
    /// `Setup`, with what to put right.
    pub(super) fn new(settings: &[IssuerSettings]) -> Result<Self> {
        let known = settings.iter().map(Issuer::new).collect::<Result<Vec<_>>>()?;
        Ok(Self { known, verdicts: Cache::new(REMEMBERED) })
    }

    /// What a token of one of them says.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, whatever is wrong with it.
    pub(super) async fn verify(
        &self,
        token: &str,
        key_sets: &KeySets,
        now: i64,
    ) -> Result<Arc<Verified>> {
        if self.known.is_empty() || token.len() > LONGEST {
            return Err(Error::Unauthenticated);
        }
        let key = digest(token);
        if let Some(known) = self.verdicts.get(&key) {
            return if known.expires > now { Ok(known) } else { Err(Error::Unauthenticated) };
        }
        let verified = self.judge(token, key, key_sets, now).await;
        let verified = Arc::new(verified.ok_or(Error::Unauthenticated)?);
        self.verdicts.insert(key, Arc::clone(&verified));
        Ok(verified)
    }

    async fn judge(
        &self,
        token: &str,
        digest: [u8; 32],
        key_sets: &KeySets,
        now: i64,
    ) -> Option<Verified> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let named: Named = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
        let issuer = self.known.iter().find(|issuer| issuer.name == named.iss)?;
        if header.crit.is_some() || !ALGORITHMS.contains(&header.alg) {
            return None;
        }
        let kid = header.kid.as_deref()?;
        let has =
            |set: &JwkSet| set.keys.iter().any(|key| key.common.key_id.as_deref() == Some(kid));
        let mut set = key_sets.get(&issuer.key_set, false).await?;
        if !has(&set) {
            set = key_sets.get(&issuer.key_set, true).await?;
        }
        let claims = issuer.claims(token, &header, &set)?;
        (claims.exp > now && claims.nbf <= now + SKEW_S).then_some(())?;
        issuer.verified(claims, digest)
    }
}

impl Issuer {
    fn new(settings: &IssuerSettings) -> Result<Self> {
        let wrong = |what: &str| Error::Setup(format!("issuer {}: {what}", settings.issuer));
        let scopes = Scopes::parse(&settings.scopes);
        if scopes.is_empty() || settings.issuer.is_empty() || settings.audience.is_empty() {
            return Err(wrong("give it a name, an audience, and scopes of this server"));
        }
        Ok(Self {
            name: settings.issuer.clone(),
            key_set: settings.jwks_url.clone(),
            audience: settings.audience.clone(),
            tenant: settings.tenant.parse().map_err(|()| wrong("the tenant's name is not one"))?,
            scopes,
        })
    }

    /// The claims of a token that a key of the set signed.
    fn claims(&self, token: &str, header: &Header, set: &JwkSet) -> Option<Claims> {
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.name]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        // The expiry is checked against the clock that was passed in.
        validation.validate_exp = false;
        let named = set.keys.iter().filter(|key| {
            key.common.key_id == header.kid
                && !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption))
        });
        named.filter_map(|key| DecodingKey::from_jwk(key).ok()).find_map(|key| {
            jsonwebtoken::decode::<Claims>(token, &key, &validation).ok().map(|data| data.claims)
        })
    }

    fn verified(&self, claims: Claims, digest: [u8; 32]) -> Option<Verified> {
        // What is there has to be understood: a patient that is not would widen what is shown.
        let part = |text: Option<String>| text.map(|text| text.parse()).transpose();
        let user = |text: String| {
            // Mostly a URL, of which the end counts.
            let mut parts = text.rsplit('/');
            let (id, kind) = (parts.next()?, parts.next()?);
            FhirUser::from_str(&format!("{kind}/{id}")).ok()
        };
        let client = claims.client_id.or(claims.azp).unwrap_or_else(|| claims.sub.clone());
        // So that nobody is taken for a client of ours.
        let client = format!("{} {client}", self.name);
        let fhir_user = match claims.fhir_user {
            Some(text) => Some(user(text)?),
            None => None,
        };
        // Of a client of another issuer nobody knows what it asks for.
        let by_itself = || Some(Under::of_client(&client, None));
        let principal = Principal {
            patient: part(claims.patient).ok()?,
            encounter: part(claims.encounter).ok()?,
            under: fhir_user.as_ref().map_or_else(by_itself, Under::of_person),
            fhir_user,
            scopes: Scopes::parse(&claims.scope).offered().within(&self.scopes),
            client,
            ..Principal::new(self.tenant.clone(), claims.sub, "")
        };
        Some(Verified {
            principal: Arc::new(principal),
            jti: hex::encode(digest),
            grant: None,
            issued: claims.iat,
            expires: claims.exp,
            digest,
        })
    }
}
