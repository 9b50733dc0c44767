//! Readers that ask a server all the time while something happens to what it depends on, and a
//! writer that changes what they read.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::server::{Server, TENANT};

/// Patients that are read.
const PATIENTS: usize = 40;

/// What is going on; ends when told to.
pub(crate) struct Readers {
    server: Arc<Server>,
    /// The version of each patient that is surely stored.
    stored: Arc<Vec<AtomicU64>>,
    stop: Arc<AtomicBool>,
    reads: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<Duration>>,
}

fn patient(number: usize, version: u64) -> Value {
    json!({
        "resourceType": "Patient", "id": format!("p{number}"),
        "meta": {"versionId": format!("{version}-aa"), "lastUpdated": "2026-11-01T10:00:00Z"},
        "name": [{"family": format!("Okafor {version}")}]
    })
}

impl Readers {
    /// Eight readers of a server, and a writer.
    pub(crate) fn start(server: Server) -> Self {
        let server = Arc::new(server);
        for number in 0..PATIENTS {
            server.store(TENANT, &format!("cl_{number}"), &[patient(number, 1)]);
        }
        let stored = Arc::new((0..PATIENTS).map(|_| AtomicU64::new(1)).collect::<Vec<_>>());
        let mut readers =
            Self { server, stored, stop: Arc::default(), reads: Arc::default(), tasks: Vec::new() };
        for seed in 0..8 {
            readers.tasks.push(readers.reader(seed));
        }
        readers.tasks.push(readers.writer());
        readers
    }

    fn reader(&self, seed: usize) -> JoinHandle<Duration> {
        let (server, stored) = (self.server.clone(), self.stored.clone());
        let (stop, reads) = (self.stop.clone(), self.reads.clone());
        tokio::spawn(async move {
            let (mut number, mut longest) = (seed, Duration::ZERO);
            while !stop.load(Ordering::Relaxed) {
                number = (number * 31 + 17) % PATIENTS;
                let oldest = stored[number].load(Ordering::Acquire);
                let began = Instant::now();
                let answer = server.get(&format!("Patient/p{number}")).await;
                longest = longest.max(began.elapsed());
                assert_eq!(answer.status, 200, "{}", answer.text);
                let version: u64 = answer.json()["meta"]["versionId"]
                    .as_str()
                    .and_then(|version| version.strip_suffix("-aa"))
                    .map(|version| version.parse().unwrap())
                    .unwrap();
                assert_eq!(answer.json(), patient(number, version), "the very bytes");
                assert!(version >= oldest, "{version} is outdated, {oldest} was there");
                reads.fetch_add(1, Ordering::Relaxed);
            }
            longest
        })
    }

    fn writer(&self) -> JoinHandle<Duration> {
        let (server, stored, stop) = (self.server.clone(), self.stored.clone(), self.stop.clone());
        tokio::spawn(async move {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                number = (number + 1) % PATIENTS;
                let version = stored[number].load(Ordering::Relaxed) + 1;
                server.store(TENANT, &format!("cl_{number}"), &[patient(number, version)]);
                stored[number].store(version, Ordering::Release);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Duration::ZERO
        })
    }

    /// The server that is read.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Values found in Redis so far.
    pub(crate) fn hits(&self) -> u64 {
        self.server.metric(r#"cache_lookups_total{layer="redis",outcome="hit"}"#)
    }

    /// What Redis did not answer so far, for one reason.
    pub(crate) fn faults(&self, reason: &str) -> u64 {
        self.server.metric(&format!(r#"redis_faults_total{{reason="{reason}"}}"#))
    }

    /// Goes on until `reads` more were answered, whatever Redis does meanwhile.
    pub(crate) async fn go_on(&self, reads: u64) {
        let enough = self.reads.load(Ordering::Relaxed) + reads;
        self.until("reads go on", || self.reads.load(Ordering::Relaxed) >= enough).await;
    }

    /// Goes on until values are found in Redis (again).
    pub(crate) async fn until_redis_is_used(&self) {
        let before = self.hits();
        self.until("values are found in Redis", || self.hits() > before + 50).await;
    }

    /// Goes on until something holds.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(40);
        while !holds() {
            assert!(Instant::now() < deadline, "not in time: {what}");
            assert!(self.tasks.iter().all(|task| !task.is_finished()), "a reader failed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it; the longest that a read took is far from what a client gives up after.
    pub(crate) async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let mut longest = Duration::ZERO;
        for task in self.tasks {
            longest = longest.max(task.await.unwrap());
        }
        assert!(longest < Duration::from_secs(5), "a read took {longest:?}");
        let reads = self.reads.load(Ordering::Relaxed);
        let _ = writeln!(std::io::stderr(), "{reads} reads, the longest {longest:?}");
    }
}
