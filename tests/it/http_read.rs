//! Read, vread and history over HTTP.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::server::{Server, TENANT, spawn};

fn patient(version: &str, updated: &str) -> Value {
    json!({
        "resourceType": "Patient", "id": "p1",
        "meta": {"versionId": version, "lastUpdated": updated},
        "name": [{"family": "Okafor", "given": ["Adaeze"]}]
    })
}

/// A server with a patient in its second version.
fn server() -> Server {
    let server = spawn();
    server.store(TENANT, "cl_1", &[patient("1-aa", "2026-11-01T10:00:00.500Z")]);
    server.store(TENANT, "cl_1", &[patient("2-bb", "2026-11-02T10:00:00Z")]);
    server
}

#[tokio::test]
async fn a_read_answers_the_stored_bytes_with_their_version() {
    let server = server();
    for round in ["from the store", "from the cache"] {
        let answer = server.get("Patient/p1").await;
        assert_eq!(answer.status, StatusCode::OK, "{round}");
        assert_eq!(answer.text, patient("2-bb", "2026-11-02T10:00:00Z").to_string(), "{round}");
        assert_eq!(answer.header("etag"), "W/\"2-bb\"", "{round}");
        assert_eq!(answer.header("last-modified"), "Mon, 02 Nov 2026 10:00:00 GMT", "{round}");
        assert_eq!(answer.header("content-type"), "application/fhir+json; charset=utf-8");
    }
}

#[tokio::test]
async fn every_answer_says_that_it_is_not_to_be_kept_and_has_a_request_id() {
    let server = server();
    let mut ids = std::collections::HashSet::new();
    for path in ["Patient/p1", "Patient/none", "Patient", "metadata", "nothing/like/this/here"] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(ids.insert(answer.header("x-request-id").to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_caller_who_has_the_version_gets_no_body() {
    let server = server();
    for tag in ["W/\"2-bb\"", "\"2-bb\"", "W/\"x\", W/\"2-bb\"", "*"] {
        let request = server.ask(Method::GET, "Patient/p1").header("If-None-Match", tag);
        let answer = server.send(request).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (304, ""), "{tag}");
        assert_eq!(answer.header("etag"), "W/\"2-bb\"", "{tag}");
    }
    let request = server.ask(Method::GET, "Patient/p1").header("If-None-Match", "W/\"1-aa\"");
    assert_eq!(server.send(request).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_caller_who_has_what_was_there_since_a_date_gets_no_body() {
    let server = server();
    // The version is from 10:00:00.
    for (since, status) in [
        ("Mon, 02 Nov 2026 10:00:00 GMT", 304),
        ("Tue, 03 Nov 2026 00:00:00 GMT", 304),
        ("Monday, 02-Nov-26 10:00:00 GMT", 304),
        ("Mon Nov  2 10:00:00 2026", 304),
        ("Mon, 02 Nov 2026 09:59:59 GMT", 200),
        ("yesterday", 200),
        ("2026-11-03", 200),
    ] {
        let request = server.ask(Method::GET, "Patient/p1").header("If-Modified-Since", since);
        let answer = server.send(request).await;
        assert_eq!(answer.status, status, "{since}");
        assert_eq!(answer.text.is_empty(), status == 304, "{since}");
        assert_eq!(answer.header("last-modified"), "Mon, 02 Nov 2026 10:00:00 GMT", "{since}");
    }
}

#[tokio::test]
async fn an_entity_tag_counts_before_a_date() {
    let server = server();
    for (tag, since, status) in [
        ("W/\"1-aa\"", "Tue, 03 Nov 2026 00:00:00 GMT", 200),
        ("W/\"2-bb\"", "Sun, 01 Nov 2026 00:00:00 GMT", 304),
    ] {
        let request = server.ask(Method::GET, "Patient/p1");
        let request = request.header("If-None-Match", tag).header("If-Modified-Since", since);
        assert_eq!(server.send(request).await.status, status, "{tag}");
    }
    let request = server.ask(Method::GET, "Patient/p1");
    let request = request.header("If-None-Match", "\"x\"").header("If-None-Match", "W/\"2-bb\"");
    assert_eq!(server.send(request).await.status, 304, "a second field counts too");
    let request = server.ask(Method::GET, "Patient/none").header("If-None-Match", "*");
    assert_eq!(server.send(request).await.refusal().0, 404, "what is not there is not known");
}

#[tokio::test]
async fn head_answers_the_header_fields_of_get() {
    let server = server();
    let get = server.get("Patient/p1").await;
    let head = server.send(server.ask(Method::HEAD, "Patient/p1")).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    for name in ["etag", "last-modified", "content-type", "content-length"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
}

#[tokio::test]
async fn a_version_can_be_read_after_it_was_replaced() {
    let server = server();
    let old = server.get("Patient/p1/_history/1-aa").await;
    assert_eq!(old.status, StatusCode::OK);
    assert_eq!(old.header("etag"), "W/\"1-aa\"");
    assert_eq!(old.text, patient("1-aa", "2026-11-01T10:00:00.500Z").to_string());
    let current = server.get("Patient/p1/_history/2-bb").await;
    assert_eq!(current.text, server.get("Patient/p1").await.text);
    assert_eq!(server.get("Patient/p1/_history/3-cc").await.refusal().0, 404);
}

#[tokio::test]
async fn the_history_lists_the_versions_newest_first() {
    let server = server();
    let bundle = server.get("Patient/p1/_history").await.json();
    assert_eq!(bundle["type"], "history");
    assert_eq!(bundle["total"], 2);
    assert_eq!(bundle["link"][0]["url"], format!("{}/Patient/p1/_history", server.base));
    let newest = &bundle["entry"][0];
    assert_eq!(newest["fullUrl"], format!("{}/Patient/p1", server.base));
    assert_eq!(newest["resource"]["meta"]["versionId"], "2-bb");
    assert_eq!(newest["request"], json!({"method": "PUT", "url": "Patient/p1"}));
    assert_eq!(newest["response"]["etag"], "W/\"2-bb\"");
    assert_eq!(newest["response"]["lastModified"], "2026-11-02T10:00:00Z");
    assert_eq!(bundle["entry"][1]["resource"]["meta"]["versionId"], "1-aa");
}

#[tokio::test]
async fn what_is_another_tenants_is_the_same_as_what_is_not_there() {
    let server = server();
    let other = server.token_for("other", &["system/*.rs"]);
    for path in ["Patient/p1", "Patient/p1/_history", "Patient/p1/_history/2-bb"] {
        let withheld = server.send(server.request(Method::GET, path).bearer_auth(&other)).await;
        let absent = server.get(&path.replace("p1", "p2")).await;
        assert_eq!(withheld.refusal().0, 404, "{path}");
        assert_eq!(withheld.text, absent.text, "{path}");
        let names = |headers: &reqwest::header::HeaderMap| {
            headers.keys().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&withheld.headers), names(&absent.headers), "{path}");
    }
}

#[tokio::test]
async fn a_token_reads_the_types_that_its_scopes_name() {
    let server = server();
    let token = server.token_for(TENANT, &["system/Encounter.rs", "system/Patient.s"]);
    let status = async |path: &str| {
        server.send(server.request(Method::GET, path).bearer_auth(&token)).await.refusal()
    };
    assert_eq!(status("Patient/p1").await.0, 403);
    assert_eq!(status("Patient/none").await.0, 403);
    assert_eq!(status("Encounter/none").await.0, 404);
}
