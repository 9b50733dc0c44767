//! A server of its own for every test: a free port, a fresh data folder, a few resources.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use throughline::app::{App, Config};
use throughline::auth::{Grant, Keys};
use throughline::clock::{Clock, SystemClock};
use throughline::config::{
    CacheSettings, Cors, LimitSettings, ServerSettings, Sources, StoreSettings,
};
use throughline::domain::{Kind, TenantId};
use throughline::fhir::search::index;
use throughline::policy::{Grantee, Purpose};
use throughline::store::{Allowed, Guard, NewResource, StoredResource};
use tokio::sync::oneshot;

use super::postgres;

/// The tenant of the test data.
pub(crate) const TENANT: &str = "hv";

/// A running server.
pub(crate) struct Server {
    pub(crate) app: Arc<App>,
    /// `http://127.0.0.1:PORT/fhir`.
    pub(crate) base: String,
    pub(crate) token: String,
    pub(crate) client: Client,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    data: Arc<TempDir>,
}

/// A server without any resources and sources.
pub(crate) fn spawn() -> Server {
    spawn_on(Arc::new(tempfile::tempdir().unwrap()), CacheSettings::default())
}

/// A replica on a data folder.
pub(crate) fn spawn_on(data: Arc<TempDir>, cache: CacheSettings) -> Server {
    spawn_limited(data, cache, LimitSettings::default())
}

/// A replica on a data folder that limits what clients ask for.
pub(crate) fn spawn_limited(
    data: Arc<TempDir>,
    cache: CacheSettings,
    limits: LimitSettings,
) -> Server {
    spawn_as(data, Config { cache, limits, ..Config::default() })
}

/// A server that web pages of these origins may call.
pub(crate) fn spawn_for(origins: &[&str]) -> Server {
    let cors = Cors { origins: origins.iter().map(|&origin| origin.to_owned()).collect() };
    spawn_as(Arc::new(tempfile::tempdir().unwrap()), Config { cors, ..Config::default() })
}

/// A server without any resources; its sources may have files in the data folder.
pub(crate) fn spawn_with(sources: impl FnOnce(&Path) -> Sources) -> Server {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let sources = sources(data.path());
    spawn_as(data, Config { sources, ..Config::default() })
}

/// A server over a store of its own.
pub(crate) fn spawn_over(store: StoreSettings, sources: impl FnOnce(&Path) -> Sources) -> Server {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let sources = sources(data.path());
    spawn_as(data, Config { store, sources, ..Config::default() })
}

/// A server of its own with these settings; the folders are ours to choose.
pub(crate) fn spawn_as_new(config: Config) -> Server {
    spawn_as(Arc::new(tempfile::tempdir().unwrap()), config)
}

/// The same by a clock of the test's own.
pub(crate) fn spawn_at(config: Config, clock: Arc<dyn Clock>) -> Server {
    spawn_by(Arc::new(tempfile::tempdir().unwrap()), config, clock)
}

pub(crate) fn spawn_as(data: Arc<TempDir>, config: Config) -> Server {
    spawn_by(data, config, Arc::new(SystemClock))
}

pub(crate) fn spawn_by(data: Arc<TempDir>, config: Config, clock: Arc<dyn Clock>) -> Server {
    keys(data.path());
    let mappings = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    // No balancer looks at a test's server, so that none has to learn that it goes.
    let server = ServerSettings { drain_wait_s: 0, ..config.server };
    let mut config = Config { data: data.path().to_owned(), mappings, server, ..config };
    if config.store.url.is_none()
        && let Some(url) = postgres::of_folder(data.path())
    {
        config.store = postgres::settings(&url);
    }
    let app = Arc::new(App::open(&config, clock).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = App::base(&listener).unwrap();
    let (stop, stopped) = oneshot::channel();
    let serving = Arc::clone(&app);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let stopped = async { stopped.await.unwrap_or_default() };
        runtime.block_on(serving.serve(listener, stopped)).unwrap();
    });
    let client = Client::builder().no_gzip().timeout(Duration::from_secs(20)).build().unwrap();
    let token = mint(&app, TENANT, &["system/*.rs", "system/AuditEvent.rs"]);
    Server { app, base, token, client, stop: Some(stop), thread: Some(thread), data }
}

/// Gives a new data folder keys of its own, but for those that take long to make.
fn keys(data: &Path) {
    static MADE: OnceLock<Value> = OnceLock::new();
    let path = data.join("keys.json");
    if path.exists() {
        return;
    }
    let made = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        Keys::open(folder.path()).unwrap();
        serde_json::from_slice(&std::fs::read(folder.path().join("keys.json")).unwrap()).unwrap()
    });
    let mut own = made.clone();
    own["installation"] = serde_json::json!(throughline::auth::name().unwrap());
    for name in ["id", "cache", "cursor"] {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).unwrap();
        own[name] = serde_json::json!(STANDARD.encode(bytes));
    }
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(own.to_string().as_bytes()).unwrap();
}

