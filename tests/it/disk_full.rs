//! A disk that is full: said clearly, nothing spoiled, and everything goes on once there is room.
//!
//! The disk is a file system in memory that only the process under test sees.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Response, StatusCode};
use rusqlite::Connection;
use serde_json::Value;
use throughline::auth::Keys;
use throughline::exchange::synth::{self, Order};
use throughline::store::{SqliteStore, Store};

use crate::support::desk::resources;
use crate::support::platform::{Push, SECRET, secret};
use crate::support::served::{Served, settled};

const TENANT: &str = "hv";

/// Runs a script that sees a file system of its own on `DISK`, which it mounts itself.
fn apart(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-euc", script])
        .current_dir(folder);
    command.env("THROUGHLINE", env!("CARGO_BIN_EXE_throughline")).stdin(Stdio::null());
    command.env("THROUGHLINE_MAPPINGS", Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings"));
    command
}

/// Writes the records of some clients.
fn write(path: &Path, clients: u64) {
    let order = Order { clients, seed: 11, tenant: TENANT.into() };
    let mut file = BufWriter::new(File::create(path).unwrap());
    synth::write(&order, &mut file).unwrap();
}

fn contents(data: &Path) -> String {
    let store = SqliteStore::open(&data.join("store.sqlite")).unwrap();
    let counts = store.record_counts().unwrap();
    format!("{:#?}", (counts, store.quarantine().unwrap().len(), resources(&store, &[TENANT])))
}

#[test]
fn an_ingest_that_fills_the_disk_says_so_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("records.ndjson"), 12);
    let calm = folder.path().join("calm");
    Keys::open(&calm).unwrap();
    let script = r#"
        "$THROUGHLINE" ingest records.ndjson --data calm >/dev/null
        mkdir disk
        mount -t tmpfs -o size=12m,mode=700 tmpfs disk
        cp -p calm/keys.json disk/
        for again in 1 2; do
            code=0
            "$THROUGHLINE" ingest records.ndjson --data disk >/dev/null 2>err || code=$?
            echo "ended $code"
            cat err
        done
        mount -o remount,size=500m disk
        "$THROUGHLINE" ingest records.ndjson --data disk >/dev/null
        cp -a disk after
    "#;
    let output = apart(folder.path(), script).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "it has to be possible to mount a file system: {said}");
    assert_eq!(said.matches("ended 2\n").count(), 2, "{said}");
    assert_eq!(
        said.matches("error: the data folder's disk is full; make room").count(),
        2,
        "{said}"
    );
    let (expected, found) = (contents(&calm), contents(&folder.path().join("after")));
    assert!(expected.contains("Patient/"), "the undisturbed run made resources");
    assert!(expected == found, "the store that was full differs from the undisturbed one");
}

async fn push(served: &Served, body: &[u8]) -> Response {
    let url = format!("http://{}/platform/records", served.address);
    Push::text(body).request(&served.client, &url).send().await.unwrap()
}

async fn total(served: &Served, token: &str) -> u64 {
    let request = served.get("Patient?_summary=count").bearer_auth(token);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "what is there is still served");
    answer.json::<Value>().await.unwrap()["total"].as_u64().unwrap()
}

#[tokio::test]
async fn a_server_whose_disk_is_full_refuses_pushes_and_goes_on_once_there_is_room() {
    let folder = settled(
        "audit = 'open'\n[sources.app]\ntenant = 'hv'\npush.secret_files = ['app-secret']\n[log]\nfilter = 'error'\n",
    );
    secret(folder.path(), "app-secret", SECRET);
    Keys::open(&folder.path().join("data")).unwrap();
    write(&folder.path().join("records.ndjson"), 12);
    let records = fs::read_to_string(folder.path().join("records.ndjson")).unwrap();
    let lines: Vec<&str> = records.lines().collect();
    let bodies: Vec<Vec<u8>> =
        lines.chunks(50).map(|some| (some.join("\n") + "\n").into_bytes()).collect();
    let script = r#"
        cp -p data/keys.json keys.json
        mount -t tmpfs -o size=80m,mode=700 tmpfs data
        cp -p keys.json data/
        head -c 68000000 /dev/zero > data/ballast
        exec "$THROUGHLINE" serve --config throughline.toml
    "#;
    let command = apart(folder.path(), script);
    let mut served = Served::run(folder, command);
    let token = served.token();

    let mut stored = 0;
    let refused = loop {
        let body = bodies.get(stored).expect("the disk is too large for this test");
        let answer = push(&served, body).await;
        if answer.status().is_success() {
            stored += 1;
        } else {
            break answer;
        }
    };
    assert!(stored > 0, "some pushes had room");
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    let outcome: Value = refused.json().await.unwrap();
    assert_eq!(outcome["issue"][0]["code"], "transient", "{outcome}");
    assert!(total(&served, &token).await > 0);
    assert_eq!(served.ask("/readyz").await.0, 200, "it can still answer what is asked");

    let inside = format!("/proc/{}/root", served.child.id());
    let data =
        Path::new(&inside).join(served.folder.path().strip_prefix("/").unwrap()).join("data");
    fs::remove_file(data.join("ballast")).unwrap();
    for body in &bodies {
        let answer = push(&served, body).await;
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }
    let began = Instant::now();
    while total(&served, &token).await < 12 {
        assert!(began.elapsed() < Duration::from_secs(20), "not all clients are there");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let store = Connection::open(data.join("store.sqlite")).unwrap();
    let verdict: String = store.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    drop(store);
    served.signal(rustix::process::Signal::KILL);
    let (_, _, log) = served.ended().await;
    assert!(log.contains("disk is full; make room"), "{log}");
}
