//! Secrets that others show us: made at random, kept as digests, compared in constant time.

use std::fmt;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::digest::{SHA256, digest as sha};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Error, Result};

/// A new secret: 256 random bits as 43 letters of base64url.
pub fn secret() -> Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(Error::internal)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A new name that is no secret: 128 random bits in hexadecimal digits.
pub fn name() -> Result<String> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(Error::internal)?;
    Ok(hex::encode(bytes))
}

/// SHA-256: how a secret with 256 random bits is kept, and found again.
pub fn digest(secret: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(sha(&SHA256, secret.as_bytes()).as_ref());
    bytes
}

/// Whether two texts are the same, in a time that does not depend on where they differ.
pub fn same(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

/// A client's secret, as argon2id keeps it (RFC 9106): 19 MiB, two passes.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash(String);

impl SecretHash {
    /// The hash of a secret.
    pub fn of(secret: &str) -> Result<Self> {
        let mut salt = [0; 16];
        SystemRandom::new().fill(&mut salt).map_err(Error::internal)?;
        let salt = SaltString::encode_b64(&salt).map_err(|_salt| Error::broken("argon2's salt"))?;
        let hash = argon2()?.hash_password(secret.as_bytes(), &salt);
        Ok(Self(hash.map_err(|_secret| Error::broken("argon2"))?.to_string()))
    }

    /// A hash as it was kept; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        PasswordHash::new(text).ok().map(|_hash| Self(text.to_owned()))
    }

    /// As it is kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the secret. It takes milliseconds, on purpose.
    pub fn is_of(&self, secret: &str) -> bool {
        let hash = PasswordHash::new(&self.0);
        let verified = hash.map(|hash| {
            argon2().is_ok_and(|argon2| argon2.verify_password(secret.as_bytes(), &hash).is_ok())
        });
        verified.unwrap_or(false)
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(19 * 1024, 2, 1, None)
        .map_err(|_params| Error::broken("argon2's parameters"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_never_the_same() {
        let (one, other) = (secret().unwrap(), secret().unwrap());
        assert_eq!(one.len(), 43);
        assert_ne!(one, other);
        assert_ne!(digest(&one), digest(&other));
        assert!(same(&one, &one.clone()) && !same(&one, &other) && !same(&one, ""));
    }

    #[test]
    fn a_hash_knows_its_secret_and_does_not_show_it() {
        let hash = SecretHash::of("correct horse").unwrap();
        assert!(hash.is_of("correct horse"));
        assert!(!hash.is_of("correct horse ") && !hash.is_of(""));
        assert!(!hash.as_str().contains("horse") && hash.as_str().starts_with("$argon2id$"));
        assert_eq!(SecretHash::parse(hash.as_str()), Some(hash.clone()));
        assert_ne!(SecretHash::of("correct horse").unwrap(), hash, "each has its salt");
        assert!(SecretHash::parse("correct horse").is_none());
        assert_eq!(format!("{hash:?}"), "SecretHash");
    }
}
