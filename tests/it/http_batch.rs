//! A batch of questions.

use std::fmt::Write as _;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::server::{Answer, Server, TENANT, spawn};

fn server() -> Server {
    let server = spawn();
    let meta = json!({"versionId": "1-aa", "lastUpdated": "2026-11-01T10:00:00Z"});
    server.store(
        TENANT,
        "1",
        &[
            json!({"resourceType": "Patient", "id": "p1", "meta": meta, "active": true}),
            json!({
                "resourceType": "Encounter", "id": "e1", "meta": meta, "status": "finished",
                "class": {"code": "VR"}, "subject": {"reference": "Patient/p1"}
            }),
        ],
    );
    server
}

fn entry(method: &str, url: &str) -> Value {
    json!({"request": {"method": method, "url": url}})
}

async fn post(server: &Server, bundle: &Value, token: &str) -> Answer {
    let request = server.request(Method::POST, "").bearer_auth(token);
    let request = request.header("Content-Type", "application/fhir+json; charset=utf-8");
    server.send(request.body(bundle.to_string())).await
}

async fn batch(server: &Server, entries: &[Value]) -> Vec<Value> {
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": entries});
    let answer = post(server, &bundle, &server.token).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let bundle = answer.json();
    assert_eq!(bundle["type"], "batch-response");
    let answered = bundle["entry"].as_array().cloned().unwrap_or_default();
    assert_eq!(answered.len(), entries.len());
    answered
}

#[tokio::test]
async fn every_entry_is_answered_as_the_same_request_by_itself() {
    let server = server();
    let urls = [
        "Patient/p1",
        "Patient/p1/_history/1-aa",
        "Patient/p1/_history",
        "Encounter?patient=p1&status=finished",
        "Patient/p1/Encounter?_count=1",
        "Patient/p1/$everything",
        "Patient/p1/%24everything",
        "Patient?_summary=count",
        "Patient/p1?_elements=active",
        "metadata",
        "Patient/none",
        "Nonsense/1",
        "Patient/a_b",
        "Encounter?colour=red",
        "Patient/p1?_format=xml",
        "Patient/p1/none/at/all",
        "Patient/_search",
    ];
    let entries: Vec<Value> = urls.iter().map(|url| entry("GET", url)).collect();
    for (url, answered) in urls.iter().zip(batch(&server, &entries).await) {
        let alone = server.get(url).await;
        let response = &answered["response"];
        if url.ends_with("_search") {
            assert_eq!(response["status"], "404 Not Found", "an entry has no form");
            continue;
        }
        let status = response["status"].as_str().unwrap();
        assert!(status.starts_with(alone.status.as_str()), "{url}: {status}");
        let etag = response["etag"].as_str().unwrap_or_default();
        assert_eq!(etag, alone.header("etag"), "{url}");
        assert_eq!(response.get("lastModified").is_some(), !etag.is_empty(), "{url}");
        if alone.status == 200 {
            assert_eq!(answered["resource"], alone.json(), "{url}");
            assert!(response.get("outcome").is_none(), "{url}");
        } else {
            assert_eq!(response["outcome"], alone.json(), "{url}");
            assert!(answered.get("resource").is_none(), "{url}");
        }
    }
}

#[tokio::test]
async fn urls_are_relative_to_the_base_or_begin_with_it() {
    let server = server();
    let absolute = format!("{}/Patient/p1", server.base);
    for url in ["Patient/p1", "/Patient/p1", absolute.as_str(), "Patient/p1/"] {
        let answered = batch(&server, &[entry("GET", url)]).await;
        assert_eq!(answered[0]["resource"]["id"], "p1", "{url}");
    }
    for url in ["https://elsewhere.example/fhir/Patient/p1", "", "http://[", "Patient/%ff", "../x"]
    {
        let answered = batch(&server, &[entry("GET", url)]).await;
        let status = answered[0]["response"]["status"].as_str().unwrap();
        assert!(status.starts_with('4'), "{url}: {status}");
        assert_eq!(answered[0]["response"]["outcome"]["resourceType"], "OperationOutcome", "{url}");
    }
}

