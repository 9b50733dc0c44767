//! Several processes on one PostgreSQL, and a PostgreSQL that goes away.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use throughline::Error;
use throughline::auth::Keys;
use throughline::exchange::synth::{self, Order};
use throughline::policy::{Action, Permit, Principal};
use throughline::store::{PostgresStore, SqliteStore, Store};

use crate::support::demo::Demo;
use crate::support::desk::resources;
use crate::support::postgres::{self, PostgresServer, pause};

const TENANT: &str = "replicas";

/// Records of two practices in two files, and keys that all processes share.
struct Practice {
    folder: tempfile::TempDir,
    files: Vec<PathBuf>,
}

impl Practice {
    fn new(clients: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("records.ndjson");
        let order = Order { clients, seed: 5, tenant: TENANT.into() };
        synth::write(&order, &mut fs::File::create(&file).unwrap()).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        // The same records in two orders, and some of them in one file only.
        let (early, late) = lines.split_at(lines.len() / 3);
        let forwards: Vec<&str> = lines.iter().rev().skip(40).rev().copied().collect();
        let backwards: Vec<&str> = late.iter().rev().chain(early.iter().rev()).copied().collect();
        let write = |name: &str, lines: &[&str]| {
            let path = folder.path().join(name);
            fs::write(&path, lines.join("\n") + "\n").unwrap();
            path
        };
        let files = vec![write("a.ndjson", &forwards), write("b.ndjson", &backwards)];
        Self { folder, files }
    }

    /// A new data folder with the keys of all.
    fn data(&self, name: &str) -> PathBuf {
        let (data, first) = (self.folder.path().join(name), self.folder.path().join("keys"));
        Keys::open(&first).unwrap();
        Keys::open(&data).unwrap();
        fs::copy(first.join("keys.json"), data.join("keys.json")).unwrap();
        data
    }

