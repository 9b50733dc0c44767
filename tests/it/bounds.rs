//! What a client cannot do: take for ever, say too much, ask for too much at once, never read.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::Value;

use crate::support::served::Served;

fn connect(served: &Served) -> TcpStream {
    let stream = TcpStream::connect(served.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// The head of a search by form whose body of 100 bytes is to follow.
fn head(token: &str) -> String {
    format!(
        "POST /fhir/Patient/_search HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\n"
    )
}

/// Everything that comes until the connection is closed.
fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A connection that is cut has said what it had to say.
    let _cut = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The status, the issue code and the header fields of an answer that has been read as text.
fn refused(answer: &str) -> (u16, String, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let outcome: Value = serde_json::from_str(body).unwrap();
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    let code = outcome["issue"][0]["code"].as_str().unwrap().to_owned();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), code, head.to_ascii_lowercase())
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let served = Served::start("[server]\nbody_timeout_s = 1\n");
    let token = served.token();
    let mut stream = connect(&served);
    stream.write_all(head(&token).as_bytes()).unwrap();
    let began = Instant::now();
    for _ in 0..8 {
        // A drop now and then: what counts is when the whole is there. The server may have had
        // enough already.
        let _refused = stream.write_all(b"_");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (status, code, _) = refused(&rest(&mut stream));
    assert_eq!((status, code.as_str()), (408, "timeout"));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_and_written_down() {
    let served = Served::start("[server]\nrequest_timeout_s = 1\nbody_timeout_s = 30\n");
    let token = served.token();
    let mut stream = connect(&served);
    stream.write_all(head(&token).as_bytes()).unwrap();
    let began = Instant::now();
    let (status, code, head) = refused(&rest(&mut stream));
    assert_eq!((status, code.as_str()), (503, "transient"), "{head}");
    assert!(head.contains("retry-after") && head.contains("x-request-id"), "{head}");
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(served.get("metadata").send().await.unwrap().status(), 200);
}

/// What is no HTTP is answered before there is a request: with a status, without a body, and the
/// connection ends.
#[tokio::test]
async fn what_is_no_request_is_answered_with_a_bare_status() {
    let served = Served::start("");
    for nonsense in [
        "nonsense\r\n\r\n",
        "GET /fhir/metadata HTTP/9.9\r\n\r\n",
        "GET /fhir/metadata HTTP/1.1\r\nHost: a\r\nno field\r\n\r\n",
        "GET /fhir/metadata HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "POST /fhir/Patient/_search HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ] {
        let mut stream = connect(&served);
        stream.write_all(nonsense.as_bytes()).unwrap();
        let answer = rest(&mut stream);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 "), "{nonsense:?}: {answer}");
        assert!(head.to_ascii_lowercase().contains("connection: close"), "{answer}");
        assert_eq!(body, "", "{nonsense:?}");
    }
    assert_eq!(served.get("metadata").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_head_that_comes_in_drops_is_not_waited_for() {
    let served = Served::start("[server]\nhead_timeout_s = 1\n");
    let began = Instant::now();
    let mut slow: Vec<TcpStream> = (0..50).map(|_| connect(&served)).collect();
    for drop in "GET /fhir/".chars() {
        for stream in &mut slow {
            let _refused = stream.write_all(drop.to_string().as_bytes());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for stream in &mut slow {
        let answer = rest(stream);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(15));
    assert_eq!(served.get("metadata").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_head_that_says_too_much_is_refused() {
    let served = Served::start("[server]\nmax_url_bytes = 256\nmax_header_bytes = 1024\n");
    let request = served.get(&format!("Patient?name={}", "a".repeat(256)));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 414);
    assert!(answer.text().await.unwrap().contains("OperationOutcome"));
    let answer = served.get("metadata").header("X-Long", "a".repeat(1_024)).send().await.unwrap();
    assert_eq!(answer.status(), 431);
    assert!(answer.text().await.unwrap().contains("OperationOutcome"));
    // More than is read at all: the connection ends there.
    let mut stream = connect(&served);
    let start = "GET /fhir/metadata HTTP/1.1\r\nHost: a\r\nX-Long: ";
    let _refused = stream.write_all(start.as_bytes());
    let _refused = stream.write_all("a".repeat(300_000).as_bytes());
    let answer = rest(&mut stream);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer:?}");
    assert_eq!(served.get("metadata").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let served = Served::start("");
    let token = served.token();
    let request = served.client.post(format!("http://{}/fhir/Patient/_search", served.address));
    let request = request.bearer_auth(token).body(format!("name={}", "a".repeat(70_000)));
    let answer =
        request.header("Content-Type", "application/x-www-form-urlencoded").send().await.unwrap();
    assert_eq!(answer.status(), 413);
    let outcome: Value = answer.json().await.unwrap();
    assert_eq!(outcome["issue"][0]["code"], "too-long");
}

#[tokio::test]
async fn of_too_many_requests_at_once_some_are_told_to_come_again() {
    let served = Served::start("[server]\nmax_requests = 2\n");
    let token = served.token();
    let open: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = connect(&served);
            stream.write_all(head(&token).as_bytes()).unwrap();
            stream
        })
        .collect();
    served.metric_becomes("throughline_http_requests_open ", 2.0).await;
    let answer = served.get("metadata").send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["Retry-After"], "1");
    assert!(answer.headers().contains_key("x-request-id"));
    let outcome: Value = answer.json().await.unwrap();
    assert_eq!(outcome["issue"][0]["code"], "transient");
    assert_eq!(served.ask("/readyz").await.0, 200, "operators are not kept out");
    drop(open);
    served.metric_becomes("throughline_http_requests_open ", 0.0).await;
    assert_eq!(served.get("metadata").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off() {
    let served = Served::start("[server]\nunread_timeout_s = 1\n");
    let before = served.metric("process_resident_memory_bytes ").await.unwrap();
    let mut deaf: Vec<TcpStream> = (0..20).map(|_| connect(&served)).collect();
    let ask = "GET /fhir/metadata HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20);
    let began = Instant::now();
    while !deaf.is_empty() {
        deaf.retain_mut(|stream| {
            stream.set_nonblocking(true).unwrap();
            let written = stream.write(ask.as_bytes());
            let length = written.as_ref().copied().unwrap_or_default();
            length > 0 || written.is_err_and(|full| full.kind() == ErrorKind::WouldBlock)
        });
        assert!(began.elapsed() < Duration::from_secs(40), "{} are still there", deaf.len());
        assert_eq!(served.get("metadata").send().await.unwrap().status(), 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    served.metric_becomes("throughline_http_connections_open ", 1.0).await;
    let after = served.metric("process_resident_memory_bytes ").await.unwrap();
    assert!(after - before < 100e6, "{before} became {after} bytes");
}

#[tokio::test]
async fn ten_thousand_connections_leave_room_for_a_request() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let room = limit.maximum.unwrap_or(u64::MAX).saturating_sub(512);
    let most = usize::try_from(room.min(10_000)).unwrap();
    assert!(
        most >= 4_000,
        "the limit of open files is too low for this test: raise it (ulimit -Hn)"
    );
    let served = Served::start("[server]\nhead_timeout_s = 600\nkeep_alive_s = 600\n");
    let before = served.metric("process_resident_memory_bytes ").await.unwrap();
    let mut open = Vec::with_capacity(most);
    for step in 1..=5 {
        while open.len() < most * step / 5 {
            let mut stream = connect(&served);
            // A head that has begun, so that the server has something to keep.
            stream.write_all(b"GET /fhir/metadata HTTP/1.1\r\nHost: a\r\n").unwrap();
            open.push(stream);
        }
        let mut another = connect(&served);
        another.write_all(b"GET /fhir/metadata HTTP/1.1\r\nHost: a\r\n").unwrap();
        assert!(is_answered(another), "with {} connections", open.len());
    }
    let memory = served.metric("process_resident_memory_bytes ").await.unwrap() - before;
    let connections = served.metric("throughline_http_connections_open ").await.unwrap();
    assert!(connections >= f64::from(u32::try_from(most).unwrap()), "{connections}");
    assert!(memory / connections < 40e3, "{memory} bytes more with {connections} connections");
    // The first and the last are still served.
    for stream in [open.swap_remove(0), open.pop().unwrap()] {
        assert!(is_answered(stream));
    }
    drop(open);
    served.metric_becomes("throughline_http_connections_open ", 0.0).await;
}

/// Whether a request whose head has begun is answered, and its connection ended, once the head is whole.
fn is_answered(mut stream: TcpStream) -> bool {
    stream.write_all(b"Connection: close\r\n\r\n").unwrap();
    rest(&mut stream).starts_with("HTTP/1.1 200 ")
}
