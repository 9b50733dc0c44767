//! Signed pushes: who may send, what each record is answered, and that nothing is doubled or lost.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use throughline::config::Sources;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::demo::Demo;
use crate::support::desk::{appointment, client, practice, record};
use crate::support::platform::{Push, SECRET, now, secret};
use crate::support::server::{Answer, Server, spawn_with};

/// A server to which the source `app` pushes for the tenant `hv`.
fn server() -> Server {
    spawn_with(|data| Sources::of_one_sender("app", "hv", secret(data, "app-secret", SECRET)))
}

fn outcomes(answer: &Answer) -> Vec<String> {
    let lines = answer.json()["lines"].as_array().unwrap().clone();
    lines.iter().map(|line| line["outcome"].as_str().unwrap().to_owned()).collect()
}

async fn names(server: &Server) -> Vec<Value> {
    let bundle = server.get("Patient?_count=100").await.json();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| entry["resource"]["name"][0]["family"].clone()).collect()
}

#[tokio::test]
async fn pushed_records_are_readable_once_the_push_is_answered() {
    let server = server();
    let answer = Push::of(&practice()).send(&server).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(outcomes(&answer), ["stored", "stored", "stored"]);
    assert_eq!(answer.json()["records"], 3);
    assert_eq!(names(&server).await, ["Okafor"]);
    let answer = Push::of(&[client(2, "Adeyemi"), client(1, "Okafor")]).gzip().send(&server).await;
    assert_eq!(outcomes(&answer), ["stored", "unchanged"]);
    assert_eq!(names(&server).await, ["Adeyemi"]);
    let older = Push::of(&[record("client", "cl_7", 1, json!({"names": []}))]);
    assert_eq!(older.send(&server).await.status, StatusCode::MULTI_STATUS);
}

