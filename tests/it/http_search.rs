//! Searches over HTTP.

use std::collections::HashSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::server::{Answer, Server, TENANT, spawn};

const CPT: &str = "http://www.ama-assn.org/go/cpt";

/// An hour of one patient, with its Provenance; the hour is also its number.
fn encounter(hour: u8, patient: &str, status: &str, cpt: &str) -> [Value; 2] {
    let start = format!("2026-11-01T{hour:02}:30:00-06:00");
    let end = format!("2026-11-01T{hour:02}:45:00-06:00");
    let meta = json!({"versionId": "1-aa", "lastUpdated": format!("2026-11-02T10:00:{hour:02}Z")});
    [
        json!({
            "resourceType": "Encounter", "id": format!("e{hour}"), "meta": meta,
            "identifier": [{"system": "urn:ids", "value": format!("ses,{hour}")}],
            "status": status, "class": {"code": "VR"},
            "type": [{"coding": [{"system": CPT, "code": cpt}]}],
            "subject": {"reference": format!("Patient/{patient}")},
            "period": {"start": start, "end": end}
        }),
        json!({
            "resourceType": "Provenance", "id": format!("v{hour}"), "meta": meta,
            "target": [{"reference": format!("Encounter/e{hour}")}]
        }),
    ]
}

fn server() -> Server {
    let server = spawn();
    server.store(TENANT, "1", &encounter(1, "p1", "finished", "90837"));
    server.store(TENANT, "2", &encounter(2, "p1", "finished", "90834"));
    server.store(TENANT, "3", &encounter(3, "p1", "in-progress", "90837"));
    server.store(TENANT, "4", &encounter(4, "p2", "finished", "90837"));
    server.store("other", "5", &encounter(5, "p1", "finished", "90837"));
    let name = json!([{"family": "Šimić-Okafor", "given": ["Zoë", "Ann"]}]);
    let meta = json!({"versionId": "1-aa", "lastUpdated": "2026-11-02T10:00:00Z"});
    server.store(
        TENANT,
        "cl_1",
        &[json!({"resourceType": "Patient", "id": "p1", "meta": meta, "name": name, "gender": "female"})],
    );
    server
}

/// The ids that a search finds.
async fn found(server: &Server, query: &str) -> Vec<String> {
    let answer = server.get(query).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text);
    let ids = answer.ids();
    assert_eq!(answer.json()["total"], ids.len(), "{query}");
    ids
}

#[tokio::test]
async fn a_search_finds_what_meets_every_parameter() {
    let server = server();
    let cases: &[(&str, &[&str])] = &[
        ("Encounter", &["e4", "e3", "e2", "e1"]),
        ("Encounter?patient=p1", &["e3", "e2", "e1"]),
        ("Encounter?subject=Patient/p1", &["e3", "e2", "e1"]),
        ("Encounter?subject:Patient=p2", &["e4"]),
        ("Encounter?patient=nobody", &[]),
        ("Encounter?_id=e1,e4,e5", &["e4", "e1"]),
        ("Encounter?_id=e1&_id=e4", &[]),
        ("Encounter?status=finished,in-progress&patient=p1&type=90837", &["e3", "e1"]),
        ("Encounter?status=http://hl7.org/fhir/encounter-status|in-progress", &["e3"]),
        ("Encounter?type=http://www.ama-assn.org/go/cpt|90834", &["e2"]),
        ("Encounter?type=http://www.ama-assn.org/go/cpt|&patient=p2", &["e4"]),
        ("Encounter?type=|90834", &[]),
        ("Encounter?class=|VR&_id=e1", &["e1"]),
        ("Encounter?type=urn:other|90834", &[]),
        ("Encounter?identifier=urn:ids|ses%5C,2", &["e2"]),
        ("Encounter?date=2026-11-01", &["e4", "e3", "e2", "e1"]),
        ("Encounter?date=2026-10", &[]),
        ("Encounter?date=ge2026-11-01T03:00:00-06:00", &["e4", "e3"]),
        ("Encounter?date=ge2026-11-01T10:00:00%2B01:00", &["e4", "e3"]),
        ("Encounter?date=ge2026-11-01T10:00:00+01:00", &["e4", "e3"]),
        ("Encounter?date=lt2026-11-01T08:00:00Z", &["e1"]),
        ("Encounter?date=gt2026-11-01T08:00:00Z&date=lt2026-11-01T10:00:00Z", &["e3", "e2"]),
        ("Encounter?date=ne2026-11-01", &[]),
        ("Encounter?_lastUpdated=gt2026-11-02T10:00:02Z", &["e4", "e3"]),
        ("Encounter?_lastUpdated=2026-11-02&_lastUpdated=le2026-11-02T10:00:01Z", &["e1"]),
        ("Patient?name=simic", &["p1"]),
        ("Patient?name=ZO%C3%8B", &["p1"]),
        ("Patient?family=okafor", &[]),
        ("Patient?given=ann&gender=female", &["p1"]),
        ("Provenance?target=Encounter/e2", &["v2"]),
    ];
    for (query, expected) in cases {
        assert_eq!(found(&server, query).await, *expected, "{query}");
    }
}

