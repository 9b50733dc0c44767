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

/// What kind of Bundle it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum Kind {
    Searchset,
    History,
    BatchResponse,
}

impl Kind {
    const fn code(self) -> &'static str {
        match self {
            Self::Searchset => "searchset",
            Self::History => "history",
            Self::BatchResponse => "batch-response",
        }
    }
}

/// The resource of an entry, as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'a> {
    /// The server's base URL, without a trailing slash.
    pub base: &'a str,
    /// `Encounter`, `Patient`, …
    pub resource_type: &'a str,
    /// The logical id.
    pub id: &'a str,
    /// The resource.
    pub body: &'a [u8],
}

/// How a request of a batch, or one that made a version, was answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Response<'a> {
    /// The status code, with or without its phrase.
    pub status: &'a str,
    /// The entity tag.
    pub etag: Option<&'a str>,
    /// `meta.lastUpdated`, RFC 3339.
    pub last_modified: Option<&'a str>,
    /// What is said about the answer.
    pub outcome: Option<&'a [u8]>,
}

/// What every Bundle begins with.
const TYPE: &[u8] = br#"{"resourceType":"Bundle""#;

/// A Bundle in the making.
pub struct Writer {
    out: Vec<u8>,
    entries: usize,
}

impl Writer {
    /// Begins a Bundle with its total, if that is told, and its links, each a relation and an
    /// absolute URL.
    pub fn new(kind: Kind, total: Option<u64>, links: &[(&str, &str)], size_hint: usize) -> Self {
        let mut out = Vec::with_capacity(size_hint + 512);
        out.extend_from_slice(TYPE);
        out.extend_from_slice(br#","type":"#);
        string(&mut out, kind.code());
        if let Some(total) = total {
            out.extend_from_slice(br#","total":"#);
            out.extend_from_slice(total.to_string().as_bytes());
        }
        for (position, (relation, url)) in links.iter().enumerate() {
            // An array may not be empty, so it begins with the first.
            let opening: &[u8] = if position == 0 { br#","link":["# } else { b"," };
            out.extend_from_slice(opening);
            out.extend_from_slice(br#"{"relation":"#);
            string(&mut out, relation);
            out.extend_from_slice(br#","url":"#);
            string(&mut out, url);
            out.push(b'}');
        }
        if !links.is_empty() {
            out.push(b']');
        }
        Self { out, entries: 0 }
    }

    /// The Bundle with these labels, the items of `meta.security`; without any it has no `meta`.
    #[must_use]
    pub fn labelled(mut self, labels: &str) -> Self {
        if !labels.is_empty() {
            let at = TYPE.len();
            let meta = format!(r#","meta":{{"security":[{labels}]}}"#);
            self.out.splice(at..at, meta.into_bytes());
        }
        self
    }

    /// Begins entries without a Bundle, to be kept.
    pub fn entries(size_hint: usize) -> Self {
        Self { out: Vec::with_capacity(size_hint), entries: 0 }
    }

    /// What was written so far, without an end.
    pub fn kept(self) -> Vec<u8> {
        self.out
    }

    /// What comes before entries that were kept, and a writer of what comes after them.
    pub fn around(self, kept: &[u8]) -> (Vec<u8>, Self) {
        let entries = self.entries + usize::from(!kept.is_empty());
        (self.out, Self { out: Vec::new(), entries })
    }

    /// Adds a resource that was found.
    pub fn found(&mut self, resource: Resource<'_>, mode: Mode) {
        self.begin();
        self.resource(resource);
        self.mode(mode);
    }

    /// Adds a resource that is stored nowhere, under a name of its own.
    pub fn made(&mut self, url: &str, body: &[u8]) {
        self.begin();
        self.out.extend_from_slice(br#""fullUrl":"#);
        string(&mut self.out, url);
        self.out.extend_from_slice(br#","resource":"#);
        self.out.extend_from_slice(body);
        self.mode(Mode::Match);
    }

    /// Adds what is said about the search.
    pub fn outcome(&mut self, outcome: &[u8]) {
        self.begin();
        self.out.extend_from_slice(br#""resource":"#);
        self.out.extend_from_slice(outcome);
        self.mode(Mode::Outcome);
    }

    /// Adds a version to a history.
    pub fn version(&mut self, resource: Resource<'_>, response: Response<'_>) {
        self.begin();
        self.resource(resource);
        self.out.extend_from_slice(br#","request":{"method":"PUT","url":"#);
        string(&mut self.out, &format!("{}/{}", resource.resource_type, resource.id));
        self.out.extend_from_slice(b"},");
        self.response(response);
    }

    /// Adds the answer to a request of a batch.
    pub fn answered(&mut self, body: Option<&[u8]>, response: Response<'_>) {
        self.begin();
        if let Some(body) = body {
            self.out.extend_from_slice(br#""resource":"#);
            self.out.extend_from_slice(body);
            self.out.push(b',');
        }
        self.response(response);
    }

    /// How many bytes there are so far.
    pub fn size(&self) -> usize {
        self.out.len()
    }

    fn begin(&mut self) {
        let opening: &[u8] = if self.entries == 0 { br#","entry":[{"# } else { b",{" };
        self.out.extend_from_slice(opening);
        self.entries += 1;
    }

    fn resource(&mut self, resource: Resource<'_>) {
        // The parts of the URL have nothing that JSON escapes.
        for part in [
            &br#""fullUrl":""#[..],
            resource.base.as_bytes(),
            b"/",
            resource.resource_type.as_bytes(),
            b"/",
            resource.id.as_bytes(),
            br#"","resource":"#,
            resource.body,
        ] {
            self.out.extend_from_slice(part);
        }
    }

    fn mode(&mut self, mode: Mode) {
        self.out.extend_from_slice(br#","search":{"mode":"#);
        string(&mut self.out, mode.code());
        self.out.extend_from_slice(b"}}");
    }

    /// Writes the response, and ends the entry.
    fn response(&mut self, response: Response<'_>) {
        self.out.extend_from_slice(br#""response":{"status":"#);
        string(&mut self.out, response.status);
        for (name, value) in [("etag", response.etag), ("lastModified", response.last_modified)] {
            if let Some(value) = value {
                self.out.push(b',');
                string(&mut self.out, name);
                self.out.push(b':');
                string(&mut self.out, value);
            }
        }
        if let Some(outcome) = response.outcome {
            self.out.extend_from_slice(br#","outcome":"#);
            self.out.extend_from_slice(outcome);
        }
        self.out.extend_from_slice(b"}}");
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
    let mut rest = text.as_bytes();
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | b'\0'..=b'\x1f');
    while let Some(at) = rest.iter().position(is_special) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else { break };
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            _ => {
                // Writing to memory cannot fail.
                let written = write!(out, "\\u{byte:04x}");
                drop(written);
            }
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parsed(bundle: Writer) -> Value {
        serde_json::from_slice(&bundle.finish()).unwrap()
    }

    #[test]
    fn a_searchset_holds_the_stored_bytes() {
        let links = [("self", "http://h/fhir/Patient?name=\"\\\n"), ("next", "http://h/n")];
        let mut bundle = Writer::new(Kind::Searchset, Some(3), &links, 0);
        let body = br#"{"id":"p", "x":1.10}"#;
        let resource = Resource { base: "http://h/fhir", resource_type: "Patient", id: "p", body };
        bundle.found(resource, Mode::Match);
        bundle.outcome(b"{}");
        let bytes = bundle.finish();
        assert!(String::from_utf8(bytes.clone()).unwrap().contains(r#"{"id":"p", "x":1.10}"#));
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["link"][0]["url"], "http://h/fhir/Patient?name=\"\\\n");
        assert_eq!(value["entry"][0]["fullUrl"], "http://h/fhir/Patient/p");
        assert_eq!(value["entry"][0]["search"]["mode"], "match");
        assert_eq!(value["entry"][1], json!({"resource": {}, "search": {"mode": "outcome"}}));
    }

    #[test]
    fn what_is_empty_or_not_told_is_not_there() {
        let bundle = parsed(Writer::new(Kind::Searchset, None, &[], 0));
        assert_eq!(bundle, json!({"resourceType": "Bundle", "type": "searchset"}));
        let bundle = parsed(Writer::new(Kind::History, Some(0), &[], 0));
        assert_eq!(bundle, json!({"resourceType": "Bundle", "type": "history", "total": 0}));
    }

    #[test]
    fn entries_that_were_kept_make_the_same_bundle() {
        let body = b"{}";
        let resource = Resource { base: "http://h", resource_type: "Patient", id: "p", body };
        for (found, outcomes) in [(0, 0), (0, 1), (2, 0), (2, 1)] {
            let new = || Writer::new(Kind::Searchset, None, &[("self", "http://h/x")], 0);
            let (mut whole, mut entries) = (new(), Writer::entries(0));
            for _ in 0..found {
                whole.found(resource, Mode::Match);
                entries.found(resource, Mode::Match);
            }
            let kept = entries.kept();
            let (mut bytes, mut end) = new().around(&kept);
            for _ in 0..outcomes {
                whole.outcome(b"{}");
                end.outcome(b"{}");
            }
            bytes.extend_from_slice(&kept);
            bytes.extend_from_slice(&end.finish());
            assert_eq!(bytes, whole.finish(), "{found} {outcomes}");
        }
    }

    #[test]
    fn the_answers_of_a_batch_are_in_order() {
        let mut bundle = Writer::new(Kind::BatchResponse, None, &[], 0);
        let etag = Some("W/\"1\"");
        let last_modified = Some("2026-11-02T10:00:00Z");
        bundle.answered(
            Some(b"{\"id\":\"p\"}"),
            Response { status: "200 OK", etag, last_modified, outcome: None },
        );
        let outcome = Some(&b"{}"[..]);
        bundle.answered(None, Response { status: "404", outcome, ..Response::default() });
        let expected = json!([
            {"resource": {"id": "p"}, "response": {
                "status": "200 OK", "etag": "W/\"1\"", "lastModified": "2026-11-02T10:00:00Z"
            }},
            {"response": {"status": "404", "outcome": {}}}
        ]);
        assert_eq!(parsed(bundle)["entry"], expected);
    }
}
