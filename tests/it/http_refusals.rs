//! What is refused over HTTP: always an OperationOutcome that says what to do.

use reqwest::{Method, StatusCode};

use crate::support::server::{TENANT, spawn};

#[tokio::test]
async fn what_cannot_be_understood_is_refused_with_a_reason() {
    let server = spawn();
    let long_id = format!("Patient/{}", "a".repeat(65));
    let long_url = format!("Patient?identifier={}", "a".repeat(9000));
    let cases: &[(&str, u16, &str)] = &[
        ("Patient/none", 404, "not-found"),
        ("Patient/none/_history", 404, "not-found"),
        ("Patient/none/_history/1", 404, "not-found"),
        ("Binary/none", 404, "not-found"),
        ("Nonsense", 404, "not-supported"),
        ("Nonsense/1", 404, "not-supported"),
        ("Medication/1", 404, "not-supported"),
        ("patient/1", 404, "not-supported"),
        ("", 405, "not-supported"),
        ("Patient/1/2/3/4", 404, "not-found"),
        ("Encounter/1/$everything", 404, "not-found"),
        ("$export", 400, "invalid"),
        ("_history", 404, "not-found"),
        ("Patient/_history", 404, "not-found"),
        ("Patient/1/$export", 404, "not-found"),
        ("Patient/1/_nothing", 404, "not-found"),
        ("Patient//", 404, "not-found"),
        ("Patient/a_b", 400, "invalid"),
        ("Patient/a%20b", 400, "invalid"),
        ("Patient/%ff", 400, "invalid"),
        ("Patient/..%2f..%2fetc", 400, "invalid"),
        ("Patient/1/_history/a_b", 400, "invalid"),
        (&long_id, 400, "invalid"),
        (&long_url, 414, "too-long"),
        ("Binary", 400, "not-supported"),
        ("Patient?colour=red", 400, "not-supported"),
        ("Patient?name:below=x", 400, "not-supported"),
        ("Patient?_include=Patient:colour", 400, "not-supported"),
        ("Patient?name=", 400, "invalid"),
        ("Patient?name=%ff", 400, "invalid"),
        ("Patient?name=%zz", 400, "invalid"),
        ("Patient?birthdate=soon", 400, "invalid"),
        ("Patient?_count=x", 400, "invalid"),
        ("Patient?_page=x", 400, "invalid"),
        ("Patient/1?_summary=count", 400, "invalid"),
        ("Patient/1?_sort=name", 400, "not-supported"),
        ("Patient/1/_history?_since=soon", 400, "invalid"),
        ("Patient?_format=xml", 406, "not-supported"),
    ];
    for (path, status, code) in cases {
        let answer = server.get(path).await;
        let (found, issue, text) = answer.refusal();
        assert_eq!((found, issue.as_str()), (*status, *code), "{path}: {text}");
        assert!(!text.is_empty(), "{path}");
        assert_eq!(answer.header("content-type"), "application/fhir+json; charset=utf-8", "{path}");
    }
}

#[tokio::test]
async fn a_form_that_is_too_large_or_of_another_kind_is_refused() {
    let server = spawn();
    let post = |media: &str, body: Vec<u8>| {
        server.ask(Method::POST, "Patient/_search").header("Content-Type", media).body(body)
    };
    let form = "application/x-www-form-urlencoded";
    let cases = [
        (post("application/json", b"{}".to_vec()), 415, "not-supported"),
        (post(form, vec![b'a'; 70_000]), 413, "too-long"),
        (post(form, b"name=\xff".to_vec()), 400, "invalid"),
        (post(form, b"name=%f".to_vec()), 400, "invalid"),
        (post(form, b"colour=red".to_vec()), 400, "not-supported"),
    ];
    for (position, (request, status, code)) in cases.into_iter().enumerate() {
        let (found, issue, _) = server.send(request).await.refusal();
        assert_eq!((found, issue.as_str()), (status, code), "{position}");
    }
    let bare = server.ask(Method::POST, "Patient/_search").body("name=x");
    assert_eq!(server.send(bare).await.refusal().0, 415);
}

#[tokio::test]
async fn a_bad_token_is_refused_before_anything_else_is_looked_at() {
    let server = spawn();
    let (header, rest) = server.token.split_once('.').unwrap();
    let forged = format!("Bearer {header}.{rest}x");
    let fields =
        ["", "Bearer", "Bearer ", "Basic eDp5", "Bearer x.y.z", server.token.as_str(), &forged];
    for field in fields {
        for path in ["Patient/a_b", "Nonsense?x=%zz", "Patient/_search", "no/such/route/at/all"] {
            let request = server.request(Method::GET, path).header("Authorization", field);
            let answer = server.send(request).await;
            let (status, code, text) = answer.refusal();
            assert_eq!((status, code.as_str()), (401, "login"), "{field} {path}");
            assert_eq!(text, "a valid bearer token is required");
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{field} {path}");
        }
    }
    let good = format!("bEaReR {}", server.token);
    let request = server.request(Method::GET, "Patient").header("Authorization", good);
    assert_eq!(server.send(request).await.status, StatusCode::OK);
}

#[tokio::test]
async fn another_format_and_too_many_header_fields_are_refused() {
    let server = spawn();
    let xml = server.ask(Method::GET, "Patient").header("Accept", "application/fhir+xml");
    let (status, code, text) = server.send(xml).await.refusal();
    assert_eq!((status, code.as_str()), (406, "not-supported"));
    assert!(text.contains("application/fhir+json"), "{text}");
    let long = server.ask(Method::GET, "Patient").header("X-Padding", "a".repeat(20_000));
    let (status, code, _) = server.send(long).await.refusal();
    assert_eq!((status, code.as_str()), (431, "too-long"));
}

#[tokio::test]
async fn a_refusal_never_repeats_what_was_asked() {
    let server = spawn();
    for path in [
        "Patient/sentinel-77",
        "Patient?birthdate=sentinel-77",
        "Encounter?patient=a/sentinel-77",
        "Patient?_count=sentinel-77",
        "Patient/sentinel_77",
        "Patient?_page=sentinel-77",
    ] {
        let answer = server.get(path).await;
        assert!(answer.status.is_client_error(), "{path}");
        assert!(!answer.text.contains("sentinel"), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_token_without_any_scope_is_told_so() {
    let server = spawn();
    let token = server.token_for(TENANT, &[]);
    let answer = server.send(server.request(Method::GET, "Patient").bearer_auth(token)).await;
    assert_eq!(answer.refusal().0, 403);
    assert!(answer.header("www-authenticate").contains("insufficient_scope"));
}
