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
use crate::support::server::spawn_at;

/// A clock whose hands a test moves.
pub(crate) struct Hands(pub(crate) AtomicI64);

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
    let server = spawn_at(config, Arc::clone(&clock) as _);
    let mut records = people();
    let mut child = client("cl_5", "Child");
    child["data"]["birth_date"] = json!("2008-12-01");
    records.push(child);
    records.push(diagnosis("cl_5", "dx_a", "F90.0"));
    for (id, day) in [("ap_1", "03"), ("ap_2", "10"), ("ap_3", "17")] {
        let at = |time: &str| format!("2026-11-{day}T{time}:00-07:00");
        let booked = json!({
            "client_ids": ["cl_5"], "staff_ids": ["st_2"], "starts_at": at("17:00"),
            "ends_at": at("17:50"), "wall_start": format!("2026-11-{day}T17:00"),
            "modality": "video", "type": "individual", "status": "fulfilled"
        });
        records.push(about("cl_5", record("appointment", id, 1, booked)));
    }
    let mother = json!({
        "client_id": "cl_5", "name": {"family": "Mother", "given": ["P"]}, "relationship": "parent",
        "authority": [{"type": "legal_guardian", "scope": "all", "from": "2008-12-01", "evidence_ref": "x"}],
        "restrictions": [], "emergency_contact": true
    });
    records.push(about("cl_5", record("related_party", "rp_5", 1, mother)));
    take_in(&server, &records);
    let own = server.all_of(&server.of_practice()).await;
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
    // In Colorado a minor of this age may consent alone, so that a parent sees nothing clinical.
    assert_eq!(server.asked(&token, "Condition?_summary=count").await.json()["total"], 0);
    let first = server.asked(&token, "Appointment?_count=1").await;
    assert_eq!(first.json()["entry"].as_array().unwrap().len(), 1, "{}", first.text);
    assert_eq!(server.asked(&token, &patient).await.status, 200);
    let next = first.link("next").unwrap();
    assert_eq!(server.asked(&token, &next).await.json()["entry"].as_array().unwrap().len(), 1);
    clock.0.store(midnight.as_millisecond(), Ordering::SeqCst);
    for path in [
        next.as_str(),
        "Appointment?_count=1",
        "Appointment?_summary=count",
        &patient,
        &format!("{patient}/$everything"),
    ] {
        let answer = server.asked(&token, path).await;
        let said = answer.json();
        // Whoever acts for nobody any more has no good token either.
        let is_over = matches!(answer.status.as_u16(), 401 | 404);
        let is_empty = answer.status == 200 && said["entry"].is_null();
        assert!(is_over || is_empty, "{path}: {}", answer.text);
        assert!(said["total"].is_null() || said["total"] == 0, "{path}: {}", answer.text);
        assert_eq!(answer.link("next"), None, "{path}");
    }
    assert_eq!(server.asked(&server.of_practice(), &patient).await.status, 200);
}
