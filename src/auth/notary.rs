//! Signs statements of the installation about itself, so that they can be checked later and
//! elsewhere: compact JWS, ES384 (RFC 7515, RFC 7518).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Keys;
use crate::error::{Error, Result};

/// What a point that is written whole begins with (SEC 1, 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// Signs and checks.
pub struct Notary {
    encoding: EncodingKey,
    decoding: DecodingKey,
    key_id: String,
    pair: EcdsaKeyPair,
}

impl Notary {
    /// With the installation's signing key.
    pub fn new(keys: &Keys) -> Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, keys.notary())
            .map_err(|cause| Error::broken(format_args!("the signing key: {cause}")))?;
        let public = pair.public_key().as_ref();
        let fingerprint = digest(&SHA256, public);
        Ok(Self {
            encoding: EncodingKey::from_ec_der(keys.notary()),
            decoding: DecodingKey::from_ec_der(public),
            key_id: hex::encode(fingerprint.as_ref().get(..8).unwrap_or_default()),
            pair,
        })
    }

    /// A signed statement. The kind is in the header, so that one of another kind, or a token, is
    /// never taken for it.
    pub fn sign(&self, kind: &str, statement: &impl Serialize) -> Result<String> {
        let header = Header {
            typ: Some(kind.to_owned()),
            kid: Some(self.key_id.clone()),
            ..Header::new(Algorithm::ES384)
        };
        jsonwebtoken::encode(&header, statement, &self.encoding).map_err(Error::internal)
    }

    /// Signs bytes that stay where they are: a detached compact JWS (RFC 7515, appendix F).
    pub fn sign_detached(&self, kind: &str, content: &[u8]) -> Result<String> {
        let header = Header {
            typ: Some(kind.to_owned()),
            kid: Some(self.key_id.clone()),
            ..Header::new(Algorithm::ES384)
        };
        let header = serde_json::to_vec(&header).map_err(Error::internal)?;
        let header = URL_SAFE_NO_PAD.encode(header);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(content));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.map_err(|_random| Error::broken("no random numbers"))?;
        Ok(format!("{header}..{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The public half as a JSON Web Key, by which others check what was signed.
    pub fn jwk(&self) -> Result<Jwk> {
        // A parser's message could quote a secret, so it is not passed on.
        let jwk = Jwk::from_encoding_key(&self.encoding, Algorithm::ES384);
        let mut jwk = jwk.map_err(|_secret| Error::broken("the signing key cannot be read"))?;
        jwk.common.key_id = Some(self.key_id.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(jwk)
    }

    /// Whether this key has signed these bytes as that kind.
    pub fn is_signed(&self, kind: &str, content: &[u8], signature: &str) -> bool {
        is_signed_by(self.pair.public_key().as_ref(), kind, content, signature)
    }

    /// What a statement of that kind says, if this key has signed it.
    pub fn check<T: DeserializeOwned + Clone>(&self, kind: &str, statement: &str) -> Option<T> {
        let mut validation = Validation::new(Algorithm::ES384);
        validation.set_required_spec_claims::<&str>(&[]);
        validation.validate_exp = false;
        validation.validate_aud = false;
        let read = jsonwebtoken::decode::<T>(statement, &self.decoding, &validation).ok()?;
        (read.header.typ.as_deref() == Some(kind)).then_some(read.claims)
    }
}

/// The name of the key of a set that has signed these bytes as that kind; nothing where none has.
pub fn signer(set: &JwkSet, kind: &str, content: &[u8], signature: &str) -> Option<String> {
    let (header, _) = signature.split_once("..")?;
    let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let kid = header.kid?;
    let mut named = set.keys.iter().filter(|key| key.common.key_id.as_deref() == Some(&kid));
    let is_it = |key: &Jwk| {
        point(key).is_some_and(|public| is_signed_by(&public, kind, content, signature))
    };
    named.any(is_it).then_some(kid)
}

/// The public point of a key over P-384.
fn point(key: &Jwk) -> Option<Vec<u8>> {
    let AlgorithmParameters::EllipticCurve(curve) = &key.algorithm else { return None };
    if curve.curve != EllipticCurve::P384 {
        return None;
    }
    let half = |text: &str| URL_SAFE_NO_PAD.decode(text).ok().filter(|half| half.len() == 48);
    Some([vec![UNCOMPRESSED], half(&curve.x)?, half(&curve.y)?].concat())
}

fn is_signed_by(public: &[u8], kind: &str, content: &[u8], signature: &str) -> bool {
    let Some((header, signature)) = signature.split_once("..") else { return false };
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    let read: Option<Header> = serde_json::from_slice(&decoded(header)).ok();
    let is_kind =
        read.is_some_and(|read| read.typ.as_deref() == Some(kind) && read.alg == Algorithm::ES384);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(content));
    let public = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, public);
    is_kind && public.verify(signed.as_bytes(), &decoded(signature)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type Statement = BTreeMap<String, u8>;

    #[test]
    fn a_detached_signature_is_good_for_these_bytes_of_that_kind_only() {
        let folder = tempfile::tempdir().unwrap();
        let notary = Notary::new(&Keys::open(&folder.path().join("a")).unwrap()).unwrap();
        let other = Notary::new(&Keys::open(&folder.path().join("b")).unwrap()).unwrap();
        let signed = notary.sign_detached("kind", b"content").unwrap();
        assert!(notary.is_signed("kind", b"content", &signed));
        assert!(!notary.is_signed("kind", b"Content", &signed));
        assert!(!notary.is_signed("other", b"content", &signed));
        assert!(!other.is_signed("kind", b"content", &signed));
        assert!(!notary.is_signed("kind", b"content", &signed.replace("..", ".")));
        // Others know the key by its public half, and take no other.
        let set =
            |of: &[&Notary]| JwkSet { keys: of.iter().map(|one| one.jwk().unwrap()).collect() };
        let both = set(&[&other, &notary]);
        assert_eq!(signer(&both, "kind", b"content", &signed), Some(notary.key_id.clone()));
        assert_eq!(signer(&set(&[&other]), "kind", b"content", &signed), None);
        assert_eq!(signer(&both, "other", b"content", &signed), None);
        assert_eq!(signer(&both, "kind", b"Content", &signed), None);
        let mut renamed = other.jwk().unwrap();
        renamed.common.key_id = Some(notary.key_id.clone());
        let forged = JwkSet { keys: vec![renamed] };
        assert_eq!(signer(&forged, "kind", b"content", &signed), None);
        // Another library takes it too, with the content put back.
        let whole =
            signed.replace("..", &format!(".{}.", URL_SAFE_NO_PAD.encode(b"{\"first\":1}")));
        assert_eq!(notary.check::<Statement>("kind", &whole), None);
        let of_json = notary.sign_detached("kind", b"{\"first\":1}").unwrap();
        let whole =
            of_json.replace("..", &format!(".{}.", URL_SAFE_NO_PAD.encode(b"{\"first\":1}")));
        assert!(notary.check::<Statement>("kind", &whole).is_some());
    }

    #[test]
    fn a_statement_is_good_as_what_it_was_signed_as_only() {
        let folder = tempfile::tempdir().unwrap();
        let notary = Notary::new(&Keys::open(&folder.path().join("a")).unwrap()).unwrap();
        let other = Notary::new(&Keys::open(&folder.path().join("b")).unwrap()).unwrap();
        let statement = Statement::from([("first".to_owned(), 1)]);
        let signed = notary.sign("kind+jwt", &statement).unwrap();
        assert_eq!(notary.check::<Statement>("kind+jwt", &signed), Some(statement));
        assert_eq!(notary.check::<Statement>("other+jwt", &signed), None);
        assert_eq!(other.check::<Statement>("kind+jwt", &signed), None);
        let changed = signed.replacen('.', ".A", 1);
        assert_eq!(notary.check::<Statement>("kind+jwt", &changed), None);
    }
}
