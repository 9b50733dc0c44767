//! Requests about records that the platform brings, and letters that the practice types in.

use reqwest::StatusCode;
use serde_json::{Value, json};
use throughline::policy::request::State;

use crate::record_copy::{KARIN, office, signed_in, url, with_notes};
use crate::support::people::{ELLIE, JOEL, LUCIA, MATEO};
use crate::support::platform::Push;
use crate::support::server::{Answer, Server};
use crate::support::visitor::Visitor;

fn opening(more: &Value) -> Value {
    let mut opening = json!({
        "client_id": ELLIE, "type": "amendment", "channel": "app",
        "received_at": "2026-01-05T10:00:00-07:00",
        "requester": { "kind": "client", "id": ELLIE, "name": "Ellie Marsh" },
        "statement": "ZZSTATEMENT is wrong",
    });
    opening.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    opening
}

fn signed(target: &str, body: impl Into<Vec<u8>>) -> Push {
    Push { target: Box::leak(target.to_owned().into_boxed_str()), ..Push::text(body) }
}

async fn get(server: &Server, target: &str) -> Answer {
    let push = Push { method: "GET", ..signed(target, "") };
    let request = server.client.get(url(server, target));
    let request = push.headers().into_iter().fold(request, |one, (k, v)| one.header(k, v));
    server.send(request).await
}

#[tokio::test]
async fn the_platform_opens_a_request_reads_it_and_moves_it_on() {
    let server = office();
    let push = signed("/platform/requests", opening(&json!({})).to_string());
    let opened = push.send(&server).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.text);
    let id = opened.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(opened.json()["due"], "2026-03-06", "60 days from receipt");
    let again = push.send(&server).await;
    assert_eq!((again.status, &again.json()["id"]), (StatusCode::OK, &json!(id)));

    let list = get(&server, "/platform/requests").await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.text);
    assert!(list.text.contains(&id) && list.text.contains("\"overdue\":true"), "{}", list.text);
    assert!(!list.text.contains("ZZSTATEMENT"), "{}", list.text);
    let target = format!("/platform/requests/{id}");
    let read = get(&server, &target).await.json();
    assert_eq!(read["statement"], "ZZSTATEMENT is wrong");

    let steps = format!("{target}/steps");
    let step = async |body: Value| signed(&steps, body.to_string()).send(&server).await;
    let started = step(json!({ "event": "review_started" })).await;
    assert_eq!(started.json()["state"], "in_review", "{}", started.text);
    let groundless = step(json!({ "event": "deny", "reason": "No." })).await;
    assert_eq!(groundless.status, StatusCode::BAD_REQUEST);
    assert!(groundless.text.contains("say on which ground"), "{}", groundless.text);
    let denied = step(json!({ "event": "deny", "reason": "No.", "ground": "accurate" })).await;
    let denied = denied.json();
    assert_eq!(denied["state"], "denied");
    assert!(denied["letters"][0]["text"].as_str().unwrap().contains("164.526(a)(2)(iv)"));
    assert_eq!(denied["history"][0]["by"], "platform:app");
    let wrong = step(json!({ "event": "deny", "what": 1 })).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{}", wrong.text);
}

#[tokio::test]
async fn a_copy_that_the_platform_asks_for_comes_to_review_as_any_other() {
    let server = office();
    with_notes(&server);
    let copy = json!({ "type": "access", "proof": "portal_session", "received_at": null });
    let opened = signed("/platform/requests", opening(&copy).to_string()).send(&server).await;
    let id = opened.json()["id"].as_str().unwrap().to_owned();
    let read = get(&server, &format!("/platform/requests/{id}")).await.json();
    assert_eq!(read["state"], "received", "somebody has to look at two entries first");
    let waiting: Vec<_> = read["entries"].as_array().unwrap().iter().collect();
    assert_eq!(waiting.len(), 2, "{read}");
    assert!(!read.to_string().contains("ZZENDANGERS"), "what they say is not in it");
}

