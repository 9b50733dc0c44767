//! Clients that ask and never read: others are answered as ever, and memory does not grow with what
//! is waiting for them.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::support::server::{Server, TENANT, spawn};

/// Clients that never read.
const SILENT: usize = 100;
/// Questions that each of them asks.
const ASKED: usize = 20;

/// A patient whose record is some 2 MB.
fn server() -> Server {
    let server = spawn();
    let meta = json!({"versionId": "1", "lastUpdated": "2026-11-01T10:00:00Z"});
    let mut made = vec![json!({"resourceType": "Patient", "id": "p", "meta": meta})];
    for number in 0..200 {
        made.push(json!({
            "resourceType": "Condition", "id": format!("c{number}"), "meta": meta,
            "subject": {"reference": "Patient/p"}, "code": {"text": "x".repeat(10_000)}
        }));
    }
    server.store(TENANT, "1", &made);
    server
}

/// A client with a small window that asks again and again, and reads nothing.
async fn silent(server: &Server, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(server.address().parse().unwrap()).await.unwrap();
    let request = format!(
        "GET /fhir/{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        server.token
    );
    for _ in 0..ASKED {
        // The server may stop to take questions once it cannot answer.
        let asked =
            tokio::time::timeout(Duration::from_millis(50), stream.write_all(request.as_bytes()));
        if asked.await.is_err() {
            break;
        }
    }
    stream
}

/// The memory that this process holds now, in MB.
fn held() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() / 1_024
}

#[tokio::test]
async fn whoever_never_reads_holds_up_nobody_and_little_memory() {
    let server = server();
    let everything = "Patient/p/$everything?_count=1000";
    let whole = server.get(everything).await;
    assert!(whole.text.len() > 2_000_000);
    let before = held();
    let mut silent_ones = Vec::new();
    for _ in 0..SILENT {
        silent_ones.push(silent(&server, everything).await);
    }
    let began = Instant::now();
    for _ in 0..50 {
        assert_eq!(server.get("Patient/p").await.status, 200);
    }
    assert_eq!(server.get(everything).await.text.len(), whole.text.len());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let grown = held().saturating_sub(before);
    // All that they asked for would be 4 GB, and one answer for each 200 MB.
    assert!(grown < 120, "{grown} MB more are held");
    drop(silent_ones);
    assert_eq!(server.get("Patient/p").await.status, 200);
}
