//! Records that come a hundred a second: each is readable once it is acknowledged, and none waits
//! for long. How long is measured by `cargo bench --bench read -- push`; here the machine may be busy
//! with other tests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use throughline::config::Sources;

use crate::support::desk::{appointment, client, diagnosis, note, practice};
use crate::support::platform::{Push, SECRET, secret};
use crate::support::server::{Server, spawn_with};

/// The time between two deliveries of ten records.
const PERIOD: Duration = Duration::from_millis(100);
/// How many deliveries there are.
const DELIVERIES: usize = 30;
/// Within which a record has to be readable, also on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// A new client with what hangs on them: ten records.
fn records(number: usize) -> Vec<Value> {
    let id = format!("cl_{number}");
    let mut records = vec![client(1, "Okafor")];
    records.extend((0..3).map(|_| appointment(1, "booked")));
    records.extend((0..3).map(|_| diagnosis(1, "Anxiety")));
    records.extend((0..3).map(|_| note(1, "progress", "A note.")));
    for (part, record) in records.iter_mut().enumerate() {
        let own = if record["kind"] == "client" { id.clone() } else { format!("{number}_{part}") };
        record["id"] = own.into();
        for place in ["/client_ids", "/data/client_ids"] {
            if let Some(ids) = record.pointer_mut(place) {
                *ids = json!([id]);
            }
        }
        if let Some(of) = record.pointer_mut("/data/client_id") {
            *of = json!(id);
        }
    }
    records
}

/// Sends a delivery; answers how long it took until its client can be found.
async fn deliver(server: Arc<Server>, number: usize) -> Duration {
    let began = Instant::now();
    let push = Push::of(&records(number));
    let mut answer = push.send(&server).await;
    while answer.status == StatusCode::TOO_MANY_REQUESTS {
        tokio::time::sleep(PERIOD).await;
        answer = push.send(&server).await;
    }
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json()["stored"], 10);
    let found = server.get(&format!("Patient?identifier=cl_{number}")).await;
    assert_eq!(found.ids().len(), 1, "what is acknowledged is readable");
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_come_a_hundred_a_second_are_readable_soon() {
    let server = spawn_with(|data| Sources::of_one_sender("app", "hv", secret(data, "s", SECRET)));
    assert_eq!(Push::of(&practice()).send(&server).await.status, StatusCode::OK);
    let server = Arc::new(server);
    let mut ticks = tokio::time::interval(PERIOD);
    let mut sent = Vec::new();
    for number in 1_000..1_000 + DELIVERIES {
        ticks.tick().await;
        sent.push(tokio::spawn(deliver(Arc::clone(&server), number)));
    }
    for time in join_all(sent).await {
        let time = time.unwrap();
        assert!(time < SOON, "{time:?}");
    }
}
