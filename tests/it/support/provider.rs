//! A real OpenID provider: `oidc-provider` from npm, in a process of its own.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::browser::tools;

/// The gateway's secret at the provider.
pub(crate) const CLIENT_SECRET: &str = "an-example-secret-of-the-gateway-at-its-provider";

/// A running provider.
pub(crate) struct Provider {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) issuer: String,
}

impl Provider {
    /// A provider that knows these accounts by name, with their claims.
    pub(crate) fn start(accounts: &Value) -> Self {
        let client = json!({ "client_id": "throughline", "client_secret": CLIENT_SECRET });
        Self::run("provider.mjs", &json!({ "client": client, "accounts": accounts }))
    }

    /// A provider that answers wrongly about this account.
    pub(crate) fn hostile(subject: &str) -> Self {
        Self::hostile_about(subject, &json!({}))
    }

    /// The same, which says this about the account.
    pub(crate) fn hostile_about(subject: &str, claims: &Value) -> Self {
        let (id, secret) = ("throughline", CLIENT_SECRET);
        let settings = json!({
            "clientId": id, "clientSecret": secret, "subject": subject, "more": claims
        });
        Self::run("hostile.mjs", &settings)
    }

    fn run(script: &str, settings: &Value) -> Self {
        tools();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser").join(script);
        let mut child = Command::new("node")
            .arg(script)
            .env("PROVIDER", settings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut provider = Self { child, input, lines, issuer: String::new() };
        provider.issuer = provider.after("ISSUER ");
        provider
    }

    /// Says where the gateway is, so that people are sent back there.
    pub(crate) fn serve(&mut self, origin: &str) {
        self.command(&format!("origin {origin}"));
    }

    /// Gives the provider a new signing key, and takes the old one away.
    pub(crate) fn rotate(&mut self) {
        self.command("rotate");
    }

    /// Says what is wrong with the next ID tokens of a hostile one.
    pub(crate) fn case(&mut self, name: &str) {
        self.command(&format!("case {name}"));
    }

    fn command(&mut self, command: &str) {
        writeln!(self.input, "{command}").unwrap();
        self.after(&format!("DONE {command}"));
    }

    fn after(&mut self, start: &str) -> String {
        for line in self.lines.by_ref() {
            if let Some(rest) = line.unwrap().strip_prefix(start) {
                return rest.to_owned();
            }
        }
        unreachable!("the provider ended before it said {start:?}");
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let killed = self.child.kill();
        drop(killed);
        drop(self.child.wait());
    }
}
