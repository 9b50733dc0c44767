//! An export whose server is killed goes on where it was.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use rustix::process::Signal;
use serde_json::Value;
use throughline::exchange::synth::{self, Order};

use crate::support::served::{Served, command, settled};

/// Short files and short leases, so that there is much to go on with, soon.
const SETTINGS: &str = "[bulk]\nresources_per_file = 50\n[jobs]\nlease_s = 3\nlook_s = 1\n";

struct Client<'a> {
    served: &'a Served,
    token: &'a str,
}

impl Client<'_> {
    async fn get(&self, url: &str) -> reqwest::Response {
        // The port is another after a new start.
        let path = url.split("/fhir/").nth(1).unwrap_or(url);
        let request = self.served.get(path).bearer_auth(self.token);
        request.header("Prefer", "respond-async").send().await.unwrap()
    }

    async fn begin(&self) -> String {
        let begun = self.get("$export").await;
        assert_eq!(begun.status(), StatusCode::ACCEPTED);
        begun.headers()["content-location"].to_str().unwrap().to_owned()
    }

    /// Waits for the manifest, and gives the names of everything in the files, as often as they are there.
    async fn names(&self, url: &str) -> Vec<String> {
        let began = Instant::now();
        let manifest: Value = loop {
            let answer = self.get(url).await;
            if answer.status() == StatusCode::OK {
                break answer.json().await.unwrap();
            }
            assert_eq!(answer.status(), StatusCode::ACCEPTED);
            assert!(began.elapsed() < Duration::from_mins(2), "an export that does not end");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let mut names = Vec::new();
        for file in manifest["output"].as_array().unwrap() {
            let text = self.get(file["url"].as_str().unwrap()).await.text().await.unwrap();
            assert_eq!(file["count"], text.lines().count());
            for line in text.lines() {
                let resource: Value = serde_json::from_str(line).unwrap();
                names.push(format!("{} {}", resource["resourceType"], resource["id"]));
            }
        }
        names
    }
}

/// How many parts of an export are finished, as the command says it.
fn finished(served: &Served, url: &str) -> u32 {
    let id = url.rsplit('/').next().unwrap();
    let output = command(served.folder.path(), &["jobs", "show", id]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("finished parts")).unwrap();
    line.trim().parse().unwrap()
}

#[tokio::test]
async fn an_export_whose_server_is_killed_goes_on_and_holds_everything_once() {
    let folder = settled(SETTINGS);
    let records = folder.path().join("records.ndjson");
    let order = Order { clients: 120, seed: 3, tenant: "hv".into() };
    synth::write(&order, &mut fs::File::create(&records).unwrap()).unwrap();
    let taken = command(folder.path(), &["ingest", "records.ndjson"]).output().unwrap();
    assert!(taken.status.code().is_some_and(|code| code < 2), "{taken:?}");
    let serve = command(folder.path(), &["serve"]);
    let mut served = Served::run(folder, serve);
    let token = served.token();
    let client = Client { served: &served, token: &token };
    let url = client.begin().await;
    let before = loop {
        let answer = client.get(&url).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED, "it was too fast to be killed");
        let progress = answer.headers()["x-progress"].to_str().unwrap().to_owned();
        if progress.ends_with("resources") && !progress.starts_with("0 ") {
            break progress;
        }
    };
    served.signal(Signal::KILL);
    served.ended().await;
    let parts = finished(&served, &url);
    assert!(parts > 0, "{before}");
    let folder = std::mem::replace(&mut served.folder, tempfile::tempdir().unwrap());
    let serve = command(folder.path(), &["serve"]);
    let served = Served::run(folder, serve);
    let client = Client { served: &served, token: &token };
    let names = client.names(&url).await;
    assert!(finished(&served, &url) > parts, "{before}: nothing was left to go on with");
    let unique: BTreeSet<&String> = names.iter().collect();
    assert_eq!(unique.len(), names.len(), "nothing is there twice");
    let mut fresh = client.names(&client.begin().await).await;
    let mut names = names;
    fresh.sort();
    names.sort();
    assert_eq!(names, fresh);
}
