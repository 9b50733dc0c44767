//! Bulk exports: kick-off, status, files, consent, and the end.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use throughline::app::Config;
use throughline::audit::Event;
use throughline::policy::{Principal, Purpose, Under};

use crate::support::server::{Answer, Server, TENANT, spawn, spawn_as_new};
use crate::support::smart::client;

fn meta() -> Value {
    json!({ "versionId": "1", "lastUpdated": "2026-11-25T10:00:00Z" })
}

fn patient(id: &str) -> Value {
    json!({ "resourceType": "Patient", "id": id, "meta": meta(), "gender": "female" })
}

fn goal(id: &str, of: &str) -> Value {
    json!({
        "resourceType": "Goal", "id": id, "meta": meta(), "lifecycleStatus": "active",
        "description": { "text": "sleep" }, "subject": { "reference": format!("Patient/{of}") }
    })
}

fn filled() -> Server {
    let keys = json!({ "jwks": { "keys": [] } });
    let clients = vec![client("ehr", "asymmetric", &keys)];
    let server = spawn_as_new(Config { clients, ..Config::default() });
    let all = [patient("p1"), patient("p2"), goal("g1", "p1"), goal("g2", "p2"), goal("g3", "p2")];
    server.store(TENANT, "people", &all);
    server
}

/// A token of the practice `ehr`, which looks under consents.
fn recipient(server: &Server, scopes: &str) -> String {
    let principal = Principal {
        under: Some(Under::of_client("ehr", Some(Purpose::Treatment))),
        ..Principal::new(TENANT.parse().unwrap(), "ehr", scopes)
    };
    server.app.tokens().issue(&principal, Duration::from_mins(5), None).unwrap().0
}

pub(crate) async fn ask(server: &Server, token: &str, method: Method, path: &str) -> Answer {
    let request = server.request(method, path).bearer_auth(token);
    server.send(request.header("Prefer", "respond-async")).await
}

/// The URL at which a new export is asked for.
pub(crate) async fn begin(server: &Server, token: &str, path: &str) -> String {
    let begun = ask(server, token, Method::GET, path).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.text);
    begun.header("Content-Location").to_owned()
}

