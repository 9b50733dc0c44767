//! The other side: a reference platform that signs its pushes as `docs/platform.md` says, without
//! any code of the product.

pub(crate) mod pages;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::{digest, hmac};
use flate2::Compression;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use super::server::{Answer, Server};

/// The text of the secret that [`secret`] writes.
pub(crate) const SECRET: &str = "an-example-secret-of-the-reference-platform-0001";

/// Writes a secret, as an operator would be given one, into a folder.
pub(crate) fn secret(folder: &Path, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    std::fs::write(&path, format!("{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// A push that is not sent yet; each field can be made wrong.
#[derive(Clone)]
pub(crate) struct Push {
    pub(crate) secret: String,
    pub(crate) source: String,
    pub(crate) timestamp: i64,
    pub(crate) delivery: String,
    pub(crate) coding: &'static str,
    pub(crate) method: &'static str,
    /// Where it is sent to.
    pub(crate) target: &'static str,
    pub(crate) body: Vec<u8>,
}

impl Push {
    /// Records of the source `app`, one a line, in a delivery of their own.
    pub(crate) fn of(records: &[Value]) -> Self {
        Self::text(ndjson(records))
    }

    /// Any body.
    pub(crate) fn text(body: impl Into<Vec<u8>>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self {
            secret: SECRET.into(),
            source: "app".into(),
            timestamp: now(),
            delivery: format!("d-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
            coding: "identity",
            method: "POST",
            target: "/platform/records",
            body: body.into(),
        }
    }

    /// The context of a launch, signed in the same way.
    pub(crate) fn launch(context: &Value) -> Self {
        Self { target: "/auth/launch", ..Self::text(context.to_string()) }
    }

    /// The same, compressed.
    pub(crate) fn gzip(mut self) -> Self {
        use std::io::Write as _;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&self.body).unwrap();
        self.body = packed.finish().unwrap();
        self.coding = "gzip";
        self
    }

    /// The header fields of the request.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        let hash = hex(digest::digest(&digest::SHA256, &self.body).as_ref());
        let lines = format!(
            "throughline-v1\n{}\n{}\n{}\n{}\n{}\n{}\n{hash}",
            self.method, self.target, self.source, self.timestamp, self.delivery, self.coding
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
        let tag = hex(hmac::sign(&key, lines.as_bytes()).as_ref());
        let mut headers = vec![
            ("content-type", self.media().to_owned()),
            ("throughline-source", self.source.clone()),
            ("throughline-timestamp", self.timestamp.to_string()),
            ("throughline-delivery", self.delivery.clone()),
            ("throughline-content-sha256", hash),
            ("throughline-signature", format!("v1={tag}")),
        ];
        if self.coding != "identity" {
            headers.push(("content-encoding", self.coding.to_owned()));
        }
        headers
    }

    fn media(&self) -> &'static str {
        if self.target == "/auth/launch" || self.target.starts_with("/platform/requests") {
            "application/json"
        } else {
            "application/x-ndjson"
        }
    }

    /// The request.
    pub(crate) fn request(&self, client: &Client, url: &str) -> RequestBuilder {
        let request = client.post(url).body(self.body.clone());
        self.headers()
            .into_iter()
            .fold(request, |request, (name, value)| request.header(name, value))
    }

    /// Sends it.
    pub(crate) async fn send(&self, server: &Server) -> Answer {
        let url = server.push_url().replace("/platform/records", self.target);
        server.send(self.request(&server.client, &url)).await
    }
}

/// Records, one a line.
pub(crate) fn ndjson<'a>(records: impl IntoIterator<Item = &'a Value>) -> String {
    records.into_iter().flat_map(|record| [record.to_string(), "\n".to_owned()]).collect()
}

/// The seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a platform has a clock of its own")]
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().cast_signed()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
