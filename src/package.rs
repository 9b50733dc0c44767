//! A record that can be read and carried: a FHIR document, a page and a PDF that say the same, the
//! resources themselves, and a list of what is there; all in one archive.
//!
//! Pure: it takes resources that somebody may have, an instant, and settings, and gives bytes; the
//! same give the same. It reads no store and decides nothing: what is withheld never gets here, so
//! that it looks as what never was. `docs/package.md` describes the form.

mod archive;
mod attachments;
mod carry;
mod check;
mod collection;
mod document;
mod file;
mod manifest;
mod narrative;
mod page;
mod pdf;
mod readable;
mod record;
mod sections;
mod summary;
#[cfg(test)]
mod tests;
mod texts;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{Timestamp, Unit};
use serde::Serialize;

use crate::domain::FhirId;
use crate::error::Result;
use crate::fhir::document::Label;

use self::record::{Marks, Record};
use self::texts::Texts;

pub use self::archive::{Package, locked};
pub use self::carry::{Carried, Form, IDENTIFIERS, carry};
pub use self::check::{Checked, Fault, check};
pub use self::file::File;
pub use self::manifest::FORM;
pub use self::page::style_hash;
pub use self::record::Piece;
pub use self::summary::{
    DOCUMENT_TYPE as SUMMARY_TYPE, Summarizer, Summary, TYPES as SUMMARY_TYPES,
};
pub use self::texts::Language;

/// What a copy of a record is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The person's own right to it (45 CFR 164.524, GDPR Art. 15 and 20).
    Access,
    /// Somebody else goes on treating the person.
    Transfer,
}

impl Purpose {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Transfer => "transfer",
        }
    }
}

/// The size of the PDF's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sheet {
    /// 8.5 by 11 inches.
    #[default]
    Letter,
    /// 210 by 297 millimetres.
    A4,
}

/// How a copy is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// What for.
    pub purpose: Purpose,
    /// The language of what people read.
    pub language: Language,
    /// The size of the PDF's pages.
    pub sheet: Sheet,
    /// When it is made.
    pub at: Timestamp,
    /// The FHIR base that the resources are from, without a trailing slash.
    pub base: String,
    /// Why care goes over to somebody else, in the words of whoever hands it over.
    pub reason: Option<String>,
}

/// Something that others have received, for the list in a person's own copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A day, or an instant.
    pub when: String,
    /// Who received it.
    pub who: String,
    /// What it was.
    pub what: String,
    /// What for.
    pub why: String,
}

/// Something that was decided to be withheld from a copy, as the person is told in writing too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// `deny`, or `redact` where only passages are left out.
    pub outcome: &'static str,
    /// The ground: `endangers_life`, …
    pub ground: &'static str,
    /// The paragraph of the law.
    pub rule: &'static str,
    /// Whether the person may have it reviewed.
    pub reviewable: bool,
    /// The same in words.
    pub statement: String,
}

/// What stands in a copy beside the resources.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// Who else has received something, in a person's own copy.
    pub log: Option<&'a [Log]>,
    /// Records of others, as they came.
    pub outside: &'a [File],
    /// What was decided to be withheld, which the copy says.
    pub held: &'a [Held],
}

/// Makes the copy of a record: everything but the signature.
///
/// # Errors
///
/// `NotFound` where the patient is not among the resources.
pub fn build(
    patient: &FhirId,
    pieces: Vec<Piece>,
    beside: &Beside<'_>,
    options: &Options,
) -> Result<Package> {
    let record = Record::new(patient, pieces)?;
    let texts = Texts::of(options.language)?;
    let marks = record.labels();
    archive::of(&Copy { record: &record, texts: &texts, options, marks, beside: *beside })
}

/// A copy in the making.
struct Copy<'a> {
    record: &'a Record,
    texts: &'a Texts,
    options: &'a Options,
    marks: Marks,
    beside: Beside<'a>,
}

impl Copy<'_> {
    /// What it is called.
    fn title(&self) -> &str {
        match self.options.purpose {
            Purpose::Access => &self.texts.frame.title_access,
            Purpose::Transfer => &self.texts.frame.title_transfer,
        }
    }

    /// The instant as FHIR writes it: whole seconds in UTC.
    fn instant(&self) -> String {
        written(self.options.at)
    }

    /// The person's name.
    fn name(&self) -> String {
        record::person(self.record.patient.list("/name"))
    }

    /// What the practice is called that keeps the record.
    fn practice(&self) -> &str {
        self.record.practice().map(|practice| practice.text("/name")).unwrap_or_default()
    }
}

fn written(at: Timestamp) -> String {
    at.round(Unit::Second).unwrap_or(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The security labels of a Bundle: one confidentiality, and all others.
fn labels(marks: &Marks) -> Vec<Label> {
    let level = marks.level.map(|level| Label {
        system: "http://terminology.hl7.org/CodeSystem/v3-Confidentiality".to_owned(),
        code: level.as_str().to_owned(),
    });
    level.into_iter().chain(marks.others.iter().map(Label::from)).collect()
}

/// A UUID (RFC 9562, version 8) that is the same for the same things.
fn uuid(what: &str, record: &Record, at: &str) -> String {
    let mut names = format!("{what}\u{1f}{at}");
    for resource in record.all.values() {
        names.push('\u{1f}');
        names.push_str(&resource.name());
        names.push('\u{1f}');
        names.push_str(&resource.piece.version);
    }
    named(&names)
}

/// The UUID (RFC 9562, version 8) of a name.
fn named(name: &str) -> String {
    let hash = digest(&SHA256, name.as_bytes());
    let mut digits: Vec<char> = hex::encode(hash).chars().take(32).collect();
    for (place, digit) in [(12, '8'), (16, 'a')] {
        if let Some(known) = digits.get_mut(place) {
            *known = digit;
        }
    }
    let mut uuid = String::with_capacity(36);
    for (place, digit) in digits.into_iter().enumerate() {
        if matches!(place, 8 | 12 | 16 | 20) {
            uuid.push('-');
        }
        uuid.push(digit);
    }
    uuid
}