pub(crate) async fn done(server: &Server, token: &str, url: &str) -> Value {
    for _ in 0..400 {
        let answer = ask(server, token, Method::GET, url).await;
        if answer.status == StatusCode::OK {
            return answer.json();
        }
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        assert!(!answer.header("X-Progress").is_empty());
        assert_eq!(answer.header("Retry-After"), "2");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    unreachable!("an export that does not end");
}

/// The names of what is in the files of a manifest, in order.
async fn named(server: &Server, token: &str, manifest: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for file in manifest["output"].as_array().unwrap() {
        let answer = ask(server, token, Method::GET, file["url"].as_str().unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.header("Content-Type"), "application/fhir+ndjson");
        let lines: Vec<Value> =
            answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(file["count"], lines.len());
        for line in lines {
            assert_eq!(line["resourceType"], file["type"]);
            names.push(format!(
                "{}/{}",
                file["type"].as_str().unwrap(),
                line["id"].as_str().unwrap()
            ));
        }
    }
    names.sort();
    names
}

const ALL: [&str; 5] = ["Goal/g1", "Goal/g2", "Goal/g3", "Patient/p1", "Patient/p2"];

#[tokio::test(flavor = "multi_thread")]
async fn each_level_is_exported_downloaded_and_deleted() {
    let server = filled();
    let token = recipient(&server, "system/*.rs");
    for path in ["$export", "Patient/$export", "Group/roster/$export"] {
        let url = begin(&server, &token, path).await;
        let manifest = done(&server, &token, &url).await;
        assert_eq!(manifest["request"], format!("{}/{path}", server.base));
        assert_eq!(manifest["requiresAccessToken"], true);
        assert_eq!((&manifest["error"], &manifest["deleted"]), (&json!([]), &json!([])));
        assert!(manifest["transactionTime"].is_string());
        assert_eq!(named(&server, &token, &manifest).await, ALL, "{path}");
        let ended = ask(&server, &token, Method::DELETE, &url).await;
        assert_eq!(ended.status, StatusCode::ACCEPTED);
        let file = manifest["output"][0]["url"].as_str().unwrap();
        for gone in [url.as_str(), file] {
            let refused = ask(&server, &token, Method::GET, gone).await.refusal();
            assert_eq!((refused.0, refused.1.as_str()), (404, "not-found"));
        }
        assert_eq!(ask(&server, &token, Method::DELETE, &url).await.status.as_u16(), 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_and_each_file_of_it_are_in_the_audit() {
    let server = filled();
    let token = recipient(&server, "system/*.rs");
    let url = begin(&server, &token, "Patient/$export").await;
    let manifest = done(&server, &token, &url).await;
    named(&server, &token, &manifest).await;
    let kept = server.app.audit().ledger().entries(TENANT, 0, 1000).unwrap();
    let events: Vec<_> = kept.iter().map(|entry| Event::of(&entry.body).unwrap()).collect();
    let of = |name: &str| events.iter().filter(|event| event.action.name() == name).count();
    assert_eq!((of("export"), of("exported")), (1, 2));
    let whose = events.iter().filter(|event| event.action.name() == "exported");
    assert!(whose.flat_map(|event| &event.patients).any(|patient| patient == "p2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_narrow_an_export() {
    let server = filled();
    let token = recipient(&server, "system/*.rs");
    for (query, expected) in [
        ("_type=Patient", &ALL[3..]),
        ("_type=Goal&_typeFilter=Goal%3Fpatient%3DPatient/p1", &ALL[..1]),
        // What counts is when it came here, however old the platform says that it is.
        ("_since=2099-01-01T00:00:00Z", &[][..]),
        ("_until=2026-11-25T00:00:00Z", &[][..]),
        ("_since=2026-11-26T00:00:00Z&_outputFormat=ndjson", &ALL[..]),
    ] {
        let url = begin(&server, &token, &format!("Patient/$export?{query}")).await;
        let manifest = done(&server, &token, &url).await;
        assert_eq!(named(&server, &token, &manifest).await, expected, "{query}");
    }
    let body = json!({ "resourceType": "Parameters", "parameter": [
        { "name": "patient", "valueReference": { "reference": "Patient/p2" } },
        { "name": "_elements", "valueString": "lifecycleStatus,Patient.gender" },
    ]});
    let request = server.request(Method::POST, "Group/roster/$export").bearer_auth(&token);
    let request = request.header("Prefer", "respond-async").json(&body);
    let begun = server.send(request).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.text);
    let manifest = done(&server, &token, begun.header("Content-Location")).await;
    assert_eq!(named(&server, &token, &manifest).await, ["Goal/g2", "Goal/g3", "Patient/p2"]);
    let goals = manifest["output"][0]["url"].as_str().unwrap();
    let text = ask(&server, &token, Method::GET, goals).await.text;
    assert!(text.contains("SUBSETTED") && text.contains("lifecycleStatus"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_for_is_refused_and_said() {
    let server = filled();
    let token = recipient(&server, "system/*.rs");
    for (path, expected) in [
        ("$export?_type=Binary", "not-supported"),
        ("$export?_type=Nothing", "not-supported"),
        ("$export?includeAssociatedData=LatestProvenanceResources", "not-supported"),
        ("$export?other=1", "not-supported"),
        ("$export?_outputFormat=text/csv", "not-supported"),
        ("$export?_since=yesterday", "invalid"),
        ("$export?_typeFilter=Goal", "invalid"),
        ("$export?_type=Goal&_typeFilter=Patient%3Fgender%3Dmale", "invalid"),
        ("$export?_elements=nothing", "invalid"),
        ("Patient/$export?patient=Patient/p1", "not-supported"),
        ("Group/other/$export", "not-found"),
    ] {
        let refused = ask(&server, &token, Method::GET, path).await.refusal();
        assert_eq!(refused.1, expected, "{path}: {}", refused.2);
    }
    let plain = server.send(server.request(Method::GET, "$export").bearer_auth(&token)).await;
    assert!(plain.refusal().2.contains("respond-async"));
    let narrow = recipient(&server, "system/Patient.rs");
    let refused = ask(&server, &narrow, Method::GET, "$export?_type=Goal").await.refusal();
    assert_eq!((refused.0, refused.1.as_str()), (403, "forbidden"));
    let request = server.request(Method::GET, "$export?other=1").bearer_auth(&token);
    let request = request.header("Prefer", "respond-async, handling=lenient");
    let begun = server.send(request).await;
    let manifest = done(&server, &token, begun.header("Content-Location")).await;
    assert_eq!(manifest["error"][0]["type"], "OperationOutcome");
    let told =
        ask(&server, &token, Method::GET, manifest["error"][0]["url"].as_str().unwrap()).await;
    assert!(told.text.contains("ignored"), "{}", told.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_told_to_who_asks_what_has_changed() {
    let server = filled();
    let token = recipient(&server, "system/*.rs");
    let left = [patient("p1"), patient("p2"), goal("g1", "p1"), goal("g2", "p2")];
    server.store(TENANT, "people", &left);
    let path = "$export?_since=2026-11-26T00:00:00Z";
    let whole = begin(&server, &token, "$export").await;
    let whole = done(&server, &token, &whole).await;
    assert_eq!(whole["deleted"], json!([]), "nobody asked what has changed");
    let url = begin(&server, &token, path).await;
    let manifest = done(&server, &token, &url).await;
    let deleted = &manifest["deleted"][0];
    assert_eq!((&deleted["type"], &deleted["count"]), (&json!("Bundle"), &json!(1)), "{manifest}");
    let file = deleted["url"].as_str().unwrap();
    let bundle = ask(&server, &token, Method::GET, file).await.json();
    assert_eq!(bundle["type"], "transaction");
    let entries = json!([{ "request": { "method": "DELETE", "url": "Goal/g3" } }]);
    assert_eq!(bundle["entry"], entries);
    // Who may see no goals, or some of them only, is not told that there was one.
    for scopes in ["system/Patient.rs", "system/Goal.rs?lifecycle-status=active"] {
        let token = recipient(&server, scopes);
        let url = begin(&server, &token, path).await;
        assert_eq!(done(&server, &token, &url).await["deleted"], json!([]), "{scopes}");
    }
    // What is there again is not gone any more.
    let again =
        [patient("p1"), patient("p2"), goal("g1", "p1"), goal("g2", "p2"), goal("g3", "p2")];
    server.store(TENANT, "people", &again);
    let refused = ask(&server, &token, Method::GET, file).await.refusal();
    assert_eq!((refused.0, refused.1.as_str()), (410, "deleted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_somebody_who_has_revoked_since_is_gone() {
    let server = filled();
    let token = recipient(&server, "system/*.rs");
    let url = begin(&server, &token, "$export").await;
    let manifest = done(&server, &token, &url).await;
    assert_eq!(named(&server, &token, &manifest).await, ALL);
    let mut write = server.app.store().write().unwrap();
    write.put_allowed(&TENANT.parse().unwrap(), &"p2".parse().unwrap(), &[]).unwrap();
    write.commit().unwrap();
    for file in manifest["output"].as_array().unwrap() {
        let refused = ask(&server, &token, Method::GET, file["url"].as_str().unwrap()).await;
        let refused = refused.refusal();
        assert_eq!((refused.0, refused.1.as_str()), (410, "deleted"));
        assert!(refused.2.contains("start a new export") && !refused.2.contains("p2"));
    }
    let url = begin(&server, &token, "$export").await;
    let manifest = done(&server, &token, &url).await;
    assert_eq!(named(&server, &token, &manifest).await, ["Goal/g1", "Patient/p1"]);
    let roster = ask(&server, &token, Method::GET, "Group/roster").await.json();
    assert_eq!(roster["quantity"], 1);
    assert_eq!(roster["member"][0]["entity"]["reference"], "Patient/p1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrower_token_downloads_only_what_it_reaches() {
    let server = filled();
    let wide = recipient(&server, "system/*.rs");
    let url = begin(&server, &wide, "$export").await;
    let manifest = done(&server, &wide, &url).await;
    for (scopes, goals, patients) in [
        ("system/*.rs", 200, 200),
        ("system/Goal.rs?lifecycle-status=active", 200, 403),
        ("system/Goal.rs?lifecycle-status=proposed system/Patient.rs", 403, 200),
    ] {
        let token = recipient(&server, scopes);
        for file in manifest["output"].as_array().unwrap() {
            let answer = ask(&server, &token, Method::GET, file["url"].as_str().unwrap()).await;
            let expected = if file["type"] == "Goal" { goals } else { patients };
            assert_eq!(answer.status, expected, "{} by {scopes}", file["type"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_its_clients_own_and_each_has_a_few() {
    let server = filled();
    let token = recipient(&server, "system/*.rs");
    let url = begin(&server, &token, "$export").await;
    done(&server, &token, &url).await;
    let other = server.token_for(TENANT, &["system/*.rs"]);
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(ask(&server, &other, method, &url).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(server.send(server.request(Method::GET, &url)).await.status.as_u16(), 401);
    let idle = Arc::new(tempfile::tempdir().unwrap());
    let jobs = throughline::config::JobSettings { at_once: 0, ..Default::default() };
    let idle = crate::support::server::spawn_as(idle, Config { jobs, ..Config::default() });
    let token = idle.token.clone();
    begin(&idle, &token, "$export").await;
    let second = begin(&idle, &token, "$export").await;
    let refused = ask(&idle, &token, Method::GET, "$export").await;
    assert_eq!(refused.header("Retry-After"), "30");
    assert_eq!(refused.refusal().1, "throttled");
    assert_eq!(ask(&idle, &token, Method::DELETE, &second).await.status, StatusCode::ACCEPTED);
    begin(&idle, &token, "$export").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_practice_has_an_empty_export() {
    let server = spawn();
    let token = server.token.clone();
    let url = begin(&server, &token, "Group/roster/$export").await;
    let manifest = done(&server, &token, &url).await;
    assert_eq!(manifest["output"], json!([]));
}
