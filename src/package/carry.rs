//! What of a record is carried to whoever treats the person next, in the form that they take it in.
//!
//! Everything is known by identifiers of ours that are the same whenever it is made again, so that
//! a receiver who has it already has it once
//! (<https://hl7.org/fhir/R4/http.html#ccreate>). References are resolved within what is sent.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::readable::Readable;
use super::record::{Piece, Record};
use super::texts::Texts;
use super::{Beside, Copy, Options, document, labels, named, pdf};
use crate::domain::FhirId;
use crate::error::{Error, Result};
use crate::fhir::raw::{Items, Members};
use crate::policy::notice;

/// The system of the identifiers by which a receiver knows our resources.
pub const IDENTIFIERS: &str = "https://throughline.example/fhir/sid/resource";
/// What has no identifier: files go within what refers to them, and Provenance is ours.
const NOT_SENT: &[&str] = &["Binary", "Provenance"];
/// In which order they are created: what is referred to comes first.
const ORDER: &[&str] = &["Organization", "Practitioner", "Location", "PractitionerRole", "Patient"];

/// In which form a receiver takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Each resource, all or nothing.
    Transaction,
    /// The document, as one Bundle.
    Document,
    /// The document in a message.
    Message,
    /// A reference to the document with the PDF in it.
    Reference,
}

/// What is carried.
#[derive(Debug, Clone)]
pub struct Carried {
    /// The person as a Patient: whom to look for.
    pub person: Vec<u8>,
    /// The body to send.
    pub body: Vec<u8>,
    /// By what the receiver knows whether it has it: a search of `identifier`, if it is one resource.
    pub identifier: Option<String>,
    /// Whether records of a Part 2 program are in it.
    pub part2: bool,
}

/// Makes what is carried. `there` is the person as the receiver's server knows them, `Patient/…`;
/// without it they are created. `name` is the transfer's: what is made of it has always the same
/// identifiers.
///
/// # Errors
///
/// `NotFound` where the patient is not among the resources.
pub fn carry(
    patient: &FhirId,
    pieces: Vec<Piece>,
    options: &Options,
    (name, form, there): (&str, Form, Option<&str>),
) -> Result<Carried> {
    let record = Record::new(patient, pieces)?;
    let texts = Texts::of(options.language)?;
    let copy = Copy {
        record: &record,
        texts: &texts,
        options,
        marks: record.labels(),
        beside: Beside::default(),
    };
    let uuid = named(&format!("transfer\u{1f}{name}"));
    let by_uuid = Some(format!("urn:ietf:rfc:3986|urn:uuid:{uuid}"));
    let (body, identifier) = match form {
        Form::Transaction => (transaction(&copy, &uuid, there)?, None),
        Form::Document => (document::bundle_as(&copy, &uuid)?, by_uuid),
        Form::Message => (message(&copy, &uuid)?, None),
        Form::Reference => {
            let there = there.ok_or_else(|| Error::broken("a document of nobody"))?;
            (reference(&copy, &uuid, there)?.into_bytes(), by_uuid)
        }
    };
    let person = record.patient.piece.body.to_vec();
    Ok(Carried { person, body, identifier, part2: copy.marks.part2 })
}

