//! Derives the view of a `consent` record: the Consent that shows what was signed.
//!
//! It shows, and does not enforce. What the platform says is never made stronger: what was not
//! signed is not active, and a limit that FHIR has no code for stays visible as words.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::field::{list, text, texts};
use super::input::Input;
use super::tables::ConsentType;
use super::{Derivation, View, Warning, attachment, reference};
use crate::domain::{Kind, Op, Record};

const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/// Codes of v3-ActCode that a consent may name (HL7 v3-ActCode, `InformationSensitivityPolicy`).
const SENSITIVITIES: [&str; 12] =
    ["ADOL", "BH", "ETH", "ETHUD", "HIV", "MH", "OPIOIDUD", "PSY", "PSYTHPN", "SDV", "SUD", "VIO"];

/// Whether the record becomes a resource for this client.
pub(super) fn is_mapped(record: &Record, d: &Derivation, client: &str) -> bool {
    record.data.is_object()
        && !is_end(record)
        && record.client_ids.as_slice() == [client]
        && reference::patient(d, client).is_some()
}

/// Whether a record says nothing but that another consent was taken back.
fn is_end(record: &Record) -> bool {
    let data = &record.data;
    text(data, "status") == Some("revoked")
        && text(data, "supersedes").is_some()
        && data.get("scope").is_none()
        && list(data, "recipients").is_empty()
}

/// The record by which a consent was taken back, where it is another.
fn end(record: &Record, d: &Derivation) -> Option<Arc<Record>> {
    let later = d.neighbours.referring(Kind::Consent, Kind::Consent, &record.id);
    later.into_iter().find(|one| {
        one.op == Op::Upsert
            && is_end(one)
            && text(&one.data, "supersedes") == Some(record.id.as_str())
            && one.client_ids == record.client_ids
    })
}

pub(super) fn views(record: &Record, d: &Derivation, warnings: &mut Vec<Warning>) -> Vec<View> {
    let client = record.client_ids.iter().find(|client| is_mapped(record, d, client));
    let Some(client) = client else { return Vec::new() };
    let data = &record.data;
    let name = text(data, "type").unwrap_or_default();
    let known = d.tables.consents.types.iter().find(|known| known.name == name);
    let unknown = ConsentType { privacy: true, ..ConsentType::default() };
    let about = known.unwrap_or(&unknown);
    if is_defective(data, about) && record.op != Op::Void {
        warnings.push(Warning { code: "consent_incomplete", pointer: "/data".to_owned() });
    }
    let mut input = Input::new(record, d, d.ids.id(Kind::Consent, &record.id));
    input.fact_if_any("subject", reference::patient(d, client));
    let end = end(record, d);
    let status = match (status(record), &end) {
        ("active" | "draft" | "proposed", Some(end)) => {
            input.uses(end);
            "revoked"
        }
        (stated, _) => stated,
    };
    input.fact("status", status);
    let categories = std::iter::once("consent").map(Value::from);
    let mut categories: Vec<Value> = categories.map(|c| json!({ "codes": [c] })).collect();
    if !about.categories.is_empty() {
        categories.push(json!({ "codes": about.categories }));
    }
    input.fact("categories", categories);
    let rule = match about {
        about if about.part2 => Some("part2"),
        about if about.release => Some("hipaa"),
        _ => None,
    };
    input.fact_if_any("policy_rule", rule);
    let title = if about.title.is_empty() { "Consent" } else { &about.title };
    input.fact("title", text(data, "type_text").unwrap_or(title));
    input.fact_if_any("organization", reference::practice(d));
    if status == "void" {
        return vec![input.view("consent-consent")];
    }
    let signer = data.get("signer");
    let performer = signer.and_then(|who| reference::party(d, &own(who, client), client));
    input.fact("performers", performer.into_iter().collect::<Vec<_>>());
    let evidence = data.get("evidence").unwrap_or(&Value::Null);
    let form = text(evidence, "attachment_id");
    input.fact_if_any("form", form.and_then(|id| attachment::signed_form(d, id, client)));
    input.fact_if_any("policy_uri", policy_uri(evidence, d));
    input.fact("provision", provision(data, about, d, client));
    vec![input.view("consent-consent")]
}

/// The status, in the platform's words, but never stronger than what was signed.
fn status(record: &Record) -> &str {
    let data = &record.data;
    let stated = text(data, "status").unwrap_or_default();
    let withdrawn = list(data, "revocations").iter().any(|row| text(row, "scope") == Some("all"));
    match stated {
        _ if record.op == Op::Void => "void",
        "active" if withdrawn => "revoked",
        "active" if text(data, "signed_at").is_none() => "proposed",
        stated => stated,
    }
}

/// A signer of whom only the kind is known is the client themselves, if that is the kind.
fn own(signer: &Value, client: &str) -> Value {
    match (text(signer, "kind"), text(signer, "id")) {
        (Some("client"), None) => json!({ "kind": "client", "id": client }),
        _ => signer.clone(),
    }
}

