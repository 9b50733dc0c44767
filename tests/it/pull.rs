//! Pulls from a platform that behaves and from one that does not: nothing lost, nothing doubled,
//! nothing asked without a pause.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::{Value, json};
use throughline::clock::SystemClock;
use throughline::config::{FolderSettings, PullSettings, SourceSettings, Sources};
use throughline::domain::{IdKey, SourceId};
use throughline::exchange::ingest::Rules;
use throughline::exchange::pull::{Pace, Pull, Puller, Round};
use throughline::exchange::reception::Reception;
use throughline::platform::{
    Credential, Endpoint, FolderSource, HttpSource, Secret, Source, Trouble,
};
use throughline::store::{Feed, Feeds, SqliteStore, Store};

use crate::support::desk::{client, practice, record, resources, rules};
use crate::support::platform::pages::{Manner, Pages, Seen};
use crate::support::platform::{SECRET, ndjson, secret};
use crate::support::server::{Server, spawn_with};

/// A store, and what is needed to pull into it.
struct Desk {
    store: Arc<SqliteStore>,
    reception: Arc<Reception>,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self::with(rules())
    }

    fn with(rules: Rules) -> Self {
        let store = Arc::new(SqliteStore::in_memory().unwrap());
        let rules = Arc::new(ArcSwap::from_pointee(rules));
        let port: Arc<dyn Store> = store.clone();
        let reception = Reception::new(port, rules, IdKey::new(&[7; 32]), Arc::new(SystemClock), 1);
        Self { store, reception: Arc::new(reception), folder: tempfile::tempdir().unwrap() }
    }

    /// A puller that signs, and whose pauses a test can wait for.
    fn puller(&self, pages: &Pages, limit: u32) -> Puller {
        let secret = secret(self.folder.path(), "secret", SECRET);
        let credential = Credential::Signature(Box::new(Secret::read(&secret).unwrap()));
        self.puller_with(&pages.url, credential, limit, "me")
    }

    fn puller_with(&self, url: &str, credential: Credential, limit: u32, holder: &str) -> Puller {
        let endpoint = Endpoint {
            url: url.into(),
            name: "app".into(),
            credential,
            authorities: None,
            timeout: Duration::from_millis(900),
            spool: self.folder.path().to_owned(),
        };
        let source = HttpSource::new(endpoint, Arc::new(SystemClock)).unwrap();
        self.puller_of(Arc::new(source), limit, holder)
    }

    fn puller_of(&self, source: Arc<dyn Source>, limit: u32, holder: &str) -> Puller {
        let ms = Duration::from_millis;
        Puller::new(Pull {
            id: id(),
            source,
            reception: Arc::clone(&self.reception),
            store: self.store.clone(),
            clock: Arc::new(SystemClock),
            pace: Pace { every: ms(50), shortest: ms(10), longest: ms(40) },
            limit,
            holder: holder.into(),
        })
    }

    fn feed(&self) -> Feed {
        self.store.feed(&id()).unwrap()
    }

    fn patients(&self) -> Vec<String> {
        let all = resources(&*self.store, &["hv"]);
        let names = all.into_iter().filter(|(key, _)| key.contains("Patient/"));
        let family = |body: String| {
            let patient: Value = serde_json::from_str(&body).unwrap();
            patient["name"][0]["family"].as_str().unwrap().to_owned()
        };
        names.map(|(_, body)| family(body)).collect()
    }
}

fn id() -> SourceId {
    SourceId { tenant: "hv".parse().unwrap(), name: "app".parse().unwrap() }
}

/// Seven versions of one client.
fn versions() -> Vec<Value> {
    (1..=7).map(|version| client(version, &format!("Name{version}"))).collect()
}

#[tokio::test]
async fn every_page_is_read_once_and_what_is_new_is_read_next_time() {
    let (desk, pages) = (Desk::new(), Pages::start(versions()).await);
    let mut puller = desk.puller(&pages, 3);
    assert_eq!(puller.round().await.0, Round::Done);
    assert_eq!(desk.patients(), ["Name7"]);
    let seen = pages.seen();
    let targets: Vec<&str> = seen.iter().map(|seen| seen.target.as_str()).collect();
    let expected = ["?limit=3", "?cursor=3&limit=3", "?cursor=6&limit=3", "?cursor=7&limit=3"];
    assert_eq!(targets, expected.map(|query| format!("/records{query}")));
    assert!(seen.iter().all(Seen::is_signed), "{seen:?}");
    assert_eq!(puller.round().await.0, Round::Done);
    assert_eq!(pages.seen().len(), 1, "one request tells that there is nothing new");
    pages.add(client(8, "Name8"));
    assert_eq!(puller.round().await.0, Round::Done);
    assert_eq!(desk.patients(), ["Name8"]);
    assert_eq!(desk.feed().cursor.as_deref(), Some("8"));
    // Another process goes on where this one stood.
    puller.release().await.unwrap();
    pages.seen();
    assert_eq!(desk.puller(&pages, 3).round().await.0, Round::Done);
    assert_eq!(pages.seen()[0].target, "/records?cursor=8&limit=3");
}

