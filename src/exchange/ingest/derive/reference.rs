//! References from one resource to another, made only where the target is really there.
//!
//! A helper answers nothing when the target's record is unknown, isolated or makes no resource.
//! Helpers for what belongs to a client also ask for the client, so that a resource of one client
//! can never name a session, diagnosis or relative of another.

use std::sync::Arc;

use serde_json::Value;

use super::field::text;
use super::{
    Derivation, Warning, appointment, assessment, attachment, diagnosis, episode, message,
    related_party, session_log, session_note, thread, treatment_plan,
};
use crate::domain::{Kind, Record};

/// The Patient of a client.
pub(super) fn patient(d: &Derivation, client: &str) -> Option<String> {
    known(d, Kind::Client, client)?;
    Some(format!("Patient/{}", d.ids.id(Kind::Client, client)))
}

/// The Patient whom a resource must name. Where the client is not known yet, the resource waits:
/// there is a warning, and the record is mapped again when the client arrives.
pub(super) fn subject(
    d: &Derivation,
    client: &str,
    pointer: &str,
    warnings: &mut Vec<Warning>,
) -> Option<String> {
    let patient = patient(d, client);
    if patient.is_none() {
        warnings.push(Warning { code: "client_unknown", pointer: pointer.to_owned() });
    }
    patient
}

/// The Practitioner of a member of staff.
pub(super) fn practitioner(d: &Derivation, staff: &str) -> Option<String> {
    known(d, Kind::Staff, staff)?;
    Some(format!("Practitioner/{}", d.ids.id(Kind::Staff, staff)))
}

/// The Organization of the tenant's practice.
pub(super) fn practice(d: &Derivation) -> Option<String> {
    let record = d.neighbours.organization()?;
    Some(format!("Organization/{}", d.ids.id(Kind::Organization, &record.id)))
}

/// The Organization of one organization.
pub(super) fn organization(d: &Derivation, organization: &str) -> Option<String> {
    known(d, Kind::Organization, organization)?;
    Some(format!("Organization/{}", d.ids.id(Kind::Organization, organization)))
}

/// The practice's Location for a CMS place of service: `02`, `10` or `11`.
pub(super) fn location(d: &Derivation, pos: &str) -> Option<String> {
    let record = d.neighbours.organization()?;
    matches!(pos, "02" | "10" | "11").then(|| {
        let id = d.ids.part(Kind::Organization, &record.id, &format!("location:{pos}"));
        format!("Location/{id}")
    })
}

/// The RelatedPerson of someone related to the client.
pub(super) fn related_person(d: &Derivation, related: &str, client: &str) -> Option<String> {
    let record = known(d, Kind::RelatedParty, related)?;
    (text(&record.data, "client_id") == Some(client) && related_party::is_mapped(&record))
        .then(|| format!("RelatedPerson/{}", d.ids.id(Kind::RelatedParty, related)))
}

/// The client's CareTeam.
pub(super) fn care_team(d: &Derivation, client: &str) -> Option<String> {
    known(d, Kind::Client, client)?;
    super::client::has_care_team(d, client)
        .then(|| format!("CareTeam/{}", d.ids.part(Kind::Client, client, "care-team")))
}

/// The client's EpisodeOfCare.
pub(super) fn episode_of_care(d: &Derivation, id: &str, client: &str) -> Option<String> {
    let record = known(d, Kind::Episode, id)?;
    (text(&record.data, "client_id") == Some(client) && episode::is_mapped(&record))
        .then(|| format!("EpisodeOfCare/{}", d.ids.id(Kind::Episode, id)))
}

/// The client's view of an appointment.
pub(super) fn appointment(d: &Derivation, id: &str, client: &str) -> Option<String> {
    let record = known(d, Kind::Appointment, id)?;
    appointment::is_mapped(&record, client)
        .then(|| format!("Appointment/{}", d.ids.part(Kind::Appointment, id, client)))
}

