//! Every decision about a token is in the audit, and no token is.

use std::time::Duration;

use serde_json::json;
use throughline::app::Config;
use throughline::audit::Event;
use throughline::config::ServerSettings;

use crate::support::server::{Server, TENANT, spawn_as_new};
use crate::support::smart::{SECRET, clients, redemption};

const ALL: &str = "openid launch/patient offline_access patient/*.rs";
/// The tenant of what has none.
const NOWHERE: &str = "";

fn spawn() -> Server {
    spawn_as_new(Config { clients: clients(), ..Config::default() })
}

/// The events of these chains once there are so many of these kinds.
async fn events(server: &Server, tenant: &str, names: &[&str], many: usize) -> Vec<Event> {
    let mut found = Vec::new();
    for _ in 0..50 {
        let kept = server.app.audit().ledger().entries(tenant, 0, 10_000).unwrap();
        let all = kept.iter().map(|entry| Event::of(&entry.body).unwrap());
        found = all.filter(|event| names.contains(&event.action.name())).collect();
        if found.len() >= many {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    found
}

#[tokio::test]
async fn a_token_is_written_down_from_its_making_to_its_end() {
    let server = spawn();
    let token = server.connect(ALL).await;
    let access = token["access_token"].as_str().unwrap().to_owned();
    let next = server.refresh(token["refresh_token"].as_str().unwrap()).await.json();
    let next = next["refresh_token"].as_str().unwrap().to_owned();
    for shown in [&access, "nonsense"] {
        let look = server.client.post(server.url("/auth/introspect")).form(&[("token", shown)]);
        assert_eq!(server.send(look.basic_auth("web", Some(SECRET))).await.status, 200);
    }
    let others = server.client.post(server.url("/auth/revoke")).form(&[("token", &next)]);
    assert_eq!(server.send(others.basic_auth("web", Some(SECRET))).await.status, 200);
    let own = [("token", next.as_str()), ("client_id", "app")];
    assert_eq!(server.form("/auth/revoke", &own).await.status, 200);
    let names = [
        "grant-approved",
        "token-issued",
        "token-refreshed",
        "token-introspected",
        "token-refused",
        "token-revoked",
    ];
    let made = events(&server, TENANT, &names, 7).await;
    let told: Vec<_> = made
        .iter()
        .map(|event| {
            let client = event.who.client.as_deref().unwrap_or_default();
            (event.action.name(), client, event.issue.as_deref(), event.patients.len())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("grant-approved", "app", None, 1),
            ("token-issued", "app", None, 1),
            ("token-refreshed", "app", None, 1),
            ("token-introspected", "web", None, 0),
            ("token-introspected", "web", None, 0),
            ("token-refused", "web", Some("invalid_grant"), 0),
            ("token-revoked", "app", None, 1),
        ]
    );
    let is_named = |event: &Event| event.who.address.as_deref() == Some("127.0.0.1");
    assert!(made[1..6].iter().all(is_named), "{made:#?}");
    let text = format!("{made:?}");
    assert!(![&access, &next].iter().any(|token| text.contains(token.as_str())), "{text}");
}

#[tokio::test]
async fn what_a_person_takes_back_is_in_their_own_audit() {
    let server = spawn();
    server.connect(ALL).await;
    server.revoke().await;
    let made = events(&server, TENANT, &["token-revoked"], 1).await;
    let event = made.first().unwrap();
    assert_eq!(
        (event.who.subject.as_str(), event.who.client.as_deref()),
        ("person-1", Some("app"))
    );
    assert_eq!(event.patients.iter().collect::<Vec<_>>(), ["p1"]);
}

#[tokio::test]
async fn who_is_refused_is_written_down_whatever_is_wrong() {
    let server = spawn();
    let twice = redemption("x").into_iter().chain([("code", "y")]).collect::<Vec<_>>();
    assert_eq!(server.form("/auth/token", &twice).await.json()["error"], "invalid_request");
    let text = server.client.post(server.url("/auth/token")).body("grant_type=x");
    let answer = server.send(text).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (400, "no-store"));
    assert_eq!(answer.json()["error"], "invalid_request", "in OAuth's words");
    for path in ["/auth/token", "/auth/introspect", "/auth/revoke"] {
        let form = [("grant_type", "client_credentials"), ("token", "x")];
        let request = server.client.post(server.url(path)).form(&form);
        assert_eq!(
            server.send(request.basic_auth("web", Some("wrong"))).await.status,
            401,
            "{path}"
        );
    }
    let nameless = events(&server, NOWHERE, &["token-refused"], 2).await;
    let named = events(&server, TENANT, &["token-refused"], 3).await;
    assert_eq!((nameless.len(), named.len()), (2, 3), "{nameless:#?} {named:#?}");
    for event in nameless.iter().chain(&named) {
        assert_eq!(event.who.address.as_deref(), Some("127.0.0.1"), "{event:?}");
    }
    assert!(named.iter().all(|event| event.who.client.as_deref() == Some("web")));
}

#[tokio::test]
async fn of_a_flood_of_nonsense_the_number_is_kept_and_not_each() {
    let server = spawn();
    for _ in 0..200 {
        assert_eq!(server.form("/auth/token", &[("grant_type", "x")]).await.status, 400);
    }
    let kept = events(&server, NOWHERE, &["token-refused"], 200).await.len();
    assert!((1..200).contains(&kept), "{kept}");
}

#[tokio::test]
async fn behind_a_proxy_who_guesses_shuts_nobody_else_out() {
    let trusted = vec!["127.0.0.1/32".to_owned()];
    let server = spawn_as_new(Config {
        clients: clients(),
        server: ServerSettings { trusted_proxies: trusted, ..ServerSettings::default() },
        ..Config::default()
    });
    let ask = async |from: &str, client: &str, secret: &str| {
        let form = [("grant_type", "client_credentials"), ("scope", "system/*.rs")];
        let request = server.client.post(server.url("/auth/token"));
        let request = request.header("x-forwarded-for", from);
        let request = request.form(&form).basic_auth(client, Some(secret));
        server.send(request).await.json()["error"].clone()
    };
    for number in 0..50 {
        ask("198.51.100.66", &format!("nobody{number}"), "x").await;
    }
    // Of so many in a second only the number is kept.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(ask("198.51.100.66", "web", SECRET).await, json!("slow_down"));
    assert_eq!(ask("203.0.113.77", "web", SECRET).await, json!("unauthorized_client"));
    let made = events(&server, TENANT, &["token-refused"], 2).await;
    assert_eq!(made.last().unwrap().who.address.as_deref(), Some("203.0.113.77"));
}
