//! The record as a FHIR document: LOINC 18761-7, transfer summary, or 60591-5 for a summary
//! (`summary` makes that). Each section has the narrative that people read and its entries.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::fhir::document::{
    About, Composition, Concept, Event, Identifier, Kind, Narrative, Period, Profiles, Reference,
    Section, bundle,
};
use crate::fhir::r4::Elements;
use crate::fhir::references;
use crate::policy::notice;

use super::record::{Record, instant, text};
use super::sections::{self, Section as Part};
use super::texts::{Texts, fill};
use super::{Copy, labels, narrative, uuid};

/// Why a section has nothing: <http://terminology.hl7.org/CodeSystem/list-empty-reason>.
const EMPTY_REASON: &str = "http://terminology.hl7.org/CodeSystem/list-empty-reason";
/// Kinds of sections that nobody else has a code for.
const SECTIONS: &str = "https://throughline.example/fhir/CodeSystem/document-section";
/// What has no place in a document: it tells of resources, and is not what they tell.
const NOT_IN_A_DOCUMENT: &[&str] = &["Provenance"];

/// A resource as it goes along: its name, `Type/id`, and its bytes, which are the record's own where nothing is
/// taken out.
pub(super) type Entry<'a> = (String, Cow<'a, [u8]>);

/// What a Composition is made of.
pub(super) struct Frame<'a> {
    pub(super) record: &'a Record,
    pub(super) texts: &'a Texts,
    pub(super) language: &'static str,
    pub(super) uuid: &'a str,
    pub(super) at: &'a str,
    pub(super) profile: Option<&'static str>,
    pub(super) code: &'static str,
    pub(super) title: String,
    pub(super) section: Vec<Section>,
}

/// The document as a Bundle.
pub(super) fn bundle_of(copy: &Copy<'_>) -> Result<Vec<u8>> {
    bundle_as(copy, &uuid("document", copy.record, &copy.instant()))
}

/// The document as a Bundle that is known by this UUID.
pub(super) fn bundle_as(copy: &Copy<'_>, uuid: &str) -> Result<Vec<u8>> {
    let (record, texts, at) = (copy.record, copy.texts, copy.instant());
    let parts = sections::clinical(record, texts, copy.options.reason.as_deref());
    let mut section: Vec<Section> = parts.iter().map(|part| section_of(part, texts)).collect();
    if copy.marks.part2 {
        section.push(part2(texts));
    }
    let title = fill(&texts.frame.footer, &[("title", copy.title()), ("name", &copy.name())]);
    let frame = Frame {
        record,
        texts,
        language: copy.options.language.tag(),
        uuid,
        at: &at,
        profile: None,
        code: "18761-7",
        title,
        section,
    };
    let composition = frame.composition();
    let labels = labels(&copy.marks);
    let about = About { uuid, profile: &[], labels: &labels, timestamp: &at };
    let entries = closed(record, NOT_IN_A_DOCUMENT);
    put_together(&about, &composition, &copy.options.base, &entries)
}

/// A Bundle of the Composition and what it has.
pub(super) fn put_together(
    about: &About<'_>,
    composition: &Composition,
    base: &str,
    entries: &[Entry<'_>],
) -> Result<Vec<u8>> {
    let first = serde_json::to_vec(composition).map_err(Error::internal)?;
    let first = (format!("{base}/Composition/{}", about.uuid), Cow::Owned(first));
    let others =
        entries.iter().map(|(name, body)| (format!("{base}/{name}"), Cow::Borrowed(&**body)));
    let all: Vec<Entry<'_>> = std::iter::once(first).chain(others).collect();
    bundle(Kind::Document, about, all.iter().map(|(url, body)| (url.as_str(), &**body)))
}

/// The entries that one comes to from the Composition, by references and theirs.
pub(super) fn reached(
    composition: &Composition,
    entries: &[Entry<'_>],
) -> Result<BTreeSet<String>> {
    let first = serde_json::to_value(composition).map_err(Error::internal)?;
    let mut reached = BTreeSet::new();
    let mut ahead = targets(&first);
    while let Some(name) = ahead.pop() {
        let Some((_, body)) = entries.iter().find(|(known, _)| *known == name) else { continue };
        if reached.insert(name) {
            ahead.extend(targets(&serde_json::from_slice(body).map_err(Error::internal)?));
        }
    }
    Ok(reached)
}

/// What the references in a resource are to.
fn targets(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => {
            let own = members.get("reference").and_then(Value::as_str).map(ToOwned::to_owned);
            own.into_iter().chain(members.values().flat_map(targets)).collect()
        }
        Value::Array(items) => items.iter().flat_map(targets).collect(),
        _ => Vec::new(),
    }
}

/// The resources of a record without those of some types, and without references to what is not
/// there: of each `Type/id` and the bytes.
pub(super) fn closed<'a>(record: &'a Record, without: &[&str]) -> Vec<Entry<'a>> {
    let is_in = |resource_type: &str| !without.contains(&resource_type);
    let mut names: BTreeSet<String> = record
        .all
        .values()
        .filter(|resource| is_in(&resource.piece.resource_type))
        .map(super::record::Resource::name)
        .collect();
    let elements = Elements::new();
    // What cannot be without a reference goes, and then references to it go.
    loop {
        let mut gone = Vec::new();
        let mut entries = Vec::new();
        for resource in record.all.values().filter(|known| names.contains(&known.name())) {
            let piece = &resource.piece;
            let keep = |target: &str| names.contains(target);
            match references::within(&elements, &piece.resource_type, &piece.body, &keep) {
                Some(body) => entries.push((resource.name(), body)),
                None => gone.push(resource.name()),
            }
        }
        if gone.is_empty() {
            return entries;
        }
        names.retain(|name| !gone.contains(name));
    }
}