/// The client's Encounter of a session.
pub(super) fn encounter(d: &Derivation, session: &str, client: &str) -> Option<String> {
    let record = known(d, Kind::SessionLog, session)?;
    session_log::is_mapped(&record, d, client)
        .then(|| format!("Encounter/{}", d.ids.part(Kind::SessionLog, session, client)))
}

/// The client's Condition.
pub(super) fn condition(d: &Derivation, diagnosis: &str, client: &str) -> Option<String> {
    let record = known(d, Kind::Diagnosis, diagnosis)?;
    (text(&record.data, "client_id") == Some(client) && diagnosis::is_mapped(&record))
        .then(|| format!("Condition/{}", d.ids.id(Kind::Diagnosis, diagnosis)))
}

/// The client's CarePlan.
pub(super) fn care_plan(d: &Derivation, plan: &str, client: &str) -> Option<String> {
    let record = known(d, Kind::TreatmentPlan, plan)?;
    (text(&record.data, "client_id") == Some(client)
        && treatment_plan::is_mapped(&record, d, client))
    .then(|| format!("CarePlan/{}", d.ids.id(Kind::TreatmentPlan, plan)))
}

/// The Goal of a treatment plan that is known to be mapped.
pub(super) fn goal(d: &Derivation, plan: &str, goal: &str) -> String {
    format!("Goal/{}", d.ids.part(Kind::TreatmentPlan, plan, &format!("goal:{goal}")))
}

/// The DocumentReference of a note about the client.
pub(super) fn note(d: &Derivation, note: &str, client: &str) -> Option<String> {
    let record = known(d, Kind::SessionNote, note)?;
    session_note::is_mapped(&record, d, client)
        .then(|| format!("DocumentReference/{}", d.ids.id(Kind::SessionNote, note)))
}

/// The client's QuestionnaireResponse.
pub(super) fn questionnaire_response(d: &Derivation, id: &str, client: &str) -> Option<String> {
    let record = known(d, Kind::Assessment, id)?;
    assessment::is_mapped(&record, d, client)
        .then(|| format!("QuestionnaireResponse/{}", d.ids.id(Kind::Assessment, id)))
}

/// The client's view of a conversation's header Communication.
pub(super) fn thread(d: &Derivation, id: &str, client: &str) -> Option<String> {
    let record = known(d, Kind::Thread, id)?;
    thread::is_mapped(&record, d, client)
        .then(|| format!("Communication/{}", d.ids.part(Kind::Thread, id, client)))
}

/// The client's view of a message.
pub(super) fn message(d: &Derivation, id: &str, client: &str) -> Option<String> {
    let record = known(d, Kind::Message, id)?;
    message::is_mapped(&record, d, client)
        .then(|| format!("Communication/{}", d.ids.part(Kind::Message, id, client)))
}

/// The Binary of an attachment in a record about the client.
pub(super) fn attachment(d: &Derivation, id: &str, client: &str) -> Option<String> {
    let record = known(d, Kind::Attachment, id)?;
    attachment::is_mapped(&record, d, client)
        .then(|| format!("Binary/{}", d.ids.id(Kind::Attachment, id)))
}

/// Someone named as `{kind, id}`: a member of staff, the client, or someone related to the client.
/// Another client is a third party, and never named.
pub(super) fn party(d: &Derivation, who: &Value, client: &str) -> Option<String> {
    let id = text(who, "id")?;
    match text(who, "kind")? {
        "client" if id == client => patient(d, id),
        "staff" => practitioner(d, id),
        "related" | "related_party" | "guardian" | "poa" | "court" => related_person(d, id, client),
        _ => None,
    }
}

/// A record of which data has been seen.
fn known(d: &Derivation, kind: Kind, id: &str) -> Option<Arc<Record>> {
    d.neighbours.get(kind, id).filter(|record| record.data.is_object())
}