#[tokio::test]
async fn a_page_may_be_packed_or_an_array_and_a_token_may_stand_for_a_signature() {
    for manner in [Manner::Gzip, Manner::Array] {
        let (desk, pages) = (Desk::new(), Pages::start(versions()).await);
        pages.behave(manner);
        let token = Credential::Bearer("t0ken".into());
        let mut puller = desk.puller_with(&pages.url, token, 100, "me");
        assert_eq!(puller.round().await.0, Round::Done, "{manner:?}");
        assert_eq!(desk.patients(), ["Name7"]);
        assert_eq!(pages.seen()[0].header("authorization"), "Bearer t0ken");
    }
}

#[tokio::test]
async fn a_source_in_trouble_keeps_its_cursor_is_left_alone_for_a_while_and_recovers() {
    let (desk, pages) = (Desk::new(), Pages::start(practice()).await);
    let mut puller = desk.puller(&pages, 100);
    assert_eq!(puller.round().await.0, Round::Done);
    pages.add(client(2, "Adeyemi"));
    let cases = [
        (Manner::Html, Trouble::WrongForm),
        (Manner::Status(500), Trouble::Status(500)),
        (Manner::Status(404), Trouble::Status(404)),
        (Manner::Status(401), Trouble::Denied),
        (Manner::Silent, Trouble::TimedOut),
        (Manner::Cut, Trouble::Cut),
        (Manner::NoLength, Trouble::WrongForm),
        (Manner::NoCursor, Trouble::NoCursor),
        (Manner::Redirect, Trouble::Redirected),
    ];
    for (failures, (manner, trouble)) in (1..).zip(cases) {
        pages.behave(manner);
        let (round, pause) = puller.round().await;
        assert_eq!(round, Round::Trouble(trouble), "{manner:?}");
        assert!(pause >= Duration::from_millis(5), "{pause:?}");
        let feed = desk.feed();
        assert_eq!((feed.cursor.as_deref(), feed.failures), (Some("3"), failures));
        assert_eq!(feed.trouble.as_deref(), Some(trouble.code()));
        assert_eq!(desk.patients(), ["Okafor"], "nothing of it is taken in");
    }
    assert_eq!(pages.seen().len(), 2 + cases.len(), "each is asked once a round");
    pages.behave(Manner::Well);
    assert_eq!(puller.round().await.0, Round::Done);
    let feed = desk.feed();
    assert_eq!((feed.cursor.as_deref(), feed.failures, feed.trouble), (Some("4"), 0, None));
    assert_eq!(desk.patients(), ["Adeyemi"]);
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_kept() {
    let (desk, pages) = (Desk::new(), Pages::start(Vec::new()).await);
    pages.behave(Manner::RetryAfter(120));
    let (round, pause) = desk.puller(&pages, 10).round().await;
    assert!(matches!(round, Round::Trouble(Trouble::Busy(_))), "{round:?}");
    assert_eq!(pause, Duration::from_mins(2));
    pages.behave(Manner::RetryAfter(9_999_999));
    let (_, pause) = desk.puller(&pages, 10).round().await;
    assert_eq!(pause, Duration::from_hours(1), "there is a bound to it");
}

#[tokio::test]
async fn a_platform_that_is_not_there_is_trouble_too() {
    let desk = Desk::new();
    let token = Credential::Bearer("t".into());
    let mut puller = desk.puller_with("http://127.0.0.1:1/records", token, 10, "me");
    assert_eq!(puller.round().await.0, Round::Trouble(Trouble::Unreachable));
}

#[tokio::test]
async fn lines_that_are_no_records_go_to_quarantine_and_the_next_page_is_read() {
    let (desk, pages) = (Desk::new(), Pages::start(versions()).await);
    pages.behave(Manner::Garbage);
    let mut puller = desk.puller(&pages, 3);
    while desk.feed().cursor.as_deref() != Some("7") {
        puller.round().await;
    }
    let reasons: Vec<_> =
        desk.store.quarantine().unwrap().into_iter().map(|entry| entry.reason).collect();
    assert_eq!(reasons, ["truncated", "malformed_json", "invalid_utf8"], "each once");
    pages.behave(Manner::Well);
    pages.add(client(8, "Name8"));
    assert_eq!(puller.round().await.0, Round::Done);
    assert_eq!(desk.patients(), ["Name8"]);
}

#[tokio::test]
async fn the_same_cursor_for_ever_is_noticed_and_asked_for_no_faster() {
    for manner in [Manner::SameCursor, Manner::Circle] {
        let (desk, pages) = (Desk::new(), Pages::start(versions()).await);
        pages.behave(manner);
        // As many as come, so that each page is full.
        let mut puller = desk.puller(&pages, 7);
        let mut pauses = 0;
        for _ in 0..10 {
            let (round, pause) = puller.round().await;
            assert_eq!(round, Round::Trouble(Trouble::SameCursor), "{manner:?}");
            pauses += u32::from(pause >= Duration::from_millis(5));
        }
        assert_eq!(pauses, 10);
        assert!(pages.seen().len() <= 13, "a request a round, once it is noticed");
        assert_eq!(desk.patients(), ["Name7"], "what came is taken in");
        assert_eq!(desk.feed().trouble.as_deref(), Some("same_cursor"));
    }
}

#[tokio::test]
async fn a_page_that_is_too_large_is_asked_for_in_smaller_parts() {
    let (desk, pages) = (Desk::new(), Pages::start(practice()).await);
    pages.behave(Manner::Huge);
    let mut puller = desk.puller(&pages, 4);
    let mut rounds = Vec::new();
    while desk.patients().is_empty() {
        rounds.push(puller.round().await.0);
        assert!(rounds.len() < 20, "{rounds:?}");
    }
    assert_eq!(rounds[..2], [Round::Trouble(Trouble::TooLarge); 2]);
}

#[tokio::test]
async fn a_cursor_that_the_platform_forgot_is_read_again_from_the_start() {
    let (desk, pages) = (Desk::new(), Pages::start(versions()).await);
    let mut puller = desk.puller(&pages, 100);
    assert_eq!(puller.round().await.0, Round::Done);
    let before = resources(&*desk.store, &["hv"]);
    pages.behave(Manner::Forgetful);
    assert_eq!(puller.round().await.0, Round::Trouble(Trouble::Forgotten));
    pages.behave(Manner::Well);
    pages.seen();
    assert_eq!(puller.round().await.0, Round::Done);
    assert_eq!(pages.seen()[0].target, "/records?limit=100");
    assert_eq!(resources(&*desk.store, &["hv"]), before, "nothing is doubled");
}

#[tokio::test]
async fn of_two_replicas_one_asks_until_it_gives_the_lease_back() {
    let (desk, pages) = (Desk::new(), Pages::start(versions()).await);
    let token = || Credential::Bearer("t".into());
    let mut one = desk.puller_with(&pages.url, token(), 3, "one");
    let mut two = desk.puller_with(&pages.url, token(), 3, "two");
    assert_eq!(one.round().await.0, Round::Done);
    pages.seen();
    assert_eq!(two.round().await.0, Round::Elsewhere);
    assert_eq!(pages.seen().len(), 0);
    pages.behave(Manner::Status(500));
    assert!(matches!(one.round().await.0, Round::Trouble(_)));
    pages.seen();
    assert_eq!(two.round().await.0, Round::Elsewhere, "trouble is no reason to ask twice");
    assert_eq!(pages.seen().len(), 0);
    one.release().await.unwrap();
    pages.behave(Manner::Well);
    assert_eq!(two.round().await.0, Round::Done);
}

#[tokio::test]
async fn a_record_of_another_tenant_is_not_taken_from_a_page() {
    let mut foreign = client(1, "Okafor");
    foreign["tenant_id"] = json!("other");
    let (desk, pages) = (Desk::new(), Pages::start(vec![foreign]).await);
    assert_eq!(desk.puller(&pages, 10).round().await.0, Round::Done);
    assert_eq!(desk.store.record_counts().unwrap(), []);
    assert_eq!(resources(&*desk.store, &["hv", "other"]).len(), 0);
}

#[tokio::test]
async fn a_folder_is_read_file_by_file_and_each_file_once() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, records: &[Value]| {
        std::fs::write(folder.path().join(".draft"), ndjson(records)).unwrap();
        std::fs::rename(folder.path().join(".draft"), folder.path().join(name)).unwrap();
    };
    put("002.ndjson", &[client(2, "Adeyemi")]);
    put("001.ndjson", &practice());
    put("003.txt", &[client(3, "Nobody")]);
    let source = FolderSource::new(folder.path().into(), desk.folder.path().into());
    let mut puller = desk.puller_of(Arc::new(source), 1, "me");
    assert_eq!(puller.round().await.0, Round::Done);
    assert_eq!(desk.patients(), ["Adeyemi"]);
    assert_eq!(desk.feed().cursor.as_deref(), Some("002.ndjson"));
    put("004.ndjson", &[client(4, "Lindqvist")]);
    assert_eq!(puller.round().await.0, Round::Done);
    assert_eq!(desk.patients(), ["Lindqvist"]);
    std::fs::remove_dir_all(folder.path()).unwrap();
    assert_eq!(puller.round().await.0, Round::Trouble(Trouble::Unreachable));
}

