//! Events as `AuditEvent`, in the patterns of IHE's Basic Audit Log Patterns 1.1
//! (<https://profiles.ihe.net/ITI/BALP/>).
//!
//! A profile is claimed only where the event has all that it asks for. The patterns hold a search
//! as it was sent. We hold the names of its parameters only, in the same place and form
//! (`Patient?name=&birthdate=`): the values are names, dates of birth and diagnoses, also of people
//! who have no record here, and an audit is read by more people than a record.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Unit;

use super::{Action, Event, Shown};
use crate::error::{Error, Result};
use crate::fhir::audit_event::{
    Agent, AuditEvent, Coding, Detail, Entity, Meta, Network, Reference, Source,
};

/// The profiles, and what they are for.
const READ: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.Read";
const PATIENT_READ: &str =
    "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead";
const QUERY: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.Query";
const PATIENT_QUERY: &str =
    "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientQuery";
const DISCLOSURE: &str =
    "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure.Source";

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
const ENTITY: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const TYPES: &str = "http://hl7.org/fhir/resource-types";
const BALP_ENTITY: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";
const ROLES: &str = "urn:throughline:role";
const SOURCE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";

/// The version of every event: they never change.
pub const VERSION: &str = "1";

/// The server that writes events down.
#[derive(Debug, Clone, Copy)]
pub struct Server<'a> {
    /// Its base URL.
    pub base: &'a str,
}

/// The event as JSON.
pub fn encode(event: &Event, server: Server<'_>) -> Result<Vec<u8>> {
    serde_json::to_vec(&resource(event, server)).map_err(Error::internal)
}

/// The event as one of a disclosure of a patient's record, which it is for the patient.
pub fn encode_disclosure(event: &Event, server: Server<'_>) -> Result<Vec<u8>> {
    let mut released = event.clone();
    released.action = Action::Released;
    let mut resource = resource(&released, server);
    if event.action != Action::Released {
        let (system, code, display) = event.action.row().subtype;
        resource.subtype.push(Coding::new(system, code, Some(display)));
    }
    if event.who.address.is_some() && event.patients.len() == 1 {
        resource.meta.profile = vec![DISCLOSURE];
    }
    serde_json::to_vec(&resource).map_err(Error::internal)
}

fn resource(event: &Event, server: Server<'_>) -> AuditEvent {
    let row = event.action.row();
    let recorded = event.at.round(Unit::Millisecond).unwrap_or(event.at).to_string();
    let coding = |(system, code, display)| Coding::new(system, code, Some(display));
    let purpose = event.who.purpose.iter().map(|code| Coding::new(REASON, code, None).concept());
    AuditEvent {
        resource_type: "AuditEvent",
        id: event.id.clone(),
        meta: Meta {
            version_id: VERSION,
            last_updated: recorded.clone(),
            profile: profile(event).into_iter().collect(),
            security: vec![Coding::new(CONFIDENTIALITY, "R", None)],
        },
        r#type: coding(row.kind),
        subtype: vec![coding(row.subtype)],
        action: row.letter,
        recorded,
        outcome: event.outcome().to_string(),
        outcome_desc: event.issue.clone(),
        purpose_of_event: purpose.collect(),
        agent: agents(event, server),
        source: Source {
            site: server.base.to_owned(),
            observer: Reference::named(server.base),
            r#type: vec![Coding::new(SOURCE, "4", Some("Application Server"))],
        },
        entity: entities(event),
    }
}

/// The profile that an event has, if it has one.
fn profile(event: &Event) -> Option<&'static str> {
    if event.outcome() > 0 || event.who.address.is_none() || event.who.subject.is_empty() {
        return None;
    }
    let patients = event.patients.len();
    match event.action {
        Action::Read | Action::Vread if event.shown.len() == 1 => {
            Some(if patients == 1 { PATIENT_READ } else { READ })
        }
        Action::Search => Some(if patients == 1 { PATIENT_QUERY } else { QUERY }),
        _ => None,
    }
}

/// Whether what flows first are the parameters, so that the client is the source.
fn asks(action: Action) -> bool {
    action.row().letter == "E" || action == Action::Push
}

