//! Encryption of what leaves the process: values that only this installation can read or have
//! written, under names that say nothing.
//!
//! Each tenant has a key for values (AES-256-GCM) and one for names (HMAC-SHA256), both derived
//! from the installation's secret. The key of an entry is part of what is authenticated, so that a
//! value moved under another name, tenant or version does not open. Nonces are random, which is
//! safe for 2^32 values per tenant and secret (NIST SP 800-38D, 8.3).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::CacheKey;
use crate::domain::TenantId;

/// The first byte of every value, for a later change of algorithm.
const FORMAT: u8 = 1;

/// The secret that the cache's keys are derived from: 32 random bytes, shared by the replicas.
#[derive(Clone)]
pub struct CacheSecret([u8; 32]);

impl CacheSecret {
    /// A secret from its bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn extract(&self) -> hkdf::Prk {
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"throughline cache").extract(&self.0)
    }

    /// A key for names that do not belong to a tenant.
    pub(crate) fn names(&self, purpose: &[u8]) -> Result<hmac::Key, Unspecified> {
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &derive(&self.extract(), &[purpose])?))
    }
}

fn derive(secret: &hkdf::Prk, info: &[&[u8]]) -> Result<[u8; 32], Unspecified> {
    let mut key = [0; 32];
    secret.expand(info, hkdf::HKDF_SHA256)?.fill(&mut key)?;
    Ok(key)
}

impl fmt::Debug for CacheSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheSecret")
    }
}

/// The keys of one tenant.
struct Keys {
    values: RandomizedNonceKey,
    names: hmac::Key,
}

/// Seals and opens values.
pub(super) struct Seal {
    secret: hkdf::Prk,
    tenants: RwLock<HashMap<TenantId, Arc<Keys>>>,
}

impl Seal {
    pub(super) fn new(secret: &CacheSecret) -> Self {
        Self { secret: secret.extract(), tenants: RwLock::default() }
    }

    /// The name under which an entry is filed outside: no id can be read or guessed from it.
    pub(super) fn name(&self, key: &CacheKey) -> Result<String, Unspecified> {
        let tag = hmac::sign(&self.keys(key.tenant())?.names, key.as_str().as_bytes());
        Ok(format!("throughline:{}", URL_SAFE_NO_PAD.encode(tag.as_ref())))
    }

    /// The sealed form of a value: format, nonce, ciphertext, tag.
    pub(super) fn seal(&self, key: &CacheKey, value: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let keys = self.keys(key.tenant())?;
        let mut text = value.to_vec();
        let aad = Aad::from(key.as_str().as_bytes());
        let nonce = keys.values.seal_in_place_append_tag(aad, &mut text)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + text.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.append(&mut text);
        Ok(sealed)
    }

    /// The value, if it was sealed under this key by this installation and is whole.
    pub(super) fn open(&self, key: &CacheKey, sealed: &mut [u8]) -> Result<Arc<[u8]>, Unspecified> {
        let (format, rest) = sealed.split_first_mut().ok_or(Unspecified)?;
        let (nonce, text) = rest.split_at_mut_checked(NONCE_LEN).ok_or(Unspecified)?;
        if *format != FORMAT {
            return Err(Unspecified);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce)?;
        let aad = Aad::from(key.as_str().as_bytes());
        let value = self.keys(key.tenant())?.values.open_in_place(nonce, aad, text)?;
        Ok(Arc::from(&*value))
    }

    fn keys(&self, tenant: &TenantId) -> Result<Arc<Keys>, Unspecified> {
        let known = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = known.get(tenant) {
            return Ok(keys.clone());
        }
        drop(known);
        let key = |purpose: &[u8]| derive(&self.secret, &[purpose, tenant.as_str().as_bytes()]);
        let values = RandomizedNonceKey::new(&AES_256_GCM, &key(b"value")?)?;
        let names = hmac::Key::new(hmac::HMAC_SHA256, &key(b"name")?);
        let keys = Arc::new(Keys { values, names });
        let mut known = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(tenant.clone(), keys.clone());
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal() -> Seal {
        Seal::new(&CacheSecret::new([7; 32]))
    }

    fn key(tenant: &str, version: &str) -> CacheKey {
        CacheKey::new(&tenant.parse().unwrap(), "Patient", &"p".parse().unwrap(), version, "m")
    }

    #[test]
    fn a_value_opens_under_its_own_key_only() {
        let (seal, key_1) = (seal(), key("hv", "1"));
        let sealed = seal.seal(&key_1, b"content").unwrap();
        assert_eq!(*seal.open(&key_1, &mut sealed.clone()).unwrap(), *b"content");
        for other in [key("hv", "2"), key("hw", "1")] {
            assert!(seal.open(&other, &mut sealed.clone()).is_err());
        }
        let stranger = Seal::new(&CacheSecret::new([8; 32]));
        assert!(stranger.open(&key_1, &mut sealed.clone()).is_err());
    }

    #[test]
    fn a_changed_or_shortened_value_does_not_open() {
        let (seal, key) = (seal(), key("hv", "1"));
        let sealed = seal.seal(&key, b"content").unwrap();
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(seal.open(&key, &mut changed).is_err(), "byte {position}");
            assert!(seal.open(&key, &mut sealed.clone()[..position]).is_err());
        }
    }

    #[test]
    fn sealing_twice_gives_different_bytes_under_the_same_name() {
        let (seal, key_1) = (seal(), key("hv", "1"));
        assert_ne!(seal.seal(&key_1, b"content").unwrap(), seal.seal(&key_1, b"content").unwrap());
        assert_eq!(seal.name(&key_1), seal.name(&key_1));
        assert_ne!(seal.name(&key_1), seal.name(&key("hv", "2")));
        assert_ne!(seal.name(&key_1), seal.name(&key("hw", "1")));
    }
}
