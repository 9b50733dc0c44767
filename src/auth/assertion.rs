//! Signed assertions by which a client proves that it is itself (RFC 7521, RFC 7523; SMART App
//! Launch 2.2, "asymmetric client authentication").

use aws_lc_rs::digest::{Context, SHA256};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::Deserialize;

/// The longest assertion that is looked at, in bytes.
const LONGEST: usize = 8 * 1024;
/// How far in the future an assertion may expire, in seconds.
const AHEAD_S: i64 = 300;
/// How far clocks may differ, in seconds.
pub const SKEW_S: i64 = 10;
/// The longest `jti`.
const LONGEST_JTI: usize = 256;
/// The shortest modulus of an RSA key, in bytes.
const MODULUS: usize = 256;

/// An assertion whose claims are in order and whose signature is yet to be verified.
pub struct Assertion<'a> {
    text: &'a str,
    header: Header,
    kid: String,
    claims: Claims,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    iat: Option<i64>,
    jti: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn has(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Many(many) => many.iter().any(|one| one == wanted),
        }
    }
}

impl<'a> Assertion<'a> {
    /// The client that an assertion says it is of. Nothing is proven by it.
    pub fn client(text: &str) -> Option<String> {
        let claims = claims(text)?;
        Some(claims.sub)
    }

    /// An assertion of a client for this token endpoint, but for its signature; `None` whatever is
    /// wrong with it. `key_set` is where the client's keys are, if they are at an address.
    pub fn read(
        text: &'a str,
        client: &str,
        endpoint: &str,
        key_set: Option<&str>,
        now: i64,
    ) -> Option<Self> {
        let header = jsonwebtoken::decode_header(text).ok()?;
        let is_type = header.typ.as_deref().is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
        let is_plain = header.crit.is_none()
            && header.jwk.is_none()
            && header.x5u.is_none()
            && header.x5c.is_none()
            && header.jku.as_deref().is_none_or(|jku| key_set == Some(jku));
        let is_known = matches!(header.alg, Algorithm::RS384 | Algorithm::ES384);
        let kid = header.kid.clone().filter(|_| is_type && is_plain && is_known)?;
        let claims = claims(text)?;
        let is_whose = claims.iss == client && claims.sub == client && claims.aud.has(endpoint);
        let is_now = claims.exp > now - SKEW_S
            && claims.exp <= now + AHEAD_S + SKEW_S
            && claims.nbf.is_none_or(|begin| begin <= now + SKEW_S)
            && claims.iat.is_none_or(|made| made <= now + SKEW_S);
        let is_named = (1..=LONGEST_JTI).contains(&claims.jti.len());
        (is_whose && is_now && is_named).then_some(Self { text, header, kid, claims })
    }

    /// Whether the set has a key of the name that the assertion gives.
    pub fn is_named_in(&self, keys: &JwkSet) -> bool {
        keys.keys.iter().any(|key| key.common.key_id.as_ref() == Some(&self.kid))
    }

    /// Whether one of the keys signed it.
    pub fn is_signed_by(&self, keys: &JwkSet) -> bool {
        let named = keys.keys.iter().filter(|key| key.common.key_id.as_ref() == Some(&self.kid));
        named.filter(|key| is_fit(key, self.header.alg)).any(|key| {
            let mut validation = Validation::new(self.header.alg);
            validation.validate_exp = false;
            validation.validate_aud = false;
            validation.required_spec_claims.clear();
            DecodingKey::from_jwk(key).is_ok_and(|key| {
                jsonwebtoken::decode::<serde_json::Value>(self.text, &key, &validation).is_ok()
            })
        })
    }

    /// What stands for its one use, and until when that is to be remembered, in seconds since 1970.
    pub fn once(&self) -> ([u8; 32], i64) {
        let mut context = Context::new(&SHA256);
        for part in ["assertion", &self.claims.sub, &self.claims.jti] {
            context.update(part.as_bytes());
            context.update(&[0]);
        }
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        (key, self.claims.exp + SKEW_S + 1)
    }
}

fn claims(text: &str) -> Option<Claims> {
    if text.len() > LONGEST {
        return None;
    }
    jsonwebtoken::dangerous::insecure_decode_claims::<Claims>(text).ok()
}

/// Whether a key is for signatures of this kind, and strong enough.
fn is_fit(key: &Jwk, alg: Algorithm) -> bool {
    let is_for_it = key.common.key_algorithm.is_none_or(|own| own.to_string() == name(alg))
        && !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
    let is_strong = match (&key.algorithm, alg) {
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES384) => {
            key.curve == EllipticCurve::P384
        }
        // Three bytes are four letters.
        (AlgorithmParameters::RSA(key), Algorithm::RS384) => key.n.len() >= MODULUS * 4 / 3,
        _ => false,
    };
    is_for_it && is_strong
}

fn name(alg: Algorithm) -> &'static str {
    match alg {
        Algorithm::RS384 => "RS384",
        Algorithm::ES384 => "ES384",
        _ => "",
    }
}
