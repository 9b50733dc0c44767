//! Records of other providers: kept as they came, matched only where that is certain.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use throughline::app::Config;
use throughline::config::{JobSettings, Sources};
use throughline::exchange::receiving::MATCHING;
use throughline::store::{JobFilter, JobState, ReceivedState, Store};

use crate::support::demo::run;
use crate::support::desk::{practice, record};
use crate::support::platform::{Push, SECRET, secret};
use crate::support::postgres;
use crate::support::server::{Answer, Server, spawn_as};

const TENANT: &str = "hv";
const SYSTEM: &str = "urn:example:mrn";

/// A practice with two clients; the identifiers of the first are told by its Patient.
async fn filled() -> Server {
    filled_by(JobSettings::default()).await
}

/// One whose jobs are looked for as these settings say.
async fn filled_by(jobs: JobSettings) -> Server {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let secret = secret(data.path(), "app-secret", SECRET);
    let sources = Sources::of_one_sender("app", TENANT, secret);
    let server = spawn_as(data, Config { sources, jobs, ..Config::default() });
    let records = [practice(), vec![other()]].concat();
    let answer = Push::of(&records).send(&server).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    server
}

fn other() -> Value {
    record(
        "client",
        "cl_8",
        1,
        json!({
            "names": [{ "use": "official", "family": "Brook", "given": ["Sam"] }],
            "birth_date": "1980-01-01", "administrative_gender": "male", "status": "active"
        }),
    )
}

/// The Patient of the client of that family name, as it is served.
pub(crate) async fn patient(server: &Server, family: &str) -> Value {
    let token = server.token_for(TENANT, &["system/*.rs"]);
    let request = server.request(reqwest::Method::GET, &format!("Patient?family={family}"));
    let found = server.send(request.bearer_auth(token)).await.json();
    found["entry"][0]["resource"].clone()
}

/// A Bundle about a Patient.
pub(crate) fn bundle(patient: &Value) -> Value {
    json!({
        "resourceType": "Bundle", "type": "collection",
        "entry": [
            { "fullUrl": "urn:uuid:p", "resource": patient },
            { "resource": { "resourceType": "Goal", "lifecycleStatus": "active",
                "description": { "text": "sleep" }, "subject": { "reference": "urn:uuid:p" } } },
        ],
    })
}

pub(crate) fn person(identifier: &Value, family: &str, born: &str) -> Value {
    json!({ "resourceType": "Patient", "identifier": [identifier],
        "name": [{ "family": family, "given": ["Adaeze"] }], "birthDate": born })
}

pub(crate) async fn send(server: &Server, scopes: &[&str], body: &str) -> Answer {
    let token = server.token_for(TENANT, scopes);
    let request = server.request(reqwest::Method::POST, "Bundle").bearer_auth(token);
    let request = request.header("content-type", "application/fhir+json");
    let answer = server.send(request.body(body.to_owned())).await;
    looked_at(server).await;
    answer
}

/// Waits until it was looked whose all that came is.
pub(crate) async fn looked_at(server: &Server) {
    let open = JobFilter { kind: Some(MATCHING.to_owned()), state: Some(JobState::Open), limit: 1 };
    let began = Instant::now();
    while !server.app.store().jobs(&open).unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_mins(1), "nobody looks");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) const MAY: &[&str] = &["system/Bundle.c"];

pub(crate) fn name(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    let outcome = answer.json();
    let text = outcome["issue"][0]["details"]["text"].as_str().unwrap().to_owned();
    text.strip_prefix("received as ").unwrap().to_owned()
}

fn states(server: &Server) -> Vec<ReceivedState> {
    let found = server.app.store().received(&TENANT.parse().unwrap(), None, 100).unwrap();
    found.iter().map(|one| one.state).collect()
}

