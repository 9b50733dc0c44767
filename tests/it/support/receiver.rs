//! A receiver of transfers: Medplum's FHIR server in a process of its own, and a way to it that cuts
//! connections.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A running FHIR server that is not ours, without anything in it.
pub(crate) struct Receiver {
    child: Child,
    pub(crate) base: String,
    client: Client,
}

/// Starts one.
pub(crate) fn start() -> Receiver {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package = root.join(".tools/node_modules/@medplum/fhir-router");
    assert!(package.exists(), "@medplum/fhir-router is not installed: tests/run does it");
    let mut child = Command::new("node")
        .arg(root.join("tests/clients/fhir-server.mjs"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let base = loop {
        let line = lines.next().unwrap().unwrap();
        if let Some(base) = line.strip_prefix("BASE ") {
            break base.to_owned();
        }
    };
    // Nobody reads on, and it is not to stop for that.
    std::thread::spawn(move || lines.for_each(drop));
    // A connection that it has closed meanwhile is not used again.
    let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    Receiver { child, base, client }
}

impl Receiver {
    /// The resources of a type.
    pub(crate) async fn all(&self, resource_type: &str) -> Vec<Value> {
        let url = format!("{}/{resource_type}?_count=1000", self.base);
        let answer = self.client.get(url).send().await.unwrap();
        let bundle: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(bundle["type"], "searchset", "{bundle}");
        let entries = bundle["entry"].as_array().into_iter().flatten();
        entries.map(|entry| entry["resource"].clone()).collect()
    }

    /// Puts a resource there.
    pub(crate) async fn put(&self, resource: &Value) -> Value {
        let url = format!("{}/{}", self.base, resource["resourceType"].as_str().unwrap());
        let request = self.client.post(url).header("content-type", "application/fhir+json");
        let answer = request.body(resource.to_string()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 201);
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// Sends a resource there, or asks for one; answers the status and what came.
    pub(crate) async fn send(&self, method: &str, path: &str, resource: &Value) -> (u16, Value) {
        let url = format!("{}/{path}", self.base);
        let request = self.client.request(method.parse().unwrap(), url);
        let request = request.header("content-type", "application/fhir+json");
        let body = if resource.is_null() { String::new() } else { resource.to_string() };
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What happens to a request that would create something.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The connection is cut before anything is read.
    BeforeHeaders,
    /// It is cut in the middle of the request's body.
    InBody,
    /// All of it gets there, and the connection is cut before the answer.
    BeforeAnswer,
    /// It is cut in the middle of the answer.
    InAnswer,
    /// The server is busy, for so many seconds.
    Busy(u32),
    /// It takes the server so many seconds.
    Slow(u64),
    /// This is answered, and nothing gets there.
    Answers(u16, &'static str),
}

/// What was asked: method and path, and the body.
pub(crate) type Seen = (String, String);

/// A way to a receiver.
pub(crate) struct Way {
    pub(crate) base: String,
    pub(crate) faults: Arc<Mutex<VecDeque<Fault>>>,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    /// While somebody holds it, what is looked up there is not answered.
    pub(crate) gate: Arc<tokio::sync::Mutex<()>>,
}

impl Way {
    /// A way to a server, or to nowhere, with these faults in turn.
    pub(crate) async fn to(target: &str, faults: impl IntoIterator<Item = Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/fhir", listener.local_addr().unwrap());
        let faults = Arc::new(Mutex::new(faults.into_iter().collect::<VecDeque<_>>()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (turn, noted) = (Arc::clone(&faults), Arc::clone(&seen));
        let gate = Arc::new(tokio::sync::Mutex::new(()));
        let held = Arc::clone(&gate);
        let target = target.trim_end_matches("/fhir").to_owned();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (turn, noted) = (Arc::clone(&turn), Arc::clone(&noted));
                let (target, held) = (target.clone(), Arc::clone(&held));
                tokio::spawn(async move { pass(stream, &target, (&turn, &held), &noted).await });
            }
        });
        Self { base, faults, seen, gate }
    }

    /// How many requests of that method and path were read whole.
    pub(crate) fn count(&self, start: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|(line, _)| line.starts_with(start)).count()
    }
}

/// A request, as far as it was read.
struct Request {
    /// Method and path.
    line: String,
    fields: Vec<(String, String)>,
    /// How many bytes its head has.
    head: usize,
    read: Vec<u8>,
}

impl Request {
    /// Reads a request's head.
    async fn begin(stream: &mut TcpStream) -> Option<Self> {
        let mut read = Vec::new();
        let head = loop {
            more(stream, &mut read).await?;
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = String::from_utf8_lossy(&read[..head]).into_owned();
        let mut lines = text.lines();
        let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
        let fields = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Self { line, fields, head, read })
    }

    fn length(&self) -> usize {
        let length = self.fields.iter().find(|(name, _)| name == "content-length");
        length.map_or(0, |(_, length)| length.parse().unwrap())
    }

    fn body(&self) -> &[u8] {
        &self.read[self.head..]
    }

    /// Asks the server.
    async fn pass_on(&self, target: &str) -> Option<(u16, Vec<u8>)> {
        let (method, path) = self.line.split_once(' ')?;
        let client = Client::builder().no_proxy().build().unwrap();
        let request = client.request(method.parse().unwrap(), format!("{target}{path}"));
        let mut request = request.body(self.body().to_vec());
        for (name, value) in &self.fields {
            if ["content-type", "if-none-exist", "accept"].contains(&name.as_str()) {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.ok()?;
        Some((answer.status().as_u16(), answer.bytes().await.ok()?.to_vec()))
    }
}

/// Reads on; nothing at the end.
async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4096];
    let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
    read.extend_from_slice(&chunk[..count]);
    Some(())
}

/// Passes one request on, or not.
async fn pass(
    mut stream: TcpStream,
    target: &str,
    (faults, gate): (&Mutex<VecDeque<Fault>>, &tokio::sync::Mutex<()>),
    seen: &Mutex<Vec<Seen>>,
) -> Option<()> {
    let mut request = Request::begin(&mut stream).await?;
    let creates = request.line.starts_with("POST") && !request.line.contains("$match");
    let fault = if creates { faults.lock().unwrap().pop_front() } else { None };
    let wanted = match fault {
        Some(Fault::BeforeHeaders) => return None,
        Some(Fault::InBody) => request.length() / 2,
        _ => request.length(),
    };
    while request.body().len() < wanted {
        more(&mut stream, &mut request.read).await?;
    }
    if matches!(fault, Some(Fault::InBody)) {
        return None;
    }
    let body = String::from_utf8_lossy(request.body()).into_owned();
    seen.lock().unwrap().push((request.line.clone(), body));
    if !creates {
        drop(gate.lock().await);
    }
    let mut pause = String::new();
    let (status, body) = match &fault {
        Some(Fault::Busy(seconds)) => {
            pause = format!("retry-after: {seconds}\r\n");
            (429, Vec::new())
        }
        Some(Fault::Answers(status, text)) => (*status, text.as_bytes().to_vec()),
        Some(Fault::Slow(seconds)) => {
            tokio::time::sleep(Duration::from_secs(*seconds)).await;
            request.pass_on(target).await?
        }
        _ => request.pass_on(target).await?,
    };
    if matches!(fault, Some(Fault::BeforeAnswer)) {
        return None;
    }
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/fhir+json\r\ncontent-length: {}\r\n\
         connection: close\r\n{pause}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    let part = if matches!(fault, Some(Fault::InAnswer)) { body.len() / 2 } else { body.len() };
    stream.write_all(&body[..part]).await.ok()?;
    stream.shutdown().await.ok()
}