#[tokio::test]
async fn nobody_brings_a_request_who_does_not_sign_or_speaks_for_another_practice() {
    let server = office();
    let good = signed("/platform/requests", opening(&json!({})).to_string());
    let forged = Push { secret: "x".repeat(40), ..good.clone() };
    let old = Push { timestamp: good.timestamp - 4_000, ..good };
    for (push, status) in [(forged, StatusCode::UNAUTHORIZED), (old, StatusCode::BAD_REQUEST)] {
        let answer = push.send(&server).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    for path in ["/platform/requests", "/platform/requests/tlr-1"] {
        let bare = server.send(server.client.get(url(&server, path))).await;
        assert_eq!(bare.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let missing = get(&server, "/platform/requests/tlr-none").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND, "{}", missing.text);
    let nobody = opening(&json!({ "client_id": "cl_none" })).to_string();
    let nobody = signed("/platform/requests", nobody).send(&server).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND, "{}", nobody.text);
    let strange = opening(&json!({ "type": "everything" })).to_string();
    let strange = signed("/platform/requests", strange).send(&server).await;
    assert_eq!(strange.status, StatusCode::BAD_REQUEST, "{}", strange.text);
    assert!(server.app.requests().all(&"hv".parse().unwrap()).unwrap().is_empty());
}

/// Types a letter in; answers where the browser is sent.
async fn typed(server: &Server, staff: &mut Visitor, more: &[(&str, &str)]) -> String {
    let page = staff.get(&url(server, "/staff/letters")).await;
    let csrf = page.token("/staff/letters");
    let mut fields = vec![("csrf", csrf.as_str())];
    let standard = [
        ("client", ELLIE),
        ("type", "access"),
        ("requester", "client"),
        ("name", "Ellie Marsh"),
        ("received", "2026-01-05"),
        ("channel", "letter"),
        ("proof", "notarized"),
        ("format", "paper"),
    ];
    let is_replaced = |name: &str| more.iter().any(|(known, _)| *known == name);
    fields.extend(standard.into_iter().filter(|(name, _)| !is_replaced(name)));
    fields.extend(more);
    let sent = staff.post(&url(server, "/staff/letters"), &fields).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    sent.location().to_owned()
}

#[tokio::test]
async fn a_letter_is_typed_in_with_the_day_on_which_it_came() {
    let server = office();
    let tenant = "hv".parse().unwrap();
    let mut karin = signed_in(&server, KARIN).await;
    let place = typed(&server, &mut karin, &[]).await;
    let page = karin.get(&url(&server, &place)).await.text;
    assert!(page.contains("Ellie Marsh") && page.contains("A copy of the record"), "{page}");
    assert!(page.contains("4 February 2026"), "overdue since then: {page}");
    for wrong in [("client", "cl_none"), ("received", "2999-01-01"), ("received", "soon")] {
        let place = typed(&server, &mut karin, &[wrong]).await;
        assert!(place.ends_with("wrong=1"), "{wrong:?}: {place}");
    }
    let silent = typed(&server, &mut karin, &[("type", "restriction")]).await;
    assert!(silent.ends_with("wrong=1"), "a limit says what is meant");
    let parent = [("client", MATEO), ("requester", "proxy"), ("party", LUCIA)];
    let place = typed(&server, &mut karin, &parent).await;
    let id = place.rsplit('/').next().unwrap();
    let kept = server.app.requests().request(&tenant, id).unwrap().unwrap();
    assert_eq!((kept.party(), kept.state), (Some(LUCIA), State::Received), "paper waits");
    assert_eq!(server.app.requests().all(&tenant).unwrap().len(), 2);

    let mut joel = signed_in(&server, JOEL).await;
    assert_eq!(joel.get(&url(&server, "/staff/letters")).await.status, 403);
    let mut ellie = signed_in(&server, ELLIE).await;
    assert_eq!(ellie.get(&url(&server, "/staff/letters")).await.status, 403);
}