async fn platform(server: &Server, path: String) -> Answer {
    let target: &'static str = Box::leak(path.into_boxed_str());
    let signed = Push { target, method: "GET", ..Push::text("") };
    let url = format!("{}{target}", server.base.strip_suffix("/fhir").unwrap());
    let request = signed
        .headers()
        .into_iter()
        .fold(server.client.get(url), |request, (k, v)| request.header(k, v));
    server.send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_certain_is_matched_and_the_platform_is_told_byte_for_byte() {
    let server = filled().await;
    let own = patient(&server, "Okafor").await;
    let identifier = own["identifier"][0].clone();
    assert!(identifier["value"].is_string(), "{own}");
    let body = bundle(&person(&identifier, "OKAFOR", "1999-03-08")).to_string();
    let first = name(&send(&server, MAY, &body).await);
    assert_eq!(name(&send(&server, MAY, &body).await), first, "the same bytes are the same");
    assert_eq!(states(&server), [ReceivedState::Matched]);
    let told = platform(&server, "/platform/received/0".into()).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.text);
    let line = told.json();
    assert_eq!((&line["client_id"], &line["number"]), (&json!("cl_7"), &json!(1)), "{line}");
    assert_eq!((&line["name"], &line["matched_by"]), (&json!(first), &json!("identifier")));
    let bytes = platform(&server, format!("/platform/received/bundle/{first}")).await;
    assert_eq!(bytes.text, body);
    let later = platform(&server, "/platform/received/1".into()).await;
    assert_eq!((later.status, later.text.as_str()), (StatusCode::OK, ""));
    let out = server.data().join("copy.zip");
    let id = own["id"].as_str().unwrap();
    let made = run(
        &["package", "--patient", id, "--tenant", TENANT, "--out", out.to_str().unwrap()],
        server.data(),
    );
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let listed = String::from_utf8(made.stdout).unwrap();
    assert!(listed.contains(&format!("{:>9}  outside/001.json", body.len())), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_matched_on_a_guess_and_the_sender_learns_nothing() {
    let server = filled().await;
    let own = patient(&server, "Okafor").await;
    let known = own["identifier"][0].clone();
    let strange = json!({ "system": SYSTEM, "value": "1" });
    let sam = patient(&server, "Brook").await;
    let mut answers = Vec::new();
    for sent in [
        person(&strange, "Okafor", "1999-03-08"),
        person(&known, "Okafor", "1999-03-09"),
        person(&known, "Okafor", "1999-03"),
        person(&known, "Brook", "1999-03-08"),
        person(&json!({ "value": known["value"] }), "Okafor", "1999-03-08"),
        json!({ "resourceType": "Patient", "identifier": [known, sam["identifier"][0]],
            "name": [{ "family": "Okafor" }], "birthDate": "1999-03-08" }),
        person(&known, "Okafor", "1999-03-08"),
    ] {
        let answer = send(&server, MAY, &bundle(&sent).to_string()).await;
        answers.push(answer.text.replace(&name(&answer), "NAME"));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "known or not, the answer is the same: {answers:?}");
    let states = states(&server);
    assert_eq!(states.iter().filter(|state| **state == ReceivedState::Matched).count(), 1);
    assert_eq!(states.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_looked_at_when_a_server_ended_is_looked_at_by_the_next() {
    let server = filled_by(JobSettings { look_s: 3600, ..JobSettings::default() }).await;
    let own = patient(&server, "Okafor").await;
    let body = bundle(&person(&own["identifier"][0], "Okafor", "1999-03-08")).to_string();
    let token = server.token_for(TENANT, MAY);
    let request = server.request(reqwest::Method::POST, "Bundle").bearer_auth(token);
    let request = request.header("content-type", "application/fhir+json").body(body);
    name(&server.send(request).await);
    assert_eq!(states(&server), [ReceivedState::Waiting], "the answer does not wait for it");
    let data = server.shared_data();
    drop(server);
    let next = spawn_as(data, Config::default());
    looked_at(&next).await;
    assert_eq!(states(&next), [ReceivedState::Matched]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_sends_steers_no_terminal() {
    let server = filled().await;
    let mut sent = person(&json!({ "system": SYSTEM, "value": "1" }), "Okafor", "1999-03-08");
    sent["name"][0]["family"] = json!("Okafor\u{9b}2J\u{202e}\u{2066}");
    let kept = name(&send(&server, MAY, &bundle(&sent).to_string()).await);
    let shown = run(&["received", "--tenant", TENANT, "show", &kept], server.data());
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("Okafor\\u{9b}2J\\u{202e}\\u{2066}"), "{shown}");
    let mut forged = bundle(&sent);
    forged["entry"][1]["resource"]["resourceType"] = json!("Goal\n      1  Patient");
    assert_eq!(send(&server, MAY, &forged.to_string()).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_says_whose_it_is_once() {
    let server = filled().await;
    let strange = json!({ "system": SYSTEM, "value": "1" });
    let sent = bundle(&person(&strange, "Okafor", "1999-03-08")).to_string();
    let first = name(&send(&server, MAY, &sent).await);
    let second = name(&send(&server, MAY, &sent.replace("Adaeze", "Ada")).await);
    let command = |arguments: &[&str]| {
        run(&[&["received", "--tenant", TENANT], arguments].concat(), server.data())
    };
    let waiting = command(&["list"]);
    assert_eq!(waiting.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&waiting.stdout).lines().count(), 2);
    let shown = command(&["show", &first]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("1999-03-08") && shown.contains("1  Goal"), "{shown}");
    assert_eq!(command(&["show", &first, "--bundle"]).stdout, sent.as_bytes());
    let id = patient(&server, "Okafor").await["id"].as_str().unwrap().to_owned();
    assert_eq!(command(&["match", &first, "--patient", "nobody"]).status.code(), Some(2));
    assert!(command(&["match", &first, "--patient", &id]).status.success());
    assert_eq!(command(&["match", &first, "--patient", &id]).status.code(), Some(2), "once");
    assert!(command(&["refuse", &second, "--reason", "not our client"]).status.success());
    assert_eq!(command(&["list"]).status.code(), Some(0));
    let told = platform(&server, "/platform/received/0".into()).await.json();
    assert_eq!((&told["name"], &told["matched_by"]), (&json!(first), &json!("operator")));
    let refused = platform(&server, format!("/platform/received/bundle/{second}")).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_bundle_is_refused_where_it_is_wrong_and_kept_in_quarantine() {
    let server = filled().await;
    let good = bundle(&person(&json!({ "system": SYSTEM, "value": "1" }), "Q", "1999-03-08"));
    let mut two = good.clone();
    two["entry"][1] = good["entry"][0].clone();
    let mut another = good.clone();
    another["entry"][1]["resource"]["subject"]["reference"] = json!("Patient/cl_8");
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let bodies = [
        two.to_string(),
        another.to_string(),
        good.to_string().replacen("\"type\"", "\"type\":\"document\",\"type\"", 1),
        deep,
        "{".into(),
    ];
    for body in &bodies {
        let refused = send(&server, MAY, body).await;
        assert_eq!(refused.refusal().0, 400, "{}", refused.text);
        assert!(!refused.text.contains("Adaeze"), "{}", refused.text);
    }
    assert_eq!(server.app.store().quarantine().unwrap().len(), bodies.len());
    assert!(states(&server).is_empty());
    for scopes in [&["system/*.cruds"][..], &["user/Bundle.c"], &["system/Bundle.rs"]] {
        let refused = send(&server, scopes, &good.to_string()).await;
        assert_eq!(refused.refusal().0, 403, "{scopes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_is_in_the_audit() {
    let server = filled().await;
    let strange = json!({ "system": SYSTEM, "value": "1" });
    let sent = bundle(&person(&strange, "Okafor", "1999-03-08")).to_string();
    let name = name(&send(&server, MAY, &sent).await);
    let kept = server.app.audit().ledger().entries(TENANT, 0, 1000).unwrap();
    let found = kept.iter().map(|entry| String::from_utf8_lossy(&entry.body).into_owned());
    let events: Vec<_> = found.filter(|text| text.contains("\"received\"")).collect();
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].contains(&name) && !events[0].contains("Okafor"), "{events:?}");
}

/// The same of both stores.
#[test]
fn the_stores_number_what_is_matched() {
    fn numbered(store: &dyn Store) {
        use throughline::store::{Decision, NewReceived};
        let tenant = TENANT.parse().unwrap();
        let at = jiff::Timestamp::from_second(1_800_000_000).unwrap();
        let new = |name: &str, byte: u8| NewReceived {
            name: name.into(),
            tenant: "hv".parse().unwrap(),
            client: "ehr".into(),
            digest: [byte; 32],
            form: "document".into(),
            body: vec![byte; 3],
            received: at,
        };
        for (name, byte) in [("a", 1), ("b", 2), ("c", 3)] {
            assert_eq!(store.receive(&new(name, byte)).unwrap(), (name.to_owned(), true));
        }
        assert_eq!(store.receive(&new("d", 1)).unwrap(), ("a".to_owned(), false));
        let decide = |name: &str, patient: Option<&str>| {
            let patient = patient.map(|id| id.parse().unwrap());
            let decision = Decision { patient, by: "operator".into(), reason: None, at };
            store.decide_received(&tenant, name, &decision).unwrap()
        };
        assert!(decide("c", Some("p1")) && decide("b", None) && decide("a", Some("p1")));
        assert!(!decide("a", None) && !decide("e", None));
        let after = |number| {
            let found = store.matched_after(&tenant, number, 10).unwrap();
            found.into_iter().map(|one| (one.name, one.number)).collect::<Vec<_>>()
        };
        assert_eq!(after(0), [("c".to_owned(), Some(1)), ("a".to_owned(), Some(2))]);
        assert_eq!(after(1), [("a".to_owned(), Some(2))]);
        let (row, bytes) = store.received_as(&tenant, "b").unwrap().unwrap();
        assert_eq!((row.state, row.bytes, bytes), (ReceivedState::Refused, 3, vec![2; 3]));
        assert_eq!(store.received_of(&tenant, &"p1".parse().unwrap()).unwrap().len(), 2);
    }
    numbered(&throughline::store::SqliteStore::in_memory().unwrap());
    let store = postgres::store();
    numbered(&store);
}

/// The same over PostgreSQL.
#[test]
fn all_of_it_holds_over_a_database_too() {
    postgres::again(&[
        what_is_certain_is_matched_and_the_platform_is_told_byte_for_byte,
        nobody_is_matched_on_a_guess_and_the_sender_learns_nothing,
        a_hostile_bundle_is_refused_where_it_is_wrong_and_kept_in_quarantine,
        what_comes_is_in_the_audit,
    ]);
}