/// Whether something is missing without which such a consent does not hold.
fn is_defective(data: &Value, about: &ConsentType) -> bool {
    if text(data, "decision") != Some("permit") {
        return false;
    }
    let has_end = data.get("expires").is_some_and(|e| e.get("date").or(e.get("event")).is_some());
    let spoken = text(data, "method") == Some("verbal_documented");
    let statements = ["revocation_right", "refusal_consequences", "redisclosure_statement"];
    let stated = |name: &&str| {
        data.get("part2_elements").and_then(|part| part.get(*name)?.as_bool()) == Some(true)
    };
    let nobody = list(data, "recipients").is_empty();
    (about.ends && !has_end)
        || (about.written && spoken)
        || (about.release && nobody)
        || (about.part2 && !statements.iter().all(stated))
}

fn policy_uri(evidence: &Value, d: &Derivation) -> Option<String> {
    let slug = |text: &str| -> String {
        let letters =
            text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' });
        letters.collect::<String>().to_ascii_lowercase()
    };
    let form = slug(text(evidence, "form_id")?);
    let version = text(evidence, "form_version").map(|v| format!("/{}", slug(v)));
    Some(format!("{}/policies/{form}{}", d.base, version.unwrap_or_default()))
}

fn provision(data: &Value, about: &ConsentType, d: &Derivation, client: &str) -> Value {
    let mut facts = Map::new();
    let mut fact = |name: &str, value: Option<Value>| {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            facts.insert(name.to_owned(), value);
        }
    };
    let part = |name: &str| data.get(name).unwrap_or(&Value::Null);
    let (effective, expires, scope) = (part("effective"), part("expires"), part("scope"));
    fact("decision", data.get("decision").cloned());
    fact("start", effective.get("from").cloned());
    let ends = [text(effective, "to"), text(expires, "date")];
    fact("end", ends.into_iter().flatten().min().map(Value::from));
    let recipients = list(data, "recipients").iter();
    fact("actors", Some(recipients.filter_map(|r| actor(r, d)).collect()));
    fact("purposes", Some(texts(data, "purposes").collect()));
    fact("data_start", scope.get("from").cloned());
    fact("data_end", scope.get("to").cloned());
    fact("classes", Some(classes(scope).into()));
    let sessions = texts(scope, "session_ids").filter_map(|id| reference::encounter(d, id, client));
    fact("encounters", Some(sessions.collect()));
    let plans = texts(scope, "plan_ids").filter_map(|id| reference::care_plan(d, id, client));
    fact("plans", Some(plans.collect()));
    let mut labels: Vec<Value> = texts(scope, "include_labels").map(label).collect();
    if about.psychotherapy_notes {
        labels.push(label("PSYTHPN"));
    }
    fact("labels", Some(labels.into()));
    let mut denied: Vec<Value> = texts(scope, "exclude_labels").map(label).collect();
    let permits = text(data, "decision") == Some("permit");
    if about.release && permits && !about.psychotherapy_notes {
        denied.push(label("PSYTHPN"));
    }
    denied.dedup();
    fact("denied", Some(denied.into()));
    Value::Object(facts)
}

/// The kinds of record in the scope. FHIR cannot say which classes of note are meant, so where
/// they are limited and other kinds are named, notes are left out rather than all let in.
fn classes(scope: &Value) -> Vec<&str> {
    let named: Vec<&str> = texts(scope, "kinds").filter(|kind| *kind != "*").collect();
    let limited = !list(scope, "note_classes").is_empty() && named.len() > 1;
    named.into_iter().filter(|kind| !(limited && *kind == "session_note")).collect()
}

fn actor(recipient: &Value, d: &Derivation) -> Option<Value> {
    let mut actor = json!({ "display": text(recipient, "name")? });
    let facts = actor.as_object_mut()?;
    let id = text(recipient, "id");
    let known = match text(recipient, "kind") {
        Some("org" | "intermediary") => id.and_then(|id| reference::organization(d, id)),
        Some("person") => id.and_then(|id| reference::practitioner(d, id)),
        _ => None,
    };
    if let Some(known) = known {
        facts.insert("reference".to_owned(), known.into());
    }
    let is_npi = |npi: &&str| npi.len() == 10 && npi.bytes().all(|b| b.is_ascii_digit());
    if let Some(npi) = text(recipient, "npi").filter(is_npi) {
        facts.insert("npi".to_owned(), npi.into());
    } else if let Some(client) = texts(recipient, "fhir_client_ids").next() {
        facts.insert("client".to_owned(), client.into());
    }
    Some(actor)
}

/// A label by its code, or as words where the code is none that is known: a limit is never lost.
fn label(code: &str) -> Value {
    match code {
        "U" | "L" | "M" | "N" | "R" | "V" => json!({ "system": CONFIDENTIALITY, "code": code }),
        code if SENSITIVITIES.contains(&code) => json!({ "system": ACT_CODE, "code": code }),
        words => json!({ "display": words }),
    }
}
