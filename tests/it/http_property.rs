//! Whatever is asked: never a fault of ours, and under the base always a resource.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::json;

use crate::support::server::{Server, TENANT, spawn};

#[derive(Debug, Clone)]
struct Asked {
    method: Method,
    path: String,
    fields: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// A segment of a path: one that means something, or anything.
fn segment() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "Patient",
        "Encounter",
        "Binary",
        "p1",
        "e1",
        "_search",
        "_history",
        "$everything",
        "metadata",
        "1",
        "%24everything",
        "",
        "Nonsense",
        "*",
    ]);
    prop_oneof![6 => known.prop_map(str::to_owned), 1 => "[ -~]{0,12}", 1 => "(%[0-9a-f]{2}){1,4}"]
}

fn parameter() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "_id",
        "patient",
        "status",
        "date",
        "_count",
        "_sort",
        "_summary",
        "_elements",
        "_include",
        "_revinclude",
        "_has",
        "_total",
        "_format",
        "_pretty",
        "_page",
        "_since",
        "_at",
        "_type",
        "_lastUpdated",
        "patient.name",
        "identifier",
        "status:not",
        "date:missing",
        "start",
        "_tag",
    ]);
    let value = prop::sample::select(vec![
        "p1",
        "finished",
        "2026",
        "ge2026-11-01",
        "-1",
        "0",
        "5",
        "true",
        "a|b",
        "|",
        ",",
        "\\",
        "json",
        "xml",
        "Encounter:patient",
        "Provenance:target",
        "Encounter",
        "count",
        "text",
        "period",
    ]);
    let name = prop_oneof![5 => name.prop_map(str::to_owned), 1 => "[ -~]{0,8}"];
    let value = prop_oneof![5 => value.prop_map(str::to_owned), 1 => "\\PC{0,12}"];
    (name, value).prop_map(|(name, value)| format!("{name}={value}"))
}

fn field() -> impl Strategy<Value = (&'static str, String)> {
    let name = prop::sample::select(vec![
        "Accept",
        "Accept-Encoding",
        "Prefer",
        "If-None-Match",
        "If-Modified-Since",
        "Content-Type",
        "Origin",
        "Content-Encoding",
        "Access-Control-Request-Method",
    ]);
    let value = prop::sample::select(vec![
        "application/fhir+json",
        "text/plain",
        "*/*",
        "gzip",
        "handling=lenient",
        "*",
        "W/\"1\"",
        "application/x-www-form-urlencoded",
        "Mon, 02 Nov 2026 10:00:00 GMT",
        "https://app.example",
    ]);
    (name, prop_oneof![4 => value.prop_map(str::to_owned), 1 => "[ -~]{0,20}"])
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let entry = "[ -~]{0,30}".prop_map(|url| {
        let entry = json!([{"request": {"method": "GET", "url": url}}]);
        json!({"resourceType": "Bundle", "type": "batch", "entry": entry}).to_string().into_bytes()
    });
    let form = prop::collection::vec(parameter(), 0..4).prop_map(|all| all.join("&").into_bytes());
    prop_oneof![
        2 => Just(Vec::new()),
        2 => entry,
        2 => form,
        1 => prop::collection::vec(any::<u8>(), 0..200)
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    let methods = ["GET", "GET", "GET", "POST", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "BREW"];
    let method = prop::sample::select(methods.to_vec()).prop_map(|name| name.parse().unwrap());
    let path = prop::collection::vec(segment(), 0..5);
    let query = prop::collection::vec(parameter(), 0..4);
    let fields = prop::collection::vec(field(), 0..4);
    (method, path, query, fields, body()).prop_map(|(method, path, query, fields, body)| {
        let path = format!("{}?{}", path.join("/"), query.join("&"));
        Asked { method, path, fields, body }
    })
}

async fn check(server: &Server, asked: &Asked) -> Result<(), TestCaseError> {
    let Ok(url) = format!("{}/{}", server.base, asked.path).parse::<reqwest::Url>() else {
        return Ok(());
    };
    // The client resolves `..`, and so may leave the base.
    let below = url
        .path()
        .strip_prefix("/fhir")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let mut request = server.ask(asked.method.clone(), url.as_str());
    for (name, value) in &asked.fields {
        let Ok(value) = HeaderValue::from_str(value) else { continue };
        request = request.header(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
    }
    let answer = server.send(request.body(asked.body.clone())).await;
    let status = answer.status.as_u16();
    prop_assert!(status < 500, "{status}: {}", answer.text);
    prop_assert!(!answer.header("x-request-id").is_empty(), "it passed the gate");
    if below && status >= 400 && asked.method != Method::HEAD {
        let outcome = answer.json();
        prop_assert_eq!(&outcome["resourceType"], "OperationOutcome");
        let told = outcome["issue"][0]["details"]["text"].as_str().unwrap_or_default();
        prop_assert!(!told.is_empty());
    }
    Ok(())
}

#[test]
fn whatever_is_asked_is_answered_or_refused_with_an_outcome() {
    let server = spawn();
    let meta = json!({"versionId": "1", "lastUpdated": "2026-11-01T10:00:00Z"});
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases: 2_000, failure_persistence: None, ..Config::default() };
    let run =
        TestRunner::new(config).run(&asked(), |asked| runtime.block_on(check(&server, &asked)));
    assert!(run.is_ok(), "{run:#?}");
}
