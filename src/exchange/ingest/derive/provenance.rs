//! Derives the Provenance of a resource: who said it, who passed it on, what it was made from.

use serde_json::{Value, json};

use super::field::{list, text};
use super::input::instant;
use super::{Derivation, View, labels, reference};
use crate::domain::{FhirId, Kind, Op, Record};

/// The types that get a Provenance: what is said about a client and their care.
const CLINICAL: [&str; 14] = [
    "Appointment",
    "CarePlan",
    "CareTeam",
    "Communication",
    "Condition",
    "Consent",
    "DocumentReference",
    "Encounter",
    "EpisodeOfCare",
    "Goal",
    "Observation",
    "Patient",
    "QuestionnaireResponse",
    "RelatedPerson",
];

/// The input for the Provenance of one version of a resource that was made from a record for one
/// client; nothing for a resource that is not clinical, and nothing while neither an author nor the
/// practice is known, since a Provenance without an agent says nothing.
///
/// `made` is the view it was made from, `version_id` the version that it got.
pub fn provenance(
    record: &Record,
    d: &Derivation,
    made: &View,
    resource_type: &str,
    version_id: &str,
) -> Option<View> {
    if !CLINICAL.contains(&resource_type) {
        return None;
    }
    let target = format!("{resource_type}/{}", made.resource_id);
    let resource_id = d.ids.part(record.kind, &record.id, &format!("provenance:{target}"));
    let practice = d.neighbours.organization();
    let organization = reference::practice(d);
    let author = author(record, d).or_else(|| Some(json!({ "who": organization.clone()? })))?;
    let mut facts = json!({
        "resource_id": resource_id.as_str(),
        "last_updated": instant(made.last_updated),
        "source": format!("{}/platform/{}", d.base, record.tenant),
        "labels": labels_of(record, d, resource_type),
        "target": format!("{target}/_history/{version_id}"),
        "recorded": record.recorded_at.clone().unwrap_or_else(|| instant(record.updated_at)),
        "activity": if record.version == 1 && record.op == Op::Upsert { "CREATE" } else { "UPDATE" },
        "record": {
            "system": format!("{}/ids/{}/{}", d.base, record.tenant, record.kind),
            "value": identifier(record, &made.resource_id),
        },
    });
    let mut set = |name: &str, value: Option<Value>| {
        if let (Some(facts), Some(value)) = (facts.as_object_mut(), value) {
            facts.insert(name.to_owned(), value);
        }
    };
    set("author", Some(author));
    set("organization", organization.map(Value::from));
    let name = practice.as_ref().and_then(|practice| text(&practice.data, "name"));
    set("organization_name", name.map(Value::from));
    Some(View {
        map: "provenance",
        resource_id,
        input: facts.to_string().into_bytes(),
        last_updated: made.last_updated,
    })
}

/// The platform's id, unless the record is about several clients: then the resource's own.
fn identifier<'a>(record: &'a Record, resource_id: &'a FhirId) -> &'a str {
    if record.client_ids.len() > 1 { resource_id.as_str() } else { &record.id }
}

fn labels_of(record: &Record, d: &Derivation, resource_type: &str) -> Value {
    let labels = match resource_type {
        "CareTeam" => labels::of_therapy(record, d),
        _ => labels::of(record, d),
    };
    labels.iter().map(|label| json!({ "system": label.system, "code": label.code })).collect()
}

/// Who said what the record says. A practitioner speaks for the practice (provenance-1).
fn author(record: &Record, d: &Derivation) -> Option<Value> {
    let data = &record.data;
    let staff = |name: &str| text(data, name).and_then(|id| reference::practitioner(d, id));
    let client = record.client_ids.first().map(String::as_str).unwrap_or_default();
    let who = match record.kind {
        Kind::Diagnosis => staff("recorded_by"),
        Kind::SessionNote | Kind::TreatmentPlan => staff("author_id"),
        Kind::Message => {
            let sender = data.get("sender")?;
            let only_client = record.client_ids.len() == 1;
            reference::party(d, sender, client)
                .filter(|who| only_client || who.starts_with("Practitioner/"))
        }
        Kind::Consent => data.get("signer").and_then(|signer| reference::party(d, signer, client)),
        Kind::Assessment if text(data, "mode") == Some("self") => reference::patient(d, client),
        Kind::SessionLog => {
            let present = list(data, "presence").iter().filter_map(|row| row.get("who"));
            let mut staff = present.filter(|who| text(who, "kind") == Some("staff"));
            staff.next().and_then(|who| reference::party(d, who, client))
        }
        _ => None,
    }?;
    let organization = reference::practice(d);
    Some(match organization {
        Some(organization) if who.starts_with("Practitioner/") => {
            json!({ "who": who, "on_behalf_of": organization })
        }
        // Without an organization to speak for, a practitioner cannot be named (provenance-1).
        None if who.starts_with("Practitioner/") => return None,
        _ => json!({ "who": who }),
    })
}
