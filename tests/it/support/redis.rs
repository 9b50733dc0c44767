//! Real redis-servers for one test: their own ports and folders, killed when dropped.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The name by which the Sentinels of a test know the master.
pub(crate) const MASTER: &str = "main";

/// A running redis-server, or one that can be started again on the same port.
pub(crate) struct RedisServer {
    port: u16,
    options: Vec<String>,
    folder: TempDir,
    process: Option<Child>,
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl RedisServer {
    /// Starts one.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts one with options of its own.
    pub(crate) async fn start_with(options: &[&str]) -> Self {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self { port: free_port(), options, folder, process: None };
        assert!(server.start_again().await, "redis-server is missing: tests/run installs it");
        server
    }

    /// Starts it (again), empty, and waits until it answers.
    pub(crate) async fn start_again(&mut self) -> bool {
        let command = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &self.port.to_string(), "--dir"])
            .arg(self.folder.path())
            .args(&self.options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = command else { return false };
        self.process = Some(process);
        self.wait().await;
        true
    }

    /// Starts a Sentinel that watches a master, beside one other that it takes to agree.
    pub(crate) async fn start_sentinel(master: &Self) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let file = folder.path().join("sentinel.conf");
        let settings = format!(
            "port {port}\nbind 127.0.0.1\n\
             sentinel monitor {MASTER} 127.0.0.1 {} 2\n\
             sentinel down-after-milliseconds {MASTER} 500\n\
             sentinel failover-timeout {MASTER} 3000\n",
            master.port
        );
        fs::write(&file, settings).unwrap();
        let command = Command::new("redis-server")
            .arg(&file)
            .arg("--sentinel")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = Some(command.unwrap());
        let sentinel = Self { port, options: Vec::new(), folder, process };
        sentinel.wait().await;
        sentinel
    }

    /// Starts the masters of a Cluster without replicas, which share the slots, and waits until
    /// each knows all of them.
    pub(crate) async fn start_cluster(nodes: u16) -> Vec<Self> {
        let mut cluster = Vec::new();
        for _ in 0..nodes {
            let bus = free_port().to_string();
            let options = ["--cluster-enabled", "yes", "--cluster-port", &bus];
            cluster.push((Self::start_with(&options).await, bus));
        }
        let (first, first_bus) = (cluster[0].0.port.to_string(), cluster[0].1.clone());
        for (number, (node, _)) in (0..nodes).zip(&cluster) {
            let slot = |number: u16| (u32::from(number) * 16_384 / u32::from(nodes)).to_string();
            let last = (slot(number + 1).parse::<u32>().unwrap() - 1).to_string();
            let mut connection = node.connect();
            let ask = |connection: &mut redis::Connection, arguments: &[&str]| {
                redis::cmd("CLUSTER").arg(arguments).exec(connection).unwrap();
            };
            ask(&mut connection, &["ADDSLOTSRANGE", &slot(number), &last]);
            if number > 0 {
                ask(&mut connection, &["MEET", "127.0.0.1", &first, &first_bus]);
            }
        }
        let known = format!("cluster_known_nodes:{nodes}");
        for (node, _) in &cluster {
            node.wait_until(|node| {
                let mut info = redis::cmd("CLUSTER");
                let info: String = info.arg("INFO").query(&mut node.connect()).unwrap();
                info.contains("cluster_state:ok") && info.contains(&known)
            })
            .await;
        }
        cluster.into_iter().map(|(node, _)| node).collect()
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Stops it where it is: its connections stay, and nothing is answered.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The URL of it alone.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A connection of the test.
    pub(crate) fn connect(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// Every name in it, and what is there.
    pub(crate) fn dump(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut connection = self.connect();
        let names: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
        let value = |name: Vec<u8>| {
            // A serialised value is the value with a frame around it, whatever its type; strings
            // may be compressed there, so that they are asked for as such.
            let kind: String = redis::cmd("TYPE").arg(&name).query(&mut connection).unwrap();
            let read = if kind == "string" { "GET" } else { "DUMP" };
            let value = redis::cmd(read).arg(&name).query(&mut connection).unwrap();
            (name, value)
        };
        names.into_iter().map(value).collect()
    }

    /// Waits until something holds of it.
    pub(crate) async fn wait_until(&self, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !holds(self) {
            assert!(Instant::now() < deadline, "redis-server is not as expected in time");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn wait(&self) {
        self.wait_until(Self::answers).await;
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else {
            return false;
        };
        let mut answer = [0; 7];
        // A server that wants a password answers too.
        stream.write_all(b"PING\r\n").and_then(|()| stream.read_exact(&mut answer)).is_ok()
            && [*b"+PONG\r\n", *b"-NOAUTH"].contains(&answer)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
