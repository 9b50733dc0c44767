//! The International Patient Summary (<https://hl7.org/fhir/uv/ips/STU1.1/>): diagnoses, allergies
//! and medicines, the plan, and scores; no notes and no messages.
//!
//! A practice of therapists keeps no list of allergies or medicines. The guide has codes that say so
//! (`no-allergy-info`), and never the other that says that there are none.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::json;

use crate::domain::FhirId;
use crate::error::Result;
use crate::fhir::document::{About, Concept, Narrative, Reference, Section};
use crate::fhir::raw::Members;

use super::document::{self, Frame, closed};
use super::record::{Piece, Record, Resource};
use super::sections::{self, Section as Part};
use super::texts::{Language, Texts, fill};
use super::{labels, narrative, uuid, written};

/// The kind of document that it is, by its LOINC code.
pub const DOCUMENT_TYPE: &str = "60591-5";

const BUNDLE: &str = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips";
const COMPOSITION: &str = "http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips";
const ABSENT: &str = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips";
const DATA_ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
/// The types that a summary tells of, and those that these name.
pub const TYPES: &[&str] = &[
    "Patient",
    "Condition",
    "CarePlan",
    "Goal",
    "Observation",
    "Practitioner",
    "PractitionerRole",
    "Organization",
];

/// A summary.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The document.
    pub bundle: Vec<u8>,
    /// The resources that it tells of.
    pub shown: Vec<Piece>,
}

/// Scores are told in words: the guide's Bundle tells Observations apart by codes of terminologies,
/// and without these no validator can say which of its profiles a score would have to have.
const TOLD_IN_WORDS: &[&str] = &["Observation"];

/// Makes summaries.
#[derive(Debug)]
pub struct Summarizer {
    texts: Texts,
    language: Language,
}

/// A resource that says that nothing is known.
struct Unknown {
    name: String,
    body: Vec<u8>,
}

impl Summarizer {
    /// Reads the texts.
    ///
    /// # Errors
    ///
    /// A file of this program that is not as it should be.
    pub fn new(language: Language) -> Result<Self> {
        Ok(Self { texts: Texts::of(language)?, language })
    }

    /// The summary of what somebody may see of a record, as a document Bundle.
    ///
    /// # Errors
    ///
    /// `NotFound` where the patient is not among the resources.
    pub fn summary(
        &self,
        patient: &FhirId,
        pieces: Vec<Piece>,
        at: Timestamp,
        base: &str,
    ) -> Result<Summary> {
        let pieces = pieces.into_iter().filter(|piece| TYPES.contains(&&*piece.resource_type));
        let mut record = Record::new(patient, pieces.collect())?;
        record.all.retain(|_, resource| is_told(resource));
        let (texts, at) = (&self.texts, written(at));
        let uuid = uuid("summary", &record, &at);
        let id = patient.as_str();
        let mut unknown = vec![
            allergies(id).named("AllergyIntolerance", id),
            medications(id).named("MedicationStatement", id),
        ];
        let mut parts = sections::clinical(&record, texts, None);
        let is_unknown = record.of("Condition").next().is_none();
        if is_unknown {
            unknown.push(problems(id).named("Condition", id));
        }
        parts.retain(|part| part.anchor != "people");
        let section = parts.iter().map(|part| section_of(part, &unknown, texts));
        let mut section: Vec<Section> = section.collect();
        let marks = record.labels();
        if marks.part2 {
            section.push(document::part2(texts));
        }
        let name = super::record::person(record.patient.list("/name"));
        let values = [("title", &*texts.frame.title_summary), ("name", &*name)];
        let frame = Frame {
            record: &record,
            texts,
            language: self.language.tag(),
            uuid: &uuid,
            at: &at,
            profile: Some(COMPOSITION),
            code: DOCUMENT_TYPE,
            title: fill(&texts.frame.footer, &values),
            section,
        };
        let composition = frame.composition();
        let labels = labels(&marks);
        let about = About { uuid: &uuid, profile: &[BUNDLE], labels: &labels, timestamp: &at };
        let mut entries = closed(&record, TOLD_IN_WORDS);
        entries.extend(unknown.into_iter().map(|one| (one.name, Cow::Owned(one.body))));
        let named = document::reached(&composition, &entries)?;
        entries.retain(|(name, _)| named.contains(name));
        for (_, body) in entries.iter_mut().filter(|(name, _)| name.starts_with("Patient/")) {
            with_birth_date(body.to_mut());
        }
        let bundle = document::put_together(&about, &composition, base, &entries)?;
        let is_shown = |one: &Resource| {
            named.contains(&one.name()) || TOLD_IN_WORDS.contains(&&*one.piece.resource_type)
        };
        let shown = record.all.into_values().filter(is_shown);
        let shown = shown.map(|resource| resource.piece).collect();
        Ok(Summary { bundle, shown })
    }
}

