//! Derives the Practitioner of a `staff` record, and a PractitionerRole for each role.

use serde_json::{Map, Value, json};

use super::field::{flag, list, text, texts};
use super::input::Input;
use super::{Derivation, View, Warning, npi, reference, telecom};
use crate::domain::{Kind, Op, Record};

pub(super) fn views(record: &Record, d: &Derivation, warnings: &mut Vec<Warning>) -> Vec<View> {
    let mut input = Input::new(record, d, d.ids.id(Kind::Staff, &record.id));
    input.fact("active", is_active(record));
    npi::add(&mut input, record, d, warnings);
    let telecom = work_telecom(record, d, &mut input);
    input.fact("telecom", telecom);
    let mut views = vec![input.view("staff-practitioner")];
    views.extend(list(&record.data, "roles").iter().filter_map(|role| role_view(record, d, role)));
    views
}

/// How the organizations that somebody works for are reached: never a private number.
fn work_telecom(record: &Record, d: &Derivation, input: &mut Input) -> Vec<Value> {
    let mut all = Vec::new();
    for org in list(&record.data, "roles").iter().filter_map(|role| text(role, "org_id")) {
        let Some(organization) = d.neighbours.get(Kind::Organization, org) else { continue };
        input.uses(&organization);
        for telecom in telecom::safe(&organization.data) {
            if !all.contains(&telecom) {
                all.push(telecom);
            }
        }
    }
    all
}

fn is_active(record: &Record) -> bool {
    record.op != Op::Void && flag(&record.data, "active")
}

fn role_view(record: &Record, d: &Derivation, role: &Value) -> Option<View> {
    let (name, org) = (text(role, "role")?, text(role, "org_id")?);
    let part = format!("role:{name}:{org}:{}", text(role, "from").unwrap_or_default());
    let mut input = Input::new(record, d, d.ids.part(Kind::Staff, &record.id, &part));
    input.fact("identifier_value", format!("{}:{part}", record.id));
    input.fact("active", is_active(record));
    input.fact_if_any("practitioner", reference::practitioner(d, &record.id));
    input.fact_if_any("organization", reference::organization(d, org));
    // A member of staff is reached through the organization; US Core wants a telecom (pd-1).
    let organization = d.neighbours.get(Kind::Organization, org);
    let telecom = organization.as_ref().map(|org| telecom::safe(&org.data)).unwrap_or_default();
    if let Some(organization) = organization.filter(|_| !telecom.is_empty()) {
        input.uses(&organization);
        input.fact("telecom", telecom);
        input.fact("us_core", true);
    }
    input.fact("role", described(role, name));
    let specialties = texts(&record.data, "specialties");
    let specialty = |code: &str| json!({ "code": code, "text": words(code) });
    input.fact("specialties", specialties.map(specialty).collect::<Vec<_>>());
    Some(input.view("staff-practitioner-role"))
}

fn described(role: &Value, name: &str) -> Value {
    let text = text(role, "role_text").map_or_else(|| words(name), ToOwned::to_owned);
    let mut described = Map::new();
    described.insert("code".to_owned(), name.into());
    described.insert("text".to_owned(), text.into());
    for name in ["from", "to"] {
        if let Some(date) = role.get(name) {
            described.insert(name.to_owned(), date.clone());
        }
    }
    described.into()
}

/// A code of ours as words: `privacy_officer` is a privacy officer.
fn words(code: &str) -> String {
    code.replace('_', " ")
}
