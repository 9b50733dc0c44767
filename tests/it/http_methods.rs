//! Every route of the table by every method and by whoever: a new row is tried here without more.

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use throughline::http::routes::{Access, Endpoint, Level, ROUTES};

use crate::support::server::{Answer, Server, TENANT, spawn};

/// A resource of each kind that the paths below name.
fn server() -> Server {
    let server = spawn();
    let meta = json!({"versionId": "1", "lastUpdated": "2026-11-01T10:00:00Z"});
    server.store(TENANT, "1", &[
        json!({"resourceType": "Patient", "id": "p1", "meta": meta, "active": true}),
        json!({"resourceType": "Binary", "id": "p1", "meta": meta, "contentType": "text/plain"}),
        json!({
            "resourceType": "Consent", "id": "p1", "meta": meta, "status": "active",
            "patient": {"reference": "Patient/p1"}
        }),
        json!({
            "resourceType": "Encounter", "id": "e1", "meta": meta, "status": "finished",
            "class": {"code": "VR"}, "subject": {"reference": "Patient/p1"}
        }),
    ]);
    server
}

/// The path of a row below the base, about the patient, or about one that is not there.
fn path(endpoint: &Endpoint, id: &str) -> String {
    let within = endpoint.pattern.contains("/Patient/{id}/");
    let Some(below) = endpoint.pattern.strip_prefix("/fhir") else {
        return format!("..{}", endpoint.pattern);
    };
    below
        .replace("{type}", if within { "Encounter" } else { "Patient" })
        .replace("{id}", if endpoint.pattern.starts_with("/fhir/Group/") { "roster" } else { id })
        .replace("{number}", "0")
        .replace("{version}", "1")
        .trim_start_matches('/')
        .to_owned()
}

/// A request that the row answers, whoever sends it.
fn ask(server: &Server, endpoint: &Endpoint, id: &str) -> RequestBuilder {
    let request = server.request(endpoint.method.parse().unwrap(), &path(endpoint, id));
    let request = match endpoint.interaction {
        "docref" => request.query(&[("patient", id)]),
        _ => request,
    };
    match (endpoint.method, endpoint.interaction) {
        ("POST", "batch") => {
            let entry = json!([{"request": {"method": "GET", "url": "Patient/p1"}}]);
            let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": entry});
            request.header("Content-Type", "application/fhir+json").body(batch.to_string())
        }
        ("POST", "everything" | "explain" | "docref") => request
            .header("Content-Type", "application/fhir+json")
            .body(r#"{"resourceType":"Parameters"}"#),
        ("POST", _) => request.header("Content-Type", "application/x-www-form-urlencoded").body(""),
        _ => request,
    }
}

/// The routes of the FHIR API: those of the authorization server, of the pages for people and of
/// platforms have tests of their own.
fn for_callers() -> impl Iterator<Item = &'static Endpoint> {
    let is_fhir = |endpoint: &&Endpoint| {
        endpoint.access == Access::Bearer || endpoint.interaction == "capabilities"
    };
    ROUTES.iter().filter(is_fhir)
}

/// What others send takes a scope of its own. Exports are answered later, and what a narrow token covers of one is one too: they have tests of
/// their own.
fn is_export(endpoint: &Endpoint) -> bool {
    endpoint.interaction.starts_with("export") || endpoint.interaction == "receive"
}

/// Only whose consents and requests they are writes them, and only clinicians break glasses: these have
/// tests of their own.
fn is_signed(endpoint: &Endpoint) -> bool {
    matches!(endpoint.level, Level::Consent | Level::Request)
        || endpoint.interaction == "break-glass"
}

fn bearer() -> impl Iterator<Item = &'static Endpoint> {
    ROUTES.iter().filter(|endpoint| endpoint.access == Access::Bearer)
}

#[tokio::test]
async fn every_route_answers_who_may_call() {
    let server = server();
    let event = server.get("AuditEvent?_count=1").await;
    assert_eq!(event.status, 200);
    let event = server.get("AuditEvent?_count=1").await.ids().remove(0);
    let read = |endpoint: &&Endpoint| !is_export(endpoint) && !is_signed(endpoint);
    for endpoint in for_callers().filter(read) {
        let is_event = endpoint.pattern == "/fhir/AuditEvent/{id}";
        let id = if is_event { event.as_str() } else { "p1" };
        let answer = server.send(ask(&server, endpoint, id).bearer_auth(&server.token)).await;
        assert_eq!(answer.status, 200, "{} {}", endpoint.method, endpoint.pattern);
    }
}

#[tokio::test]
async fn no_route_but_the_public_ones_answers_without_a_good_token() {
    let server = server();
    let expired_or_forged = format!("{}x", server.token);
    for endpoint in bearer() {
        let name = format!("{} {}", endpoint.method, endpoint.pattern);
        let unknown = server.send(ask(&server, endpoint, "p1")).await;
        let forged =
            server.send(ask(&server, endpoint, "p1").bearer_auth(&expired_or_forged)).await;
        for answer in [unknown, forged] {
            assert_eq!(answer.refusal().0, 401, "{name}");
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{name}");
        }
    }
    for endpoint in ROUTES.iter().filter(|endpoint| endpoint.access == Access::Signed) {
        let answer = server.send(ask(&server, endpoint, "p1").bearer_auth(&server.token)).await;
        assert_eq!(answer.refusal().0, 401, "{}: a token is no signature", endpoint.pattern);
    }
}

