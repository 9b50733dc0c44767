//! Page cursors: where the next page starts, sealed so that a caller can neither read nor make one.
//!
//! AES-256-GCM over the last match's sort keys and id. What the cursor belongs to (tenant, type and
//! search) is authenticated with it, so that it opens nowhere else.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Error, Result};
use crate::fhir::search::Cursor;
use crate::fhir::search::parse::PAGE;

/// Seals and opens cursors.
pub(super) struct Cursors(RandomizedNonceKey);

impl Cursors {
    /// With the installation's key.
    pub(super) fn new(key: &[u8; 32]) -> Result<Self> {
        RandomizedNonceKey::new(&AES_256_GCM, key).map(Self).map_err(Error::internal)
    }

    /// A cursor as it goes into a link.
    pub(super) fn seal(&self, cursor: &Cursor, context: &str) -> Result<String> {
        let mut text = serde_json::to_vec(cursor).map_err(Error::internal)?;
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(context), &mut text)
            .map_err(Error::internal)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// A cursor as it came in a URL.
    pub(super) fn open(&self, text: &str, context: &str) -> Result<Cursor> {
        self.try_open(text, context).ok_or_else(|| {
            Error::invalid(PAGE, "not a page of this search: follow the links of its first page")
        })
    }

    fn try_open(&self, text: &str, context: &str) -> Option<Cursor> {
        let mut sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, rest) = sealed.split_first_chunk_mut::<NONCE_LEN>()?;
        let plain = self.0.open_in_place((&*nonce).into(), Aad::from(context), rest).ok()?;
        serde_json::from_slice(plain).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::search::SortValue;

    #[test]
    fn a_cursor_opens_where_it_was_sealed_and_nowhere_else() {
        let cursors = Cursors::new(&[7; 32]).unwrap();
        let cursor =
            Cursor { keys: vec![SortValue::Instant(42), SortValue::Missing], id: "e1".into() };
        let text = cursors.seal(&cursor, "hv/Encounter/patient=1").unwrap();
        assert_eq!(cursors.open(&text, "hv/Encounter/patient=1").unwrap(), cursor);
        assert!(cursors.open(&text, "hv/Encounter/patient=2").is_err());
        assert!(Cursors::new(&[8; 32]).unwrap().open(&text, "hv/Encounter/patient=1").is_err());
        assert_ne!(cursors.seal(&cursor, "hv/Encounter/patient=1").unwrap(), text);
    }

    #[test]
    fn a_changed_cursor_does_not_open() {
        let cursors = Cursors::new(&[7; 32]).unwrap();
        let cursor = Cursor { keys: vec![SortValue::Instant(0)], id: "e1".into() };
        let text = cursors.seal(&cursor, "c").unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(cursors.open(&URL_SAFE_NO_PAD.encode(changed), "c").is_err(), "{place}");
        }
        for garbage in ["", "x", "AAAA", "not base64!", "AQID"] {
            assert!(cursors.open(garbage, "c").is_err(), "{garbage}");
        }
    }
}