#[tokio::test]
async fn a_match_is_the_stored_resource_at_its_own_url() {
    let server = server();
    let answer = server.get("Encounter?_id=e2").await;
    let entry = &answer.json()["entry"][0];
    assert_eq!(entry["fullUrl"], format!("{}/Encounter/e2", server.base));
    assert_eq!(entry["search"]["mode"], "match");
    assert_eq!(answer.link("self").unwrap(), format!("{}/Encounter?_id=e2", server.base));
    assert!(answer.text.contains(&server.get("Encounter/e2").await.text));
    assert_eq!(server.get(entry["fullUrl"].as_str().unwrap()).await.status, StatusCode::OK);
}

/// Follows the `next` links from the first page.
async fn pages(server: &Server, query: &str) -> Vec<Answer> {
    let mut pages = vec![server.get(query).await];
    while let Some(next) = pages.last().unwrap().link("next") {
        assert!(next.starts_with(&server.base), "{next}");
        pages.push(server.get(&next).await);
        assert!(pages.len() < 100);
    }
    pages
}

#[tokio::test]
async fn pages_are_linked_and_together_hold_every_match_once() {
    let server = server();
    for (count, expected) in [(1, 4), (2, 2), (3, 2), (4, 1), (100, 1)] {
        let pages =
            pages(&server, &format!("Encounter?status=finished,in-progress&_count={count}")).await;
        let ids: Vec<String> = pages.iter().flat_map(Answer::ids).collect();
        assert_eq!(ids, ["e4", "e3", "e2", "e1"], "{count}");
        assert_eq!(pages.len(), expected, "{count}");
        assert!(pages.iter().all(|page| page.json()["total"] == 4), "{count}");
    }
}

#[tokio::test]
async fn a_page_without_matches_tells_how_many_there_are() {
    let server = server();
    let answer = server.get("Encounter?patient=p1&_count=0").await;
    assert_eq!(answer.json()["total"], 3);
    assert!(answer.json().get("entry").is_none());
    assert_eq!(answer.link("next"), None);
}

#[tokio::test]
async fn a_page_stays_where_it_is_while_resources_arrive() {
    let server = server();
    let first = server.get("Encounter?_count=2").await;
    server.store(TENANT, "9", &encounter(9, "p1", "finished", "90837"));
    let second = server.get(&first.link("next").unwrap()).await;
    assert_eq!(
        (first.ids(), second.ids()),
        (vec!["e4".into(), "e3".into()], vec!["e2".into(), "e1".into()])
    );
}