#[tokio::test]
async fn while_records_are_mapped_by_other_maps_a_replica_stores_and_leaves_the_mapping_to_them() {
    let server = server();
    let maps = |hash: &str| {
        let mut write = server.app.store().write().unwrap();
        write.set_fact("mapped-by", hash).unwrap();
        write.commit().unwrap();
    };
    // Once it serves, its maps are in charge.
    let own = loop {
        if let Some(own) = server.app.store().fact("mapped-by").unwrap() {
            break own;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    maps("those of a newer replica");
    let answer = Push::of(&practice()).send(&server).await;
    assert_eq!(outcomes(&answer), ["stored", "stored", "stored"]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(names(&server).await.is_empty(), "nothing is mapped by old maps");
    maps(&own);
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        if names(&server).await == ["Okafor"] {
            return;
        }
    }
    panic!("what was left is not mapped");
}

#[tokio::test]
async fn what_uses_a_pushed_record_is_mapped_anew_too() {
    let server = server();
    Push::of(&[appointment(1, "booked")]).send(&server).await;
    let before = server.get("Appointment").await.json()["entry"][0]["resource"].clone();
    Push::of(&practice()).send(&server).await;
    let after = server.get("Appointment").await.json()["entry"][0]["resource"].clone();
    assert!(after["id"].is_string(), "{after}");
    assert_ne!(before, after, "it names its people once they are known");
}

#[tokio::test]
async fn each_record_is_answered_by_its_line_and_without_its_content() {
    let server = server();
    let mut foreign = client(1, "S3cretName");
    foreign["tenant_id"] = json!("other");
    let mut wrong = client(2, "S3cretName");
    wrong["data"]["birth_date"] = json!("S3cretDate");
    let mut disputed = client(1, "S3cretName");
    disputed["id"] = json!("cl_8");
    let mut rival = disputed.clone();
    rival["data"]["status"] = json!("inactive");
    let lines: Vec<String> = [
        client(1, "Okafor").to_string(),
        String::new(),
        "{\"kind\":\"client\", S3cret".to_owned(),
        foreign.to_string(),
        wrong.to_string(),
        disputed.to_string(),
        rival.to_string(),
    ]
    .into();
    let answer = Push::text(lines.join("\n")).send(&server).await;
    assert_eq!(answer.status, StatusCode::MULTI_STATUS);
    assert!(!answer.text.contains("S3cret"), "{}", answer.text);
    let report = answer.json();
    let expected = json!([
        {"line": 1, "outcome": "stored"},
        {"line": 3, "outcome": "quarantined", "reason": "malformed_json", "pointer": ""},
        {"line": 4, "outcome": "rejected", "reason": "foreign_tenant", "pointer": "/tenant_id"},
        {"line": 5, "outcome": "quarantined", "reason": "schema_violation",
         "pointer": "/data/birth_date"},
        {"line": 6, "outcome": "stored"},
        {"line": 7, "outcome": "quarantined", "reason": "version_conflict", "pointer": "/version"},
    ]);
    assert_eq!(report["lines"], expected, "{}", answer.text);
    assert_eq!(report["quarantined"], 3);
    assert_eq!(report["rejected"], 1);
    let quarantine = server.app.store().quarantine().unwrap();
    assert!(quarantine.iter().all(|entry| entry.tenant.as_ref().unwrap().as_str() == "hv"));
    assert_eq!(quarantine.len(), 4, "both variants of the disputed version are kept");
    assert!(quarantine[0].origin.starts_with("push app d-"), "{}", quarantine[0].origin);
}

#[tokio::test]
async fn only_a_good_signature_of_now_is_let_in() {
    let server = server();
    let good = Push::of(&[client(1, "Okafor")]);
    let wrong = [
        Push { secret: "another-secret-of-the-same-length-as-the-first-0".into(), ..good.clone() },
        Push { source: "web".into(), ..good.clone() },
        Push { source: "no such source".into(), ..good.clone() },
        Push { delivery: "not an id".into(), ..good.clone() },
        Push { delivery: "x".repeat(65), ..good.clone() },
        Push { coding: "br", ..good.clone() },
    ];
    for push in wrong {
        let answer = push.send(&server).await;
        let (status, code, _) = answer.refusal();
        assert_eq!((status, code.as_str()), (401, "login"), "{}", push.source);
        assert_eq!(answer.header("www-authenticate"), "Throughline-HMAC-SHA256");
    }
    for name in ["source", "timestamp", "delivery", "content-sha256", "signature"] {
        let name = format!("throughline-{name}");
        let fields: Vec<_> = good.headers();
        let request = server.client.post(server.push_url()).body(good.body.clone());
        let request = fields
            .iter()
            .filter(|(field, _)| *field != name)
            .fold(request, |request, (name, value)| request.header(*name, value));
        assert_eq!(server.send(request).await.refusal().0, 401, "without {name}");
        let twice = good.request(&server.client, &server.push_url()).header(&name, "x");
        assert_eq!(server.send(twice).await.refusal().0, 401, "{name} twice");
    }
    for off in [-301, 301] {
        let stale = Push { timestamp: now() + off, ..good.clone() };
        let (status, _, text) = stale.send(&server).await.refusal();
        assert_eq!((status, text.contains("clock")), (400, true), "{text}");
    }
    let token = server.client.post(server.push_url()).bearer_auth(&server.token);
    assert_eq!(server.send(token).await.refusal().0, 401, "a bearer token is no signature");
    assert_eq!(names(&server).await.len(), 0);
    assert_eq!(good.send(&server).await.status, StatusCode::OK);
}

#[tokio::test]
async fn nothing_of_a_body_that_is_not_the_signed_one_is_taken_in() {
    let server = server();
    let signed = Push::of(&[client(1, "Okafor")]);
    let other = Push::of(&[client(1, "Mallory")]);
    let request = server.client.post(server.push_url()).body(other.body);
    let request =
        signed.headers().into_iter().fold(request, |request, (n, v)| request.header(n, v));
    let (status, _, text) = server.send(request).await.refusal();
    assert_eq!((status, text.contains("SHA-256")), (400, true), "{text}");
    assert_eq!(names(&server).await.len(), 0);
    assert_eq!(server.app.store().quarantine().unwrap().len(), 0);
    assert_eq!(signed.send(&server).await.status, StatusCode::OK, "its id is not used up");
}

#[tokio::test]
async fn a_delivery_that_comes_again_is_answered_the_same_and_doubles_nothing() {
    let server = server();
    let push = Push::of(&practice());
    let first = push.send(&server).await;
    let history = "Patient?_count=100";
    let before = server.get(history).await.text;
    let again = Push { timestamp: push.timestamp + 1, ..push.clone() }.send(&server).await;
    assert_eq!(again.text, first.text, "stored, as it was the first time");
    assert_eq!(again.header("throughline-repeated"), "true");
    assert_eq!(first.header("throughline-repeated"), "");
    let many = join_all((0..8).map(|_| push.send(&server))).await;
    assert!(many.iter().all(|answer| answer.text == first.text));
    let entries = |text: &str| serde_json::from_str::<Value>(text).unwrap()["entry"].clone();
    assert_eq!(entries(&server.get(history).await.text), entries(&before));
    let reused = Push { body: Push::of(&[client(2, "Adeyemi")]).body, ..push };
    assert_eq!(reused.send(&server).await.refusal().0, 409);
    assert_eq!(names(&server).await, ["Okafor"]);
}

#[tokio::test]
async fn while_a_secret_is_replaced_both_are_good() {
    let next = "the-secret-that-follows-the-example-secret-0002";
    let server = spawn_with(|data| {
        let mut sources = Sources::of_one_sender("app", "hv", secret(data, "old", SECRET));
        let push = sources.0.get_mut("app").unwrap().push.as_mut().unwrap();
        push.secret_files.push(secret(data, "new", next));
        sources
    });
    for text in [SECRET, next] {
        let push = Push { secret: text.into(), ..Push::of(&[client(1, "Okafor")]) };
        assert_eq!(push.send(&server).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn what_cannot_be_a_push_is_refused_with_a_reason() {
    let server = spawn_with(|data| {
        let mut sources = Sources::of_one_sender("app", "hv", secret(data, "app", SECRET));
        sources.0.get_mut("app").unwrap().push.as_mut().unwrap().max_body_mb = 1;
        sources
    });
    let zeros = Push::text(vec![b' '; 20 * 1024 * 1024]).gzip();
    let cut = {
        let mut push = Push::of(&practice()).gzip();
        push.body.truncate(push.body.len() - 4);
        push
    };
    let cases = [
        (Push::text(vec![b' '; 1024 * 1024 + 1]), 413, "larger than the limit of 1048576 bytes"),
        (zeros, 413, "larger than the limit of 8388608 bytes"),
        (Push::text("{}\n".repeat(10_001)), 413, "more than 10000 lines"),
        (cut, 400, "not a whole gzip stream"),
        (Push { coding: "gzip", ..Push::text("{}") }, 400, "not a whole gzip stream"),
    ];
    for (push, status, reason) in cases {
        let (found, _, text) = push.send(&server).await.refusal();
        assert_eq!((found, text.contains(reason)), (status, true), "{text}");
    }
    let push = Push::of(&practice());
    let with_query = push.request(&server.client, &format!("{}?a=b", server.push_url()));
    assert_eq!(server.send(with_query).await.refusal().0, 400);
    let as_json = push.headers().into_iter().skip(1);
    let request = server.client.post(server.push_url()).body(push.body.clone());
    let request = as_json.fold(request, |request, (n, v)| request.header(n, v));
    let request = request.header("content-type", "application/json");
    assert_eq!(server.send(request).await.refusal().0, 415);
    assert_eq!(server.app.store().quarantine().unwrap().len(), 0, "nothing was taken in");
}

/// A connection on which a push was begun: its header section is sent, and nothing of its body.
async fn started(server: &Server, push: &Push) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let mut lines = vec![
        "POST /platform/records HTTP/1.1".to_owned(),
        "host: x".to_owned(),
        format!("content-length: {}", push.body.len()),
    ];
    lines.extend(push.headers().iter().map(|(name, value)| format!("{name}: {value}")));
    stream.write_all((lines.join("\r\n") + "\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_source_that_holds_all_its_places_is_told_to_wait_and_readers_are_not() {
    let server = server();
    let push = Push::of(&practice());
    let mut slow = Vec::new();
    for number in 0..4 {
        let push = Push { delivery: format!("slow-{number}"), ..push.clone() };
        let mut stream = started(&server, &push).await;
        stream.write_all(&push.body[..10]).await.unwrap();
        slow.push((stream, push.body[10..].to_vec()));
    }
    let mut refused = push.send(&server).await;
    // Until the heads of all four were read.
    for _ in 0..100 {
        if refused.status == 429 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        refused = push.send(&server).await;
    }
    assert_eq!(refused.refusal().0, 429);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(server.get("Patient").await.status, StatusCode::OK);
    for (mut stream, rest) in slow {
        stream.write_all(&rest).await.unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
    }
    assert_eq!(push.send(&server).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_push_that_is_cut_off_takes_nothing_in_and_can_be_sent_again() {
    let server = server();
    let push = Push::of(&practice());
    let mut stream = started(&server, &push).await;
    stream.write_all(&push.body[..push.body.len() - 1]).await.unwrap();
    drop(stream);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(names(&server).await.len(), 0);
    assert_eq!(push.send(&server).await.status, StatusCode::OK);
    assert_eq!(names(&server).await, ["Okafor"]);
}

/// The text of the first block of `docs/platform.md` that contains `word`.
fn block(word: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/platform.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut blocks = text.split("\n```").skip(1).step_by(2);
    let found = blocks.find(|block| block.contains(word)).unwrap();
    found.split_once('\n').unwrap().1.to_owned()
}

#[test]
fn the_worked_example_is_right() {
    let push = Push {
        source: "demo".into(),
        timestamp: 1_795_600_800,
        delivery: "delivery-0001".into(),
        ..Push::text(block("cl_push_1") + "\n")
    };
    let headers: Vec<String> = push.headers().into_iter().map(|(_, value)| value).collect();
    assert!(block("delivery-0001").ends_with(&headers[4]), "{headers:?}");
    assert!(block("Throughline-Signature: v1=1").ends_with(&headers[5]), "{headers:?}");
}

#[test]
fn the_documented_commands_push_to_a_running_demo() {
    let mut demo = Demo::start(&[]);
    let said = demo.until("Ctrl-C");
    let base = said.iter().find_map(|line| line.trim().strip_prefix("FHIR base")).unwrap().trim();
    let host = base.strip_suffix("/fhir").unwrap();
    let script = block("openssl dgst")
        .replace("throughline-data/", "data/")
        .replace("http://127.0.0.1:8080", host);
    std::fs::write(demo.folder.path().join("records.ndjson"), block("cl_push_1") + "\n").unwrap();
    let mut shell = std::process::Command::new("sh");
    let output = shell.arg("-c").arg(script).current_dir(demo.folder.path()).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["stored"], 1, "{answer}");
    demo.stop();
}
