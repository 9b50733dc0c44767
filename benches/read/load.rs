//! A load generator in a process of its own, so that its CPU is not the server's.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Connections that ask at the same time, unless more are wanted.
pub(crate) const CONNECTIONS: usize = 16;
/// The argument that makes this program the load generator.
const MARK: &str = "--load";

/// What to ask, for how long.
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    pub(crate) token: String,
    pub(crate) length: Duration,
    pub(crate) connections: usize,
}

/// How a load was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered {
    /// How many requests, with 200.
    pub(crate) count: u64,
    /// What half of them took at most, in microseconds.
    pub(crate) median: u64,
}

impl Load {
    /// Runs it in a child process; answers how many requests were answered with 200.
    pub(crate) fn run(&self) -> u64 {
        self.run_timed().count
    }

    /// Runs it in a child process.
    pub(crate) fn run_timed(&self) -> Answered {
        let output = Command::new(std::env::current_exe().unwrap())
            .args([MARK, &self.address.to_string(), &self.path, &self.token])
            .args([self.length.as_millis().to_string(), self.connections.to_string()])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let mut numbers = said.split_whitespace().map(|number| number.parse().unwrap());
        Answered { count: numbers.next().unwrap(), median: numbers.next().unwrap() }
    }

    /// The load that this process was started for, if it was.
    pub(crate) fn asked_for() -> Option<Self> {
        let mut arguments = std::env::args().skip_while(|argument| argument != MARK).skip(1);
        let address = arguments.next()?.parse().unwrap();
        let (path, token) = (arguments.next()?, arguments.next()?);
        let length = Duration::from_millis(arguments.next()?.parse().unwrap());
        let connections = arguments.next()?.parse().unwrap();
        Some(Self { address, path, token, length, connections })
    }

    /// Makes the requests.
    pub(crate) fn make(&self) -> Answered {
        let deadline = Instant::now() + self.length;
        let mut times: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections)
                .map(|_| scope.spawn(|| self.connection(deadline).unwrap()))
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        times.sort_unstable();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        Answered { count: u64::try_from(times.len()).unwrap(), median }
    }

    /// Asks once; answers the body.
    pub(crate) fn fetch(&self) -> io::Result<Vec<u8>> {
        let mut connection = self.connect()?;
        connection.ask()?;
        Ok(connection.body)
    }

    /// What each request of a connection took, in microseconds.
    fn connection(&self, deadline: Instant) -> io::Result<Vec<u64>> {
        let mut connection = self.connect()?;
        let mut times = Vec::new();
        let mut began = Instant::now();
        while began < deadline {
            connection.ask()?;
            let ended = Instant::now();
            let took = ended.duration_since(began);
            times.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            began = ended;
        }
        Ok(times)
    }

    fn connect(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        let reader = BufReader::with_capacity(64 * 1024, stream.try_clone()?);
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\r\n",
            self.path, self.token
        );
        Ok(Connection { stream, reader, request, line: String::new(), body: Vec::new() })
    }
}

/// A connection that stays open, and the last answer's body.
struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    request: String,
    line: String,
    body: Vec<u8>,
}

impl Connection {
    fn ask(&mut self) -> io::Result<()> {
        let Self { stream, reader, request, line, body } = self;
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
