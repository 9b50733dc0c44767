//! Derives the Patient of a `client` record, and the CareTeam of those assigned to the client.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::field::{list, text, texts};
use super::input::Input;
use super::{
    Derivation, View, Warning, labels, local_time, race, reference, related_party, telecom,
};
use crate::domain::{Kind, Op, Record};
use crate::exchange::ingest::{clock, term};
use crate::policy::Term;

/// Whether the client has a care team: anyone known who is assigned to the client.
pub(super) fn has_care_team(d: &Derivation, client: &str) -> bool {
    assigned(d, client).next().is_some()
}

/// The client's primary therapist.
pub(super) fn primary_therapist(d: &Derivation, client: &str) -> Option<String> {
    let mut primary = assigned(d, client).filter(|(assignment, _)| {
        let data = &assignment.data;
        text(data, "role") == Some("primary") && data.get("to").is_none_or(Value::is_null)
    });
    primary.next().map(|(_, member)| member)
}

pub(super) fn views(record: &Record, d: &Derivation, _warnings: &mut Vec<Warning>) -> Vec<View> {
    let mut views = vec![patient(record, d)];
    views.extend(care_team(record, d));
    views
}

fn patient(record: &Record, d: &Derivation) -> View {
    let data = &record.data;
    let mut input = Input::new(record, d, d.ids.id(Kind::Client, &record.id));
    let names = |name: &Value| text(name, "family").is_some() || !list(name, "given").is_empty();
    if list(data, "names").iter().all(names) {
        input.fact("us_core", true);
    }
    input.fact("active", is_active(record));
    if let Some(on) = text(data, "deceased_on") {
        input.fact("deceased_on", on);
    } else {
        input.fact_if_any("deceased", data.get("deceased").and_then(Value::as_bool));
    }
    input.fact_if_any("race", race::race(texts(data, "race")));
    input.fact_if_any("ethnicity", text(data, "ethnicity").map(race::ethnicity));
    input.fact("telecom", telecom::safe(data));
    let contacts = contacts(record, d, &mut input);
    input.fact("contacts", contacts);
    input.fact_if_any("organization", reference::practice(d));
    let links = links(record, d, &mut input);
    input.fact("links", links);
    input.view("client-patient")
}

/// The Patient that this one was merged into, and those that were merged into this one.
fn links(record: &Record, d: &Derivation, input: &mut Input) -> Vec<Value> {
    let link = |kind: &str, client: &str| {
        let patient = reference::patient(d, client)?;
        Some(json!({ "type": kind, "patient": patient }))
    };
    let survivor = text(&record.data, "merged_into").filter(|_| record.op == Op::Upsert);
    let mut links: Vec<Value> =
        survivor.and_then(|survivor| link("replaced-by", survivor)).into_iter().collect();
    for other in d.neighbours.referring(Kind::Client, Kind::Client, &record.id) {
        let merged = text(&other.data, "merged_into") == Some(record.id.as_str());
        if other.op == Op::Upsert && merged && other.id != record.id {
            input.uses(&other);
            links.extend(link("replaces", &other.id));
        }
    }
    links
}

fn is_active(record: &Record) -> bool {
    let data = &record.data;
    record.op == Op::Upsert
        && !matches!(text(data, "status"), Some("discharged" | "archived"))
        && text(data, "merged_into").is_none()
}

fn contacts(record: &Record, d: &Derivation, input: &mut Input) -> Vec<Value> {
    let mut contacts = Vec::new();
    for related in d.neighbours.referring(Kind::RelatedParty, Kind::Client, &record.id) {
        if related_party::is_contact(&related, &record.id) {
            input.uses(&related);
            let name = related.data.get("name").cloned().unwrap_or_default();
            contacts.push(json!({ "name": name, "telecom": telecom::safe(&related.data) }));
        }
    }
    contacts
}

fn care_team(record: &Record, d: &Derivation) -> Option<View> {
    let team: Vec<_> = assigned(d, &record.id).collect();
    if team.is_empty() {
        return None;
    }
    let part = d.ids.part(Kind::Client, &record.id, "care-team");
    let mut input = Input::new(record, d, part);
    input.labels(&labels::of_therapy(record, d));
    input.fact("identifier_value", format!("{}:care-team", record.id));
    input.fact("us_core", true);
    input.fact("active", is_active(record));
    input.fact(
        "care_team_status",
        match record.op {
            Op::Void => "entered-in-error",
            _ if is_active(record) => "active",
            _ => "inactive",
        },
    );
    input.fact_if_any("patient", reference::patient(d, &record.id));
    input.fact_if_any("organization", reference::practice(d));
    for (assignment, _) in &team {
        input.uses(assignment);
    }
    input.fact("participants", team.iter().map(|one| participant(one, d)).collect::<Vec<_>>());
    Some(input.view("client-care-team"))
}

fn participant((assignment, member): &(Arc<Record>, String), d: &Derivation) -> Value {
    let data = &assignment.data;
    let role = text(data, "role").unwrap_or("other");
    let described = match role {
        "primary" => "Primary therapist",
        "secondary" => "Secondary therapist",
        "supervisor" => "Supervisor",
        "group_lead" => "Group leader",
        "covering" => "Covering therapist",
        _ => text(data, "role_text").unwrap_or("Member"),
    };
    let mut participant = Map::new();
    participant.insert("role".to_owned(), role.into());
    participant.insert("text".to_owned(), described.into());
    participant.insert("member".to_owned(), member.clone().into());
    let ends = membership(assignment, d).unwrap_or_else(|| {
        ["from", "to"].map(|name| data.get(name).filter(|day| !day.is_null()).cloned())
    });
    for (name, end) in ["from", "to"].into_iter().zip(ends) {
        participant.extend(end.map(|end| (name.to_owned(), end)));
    }
    participant.into()
}

/// The first and the last instant of an assignment on the practice's wall, since whoever is assigned
/// sees the record in between; nothing where it is not known which wall that is.
fn membership(assignment: &Record, d: &Derivation) -> Option<[Option<Value>; 2]> {
    let zone = clock(assignment, d.neighbours.organization().as_deref())?;
    let Term { from, until } = term(&assignment.data, &zone)?;
    let last = until.map(|until| until.saturating_sub(SignedDuration::from_secs(1)));
    let last = last.transpose().ok()?;
    let shown = |at: Timestamp| Value::from(local_time::shown(at, &zone));
    Some([from.map(shown), last.map(shown)])
}

fn assigned(d: &Derivation, client: &str) -> impl Iterator<Item = (Arc<Record>, String)> {
    let assignments = d.neighbours.referring(Kind::Assignment, Kind::Client, client);
    assignments.into_iter().filter_map(move |assignment| {
        let stands =
            assignment.op == Op::Upsert && text(&assignment.data, "client_id") == Some(client);
        let member = text(&assignment.data, "staff_id").filter(|_| stands)?;
        let member = reference::practitioner(d, member)?;
        Some((assignment, member))
    })
}
