//! The keys that tokens are signed with, and their rotation.
//!
//! A new key is published some time before it signs, so that whoever keeps the key set knows it by
//! then; an old one stays as long as tokens that it signed may be shown.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How long a key is published before it signs, in seconds: longer than anybody keeps the set.
pub const AHEAD_S: i64 = 15 * 60;
/// How long a key is published after it has ceased to sign, in seconds: no token holds longer.
pub const AFTER_S: i64 = 24 * 3600 + AHEAD_S;

/// What a key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signing {
    /// ECDSA over P-384 with SHA-384: access tokens, and `id_token`s where a client asks for it.
    ES384,
    /// RSA with SHA-256: `id_token`s.
    RS256,
}

impl Signing {
    /// The algorithm's name in a header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ES384 => "ES384",
            Self::RS256 => "RS256",
        }
    }

    pub(super) fn algorithm(self) -> Algorithm {
        match self {
            Self::ES384 => Algorithm::ES384,
            Self::RS256 => Algorithm::RS256,
        }
    }
}

/// A private key as it is kept in a file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// What it signs with.
    pub(super) alg: Signing,
    /// PKCS #8, base64.
    pub(super) key: String,
    /// When it begins to sign, in seconds since 1970.
    #[serde(default)]
    pub(super) since: i64,
    /// When it is forgotten, if it has a successor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<i64>,
}

impl Kept {
    /// A new key; `None` without random numbers.
    pub(super) fn generate(alg: Signing, since: i64) -> Option<Self> {
        let key = match alg {
            Signing::ES384 => {
                let random = SystemRandom::new();
                let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random);
                STANDARD.encode(pair.ok()?.as_ref())
            }
            Signing::RS256 => {
                let pair = RsaPair::generate(KeySize::Rsa2048).ok()?;
                let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).ok()?;
                STANDARD.encode(der.as_ref() as &[u8])
            }
        };
        Some(Self { alg, key, since, until: None })
    }
}

/// A key, ready to be used.
pub struct RingKey {
    /// What it signs with.
    pub alg: Signing,
    /// Its name: the thumbprint of its public half (RFC 7638).
    pub kid: String,
    /// When it begins to sign, in seconds since 1970.
    pub since: i64,
    /// When it is forgotten.
    pub until: Option<i64>,
    /// The public half as a JSON Web Key.
    pub jwk: Jwk,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
}

/// All keys, those that are to come and those that have gone too.
pub struct Ring(Vec<RingKey>);

impl Ring {
    pub(super) fn open(kept: &[Kept]) -> Result<Self> {
        let keys = kept.iter().map(RingKey::open).collect::<Result<Vec<_>>>()?;
        Ok(Self(keys))
    }

    /// The keys that may be published at a time.
    pub fn published(&self, now: i64) -> impl Iterator<Item = &RingKey> {
        self.0.iter().filter(move |key| key.until.is_none_or(|until| until > now))
    }

    /// The key that signs at a time: the newest of those that have begun.
    pub(super) fn signing(&self, alg: Signing, now: i64) -> Result<&RingKey> {
        let of_kind = || self.published(now).filter(|key| key.alg == alg);
        let begun = of_kind().filter(|key| key.since <= now).max_by_key(|key| key.since);
        let first = || of_kind().min_by_key(|key| key.since);
        begun.or_else(first).ok_or_else(|| {
            Error::Setup("no key of the data folder signs: `throughline keys rotate`".to_owned())
        })
    }

    /// The key of that name, for what it has signed.
    pub(super) fn find(&self, alg: Signing, kid: &str, now: i64) -> Option<&RingKey> {
        self.published(now).find(|key| key.alg == alg && key.kid == kid)
    }
}

impl RingKey {
    fn open(kept: &Kept) -> Result<Self> {
        // A parser's message could quote a secret, so it is not passed on.
        let broken = || Error::broken("a signing key cannot be read");
        let der = STANDARD.decode(&kept.key).map_err(|_secret| broken())?;
        let encoding = match kept.alg {
            Signing::ES384 => EncodingKey::from_ec_der(&der),
            Signing::RS256 => {
                EncodingKey::from_rsa_pem(pem(&kept.key).as_bytes()).map_err(|_secret| broken())?
            }
        };
        let mut jwk =
            Jwk::from_encoding_key(&encoding, kept.alg.algorithm()).map_err(|_secret| broken())?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_secret| broken())?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let decoding = DecodingKey::from_jwk(&jwk).map_err(|_secret| broken())?;
        let (alg, since, until) = (kept.alg, kept.since, kept.until);
        Ok(Self { alg, kid, since, until, jwk, encoding, decoding })
    }
}

/// PKCS #8 in base64 as PEM (RFC 7468).
fn pem(base64: &str) -> String {
    let mut text = String::from("-----BEGIN PRIVATE KEY-----\n");
    for (position, letter) in base64.chars().enumerate() {
        if position > 0 && position % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text + "\n-----END PRIVATE KEY-----\n"
}
