//! A PostgreSQL that is restarted under load: what was acknowledged is there, nothing is doubled,
//! and whoever comes at the wrong moment is told to come again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use throughline::config::Sources;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::support::desk::client;
use crate::support::platform::{Push, SECRET, secret};
use crate::support::postgres::{self, PostgresServer};
use crate::support::server::{Answer, Server, spawn_over};

/// Clients whose records are pushed, each in a delivery of its own.
const PUSHERS: u64 = 3;
/// The longest that a request may take while the database is away.
const PATIENCE: Duration = Duration::from_secs(15);

/// Requests that go on whatever happens.
struct Load {
    server: Arc<Server>,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    /// The last version of each client that was acknowledged.
    pushers: Vec<JoinHandle<u64>>,
    readers: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(server: Server) -> Self {
        let mut load = Self {
            server: Arc::new(server),
            stop: Arc::default(),
            answered: Arc::default(),
            refused: Arc::default(),
            pushers: Vec::new(),
            readers: Vec::new(),
        };
        for number in 0..PUSHERS {
            load.pushers.push(load.pusher(number));
            load.readers.push(load.reader());
        }
        load
    }

    /// Sends version after version, each until it is acknowledged.
    fn pusher(&self, number: u64) -> JoinHandle<u64> {
        let (server, stop) = (Arc::clone(&self.server), Arc::clone(&self.stop));
        let (answered, refused) = (Arc::clone(&self.answered), Arc::clone(&self.refused));
        tokio::spawn(async move {
            let mut version = 0;
            while !stop.load(Ordering::Relaxed) {
                let mut record = client(1, &format!("Name{}", version + 1));
                record["id"] = format!("cl_{number}").into();
                record["version"] = (version + 1).into();
                let push = Push::of(&[record]);
                loop {
                    let answer = timed(push.send(&server)).await;
                    if is_answered(&answer, &answered, &refused) {
                        let outcome = answer.json()["lines"][0]["outcome"].clone();
                        assert!(outcome == "stored" || outcome == "unchanged", "{outcome}");
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                version += 1;
            }
            version
        })
    }

    fn reader(&self) -> JoinHandle<()> {
        let (server, stop) = (Arc::clone(&self.server), Arc::clone(&self.stop));
        let (answered, refused) = (Arc::clone(&self.answered), Arc::clone(&self.refused));
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let answer = timed(server.get("Patient?_count=100")).await;
                if is_answered(&answer, &answered, &refused) {
                    assert!(answer.ids().len() <= usize::try_from(PUSHERS).unwrap(), "none twice");
                } else {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        })
    }

    /// Goes on until so many more requests were counted.
    async fn until(&self, what: &str, counter: &AtomicU64, more: u64) {
        let enough = counter.load(Ordering::Relaxed) + more;
        let deadline = Instant::now() + Duration::from_mins(1);
        while counter.load(Ordering::Relaxed) < enough {
            assert!(Instant::now() < deadline, "not in time: {what}");
            let tasks = || self.readers.iter().map(JoinHandle::is_finished);
            let ended = self.pushers.iter().map(JoinHandle::is_finished).chain(tasks());
            assert!(!ended.into_iter().any(|ended| ended), "a client failed: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn timed(answer: impl Future<Output = Answer>) -> Answer {
    let began = Instant::now();
    let answer = answer.await;
    assert!(began.elapsed() < PATIENCE, "it took {:?}", began.elapsed());
    answer
}

/// Whether it was answered; else it is refused for now, and nothing else.
fn is_answered(answer: &Answer, answered: &AtomicU64, refused: &AtomicU64) -> bool {
    if answer.status == StatusCode::OK {
        answered.fetch_add(1, Ordering::Relaxed);
        return true;
    }
    let (status, code, _) = answer.refusal();
    assert_eq!((status, code.as_str()), (503, "transient"), "{}", answer.text);
    refused.fetch_add(1, Ordering::Relaxed);
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_restarted_under_load_loses_and_doubles_nothing() {
    let mut database = PostgresServer::start();
    let mut settings = postgres::settings(&database.migrated());
    settings.connect_timeout_s = 2;
    let server = spawn_over(settings, |data| {
        Sources::of_one_sender("app", "hv", secret(data, "app-secret", SECRET))
    });
    let load = Load::start(server);
    for _ in 0..3 {
        load.until("requests are answered", &load.answered, 60).await;
        database = spawn_blocking(move || {
            database.kill();
            database
        })
        .await
        .unwrap();
        load.until("requests are refused", &load.refused, 20).await;
        database = spawn_blocking(move || {
            database.start_again();
            database
        })
        .await
        .unwrap();
    }
    load.until("requests are answered again", &load.answered, 60).await;
    load.stop.store(true, Ordering::Relaxed);
    for reader in load.readers {
        reader.await.unwrap();
    }
    let mut acknowledged = Vec::new();
    for pusher in load.pushers {
        acknowledged.push(format!("Name{}", pusher.await.unwrap()));
    }
    let bundle = load.server.get("Patient?_count=100").await.json();
    let entries = bundle["entry"].as_array().unwrap();
    let mut names: Vec<_> = entries
        .iter()
        .map(|entry| entry["resource"]["name"][0]["family"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    acknowledged.sort();
    assert_eq!(names, acknowledged, "the last acknowledged version of each is what is served");
}
