//! The resources that somebody may have of one patient, and what they say of each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::domain::{Coding, FhirId};
use crate::error::{Error, Result};
use crate::policy::{Confidentiality, Labels};

use super::texts::Language;

/// The types of which nothing is told but their labels, and of which there are as many as of all others.
const UNTOLD: [&str; 1] = ["Provenance"];

/// A resource as it was let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// `Encounter`, `Patient`, …
    pub resource_type: String,
    /// The logical id.
    pub id: FhirId,
    /// `meta.versionId`.
    pub version: String,
    /// The resource's bytes.
    pub body: Arc<[u8]>,
}

impl Piece {
    /// The language that a patient would rather read, if there are texts in it.
    pub fn language(&self) -> Option<Language> {
        let value: Value = serde_json::from_slice(&self.body).ok()?;
        let all = list(&value, "/communication");
        let dear = all.iter().find(|one| one.get("preferred") == Some(&Value::Bool(true)));
        Language::tagged(text(dear.or(all.first())?, "/language/coding/0/code"))
    }
}

/// A resource that can be looked into.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) piece: Piece,
    pub(super) value: Value,
}

impl Resource {
    /// `Type/id`.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.piece.resource_type, self.piece.id)
    }

    /// The text at a JSON pointer; empty where there is none.
    pub(super) fn text(&self, pointer: &str) -> &str {
        text(&self.value, pointer)
    }

    /// The items of the list at a JSON pointer.
    pub(super) fn list(&self, pointer: &str) -> &[Value] {
        list(&self.value, pointer)
    }

    /// Whether a code is among those of the concepts at a JSON pointer.
    pub(super) fn is_coded(&self, pointer: &str, code: &str) -> bool {
        let concept = self.value.pointer(pointer);
        let concepts = concept.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let concepts = concepts.iter().chain(concept.filter(|concept| concept.is_object()));
        concepts
            .flat_map(|concept| list(concept, "/coding"))
            .any(|known| text(known, "/code") == code)
    }
}

/// The text at a JSON pointer; empty where there is none.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The items of the list at a JSON pointer.
pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What a concept is called: its text, or what its code is.
pub(super) fn concept(value: &Value) -> &str {
    let display = || list(value, "/coding").iter().map(|code| text(code, "/display"));
    let code = || list(value, "/coding").iter().map(|code| text(code, "/code"));
    let mut names = std::iter::once(text(value, "/text")).chain(display()).chain(code());
    names.find(|name| !name.is_empty()).unwrap_or_default()
}

/// What the concept at a JSON pointer is called.
pub(super) fn concept_at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).map(concept).unwrap_or_default()
}

/// A person's name as it is written: the official one, or the first.
pub(super) fn person(names: &[Value]) -> String {
    let official = names.iter().find(|name| text(name, "/use") == "official");
    official.or(names.first()).map(one_name).unwrap_or_default()
}

/// A name as it is written.
pub(super) fn one_name(name: &Value) -> String {
    if !text(name, "/text").is_empty() {
        return text(name, "/text").to_owned();
    }
    let part = |pointer: &str| list(name, pointer).iter().filter_map(Value::as_str);
    let family = Some(text(name, "/family")).filter(|family| !family.is_empty());
    let all = part("/prefix").chain(part("/given")).chain(family).chain(part("/suffix"));
    all.collect::<Vec<_>>().join(" ")
}

/// The record.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) patient: Resource,
    /// All of it, by type and id; the patient too.
    pub(super) all: BTreeMap<(String, FhirId), Resource>,
}

impl Record {
    /// The record that these resources are.
    ///
    /// # Errors
    ///
    /// The patient is not among them, or one is no JSON.
    pub(super) fn new(patient: &FhirId, pieces: Vec<Piece>) -> Result<Self> {
        let mut all = BTreeMap::new();
        for piece in pieces {
            let mut value: Value = serde_json::from_slice(&piece.body).map_err(Error::internal)?;
            if let Some(members) =
                value.as_object_mut().filter(|_| UNTOLD.contains(&&*piece.resource_type))
            {
                members.retain(|name, _| name == "meta");
            }
            let key = (piece.resource_type.clone(), piece.id.clone());
            all.insert(key, Resource { piece, value });
        }
        let found = all.get(&("Patient".to_owned(), patient.clone())).cloned();
        Ok(Self { patient: found.ok_or(Error::NotFound)?, all })
    }

