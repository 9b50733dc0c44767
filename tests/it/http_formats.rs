//! The form of an answer: media types, indentation, and what a caller would like.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::server::{Server, TENANT, spawn};

fn server() -> Server {
    let server = spawn();
    server.store(
        TENANT,
        "cl_1",
        &[json!({
            "resourceType": "Patient", "id": "p1",
            "meta": {"versionId": "1-aa", "lastUpdated": "2026-11-01T10:00:00Z"},
            "name": [{"family": "Okafor, \"Ada\" {x}"}], "active": true
        })],
    );
    server
}

const FHIR: &str = "application/fhir+json; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";

#[tokio::test]
async fn a_caller_gets_the_media_type_that_weighs_most() {
    let server = server();
    for path in ["Patient/p1", "Patient?_id=p1", "metadata", "Patient/p1/_history"] {
        for (accept, expected) in [
            ("*/*", Some(FHIR)),
            ("application/fhir+json", Some(FHIR)),
            ("application/json", Some(JSON)),
            ("application/json;q=0.4, application/fhir+json;q=0.5", Some(FHIR)),
            ("text/html, */*;q=0.1", Some(FHIR)),
            ("application/fhir+xml", None),
            ("application/fhir+json;q=0, */*", None),
        ] {
            let answer = server.send(server.ask(Method::GET, path).header("Accept", accept)).await;
            match expected {
                Some(media) => {
                    assert_eq!(answer.status, StatusCode::OK, "{path} {accept}");
                    assert_eq!(answer.header("content-type"), media, "{path} {accept}");
                }
                None => assert_eq!(answer.refusal().0, 406, "{path} {accept}"),
            }
            assert_eq!(answer.header("vary"), "Accept, Accept-Encoding, Prefer", "{path}");
        }
    }
}

#[tokio::test]
async fn the_format_parameter_counts_before_the_header() {
    let server = server();
    for (format, media) in [
        ("json", FHIR),
        ("application/fhir%2Bjson", FHIR),
        ("application/fhir+json", FHIR),
        ("application/json", JSON),
    ] {
        for path in ["Patient/p1?", "Patient?_id=p1&", "Patient/p1/_history?", "metadata?"] {
            let path = format!("{path}_format={format}");
            let request = server.ask(Method::GET, &path).header("Accept", "text/html");
            let answer = server.send(request).await;
            assert_eq!(
                (answer.status.as_u16(), answer.header("content-type")),
                (200, media),
                "{path}"
            );
        }
    }
    for format in ["xml", "application/fhir%2Bxml", "text/turtle", "html", ""] {
        let answer = server.get(&format!("Patient/p1?_format={format}")).await;
        assert_eq!(answer.refusal().0, 406, "{format}");
    }
}

#[tokio::test]
async fn a_pretty_answer_is_the_same_json_with_line_breaks() {
    let server = server();
    for path in ["Patient/p1", "Patient/p1/_history", "metadata"] {
        let (plain, pretty) =
            (server.get(path).await, server.get(&format!("{path}?_pretty=true")).await);
        let same = |answer: &crate::support::server::Answer| {
            let mut json = answer.json();
            // The link to itself has the parameter.
            json.as_object_mut().unwrap().remove("link");
            json
        };
        assert_eq!(same(&plain), same(&pretty), "{path}");
        assert!(pretty.text.contains("\n  \"resourceType\": "), "{path}: {}", pretty.text);
        assert!(!plain.text.contains('\n'), "{path}");
        assert!(!server.get(&format!("{path}?_pretty=false")).await.text.contains('\n'));
    }
}

#[tokio::test]
async fn only_how_strict_to_be_is_heeded_among_preferences() {
    let server = server();
    for (prefer, status) in [
        ("handling=lenient", 200),
        ("HANDLING = \"lenient\"", 200),
        ("return=minimal, handling=lenient, respond-async", 200),
        ("handling=strict", 400),
        ("handling=lenient, handling=strict", 400),
        ("return=minimal", 400),
        ("", 400),
    ] {
        let request = server.ask(Method::GET, "Patient/p1?colour=red").header("Prefer", prefer);
        assert_eq!(server.send(request).await.status, status, "{prefer}");
    }
    let request = server.ask(Method::GET, "Patient/p1").header("Prefer", "return=minimal");
    assert_eq!(server.send(request).await.json()["id"], "p1", "a read has no lesser form");
}
