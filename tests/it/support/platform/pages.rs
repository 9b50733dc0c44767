//! The reference platform as one that is asked for pages, and that misbehaves where a test wants it
//! to. It speaks HTTP by hand, since a well-made server could not.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use flate2::Compression;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::{SECRET, hex, ndjson};

/// How the platform answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Well,
    Gzip,
    Array,
    /// A page of HTML with status 200, as from a proxy.
    Html,
    /// The right form, and lines that are no records.
    Garbage,
    Status(u16),
    RetryAfter(u64),
    /// Never.
    Silent,
    /// The first half of the body.
    Cut,
    /// The first half of the body, and no length.
    NoLength,
    /// The cursor that was asked for, with records.
    SameCursor,
    /// Cursors that go round in a circle.
    Circle,
    NoCursor,
    /// More than is taken, unless one record is asked for.
    Huge,
    Redirect,
    /// 410 for any cursor but none.
    Forgetful,
}

/// A request, as the platform saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(field, _)| field == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// Whether it is signed as `docs/platform.md` says.
    pub(crate) fn is_signed(&self) -> bool {
        let nothing = hex(digest::digest(&digest::SHA256, b"").as_ref());
        let lines = format!(
            "throughline-v1\nGET\n{}\n{}\n{}\n{}\nidentity\n{nothing}",
            self.target,
            self.header("throughline-source"),
            self.header("throughline-timestamp"),
            self.header("throughline-delivery"),
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let tag = hex(hmac::sign(&key, lines.as_bytes()).as_ref());
        self.header("throughline-signature") == format!("v1={tag}")
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let url = url::Url::parse(&format!("http://x{}", self.target)).unwrap();
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

struct State {
    records: Vec<Value>,
    manner: Manner,
    seen: Vec<Seen>,
}

/// A running platform; its cursor is the number of records that were read.
pub(crate) struct Pages {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Pages {
    pub(crate) async fn start(records: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/records", listener.local_addr().unwrap());
        let state = State { records, manner: Manner::Well, seen: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let serving = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&serving)));
            }
        });
        Self { url, state, task }
    }

    pub(crate) fn behave(&self, manner: Manner) {
        self.state.lock().unwrap().manner = manner;
    }

    pub(crate) fn add(&self, record: Value) {
        self.state.lock().unwrap().records.push(record);
    }

    /// The requests since this was last asked.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    while let Some(seen) = request(&mut stream).await {
        let (records, manner) = {
            let mut state = state.lock().unwrap();
            state.seen.push(seen.clone());
            (state.records.clone(), state.manner)
        };
        if manner == Manner::Silent {
            tokio::time::sleep(Duration::from_mins(10)).await;
        }
        let (bytes, closes) = page(&seen, &records, manner);
        if stream.write_all(&bytes).await.is_err() || closes {
            return;
        }
    }
}

async fn request(stream: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut first = String::new();
    stream.read_line(&mut first).await.ok().filter(|length| *length > 0)?;
    let mut seen = Seen { target: first.split(' ').nth(1)?.to_owned(), headers: Vec::new() };
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
        let Some((name, value)) = line.trim().split_once(": ") else { return Some(seen) };
        seen.headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
}

/// The bytes of an answer, and whether the connection is closed after them.
fn page(seen: &Seen, records: &[Value], manner: Manner) -> (Vec<u8>, bool) {
    let cursor = seen.parameter("cursor");
    let from: usize = cursor.as_ref().map_or(0, |cursor| cursor.parse().unwrap());
    let limit: usize = seen.parameter("limit").unwrap().parse().unwrap();
    let some: Vec<&Value> = records.iter().skip(from).take(limit).collect();
    let mut next = (from + some.len()).to_string();
    let mut body = ndjson(some.iter().copied()).into_bytes();
    let mut status = "200 OK".to_owned();
    let mut media = "application/x-ndjson; charset=utf-8";
    let mut more = String::new();
    match manner {
        Manner::Gzip => {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(&body).unwrap();
            body = packed.finish().unwrap();
            more = "content-encoding: gzip\r\n".into();
        }
        Manner::Array => {
            body = serde_json::to_vec(&some).unwrap();
            media = "application/json";
        }
        Manner::Html => {
            body = b"<html>we will be back</html>".to_vec();
            media = "text/html";
        }
        Manner::Garbage => body = b"{\"broken\": \nnot json\n\xff\xfe\n".to_vec(),
        Manner::Status(code) => status = format!("{code} Nope"),
        Manner::RetryAfter(seconds) => {
            status = "503 Busy".into();
            more = format!("retry-after: {seconds}\r\n");
        }
        Manner::SameCursor => {
            body = ndjson(records).into_bytes();
            next = cursor.unwrap_or_else(|| "0".to_owned());
        }
        Manner::Circle => {
            body = ndjson(records).into_bytes();
            next = ((from + 1) % 3).to_string();
        }
        Manner::Huge if limit > 1 => body = vec![b' '; 33 * 1024 * 1024],
        Manner::Redirect => {
            status = "302 Found".into();
            more = "location: http://127.0.0.1:1/elsewhere\r\n".into();
        }
        Manner::Forgetful if cursor.is_some() => status = "410 Gone".into(),
        _ => {}
    }
    if manner != Manner::NoCursor {
        more += &["throughline-next-cursor: ", &next, "\r\n"].concat();
    }
    if manner != Manner::NoLength {
        more += &["content-length: ", &body.len().to_string(), "\r\n"].concat();
    }
    let mut bytes =
        format!("HTTP/1.1 {status}\r\ncontent-type: {media}\r\n{more}\r\n").into_bytes();
    let half = matches!(manner, Manner::Cut | Manner::NoLength);
    bytes.extend_from_slice(if half { &body[..body.len() / 2] } else { &body });
    (bytes, half)
}