/// Each resource as a conditional create, and the whole to read.
fn transaction(copy: &Copy<'_>, uuid: &str, there: Option<&str>) -> Result<Vec<u8>> {
    let files: BTreeMap<String, &[u8]> = copy
        .record
        .of("Binary")
        .filter_map(|file| Some((file.name(), Members::of(&file.piece.body).find(b"data")?)))
        .collect();
    let mut entries = document::closed(copy.record, NOT_SENT);
    let place = |name: &str| {
        let kind = name.split('/').next().unwrap_or_default();
        ORDER.iter().position(|known| *known == kind).unwrap_or(ORDER.len())
    };
    entries.sort_by(|(a, _), (b, _)| place(a).cmp(&place(b)).then_with(|| a.cmp(b)));
    let own = copy.record.patient.name();
    let mut to: BTreeMap<&str, String> = entries
        .iter()
        .map(|(name, _)| (name.as_str(), format!("urn:uuid:{}", named(name))))
        .collect();
    if let Some(there) = there {
        to.insert(&own, there.to_owned());
    }
    let mut out = head(copy)?;
    let mut between: &[u8] = br#","entry":["#;
    for (name, body) in &entries {
        if there.is_some() && *name == own {
            continue;
        }
        let (kind, id) = name.split_once('/').unwrap_or_default();
        let system = format!("{IDENTIFIERS}/{kind}");
        let request = json!({
            "method": "POST", "url": kind, "ifNoneExist": format!("identifier={system}|{id}"),
        });
        out.extend_from_slice(between);
        between = b",";
        let url = to.get(name.as_str()).map(String::as_str).unwrap_or_default();
        out.extend_from_slice(
            json!({ "fullUrl": url }).to_string().trim_end_matches('}').as_bytes(),
        );
        out.extend_from_slice(br#","resource":"#);
        let known = json!({ "system": system, "value": id });
        Sending { to: &to, files: &files, out: &mut out }.resource(kind, body, &known);
        out.extend_from_slice(br#","request":"#);
        out.extend_from_slice(request.to_string().as_bytes());
        out.push(b'}');
    }
    let subject = to.get(own.as_str()).map(String::as_str).unwrap_or_default();
    let request = json!({
        "method": "POST", "url": "DocumentReference",
        "ifNoneExist": format!("identifier=urn:ietf:rfc:3986|urn:uuid:{uuid}"),
    });
    let url = format!("urn:uuid:{}", named(&format!("reference\u{1f}{uuid}")));
    let document = reference(copy, uuid, subject)?;
    out.extend_from_slice(between);
    let last = format!(r#"{{"fullUrl":"{url}","resource":{document},"request":{request}}}]}}"#);
    out.extend_from_slice(last.as_bytes());
    Ok(out)
}

/// The beginning of the transaction, with the labels of what is in it.
fn head(copy: &Copy<'_>) -> Result<Vec<u8>> {
    let marks = labels(&copy.marks);
    if marks.is_empty() {
        return Ok(br#"{"resourceType":"Bundle","type":"transaction""#.to_vec());
    }
    let marks = serde_json::to_string(&marks).map_err(Error::internal)?;
    let head = r#"{"resourceType":"Bundle","meta":{"security":"#;
    Ok(format!(r#"{head}{marks}}},"type":"transaction""#).into_bytes())
}

/// Writes a resource for a receiver: with an identifier of ours instead of the id, and references to
/// what goes with it. All else is copied as it stands.
struct Sending<'a> {
    to: &'a BTreeMap<&'a str, String>,
    files: &'a BTreeMap<String, &'a [u8]>,
    out: &'a mut Vec<u8>,
}

impl Sending<'_> {
    fn resource(&mut self, kind: &str, body: &[u8], known: &Value) {
        // Of a questionnaire's answers there is one identifier, of all others a list.
        let is_single = kind == "QuestionnaireResponse";
        let is_bare = Members::of(body).find(b"identifier").is_none();
        self.out.push(b'{');
        for member in Members::of(body).filter(|member| member.name != b"id") {
            let ours =
                member.name == b"meta" && Members::of(member.value).all(|one| is_ours(one.name));
            // An object is not empty.
            if ours {
                continue;
            }
            if !self.out.ends_with(b"{") {
                self.out.push(b',');
            }
            match member.name {
                b"meta" => self.meta(member.value),
                b"identifier" => {
                    self.out.extend_from_slice(br#""identifier":"#);
                    self.identifiers(member.value, known, is_single);
                }
                _ => self.member(member.name, member.value),
            }
            if member.name == b"resourceType" && is_bare {
                self.out.extend_from_slice(br#","identifier":"#);
                self.identifiers(b"[]", known, is_single);
            }
        }
        self.out.push(b'}');
    }

    /// Those of the resource, and ours.
    fn identifiers(&mut self, own: &[u8], known: &Value, is_single: bool) {
        let known = known.to_string();
        if is_single {
            self.out.extend_from_slice(known.as_bytes());
            return;
        }
        self.out.push(b'[');
        for item in Items::of(own) {
            self.value(item);
            self.out.push(b',');
        }
        self.out.extend_from_slice(known.as_bytes());
        self.out.push(b']');
    }

    /// What does not depend on this server: profiles, labels, tags.
    fn meta(&mut self, value: &[u8]) {
        self.out.extend_from_slice(br#""meta":{"#);
        for member in Members::of(value).filter(|member| !is_ours(member.name)) {
            if !self.out.ends_with(b"{") {
                self.out.push(b',');
            }
            self.out.extend_from_slice(member.text);
        }
        self.out.push(b'}');
    }

    fn member(&mut self, name: &[u8], value: &[u8]) {
        let text = serde_json::from_slice::<String>(value).ok();
        let target = text.as_deref().and_then(|text| text.split("/_history/").next());
        if let Some(to) = target.filter(|_| name == b"reference").and_then(|t| self.to.get(t)) {
            let to = Value::from(to.as_str()).to_string();
            self.out.extend_from_slice(br#""reference":"#);
            self.out.extend_from_slice(to.as_bytes());
            return;
        }
        if let Some(data) = target.filter(|_| name == b"url").and_then(|t| self.files.get(t)) {
            self.out.extend_from_slice(br#""data":"#);
            self.out.extend_from_slice(data);
            return;
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(br#"":"#);
        self.value(value);
    }

    fn value(&mut self, value: &[u8]) {
        match value.first() {
            Some(b'{') => {
                self.out.push(b'{');
                let mut between: &[u8] = b"";
                for member in Members::of(value) {
                    self.out.extend_from_slice(between);
                    between = b",";
                    self.member(member.name, member.value);
                }
                self.out.push(b'}');
            }
            Some(b'[') => {
                self.out.push(b'[');
                let mut between: &[u8] = b"";
                for item in Items::of(value) {
                    self.out.extend_from_slice(between);
                    between = b",";
                    self.value(item);
                }
                self.out.push(b']');
            }
            _ => self.out.extend_from_slice(value),
        }
    }
}

/// Whether a member of `meta` tells of this server alone.
fn is_ours(name: &[u8]) -> bool {
    matches!(name, b"versionId" | b"lastUpdated" | b"source")
}

/// The document in a message (<https://hl7.org/fhir/R4/messaging.html>).
fn message(copy: &Copy<'_>, uuid: &str) -> Result<Vec<u8>> {
    let (base, at) = (&copy.options.base, copy.instant());
    let (id, header) =
        (named(&format!("message\u{1f}{uuid}")), named(&format!("header\u{1f}{uuid}")));
    let focus = format!("{base}/Bundle/{uuid}");
    let head = json!({
        "resourceType": "MessageHeader", "id": header,
        "eventUri": "https://throughline.example/fhir/message/care-transfer",
        "source": { "name": copy.practice(), "endpoint": base },
        "focus": [{ "reference": focus }],
    });
    let mut out = format!(
        r#"{{"resourceType":"Bundle","id":"{id}","identifier":{{"system":"urn:ietf:rfc:3986","value":"urn:uuid:{id}"}},"type":"message","timestamp":"{at}","entry":[{{"fullUrl":"urn:uuid:{header}","resource":{head}}},{{"fullUrl":"{focus}","resource":"#
    )
    .into_bytes();
    out.extend_from_slice(&document::bundle_as(copy, uuid)?);
    out.extend_from_slice(b"}]}");
    Ok(out)
}

/// A reference to the document with the PDF in it, about somebody.
fn reference(copy: &Copy<'_>, uuid: &str, there: &str) -> Result<String> {
    let readable = Readable::of(copy);
    let pdf = pdf::pdf(copy, &readable)?;
    let own = json!({ "system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{uuid}") });
    let marks: Vec<Value> = labels(&copy.marks)
        .into_iter()
        .map(|label| json!({ "coding": [{ "system": label.system, "code": label.code }] }))
        .collect();
    let mut document = json!({
        "resourceType": "DocumentReference", "masterIdentifier": own, "identifier": [own],
        "status": "current", "docStatus": "final",
        "type": { "coding": [{ "system": "http://loinc.org", "code": "18761-7", "display": "Transfer summary note" }] },
        "category": [{ "coding": [{
            "system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
            "code": "clinical-note", "display": "Clinical Note",
        }] }],
        "subject": { "reference": there }, "date": copy.instant(),
        "content": [{ "attachment": {
            "contentType": "application/pdf", "language": copy.options.language.tag(),
            "title": copy.title(), "creation": copy.instant(), "data": STANDARD.encode(pdf),
        } }],
    });
    if let Some(members) = document.as_object_mut() {
        if !marks.is_empty() {
            members.insert("securityLabel".to_owned(), Value::Array(marks));
        }
        if copy.marks.part2 {
            members.insert("description".to_owned(), json!(notice::STATEMENT));
        }
    }
    Ok(document.to_string())
}
