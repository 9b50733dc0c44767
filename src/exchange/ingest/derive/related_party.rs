//! Derives the RelatedPerson of a `related_party` record.
//!
//! Authority counts only with evidence; someone who claims it without is an emergency contact, if
//! the platform says so, and nothing more.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::field::{flag, list, text};
use super::input::Input;
use super::{Derivation, View, Warning, reference, telecom};
use crate::domain::{Kind, Op, Record};
use crate::exchange::ingest::term::term;

/// Whether the record becomes a resource: someone with authority, or to call in an emergency.
pub(super) fn is_mapped(record: &Record) -> bool {
    record.data.is_object() && (has_authority(&record.data) || is_for_emergencies(&record.data))
}

/// Whether this is an emergency contact of the client who may be named to others. Someone at whom
/// any number is unsafe, or who must have no contact, may not.
pub(super) fn is_contact(record: &Record, client: &str) -> bool {
    let data = &record.data;
    record.op == Op::Upsert
        && text(data, "client_id") == Some(client)
        && is_for_emergencies(data)
        && !must_not_be_contacted(data)
        && data.get("name").is_some_and(|name| name.as_object().is_some_and(|n| !n.is_empty()))
}

pub(super) fn views(record: &Record, d: &Derivation, warnings: &mut Vec<Warning>) -> Vec<View> {
    let data = &record.data;
    let client = text(data, "client_id").unwrap_or_default();
    if !is_mapped(record) {
        return Vec::new();
    }
    let Some(patient) = reference::subject(d, client, "/data/client_id", warnings) else {
        return Vec::new();
    };
    let mut input = Input::new(record, d, d.ids.id(Kind::RelatedParty, &record.id));
    input.fact("patient", patient);
    input.fact("active", record.op != Op::Void);
    let relationship = relationship(data);
    input.fact("relationship", relationship);
    if relationship == "other" {
        input.fact_if_any("relationship_text", text(data, "relationship_text"));
    }
    let mut evidenced = list(data, "authority").iter().filter(|authority| is_evidenced(authority));
    if let (Some(authority), None) = (evidenced.next(), evidenced.next()) {
        input.fact_if_any("period", period(authority));
    }
    if !must_not_be_contacted(data) {
        input.fact("telecom", telecom::safe(data));
    }
    vec![input.view("related-party-related-person")]
}

/// Whether somebody acted for the client at an instant: authority with evidence, of which the term
/// is known and held then, and nothing against it. What cannot be read counts against it.
pub(super) fn acted_at(record: &Record, at: Timestamp, zone: &TimeZone) -> bool {
    let held = |row: &Value| term(row, zone).is_some_and(|term| term.holds(at));
    let barred = |row: &Value| term(row, zone).is_none_or(|term| term.holds(at));
    record.op == Op::Upsert
        && list(&record.data, "authority").iter().any(|row| is_evidenced(row) && held(row))
        && !list(&record.data, "restrictions").iter().any(barred)
}

fn relationship(data: &Value) -> &str {
    let relationship = text(data, "relationship").unwrap_or("other");
    let needs_authority = matches!(relationship, "guardian" | "court_guardian" | "poa");
    if needs_authority && !has_authority(data) { "emergency" } else { relationship }
}

fn is_evidenced(authority: &Value) -> bool {
    text(authority, "type").is_some_and(|kind| kind != "none")
        && text(authority, "evidence_ref").is_some()
}

fn has_authority(data: &Value) -> bool {
    list(data, "authority").iter().any(is_evidenced)
}

fn is_for_emergencies(data: &Value) -> bool {
    flag(data, "emergency_contact") || text(data, "relationship") == Some("emergency")
}

fn must_not_be_contacted(data: &Value) -> bool {
    let restrictions = list(data, "restrictions");
    telecom::any_unsafe(data)
        || restrictions.iter().any(|restriction| text(restriction, "kind") == Some("no_contact"))
}

fn period(authority: &Value) -> Option<Value> {
    let ends = ["from", "to"].into_iter();
    let ends = ends.filter_map(|name| Some((name.to_owned(), authority.get(name)?.clone())));
    let period: Map<_, _> = ends.collect();
    (!period.is_empty()).then(|| period.into())
}