/// A section as a Composition has it.
fn section_of(part: &Part, texts: &Texts) -> Section {
    let entry: Vec<Reference> = part.entries.iter().map(Reference::to).collect();
    // A section whose text is all that there is to say is not empty.
    let said = part.anchor == "reason";
    let empty = entry.is_empty() && !said;
    Section {
        title: part.title.clone(),
        code: part.code.map(|code| Concept::loinc(code, None)),
        text: Narrative::generated(narrative::div(&part.blocks, &texts.frame.none)),
        entry,
        empty_reason: empty.then(|| Concept::of(EMPTY_REASON, "unavailable", Some("Unavailable"))),
    }
}

/// The notice that goes with Part 2 records (42 CFR 2.32), to the letter.
pub(super) fn part2(texts: &Texts) -> Section {
    let notice = [paper::Block::Paragraph(notice::STATEMENT.to_owned())];
    Section {
        title: texts.frame.part2.clone(),
        code: Some(Concept::of(SECTIONS, "redisclosure-notice", None)),
        text: Narrative::generated(narrative::div(&notice, "")),
        entry: Vec::new(),
        empty_reason: None,
    }
}

impl Frame<'_> {
    /// The Composition.
    pub(super) fn composition(self) -> Composition {
        let record = self.record;
        let patient = &record.patient;
        let custodian = record.practice().map(|practice| Reference::to(practice.name()));
        let sessions = record.latest("Encounter", |one| one.text("/period/start"));
        let level = record.labels().level.map(crate::policy::Confidentiality::as_str);
        let heading = [paper::Block::Paragraph(self.title.clone())];
        Composition {
            resource_type: "Composition",
            id: self.uuid.to_owned(),
            meta: self.profile.map(|profile| Profiles { profile: vec![profile] }),
            language: self.language,
            text: Narrative::generated(narrative::div(&heading, &self.texts.frame.none)),
            identifier: Identifier::uuid(self.uuid),
            status: "final",
            r#type: Concept::loinc(self.code, None),
            subject: Reference::to(patient.name()),
            encounter: sessions.first().map(|last| Reference::to(last.name())),
            date: self.at.to_owned(),
            author: vec![author(record, custodian.as_ref())],
            title: self.title,
            confidentiality: level,
            custodian,
            event: period(record).into_iter().map(|period| Event { period }).collect(),
            section: self.section,
        }
    }
}

/// Who answers for the document: the primary therapist, or the practice.
fn author(record: &Record, custodian: Option<&Reference>) -> Reference {
    let parts = record.of("CareTeam").flat_map(|team| team.list("/participant"));
    let members = parts.filter_map(|part| part.pointer("/member/reference")?.as_str());
    let therapist = members
        .filter(|name| name.starts_with("Practitioner"))
        .find(|name| record.find(name).is_some());
    let nobody = || Reference { reference: None, display: Some("throughline".to_owned()) };
    therapist.map(Reference::to).or_else(|| custodian.cloned()).unwrap_or_else(nobody)
}

/// The care that the record is of, from the first session's beginning to the last one's end.
fn period(record: &Record) -> Option<Period> {
    let ends = |end: &'static str| {
        let sessions = record.of("Encounter").map(move |one| text(&one.value, end));
        sessions.filter(|time| !time.is_empty())
    };
    let start = ends("/period/start").min_by_key(|time| instant(time))?;
    let end = ends("/period/end").max_by_key(|time| instant(time)).unwrap_or(start);
    Some(Period { start: start.to_owned(), end: end.to_owned() })
}