#[tokio::test]
async fn a_page_link_belongs_to_its_search_its_type_and_its_tenant() {
    let server = server();
    let next = server.get("Encounter?patient=p1&_count=1").await.link("next").unwrap();
    let cursor = next.split_once("_page=").unwrap().1;
    let other = if cursor.starts_with('A') { "B" } else { "A" };
    let changed = format!("{other}{}", &cursor[1..]);
    for path in [
        format!("Encounter?patient=p2&_count=1&_page={cursor}"),
        format!("Encounter?_count=1&_page={cursor}"),
        format!("Observation?patient=p1&_count=1&_page={cursor}"),
        format!("Encounter?patient=p1&_count=1&_page={changed}"),
        "Encounter?patient=p1&_count=1&_page=none".to_owned(),
    ] {
        let (status, code, _) = server.get(&path).await.refusal();
        assert_eq!((status, code.as_str()), (400, "invalid"), "{path}");
    }
    let other = server.token_for("other", &["system/*.rs"]);
    let stolen = server.send(server.request(Method::GET, &next).bearer_auth(other)).await;
    assert_eq!(stolen.refusal().0, 400);
    assert_eq!(server.get(&next).await.ids(), ["e2"]);
}

#[tokio::test]
async fn the_provenance_of_the_matches_comes_along() {
    let server = server();
    let answer = server.get("Encounter?patient=p1&_count=2&_revinclude=Provenance:target").await;
    assert_eq!(answer.ids(), ["e3", "e2"]);
    let bundle = answer.json();
    assert_eq!(bundle["total"], 3);
    let included: HashSet<&str> = bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["search"]["mode"] == "include")
        .map(|entry| entry["fullUrl"].as_str().unwrap())
        .collect();
    let url = |id| format!("{}/Provenance/{id}", server.base);
    assert_eq!(included, HashSet::from([url("v3").as_str(), url("v2").as_str()]));
    assert!(answer.link("next").unwrap().contains("_revinclude"));
}

#[tokio::test]
async fn provenance_comes_along_only_for_who_may_search_it() {
    let server = server();
    let token = server.token_for(TENANT, &["system/Encounter.rs"]);
    let ask = |path| server.request(Method::GET, path).bearer_auth(&token);
    assert_eq!(server.send(ask("Encounter?patient=p1")).await.status, StatusCode::OK);
    let alone = server.send(ask("Encounter?patient=p1")).await.json();
    let answer = server.send(ask("Encounter?patient=p1&_revinclude=Provenance:target")).await;
    assert_eq!(answer.json()["entry"], alone["entry"], "as if there were none");
    assert_eq!(server.send(ask("Encounter?patient.name=x")).await.refusal().0, 403);
    assert_eq!(server.send(ask("Patient")).await.refusal().0, 403);
}

#[tokio::test]
async fn a_search_by_form_finds_the_same() {
    let server = server();
    let form = |path, body: &str| {
        server
            .ask(Method::POST, path)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body.to_owned())
    };
    let posted = server.send(form("Encounter/_search", "patient=p1&status=finished")).await;
    let asked = server.get("Encounter?patient=p1&status=finished").await;
    assert_eq!(posted.text, asked.text);
    let split = server.send(form("Encounter/_search?patient=p1", "status=finished")).await;
    assert_eq!(split.ids(), asked.ids());
}

#[tokio::test]
async fn a_lenient_caller_is_told_what_was_ignored() {
    let server = server();
    let path = "Encounter?patient=p2&colour=red&taste=sweet";
    assert_eq!(server.get(path).await.refusal().0, 400);
    let lenient =
        server.ask(Method::GET, path).header("Prefer", "return=representation; handling=lenient");
    let answer = server.send(lenient).await;
    assert_eq!(answer.ids(), ["e4"]);
    assert_eq!(answer.link("self").unwrap(), format!("{}/Encounter?patient=p2", server.base));
    let bundle = answer.json();
    assert_eq!(bundle["total"], 1);
    let told = &bundle["entry"][1];
    assert_eq!(told["search"]["mode"], "outcome");
    assert_eq!(told["resource"]["issue"][0]["severity"], "warning");
    assert!(told["resource"].to_string().contains("colour, taste"));
}
