//! An ingest that is killed and started again loses nothing and doubles nothing.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use throughline::auth::Keys;
use throughline::exchange::synth::{self, Order};
use throughline::store::{SqliteStore, Store};

use crate::support::desk::resources;

const TENANT: &str = "crash";

fn ingest(records: &Path, data: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_throughline"))
        .arg("ingest")
        .arg(records)
        .arg("--data")
        .arg(data)
        .arg("--mappings")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Lets a process run for a while, kills it with SIGKILL, and says whether it was still running.
fn kill_after(mut child: Child, time: Duration) -> bool {
    let (_keep, never) = mpsc::channel::<()>();
    never.recv_timeout(time).unwrap_err();
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    running
}

/// Everything that a store holds and an interruption could spoil.
fn contents(data: &Path) -> String {
    let store = SqliteStore::open(&data.join("store.sqlite")).unwrap();
    let quarantine: Vec<_> = store
        .quarantine()
        .unwrap()
        .into_iter()
        .map(|entry| (entry.reason, entry.pointer, entry.kind, entry.id))
        .collect();
    format!("{:#?}", (store.record_counts().unwrap(), quarantine, resources(&store, &[TENANT])))
}

#[test]
fn a_killed_ingest_started_again_ends_where_an_undisturbed_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records.ndjson");
    let order = Order { clients: 24, seed: 5, tenant: TENANT.into() };
    let mut file = BufWriter::new(File::create(&records).unwrap());
    let written = synth::write(&order, &mut file).unwrap();
    drop(file);
    assert!(written > 1000, "there are several transactions to interrupt");

    let (calm, killed) = (folder.path().join("calm"), folder.path().join("killed"));
    // The ids of both are made with the same key.
    Keys::open(&calm).unwrap();
    Keys::open(&killed).unwrap();
    fs::copy(calm.join("keys.json"), killed.join("keys.json")).unwrap();

    assert!(ingest(&records, &calm).wait().unwrap().success());
    let mut interrupted = 0;
    for step in 1..=12 {
        let time = Duration::from_millis(step * 130);
        interrupted += u32::from(kill_after(ingest(&records, &killed), time));
    }
    assert!(interrupted >= 3, "only {interrupted} runs were interrupted");
    assert!(ingest(&records, &killed).wait().unwrap().success());
    let (expected, found) = (contents(&calm), contents(&killed));
    assert!(expected.contains("Patient/"), "the undisturbed run made resources");
    assert!(expected == found, "the interrupted store differs from the undisturbed one");
}
