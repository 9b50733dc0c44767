//! Reading a Binary: its JSON, or what it holds.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::server::{Answer, Server, TENANT, spawn};

const TEXT: &str = "Progress note\n<script>alert(1)</script>";

fn binary(id: &str, more: &Value) -> Value {
    let mut binary = json!({
        "resourceType": "Binary", "id": id,
        "meta": {"versionId": "1-aa", "lastUpdated": "2026-11-01T10:00:00Z"},
        "contentType": "text/plain; charset=utf-8"
    });
    binary.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    binary
}

fn server() -> Server {
    let server = spawn();
    let absent = json!({"_data": {"extension": [{"url": "x", "valueCode": "unsupported"}]}});
    server.store(
        TENANT,
        "note",
        &[binary("b1", &json!({"data": STANDARD.encode(TEXT)})), binary("b2", &absent)],
    );
    server
}

async fn accepting(server: &Server, path: &str, accept: &str) -> Answer {
    server.send(server.ask(Method::GET, path).header("Accept", accept)).await
}

#[tokio::test]
async fn what_a_binary_holds_is_given_to_who_names_its_type() {
    let server = server();
    for accept in
        ["text/plain", "text/*", "text/plain, application/fhir+json;q=0.5", "text/plain, */*"]
    {
        let answer = accepting(&server, "Binary/b1", accept).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, TEXT), "{accept}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.header("etag"), "W/\"1-aa\"");
        assert_eq!(answer.header("content-disposition"), "attachment");
        assert_eq!(answer.header("content-security-policy"), "default-src 'none'; sandbox");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn who_asks_for_json_or_for_nothing_gets_the_resource() {
    let server = server();
    for accept in
        ["application/fhir+json", "*/*", "application/json", "text/plain, application/fhir+json"]
    {
        let answer = accepting(&server, "Binary/b1", accept).await;
        assert_eq!(answer.json()["resourceType"], "Binary", "{accept}");
    }
    let answer = accepting(&server, "Binary/b1?_format=json", "text/plain").await;
    assert_eq!(answer.json()["resourceType"], "Binary");
    assert_eq!(server.get("Binary/b1").await.json()["id"], "b1");
}

#[tokio::test]
async fn a_binary_that_holds_nothing_or_another_type_is_not_acceptable() {
    let server = server();
    for (path, accept, status) in [
        ("Binary/b2", "text/plain", 406),
        ("Binary/b1", "application/pdf", 406),
        ("Binary/b1?_format=xml", "text/plain", 406),
        ("Binary/none", "text/plain", 404),
        ("Binary/a_b", "text/plain", 400),
    ] {
        assert_eq!(accepting(&server, path, accept).await.refusal().0, status, "{path} {accept}");
    }
    assert_eq!(accepting(&server, "Binary/b2", "text/plain, */*;q=0.1").await.json()["id"], "b2");
}

#[tokio::test]
async fn the_rights_and_conditions_of_a_read_hold_for_what_it_holds() {
    let server = server();
    let ask = |token: &str| {
        server.request(Method::GET, "Binary/b1").header("Accept", "text/plain").bearer_auth(token)
    };
    let other = server.token_for("other", &["system/*.rs"]);
    assert_eq!(server.send(ask(&other)).await.refusal().0, 404);
    let narrow = server.token_for(TENANT, &["system/Patient.rs"]);
    assert_eq!(server.send(ask(&narrow)).await.refusal().0, 403);
    let known = ask(&server.token).header("If-None-Match", "W/\"1-aa\"");
    assert_eq!(server.send(known).await.status, 304);
    let head = server.ask(Method::HEAD, "Binary/b1").header("Accept", "text/plain");
    let head = server.send(head).await;
    assert_eq!((head.text.as_str(), head.header("content-length")), ("", "39"));
    assert_eq!(TEXT.len(), 39);
}