fn agents(event: &Event, server: Server<'_>) -> Vec<Agent> {
    let source = || Coding::new(DCM, "110153", Some("Source Role ID")).concept();
    let destination = || Coding::new(DCM, "110152", Some("Destination Role ID")).concept();
    let who = &event.who;
    let client = who.client.as_deref().unwrap_or(&who.subject);
    let purposes =
        || who.purpose.iter().map(|code| Coding::new(REASON, code, None).concept()).collect();
    let (of_client, of_server) =
        if asks(event.action) { (source(), destination()) } else { (destination(), source()) };
    let mut agents = vec![
        Agent {
            r#type: of_client,
            role: Vec::new(),
            who: if client.is_empty() {
                Reference { display: Some("unknown".to_owned()), ..Reference::default() }
            } else {
                Reference::named(client)
            },
            alt_id: (!who.subject.is_empty()).then(|| who.subject.clone()),
            requestor: who.user.is_none(),
            network: who
                .address
                .as_ref()
                .map(|address| Network { address: address.clone(), r#type: "2" }),
            purpose_of_use: purposes(),
        },
        Agent {
            r#type: of_server,
            role: Vec::new(),
            who: Reference::named(server.base),
            alt_id: None,
            requestor: false,
            network: Some(Network { address: server.base.to_owned(), r#type: "5" }),
            purpose_of_use: Vec::new(),
        },
    ];
    agents.extend(who.user.as_ref().map(|user| Agent {
        r#type: Coding::new(PARTICIPATION, "IRCP", Some("information recipient")).concept(),
        role: who.role.iter().map(|role| Coding::new(ROLES, role, None).concept()).collect(),
        who: Reference::to(user.clone()),
        alt_id: None,
        requestor: true,
        network: None,
        purpose_of_use: purposes(),
    }));
    agents
}

fn entities(event: &Event) -> Vec<Entity> {
    let mut entities = Vec::new();
    if event.action == Action::Search {
        entities.push(query(event));
    }
    let is_read = matches!(event.action, Action::Read | Action::Vread);
    entities.extend(event.shown.iter().map(|shown| Entity {
        what: Some(Reference::to(reference(shown))),
        // In the pattern of a search, "system object" is the query alone.
        r#type: Some(if is_read {
            Coding::new(ENTITY, "2", Some("System Object"))
        } else {
            Coding::new(TYPES, &shown.resource_type, None)
        }),
        role: Some(Coding::new(ROLE, "4", Some("Domain Resource"))),
        ..Entity::default()
    }));
    if event.shown.is_empty() && event.action != Action::Search {
        entities.extend(asked(event));
    }
    entities.extend(event.patients.iter().map(|patient| Entity {
        what: Some(Reference::to(format!("Patient/{patient}"))),
        r#type: Some(Coding::new(ENTITY, "1", Some("Person"))),
        role: Some(Coding::new(ROLE, "1", Some("Patient"))),
        ..Entity::default()
    }));
    if !event.request.is_empty() {
        entities.push(Entity {
            what: Some(Reference::named(&event.request)),
            r#type: Some(Coding::new(BALP_ENTITY, "XrequestId", None)),
            ..Entity::default()
        });
    }
    if !event.notes.is_empty() {
        let detail = |(name, value): &(String, String)| Detail {
            r#type: name.clone(),
            value_string: value.clone(),
        };
        entities.push(Entity {
            r#type: Some(Coding::new(ENTITY, "4", Some("Other"))),
            detail: event.notes.iter().map(detail).collect(),
            ..Entity::default()
        });
    }
    entities
}

fn reference(shown: &Shown) -> String {
    let Shown { resource_type, id, version, .. } = shown;
    if version.is_empty() {
        format!("{resource_type}/{id}")
    } else {
        format!("{resource_type}/{id}/_history/{version}")
    }
}

/// The names of the parameters, as in a URL.
fn query(event: &Event) -> Entity {
    let searched = event.asked.as_ref().map_or("", |asked| asked.resource_type.as_str());
    let names: Vec<String> = event.parameters.iter().map(|name| format!("{name}=")).collect();
    let mark = if names.is_empty() { "" } else { "?" };
    let text = format!("{searched}{mark}{}", names.join("&"));
    Entity {
        r#type: Some(Coding::new(ENTITY, "2", Some("System Object"))),
        role: Some(Coding::new(ROLE, "24", Some("Query"))),
        query: Some(STANDARD.encode(&text)),
        description: Some(text),
        ..Entity::default()
    }
}

/// What was asked for and not shown.
fn asked(event: &Event) -> Option<Entity> {
    let asked = event.asked.as_ref()?;
    let id = asked.id.as_ref()?;
    Some(Entity {
        what: Some(Reference::to(format!("{}/{id}", asked.resource_type))),
        r#type: Some(Coding::new(ENTITY, "2", Some("System Object"))),
        role: Some(Coding::new(ROLE, "4", Some("Domain Resource"))),
        ..Entity::default()
    })
}