    /// The resources of a type, by id.
    pub(super) fn of(&self, resource_type: &str) -> impl Iterator<Item = &Resource> {
        self.all.values().filter(move |known| known.piece.resource_type == resource_type)
    }

    /// The resources of a type, the latest first; `when` tells when each was.
    pub(super) fn latest<'a>(
        &'a self,
        resource_type: &str,
        when: impl Fn(&'a Resource) -> &'a str,
    ) -> Vec<&'a Resource> {
        let mut found: Vec<&Resource> = self.of(resource_type).collect();
        found.sort_by(|a, b| instant(when(b)).cmp(&instant(when(a))));
        found
    }

    /// The resource that a reference is to.
    pub(super) fn find(&self, reference: &str) -> Option<&Resource> {
        let (resource_type, id) = reference.split_once('/')?;
        self.all.get(&(resource_type.to_owned(), id.parse().ok()?))
    }

    /// What the one is called whom a reference is to; empty where nobody says.
    pub(super) fn who(&self, reference: &Value) -> String {
        let display = text(reference, "/display");
        if !display.is_empty() {
            return display.to_owned();
        }
        let Some(found) = self.find(text(reference, "/reference")) else { return String::new() };
        match &*found.piece.resource_type {
            "Organization" | "Location" | "CareTeam" => found.text("/name").to_owned(),
            "PractitionerRole" => {
                found.value.pointer("/practitioner").map(|of| self.who(of)).unwrap_or_default()
            }
            _ => person(found.list("/name")),
        }
    }

    /// What those are called to whom the references of a list are.
    pub(super) fn whos(&self, references: &[Value]) -> String {
        let names = references.iter().map(|reference| self.who(reference));
        names.filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ")
    }

    /// The bytes of what is attached to a document, with their media type; `None` where they are
    /// not in the record.
    pub(super) fn attached(&self, attachment: &Value) -> Option<Vec<u8>> {
        let inline = text(attachment, "/data");
        if !inline.is_empty() {
            return STANDARD.decode(inline).ok();
        }
        let binary = self.find(text(attachment, "/url"))?;
        let data = Some(binary.text("/data")).filter(|data| !data.is_empty())?;
        STANDARD.decode(data).ok()
    }

    /// The practice that keeps the record.
    pub(super) fn practice(&self) -> Option<&Resource> {
        let managing = self.find(self.patient.text("/managingOrganization/reference"));
        managing.or_else(|| self.of("Organization").next())
    }

    /// The labels of all of it together.
    pub(super) fn labels(&self) -> Marks {
        let codings = self.all.values().flat_map(|known| known.list("/meta/security"));
        let codings: Vec<Coding> = codings
            .map(|coding| Coding {
                system: text(coding, "/system").to_owned(),
                code: text(coding, "/code").to_owned(),
            })
            .collect();
        Marks::of(&codings)
    }
}

/// Security labels of several resources: the highest confidentiality, and all others.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    pub(super) level: Option<Confidentiality>,
    pub(super) others: Vec<Coding>,
    /// Whether anything of it is from a Part 2 program.
    pub(super) part2: bool,
}

impl Marks {
    fn of(codings: &[Coding]) -> Self {
        let part2 = Labels::read(codings).part2;
        let is_level = |coding: &Coding| coding.system.ends_with("/v3-Confidentiality");
        let levels = codings.iter().filter(|coding| is_level(coding));
        let level = levels.filter_map(|coding| coding.code.parse().ok()).max();
        let mut others: Vec<Coding> =
            codings.iter().filter(|coding| !is_level(coding)).cloned().collect();
        others.sort();
        others.dedup();
        Self { level, others, part2 }
    }
}

/// The instant of a date or time, as far as it is known: what comes first has the lower one.
pub(super) fn instant(text: &str) -> (i64, &str) {
    let exact = text.parse::<jiff::Timestamp>().ok();
    let day = || {
        let mut day = text.get(..10).unwrap_or(text).to_owned();
        while day.len() < 10 && day.len() >= 4 {
            day.push_str("-01");
        }
        let date: jiff::civil::Date = day.parse().ok()?;
        date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    (exact.or_else(day).map_or(i64::MIN, jiff::Timestamp::as_second), text)
}
