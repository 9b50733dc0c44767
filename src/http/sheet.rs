//! A page as it can be kept: its entries as they go into any answer, and where the next page starts.

use actix_web::web::Bytes;

use super::searchset::size;
use crate::error::{Error, Result};
use crate::fhir::bundle::{Mode, Resource, Writer};
use crate::fhir::search::Cursor;
use crate::store::Page;

/// A page that was kept, or will be.
pub(super) struct Sheet {
    /// The entries of a Bundle, from the name of their list on; empty if there are none.
    pub(super) entries: Bytes,
    /// Where the next page starts.
    pub(super) next: Option<Cursor>,
}

/// The bytes that say how long the cursor before them is.
const LENGTH: usize = size_of::<u32>();

impl Sheet {
    /// The entries of a page under a base URL, the cursor, and the cursor's length.
    pub(super) fn write(page: &Page, base: &str) -> Result<Vec<u8>> {
        let mut entries = Writer::entries(size(page.matches.iter()) + 512);
        for found in &page.matches {
            let (resource_type, id) = (found.resource_type.as_str(), found.id.as_str());
            entries.found(Resource { base, resource_type, id, body: &found.body }, Mode::Match);
        }
        let mut out = entries.kept();
        let cursor = serde_json::to_vec(&page.next).map_err(Error::internal)?;
        let length = u32::try_from(cursor.len()).map_err(Error::internal)?;
        out.extend_from_slice(&cursor);
        out.extend_from_slice(&length.to_be_bytes());
        Ok(out)
    }

    /// What [`Sheet::write`] wrote.
    pub(super) fn read(mut bytes: Bytes) -> Result<Self> {
        let broken = || Error::broken("a page that was kept is no page");
        let length = bytes.last_chunk::<LENGTH>().ok_or_else(broken)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(Error::internal)?;
        let end = bytes.len().checked_sub(LENGTH + length).ok_or_else(broken)?;
        let mut cursor = bytes.split_off(end);
        cursor.truncate(length);
        let next = serde_json::from_slice(&cursor).map_err(Error::internal)?;
        Ok(Self { entries: bytes, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::search::SortValue;
    use crate::store::StoredResource;

    #[test]
    fn what_is_kept_is_read_as_it_was() {
        let keys = vec![SortValue::Text("Encounter".into()), SortValue::Instant(7)];
        let found = StoredResource {
            resource_type: "Encounter".into(),
            id: "e".parse().unwrap(),
            version_id: "1".into(),
            last_updated: jiff::Timestamp::UNIX_EPOCH,
            body: (*br#"{"id":"e"}"#).into(),
        };
        let entry = r#","entry":[{"fullUrl":"http://h/Encounter/e","resource":{"id":"e"},"search":{"mode":"match"}}"#;
        for (matches, entries) in [(vec![found], entry), (Vec::new(), "")] {
            for next in [None, Some(Cursor { keys: keys.clone(), id: "e".into() })] {
                let page = Page { matches: matches.clone(), next, ..Page::default() };
                let kept = Bytes::from(Sheet::write(&page, "http://h").unwrap());
                let sheet = Sheet::read(kept).unwrap();
                assert_eq!((&sheet.entries[..], sheet.next), (entries.as_bytes(), page.next));
            }
        }
    }

    #[test]
    fn what_is_no_page_is_an_error() {
        for bytes in [&b""[..], b"\x00\x00", b"\x00\x00\x00\x09null", b"null\x00\x00\x00\x03"] {
            assert!(Sheet::read(Bytes::from_static(bytes)).is_err(), "{bytes:?}");
        }
    }
}
