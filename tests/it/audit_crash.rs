//! A server that is killed under load has written down every answer that has left it.
//!
//! `THROUGHLINE_KILLS` says how many times it is killed; a run of the tests does it a few times.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use throughline::audit::Event;
use throughline::store::{Ledger, SqliteLedger};

use crate::support::demo::{Demo, run};
use crate::support::desk::practice;
use crate::support::platform::ndjson;

/// Connections that ask at the same time.
const CONNECTIONS: usize = 24;
/// How many times the server is killed unless the environment says so.
const KILLS: usize = 5;

/// One family of fixtures with a practice and a client.
fn fixtures(folder: &Path) -> std::path::PathBuf {
    let family = folder.join("fixtures/family");
    fs::create_dir_all(&family).unwrap();
    fs::write(family.join("records.ndjson"), ndjson(&practice())).unwrap();
    folder.join("fixtures")
}

fn tenant(records: &[Value]) -> String {
    records[0]["tenant_id"].as_str().unwrap().to_owned()
}

/// Asks until the server is gone; keeps the request's id of every answer that has come whole.
async fn ask(client: Client, url: String, token: String, answered: Arc<Mutex<Vec<String>>>) {
    while let Ok(answer) = client.get(&url).bearer_auth(&token).send().await {
        assert_eq!(answer.status(), 200);
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        if answer.bytes().await.is_ok() {
            answered.lock().unwrap().push(id);
        }
    }
}

/// The requests that are written down.
fn written(data: &Path, tenant: &str) -> BTreeSet<String> {
    let ledger = SqliteLedger::open(&data.join("audit.sqlite")).unwrap();
    let kept = ledger.entries(tenant, 0, usize::MAX >> 1).unwrap();
    kept.iter().map(|entry| Event::of(&entry.body).unwrap().request).collect()
}

#[test]
fn every_answer_that_left_a_killed_server_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let fixtures = fixtures(folder.path());
    let tenant = tenant(&practice());
    let kills = std::env::var("THROUGHLINE_KILLS").ok().and_then(|kills| kills.parse().ok());
    let client = Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
    let mut told = 0;
    for round in 0..kills.unwrap_or(KILLS) {
        let mut demo = Demo::start_beside(&data, &["--fixtures", fixtures.to_str().unwrap()]);
        let said = demo.until("Ctrl-C");
        let base = said.iter().find_map(|line| line.trim().strip_prefix("FHIR base")).unwrap();
        let output = run(&["token", "--tenant", &tenant], &data);
        let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let url = format!("{}/Patient?_count=5", base.trim());
        let answered = Arc::new(Mutex::new(Vec::new()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let load: Vec<_> = (0..CONNECTIONS)
                .map(|_| {
                    let answered = Arc::clone(&answered);
                    tokio::spawn(ask(client.clone(), url.clone(), token.clone(), answered))
                })
                .collect();
            // On a busy machine the first answer takes longer than all the others.
            let begun = async {
                while answered.lock().unwrap().is_empty() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), begun).await.expect("it answers");
            let time = Duration::from_millis(150 + 37 * u64::try_from(round % 9).unwrap());
            tokio::time::sleep(time).await;
            demo.child.kill().unwrap();
            demo.child.wait().unwrap();
            for task in load {
                task.await.unwrap();
            }
        });
        let answered = std::mem::take(&mut *answered.lock().unwrap());
        let written = written(&data, &tenant);
        let lost: Vec<_> = answered.iter().filter(|id| !written.contains(*id)).collect();
        assert!(lost.is_empty(), "round {round}: {} answers have no event", lost.len());
        told += answered.len();
    }
    assert!(told > 20, "only {told} answers came before the kills");
    let verified = run(&["audit", "verify"], &data);
    let said = String::from_utf8(verified.stdout).unwrap();
    assert!(verified.status.success(), "{said}");
}
