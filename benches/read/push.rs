//! How long a record takes from being sent until it can be read, at a hundred records a second.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{digest, hmac};
use serde_json::Value;
use throughline::config::Sources;
use throughline::exchange::synth::{self, Order};

use crate::http::{Case, judge, mint, open, serve};
use crate::practice;

/// Records in a delivery, and the time from one delivery to the next.
const EACH: usize = 10;
const PERIOD: Duration = Duration::from_millis(100);
/// How many deliveries there are: half a minute's.
const DELIVERIES: usize = 300;
/// Within which a record has to be readable.
const SOON: Duration = Duration::from_secs(1);
/// Senders that take turns, so that a slow answer does not hold the next delivery up.
const SENDERS: usize = 4;
const SECRET: &str = "a-secret-of-the-benchmark-that-is-long-enough-1";
/// Kinds of records, each of which always makes one resource with the record's identifier.
const FOUND_AS: [(&str, &str); 1] = [("client", "Patient")];

/// Measures and reports.
pub(crate) fn run(out: &mut impl Write) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let secret = folder.path().join("secret");
    std::fs::write(&secret, SECRET)?;
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600))?;
    let tenant = practice::tenant().to_string();
    let sources = Sources::of_one_sender("app", &tenant, secret);
    let app = open(folder.path(), &Case::pushed_to(sources));
    let token = mint(&app);
    let address = serve(app);
    let mut records = Vec::new();
    synth::write(&Order { clients: 60, seed: 3, tenant }, &mut records)?;
    let lines: Vec<&[u8]> = records.split_inclusive(|byte| *byte == b'\n').collect();
    let deliveries: Vec<&[&[u8]]> = lines.chunks(EACH).take(DELIVERIES).collect();
    assert_eq!(deliveries.len(), DELIVERIES, "there are enough records");
    let began = Instant::now();
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let mine = deliveries.iter().enumerate().skip(sender).step_by(SENDERS);
                let token = &token;
                scope.spawn(move || {
                    let mut connection = Connection::open(address).unwrap();
                    mine.map(|(number, lines)| {
                        wait_until(began + PERIOD * u32::try_from(number).unwrap());
                        let sent = Instant::now();
                        connection.push(number, &lines.concat()).unwrap();
                        connection.find(token, lines).unwrap();
                        sent.elapsed()
                    })
                    .collect::<Vec<_>>()
                })
            })
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    let rate = f64::from(u32::try_from(DELIVERIES * EACH).unwrap()) / began.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    writeln!(
        out,
        "{rate:.0} records a second, readable after {:.0?} (p50), {:.0?} (p99); may be {SOON:?}",
        at(50),
        at(99)
    )?;
    judge(at(99) > SOON)
}

fn wait_until(when: Instant) {
    while let Some(left) = when.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
}

/// A connection that stays open.
struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Connection {
    fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let reader = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, reader })
    }

    /// Sends a delivery, again where it is told to wait.
    #[expect(clippy::disallowed_methods, reason = "a platform has a clock of its own")]
    fn push(&mut self, number: usize, body: &[u8]) -> io::Result<()> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let hash = hex::encode(digest::digest(&digest::SHA256, body).as_ref());
        let signed = format!(
            "throughline-v1\nPOST\n/platform/records\napp\n{since}\nd-{number}\nidentity\n{hash}"
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let signature = hex::encode(hmac::sign(&key, signed.as_bytes()).as_ref());
        let mut request = format!(
            "POST /platform/records HTTP/1.1\r\nhost: bench\r\ncontent-length: {}\r\n\
             content-type: application/x-ndjson\r\nthroughline-source: app\r\n\
             throughline-timestamp: {since}\r\nthroughline-delivery: d-{number}\r\n\
             throughline-content-sha256: {hash}\r\nthroughline-signature: v1={signature}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        loop {
            let (status, answer) = self.ask(&request)?;
            match status {
                200 | 207 => return Ok(()),
                429 => thread::park_timeout(Duration::from_millis(20)),
                _ => panic!("{status} {}", String::from_utf8_lossy(&answer)),
            }
        }
    }

    /// Finds what was made of the records, as far as they have an identifier of their own.
    fn find(&mut self, token: &str, lines: &[&[u8]]) -> io::Result<()> {
        for line in lines {
            let record: Value = serde_json::from_slice(line).unwrap();
            let Some((_, name)) = FOUND_AS.iter().find(|(kind, _)| record["kind"] == **kind) else {
                continue;
            };
            let request = format!(
                "GET /fhir/{name}?identifier={} HTTP/1.1\r\nhost: bench\r\n\
                 authorization: Bearer {token}\r\n\r\n",
                record["id"].as_str().unwrap()
            );
            let (status, answer) = self.ask(request.as_bytes())?;
            let found = String::from_utf8_lossy(&answer).contains("\"mode\":\"match\"");
            assert!(status == 200 && found, "{status}: what is acknowledged is readable");
        }
        Ok(())
    }

    fn ask(&mut self, request: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        self.stream.write_all(request)?;
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut length = 0;
        while line != "\r\n" {
            line.clear();
            self.reader.read_line(&mut line)?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok((status, body))
    }
}
