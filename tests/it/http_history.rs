//! The history of a resource: its parameters and pages.

use serde_json::{Value, json};

use crate::support::server::{Answer, Server, TENANT, spawn};

fn patient(version: u32) -> Value {
    json!({
        "resourceType": "Patient", "id": "p1",
        "meta": {"versionId": format!("{version}-aa"), "lastUpdated": format!("2026-11-0{version}T10:00:00Z")},
        "active": true
    })
}

/// A patient in five versions, a day apart.
fn server() -> Server {
    let server = spawn();
    for version in 1..=5 {
        server.store(TENANT, "cl_1", &[patient(version)]);
    }
    server
}

fn versions(answer: &Answer) -> String {
    let bundle = answer.json();
    assert_eq!(bundle["type"], "history", "{bundle}");
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let version = |entry: &Value| {
        let version = entry["resource"]["meta"]["versionId"].as_str().unwrap();
        assert_eq!(entry["response"]["etag"], format!("W/\"{version}\""));
        version.trim_end_matches("-aa").to_owned()
    };
    entries.iter().map(version).collect()
}

#[tokio::test]
async fn versions_are_found_by_when_they_were_made_or_current() {
    let server = server();
    for (query, expected) in [
        ("", "54321"),
        ("_since=2026-11-03T10:00:00Z", "543"),
        ("_since=2026-11-03T12:00:00%2B02:00", "543"),
        ("_since=2026-11-03T12:00:00+02:00", "543"),
        ("_since=2026-11-03T10:00:01Z", "54"),
        ("_since=2026-12", ""),
        ("_at=2026-11-02", "21"),
        ("_at=2026-11-02T11:00:00Z", "2"),
        ("_at=2026-11", "54321"),
        ("_at=2027", "5"),
        ("_at=2026-10", ""),
        ("_at=2026-11-02&_since=2026-11-02", "2"),
    ] {
        let answer = server.get(&format!("Patient/p1/_history?{query}")).await;
        assert_eq!(versions(&answer), expected, "{query}");
        assert_eq!(answer.json()["total"], expected.len(), "{query}");
    }
}

#[tokio::test]
async fn a_history_is_paged_and_stays_where_it_is_while_versions_are_made() {
    let server = server();
    let first = server.get("Patient/p1/_history?_count=2").await;
    server.store(TENANT, "cl_1", &[patient(6)]);
    let second = server.get(&first.link("next").unwrap()).await;
    let third = server.get(&second.link("next").unwrap()).await;
    assert_eq!([&first, &second, &third].map(versions), ["54", "32", "1"]);
    assert_eq!(third.link("next"), None);
    assert_eq!(third.link("first").unwrap(), first.link("self").unwrap());
    let again = server.get(&second.link("self").unwrap()).await;
    assert_eq!(versions(&again), "32");
}

#[tokio::test]
async fn a_page_of_a_history_belongs_to_it() {
    let server = server();
    server.store(
        TENANT,
        "cl_2",
        &[json!({
            "resourceType": "Patient", "id": "p2",
            "meta": {"versionId": "5-aa", "lastUpdated": "2026-11-01T10:00:00Z"}
        })],
    );
    let next = server.get("Patient/p1/_history?_count=2").await.link("next").unwrap();
    for other in [next.replace("/p1/", "/p2/"), next.replace("_count=2", "_count=3")] {
        assert_ne!(other, next);
        assert_eq!(server.get(&other).await.refusal().0, 400, "{other}");
    }
}

#[tokio::test]
async fn what_a_history_does_not_take_is_refused() {
    let server = server();
    for (path, status) in [
        ("Patient/p1/_history?_count=0", 400),
        ("Patient/p1/_history?_count=x", 400),
        ("Patient/p1/_history?_since=soon", 400),
        ("Patient/p1/_history?_at=2026-13", 400),
        ("Patient/p1/_history?_sort=date", 400),
        ("Patient/_history", 404),
        ("_history", 404),
    ] {
        assert_eq!(server.get(path).await.refusal().0, status, "{path}");
    }
}
