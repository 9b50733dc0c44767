//! Searches within the compartment of a patient.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::server::{Server, TENANT, spawn};

fn encounter(id: &str, patient: &str, status: &str) -> Value {
    json!({
        "resourceType": "Encounter", "id": id, "status": status, "class": {"code": "VR"},
        "meta": {"versionId": "1", "lastUpdated": format!("2026-11-01T10:00:0{}Z", &id[1..])},
        "subject": {"reference": format!("Patient/{patient}")}
    })
}

fn server() -> Server {
    let server = spawn();
    server.store(
        TENANT,
        "1",
        &[
            encounter("e1", "p1", "finished"),
            encounter("e2", "p1", "in-progress"),
            encounter("e3", "p2", "finished"),
            encounter("e4", "p1", "finished"),
        ],
    );
    server
}

#[tokio::test]
async fn only_what_is_the_patients_is_found() {
    let server = server();
    for (query, expected) in [
        ("Patient/p1/Encounter", &["e4", "e2", "e1"][..]),
        ("Patient/p2/Encounter", &["e3"]),
        ("Patient/p1/Encounter?status=finished", &["e4", "e1"]),
        ("Patient/p1/Encounter?patient=p2", &[]),
        ("Patient/p1/Observation", &[]),
        ("Patient/nobody/Encounter", &[]),
    ] {
        let answer = server.get(query).await;
        assert_eq!(answer.ids(), expected, "{query}");
        let link = answer.link("self").unwrap();
        assert_eq!(link, format!("{}/{query}", server.base), "{query}");
    }
}

#[tokio::test]
async fn a_form_finds_the_same_and_pages_stay_within() {
    let server = server();
    let form = server
        .ask(Method::POST, "Patient/p1/Encounter/_search")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body("status=finished&_count=1");
    let posted = server.send(form).await;
    let asked = server.get("Patient/p1/Encounter?status=finished&_count=1").await;
    assert_eq!(posted.ids(), ["e4"]);
    assert_eq!(posted.ids(), asked.ids());
    let next = posted.link("next").unwrap();
    assert!(next.starts_with(&format!("{}/Patient/p1/Encounter?", server.base)), "{next}");
    assert_eq!(server.get(&next).await.ids(), ["e1"]);
    for stolen in [next.replace("/p1/", "/p2/"), next.replace("/Patient/p1/", "/")] {
        assert_eq!(server.get(&stolen).await.refusal().0, 400, "{stolen}");
    }
}

#[tokio::test]
async fn what_is_in_no_compartment_is_not_searched_there() {
    let server = server();
    for (path, status) in [
        ("Patient/p1/Practitioner", 400),
        ("Patient/p1/Organization", 400),
        ("Patient/p1/Binary", 400),
        ("Patient/p1/Nonsense", 404),
        ("Patient/p1/$nonsense", 404),
        ("Patient/a_b/Encounter", 400),
        ("Encounter/e1/Observation", 404),
        ("Patient/p1/Encounter?colour=red", 400),
    ] {
        assert_eq!(server.get(path).await.refusal().0, status, "{path}");
    }
    let token = server.token_for(TENANT, &["system/Patient.rs"]);
    let ask = server.request(Method::GET, "Patient/p1/Encounter").bearer_auth(token);
    assert_eq!(server.send(ask).await.refusal().0, 403);
}
