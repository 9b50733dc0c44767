//! Tenants, and FHIR ids that cannot be guessed or traced back to the platform's ids.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;

use super::Kind;

/// The practice that is the records' legal custodian: 1 to 64 of `A-Z a-z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Box<str>);

impl TenantId {
    /// The tenant's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        ((1..=64).contains(&name.len()) && name.bytes().all(allowed))
            .then(|| Self(name.into()))
            .ok_or(())
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A logical id on the FHIR side: 1 to 64 of `A-Z a-z 0-9 - .` (FHIR R4 2.24.0.1, `id`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FhirId(Box<str>);

impl FhirId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has the form of the ids that are made here: 32 hexadecimal digits. One that has
    /// not is what a caller typed, and could be anything.
    pub fn may_be_ours(&self) -> bool {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        self.0.len() == 32 && self.0.bytes().all(is_digit)
    }
}

impl FromStr for FhirId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        ((1..=64).contains(&text.len()) && text.bytes().all(allowed))
            .then(|| Self(text.into()))
            .ok_or(())
    }
}

impl fmt::Display for FhirId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The secret that turns a platform's ids into FHIR ids, one per installation.
///
/// The id is the first 128 bits of `HMAC-SHA256(tenant key, kind 0x1F id [0x1F part])` in hex:
/// stable, valid, and without any hint of how many records there are.
#[derive(Clone)]
pub struct IdKey(hmac::Key);

impl IdKey {
    /// A key from 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Tells this key from others, and nothing of it.
    pub fn fingerprint(&self) -> String {
        let tag = hmac::sign(&self.0, b"fingerprint of the id key");
        hex::encode(tag.as_ref().get(..16).unwrap_or_default())
    }

    /// The key of one tenant.
    pub fn tenant(&self, tenant: &TenantId) -> TenantIds {
        let tag = hmac::sign(&self.0, tenant.as_str().as_bytes());
        TenantIds(hmac::Key::new(hmac::HMAC_SHA256, tag.as_ref()))
    }
}

impl fmt::Debug for IdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdKey")
    }
}

/// Makes the FHIR ids of one tenant.
#[derive(Clone)]
pub struct TenantIds(hmac::Key);

impl TenantIds {
    /// The FHIR id of what is made from a whole record.
    pub fn id(&self, kind: Kind, id: &str) -> FhirId {
        self.make(&[kind.as_str(), id])
    }

    /// The FHIR id of what is made from one part of a record: one client's view, one goal.
    pub fn part(&self, kind: Kind, id: &str, part: &str) -> FhirId {
        self.make(&[kind.as_str(), id, part])
    }

    fn make(&self, parts: &[&str]) -> FhirId {
        let mut context = hmac::Context::with_key(&self.0);
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                context.update(&[0x1f]);
            }
            context.update(part.as_bytes());
        }
        let tag = context.sign();
        FhirId(hex::encode(tag.as_ref().get(..16).unwrap_or_default()).into())
    }
}