#[tokio::test]
async fn no_route_answers_a_token_that_covers_too_little() {
    let server = server();
    let narrow = server.token_for(TENANT, &["system/Goal.rs"]);
    for endpoint in bearer().filter(|endpoint| !is_export(endpoint)) {
        let name = format!("{} {}", endpoint.method, endpoint.pattern);
        let answer = server.send(ask(&server, endpoint, "p1").bearer_auth(&narrow)).await;
        if endpoint.interaction == "batch" {
            let entry = &answer.json()["entry"][0];
            assert_eq!(entry["response"]["status"], "403 Forbidden", "{name}");
            assert!(entry.get("resource").is_none(), "{name}");
        } else {
            assert_eq!(answer.refusal().0, 403, "{name}");
        }
    }
}

/// What of an answer must not tell why something is not there.
fn seen(answer: &Answer) -> (u16, Vec<(String, String)>, &str) {
    let shown = |headers: &HeaderMap| {
        headers
            .iter()
            .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect()
    };
    (answer.status.as_u16(), shown(&answer.headers), &answer.text)
}

#[tokio::test]
async fn what_is_withheld_is_answered_as_what_is_not_there() {
    let server = server();
    let other = server.token_for("other", &["system/*.rs"]);
    let routes = bearer().filter(|endpoint| endpoint.pattern.contains("{id}"));
    for endpoint in routes {
        let name = format!("{} {}", endpoint.method, endpoint.pattern);
        let withheld = server.send(ask(&server, endpoint, "p1").bearer_auth(&other)).await;
        let absent = server.send(ask(&server, endpoint, "p2").bearer_auth(&other)).await;
        // The path is in the links of a Bundle, as it was asked for.
        let withheld = Answer { text: withheld.text.replace("/p1/", "/p2/"), ..withheld };
        assert_eq!(seen(&withheld), seen(&absent), "{name}");
    }
}

/// The header fields that HEAD and GET have in common.
fn fields(answer: &Answer) -> Vec<(String, String)> {
    let (_, mut fields, _) = seen(answer);
    fields.sort();
    fields
}

#[tokio::test]
async fn head_is_get_without_the_body_on_every_route() {
    let server = server();
    // The audit is longer by one event after each of them.
    let lasts = |endpoint: &&Endpoint| endpoint.pattern != "/fhir/AuditEvent";
    for endpoint in for_callers().filter(|endpoint| endpoint.method == "GET").filter(lasts) {
        for id in ["p1", "none"] {
            let path = path(endpoint, id);
            let get = server.send(server.ask(Method::GET, &path)).await;
            let head = server.send(server.ask(Method::HEAD, &path)).await;
            assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
            assert_eq!(fields(&head), fields(&get), "{path}");
            assert!(!get.header("content-length").is_empty(), "{path}");
        }
    }
}

/// The methods of a path, as `Allow` lists them.
fn allowed(pattern: &str) -> String {
    let rows = ROUTES.iter().filter(|endpoint| endpoint.pattern == pattern);
    let methods = rows.map(|row| if row.method == "GET" { "GET, HEAD" } else { row.method });
    methods.chain(["OPTIONS"]).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn options_and_any_other_method_are_told_the_methods_of_every_route() {
    let server = server();
    for endpoint in for_callers() {
        let (path, allow) = (path(endpoint, "p1"), allowed(endpoint.pattern));
        let answer = server.send(server.ask(Method::OPTIONS, &path)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("allow")),
            (204, allow.as_str()),
            "{path}"
        );
        assert_eq!(answer.text, "", "{path}");
        for method in
            [Method::PUT, Method::DELETE, Method::PATCH, Method::TRACE, Method::GET, Method::POST]
        {
            if allow.split(", ").any(|allowed| allowed == method.as_str()) {
                continue;
            }
            let answer = server.send(server.ask(method.clone(), &path)).await;
            assert_eq!(answer.refusal().0, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), allow, "{method} {path}");
        }
        if endpoint.access == Access::Bearer {
            let unknown = server.send(server.request(Method::OPTIONS, &path)).await;
            assert_eq!(unknown.refusal().0, 401, "{path}");
        }
    }
}

#[tokio::test]
async fn a_slash_at_the_end_and_escapes_in_a_path_change_nothing() {
    let server = server();
    for (path, plain) in [
        ("Patient/p1/", "Patient/p1"),
        ("Patient/?_id=p1", "Patient?_id=p1"),
        ("%50atient/p1", "Patient/p1"),
        ("Patient/%701", "Patient/p1"),
        ("Patient/p1/%5fhistory", "Patient/p1/_history"),
        ("Patient/p1/%24everything", "Patient/p1/$everything"),
        ("metadata/", "metadata"),
    ] {
        let (found, expected) = (server.get(path).await, server.get(plain).await);
        assert_eq!((found.status.as_u16(), &found.text), (200, &expected.text), "{path}");
    }
    let public = server.send(server.request(Method::GET, "metadata/")).await;
    assert_eq!(public.status, 200);
    for path in ["Patient//p1", "/Patient/p1", "Patient/p1//", "Patient/p1/_history/1/2"] {
        assert_eq!(server.get(path).await.refusal().0, 404, "{path}");
    }
}

#[test]
fn an_entry_of_a_batch_may_ask_what_every_question_asks() {
    for endpoint in for_callers().filter(|endpoint| endpoint.pattern.starts_with("/fhir/")) {
        let is_question = endpoint.method == "GET" && !is_export(endpoint);
        let is_answered = endpoint.is_entry();
        assert_eq!(is_question, is_answered, "{}", endpoint.pattern);
    }
    assert!(ROUTES.iter().any(|endpoint| endpoint.level == Level::Operation));
}