fn mint(app: &App, tenant: &str, scopes: &[&str]) -> String {
    let grant = Grant {
        tenant: tenant.parse().unwrap(),
        subject: "test".into(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        lifetime: Duration::from_mins(10),
    };
    app.tokens().mint(&grant).unwrap()
}

/// What came back: the status, the header fields and the JSON.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The status, the issue code and the text of an OperationOutcome.
    pub(crate) fn refusal(&self) -> (u16, String, String) {
        let outcome = self.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome", "{outcome}");
        let issue = &outcome["issue"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (self.status.as_u16(), text(&issue["code"]), text(&issue["details"]["text"]))
    }

    /// The ids of the matches of a searchset, in order.
    pub(crate) fn ids(&self) -> Vec<String> {
        let bundle = self.json();
        assert_eq!(bundle["resourceType"], "Bundle", "{bundle}");
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        let matches = entries.iter().filter(|entry| entry["search"]["mode"] == "match");
        matches.map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The URL of a link of a Bundle.
    pub(crate) fn link(&self, relation: &str) -> Option<String> {
        let bundle = self.json();
        let links = bundle["link"].as_array().cloned().unwrap_or_default();
        let link = links.iter().find(|link| link["relation"] == relation)?;
        Some(link["url"].as_str().unwrap().to_owned())
    }
}

impl Server {
    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        self.base.strip_prefix("http://").unwrap().strip_suffix("/fhir").unwrap()
    }

    /// The data folder.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// The data folder, for another replica on it.
    pub(crate) fn shared_data(&self) -> Arc<TempDir> {
        Arc::clone(&self.data)
    }

    /// Where records are pushed to.
    pub(crate) fn push_url(&self) -> String {
        self.base.replace("/fhir", "/platform/records")
    }

    /// A request without a token; `path` is below the base, or an absolute URL.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = match path {
            path if path.starts_with("http://") => path.to_owned(),
            path => format!("{}/{path}", self.base),
        };
        self.client.request(method, url)
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        Answer::of(request.send().await.unwrap()).await
    }

    /// A request with the token.
    pub(crate) fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.ask(Method::GET, path)).await
    }

    /// A token for a tenant.
    pub(crate) fn token_for(&self, tenant: &str, scopes: &[&str]) -> String {
        mint(&self.app, tenant, scopes)
    }

    /// The value of a counter, by its name and labels as they are written; 0 if it is not there.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let mut registry = Registry::default();
        self.app.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// How often the memory of the process had what was asked for.
    pub(crate) fn memory_hits(&self) -> u64 {
        self.metric(r#"cache_lookups_total{layer="memory",outcome="hit"}"#)
    }

    /// Stores the resources that are made from one record, all in the same version.
    pub(crate) fn store(&self, tenant: &str, record: &str, resources: &[Value]) {
        let tenant: TenantId = tenant.parse().unwrap();
        let resources: Vec<NewResource> = resources.iter().map(new_resource).collect();
        let people: BTreeSet<_> =
            resources.iter().filter_map(|new: &NewResource| new.patient.clone()).collect();
        let mut write = self.app.store().write().unwrap();
        write.put_projection(&tenant, Kind::Client, record, resources).unwrap();
        for person in &people {
            write.put_allowed(&tenant, person, &everything()).unwrap();
        }
        write.commit().unwrap();
    }
}

/// All that is stored here, for the patient and for the practice `ehr`.
fn everything() -> Vec<Allowed> {
    let grantees = [Grantee::of_patient(), Grantee::of_recipient("ehr", Purpose::Treatment)];
    grantees.iter().map(|grantee| Allowed::always(grantee, ANY)).collect()
}

/// The class of all that is stored here.
const ANY: &str = "any";

fn new_resource(resource: &Value) -> NewResource {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let resource_type = text(&resource["resourceType"]);
    let body = serde_json::to_vec(resource).unwrap();
    let (patient, index) = index::rows(&resource_type, &body).unwrap();
    let resource = StoredResource {
        id: text(&resource["id"]).parse().unwrap(),
        version_id: text(&resource["meta"]["versionId"]),
        last_updated: text(&resource["meta"]["lastUpdated"]).parse().unwrap(),
        resource_type,
        body: body.into(),
        shown: throughline::store::Shown::default(),
    };
    NewResource {
        resource,
        patient,
        index,
        guard: Guard { class: ANY.to_owned(), ..Guard::default() },
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.unwrap();
            }
        }
    }
}
