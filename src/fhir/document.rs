//! Documents: a Bundle whose first entry, a Composition, says how the others are to be read
//! (<https://hl7.org/fhir/R4/documents.html>); and the Bundle of a collection.

use std::io::Write as _;

use serde::Serialize;

use crate::domain::Coding;
use crate::error::{Error, Result};

/// A Bundle that stands by itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    resource_type: &'static str,
    id: &'a str,
    meta: Meta<'a>,
    identifier: Identifier,
    r#type: &'static str,
    timestamp: &'a str,
}

#[derive(Debug, Serialize)]
struct Meta<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    profile: &'a [&'static str],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    security: &'a [Label],
}

/// A security label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Label {
    /// The code system.
    pub system: String,
    /// The code.
    pub code: String,
}

impl From<&Coding> for Label {
    fn from(coding: &Coding) -> Self {
        Self { system: coding.system.clone(), code: coding.code.clone() }
    }
}

/// What names a thing everywhere.
#[derive(Debug, Clone, Serialize)]
pub struct Identifier {
    system: &'static str,
    value: String,
}

impl Identifier {
    /// A UUID.
    pub fn uuid(uuid: &str) -> Self {
        Self { system: "urn:ietf:rfc:3986", value: format!("urn:uuid:{uuid}") }
    }
}

/// What a Bundle that stands by itself says about itself.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// A UUID, which is also its id.
    pub uuid: &'a str,
    /// The profiles that it has.
    pub profile: &'a [&'static str],
    /// Its security labels.
    pub labels: &'a [Label],
    /// When it was put together: an instant.
    pub timestamp: &'a str,
}

/// What kind of Bundle it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first entry is a Composition.
    Document,
    /// The entries have no order.
    Collection,
}

/// About as many bytes are around an entry.
const FRAME: usize = 32;

/// Puts a Bundle together: of each entry the absolute URL, and the resource as it is.
pub fn bundle<'a>(
    kind: Kind,
    about: &About<'_>,
    entries: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<Vec<u8>> {
    let head = Head {
        resource_type: "Bundle",
        id: about.uuid,
        meta: Meta { profile: about.profile, security: about.labels },
        identifier: Identifier::uuid(about.uuid),
        r#type: if kind == Kind::Document { "document" } else { "collection" },
        timestamp: about.timestamp,
    };
    let entries: Vec<(&str, &[u8])> = entries.into_iter().collect();
    let mut out = serde_json::to_vec(&head).map_err(Error::internal)?;
    out.reserve(entries.iter().map(|(url, body)| url.len() + body.len() + FRAME).sum());
    out.pop();
    let mut between: &[u8] = br#","entry":["#;
    for (url, body) in entries {
        out.extend_from_slice(between);
        between = b",";
        let url = serde_json::to_string(url).map_err(Error::internal)?;
        write!(out, r#"{{"fullUrl":{url},"resource":"#).map_err(Error::internal)?;
        out.extend_from_slice(body);
        out.push(b'}');
    }
    if between == b"," {
        out.push(b']');
    }
    out.push(b'}');
    Ok(out)
}

/// A Composition, in the order of its elements.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Composition {
    /// Always `Composition`.
    pub resource_type: &'static str,
    /// The logical id.
    pub id: String,
    /// Profiles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Profiles>,
    /// The language of its texts.
    pub language: &'static str,
    /// Whom and what it is about.
    pub text: Narrative,
    /// What names it everywhere.
    pub identifier: Identifier,
    /// `final`.
    pub status: &'static str,
    /// What kind of document.
    pub r#type: Concept,
    /// Whom it is about.
    pub subject: Reference,
    /// The last session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encounter: Option<Reference>,
    /// When it was put together.
    pub date: String,
    /// Who answers for it.
    pub author: Vec<Reference>,
    /// What it is called.
    pub title: String,
    /// The highest confidentiality of what is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidentiality: Option<&'static str>,
    /// Who keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custodian: Option<Reference>,
    /// The care that it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub event: Vec<Event>,
    /// Its sections.
    pub section: Vec<Section>,
}

/// Profiles of a resource.
#[derive(Debug, Serialize)]
pub struct Profiles {
    /// Their canonical URLs.
    pub profile: Vec<&'static str>,
}

/// What people read.
#[derive(Debug, Serialize)]
pub struct Narrative {
    status: &'static str,
    div: String,
}

impl Narrative {
    /// A text that says no more than the data; XHTML.
    pub fn generated(div: String) -> Self {
        Self { status: "generated", div }
    }
}

/// A concept with its code.
#[derive(Debug, Serialize)]
pub struct Concept {
    coding: Vec<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[derive(Debug, Serialize)]
struct Code {
    system: &'static str,
    #[serde(rename = "code")]
    symbol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'static str>,
}

impl Concept {
    /// A code of a code system, with its display.
    pub fn of(system: &'static str, code: &'static str, display: Option<&'static str>) -> Self {
        Self { coding: vec![Code { system, symbol: code, display }], text: None }
    }

    /// A LOINC code.
    pub fn loinc(code: &'static str, text: Option<String>) -> Self {
        Self { text, ..Self::of("http://loinc.org", code, None) }
    }
}

/// A reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reference {
    /// `Type/id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

impl Reference {
    /// To a resource.
    pub fn to(target: impl Into<String>) -> Self {
        Self { reference: Some(target.into()), display: None }
    }
}

/// What care it is about.
#[derive(Debug, Serialize)]
pub struct Event {
    /// When it was given.
    pub period: Period,
}

/// From when until when.
#[derive(Debug, Serialize)]
pub struct Period {
    /// The first day or instant.
    pub start: String,
    /// The last.
    pub end: String,
}

/// A section.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Section {
    /// What it is called.
    pub title: String,
    /// What kind of section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Concept>,
    /// What people read.
    pub text: Narrative,
    /// What is in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entry: Vec<Reference>,
    /// Why nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_reason: Option<Concept>,
}
