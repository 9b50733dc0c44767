//! Parts of resources: `_summary` and `_elements`, wherever resources are answered.

use serde_json::{Value, json};

use crate::support::server::{Server, TENANT, spawn};

fn encounter() -> Value {
    json!({
        "resourceType": "Encounter", "id": "e1",
        "meta": {"versionId": "1-aa", "lastUpdated": "2026-11-01T10:00:00Z", "tag": [{"code": "x"}]},
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "VR"},
        "subject": {"reference": "Patient/p1"},
        "period": {"start": "2026-11-01T10:00:00Z"}
    })
}

fn server() -> Server {
    let server = spawn();
    server.store(TENANT, "1", &[encounter()]);
    server
}

fn names(resource: &Value) -> String {
    let mut names: Vec<_> = resource.as_object().unwrap().keys().cloned().collect();
    names.sort();
    names.join(" ")
}

const VIEWS: &[(&str, &str)] = &[
    ("_summary=false", "class id meta period resourceType status subject text"),
    ("_summary=true", "class id meta resourceType status subject"),
    ("_summary=text", "class id meta resourceType status text"),
    ("_summary=data", "class id meta period resourceType status subject"),
    ("_elements=period", "class id meta period resourceType status"),
    ("_elements=subject,%20period", "class id meta period resourceType status subject"),
];

#[tokio::test]
async fn a_part_of_a_resource_is_the_same_wherever_it_is_answered() {
    let server = server();
    for (query, expected) in VIEWS {
        let read = server.get(&format!("Encounter/e1?{query}")).await;
        assert_eq!(read.header("etag"), "W/\"1-aa\"", "{query}");
        let read = read.json();
        assert_eq!(names(&read), *expected, "{query}");
        let is_part = *query != "_summary=false";
        assert_eq!(read["meta"]["tag"][1]["code"] == "SUBSETTED", is_part, "{query}");
        assert_eq!(read["meta"]["tag"][0]["code"], "x", "{query}");
        let version = server.get(&format!("Encounter/e1/_history/1-aa?{query}")).await.json();
        let history = server.get(&format!("Encounter/e1/_history?{query}")).await.json();
        let search = server.get(&format!("Encounter?{query}")).await.json();
        assert_eq!(version, read, "{query}");
        assert_eq!(history["entry"][0]["resource"], read, "{query}");
        assert_eq!(search["entry"][0]["resource"], read, "{query}");
    }
}

#[tokio::test]
async fn what_names_no_part_is_refused() {
    let server = server();
    for query in [
        "_summary=yes",
        "_elements=colour",
        "_elements=period.start",
        "_summary=true&_elements=period",
    ] {
        for path in ["Encounter/e1", "Encounter/e1/_history", "Encounter"] {
            let answer = server.get(&format!("{path}?{query}")).await;
            assert_eq!(answer.refusal().0, 400, "{path} {query}");
        }
    }
    assert_eq!(server.get("Encounter/e1?_summary=count").await.refusal().0, 400);
}

#[tokio::test]
async fn a_count_is_a_total_without_entries() {
    let server = server();
    for query in ["_summary=count", "_count=0", "_summary=count&_count=10&_total=none"] {
        let bundle = server.get(&format!("Encounter?{query}")).await.json();
        assert_eq!(bundle["total"], 1, "{query}");
        assert!(bundle.get("entry").is_none(), "{query}");
    }
}