fn settings(url: &str, token: PathBuf) -> SourceSettings {
    let pull = PullSettings {
        url: url.to_owned(),
        bearer_file: Some(token),
        secret_file: None,
        ca_file: None,
        every_s: 1,
        limit: 2,
        timeout_s: 5,
    };
    SourceSettings { tenant: "hv".into(), push: None, pull: Some(pull), folder: None }
}

/// Waits until there are so many patients.
async fn patients(server: &Server, count: u64) {
    for _ in 0..100 {
        if server.get("Patient").await.json()["total"] == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(server.get("Patient").await.json()["total"], count);
}

#[tokio::test]
async fn a_running_gateway_reads_one_source_while_another_is_in_trouble() {
    let (well, ill) = (Pages::start(practice()).await, Pages::start(Vec::new()).await);
    ill.behave(Manner::Html);
    let inbox = tempfile::tempdir().unwrap();
    let server = spawn_with(|data| {
        let token = secret(data, "token", "a-token-of-the-platform");
        let folder = FolderSettings { path: inbox.path().into(), every_s: 1 };
        let folder =
            SourceSettings { tenant: "hv".into(), push: None, pull: None, folder: Some(folder) };
        Sources(
            [
                ("ill".to_owned(), settings(&ill.url, token.clone())),
                ("inbox".to_owned(), folder),
                ("well".to_owned(), settings(&well.url, token)),
            ]
            .into(),
        )
    });
    patients(&server, 1).await;
    let other = record(
        "client",
        "cl_9",
        1,
        json!({"names": [{"use": "official", "family": "Inbox", "given": ["I"]}],
               "birth_date": "1980-01-01", "administrative_gender": "male", "status": "active"}),
    );
    std::fs::write(inbox.path().join("a.ndjson"), other.to_string()).unwrap();
    patients(&server, 2).await;
    let states = server.app.sources().unwrap();
    let troubles: Vec<_> = states.iter().map(|state| state.feed.trouble.as_deref()).collect();
    assert_eq!(troubles, [Some("wrong_form"), None, None]);
    assert!(ill.seen().len() < 20, "it is not asked without a pause");
}

fn throughline(arguments: &[&str], data: &Path) -> (Option<i32>, String) {
    let output = crate::support::demo::run(arguments, data);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout) + &text(output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_read_sources_once_and_say_how_they_are() {
    let pages = Pages::start(practice()).await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let made = folder.path().join("made");
    let (code, said) = throughline(&["sources", "secret", made.to_str().unwrap()], &data);
    assert_eq!((code, said.contains("secret_files")), (Some(0), true), "{said}");
    let config = folder.path().join("throughline.toml");
    let text = format!(
        "[sources.app]\ntenant = \"hv\"\npush.secret_files = [{made:?}]\n\
         pull.url = \"{}\"\npull.secret_file = {made:?}\n[cors]\norigins = []\n",
        pages.url
    );
    std::fs::write(&config, &text).unwrap();
    let with = |command| ["sources", command, "--config", config.to_str().unwrap()];
    let (code, said) = throughline(&with("list"), &data);
    assert_eq!((code, said.as_str()), (Some(0), "app  tenant hv  push, pull\n"));
    let (code, said) = throughline(&with("pull"), &data);
    assert_eq!((code, said.as_str()), (Some(0), "app: everything is read\n"));
    let (code, said) = throughline(&with("status"), &data);
    assert_eq!((code, said.contains("answered 20")), (Some(0), true), "{said}");
    pages.behave(Manner::Status(500));
    let (code, said) = throughline(&with("pull"), &data);
    assert_eq!(code, Some(1));
    assert!(said.contains("app: in trouble: wrong_status"), "{said}");
    let (code, said) = throughline(&with("status"), &data);
    assert_eq!((code, said.contains("TROUBLE wrong_status, 1 times")), (Some(1), true), "{said}");

    for (wrong, hint) in [
        (text.replace("tenant =", "tenent ="), "tenent"),
        (text.replace("[sources.app]", "[sources.\"A b\"]"), "the name of a source"),
        (text.replace("http://127", "http://user@127"), "without user or fragment"),
        (text.replace("http://127.0.0.1", "http://platform.example"), "has to be https"),
        (text.replace("pull.secret_file", "pull.bearer_file = \"x\"\npull.secret_file"), "either"),
        (text.replace("made\"]", "none\"]"), "none"),
    ] {
        std::fs::write(&config, wrong).unwrap();
        let (code, said) = throughline(&with("status"), &data);
        assert_eq!((code, said.contains(hint)), (Some(2), true), "{hint}: {said}");
    }
}
