//! Somebody who signs assertions and tokens, rightly and wrongly.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use throughline::clock::{Clock, SystemClock};

/// A new RSA key in the form in which programs read it from a file (RFC 7468).
pub(crate) fn rsa_pem() -> String {
    let pair = RsaPair::generate(KeySize::Rsa2048).unwrap();
    let text = STANDARD.encode(AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref());
    let lines: Vec<_> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

/// A key with its name.
pub(crate) struct Signer {
    pub(crate) alg: Algorithm,
    pub(crate) key: EncodingKey,
    pub(crate) kid: &'static str,
}

impl Signer {
    /// A new key over P-384.
    pub(crate) fn ec(kid: &'static str) -> Self {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random);
        let key = EncodingKey::from_ec_der(pair.unwrap().as_ref());
        Self { alg: Algorithm::ES384, key, kid }
    }

    /// A new RSA key.
    pub(crate) fn rsa(kid: &'static str) -> Self {
        let key = EncodingKey::from_rsa_pem(rsa_pem().as_bytes()).unwrap();
        Self { alg: Algorithm::RS384, key, kid }
    }

    /// The public half.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = json!(Jwk::from_encoding_key(&self.key, self.alg).unwrap());
        jwk["kid"] = json!(self.kid);
        jwk
    }

    /// The key set with this key alone.
    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk()] })
    }

    /// Claims, signed.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(claims, |_| ())
    }

    /// Claims, signed under a changed header.
    pub(crate) fn sign_as(&self, claims: &Value, change: impl FnOnce(&mut Header)) -> String {
        let mut header = Header::new(self.alg);
        header.kid = Some(self.kid.to_owned());
        change(&mut header);
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    SystemClock.now().as_second()
}

/// The claims of an assertion in order.
pub(crate) fn claims(client: &str, endpoint: &str, jti: &str) -> Value {
    json!({ "iss": client, "sub": client, "aud": endpoint, "exp": now() + 240, "jti": jti })
}