#[tokio::test]
async fn what_the_caller_has_already_is_not_sent_again() {
    let server = server();
    let conditional = |name: &str, value: &str| {
        let mut entry = entry("GET", "Patient/p1");
        entry["request"][name] = json!(value);
        entry
    };
    let answered = batch(
        &server,
        &[
            conditional("ifNoneMatch", "W/\"1-aa\""),
            conditional("ifNoneMatch", "W/\"0-xx\""),
            conditional("ifModifiedSince", "2026-11-01T10:00:00Z"),
            conditional("ifModifiedSince", "2026-11-01T09:59:59.999Z"),
            entry("HEAD", "Patient/p1"),
        ],
    )
    .await;
    let statuses: Vec<&Value> = answered.iter().map(|entry| &entry["response"]["status"]).collect();
    assert_eq!(statuses, ["304 Not Modified", "200 OK", "304 Not Modified", "200 OK", "200 OK"]);
    let bodies: Vec<bool> = answered.iter().map(|entry| entry.get("resource").is_some()).collect();
    assert_eq!(bodies, [false, true, false, true, false]);
    assert!(answered.iter().all(|entry| entry["response"]["etag"] == "W/\"1-aa\""));
}

#[tokio::test]
async fn entries_that_write_or_are_none_are_refused_one_by_one() {
    let server = server();
    let answered = batch(
        &server,
        &[
            entry("POST", "Patient"),
            entry("PUT", "Patient/p1"),
            entry("DELETE", "Patient/p1"),
            entry("PATCH", "Patient/p1"),
            entry("get", "Patient/p1"),
            json!({"resource": {"resourceType": "Patient"}}),
            entry("GET", "Patient/p1"),
        ],
    )
    .await;
    let status = |entry: &Value| entry["response"]["status"].as_str().unwrap()[..3].to_owned();
    let statuses: Vec<String> = answered.iter().map(status).collect();
    assert_eq!(statuses, ["405", "405", "405", "405", "405", "400", "200"]);
}

#[tokio::test]
async fn rights_are_asked_for_each_entry() {
    let server = server();
    let token = server.token_for(TENANT, &["system/Patient.r"]);
    let entries =
        [entry("GET", "Patient/p1"), entry("GET", "Encounter/e1"), entry("GET", "Patient")];
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": entries});
    let bundle = post(&server, &bundle, &token).await.json();
    let status = |at: usize| bundle["entry"][at]["response"]["status"].clone();
    assert_eq!([status(0), status(1), status(2)], ["200 OK", "403 Forbidden", "403 Forbidden"]);
}

#[tokio::test]
async fn many_entries_keep_their_order() {
    let server = server();
    let entries: Vec<Value> = (0..100)
        .map(|at| entry("GET", if at % 3 == 0 { "Patient?_count=1" } else { "Patient/p1" }))
        .collect();
    for (at, answered) in batch(&server, &entries).await.iter().enumerate() {
        let expected = if at % 3 == 0 { "Bundle" } else { "Patient" };
        assert_eq!(answered["resource"]["resourceType"], expected, "{at}");
    }
    assert!(batch(&server, &[]).await.is_empty());
}

#[tokio::test]
async fn a_batch_that_is_too_large_or_none_is_refused_as_a_whole() {
    let server = server();
    let many = vec![entry("GET", "Patient/p1"); 101];
    let bundle = |kind: &str, entries: &[Value]| json!({"resourceType": "Bundle", "type": kind, "entry": entries});
    for (body, status, code) in [
        (bundle("transaction", &[]), 400, "not-supported"),
        (bundle("collection", &[]), 400, "invalid"),
        (bundle("batch", &many), 400, "invalid"),
        (json!({"resourceType": "Patient", "type": "batch"}), 400, "invalid"),
        (json!([]), 400, "invalid"),
        (json!({"resourceType": "Bundle", "type": "batch", "entry": {}}), 400, "invalid"),
    ] {
        let (found, issue, text) = post(&server, &body, &server.token).await.refusal();
        assert_eq!((found, issue.as_str()), (status, code), "{body:.60}: {text}");
    }
    let raw = |media: &str, body: String| {
        server.ask(Method::POST, "").header("Content-Type", media).body(body)
    };
    let mut long = String::from(r#"{"resourceType":"Bundle","type":"batch","x":""#);
    write!(long, "{}\"}}", "x".repeat(1024 * 1024)).unwrap();
    for (request, status) in [
        (raw("application/fhir+json", long), 413),
        (raw("application/fhir+json", "{".into()), 400),
        (raw("application/xml", "<Bundle/>".into()), 415),
        (raw("application/fhir+json", "{}".into()).header("Content-Encoding", "gzip"), 400),
    ] {
        assert_eq!(server.send(request).await.refusal().0, status);
    }
}
