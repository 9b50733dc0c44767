//! What a consent that ends has closed is told in `deleted` to whom it was open, and to nobody else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use throughline::app::Config;
use throughline::policy::{OUTSIDE, Purpose, Under};

use crate::bulk::{begin, done};
use crate::support::charts::{
    EHR, client, diagnosis, form, message, next, release, revoked, session, staff, take_in,
};
use crate::support::postgres;
use crate::support::server::{Server, spawn_as_new};

/// Another practice, which nobody has let in.
const OTHER: &str = "ehr-other";

fn filled() -> Server {
    let keys = json!({ "jwks": { "keys": [] } });
    let clients = [EHR, OTHER].map(|id| crate::support::smart::client(id, "asymmetric", &keys));
    let server = spawn_as_new(Config { clients: clients.into(), ..Config::default() });
    let mut all = staff();
    all.extend([
        client("cl_1", "Open"),
        diagnosis("cl_1", "dx_1", "F41.1"),
        session(&["cl_1"], "ses_1"),
        message("cl_1", "msg_1"),
        form("cl_1", "con_1"),
        release("cl_1", "con_1", &["diagnosis", "session_log"]),
        client("cl_2", "Silent"),
        diagnosis("cl_2", "dx_2", "F40.1"),
    ]);
    take_in(&server, &all);
    server
}

fn token(server: &Server, client: &str) -> String {
    server.looking(Under::of_client(client, Some(Purpose::Treatment)), "system/*.rs", None)
}

/// What the manifest of an export says is gone, and when it was asked for.
async fn deleted(server: &Server, token: &str, since: Option<&str>) -> (BTreeSet<String>, String) {
    let path = since.map_or("$export".to_owned(), |since| format!("$export?_since={since}"));
    let url = begin(server, token, &path).await;
    let manifest = done(server, token, &url).await;
    let mut gone = BTreeSet::new();
    for file in manifest["deleted"].as_array().unwrap() {
        let text = server.by_token(token, file["url"].as_str().unwrap()).await.text;
        for line in text.lines() {
            let bundle: Value = serde_json::from_str(line).unwrap();
            for entry in bundle["entry"].as_array().unwrap() {
                assert_eq!(entry["request"]["method"], "DELETE", "{bundle}");
                gone.insert(entry["request"]["url"].as_str().unwrap().to_owned());
            }
        }
    }
    (gone, manifest["transactionTime"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_revocation_has_closed_is_told_to_whom_it_was_open_alone() {
    let server = filled();
    let (ehr, other) = (token(&server, EHR), token(&server, OTHER));
    // What is nobody's is open to all.
    let of = |all: &BTreeMap<String, Value>| {
        let own = |key: &&String| !OUTSIDE.contains(&key.split('/').next().unwrap_or_default());
        all.keys().filter(own).cloned().collect::<BTreeSet<_>>()
    };
    let open = of(&server.all_of(&ehr).await);
    assert!(open.iter().any(|key| key.starts_with("Condition/")), "{open:?}");
    assert!(!open.iter().any(|key| key.starts_with("Communication/")), "{open:?}");
    let (gone, before) = deleted(&server, &ehr, None).await;
    assert!(gone.is_empty(), "who asks for all is not told what is gone");
    let (gone, _) = deleted(&server, &ehr, Some(&before)).await;
    assert!(gone.is_empty(), "nothing has ended: {gone:?}");

    take_in(&server, &[next(revoked(release("cl_1", "con_1", &["diagnosis", "session_log"])), 20)]);
    tokio::time::sleep(Duration::from_millis(20)).await;
    take_in(&server, &[diagnosis("cl_1", "dx_3", "F42.2")]);
    assert!(of(&server.all_of(&ehr).await).is_empty());
    let (gone, _) = deleted(&server, &ehr, Some(&before)).await;
    assert_eq!(gone, open, "what came after the end, or was never open, is not told");
    let (gone, _) = deleted(&server, &other, Some(&before)).await;
    assert!(gone.is_empty(), "it does not concern them: {gone:?}");
    let (gone, _) = deleted(&server, &server.token, Some(&before)).await;
    assert!(gone.is_empty(), "nothing is closed to the practice itself: {gone:?}");

    take_in(&server, &[form("cl_1", "con_9"), release("cl_1", "con_9", &["diagnosis"])]);
    let (gone, _) = deleted(&server, &ehr, Some(&before)).await;
    assert!(!gone.iter().any(|key| key.starts_with("Condition/")), "open again: {gone:?}");
    assert!(gone.iter().any(|key| key.starts_with("Encounter/")), "{gone:?}");
}

/// The same over PostgreSQL.
#[test]
fn all_of_it_holds_over_a_database_too() {
    postgres::again(&[what_a_revocation_has_closed_is_told_to_whom_it_was_open_alone]);
}
