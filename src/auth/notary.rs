//! Signs statements of the installation about itself, so that they can be checked later and
//! elsewhere: compact JWS, ES384 (RFC 7515, RFC 7518).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Keys;
use crate::error::{Error, Result};

/// Signs and checks.
pub struct Notary {
    encoding: EncodingKey,
    decoding: DecodingKey,
    key_id: String,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type Statement = BTreeMap<String, u8>;

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
