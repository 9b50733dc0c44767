//! Links to encrypted copies: who opens one, how often, until when, and what nobody learns.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use throughline::app::Config;
use throughline::audit::Event;
use throughline::clock::{Clock, SystemClock};
use throughline::domain::TenantId;
use throughline::exchange::links::{FHIR, LinkFile, MadeLink, Named, NewLink, TRIES};
use throughline::policy::{Mandate, Principal, Purpose, Under};
use throughline::store::LinkState;

use crate::support::browser::{drive, tools};
use crate::support::demo::run;
use crate::support::people::{ELLIE, demo_practice};
use crate::support::postgres;
use crate::support::server::{Answer, Server, TENANT, spawn_as, spawn_as_new};
use crate::support::smart::client;

const PASSCODE: &str = "violet-harbour-7";

fn tenant() -> TenantId {
    TENANT.parse().unwrap()
}

fn config() -> Config {
    let clients = vec![client("ehr", "asymmetric", &json!({ "jwks": { "keys": [] } }))];
    Config { clients, ..Config::default() }
}

/// Another server on the same data.
fn replica(server: &Server) -> Server {
    spawn_as(server.shared_data(), config())
}

/// A practice with one patient, whose record consent gives to the client `ehr`.
fn filled() -> Server {
    let server = spawn_as_new(config());
    let meta = json!({ "versionId": "1", "lastUpdated": "2026-11-25T10:00:00Z" });
    server.store(
        TENANT,
        "people",
        &[
            json!({ "resourceType": "Patient", "id": "p1", "meta": meta, "gender": "female" }),
            json!({ "resourceType": "Goal", "id": "g1", "meta": meta, "lifecycleStatus": "active",
            "description": { "text": "sleep" }, "subject": { "reference": "Patient/p1" } }),
        ],
    );
    server
}

/// How a link is made.
#[derive(Clone, Copy)]
struct How {
    passcode: Option<&'static str>,
    views: Option<u32>,
    seconds: i64,
    is_direct: bool,
}

const OPEN: How = How { passcode: None, views: None, seconds: 3600, is_direct: false };
const GUARDED: How = How { passcode: Some(PASSCODE), ..OPEN };

async fn made(server: &Server, how: How) -> MadeLink {
    asked_for(server, how).await.unwrap()
}