    fn ingest(&self, name: &str, url: Option<&str>, files: &[PathBuf]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("ingest").args(files);
        command.arg("--data").arg(self.data(name));
        command.env_remove("THROUGHLINE_DATABASE_URL");
        if let Some(url) = url {
            command.env("THROUGHLINE_DATABASE_URL", url);
        }
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// What one process makes of everything, in a file.
    fn expected(&self) -> String {
        assert!(self.ingest("calm", None, &self.files).wait().unwrap().success());
        contents(&SqliteStore::open(&self.data("calm").join("store.sqlite")).unwrap())
    }
}

/// Everything that a store holds and that a conflict could spoil.
fn contents(store: &dyn Store) -> String {
    let mut quarantine: Vec<_> = store
        .quarantine()
        .unwrap()
        .into_iter()
        .map(|entry| (entry.reason, entry.pointer, entry.kind, entry.id))
        .collect();
    quarantine.sort();
    let found = resources(store, &[TENANT]);
    assert!(found.len() > 200, "resources were made");
    format!("{:#?}", (store.record_counts().unwrap(), quarantine, found))
}

fn open(url: &str) -> PostgresStore {
    PostgresStore::open(&postgres::settings(url)).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Nothing is left to be mapped, and every row of the index is about a resource.
fn is_whole(url: &str) {
    assert_eq!(postgres::number(url, "SELECT count(*) FROM dirty"), 0, "everything is mapped");
    for table in ["token", "reference", "date", "text"] {
        let stray = format!(
            "SELECT count(*) FROM {table} x WHERE NOT EXISTS
               (SELECT 1 FROM resource r WHERE r.rid = x.rid AND r.tenant = x.tenant)"
        );
        assert_eq!(postgres::number(url, &stray), 0, "{table}");
        let twice = format!("SELECT count(*) - count(DISTINCT x) FROM {table} x");
        assert_eq!(postgres::number(url, &twice), 0, "{table}");
    }
}

#[test]
fn processes_that_take_in_the_same_records_at_once_end_where_one_does() {
    let server = postgres::shared();
    let practice = Practice::new(14);
    let expected = practice.expected();
    for _round in 0..3 {
        let url = server.migrated();
        let processes = ["one", "two", "three"].map(|name| {
            let mut files = practice.files.clone();
            if name == "two" {
                files.reverse();
            }
            practice.ingest(name, Some(&url), &files)
        });
        for process in processes {
            let output = process.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", said(&output));
        }
        is_whole(&url);
        assert!(contents(&open(&url)) == expected, "the result differs from that of one process");
    }
}

#[test]
fn a_process_that_is_killed_loses_nothing_and_hinders_nobody() {
    let server = postgres::shared();
    let practice = Practice::new(14);
    let expected = practice.expected();
    let url = server.migrated();
    let mut interrupted = 0;
    for step in 1..=8 {
        let mut victim = practice.ingest("victim", Some(&url), &practice.files);
        let other = practice.ingest("other", Some(&url), &practice.files[1..]);
        pause(Duration::from_millis(150 * step));
        interrupted += u32::from(victim.try_wait().unwrap().is_none());
        victim.kill().unwrap();
        victim.wait().unwrap();
        let output = other.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
    assert!(interrupted >= 3, "only {interrupted} were interrupted");
    let last = practice.ingest("victim", Some(&url), &practice.files).wait_with_output().unwrap();
    assert!(last.status.success(), "{}", said(&last));
    is_whole(&url);
    assert!(contents(&open(&url)) == expected, "the result differs from that of one process");
}

fn permit() -> Permit {
    let principal = Principal::new(TENANT.parse().unwrap(), "ehr", "system/*.rs");
    Permit::decide(&std::sync::Arc::new(principal), Action::Read, "Patient").unwrap()
}

fn read(store: &dyn Store) -> throughline::Result<()> {
    store.read(&permit(), &"nobody".parse().unwrap()).map(|found| assert!(found.is_none()))
}

#[test]
fn a_server_that_went_away_is_an_error_and_is_found_again() {
    let mut server = PostgresServer::start();
    let store = open(&server.migrated());
    std::thread::scope(|scope| {
        // Several connections, all of which die.
        for _ in 0..4 {
            scope.spawn(|| (0..20).for_each(|_| read(&store).unwrap()));
        }
    });
    let write = store.write().unwrap();
    server.kill();
    assert!(matches!(read(&store), Err(Error::Unavailable(_))));
    assert!(matches!(write.commit(), Err(Error::Unavailable(_))));
    assert!(matches!(store.write().map(drop), Err(Error::Unavailable(_))));
    server.start_again();
    read(&store).unwrap();
    store.write().unwrap().commit().unwrap();
    // Nobody notices a restart between two requests.
    server.kill();
    server.start_again();
    for _ in 0..8 {
        read(&store).unwrap();
    }
    store.write().unwrap().commit().unwrap();
}

#[test]
fn a_server_that_answers_nothing_is_given_up_in_time() {
    let server = PostgresServer::start();
    let url = server.migrated();
    let mut settings = postgres::settings(&url);
    (settings.connect_timeout_s, settings.statement_timeout_s, settings.lock_timeout_s) = (1, 1, 1);
    let store = PostgresStore::open(&settings).unwrap();
    read(&store).unwrap();
    server.pause(true);
    let start = Instant::now();
    // Over the connection that is there, and over a new one.
    for _ in 0..2 {
        assert!(matches!(read(&store), Err(Error::Unavailable(_))));
    }
    let took = start.elapsed();
    server.pause(false);
    assert!(took < Duration::from_secs(12), "{took:?}");
    read(&store).unwrap();
}

#[test]
fn a_write_that_waits_too_long_for_another_says_so() {
    let server = postgres::shared();
    let url = server.migrated();
    let mut settings = postgres::settings(&url);
    settings.lock_timeout_s = 1;
    let [first, second] = [(); 2].map(|()| PostgresStore::open(&settings).unwrap());
    let tenant = TENANT.parse().unwrap();
    let kind = throughline::domain::Kind::Client;
    let mut holding = first.write().unwrap();
    holding.mark_dirty(&tenant, kind, "cl_1").unwrap();
    let mut waiting = second.write().unwrap();
    assert!(matches!(waiting.mark_dirty(&tenant, kind, "cl_1"), Err(Error::Unavailable(_))));
    drop(waiting);
    holding.commit().unwrap();
    let mut write = second.write().unwrap();
    write.mark_dirty(&tenant, kind, "cl_1").unwrap();
    write.commit().unwrap();
}

#[test]
fn more_callers_than_connections_take_turns() {
    let server = postgres::shared();
    let mut settings = postgres::settings(&server.migrated());
    (settings.readers, settings.writers) = (2, 1);
    let store = PostgresStore::open(&settings).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..10 {
                    read(&store).unwrap();
                    store.write().unwrap().commit().unwrap();
                }
            });
        }
    });
}

