//! Compressed answers.

use std::io::Read;

use flate2::read::GzDecoder;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use serde_json::json;

use crate::support::server::{Server, TENANT, spawn};

/// One short patient, and one that is long.
fn server() -> Server {
    let server = spawn();
    let meta = json!({"versionId": "1-aa", "lastUpdated": "2026-11-01T10:00:00Z"});
    server.store(TENANT, "cl_1", &[
        json!({"resourceType": "Patient", "id": "short", "meta": meta}),
        json!({"resourceType": "Patient", "id": "long", "meta": meta, "name": [{"family": "x".repeat(300_000)}]}),
        json!({"resourceType": "Patient", "id": "middle", "meta": meta, "name": [{"family": "x".repeat(3_000)}]}),
    ]);
    server
}

/// The header fields and the bytes as they came.
async fn sent(server: &Server, method: Method, id: &str, accept: &str) -> (HeaderMap, Vec<u8>) {
    let client = Client::builder().no_gzip().build().unwrap();
    let request = client.request(method, format!("{}/Patient/{id}", server.base));
    let request = request.bearer_auth(&server.token).header("Accept-Encoding", accept);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    (response.headers().clone(), response.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn who_asks_for_gzip_gets_the_same_bytes_shorter() {
    let server = server();
    for id in ["middle", "long"] {
        let (_, plain) = sent(&server, Method::GET, id, "identity").await;
        for accept in ["gzip", "deflate, GZIP;q=0.5", "br, *", "gzip;q=1, identity;q=0.5"] {
            let (headers, short) = sent(&server, Method::GET, id, accept).await;
            assert_eq!(headers["content-encoding"], "gzip", "{id} {accept}");
            assert_eq!(headers["content-length"], short.len().to_string(), "{id} {accept}");
            assert!(headers["vary"].to_str().unwrap().contains("Accept-Encoding"));
            assert_eq!(headers["etag"], "W/\"1-aa\"", "a weak tag holds for both");
            assert!(short.len() < plain.len() / 2, "{id} {accept}");
            let mut read = Vec::new();
            GzDecoder::new(short.as_slice()).read_to_end(&mut read).unwrap();
            assert_eq!(read, plain, "{id} {accept}");
        }
    }
}

#[tokio::test]
async fn who_does_not_ask_or_asks_for_little_gets_it_as_it_is() {
    let server = server();
    for (id, accept) in [
        ("middle", "identity"),
        ("middle", ""),
        ("middle", "br, deflate"),
        ("middle", "gzip;q=0"),
        ("middle", "*;q=0"),
        ("middle", "identity, gzip;q=0.5"),
        ("short", "gzip"),
    ] {
        let (headers, body) = sent(&server, Method::GET, id, accept).await;
        assert!(!headers.contains_key("content-encoding"), "{id} {accept}");
        assert!(body.starts_with(b"{"), "{id} {accept}");
    }
}

#[tokio::test]
async fn head_tells_the_compressed_length() {
    let server = server();
    let (get, _) = sent(&server, Method::GET, "middle", "gzip").await;
    let (head, body) = sent(&server, Method::HEAD, "middle", "gzip").await;
    assert!(body.is_empty());
    for name in ["content-length", "content-encoding", "content-type", "etag", "vary"] {
        assert_eq!(head[name], get[name], "{name}");
    }
}
