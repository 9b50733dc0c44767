//! A page as it can be kept: its entries as they go into any answer, and where the next page starts.

use actix_web::web::Bytes;

use super::searchset::size;
use super::terms::Terms;
use crate::error::{Error, Result};
use crate::fhir::bundle::{Mode, Resource, Writer};
use crate::fhir::search::{Cursor, index};
use crate::policy::HighWater;
use crate::store::{Page, StoredResource};

/// A page that was kept, or will be.
pub(super) struct Sheet {
    /// The entries of a Bundle, from the name of their list on; empty if there are none.
    pub(super) entries: Bytes,
    /// Where the next page starts.
    pub(super) next: Option<Cursor>,
    /// The labels of all of it.
    pub(super) labels: HighWater,
    /// What is said about it, where it holds Part 2 records.
    pub(super) notice: Option<Bytes>,
    /// What it shows, as JSON.
    shown: Bytes,
}

/// A resource on a page: type, id, version, and whose record it belongs to.
pub(super) type Mark = (String, String, String, Option<String>);

/// The bytes that say how long the cursor before them is.
const LENGTH: usize = size_of::<u32>();

impl Sheet {
    /// The entries of a page under a base URL, the cursor, and the cursor's length.
    pub(super) fn write(page: &Page, terms: &Terms, base: &str) -> Result<Vec<u8>> {
        let mut entries = Writer::entries(size(page.matches.iter()) + 512);
        for found in &page.matches {
            let (resource_type, id) = (found.resource_type.as_str(), found.id.as_str());
            entries.found(Resource { base, resource_type, id, body: &found.body }, Mode::Match);
        }
        let along = || terms.consents.iter().filter(|consent| !page.holds(consent));
        for consent in along() {
            let (resource_type, id) = (consent.resource_type.as_str(), consent.id.as_str());
            entries.found(Resource { base, resource_type, id, body: &consent.body }, Mode::Include);
        }
        let mut out = entries.kept();
        let shown: Vec<Mark> = page.matches.iter().chain(along()).map(mark).collect();
        let notice = terms.outcome(base)?.unwrap_or_default();
        let (shown, labels) = (serde_json::to_vec(&shown), serde_json::to_vec(&terms.labels));
        for tail in [Ok(notice), labels, shown, serde_json::to_vec(&page.next)] {
            let tail = tail.map_err(Error::internal)?;
            let length = u32::try_from(tail.len()).map_err(Error::internal)?;
            out.extend_from_slice(&tail);
            out.extend_from_slice(&length.to_be_bytes());
        }
        Ok(out)
    }

    /// What [`Sheet::write`] wrote.
    pub(super) fn read(mut bytes: Bytes) -> Result<Self> {
        let cursor = tail(&mut bytes)?;
        let next = serde_json::from_slice(&cursor).map_err(Error::internal)?;
        let shown = tail(&mut bytes)?;
        let labels = serde_json::from_slice(&tail(&mut bytes)?).map_err(Error::internal)?;
        let notice = Some(tail(&mut bytes)?).filter(|notice| !notice.is_empty());
        Ok(Self { entries: bytes, next, labels, notice, shown })
    }

    /// What it shows.
    pub(super) fn shown(&self) -> Result<Vec<Mark>> {
        serde_json::from_slice(&self.shown).map_err(Error::internal)
    }
}

/// Takes the last part off, whose length comes after it.
fn tail(bytes: &mut Bytes) -> Result<Bytes> {
    let broken = || Error::broken("a page that was kept is no page");
    let length = bytes.last_chunk::<LENGTH>().ok_or_else(broken)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(Error::internal)?;
    let end = bytes.len().checked_sub(LENGTH + length).ok_or_else(broken)?;
    let mut tail = bytes.split_off(end);
    tail.truncate(length);
    Ok(tail)
}

fn mark(found: &StoredResource) -> Mark {
    let StoredResource { resource_type, id, version_id, body, .. } = found;
    let patient = index::patient(resource_type, body).map(|patient| patient.to_string());
    (resource_type.clone(), id.to_string(), version_id.clone(), patient)
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
            shown: crate::store::Shown::default(),
        };
        let entry = r#","entry":[{"fullUrl":"http://h/Encounter/e","resource":{"id":"e"},"search":{"mode":"match"}}"#;
        for (matches, entries) in [(vec![found], entry), (Vec::new(), "")] {
            for next in [None, Some(Cursor { keys: keys.clone(), id: "e".into() })] {
                let page = Page { matches: matches.clone(), next, ..Page::default() };
                let kept = Bytes::from(Sheet::write(&page, &Terms::default(), "http://h").unwrap());
                let sheet = Sheet::read(kept).unwrap();
                let shown = sheet.shown().unwrap();
                assert_eq!(shown.len(), page.matches.len());
                assert!(shown.iter().all(|mark| (&*mark.0, &*mark.1) == ("Encounter", "e")));
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
