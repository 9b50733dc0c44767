//! A load generator in a process of its own, so that its CPU is not the server's.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::practice;

/// Connections that ask at the same time.
const CONNECTIONS: usize = 16;
/// The argument that makes this program the load generator.
const MARK: &str = "--load";

/// What to ask, for how long.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    /// The path; `{encounter}` stands for an Encounter's id and `{patient}` for its patient's, each
    /// time another's.
    pub(crate) path: String,
    pub(crate) token: String,
    pub(crate) length: Duration,
    /// Of so many Encounters.
    pub(crate) among: usize,
}

impl Load {
    /// Runs it in a child process; answers how many requests were answered with 200.
    pub(crate) fn run(&self) -> u64 {
        let output = Command::new(std::env::current_exe().unwrap())
            .args([MARK, &self.address.to_string(), &self.path, &self.token])
            .args([self.length.as_millis().to_string(), self.among.to_string()])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }

    /// The load that this process was started for, if it was.
    pub(crate) fn asked_for() -> Option<Self> {
        let mut arguments = std::env::args().skip_while(|argument| argument != MARK).skip(1);
        let address = arguments.next()?.parse().unwrap();
        let (path, token) = (arguments.next()?, arguments.next()?);
        let length = Duration::from_millis(arguments.next()?.parse().unwrap());
        let among = arguments.next()?.parse().unwrap();
        Some(Self { address, path, token, length, among })
    }

    /// Makes the requests; answers their number.
    pub(crate) fn make(&self) -> u64 {
        let deadline = Instant::now() + self.length;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..CONNECTIONS)
                .map(|_| scope.spawn(|| self.connection(deadline).unwrap()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        })
    }

    /// Asks once; answers the body.
    pub(crate) fn fetch(&self) -> io::Result<Vec<u8>> {
        let mut connection = self.connect()?;
        connection.ask(&self.request(0))?;
        Ok(connection.body)
    }

    fn connection(&self, deadline: Instant) -> io::Result<u64> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let mut connection = self.connect()?;
        let (is_same, mut request) = (!self.path.contains('{'), self.request(0));
        let mut answered = 0;
        while Instant::now() < deadline {
            if !is_same {
                request = self.request(NEXT.fetch_add(1, Ordering::Relaxed));
            }
            connection.ask(&request)?;
            answered += 1;
        }
        Ok(answered)
    }

    fn connect(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        let reader = BufReader::with_capacity(64 * 1024, stream.try_clone()?);
        Ok(Connection { stream, reader, line: String::new(), body: Vec::new() })
    }

    /// The request with this number.
    fn request(&self, number: usize) -> String {
        let path = if self.path.contains('{') {
            let number = practice::spread(number, self.among);
            self.path
                .replace("{encounter}", practice::id(number).as_str())
                .replace("{patient}", practice::patient(number).as_str())
        } else {
            self.path.clone()
        };
        let token = &self.token;
        format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n")
    }
}

/// A connection that stays open, and the last answer's body.
struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
}

impl Connection {
    fn ask(&mut self, request: &str) -> io::Result<()> {
        let Self { stream, reader, line, body } = self;
        stream.write_all(request.as_bytes())?;
        line.clear();
        reader.read_line(line)?;
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        let mut length = 0;
        while line != "\r\n" {
            line.clear();
            reader.read_line(line)?;
            let field = line.to_ascii_lowercase();
            if let Some(value) = field.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        body.resize(length, 0);
        reader.read_exact(body)
    }
}
