//! Calls from web pages of other origins.

use reqwest::Method;

use crate::support::server::{Answer, Server, spawn, spawn_for};

const PAGE: &str = "https://app.example";

/// What a browser asks before a page's call.
async fn preflight(server: &Server, path: &str, origin: &str) -> Answer {
    let request = server
        .request(Method::OPTIONS, path)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "GET")
        .header("Access-Control-Request-Headers", "authorization");
    server.send(request).await
}

#[tokio::test]
async fn a_browser_may_ask_without_a_token_for_pages_that_are_listed() {
    let server = spawn_for(&[PAGE, "https://other.example"]);
    for path in ["Patient/p1", "Patient/_search", "", "no/such/path/here"] {
        let answer = preflight(&server, path, PAGE).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), PAGE);
        assert!(answer.header("access-control-allow-methods").contains("POST"));
        assert!(answer.header("access-control-allow-headers").contains("Authorization"));
        assert_eq!(answer.header("access-control-max-age"), "600");
        let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
        assert!(vary.iter().any(|field| *field == "Origin"), "{vary:?}");
    }
    for origin in ["https://evil.example", "https://app.example.evil", "http://app.example", "null"]
    {
        let answer = preflight(&server, "Patient/p1", origin).await;
        assert_eq!(answer.refusal().0, 401, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
    }
}

#[tokio::test]
async fn a_page_sees_answers_and_refusals_and_their_header_fields() {
    let server = spawn_for(&[PAGE]);
    for path in ["Patient", "Patient/none", "Nonsense"] {
        let answer = server.send(server.ask(Method::GET, path).header("Origin", PAGE)).await;
        assert_eq!(answer.header("access-control-allow-origin"), PAGE, "{path}");
        for name in ["ETag", "Location", "Content-Location", "X-Request-Id"] {
            assert!(answer.header("access-control-expose-headers").contains(name), "{path} {name}");
        }
        assert_eq!(answer.header("access-control-allow-credentials"), "", "{path}");
    }
    let refused = server.request(Method::GET, "Patient").header("Origin", PAGE);
    let refused = server.send(refused).await;
    assert_eq!(refused.refusal().0, 401);
    assert_eq!(refused.header("access-control-allow-origin"), PAGE);
}

#[tokio::test]
async fn all_pages_may_be_allowed_and_none_is_without_a_setting() {
    let server = spawn_for(&["*"]);
    let answer = preflight(&server, "Patient/p1", "https://anything.example").await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (204, "*"));
    let server = spawn();
    let answer = preflight(&server, "Patient/p1", PAGE).await;
    assert_eq!((answer.refusal().0, answer.header("access-control-allow-origin")), (401, ""));
    let answer = server.send(server.ask(Method::GET, "Patient").header("Origin", PAGE)).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, ""));
    let answer = server.send(server.request(Method::GET, "metadata").header("Origin", PAGE)).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, "*"));
}
