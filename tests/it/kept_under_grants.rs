//! A record that was kept as somebody sees it under grants is shown again while they see the same, and to
//! nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};
use throughline::app::Config;

use crate::birthday::Hands;
use crate::support::charts::{
    client, diagnosis, form, holding, message, next, release, revoked, session, staff, take_in,
    with,
};
use crate::support::server::{Server, spawn_at};

/// The entries of everything about a patient, as kept and as put together anew.
async fn both(server: &Server, token: &str, patient: &str, fresh: u32) -> [Value; 2] {
    let kept = format!("{patient}/$everything");
    let fresh = format!("{patient}/$everything?_count={fresh}");
    let asked = [server.by_token(token, &kept).await, server.by_token(token, &fresh).await];
    asked.map(|answer| match answer.status.as_u16() {
        200 => answer.json()["entry"].clone(),
        status => json!(status),
    })
}

/// What happens, the records that say so, and whether it changes what the recipient sees.
type Step<'a> = (&'a str, &'a dyn Fn() -> Vec<Value>, bool);

/// What the client themself and a recipient see of a record, kept, which is what is put together anew.
async fn shown(server: &Server, patient: &str, step: &str, fresh: u32) -> [String; 2] {
    let mut shown = Vec::new();
    for token in [server.of_person(patient, patient), server.of_recipient()] {
        let [kept, made] = both(server, &token, patient, fresh).await;
        assert_eq!(kept, made, "{step}");
        let before = server.memory_hits();
        assert_eq!(both(server, &token, patient, fresh).await, [kept.clone(), made], "{step}");
        assert_eq!(server.memory_hits() - before, if kept.is_array() { 2 } else { 0 }, "{step}");
        shown.push(kept.to_string());
    }
    shown.try_into().unwrap()
}

/// Two clients with a session in common, each of whom released something.
fn practice(given: &Value) -> Vec<Value> {
    let mut records = staff();
    records.extend([
        client("cl_1", "One"),
        client("cl_2", "Two"),
        diagnosis("cl_1", "dx_1", "F41.1"),
        diagnosis("cl_2", "dx_2", "F41.1"),
        session(&["cl_1", "cl_2"], "ses_1"),
        form("cl_1", "con_1"),
        form("cl_1", "con_2"),
        given.clone(),
        release("cl_2", "con_3", &["diagnosis"]),
        form("cl_2", "con_3"),
    ]);
    records
}

#[tokio::test]
async fn what_is_kept_under_grants_is_what_would_be_put_together() {
    let start: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
    let clock = Arc::new(Hands(AtomicI64::new(start.as_millisecond())));
    let server = spawn_at(Config::default(), Arc::clone(&clock) as _);
    let given = release("cl_1", "con_1", &["diagnosis", "session_log"]);
    take_in(&server, &practice(&given));
    let all = server.all_of(&server.of_practice()).await;
    let patient = holding(&all, "Patient", "One");
    let later = |hours: i64| {
        clock.0.fetch_add(hours * 3_600_000, Ordering::SeqCst);
        Vec::new()
    };
    let until = |date: &str| {
        let given = release("cl_1", "con_2", &["message", "session_log"]);
        with(given, json!({"expires": {"date": date}}))
    };
    let no = json!({"decision": "deny", "signed_at": "2026-11-01T00:00:00Z"});
    let no = with(release("cl_1", "con_4", &["session_log"]), no);
    let steps: [Step<'_>; 9] = [
        ("at first", &Vec::new, true),
        ("of another", &|| vec![diagnosis("cl_2", "dx_3", "F32.1")], false),
        ("more", &|| vec![diagnosis("cl_1", "dx_4", "F32.1"), message("cl_1", "msg_1")], true),
        ("taken back", &|| vec![next(revoked(given.clone()), 2)], true),
        ("given for days", &|| vec![until("2026-11-23")], true),
        ("a day later", &|| later(24), false),
        ("when it has ended", &|| later(96), true),
        ("given anew", &|| vec![next(until("2099-01-01"), 2)], true),
        ("restricted", &|| vec![form("cl_1", "con_4"), no.clone()], true),
    ];
    let mut before = String::new();
    for (fresh, (step, change, is_seen)) in (400..).zip(&steps) {
        let records = change();
        if !records.is_empty() {
            take_in(&server, &records);
        }
        let [own, theirs] = shown(&server, &patient, step, fresh).await;
        assert_eq!(theirs != before, *is_seen, "{step}");
        assert_eq!(own == theirs, ["at first", "of another"].contains(step), "{step}");
        before = theirs;
    }
}

#[tokio::test]
async fn a_page_that_turns_on_records_of_another_is_not_kept() {
    let server = spawn_at(Config::default(), Arc::new(throughline::clock::SystemClock));
    let merged = with(client("cl_2", "Two"), json!({"merged_into": "cl_1"}));
    let mut records = staff();
    records.extend([client("cl_1", "One"), client("cl_2", "Two"), next(merged, 2)]);
    take_in(&server, &records);
    let all = server.all_of(&server.of_practice()).await;
    let patient = holding(&all, "Patient", "One");
    let linked = all[&patient]["link"].is_array();
    let token = server.of_person(&patient, &patient);
    for _ in 0..2 {
        let before = server.memory_hits();
        let answer = server.by_token(&token, &format!("{patient}/$everything")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(linked, "the test needs a reference: {}", all[&patient]);
        assert_eq!(server.memory_hits(), before);
    }
}
