//! A practice whose people sign in, with apps that ask for their records.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use throughline::app::Config;
use throughline::clock::{Clock, SystemClock};
use throughline::config::{
    ClientSettings, Cors, DemoAccount, LoginSettings, Part, ProviderSettings, ReceiverSettings,
    Sources,
};
use throughline::domain::{FhirId, Kind};

use super::platform::{SECRET, secret};
use super::provider::{CLIENT_SECRET, Provider};
use super::server::{Server, spawn_by};
use super::smart::{VERIFIER, challenge};
use super::visitor::{Seen, Visitor};

/// The practice's name.
pub(crate) const PRACTICE: &str = "Harborview Teletherapy";
/// Where the app of the tests is sent back to.
pub(crate) const BACK: &str = "https://app.example/back";
/// A client.
pub(crate) const ELLIE: &str = "cl_1";
/// Another client, who is a minor and decides by herself.
pub(crate) const ADA: &str = "cl_7";
/// A child, and his mother.
pub(crate) const MATEO: &str = "cl_15";
pub(crate) const LUCIA: &str = "rp_15";
/// Their therapist, and one who treats neither.
pub(crate) const MARISOL: &str = "st_2";
pub(crate) const JOEL: &str = "st_3";

/// The accounts of the demonstration.
pub(crate) fn accounts() -> Vec<DemoAccount> {
    [
        (Part::Client, ELLIE),
        (Part::Client, ADA),
        (Part::Proxy, LUCIA),
        (Part::Proxy, "rp_6"),
        (Part::Staff, MARISOL),
        (Part::Staff, JOEL),
    ]
    .map(|(part, record)| DemoAccount { part, record: record.to_owned() })
    .into()
}

/// An app in a browser.
pub(crate) fn app(back: &str) -> ClientSettings {
    serde_json::from_value(json!({
        "id": "app", "tenant": "hv", "name": "Sleep Diary", "auth": "public",
        "redirect_uris": [back],
        "scopes": "openid fhirUser profile launch launch/patient launch/encounter offline_access \
                   online_access patient/*.rs user/*.rs",
    }))
    .unwrap()
}

/// A practice of doctors that is connected, and asks for records to treat.
pub(crate) fn doctor() -> ClientSettings {
    let others = json!({
        "name": "Front Range Family Medicine", "redirect_uris": [BACK], "scopes": "system/*.rs"
    });
    super::smart::client("ehr-frfm", "public", &others)
}

/// The same as a receiver of records, whose server is down.
fn receiver() -> ReceiverSettings {
    serde_json::from_value(json!({
        "name": "frfm", "tenant": "hv", "title": "Front Range Family Medicine",
        "client": "ehr-frfm", "base_url": "http://127.0.0.1:9/fhir", "takes": "document",
        "private_networks": ["127.0.0.0/8"],
    }))
    .unwrap()
}

/// A practice with some of the fixtures, whose people sign in as the settings say.
pub(crate) fn practice(login: LoginSettings, back: &str, origins: &[String]) -> Server {
    practice_at_clock(login, back, origins, Arc::new(SystemClock))
}

/// The same by a clock of the test's own.
pub(crate) fn practice_at_clock(
    login: LoginSettings,
    back: &str,
    origins: &[String],
    clock: Arc<dyn Clock>,
) -> Server {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let sources = Sources::of_one_sender("app", "hv", secret(data.path(), "app-secret", SECRET));
    let config = Config {
        login: Some(login),
        clients: vec![app(back), doctor()],
        cors: Cors { origins: origins.to_vec() },
        sources,
        receivers: vec![receiver()],
        ..Config::default()
    };
    let server = spawn_by(data, config, clock);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let families = ["practice", "solo-cbt", "minor", "guardian", "group-of-eight"];
    server.app.take_in(&families.map(|family| fixtures.join(family))).unwrap();
    server
}

/// A practice with the accounts of the demonstration.
pub(crate) fn demo_practice() -> Server {
    practice(LoginSettings::of_demo("hv", PRACTICE, accounts()), BACK, &[])
}

impl Server {
    /// Where the server is.
    pub(crate) fn origin(&self) -> &str {
        self.base.strip_suffix("/fhir").unwrap()
    }

    /// The FHIR id of a client.
    pub(crate) fn patient(&self, client: &str) -> FhirId {
        self.app.keys().id_key().tenant(&"hv".parse().unwrap()).id(Kind::Client, client)
    }

    /// The address of an app's request for these scopes.
    pub(crate) fn asking(&self, scope: &str, more: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", "app"),
            ("redirect_uri", BACK),
            ("scope", scope),
            ("state", "state-1"),
            ("aud", self.base.as_str()),
            ("code_challenge", &challenge(VERIFIER)),
            ("code_challenge_method", "S256"),
        ]);
        query.extend_pairs(more);
        format!("{}/auth/authorize?{}", self.origin(), query.finish())
    }
}

impl Visitor {
    /// Signs in as one of the accounts, from the page that asks for it.
    pub(crate) async fn sign_in(&mut self, page: &Seen, account: &str) -> Seen {
        let (csrf, place) = (page.token("/auth/login"), page.field("return"));
        let action = super::visitor::absolute(&page.url, "/auth/login");
        let fields = [("csrf", csrf.as_str()), ("return", &place), ("account", account)];
        let sent = self.post(&action, &fields).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        let next = super::visitor::absolute(&action, sent.location());
        self.follow(&next).await
    }

    /// Begins at an app's request, and signs in.
    pub(crate) async fn begin(&mut self, url: &str, account: &str) -> Seen {
        let page = self.follow(url).await;
        self.sign_in(&page, account).await
    }

    /// Sends the form of a page with some fields more.
    pub(crate) async fn send_form(
        &mut self,
        page: &Seen,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Seen {
        let (csrf, request) = (page.token(path), page.field("request"));
        let mut all = vec![("csrf", csrf.as_str()), ("request", request.as_str())];
        all.extend(fields);
        self.post(&super::visitor::absolute(&page.url, path), &all).await
    }
}

/// A practice whose people sign in at this provider.
pub(crate) fn practice_at(provider: &Provider) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = secret(folder.path(), "client-secret", CLIENT_SECRET);
    let login = LoginSettings {
        provider: Some(ProviderSettings {
            issuer: provider.issuer.clone(),
            client_id: "throughline".into(),
            client_secret_file: Some(file),
            scopes: vec!["profile".into()],
        }),
        ..LoginSettings::of_demo("hv", PRACTICE, Vec::new())
    };
    (practice(login, BACK, &[]), folder)
}
