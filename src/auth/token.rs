//! Bearer tokens: short-lived JWTs (RFC 9068 in shape), signed ES384 with the installation's key.
//!
//! Verifying a signature costs far more than a read, so the verdict is remembered until the token
//! expires. Remembered is the token's digest, never the token.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};

use super::Keys;
use crate::clock::Clock;
use crate::domain::TenantId;
use crate::error::{Error, Result};
use crate::policy::Principal;

/// Who issues the tokens until there is an authorization server.
const ISSUER: &str = "urn:throughline:demo";

/// How many verdicts are remembered.
const REMEMBERED: u64 = 10_000;

/// What a new token is to allow.
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

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    tenant: String,
    scope: String,
    iat: i64,
    exp: i64,
    jti: String,
}

/// A token that was verified before.
#[derive(Clone)]
struct Verdict {
    principal: Arc<Principal>,
    expires: i64,
}

/// Signs and verifies tokens.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    audience: String,
    clock: Arc<dyn Clock>,
    verdicts: Cache<[u8; 32], Verdict>,
}

impl Tokens {
    /// Signs and verifies with the installation's key.
    pub fn new(keys: &Keys, clock: Arc<dyn Clock>) -> Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, keys.signing())
            .map_err(|cause| Error::broken(format_args!("the signing key: {cause}")))?;
        let audience = format!("urn:throughline:{}", keys.installation());
        let mut validation = Validation::new(Algorithm::ES384);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[&audience]);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        // The expiry is checked against the clock that was passed in, here as for a remembered one.
        validation.validate_exp = false;
        Ok(Self {
            encoding: EncodingKey::from_ec_der(keys.signing()),
            decoding: DecodingKey::from_ec_der(pair.public_key().as_ref()),
            validation,
            audience,
            clock,
            verdicts: Cache::new(REMEMBERED),
        })
    }

    /// A new token.
    pub fn mint(&self, grant: &Grant) -> Result<String> {
        let mut id = [0; 16];
        SystemRandom::new().fill(&mut id).map_err(Error::internal)?;
        let now = self.clock.now().as_second();
        let lifetime = i64::try_from(grant.lifetime.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            iss: ISSUER.into(),
            aud: self.audience.clone(),
            sub: grant.subject.clone(),
            tenant: grant.tenant.as_str().into(),
            scope: grant.scopes.join(" "),
            iat: now,
            exp: now.saturating_add(lifetime),
            jti: hex::encode(id),
        };
        let header = Header { typ: Some("at+jwt".into()), ..Header::new(Algorithm::ES384) };
        jsonwebtoken::encode(&header, &claims, &self.encoding).map_err(Error::internal)
    }

    /// Who presents `token`.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, whatever is wrong with it.
    pub fn verify(&self, token: &str) -> Result<Arc<Principal>> {
        let now = self.clock.now().as_second();
        let hash = digest::digest(&digest::SHA256, token.as_bytes());
        let key: [u8; 32] = hash.as_ref().try_into().map_err(|_unsaid| Error::Unauthenticated)?;
        let verdict = match self.verdicts.get(&key) {
            Some(verdict) => verdict,
            None => self.judge(token)?,
        };
        if verdict.expires <= now {
            self.verdicts.invalidate(&key);
            return Err(Error::Unauthenticated);
        }
        let principal = Arc::clone(&verdict.principal);
        if !self.verdicts.contains_key(&key) {
            self.verdicts.insert(key, verdict);
        }
        Ok(principal)
    }

    fn judge(&self, token: &str) -> Result<Verdict> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|_unsaid| Error::Unauthenticated)?
            .claims;
        let principal = Principal {
            tenant: claims.tenant.parse().map_err(|()| Error::Unauthenticated)?,
            subject: claims.sub,
            scopes: claims.scope.split_whitespace().map(Into::into).collect(),
        };
        Ok(Verdict { principal: Arc::new(principal), expires: claims.exp })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jiff::Timestamp;

    use super::*;

    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
        }
    }

    fn tokens() -> (tempfile::TempDir, Arc<Hand>, Tokens) {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(1_700_000_000)));
        let tokens = Tokens::new(&Keys::open(folder.path()).unwrap(), clock.clone()).unwrap();
        (folder, clock, tokens)
    }

    fn grant() -> Grant {
        Grant {
            tenant: "hv".parse().unwrap(),
            subject: "demo".into(),
            scopes: vec!["system/*.rs".into()],
            lifetime: Duration::from_mins(1),
        }
    }

    #[test]
    fn a_token_says_who_calls_until_it_expires() {
        let (_folder, clock, tokens) = tokens();
        let token = tokens.mint(&grant()).unwrap();
        let principal = tokens.verify(&token).unwrap();
        assert_eq!(principal.tenant.as_str(), "hv");
        assert_eq!(principal.scopes, ["system/*.rs"]);
        assert!(tokens.verify(&token).is_ok());
        clock.0.fetch_add(60, Ordering::Relaxed);
        assert!(tokens.verify(&token).is_err());
    }

    #[test]
    fn a_token_of_another_installation_is_refused() {
        let (_one, _, tokens_of_one) = tokens();
        let (_other, _, tokens_of_other) = tokens();
        let token = tokens_of_one.mint(&grant()).unwrap();
        assert!(tokens_of_other.verify(&token).is_err());
    }

    #[test]
    fn a_changed_token_is_refused() {
        let (_folder, _, tokens) = tokens();
        let token = tokens.mint(&grant()).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        let claims = String::from_utf8(claims).unwrap().replace("\"hv\"", "\"xx\"");
        let forged = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims), parts[2]);
        assert!(tokens.verify(&forged).is_err());
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        assert!(tokens.verify(&format!("{none}.{}.", parts[1])).is_err());
        for garbage in ["", ".", "..", "a.b.c", "Bearer"] {
            assert!(tokens.verify(garbage).is_err(), "{garbage}");
        }
    }
}
