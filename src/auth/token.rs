//! Access tokens: short-lived JWTs (RFC 9068 in shape), signed ES384 with a key of the installation.
//!
//! Verifying a signature costs far more than a read, so the verdict is remembered until the token
//! expires. Remembered is the token's digest, never the token. Whether it has been revoked since is
//! not this module's question.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, Header, Validation};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};

use super::ring::{Ring, Signing};
use super::{Keys, Notary, secret};
use crate::clock::Clock;
use crate::domain::TenantId;
use crate::error::{Error, Result};
use crate::policy::{Obligations, Principal, Scopes, Under};

/// How many verdicts are remembered.
const REMEMBERED: u64 = 10_000;
/// The longest token that is looked at, in bytes.
const LONGEST: usize = 8 * 1024;
/// The type of an access token (RFC 9068, 2.1), so that no other token of ours passes for one.
const TYPE: &str = "at+jwt";

/// What a new token of the installation's own is to allow.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The tenant whose records it is for.
    pub tenant: TenantId,
    /// The caller, as an opaque id.
    pub subject: String,
    /// SMART scopes.
    pub scopes: Vec<String>,
    /// How long it holds.
    pub lifetime: Duration,
}

/// What an access token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    tenant: String,
    client_id: String,
    scope: String,
    iat: i64,
    exp: i64,
    jti: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patient: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encounter: Option<String>,
    #[serde(default, rename = "fhirUser", skip_serializing_if = "Option::is_none")]
    fhir_user: Option<String>,
    /// Whose grants it looks under; a token of the practice itself says so.
    under: Claim,
}

/// Under which grants a token looks.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claim {
    /// Whether under none: the practice's own.
    own: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    grantee: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patient: Option<String>,
}

/// A token that is well signed and of our making.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Who presents it.
    pub principal: Arc<Principal>,
    /// Its name.
    pub jti: String,
    /// The grant that it was made from, if a person or a refresh token stands behind it.
    pub grant: Option<String>,
    /// When it was made, in seconds since 1970.
    pub issued: i64,
    /// When it ends.
    pub expires: i64,
    /// SHA-256 of the token.
    pub digest: [u8; 32],
}

/// Signs and verifies tokens.
pub struct Tokens {
    ring: ArcSwap<Ring>,
    /// The key that signs copies of records, for those who check them.
    notary: Jwk,
    validation: Validation,
    issuer: String,
    clock: Arc<dyn Clock>,
    verdicts: Cache<[u8; 32], Arc<Verified>>,
}

impl Tokens {
    /// Signs and verifies with the installation's keys.
    pub fn new(keys: &Keys, clock: Arc<dyn Clock>) -> Result<Self> {
        let issuer = format!("urn:throughline:{}", keys.installation());
        let mut validation = Validation::new(Algorithm::ES384);
        validation.set_issuer(&[&issuer]);
        validation.set_audience(&[&issuer]);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        // The expiry is checked against the clock that was passed in, here as for a remembered one.
        validation.validate_exp = false;
        let ring = ArcSwap::from_pointee(keys.ring()?);
        let notary = Notary::new(keys)?.jwk()?;
        let verdicts = Cache::new(REMEMBERED);
        Ok(Self { ring, notary, validation, issuer, clock, verdicts })
    }

    /// Goes on with the keys that are in the file now.
    pub fn renew(&self, keys: &Keys) -> Result<()> {
        self.ring.store(Arc::new(keys.ring()?));
        Ok(())
    }

    /// The public halves of the keys (RFC 7517), that of copies of records last.
    pub fn key_set(&self) -> JwkSet {
        let (now, ring) = (self.now(), self.ring.load());
        let keys = ring.published(now).map(|key| key.jwk.clone());
        JwkSet { keys: keys.chain([self.notary.clone()]).collect() }
    }

    /// A token that the installation makes for itself.
    pub fn mint(&self, grant: &Grant) -> Result<String> {
        let scopes = grant.scopes.join(" ");
        let principal = Principal::new(grant.tenant.clone(), grant.subject.clone(), &scopes);
        Ok(self.issue(&principal, grant.lifetime, None)?.0)
    }

