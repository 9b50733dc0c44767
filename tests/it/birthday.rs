//! A patient comes of age between two pages of somebody who acted for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use serde_json::json;
use throughline::app::Config;
use throughline::clock::Clock;
use throughline::policy::{FhirUser, Principal, Under};

use crate::consents::{client, diagnosis, people, take_in};
use crate::support::desk::{about, record};
use crate::support::server::spawn_by;

/// A clock whose hands a test moves.
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

#[tokio::test]
async fn at_midnight_of_the_eighteenth_birthday_a_guardians_next_page_is_empty() {
    let midnight: Timestamp = "2026-12-01T00:00:00-07:00".parse().unwrap();
    let clock = Arc::new(Hands(AtomicI64::new(midnight.as_millisecond() - 500)));
    let config = Config::default();
    let server = spawn_by(Arc::new(tempfile::tempdir().unwrap()), config, Arc::clone(&clock) as _);
    let mut records = people();
    let mut child = client("cl_5", "Child");
    child["data"]["birth_date"] = json!("2008-12-01");
    records.push(child);
    for (id, code) in [("dx_a", "F90.0"), ("dx_b", "F41.1"), ("dx_c", "F32.1")] {
        records.push(diagnosis("cl_5", id, code));
    }
    let mother = json!({
        "client_id": "cl_5", "name": {"family": "Mother", "given": ["P"]}, "relationship": "parent",
        "authority": [{"type": "legal_guardian", "scope": "all", "from": "2008-12-01", "evidence_ref": "x"}],
        "restrictions": [], "emergency_contact": true
    });
    records.push(about("cl_5", record("related_party", "rp_5", 1, mother)));
    take_in(&server, &records);
    let own = server.found(&server.of_practice()).await;
    let named = |name: &str, family: &str| {
        let is_it = |(key, resource): &(&String, &serde_json::Value)| {
            key.starts_with(name) && resource["name"][0]["family"] == family
        };
        own.iter().find(is_it).unwrap().0.clone()
    };
    let (patient, parent) = (named("Patient/", "Child"), named("RelatedPerson/", "Mother"));
    let user: FhirUser = parent.parse().unwrap();
    let principal = Principal {
        patient: Some(patient["Patient/".len()..].parse().unwrap()),
        under: Under::of_person(&user),
        fhir_user: Some(user),
        ..Principal::new("hv".parse().unwrap(), "portal", "patient/*.rs")
    };
    let lifetime = std::time::Duration::from_mins(5);
    let token = server.app.tokens().issue(&principal, lifetime, None).unwrap().0;
    let first = server.asked(&token, "Condition?_count=1").await;
    assert_eq!(first.json()["entry"].as_array().unwrap().len(), 1, "{}", first.text);
    assert_eq!(server.asked(&token, &patient).await.status, 200);
    let next = first.link("next").unwrap();
    let next = next.split("/fhir/").nth(1).unwrap();
    assert_eq!(server.asked(&token, next).await.json()["entry"].as_array().unwrap().len(), 1);
    clock.0.store(midnight.as_millisecond(), Ordering::SeqCst);
    let second = server.asked(&token, next).await;
    assert_eq!((second.status.as_u16(), second.json()["entry"].clone()), (200, json!(null)));
    assert_eq!(second.link("next"), None);
    assert_eq!(server.asked(&token, &patient).await.status, 404);
    assert_eq!(server.asked(&token, "Condition?_summary=count").await.json()["total"], 0);
    let everything = server.asked(&token, &format!("{patient}/$everything")).await;
    assert_eq!(everything.status, 404);
}
