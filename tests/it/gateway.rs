//! A whole gateway for a test: the command ingests into a folder of its own, and the app serves it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tempfile::TempDir;
use throughline::app::{App, Config};
use throughline::auth::Grant;
use throughline::clock::SystemClock;
use throughline::config::{CacheSettings, LimitSettings};
use tokio::sync::oneshot;

use crate::expectation::Entry;

/// A gateway with nothing in it yet.
pub(crate) struct Gateway {
    data: TempDir,
}

/// What an ingest said.
pub(crate) struct Report {
    /// How many records were taken in.
    pub(crate) taken: u64,
    /// The codes of the warnings, sorted, each once.
    pub(crate) warnings: Vec<String>,
    /// Standard output, standard error and log.
    pub(crate) output: String,
}

impl Gateway {
    pub(crate) fn new() -> Self {
        Self { data: tempfile::tempdir().unwrap() }
    }

    /// How many bytes the data folder has.
    pub(crate) fn size(&self) -> u64 {
        let entries = std::fs::read_dir(self.data.path()).unwrap();
        entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }

    /// The data folder.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// Runs `throughline` on this gateway's data, with the most talkative log.
    pub(crate) fn run(&self, arguments: &[&str]) -> (String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_throughline"))
            .args(arguments)
            .arg("--data")
            .arg(self.data.path())
            .arg("--mappings")
            .arg(mappings())
            .env("THROUGHLINE_LOG", "trace")
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let err = text(output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments:?}: {err}");
        (text(output.stdout), err)
    }

    /// Takes in files.
    pub(crate) fn ingest(&self, paths: &[PathBuf]) -> Report {
        let mut arguments = vec!["ingest", "--json"];
        arguments.extend(paths.iter().map(|path| path.to_str().unwrap()));
        let (out, err) = self.run(&arguments);
        let summary: Value = serde_json::from_str(&out).unwrap();
        let found = summary["warnings"].as_array().unwrap().iter();
        let mut warnings: Vec<String> =
            found.map(|warning| warning["reason"].as_str().unwrap().to_owned()).collect();
        warnings.sort();
        warnings.dedup();
        let outcomes = summary["records"].as_object().unwrap().values();
        let count = |o: &Value, name: &str| o[name].as_u64().unwrap();
        let taken =
            outcomes.map(|o| count(o, "stored") + count(o, "unchanged") + count(o, "older"));
        Report { taken: taken.sum(), warnings, output: out + &err }
    }

    /// What is in quarantine, oldest first.
    pub(crate) fn quarantine(&self) -> Vec<Entry> {
        let (out, _) = self.run(&["quarantine", "list", "--json"]);
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Serves what is there, until the result is dropped.
    pub(crate) fn serve(&self) -> Served {
        self.serve_with(CacheSettings::default(), LimitSettings::default())
    }

    /// Serves what is there with caches and limits of its own.
    pub(crate) fn serve_with(&self, cache: CacheSettings, limits: LimitSettings) -> Served {
        let data = self.data.path().to_owned();
        let config = Config { data, mappings: mappings(), cache, limits, ..Config::default() };
        let app = Arc::new(App::open(&config, Arc::new(SystemClock)).unwrap());
        let grant = Grant {
            tenant: "hv".parse().unwrap(),
            subject: "test".to_owned(),
            scopes: vec!["system/*.rs".to_owned(), "system/AuditEvent.rs".to_owned()],
            lifetime: Duration::from_mins(10),
        };
        let token = app.tokens().mint(&grant).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = App::base(&listener).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = Arc::clone(&app);
        let server = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let stopped = async { drop(stopped.await) };
            runtime.unwrap().block_on(serving.serve(listener, stopped)).unwrap();
        });
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Served { app, base, token, client, stop: Some(stop), server: Some(server) }
    }
}

fn mappings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings")
}

/// A gateway that answers requests.
pub(crate) struct Served {
    app: Arc<App>,
    pub(crate) base: String,
    pub(crate) token: String,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl Served {
    /// One request with the token; the status, the headers and the body.
    pub(crate) async fn request(&self, url: &str) -> (u16, String, String) {
        let request = self.client.get(url).bearer_auth(&self.token);
        let response = request.send().await.unwrap();
        let headers = format!("{:?}", response.headers());
        (response.status().as_u16(), headers, response.text().await.unwrap())
    }

    /// Everything that is counted, as metrics are written.
    pub(crate) fn metrics(&self) -> String {
        let (mut registry, mut text) = (Registry::default(), String::new());
        self.app.register(&mut registry);
        encode(&mut text, &registry).unwrap();
        text
    }

    /// One JSON body, which has to be there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let url = format!("{}/{path}", self.base);
        let (status, _, body) = self.request(&url).await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Every resource of a type, by following the pages.
    pub(crate) async fn all(&self, resource_type: &str) -> Vec<Value> {
        let mut url = Some(format!("{}/{resource_type}?_count=100", self.base));
        let mut resources = Vec::new();
        while let Some(page) = url {
            let (status, _, body) = self.request(&page).await;
            assert_eq!(status, 200, "{page}: {body}");
            let bundle: Value = serde_json::from_str(&body).unwrap();
            let entries = bundle["entry"].as_array().into_iter().flatten();
            resources.extend(entries.map(|entry| entry["resource"].clone()));
            let links = bundle["link"].as_array().into_iter().flatten();
            let mut next = links.filter(|link| link["relation"] == "next");
            url = next.next().map(|link| link["url"].as_str().unwrap().to_owned());
        }
        resources
    }

    /// Every line of an export of everything, and its manifest.
    pub(crate) async fn export(&self) -> String {
        let get = |url: String| self.client.get(url).bearer_auth(&self.token);
        let begun = get(format!("{}/$export", self.base)).header("Prefer", "respond-async");
        let begun = begun.send().await.unwrap();
        assert_eq!(begun.status().as_u16(), 202);
        let url = begun.headers()["content-location"].to_str().unwrap().to_owned();
        let manifest = loop {
            let (status, _, body) = self.request(&url).await;
            if status == 200 {
                break body;
            }
            assert_eq!(status, 202, "{body}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let listed: Value = serde_json::from_str(&manifest).unwrap();
        let mut all = manifest + "\n";
        for file in listed["output"].as_array().unwrap() {
            let (status, _, body) = self.request(file["url"].as_str().unwrap()).await;
            assert_eq!(status, 200, "{body}");
            all.push_str(&body);
        }
        all
    }

    /// The resource types of records that the server says can be searched.
    pub(crate) async fn types(&self) -> Vec<String> {
        let metadata = self.get("metadata").await;
        let resources = metadata["rest"][0]["resource"].as_array().unwrap();
        let is_searched = |r: &&Value| r["interaction"].to_string().contains("search-type");
        let searched = resources.iter().filter(is_searched);
        let types = searched.map(|r| r["type"].as_str().unwrap().to_owned());
        types.filter(|name| name != "AuditEvent").collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            drop(server.join());
        }
    }
}