#[test]
fn a_mark_set_while_its_record_is_mapped_is_not_lost() {
    let store = postgres::store();
    let tenant: throughline::domain::TenantId = TENANT.parse().unwrap();
    let kind = throughline::domain::Kind::Client;
    let mark = || {
        let mut write = store.write().unwrap();
        write.mark_dirty(&tenant, kind, "cl_1").unwrap();
        write.commit().unwrap();
    };
    mark();
    let mut mapping = store.write().unwrap();
    assert_eq!(mapping.dirty(9).unwrap().len(), 1);
    // Somebody else finds nothing to do, and does not wait.
    assert!(store.write().unwrap().dirty(9).unwrap().is_empty());
    std::thread::scope(|scope| {
        let marking = scope.spawn(mark);
        pause(Duration::from_millis(200));
        assert!(!marking.is_finished(), "the mark waits for whoever maps the record");
        mapping.put_projection(&tenant, kind, "cl_1", vec![]).unwrap();
        mapping.commit().unwrap();
        marking.join().unwrap();
    });
    assert_eq!(store.write().unwrap().dirty(9).unwrap().len(), 1, "it is to be mapped again");
}

#[tokio::test]
async fn requests_and_ingest_live_through_a_restart_of_the_database() {
    let mut server = PostgresServer::start();
    let url = server.migrated();
    let mut demo = Demo::start(&["--database-url", &url]);
    let said = demo.until("Ctrl-C");
    let (base, token) = reachable(&said, &demo.folder.path().join("data"));
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
    let ask = async |path: &str| {
        let answer = client.get(format!("{base}/{path}")).bearer_auth(&token).send().await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!(ask("Patient?_count=1").await, 200);
    let practice = Practice::new(14);
    // The keys of all are those of the demo.
    fs::create_dir_all(practice.folder.path().join("keys")).unwrap();
    let keys = practice.folder.path().join("keys/keys.json");
    fs::copy(demo.folder.path().join("data/keys.json"), keys).unwrap();
    let ingest = practice.ingest("one", Some(&url), &practice.files);
    let mut seen = std::collections::BTreeMap::<u16, u32>::new();
    for round in 0..40 {
        if round == 15 {
            server.kill();
        }
        if round == 25 {
            server.start_again();
        }
        for path in ["Patient?_count=2", "Encounter/nobody", "Encounter?status=finished"] {
            *seen.entry(ask(path).await).or_default() += 1;
        }
    }
    let known = [200, 404, 503];
    assert!(seen.keys().all(|status| known.contains(status)), "{seen:?}");
    assert!(seen.contains_key(&503), "the restart was noticed: {seen:?}");
    assert_eq!(ask("Patient?_count=1").await, 200);
    assert_eq!(ask("Encounter/nobody").await, 404);
    // It either came through or says what to do; started again, it ends.
    let output = ingest.wait_with_output().unwrap();
    let code = output.status.code().unwrap();
    assert!(matches!(code, 0 | 2), "{}", self::said(&output));
    assert!(code == 0 || self::said(&output).contains("PostgreSQL"), "{}", self::said(&output));
    let again = practice.ingest("one", Some(&url), &practice.files).wait_with_output().unwrap();
    assert!(again.status.success(), "{}", self::said(&again));
    is_whole(&url);
    practice.expected();
    let calm = SqliteStore::open(&practice.data("calm").join("store.sqlite")).unwrap();
    let found = resources(&open(&url), &[TENANT]);
    assert!(found == resources(&calm, &[TENANT]), "something was lost");
    demo.stop();
}

/// The base URL that a demo printed, and a token for it.
fn reachable(said: &[String], data: &Path) -> (String, String) {
    let line = said.iter().find(|line| line.contains("http://")).unwrap();
    let start = line.find("http://").unwrap();
    let base = line[start..].split(['\'', ' ', '"']).next().unwrap();
    let base = base.split("/fhir").next().unwrap().to_owned() + "/fhir";
    let token = Command::new(env!("CARGO_BIN_EXE_throughline"))
        .args(["token", "--data"])
        .arg(data)
        .output()
        .unwrap();
    (base, String::from_utf8(token.stdout).unwrap().trim().to_owned())
}
