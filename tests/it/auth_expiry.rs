//! Everything that the authorization server gives out is over at the instant that it says.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use throughline::app::Config;
use throughline::clock::Clock as _;
use throughline::config::LoginSettings;
use throughline::smart::{Launch, Told};

use crate::privacy_cases::Hands;
use crate::support::people::{ELLIE, accounts};
use crate::support::server::{Server, spawn_at};
use crate::support::smart::{approval, client, clients, parameter, request, with};
use crate::support::visitor::Visitor;

const SECOND: SignedDuration = SignedDuration::from_secs(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A server, and the hands of its clock.
fn spawn() -> (Server, Arc<Hands>) {
    let hands = Hands::at("2026-06-10T09:00:00-06:00");
    let config = Config { clients: clients(), ..Config::default() };
    (spawn_at(config, hands.clone()), hands)
}

fn pass(hands: &Hands, time: SignedDuration) {
    let later: Timestamp = hands.now().checked_add(time).unwrap();
    hands.put(&later.to_string());
}

/// The error of a request for a token; nothing, if there is one.
async fn refreshed(server: &Server, token: &str) -> Option<String> {
    let answer = server.refresh(token).await.json();
    answer["error"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_code_is_good_for_a_minute() {
    let (server, hands) = spawn();
    let (early, late) = (server.code("app", "openid").await, server.code("app", "openid").await);
    pass(&hands, SECOND * 59);
    assert_eq!(server.redeem(&early).await.status, 200);
    pass(&hands, SECOND);
    let answer = server.redeem(&late).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["error"].clone()),
        (400, json!("invalid_grant"))
    );
}

#[tokio::test]
async fn a_refresh_token_is_good_for_a_hundred_days_and_for_hours_while_somebody_is_there() {
    for (scope, lifetime) in [
        ("openid launch/patient patient/*.rs offline_access", DAY * 100),
        ("openid launch/patient patient/*.rs online_access", SignedDuration::from_hours(8)),
    ] {
        let (server, hands) = spawn();
        let (one, other) = (server.connect(scope).await, server.connect(scope).await);
        let token =
            |answer: &serde_json::Value| answer["refresh_token"].as_str().unwrap().to_owned();
        pass(&hands, lifetime - SECOND);
        assert_eq!(refreshed(&server, &token(&one)).await, None, "{scope}");
        pass(&hands, SECOND);
        assert_eq!(refreshed(&server, &token(&other)).await.unwrap(), "invalid_grant", "{scope}");
    }
}

#[tokio::test]
async fn what_a_person_allowed_until_a_day_ends_then_however_often_it_is_refreshed() {
    let (server, hands) = spawn();
    let scope = "launch/patient patient/*.rs offline_access";
    let begun = server.begin(&request(&server, scope)).await;
    let expires = hands.now().checked_add(DAY * 90).ok();
    let back = server.approve(&begun, throughline::smart::Approval { expires, ..approval(scope) });
    let answer = server.redeem(&parameter(&back.await, "code").unwrap()).await.json();
    let first = answer["refresh_token"].as_str().unwrap().to_owned();
    pass(&hands, DAY * 90 - SECOND * 10);
    let answer = server.refresh(&first).await.json();
    assert_eq!(answer["expires_in"], json!(10), "no token outlives it");
    let (access, next) = (&answer["access_token"], &answer["refresh_token"]);
    assert_eq!(server.status("Goal", access.as_str().unwrap()).await, 200);
    pass(&hands, SECOND * 10);
    assert_eq!(server.status("Goal", access.as_str().unwrap()).await, 401);
    assert_eq!(refreshed(&server, next.as_str().unwrap()).await.unwrap(), "invalid_grant");
}

#[tokio::test]
async fn a_person_decides_within_a_quarter_of_an_hour() {
    let (server, hands) = spawn();
    let asked = request(&server, "launch/patient");
    let (early, late) = (server.begin(&asked).await, server.begin(&asked).await);
    pass(&hands, SignedDuration::from_mins(15) - SECOND);
    server.approve(&early, approval("launch/patient")).await;
    pass(&hands, SECOND);
    let decide = move |authority: &throughline::smart::Authority| {
        authority.approve(&late.id, &late.browser, &approval("launch/patient")).is_err()
    };
    assert!(server.authority(decide).await);
}

#[tokio::test]
async fn a_launch_is_redeemed_within_five_minutes() {
    let (server, hands) = spawn();
    let launch = Launch {
        tenant: "hv".parse().unwrap(),
        patient: Some("p1".parse().unwrap()),
        encounter: None,
        user: None,
        client: None,
        told: Told::default(),
    };
    let launch = server.launch(launch).await;
    let asked = with(request(&server, "launch patient/*.rs"), "launch", Some(&launch));
    pass(&hands, SignedDuration::from_mins(5) - SECOND);
    server.begin(&asked).await;
    pass(&hands, SECOND);
    let back = server.authorize(&asked).await.header("location").to_owned();
    assert_eq!(parameter(&back, "error").as_deref(), Some("invalid_request"), "{back}");
}

#[tokio::test]
async fn who_is_away_for_long_has_to_sign_in_again() {
    let hands = Hands::at("2026-06-10T09:00:00-06:00");
    let login = LoginSettings::of_demo("hv", "Harborview", accounts());
    let minutes = i64::from(login.session_minutes);
    let app = client("app", "public", &json!({}));
    let config = Config { login: Some(login), clients: vec![app], ..Config::default() };
    let server = spawn_at(config, hands.clone());
    let families = ["practice", "solo-cbt"].map(|family| {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(family)
    });
    server.app.take_in(&families).unwrap();
    let mut ellie = Visitor::new();
    let apps = server.url("/auth/apps");
    let page = ellie.follow(&apps).await;
    ellie.sign_in(&page, ELLIE).await;
    assert!(ellie.follow(&apps).await.text.contains("Signed in as Ellie Marsh"));
    pass(&hands, SignedDuration::from_mins(minutes));
    assert!(!ellie.follow(&apps).await.text.contains("Signed in as"));
}
