//! `throughline serve` as a process of its own, by a settings file of its own.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use reqwest::header::CONNECTION;
use reqwest::{Client, RequestBuilder, Response};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::postgres;

/// A running server.
pub(crate) struct Served {
    pub(crate) folder: TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) admin: String,
    pub(crate) client: Client,
    /// What it says that the base is.
    pub(crate) base: String,
    pub(crate) child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    errors: Option<ChildStderr>,
}

/// The command `throughline` with the settings of a folder.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
    command.args(arguments).current_dir(folder).args(["--config", "throughline.toml"]);
    command.stdin(Stdio::null());
    if let Some(url) = postgres::of_folder(&folder.join("data")) {
        command.env("THROUGHLINE_DATABASE_URL", url);
    }
    command
}

/// A folder with settings: ports that are free, the maps of the repository, and what is given.
pub(crate) fn settled(settings: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mappings = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let mut text =
        format!("mappings = {:?}\ndata = 'data'\n{settings}", mappings.display().to_string());
    for section in ["server", "admin"] {
        let header = format!("[{section}]\n");
        let with_port = format!("[{section}]\nlisten = '127.0.0.1:0'\n");
        let has_address = text.split(&header).nth(1).is_some_and(|rest| rest.starts_with("listen"));
        match text.contains(&header) {
            _ if has_address => {}
            true => text = text.replace(&header, &with_port),
            false => text.push_str(&with_port),
        }
    }
    fs::write(folder.path().join("throughline.toml"), text).unwrap();
    folder
}

impl Served {
    /// Starts a server with these settings.
    pub(crate) fn start(settings: &str) -> Self {
        let folder = settled(settings);
        let command = command(folder.path(), &["serve"]);
        Self::run(folder, command)
    }

    /// Starts a server by a command that runs in a folder.
    pub(crate) fn run(folder: TempDir, mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut errors = child.stderr.take();
        let mut said = |start: &str| {
            let line = lines.next().map(Result::unwrap).unwrap_or_default();
            let rest = line.strip_prefix(start).map(str::to_owned);
            rest.unwrap_or_else(|| {
                let mut why = String::new();
                errors.take().unwrap().read_to_string(&mut why).unwrap();
                unreachable!("{start}… was expected, not {line:?}: {why}")
            })
        };
        let base = said("serving ");
        let address = said("listening on ").parse().unwrap();
        let admin = said("health and metrics on ");
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        Self { folder, address, admin, client, base, child, lines, errors }
    }

    /// A bearer token that reads and searches everything.
    pub(crate) fn token(&self) -> String {
        let output = command(self.folder.path(), &["token"]).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A request to the FHIR API without a token, over plain HTTP.
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://{}/fhir/{path}", self.address))
    }

    /// What the admin server answers: the status and the text.
    pub(crate) async fn ask(&self, path: &str) -> (u16, String) {
        // A connection of its own: one that was left idle may end while it is used again.
        let request = self.client.get(format!("{}{path}", self.admin)).header(CONNECTION, "close");
        let answer: Response = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The value of a metric's only line that begins so.
    pub(crate) async fn metric(&self, start: &str) -> Option<f64> {
        let (_, text) = self.ask("/metrics").await;
        let line = text.lines().find(|line| line.starts_with(start))?.to_owned();
        line.rsplit(' ').next()?.parse().ok()
    }

    /// Waits until a metric has a value, and fails if it does not come to have it.
    pub(crate) async fn metric_becomes(&self, start: &str, expected: f64) {
        let began = Instant::now();
        loop {
            let found = self.metric(start).await;
            if found.is_some_and(|found| (found - expected).abs() < 1e-9) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(15), "{start} is {found:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends the process a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(process, signal).unwrap();
    }

    /// Waits for the end of the process, and gives its status and what it said on both ends.
    pub(crate) async fn ended(&mut self) -> (ExitStatus, String, String) {
        let began = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
            assert!(began.elapsed() < Duration::from_mins(1), "the server does not end");
        };
        let out: Vec<String> = self.lines.by_ref().map(Result::unwrap).collect();
        let mut err = String::new();
        self.errors.take().unwrap().read_to_string(&mut err).unwrap();
        (status, out.join("\n"), err)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // One that has ended is gone already.
        let killed = self.child.kill();
        drop(killed);
        let ended = self.child.wait();
        drop(ended);
    }
}
