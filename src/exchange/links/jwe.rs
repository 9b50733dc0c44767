//! The encryption of a link's files: JWE in its compact form (RFC 7516) with the key of the link
//! itself (`dir`), AES-256-GCM, and the content deflated first (RFC 7518, 4.5 and 5.3; RFC 1951).

use std::io::Write;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde_json::json;

use crate::error::{Error, Result};

/// The length of a key, in bytes.
const KEY: usize = 32;
/// The length of a tag, in bytes.
const TAG: usize = 16;

/// The key of a link. It goes into the link, and is kept nowhere.
pub(super) struct LinkKey([u8; KEY]);

impl LinkKey {
    /// A new key.
    pub(super) fn new() -> Result<Self> {
        let mut bytes = [0; KEY];
        SystemRandom::new().fill(&mut bytes).map_err(Error::internal)?;
        Ok(Self(bytes))
    }

    /// As it stands in a link: 43 letters of base64url.
    pub(super) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Encrypts a file of this media type.
    pub(super) fn seal(&self, media: &str, content: &[u8]) -> Result<String> {
        let header = json!({ "alg": "dir", "enc": "A256GCM", "cty": media, "zip": "DEF" });
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
        deflate.write_all(content).map_err(Error::internal)?;
        let mut text = deflate.finish().map_err(Error::internal)?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(Error::internal)?;
        let key = UnboundKey::new(&AES_256_GCM, &self.0).map(LessSafeKey::new);
        key.map_err(Error::internal)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(header.as_bytes()),
                &mut text,
            )
            .map_err(Error::internal)?;
        let tag = text.split_off(text.len().saturating_sub(TAG));
        let [nonce, text, tag] =
            [nonce.as_slice(), &text, &tag].map(|part| URL_SAFE_NO_PAD.encode(part));
        // The second part would be an encrypted key; with `dir` there is none.
        Ok(format!("{header}..{nonce}.{text}.{tag}"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::DeflateDecoder;

    use super::*;

    #[test]
    fn a_file_is_read_with_its_key_and_with_no_other() {
        let (key, other) = (LinkKey::new().unwrap(), LinkKey::new().unwrap());
        assert_eq!(key.text().len(), 43);
        let sealed = key.seal("application/fhir+json", b"{\"a\":1}").unwrap();
        let parts: Vec<&str> = sealed.split('.').collect();
        let decoded = |part: usize| URL_SAFE_NO_PAD.decode(parts[part]).unwrap();
        assert_eq!((parts.len(), parts[1]), (5, ""));
        let header: serde_json::Value = serde_json::from_slice(&decoded(0)).unwrap();
        assert_eq!(header["cty"], "application/fhir+json");
        let open = |key: &LinkKey| {
            let mut text = [decoded(3), decoded(4)].concat();
            let nonce = Nonce::try_assume_unique_for_key(&decoded(2)).unwrap();
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key.0).unwrap());
            let plain = key.open_in_place(nonce, Aad::from(parts[0].as_bytes()), &mut text).ok()?;
            let mut whole = Vec::new();
            DeflateDecoder::new(&*plain).read_to_end(&mut whole).unwrap();
            Some(whole)
        };
        assert_eq!(open(&key).unwrap(), b"{\"a\":1}");
        assert_eq!(open(&other), None);
        assert_ne!(key.seal("application/fhir+json", b"{\"a\":1}").unwrap(), sealed);
    }
}