/// The guide demands a date of birth; where there is none, it says so.
fn with_birth_date(patient: &mut Vec<u8>) {
    let names: Vec<&[u8]> = Members::of(patient).map(|member| member.name).collect();
    if names.iter().any(|name| [&b"birthDate"[..], b"_birthDate"].contains(name)) {
        return;
    }
    let end = patient.trim_ascii_end().len();
    patient.truncate(end.saturating_sub(1));
    let absent = json!({ "extension": [{ "url": DATA_ABSENT, "valueCode": "unknown" }] });
    patient.extend_from_slice(format!(r#","_birthDate":{absent}}}"#).as_bytes());
}

/// Whether a summary tells of it.
fn is_told(resource: &Resource) -> bool {
    match &*resource.piece.resource_type {
        "Condition" => sections::stands(resource),
        "Observation" => sections::is_result(resource),
        "CarePlan" => resource.text("/status") == "active",
        _ => true,
    }
}

fn section_of(part: &Part, unknown: &[Unknown], texts: &Texts) -> Section {
    let is_entry = |name: &&String| !TOLD_IN_WORDS.iter().any(|kind| name.starts_with(kind));
    let mut entry: Vec<Reference> =
        part.entries.iter().filter(is_entry).map(Reference::to).collect();
    let kind = match part.anchor {
        "diagnoses" => "Condition/",
        "allergies" => "AllergyIntolerance/",
        "medications" => "MedicationStatement/",
        _ => "none/",
    };
    if entry.is_empty() {
        let known = unknown.iter().filter(|one| one.name.starts_with(kind));
        entry.extend(known.map(|one| Reference::to(&one.name)));
    }
    Section {
        title: part.title.clone(),
        code: part.code.map(|code| Concept::loinc(code, None)),
        text: Narrative::generated(narrative::div(&part.blocks, &texts.frame.none)),
        entry,
        empty_reason: None,
    }
}

/// Says that nothing is known.
struct Absent(serde_json::Value);

impl Absent {
    fn named(self, resource_type: &str, patient: &str) -> Unknown {
        let id = format!("unknown-{patient}");
        let id = id.get(..64).unwrap_or(&id);
        let mut value = self.0;
        if let Some(members) = value.as_object_mut() {
            members.insert("resourceType".to_owned(), json!(resource_type));
            members.insert("id".to_owned(), json!(id));
        }
        Unknown { name: format!("{resource_type}/{id}"), body: value.to_string().into_bytes() }
    }
}

fn code(code: &str, display: &str) -> serde_json::Value {
    json!({ "coding": [{ "system": ABSENT, "code": code, "display": display }] })
}

fn allergies(patient: &str) -> Absent {
    let system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
    Absent(json!({
        "clinicalStatus": { "coding": [{ "system": system, "code": "active" }] },
        "code": code("no-allergy-info", "No information about allergies"),
        "patient": { "reference": format!("Patient/{patient}") },
    }))
}

fn medications(patient: &str) -> Absent {
    Absent(json!({
        "status": "unknown",
        "medicationCodeableConcept": code("no-medication-info", "No information about medications"),
        "subject": { "reference": format!("Patient/{patient}") },
        "_effectiveDateTime": { "extension": [{ "url": DATA_ABSENT, "valueCode": "unknown" }] },
    }))
}

fn problems(patient: &str) -> Absent {
    let system = "http://terminology.hl7.org/CodeSystem/condition-clinical";
    Absent(json!({
        "clinicalStatus": { "coding": [{ "system": system, "code": "active" }] },
        "code": code("no-problem-info", "No information about problems"),
        "subject": { "reference": format!("Patient/{patient}") },
    }))
}
