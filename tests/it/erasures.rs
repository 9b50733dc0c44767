//! Erasures that were granted: what goes, what stays and is named, and what stops one.

use std::sync::Arc;

use serde_json::{Value, json};
use throughline::audit::{self, Action, Actor, Question};
use throughline::domain::{Kind, TenantId};
use throughline::error::Error;
use throughline::exchange::requests::{Asked, By, Erasures, Request, Requester, Scope, Step};
use throughline::exchange::retention::{Authority, Extent};
use throughline::policy::AuditPermit;
use throughline::policy::request::{Event, Matter, Regime, State};

use crate::record_copy::{KARIN, office, signed_in, url};
use crate::support::charts::{client, diagnosis, next, session, staff, take_in, with};
use crate::support::desk::{about, record};
use crate::support::people::ELLIE;
use crate::support::server::{Server, spawn};
use crate::support::visitor::absolute;

fn tenant() -> TenantId {
    "hv".parse().unwrap()
}

/// A practice at a place, with a client who speaks Spanish.
fn practice(jurisdiction: &str) -> Server {
    let server = spawn();
    let mut records = staff();
    for one in records.iter_mut().filter(|one| one["kind"] == "organization") {
        one["data"]["jurisdiction"] = json!(jurisdiction);
    }
    records.push(with(client("cl_1", "Leaving"), json!({ "language": "es" })));
    records.push(client("cl_2", "Staying"));
    records.push(diagnosis("cl_1", "dx_1", "F41.1"));
    records.push(session(&["cl_1"], "ses_1"));
    take_in(&server, &records);
    server
}

fn asked(client: &str) -> Asked {
    Asked {
        client: client.to_owned(),
        matter: Matter::Erasure,
        regime: Some(Regime::Gdpr),
        requester: Requester {
            kind: "client".into(),
            id: Some(client.into()),
            name: Some("Ada Leaving".into()),
        },
        received: None,
        channel: "letter".into(),
        proof: Some("in_person".into()),
        scope: Scope::default(),
        statement: None,
        entry: None,
    }
}

/// A granted erasure.
fn granted(server: &Server, client: &str) -> Request {
    let requests = server.app.requests();
    let id = requests.open(&tenant(), asked(client)).unwrap().id;
    for event in [Event::ReviewStarted, Event::Approve] {
        requests.step(&tenant(), &id, Step::new(event, By::Operator)).unwrap();
    }
    requests.request(&tenant(), &id).unwrap().unwrap()
}

fn erasures(server: &Server) -> Erasures {
    let requests = Arc::new(server.app.requests());
    Erasures { requests, retention: server.app.retention() }
}

async fn carry_out(server: &Server, id: &str) -> Result<Request, Error> {
    let actor = Actor { user: Some("Karin".into()), ..Actor::operator() };
    erasures(server).carry_out(&tenant(), id, By::Operator, actor).await
}