async fn asked_for(server: &Server, how: How) -> throughline::Result<MadeLink> {
    let principal = Principal {
        under: Some(Under::of_client("ehr", Some(Purpose::Treatment))),
        ..Principal::new(tenant(), "ehr", "system/*.rs")
    };
    let name = |resource_type: &str, id: &str| Named {
        resource_type: resource_type.into(),
        id: id.parse().unwrap(),
        version: "1".into(),
        patient: Some("p1".parse().unwrap()),
    };
    let file = |text: &str| LinkFile { media: FHIR, bytes: text.as_bytes().to_vec() };
    let document = r#"{"resourceType":"Bundle","type":"document","id":"doc"}"#;
    let mut files = vec![file(document), file(r#"{"resourceType":"DocumentReference"}"#)];
    files.truncate(if how.is_direct { 1 } else { 2 });
    let new = NewLink {
        origin: server.origin(),
        tenant: &tenant(),
        patient: &"p1".parse().unwrap(),
        mandate: &Mandate::of(&principal, "jti", None),
        label: "A record",
        passcode: how.passcode,
        expires: SystemClock.now() + SignedDuration::from_secs(how.seconds),
        views: how.views,
        is_direct: how.is_direct,
        files,
        names: &[name("Patient", "p1"), name("Goal", "g1")],
    };
    server.app.links().make(new).await
}

/// What a link says of itself.
fn payload(link: &MadeLink) -> Value {
    let text = URL_SAFE_NO_PAD.decode(link.link.strip_prefix("shlink:/").unwrap()).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// Asks a replica to open a link.
async fn open(server: &Server, link: &MadeLink, passcode: Option<&str>) -> Answer {
    let url = payload(link)["url"].as_str().unwrap().to_owned();
    let path = url.split("/links/").nth(1).unwrap();
    let mut question = json!({ "recipient": "Elm Street Practice" });
    if let Some(passcode) = passcode {
        question["passcode"] = passcode.into();
    }
    let url = format!("{}/links/{path}", server.origin());
    server.send(server.client.post(url).json(&question)).await
}

async fn get(server: &Server, url: &str) -> Answer {
    server.send(server.client.get(url)).await
}

async fn state(server: &Server, link: &MadeLink) -> LinkState {
    let found = server.app.links().find(&tenant(), &link.name).await.unwrap();
    found.unwrap().state(SystemClock.now())
}

/// What a program that is not ours sees.
pub(crate) fn foreign(asking: &Value) -> Value {
    tools();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/links.mjs");
    let mut child = Command::new("node")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(asking.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_of_somebody_else_opens_links() {
    let server = filled();
    let guarded = made(&server, GUARDED).await;
    let direct = made(&server, How { is_direct: true, ..OPEN }).await;
    let asking = json!([
        { "link": guarded.link, "recipient": "Elm", "passcode": PASSCODE },
        { "link": guarded.link, "recipient": "Elm", "passcode": PASSCODE, "embeddedLengthMax": 100_000 },
        { "link": guarded.link, "recipient": "Elm", "passcode": "guess" },
        { "link": direct.link, "recipient": "Elm" },
    ]);
    let seen = tokio::task::spawn_blocking(move || foreign(&asking)).await.unwrap();
    assert_eq!(seen[0]["flag"], "P", "{seen}");
    assert_eq!(seen[0]["label"], "A record");
    assert_eq!(seen[0]["exp"], guarded.expires.as_second());
    assert_eq!((&seen[0]["embedded"], &seen[0]["located"]), (&json!(0), &json!(2)));
    assert_eq!((&seen[1]["embedded"], &seen[1]["located"]), (&json!(2), &json!(0)));
    for one in [&seen[0], &seen[1]] {
        assert_eq!(one["resources"][0]["id"], "doc", "{seen}");
        assert_eq!(one["resources"][1]["resourceType"], "DocumentReference");
    }
    assert_eq!(seen[2]["refused"], "SHLInvalidPasscodeError", "{seen}");
    assert_eq!((&seen[3]["flag"], &seen[3]["resources"][0]["id"]), (&json!("U"), &json!("doc")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passcode_is_guessed_at_ten_times_over_all_replicas_and_never_again() {
    let server = filled();
    let other = replica(&server);
    let link = made(&server, GUARDED).await;
    let missing = open(&server, &link, None).await;
    assert_eq!(
        (missing.status, missing.json()),
        (StatusCode::UNAUTHORIZED, json!({ "remainingAttempts": TRIES }))
    );
    for (left, replica) in (0..TRIES).rev().zip([&server, &other].into_iter().cycle()) {
        let wrong = open(replica, &link, Some("guess")).await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
        assert_eq!(wrong.json(), json!({ "remainingAttempts": left }));
    }
    for replica in [&server, &other] {
        assert_eq!(open(replica, &link, Some(PASSCODE)).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(state(&server, &link).await, LinkState::Locked);
    let crowded = made(&server, GUARDED).await;
    let all = (0..40).map(|number| {
        open(if number % 2 == 0 { &server } else { &other }, &crowded, Some("guess"))
    });
    let answers = futures_util::future::join_all(all).await;
    let looked_at = answers.iter().filter(|answer| answer.status == StatusCode::UNAUTHORIZED);
    assert_eq!(looked_at.count(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passcode_that_is_soon_guessed_is_refused() {
    let server = filled();
    for (passcode, is_taken) in
        [("", false), ("     7", false), ("12345", false), (" 12345 ", false), ("123456", true)]
    {
        let how = How { passcode: Some(passcode), ..OPEN };
        assert_eq!(asked_for(&server, how).await.is_ok(), is_taken, "{passcode:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_passcode_costs_no_try() {
    let server = filled();
    let link = made(&server, GUARDED).await;
    for _ in 0..TRIES + 2 {
        assert_eq!(open(&server, &link, Some(PASSCODE)).await.status, StatusCode::OK);
    }
    let wrong = open(&server, &link, Some("guess")).await.json();
    assert_eq!(wrong, json!({ "remainingAttempts": TRIES - 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_over_spent_taken_back_or_unknown_has_one_answer() {
    let server = filled();
    let other = replica(&server);
    let once = made(&server, How { views: Some(1), ..OPEN }).await;
    let first = open(&server, &once, None).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    let short = made(&server, How { seconds: 1, ..OPEN }).await;
    let revoked = made(&server, OPEN).await;
    assert!(server.app.links().revoke(&tenant(), &revoked.name).await.unwrap());
    assert!(!server.app.links().revoke(&tenant(), &revoked.name).await.unwrap());
    let unknown = MadeLink { link: made(&filled(), OPEN).await.link, ..revoked.clone() };
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let mut texts = Vec::new();
    for link in [&once, &short, &revoked, &unknown] {
        for replica in [&server, &other] {
            let answer = open(replica, link, None).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
            texts.push(answer.text);
        }
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(state(&server, &once).await, LinkState::Spent);
    assert_eq!(state(&server, &short).await, LinkState::Expired);
    assert_eq!(state(&server, &revoked).await, LinkState::Revoked);
    // What was opened in time is read to its end.
    let file = first.json()["files"][0]["location"].as_str().unwrap().to_owned();
    let file = get(&server, &file).await;
    assert_eq!((file.status, file.header("content-type")), (StatusCode::OK, "application/jose"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_come_at_once_do_not_both_open_what_opens_once() {
    let server = filled();
    let other = replica(&server);
    let link = made(&server, How { views: Some(1), ..GUARDED }).await;
    let all = (0..8)
        .map(|number| open(if number % 2 == 0 { &server } else { &other }, &link, Some(PASSCODE)));
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == StatusCode::OK).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_that_is_taken_back_kills_the_link_and_what_was_opened_by_it() {
    let server = filled();
    let (unopened, opened) = (made(&server, OPEN).await, made(&server, OPEN).await);
    let listed = open(&server, &opened, None).await.json();
    let file = listed["files"][1]["location"].as_str().unwrap();
    assert_eq!(get(&server, file).await.status, StatusCode::OK);
    let mut write = server.app.store().write().unwrap();
    write.put_allowed(&tenant(), &"p1".parse().unwrap(), &[]).unwrap();
    write.commit().unwrap();
    assert_eq!(open(&server, &unopened, None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(&server, file).await.status, StatusCode::NOT_FOUND);
    for link in [&unopened, &opened] {
        assert_eq!(state(&server, link).await, LinkState::Revoked, "for good");
    }
    let kept = std::fs::read_dir(server.data().join("blobs")).unwrap().count();
    assert_eq!(kept, 0, "the copies are taken away");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_no_more_opens_nothing() {
    let server = filled();
    let link = made(&server, OPEN).await;
    let principal = Principal::new(tenant(), "stranger", "system/*.rs");
    let stranger =
        Principal { under: Some(Under::of_client("ehr", Some(Purpose::Treatment))), ..principal };
    let mandate = Mandate::of(&stranger, "jti", None);
    let new = NewLink {
        origin: server.origin(),
        tenant: &tenant(),
        patient: &"p1".parse().unwrap(),
        mandate: &mandate,
        label: "",
        passcode: None,
        expires: link.expires,
        views: None,
        is_direct: false,
        files: vec![LinkFile { media: FHIR, bytes: b"{}".to_vec() }],
        names: &[],
    };
    let other = server.app.links().make(new).await.unwrap();
    assert_eq!(open(&server, &link, None).await.status, StatusCode::OK);
    assert_eq!(open(&server, &other, None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_is_in_the_audit_and_so_is_a_guess() {
    let server = filled();
    let link = made(&server, GUARDED).await;
    open(&server, &link, Some("guess")).await;
    open(&server, &link, Some(PASSCODE)).await;
    let kept = server.app.audit().ledger().entries(TENANT, 0, 1000).unwrap();
    let events: Vec<_> = kept.iter().map(|entry| Event::of(&entry.body).unwrap()).collect();
    let opened: Vec<_> =
        events.iter().filter(|event| event.action.name() == "link-opened").collect();
    assert_eq!(opened.iter().map(|event| event.status).collect::<Vec<_>>(), [401, 200]);
    assert_eq!((opened[0].shown.len(), opened[1].shown.len()), (0, 2));
    assert_eq!(opened[1].patients, ["p1"]);
    assert_eq!(opened[1].who.purpose.as_deref(), Some("TREAT"));
    let row = server.app.links().find(&tenant(), &link.name).await.unwrap().unwrap();
    assert_eq!((row.opened, row.opener.as_deref()), (1, Some("Elm Street Practice")));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_kept_opens_a_link() {
    fn files(folder: &Path, found: &mut Vec<u8>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else {
                found.extend(std::fs::read(path).unwrap());
            }
        }
    }
    let server = filled();
    let link = made(&server, GUARDED).await;
    assert_eq!(open(&server, &link, Some(PASSCODE)).await.status, StatusCode::OK);
    let said = payload(&link);
    let secret = said["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let key = said["key"].as_str().unwrap().to_owned();
    assert_eq!((secret.len(), key.len()), (43, 43));
    let mut kept = Vec::new();
    files(server.data(), &mut kept);
    let holds = |wanted: &[u8]| kept.windows(wanted.len()).any(|window| window == wanted);
    assert!(holds(link.name.as_bytes()), "the files were looked at");
    let raw = URL_SAFE_NO_PAD.decode(&key).unwrap();
    for wanted in
        [secret.as_bytes(), key.as_bytes(), &raw, PASSCODE.as_bytes(), b"eyJhbGciOiJkaXIi"]
    {
        assert!(!holds(wanted), "{}", String::from_utf8_lossy(wanted));
    }
}

#[tokio::test]
async fn questions_that_are_none_are_refused_and_any_page_may_ask() {
    let server = filled();
    let link = made(&server, OPEN).await;
    let url = payload(&link)["url"].as_str().unwrap().to_owned();
    let send = |body: &'static str| {
        let request = server.client.post(&url).header("content-type", "application/json");
        server.send(request.body(body))
    };
    for body in ["", "[]", "{}", r#"{"recipient":" "}"#, r#"{"recipient":7}"#] {
        assert_eq!(send(body).await.status, StatusCode::BAD_REQUEST, "{body}");
    }
    assert_eq!(get(&server, &format!("{url}?recipient=Elm")).await.status, StatusCode::NOT_FOUND);
    let asked = server.client.request(Method::OPTIONS, &url);
    let asked = asked
        .header("origin", "https://viewer.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type");
    let asked = server.send(asked).await;
    assert_eq!(asked.header("access-control-allow-origin"), "*");
    let page = get(&server, &format!("{}/links/view", server.origin())).await;
    assert!(page.headers.get("access-control-allow-origin").is_none());
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
}

#[test]
fn somebody_with_a_browser_alone_reads_the_record() {
    let server = demo_practice();
    let patient = server.patient(ELLIE).to_string();
    let base = format!("server.base_url={}", server.base);
    let picture = server.data().join("link.svg");
    let create = |more: &[&str]| {
        let arguments = ["link", "create", "--patient", &patient, "--set", &base];
        let output = run(&[&arguments, more].concat(), server.data());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        move |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        }
    };
    let link = create(&["--qr", picture.to_str().unwrap(), "--label", "Ellie's record"]);
    let gone = create(&["--no-passcode"]);
    let taken = run(&["link", "revoke", &gone("name")], server.data());
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    assert_eq!(link("passcode").len(), 8);
    let drawn = std::fs::read_to_string(picture).unwrap();
    assert!(drawn.starts_with("<svg"));
    let payload = URL_SAFE_NO_PAD.decode(link("link").strip_prefix("shlink:/").unwrap()).unwrap();
    let key = serde_json::from_slice::<Value>(&payload).unwrap()["key"].clone();
    let saw = drive(
        "link.mjs",
        &json!({
            "viewer": link("browser"), "passcode": link("passcode"), "gone": gone("browser"), "key": key,
        }),
    );
    assert_eq!(saw["label"], "Ellie's record", "{saw}");
    assert!(saw["wrong"].as_str().unwrap().contains('9'), "{saw}");
    assert_eq!(saw["spanish"], "Un expediente para usted");
    assert_eq!(saw["record"]["styled"], true, "{saw}");
    assert!(saw["saved"]["pdf"]["start"].as_str().unwrap().starts_with("%PDF-"), "{saw}");
    assert!(
        saw["saved"]["page"]["start"].as_str().unwrap().starts_with("<!DOCTYPE html>"),
        "{saw}"
    );
    assert!(saw["saved"]["data"]["start"].as_str().unwrap().starts_with('{'), "{saw}");
    assert_eq!((&saw["complaints"], &saw["toldOfKey"]), (&json!([]), &json!([])), "{saw}");
    let listed = run(&["link", "list", "--patient", &patient], server.data());
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains("opened 1") && listed.contains("revoked"), "{listed}");
    assert!(listed.contains("Dr. Grey, Elm Street Practice"), "{listed}");
}

/// The same over PostgreSQL.
#[test]
fn all_of_it_holds_over_a_database_too() {
    postgres::again(&[
        a_passcode_is_guessed_at_ten_times_over_all_replicas_and_never_again,
        a_right_passcode_costs_no_try,
        a_link_that_is_over_spent_taken_back_or_unknown_has_one_answer,
        two_who_come_at_once_do_not_both_open_what_opens_once,
        a_consent_that_is_taken_back_kills_the_link_and_what_was_opened_by_it,
        a_client_that_is_no_more_opens_nothing,
        an_opening_is_in_the_audit_and_so_is_a_guess,
    ]);
}
