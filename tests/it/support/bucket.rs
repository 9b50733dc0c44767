//! A real S3-compatible service: `s3rver` from npm, in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use throughline::config::BucketSettings;

use super::browser::tools;

/// A running service with one bucket, empty.
pub(crate) struct Bucket {
    child: Child,
    endpoint: String,
    folder: TempDir,
}

/// Starts one.
pub(crate) fn start() -> Bucket {
    tools();
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/bucket.mjs");
    let mut child = Command::new("node")
        .arg(script)
        .arg(folder.path().join("objects"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let endpoint = loop {
        let line = lines.next().unwrap().unwrap();
        if let Some(endpoint) = line.strip_prefix("ENDPOINT ") {
            break endpoint.to_owned();
        }
    };
    std::fs::write(folder.path().join("id"), "S3RVER\n").unwrap();
    std::fs::write(folder.path().join("secret"), "S3RVER\n").unwrap();
    Bucket { child, endpoint, folder }
}

impl Bucket {
    /// How it is spoken to.
    pub(crate) fn settings(&self, prefix: &str) -> BucketSettings {
        BucketSettings {
            name: "files".into(),
            region: "us-east-1".into(),
            endpoint: Some(self.endpoint.clone()),
            prefix: prefix.into(),
            access_key_file: self.folder.path().join("id"),
            secret_key_file: self.folder.path().join("secret"),
        }
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