    /// A token for a principal, from a grant if there is one; and its name.
    pub fn issue(
        &self,
        principal: &Principal,
        lifetime: Duration,
        grant: Option<&str>,
    ) -> Result<(String, String)> {
        let jti = secret::name()?;
        let now = self.now();
        let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.issuer.clone(),
            sub: principal.subject.clone(),
            tenant: principal.tenant.as_str().into(),
            client_id: principal.client.clone(),
            scope: principal.scopes.to_string(),
            iat: now,
            exp: now.saturating_add(lifetime),
            jti: jti.clone(),
            grant: grant.map(str::to_owned),
            patient: principal.patient.as_ref().map(ToString::to_string),
            encounter: principal.encounter.as_ref().map(ToString::to_string),
            fhir_user: principal.fhir_user.as_ref().map(ToString::to_string),
            under: Claim::of(principal.under.as_ref()),
        };
        Ok((self.sign(Signing::ES384, TYPE, &claims)?, jti))
    }

    /// Signs claims as a JWT of a type.
    pub fn sign(&self, alg: Signing, typ: &str, claims: &impl Serialize) -> Result<String> {
        let ring = self.ring.load();
        let key = ring.signing(alg, self.now())?;
        let mut header = Header::new(alg.algorithm());
        header.typ = Some(typ.to_owned());
        header.kid = Some(key.kid.clone());
        jsonwebtoken::encode(&header, claims, &key.encoding).map_err(Error::internal)
    }

    /// What `token` says.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, whatever is wrong with it.
    pub fn verify(&self, token: &str) -> Result<Arc<Verified>> {
        let digest = secret::digest(token);
        let known = self.verdicts.get(&digest);
        let verified = match &known {
            Some(verified) => Arc::clone(verified),
            None => Arc::new(self.judge(token, digest)?),
        };
        if verified.expires <= self.now() {
            self.verdicts.invalidate(&digest);
            return Err(Error::Unauthenticated);
        }
        if known.is_none() {
            self.verdicts.insert(digest, Arc::clone(&verified));
        }
        Ok(verified)
    }

    fn judge(&self, token: &str, digest: [u8; 32]) -> Result<Verified> {
        let refused = || Error::Unauthenticated;
        if token.len() > LONGEST {
            return Err(refused());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_unsaid| refused())?;
        let is_ours = header.alg == Algorithm::ES384
            && header.typ.as_deref() == Some(TYPE)
            && header.crit.is_none();
        let kid = header.kid.filter(|_| is_ours).ok_or_else(refused)?;
        let ring = self.ring.load();
        let key = ring.find(Signing::ES384, &kid, self.now()).ok_or_else(refused)?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &self.validation)
            .map_err(|_unsaid| refused())?
            .claims;
        Self::read(claims, digest).ok_or_else(refused)
    }

    fn read(claims: Claims, digest: [u8; 32]) -> Option<Verified> {
        // What is there has to be understood: a patient that is not would widen what is shown.
        let part = |text: Option<String>| text.map(|text| text.parse()).transpose();
        let principal = Principal {
            tenant: claims.tenant.parse().ok()?,
            subject: claims.sub,
            client: claims.client_id,
            scopes: Scopes::parse(&claims.scope),
            patient: part(claims.patient).ok()?,
            encounter: part(claims.encounter).ok()?,
            fhir_user: claims.fhir_user.map(|user| user.parse()).transpose().ok()?,
            under: claims.under.read().ok()?,
            at: None,
        };
        Some(Verified {
            principal: Arc::new(principal),
            jti: claims.jti,
            grant: claims.grant,
            issued: claims.iat,
            expires: claims.exp,
            digest,
        })
    }

    fn now(&self) -> i64 {
        self.clock.now().as_second()
    }
}

impl Claim {
    fn of(under: Option<&Under>) -> Self {
        Self {
            own: under.is_none(),
            grantee: under.map_or_else(String::new, |under| under.grantee.clone()),
            patient: under.and_then(|under| under.patient.as_ref()).map(ToString::to_string),
        }
    }

    fn read(self) -> std::result::Result<Option<Under>, ()> {
        if self.own {
            return Ok(None);
        }
        let patient = self.patient.map(|patient| patient.parse()).transpose()?;
        Ok(Some(Under { grantee: self.grantee, patient, at: None, able: Obligations::NONE }))
    }
}

#[cfg(test)]
mod tests;
