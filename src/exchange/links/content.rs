//! What is behind a link: the files, and the names of the resources in them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::domain::FhirId;
use crate::error::{Error, Result};
use crate::fhir::search::index;
use crate::package::{Package, Piece};
use crate::store::Link;

/// The media type of what links to records hold (SMART Health Links 1.0, "contentType").
pub const FHIR: &str = "application/fhir+json";
/// The page of a package.
const PAGE: &str = "human/index.html";
/// Its PDF.
const PDF: &str = "record.pdf";
/// Its document.
const DOCUMENT: &str = "document.json";

/// A file that goes behind a link.
#[derive(Debug, Clone)]
pub struct LinkFile {
    /// Its media type: one that links may hold.
    pub media: &'static str,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A resource that a link shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its type.
    pub resource_type: String,
    /// Its id.
    pub id: FhirId,
    /// Its version.
    pub version: String,
    /// Whose it is.
    pub patient: Option<FhirId>,
}

impl Named {
    /// The names of what a copy was made of.
    pub fn of(pieces: &[Piece]) -> Vec<Self> {
        let name = |piece: &Piece| Self {
            resource_type: piece.resource_type.clone(),
            id: piece.id.clone(),
            version: piece.version.clone(),
            patient: index::patient(&piece.resource_type, &piece.body),
        };
        pieces.iter().map(name).collect()
    }
}

/// The files of a package as a link holds them: the FHIR document, and the page and the PDF inside a
/// `DocumentReference`, since a link holds nothing but FHIR. A link with `U` has one file alone, and
/// takes them [`joined`].
///
/// # Errors
///
/// The package is not as this program makes it.
pub fn files(package: &Package, title: &str, at: jiff::Timestamp) -> Result<[LinkFile; 2]> {
    let bytes = |path: &str| {
        let file = package.files().iter().find(|file| file.path == path);
        file.map(|file| &file.bytes).ok_or_else(|| Error::broken("a package lacks a file"))
    };
    let attachment = |media: &str, path: &str| {
        let data = STANDARD.encode(bytes(path)?);
        Ok(json!({ "attachment": { "contentType": media, "data": data, "title": title } }))
    };
    let content: Result<Vec<Value>> = [("text/html", PAGE), ("application/pdf", PDF)]
        .into_iter()
        .map(|(media, path)| attachment(media, path))
        .collect();
    let readable = json!({
        "resourceType": "DocumentReference",
        "status": "current",
        "docStatus": "final",
        "type": { "coding": [{
            "system": "http://loinc.org", "code": "18761-7", "display": "Transfer summary note",
        }] },
        "date": at.to_string(),
        "description": title,
        "content": content?,
    });
    Ok([
        LinkFile { media: FHIR, bytes: bytes(DOCUMENT)?.clone() },
        LinkFile { media: FHIR, bytes: readable.to_string().into_bytes() },
    ])
}

/// Both files as one: a Bundle of type `collection`.
///
/// # Errors
///
/// They are no FHIR as JSON.
pub fn joined(files: &[LinkFile]) -> Result<LinkFile> {
    let mut bundle = String::from(r#"{"resourceType":"Bundle","type":"collection","entry":["#);
    for (number, file) in files.iter().enumerate() {
        let resource: &RawValue = serde_json::from_slice(&file.bytes).map_err(Error::internal)?;
        bundle.push_str(if number == 0 { r#"{"resource":"# } else { r#",{"resource":"# });
        bundle.push_str(resource.get());
        bundle.push('}');
    }
    bundle.push_str("]}");
    Ok(LinkFile { media: FHIR, bytes: bundle.into_bytes() })
}

/// A file that is kept, encrypted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) media: String,
    pub(super) blob: String,
    pub(super) bytes: u64,
}

/// What is kept for a link.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) files: Vec<Kept>,
    /// The file with the names.
    pub(super) names: String,
    /// Whether its one file is read without asking for a list first.
    pub(super) is_direct: bool,
}

impl Content {
    pub(super) fn of(link: &Link) -> Result<Self> {
        serde_json::from_slice(&link.files).map_err(Error::internal)
    }

    /// Every name under which something is kept.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.blob.as_str()).chain([self.names.as_str()])
    }
}

/// Names as they are kept: a line each.
pub(super) fn written(names: &[Named]) -> Vec<u8> {
    let mut text = String::new();
    for name in names {
        let patient = name.patient.as_ref().map_or("", FhirId::as_str);
        for (word, end) in [
            (name.resource_type.as_str(), ' '),
            (name.id.as_str(), ' '),
            (&name.version, ' '),
            (patient, '\n'),
        ] {
            text.push_str(word);
            text.push(end);
        }
    }
    text.into_bytes()
}

/// The names that were kept.
pub(super) fn read(text: &[u8]) -> Result<Vec<Named>> {
    let broken = || Error::broken("the names of what a link shows cannot be read");
    let text = std::str::from_utf8(text).map_err(|_bytes| broken())?;
    let line = |line: &str| {
        let mut words = line.split(' ');
        let resource_type = words.next()?.to_owned();
        let id = words.next()?.parse().ok()?;
        let version = words.next()?.to_owned();
        let patient = match words.next()? {
            "" => None,
            patient => Some(patient.parse().ok()?),
        };
        Some(Named { resource_type, id, version, patient })
    };
    text.lines().map(line).collect::<Option<_>>().ok_or_else(broken)
}
