//! `AuditEvent` (<https://hl7.org/fhir/R4/auditevent.html>), in the order of its elements.

use serde::Serialize;

/// What events are searched by, each with its kind.
pub const PARAMS: &[(&str, &str)] = &[
    ("_id", "token"),
    ("patient", "reference"),
    ("date", "date"),
    ("altid", "token"),
    ("subtype", "token"),
    ("outcome", "token"),
];

/// An `AuditEvent`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// Always `AuditEvent`.
    pub resource_type: &'static str,
    /// The logical id.
    pub id: String,
    /// Profiles and labels.
    pub meta: Meta,
    /// What kind of event.
    pub r#type: Coding,
    /// What in particular.
    pub subtype: Vec<Coding>,
    /// `C`, `R`, `U`, `D` or `E`.
    pub action: &'static str,
    /// When.
    pub recorded: String,
    /// 0, 4, 8 or 12.
    pub outcome: String,
    /// Why it went as it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome_desc: Option<String>,
    /// What for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub purpose_of_event: Vec<Concept>,
    /// Who took part.
    pub agent: Vec<Agent>,
    /// Who wrote it down.
    pub source: Source,
    /// What it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entity: Vec<Entity>,
}

/// Profiles and labels.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// The version.
    pub version_id: &'static str,
    /// When it was made.
    pub last_updated: String,
    /// Profiles that the event has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub profile: Vec<&'static str>,
    /// Who may see it.
    pub security: Vec<Coding>,
}

/// A `Coding`.
#[derive(Debug, Clone, Serialize)]
pub struct Coding {
    /// The code system.
    pub system: String,
    /// The code.
    pub code: String,
    /// How people read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

/// A `CodeableConcept`.
#[derive(Debug, Serialize)]
pub struct Concept {
    /// Its codes.
    pub coding: Vec<Coding>,
}

/// A `Reference`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Reference {
    /// `Type/id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// A name for what has no resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<Identifier>,
    /// How people read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

/// An `Identifier`.
#[derive(Debug, Clone, Serialize)]
pub struct Identifier {
    /// The value.
    pub value: String,
}

/// Somebody or something that took part.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Agent {
    /// As what.
    pub r#type: Concept,
    /// In which roles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub role: Vec<Concept>,
    /// Who.
    pub who: Reference,
    /// Another name of theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alt_id: Option<String>,
    /// Whether they asked for it.
    pub requestor: bool,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// What for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub purpose_of_use: Vec<Concept>,
}

/// A place in a network.
#[derive(Debug, Serialize)]
pub struct Network {
    /// The address.
    pub address: String,
    /// 1: a name, 2: an IP address, 5: a URI.
    pub r#type: &'static str,
}

/// Who wrote an event down.
#[derive(Debug, Serialize)]
pub struct Source {
    /// Where.
    pub site: String,
    /// Who.
    pub observer: Reference,
    /// As what.
    pub r#type: Vec<Coding>,
}

/// What an event is about.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entity {
    /// What.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<Reference>,
    /// Of which kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<Coding>,
    /// In which part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Coding>,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A query, as base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Codes and numbers beside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<Detail>,
}

/// A code or number beside.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// Its name.
    pub r#type: String,
    /// Its value.
    pub value_string: String,
}

impl Coding {
    /// A code of a system.
    pub fn new(system: &str, code: &str, display: Option<&str>) -> Self {
        Self {
            system: system.to_owned(),
            code: code.to_owned(),
            display: display.map(str::to_owned),
        }
    }

    /// As a concept of its own.
    pub fn concept(self) -> Concept {
        Concept { coding: vec![self] }
    }
}

impl Reference {
    /// To a resource.
    pub fn to(reference: String) -> Self {
        Self { reference: Some(reference), ..Self::default() }
    }

    /// To what has no resource.
    pub fn named(value: &str) -> Self {
        Self { identifier: Some(Identifier { value: value.to_owned() }), ..Self::default() }
    }
}
