//! The patient and those who act for them, as the rules read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::instant;
use crate::domain::{Kind, Op, Record};
use crate::exchange::ingest::term::{term, zone};
use crate::policy::{
    Actor, Authority, AuthorityKind, Born, Confidentiality, Item, Labels, Law, Means, Obligations,
    Patient, Powers, Proxy, Purpose, Question, Regime, Restriction, RestrictionKind, decide,
};

fn text<'a>(data: &'a Value, name: &str) -> Option<&'a str> {
    data.get(name).and_then(Value::as_str)
}

fn list<'a>(data: &'a Value, name: &str) -> &'a [Value] {
    data.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
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
    let authority = |row: &Value| {
        let word = |name: &str| text(row, name).unwrap_or_default();
        let term = term(row, zone);
        Authority {
            kind: word("type").parse().unwrap_or(AuthorityKind::None),
            powers: word("scope").parse().unwrap_or(Powers::Unknown),
            // A term that cannot be read is no evidence.
            evidenced: text(row, "evidence_ref").is_some() && term.is_some(),
            term: term.unwrap_or_default(),
        }
    };
    let restriction = |row: &Value| Restriction {
        kind: text(row, "kind").and_then(|k| k.parse().ok()).unwrap_or(RestrictionKind::Unknown),
        // One that cannot be read holds at all times.
        term: term(row, zone).unwrap_or_default(),
    };
    Some(Proxy {
        id: record.id.clone(),
        authorities: list(&record.data, "authority").iter().map(authority).collect(),
        restrictions: list(&record.data, "restrictions").iter().map(restriction).collect(),
    })
}

/// Whether somebody may act for the client: whether the rules show them a session without
/// particulars. What of the record they see is decided by item.
pub(crate) fn acts_for(
    party: &Record,
    client: &Record,
    practice: Option<&Record>,
    law: &Law,
    at: Timestamp,
) -> bool {
    let patient = patient(client, practice);
    let Some(proxy) = proxy(party, &patient.zone) else { return false };
    let session = Item::new(Kind::SessionLog, Labels::of_level(Confidentiality::Restricted));
    let decision = decide(&Question {
        actor: &Actor::Proxy(proxy),
        purpose: Some(Purpose::FamilyRequest),
        means: Means::Query,
        covered: true,
        patient: &patient,
        item: &session,
        directives: Some(&[]),
        regime: regime(&patient),
        emergency: None,
        able: Obligations::NONE,
        at,
        law,
    });
    decision.permits
}

pub(super) fn regime(patient: &Patient) -> Regime {
    let us = patient.jurisdiction.split('-').next() == Some("US");
    if us { Regime::OptIn } else { Regime::Gdpr }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::exchange::ingest::derive::fixture::record;

    #[test]
    fn who_may_act_for_whom_is_a_table() {
        let at = "2026-11-27T12:00:00Z".parse().unwrap();
        let law = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/mappings/tables/jurisdictions.toml"
        ));
        let law = Law::read(law).unwrap();
        let right = |kind: &str, scope: &str| json!({ "type": kind, "scope": scope, "evidence_ref": "att_1", "from": "2009-03-08" });
        let born = |birth: &str| json!({ "birth_date": birth });
        let minor = born("2009-03-08");
        let alone = json!({ "birth_date": "2009-03-08", "minor": { "consent_capacity": "self" } });
        let none = json!([]);
        let barred = json!([{ "kind": "no_records", "from": "2025-02-01" }]);
        let ended = json!([{ "kind": "no_records", "from": "2025-02-01", "to": "2026-11-26" }]);
        let ending = json!([{ "kind": "no_records", "from": "2025-02-01", "to": "2026-11-27" }]);
        let custody = json!([{ "kind": "custody_order", "from": "2025-02-01" }]);
        let no_evidence = json!({ "type": "legal_guardian", "scope": "all" });
        let order = |more: &Value| json!({ "type": "court_order", "scope": "all", "evidence_ref": "a", "from": more["from"], "to": more["to"] });
        let later = order(&json!({ "from": "2026-11-28" }));
        let last_day = order(&json!({ "to": "2026-11-27" }));
        let over = order(&json!({ "to": "2026-11-26" }));
        let guardian = || right("legal_guardian", "all");
        for (name, right, against, client, expected) in [
            ("a parent", guardian(), &none, &minor, true),
            ("a parent for care", right("legal_guardian", "clinical"), &none, &minor, true),
            (
                "appointments only",
                right("legal_guardian", "scheduling_billing"),
                &none,
                &minor,
                false,
            ),
            ("without evidence", no_evidence, &none, &minor, false),
            ("no right", right("none", "all"), &none, &minor, false),
            ("an unknown right", right("friend", "all"), &none, &minor, false),
            ("barred from records", guardian(), &barred, &minor, false),
            ("a bar that is over", guardian(), &ended, &minor, true),
            ("the last day of a bar", guardian(), &ending, &minor, false),
            ("a custody order", right("court_order", "all"), &custody, &minor, false),
            ("of age today", guardian(), &none, &born("2008-11-27"), false),
            ("of age tomorrow", guardian(), &none, &born("2008-11-28"), true),
            ("maybe of age", guardian(), &none, &born("2008"), false),
            ("not born on a day", guardian(), &none, &json!({}), false),
            ("one who consented alone", guardian(), &none, &alone, false),
            ("an adult's attorney", right("healthcare_poa", "all"), &none, &born("1950"), true),
            ("not yet", later, &none, &minor, false),
            ("the last day", last_day, &none, &minor, true),
            ("no longer", over, &none, &minor, false),
        ] {
            let party = json!({ "authority": [right], "restrictions": against });
            let party = record(Kind::RelatedParty, "rp_1", party);
            let client = record(Kind::Client, "cl_1", client.clone());
            assert_eq!(acts_for(&party, &client, None, &law, at), expected, "{name}");
        }
    }
}
