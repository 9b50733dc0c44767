//! Care that goes over to receivers without a FHIR server: by a link, which people of the practice send.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use reqwest::StatusCode;
use serde_json::{Value, json};
use throughline::clock::{Clock, SystemClock};
use throughline::config::LoginSettings;
use throughline::exchange::transfers::{Handed, Handing, Step, Wanted};
use throughline::policy::transfer::{Event, State};

use crate::birthday::Hands;
use crate::support::people::{BACK, ELLIE, MARISOL, PRACTICE, accounts, practice_at_clock};
use crate::transfers::{ELENA, Practice, events};

/// A receiver without a server, and the client whose consents say what it may have.
fn settings() -> String {
    "[[receivers]]\nname = 'paper'\ntenant = 'hv'\ntitle = 'Elm Street Practice'\n\
     client = 'ehr-frfm'\ntakes = 'link'\n\
     [[clients]]\nid = 'ehr-frfm'\ntenant = 'hv'\nname = 'Elm Street Practice'\nauth = 'public'\n\
     redirect_uris = ['https://app.example/back']\nscopes = 'system/*.rs'\n"
        .to_owned()
}

/// A link that somebody was shown.
struct Shown {
    id: String,
    link: String,
    passcode: String,
}

/// What a command told after it handed a transfer out.
fn shown(told: &str) -> Shown {
    let line = |name: &str| {
        let found = told.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap_or_else(|| unreachable!("{name} in {told}")).trim().to_owned()
    };
    let id = told.lines().next().unwrap().trim_start_matches("id ").trim().to_owned();
    Shown { id, link: line("link "), passcode: line("passcode ") }
}

fn handed(practice: &Practice) -> Shown {
    let (code, out, err) = practice.transfer(&[
        "create",
        "--client",
        ELENA,
        "--to",
        "paper",
        "--reason",
        "Moves to Boulder",
        "--approve",
    ]);
    assert_eq!(code, Some(0), "{err}");
    shown(&out)
}

