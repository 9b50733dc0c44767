//! How long a record takes from being sent to being readable, at a hundred records a second.
//! `PUSH_SECONDS=30` goes on for half a minute.

use std::io::{Write, stderr};
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
/// Within which a record has to be readable.
const SOON: Duration = Duration::from_secs(1);

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
    let answer = Push::of(&records(number)).send(&server).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json()["stored"], 10);
    let found = server.get(&format!("Patient?identifier=cl_{number}")).await;
    assert_eq!(found.ids().len(), 1, "what is acknowledged is readable");
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_hundred_records_a_second_each_is_readable_within_a_second() {
    let server = spawn_with(|data| Sources::of_one_sender("app", "hv", secret(data, "s", SECRET)));
    assert_eq!(Push::of(&practice()).send(&server).await.status, StatusCode::OK);
    let server = Arc::new(server);
    let seconds = std::env::var("PUSH_SECONDS").ok().and_then(|text| text.parse().ok());
    let deliveries = seconds.unwrap_or(3) * 10;
    let mut ticks = tokio::time::interval(PERIOD);
    let mut sent = Vec::new();
    for number in 1_000..1_000 + deliveries {
        ticks.tick().await;
        sent.push(tokio::spawn(deliver(Arc::clone(&server), number)));
    }
    let mut times: Vec<Duration> =
        join_all(sent).await.into_iter().map(|time| time.unwrap()).collect();
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    let (half, most) = (at(50), at(99));
    let _ = writeln!(stderr(), "{deliveries} deliveries: p50 {half:.0?}, p99 {most:.0?}");
    assert!(most < SOON, "p99 is {most:?}");
}
