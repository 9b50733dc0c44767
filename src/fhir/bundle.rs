//! Bundles (<https://hl7.org/fhir/R4/bundle.html>), put together from stored bytes: what is in an
//! entry is copied as it is, never parsed and written again.

use std::io::Write;

/// How an entry came into a searchset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It met the search.
    Match,
    /// It came along with a match.
    Include,
    /// It says something about the search.
    Outcome,
}

impl Mode {
    const fn code(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Include => "include",
            Self::Outcome => "outcome",
        }
    }
}

/// A version in a history.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// `Type/id`.
    pub url: &'a str,
    /// `meta.versionId`.
    pub version_id: &'a str,
    /// `meta.lastUpdated`, RFC 3339.
    pub last_modified: &'a str,
    /// The resource.
    pub body: &'a [u8],
}

/// A Bundle in the making.
pub struct Writer {
    out: Vec<u8>,
    entries: usize,
}

impl Writer {
    /// Begins a `searchset` or `history` with its links, each a relation and an absolute URL.
    pub fn new(kind: &str, total: u64, links: &[(&str, &str)], size_hint: usize) -> Self {
        let mut out = Vec::with_capacity(size_hint + 512);
        out.extend_from_slice(br#"{"resourceType":"Bundle","type":"#);
        string(&mut out, kind);
        out.extend_from_slice(br#","total":"#);
        out.extend_from_slice(total.to_string().as_bytes());
        out.extend_from_slice(br#","link":["#);
        for (position, (relation, url)) in links.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            out.extend_from_slice(br#"{"relation":"#);
            string(&mut out, relation);
            out.extend_from_slice(br#","url":"#);
            string(&mut out, url);
            out.push(b'}');
        }
        out.push(b']');
        Self { out, entries: 0 }
    }

    /// Adds a resource that was found; `full_url` is absolute, and empty for an outcome.
    pub fn found(&mut self, full_url: &str, body: &[u8], mode: Mode) {
        self.begin(full_url, body);
        self.out.extend_from_slice(br#","search":{"mode":"#);
        string(&mut self.out, mode.code());
        self.out.extend_from_slice(b"}}");
    }

    /// Adds a version to a history.
    pub fn version(&mut self, full_url: &str, version: Version<'_>) {
        self.begin(full_url, version.body);
        self.out.extend_from_slice(br#","request":{"method":"PUT","url":"#);
        string(&mut self.out, version.url);
        self.out.extend_from_slice(br#"},"response":{"status":"200","etag":"#);
        string(&mut self.out, &format!("W/\"{}\"", version.version_id));
        self.out.extend_from_slice(br#","lastModified":"#);
        string(&mut self.out, version.last_modified);
        self.out.extend_from_slice(b"}}");
    }

    fn begin(&mut self, full_url: &str, body: &[u8]) {
        // An array of entries may not be empty, so it begins with the first.
        let opening: &[u8] = if self.entries == 0 { br#","entry":[{"# } else { b",{" };
        self.out.extend_from_slice(opening);
        self.entries += 1;
        if !full_url.is_empty() {
            self.out.extend_from_slice(br#""fullUrl":"#);
            string(&mut self.out, full_url);
            self.out.push(b',');
        }
        self.out.extend_from_slice(br#""resource":"#);
        self.out.extend_from_slice(body);
    }

    /// The Bundle.
    pub fn finish(mut self) -> Vec<u8> {
        if self.entries > 0 {
            self.out.push(b']');
        }
        self.out.push(b'}');
        self.out
    }
}

/// Writes a JSON string.
fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend_from_slice(&[b'\\', c as u8]),
            '\0'..='\x1f' => {
                // Writing to memory cannot fail.
                let written = write!(out, "\\u{:04x}", u32::from(c));
                drop(written);
            }
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_searchset_holds_the_stored_bytes() {
        let links = [("self", "http://h/fhir/Patient?name=\"\\\n"), ("next", "http://h/n")];
        let mut bundle = Writer::new("searchset", 3, &links, 0);
        bundle.found("http://h/fhir/Patient/p", br#"{"id":"p", "x":1.10}"#, Mode::Match);
        bundle.found("", b"{}", Mode::Outcome);
        let bytes = bundle.finish();
        assert!(String::from_utf8(bytes.clone()).unwrap().contains(r#"{"id":"p", "x":1.10}"#));
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["link"][0]["url"], "http://h/fhir/Patient?name=\"\\\n");
        assert_eq!(value["entry"][0]["search"]["mode"], "match");
        assert_eq!(value["entry"][1], json!({"resource": {}, "search": {"mode": "outcome"}}));
    }

    #[test]
    fn an_empty_bundle_has_no_entries_at_all() {
        let value: Value =
            serde_json::from_slice(&Writer::new("searchset", 0, &[], 0).finish()).unwrap();
        assert_eq!(
            value,
            json!({"resourceType": "Bundle", "type": "searchset", "total": 0, "link": []})
        );
    }
}