/// Somebody opens a link, at the server as it can be reached by the test.
async fn open(practice: &Practice, link: &Shown, passcode: &str) -> (StatusCode, Value) {
    let text = URL_SAFE_NO_PAD.decode(link.link.strip_prefix("shlink:/").unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(payload["flag"], "P", "{payload}");
    let secret = payload["url"].as_str().unwrap().split("/links/").nth(1).unwrap().to_owned();
    let url = format!("http://{}/links/{secret}", practice.served.address);
    let asking = json!({ "recipient": "Dr. Elm", "passcode": passcode });
    let answer = practice.served.client.post(url).json(&asking).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn opening_the_link_acknowledges_the_transfer() {
    let practice = Practice::open(&settings());
    let link = handed(&practice);
    let ready = practice.shown(&link.id);
    assert_eq!((&ready["state"], &ready["channel"]), (&json!("ready"), &json!("portal_link")));
    assert_eq!(ready["package"]["sha256"].as_str().map(str::len), Some(64), "{ready}");
    let (_, listed, _) = practice.run(&["link", "list", "--tenant", "hv"]);
    assert!(listed.contains("waiting") && listed.contains("for ehr-frfm"), "{listed}");
    for secret in [&link.link, &link.passcode] {
        assert!(!ready.to_string().contains(secret.as_str()), "both can be read once");
    }
    let (status, left) = open(&practice, &link, "00").await;
    assert_eq!((status, &left["remainingAttempts"]), (StatusCode::UNAUTHORIZED, &json!(9)));
    let (status, files) = open(&practice, &link, &link.passcode).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(files["files"].as_array().map(Vec::len), Some(2), "{files}");
    let done = practice.becomes(&link.id, "received").await;
    assert_eq!(events(&done), ["approve", "delivered", "understood"]);
    assert_eq!(done["ack"]["kind"], "application");
    assert_eq!(done["attempts"][0]["channel"], "portal_link");
    let (code, _, err) = practice.transfer(&["cancel", &link.id]);
    assert_eq!(code, Some(2), "what they have cannot be called back: {err}");
    let (code, _, err) = practice.transfer(&["answer", &link.id, "complete"]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(practice.shown(&link.id)["ack"]["kind"], "clinical");
}

#[tokio::test]
async fn a_consent_that_is_taken_back_after_the_link_was_sent_kills_it() {
    let practice = Practice::open(&settings());
    let (unopened, opened) = (handed(&practice), handed(&practice));
    assert_eq!(open(&practice, &opened, &opened.passcode).await.0, StatusCode::OK);
    practice.becomes(&opened.id, "received").await;
    practice.revoke("solo-cbt", "con_105");
    for link in [&unopened, &opened] {
        assert_eq!(open(&practice, link, &link.passcode).await.0, StatusCode::NOT_FOUND);
    }
    let ended = practice.becomes(&unopened.id, "cancelled").await;
    assert_eq!(events(&ended), ["approve", "consent_ended"]);
    let noted = practice.until(&opened.id, |found| events(found).len() == 4).await;
    assert_eq!(events(&noted), ["approve", "delivered", "understood", "consent_ended_after"]);
    assert_eq!(noted["state"], "received", "what was opened before is with the receiver");
    let (code, _, err) = practice.transfer(&["resend", &opened.id]);
    assert_eq!(code, Some(2), "{err}");
    let (_, listed, _) = practice.run(&["link", "list", "--tenant", "hv"]);
    assert_eq!(listed.matches("revoked").count(), 2, "{listed}");
}

#[tokio::test]
async fn whoever_stops_a_transfer_takes_the_link_back_unless_it_was_opened() {
    let practice = Practice::followed(&settings(), 3600);
    let stopped = handed(&practice);
    let (code, out, err) = practice.transfer(&["cancel", &stopped.id, "--reason", "Stays"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("state     cancelled"), "{out}");
    assert_eq!(open(&practice, &stopped, &stopped.passcode).await.0, StatusCode::NOT_FOUND);
    let opened = handed(&practice);
    assert_eq!(open(&practice, &opened, &opened.passcode).await.0, StatusCode::OK);
    let (code, _, err) = practice.transfer(&["cancel", &opened.id]);
    assert_eq!(code, Some(2));
    // It may have been noted already that they have it.
    let why =
        ["the receiver has opened the link", "a transfer that is received cannot have cancel"];
    assert!(why.iter().any(|why| err.contains(why)), "{err}");
}

#[tokio::test]
async fn a_link_that_is_guessed_at_fails_and_the_next_one_opens() {
    let practice = Practice::open(&settings());
    let first = handed(&practice);
    for _ in 0..10 {
        assert_eq!(open(&practice, &first, "guess").await.0, StatusCode::UNAUTHORIZED);
    }
    practice.becomes(&first.id, "failed").await;
    let (_, told, _) = practice.transfer(&["show", &first.id]);
    assert!(told.contains("passcode_locked"), "{told}");
    let (code, listed, _) = practice.transfer(&["list", "--all"]);
    assert_eq!(code, Some(1), "{listed}");
    let (code, out, err) = practice.transfer(&["resend", &first.id]);
    assert_eq!(code, Some(0), "{err}");
    let second = shown(&out);
    assert_eq!(open(&practice, &first, &first.passcode).await.0, StatusCode::NOT_FOUND);
    assert_eq!(open(&practice, &second, &second.passcode).await.0, StatusCode::OK);
    practice.becomes(&first.id, "received").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_nobody_opens_is_reminded_of_and_runs_out_with_the_transfer() {
    let clock = Arc::new(Hands(AtomicI64::new(SystemClock.now().as_millisecond())));
    let login = LoginSettings::of_demo("hv", PRACTICE, accounts());
    let server = practice_at_clock(login, BACK, &[], Arc::clone(&clock) as _);
    let (tenant, transfers) = ("hv".parse().unwrap(), server.app.transfers());
    let wanted = Wanted {
        client: ELLIE.to_owned(),
        receiver: "frfm".to_owned(),
        reason: "Moves to Boulder".to_owned(),
        urgency: "routine".to_owned(),
        sections: Vec::new(),
        notes: Vec::new(),
        by_link: true,
        by: MARISOL.to_owned(),
        key: None,
    };
    let (draft, _) = transfers.create(&tenant, wanted).unwrap();
    let handing = Handing {
        transfers: transfers.clone(),
        links: server.app.links(),
        audit: Arc::clone(server.app.audit()),
        origin: server.origin().to_owned(),
    };
    let handed = handing.step(&tenant, &draft.id, Event::Approve, Step::by(MARISOL)).await;
    let Handed { transfer, link } = handed.unwrap();
    assert_eq!((transfer.state, link.is_some()), (State::Ready, true));
    let forward = |days: i64| {
        let later = clock.now() + SignedDuration::from_hours(24 * days);
        clock.0.store(later.as_millisecond(), Ordering::SeqCst);
    };
    assert!(!transfer.needs_somebody(clock.now()));
    forward(4);
    assert!(transfer.needs_somebody(clock.now()), "after three days somebody is to ask");
    forward(11);
    let began = Instant::now();
    let ended = loop {
        let found = transfers.transfer(&tenant, &draft.id).unwrap().unwrap();
        if found.state.is_closed() {
            break found;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{:?}", found.history);
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(ended.state, State::Expired);
    assert_eq!(ended.history.last().unwrap().event, Event::Expire);
    let name = ended.link.unwrap();
    let link = server.app.links().find(&tenant, &name).await.unwrap().unwrap();
    assert!(!link.state(clock.now()).is_alive());
}