fn hold(version: u64, until: Option<&str>) -> Value {
    let mut data = json!({ "client_id": "cl_1", "reason": "claim", "from": "2026-05-01" });
    if let Some(until) = until {
        data["to"] = json!(until);
    }
    about("cl_1", record("legal_hold", "lh_1", version, data))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_to_keep_goes_and_the_letter_is_in_the_persons_language() {
    let server = practice("AT");
    let request = granted(&server, "cl_1");
    assert!(request.letters[0].text.contains("Lo que hay que borrar"), "{:?}", request.letters);
    let would = erasures(&server).preview(&tenant(), &request.id).unwrap();
    assert!(would.is_whole && would.records >= 3, "{would:?}");
    assert!(server.get("Condition").await.text.contains("F41.1"), "looking changes nothing");
    let done = carry_out(&server, &request.id).await.unwrap();
    assert_eq!(done.state, State::Fulfilled);
    let letter = done.letters.last().unwrap();
    assert_eq!((letter.kind.as_str(), letter.language.as_str()), ("erased", "es"));
    let count = format!("Aquí se han borrado {} registros", would.records);
    assert!(letter.text.contains(&count), "{}", letter.text);
    assert!(letter.text.contains("Ada Leaving"), "{}", letter.text);
    for path in ["Condition", "Encounter", "Task", "Patient?family=Leaving"] {
        let left = server.get(path).await;
        assert!(left.ids().is_empty(), "{path}: {}", left.text);
    }
    assert_eq!(server.get("Patient").await.ids().len(), 1, "nobody else went");
    let question = Question { count: 100, ..Question::default() };
    let permit = AuditPermit::operator(tenant());
    let events = audit::search(&**server.app.audit().ledger(), &permit, &question).unwrap().events;
    let purged = events.iter().find(|event| event.action == Action::Purged).unwrap();
    assert_eq!(purged.noted("authority"), Some(format!("request {}", request.id).as_str()));
    assert_eq!(purged.who.user.as_deref(), Some("Karin"));
    let again = carry_out(&server, &request.id).await.unwrap_err();
    assert!(matches!(again, Error::Conflict { .. }), "it is done once: {again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_law_keeps_stays_and_is_named_with_its_law_and_its_day() {
    let server = practice("DE");
    let request = granted(&server, "cl_1");
    let done = carry_out(&server, &request.id).await.unwrap();
    assert_eq!(done.state, State::Fulfilled);
    let letter = &done.letters.last().unwrap().text;
    assert!(letter.contains("Se conserva hasta el"), "{letter}");
    assert!(letter.contains("diagnósticos (1; BGB 630f(3))"), "{letter}");
    assert!(server.get("Condition").await.text.contains("F41.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_set_after_the_grant_stops_it() {
    let server = practice("AT");
    let request = granted(&server, "cl_1");
    take_in(&server, &[hold(1, None)]);
    for refused in [
        erasures(&server).preview(&tenant(), &request.id).map(|_| ()).unwrap_err(),
        carry_out(&server, &request.id).await.map(|_| ()).unwrap_err(),
    ] {
        let is_held = matches!(&refused, Error::Conflict { hint } if hint.contains("legal hold"));
        assert!(is_held, "{refused}");
    }
    let kept = server.app.requests().request(&tenant(), &request.id).unwrap().unwrap();
    assert_eq!(kept.state, State::Approved, "it waits");
    assert!(server.get("Condition").await.text.contains("F41.1"));
    let mut over = hold(2, Some("2026-05-02"));
    over["updated_at"] = json!("2026-11-04T17:03:11.004Z");
    take_in(&server, &[over]);
    assert_eq!(carry_out(&server, &request.id).await.unwrap().state, State::Fulfilled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_on_a_record_that_was_merged_into_the_clients_counts_too() {
    let server = practice("AT");
    let merged = |id: &str, into: &str| with(client(id, "Same"), json!({ "merged_into": into }));
    take_in(
        &server,
        &[client("cl_8", "Same"), merged("cl_9", "cl_8"), next(merged("cl_8", "cl_1"), 2)],
    );
    let mut held = about("cl_9", hold(1, None));
    held["data"]["client_id"] = json!("cl_9");
    take_in(&server, &[held]);
    let requests = server.app.requests();
    let id = requests.open(&tenant(), asked("cl_1")).unwrap().id;
    requests.step(&tenant(), &id, Step::new(Event::ReviewStarted, By::Operator)).unwrap();
    let refused = requests.step(&tenant(), &id, Step::new(Event::Approve, By::Operator));
    let is_held = matches!(&refused, Err(Error::Conflict { hint }) if hint.contains("legal hold"));
    assert!(is_held, "{refused:?}");
    let of_merged = requests.open(&tenant(), asked("cl_9"));
    assert!(matches!(of_merged, Err(Error::NotFound)), "of whom it was merged into: {of_merged:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_ended_before_its_letter_is_finished_by_the_next_try() {
    let server = practice("AT");
    let request = granted(&server, "cl_1");
    let authority = Authority { by: Actor::operator(), by_what: format!("request {}", request.id) };
    let erasing = server.app.retention();
    erasing.erase(&tenant(), "cl_1", &authority, Extent::WhatNobodyHasToKeep).await.unwrap();
    let done = carry_out(&server, &request.id).await.unwrap();
    assert_eq!(done.state, State::Fulfilled);
    assert_eq!(done.letters.last().unwrap().kind, "erased");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_erasure_that_was_granted_as_a_whole_is_carried_out() {
    let server = practice("AT");
    let requests = server.app.requests();
    let open = requests.open(&tenant(), asked("cl_1")).unwrap().id;
    let other = Asked { matter: Matter::Accounting, ..asked("cl_1") };
    let accounting = requests.open(&tenant(), other).unwrap().id;
    for event in [Event::ReviewStarted, Event::Approve] {
        requests.step(&tenant(), &accounting, Step::new(event, By::Operator)).unwrap();
    }
    for id in [&open, &accounting] {
        let refused = carry_out(&server, id).await.unwrap_err();
        assert!(matches!(refused, Error::Conflict { .. }), "{refused}");
    }
    assert!(matches!(carry_out(&server, "tlr-none").await.unwrap_err(), Error::NotFound));
    assert!(server.get("Condition").await.text.contains("F41.1"), "nothing went");
    assert!(server.app.store().source(&tenant(), Kind::Client, "cl_1").unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_privacy_officer_sees_at_the_desk_what_stays_before_they_erase() {
    let server = office();
    let request = granted(&server, ELLIE);
    let mut karin = signed_in(&server, KARIN).await;
    let place = url(&server, &format!("/staff/requests/{}", request.id));
    let page = karin.get(&place).await;
    assert!(page.text.contains("These stay, and the letter says so:"), "{}", page.text);
    assert!(page.text.contains("C.R.S. 12-245-226"), "{}", page.text);
    let csrf = page.token("/staff/erasures");
    let send = async |karin: &mut crate::support::visitor::Visitor, sure: &str| {
        let fields = [("csrf", csrf.as_str()), ("request", request.id.as_str()), ("sure", sure)];
        let sent = karin.post(&url(&server, "/staff/erasures"), &fields).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        karin.get(&absolute(&sent.url, sent.location())).await.text
    };
    let unsure = send(&mut karin, "").await;
    assert!(unsure.contains("The step was not taken"), "{unsure}");
    let done = send(&mut karin, "1").await;
    assert!(done.contains("Kept until"), "the letter: {done}");
    let kept = server.app.requests().request(&tenant(), &request.id).unwrap().unwrap();
    assert_eq!(kept.state, State::Fulfilled);
    let mut ellie = signed_in(&server, ELLIE).await;
    let asked = ellie.post(&url(&server, "/staff/erasures"), &[("request", &request.id)]).await;
    assert_eq!(asked.status, 403);
}
