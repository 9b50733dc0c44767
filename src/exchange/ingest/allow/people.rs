//! The patient and those who act for them, as the rules read them.

use jiff::tz::TimeZone;
use serde_json::Value;

use super::instant;
use crate::domain::{Op, Record};
use crate::policy::{
    Authority, AuthorityKind, Born, Patient, Powers, Proxy, Restriction, RestrictionKind, Term,
};

fn text<'a>(data: &'a Value, name: &str) -> Option<&'a str> {
    data.get(name).and_then(Value::as_str)
}

fn list<'a>(data: &'a Value, name: &str) -> &'a [Value] {
    data.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The zone of a practice; UTC where it says none that is known.
pub(crate) fn zone(practice: Option<&Record>) -> TimeZone {
    practice
        .and_then(|practice| text(&practice.data, "tz"))
        .and_then(|name| TimeZone::get(name).ok())
        .unwrap_or(TimeZone::UTC)
}

/// The patient.
pub(super) fn patient(client: &Record, practice: Option<&Record>) -> Patient {
    let data = &client.data;
    let zone = zone(practice);
    let minor = data.get("minor").unwrap_or(&Value::Null);
    let jurisdiction = practice.and_then(|one| text(&one.data, "jurisdiction"));
    let died = text(data, "deceased_on").and_then(|on| instant(on, &zone));
    let is_dead = data.get("deceased").and_then(Value::as_bool) == Some(true);
    Patient {
        born: text(data, "birth_date").map_or(Born::Unknown, Born::read),
        died: died.or(is_dead.then_some(client.updated_at)),
        emancipated: minor.get("emancipated").and_then(Value::as_bool) == Some(true),
        decides_alone: text(minor, "consent_capacity").is_some_and(|who| who != "proxy"),
        consented_alone: !list(minor, "self_consented_services").is_empty(),
        ..Patient::new(jurisdiction.unwrap_or_default(), zone)
    }
}

/// Somebody who may act for the patient.
pub(super) fn proxy(record: &Record, zone: &TimeZone) -> Option<Proxy> {
    if record.op != Op::Upsert {
        return None;
    }
    let term = |row: &Value| Term {
        from: text(row, "from").and_then(|from| instant(from, zone)),
        until: text(row, "to").and_then(|to| instant(to, zone)),
    };
    let authority = |row: &Value| {
        let word = |name: &str| text(row, name).unwrap_or_default();
        let starts = text(row, "from").is_none() || term(row).from.is_some();
        let ends = text(row, "to").is_none() || term(row).until.is_some();
        Authority {
            kind: word("type").parse().unwrap_or(AuthorityKind::None),
            powers: word("scope").parse().unwrap_or(Powers::Unknown),
            // A term that cannot be read is no evidence.
            evidenced: text(row, "evidence_ref").is_some() && starts && ends,
            term: term(row),
        }
    };
    let restriction = |row: &Value| Restriction {
        kind: text(row, "kind").and_then(|k| k.parse().ok()).unwrap_or(RestrictionKind::Unknown),
        term: term(row),
    };
    Some(Proxy {
        id: record.id.clone(),
        authorities: list(&record.data, "authority").iter().map(authority).collect(),
        restrictions: list(&record.data, "restrictions").iter().map(restriction).collect(),
    })
}
