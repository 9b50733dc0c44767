//! What is written down of what was done: one event for each request, who may read it, and that
//! nothing leaves without it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use reqwest::{Method, RequestBuilder};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use throughline::app::Config;
use throughline::audit::Event;
use throughline::config::{AuditMode, Sources};
use throughline::fhir::r4::Elements;
use throughline::http::routes::{Access, Endpoint, ROUTES};

use crate::support::demo::run;
use crate::support::platform::{Push, SECRET, secret};
use crate::support::server::{Server, TENANT, spawn, spawn_as, spawn_with};

/// A patient and an encounter of theirs, with ids like ours.
const ANN: &str = "00000000000000000000000000000a11";
const VISIT: &str = "00000000000000000000000000000a12";
const TEXT: &str = "00000000000000000000000000000a13";
/// Another patient.
const BOB: &str = "00000000000000000000000000000b0b";
const STAY: &str = "00000000000000000000000000000b0c";

fn visit(id: &str, patient: &str) -> Value {
    json!({
        "resourceType": "Encounter", "id": id, "status": "finished", "class": {"code": "VR"},
        "meta": {"versionId": "1", "lastUpdated": "2026-11-01T10:00:00Z"},
        "subject": {"reference": format!("Patient/{patient}")}
    })
}

fn patient(id: &str) -> Value {
    let meta = json!({"versionId": "1", "lastUpdated": "2026-11-01T10:00:00Z"});
    json!({"resourceType": "Patient", "id": id, "meta": meta, "active": true,
           "name": [{"family": "Zuckerkandl"}]})
}

fn fill(server: &Server) {
    let meta = json!({"versionId": "1", "lastUpdated": "2026-11-01T10:00:00Z"});
    server.store(
        TENANT,
        "ann",
        &[
            patient(ANN),
            visit(VISIT, ANN),
            json!({"resourceType": "Binary", "id": TEXT, "meta": meta, "contentType": "text/plain",
               "data": "YQ=="}),
        ],
    );
    server.store(TENANT, "bob", &[patient(BOB), visit(STAY, BOB)]);
}

fn filled() -> Server {
    let server = spawn();
    fill(&server);
    server
}

/// A server on a folder, whose audit is in this mode.
fn spawn_in(data: &Arc<TempDir>, audit: AuditMode) -> Server {
    spawn_as(Arc::clone(data), Config { audit, ..Config::default() })
}

/// The events of a chain, oldest first.
fn events(server: &Server, tenant: &str) -> Vec<Event> {
    let kept = server.app.audit().ledger().entries(tenant, 0, 10_000).unwrap();
    kept.iter().map(|entry| Event::of(&entry.body).unwrap()).collect()
}

/// The one event that a request made.
async fn event_of(server: &Server, request: RequestBuilder) -> (Event, u16) {
    let before = events(server, TENANT).len();
    let answer = server.send(request).await;
    let mut made = events(server, TENANT).split_off(before);
    assert_eq!(made.len(), 1, "{made:?}");
    let event = made.remove(0);
    assert_eq!(event.request, answer.header("x-request-id"));
    assert_eq!(event.status, answer.status.as_u16());
    (event, answer.status.as_u16())
}

/// An event in one line: action, status, issue, what was shown, whose it is, parameters.
fn told(event: &Event) -> String {
    let shown: Vec<_> = (event.shown.iter())
        .map(|shown| format!("{}/{}@{}", shown.resource_type, &shown.id[29..], shown.version))
        .collect();
    let whose: Vec<_> = event.patients.iter().map(|patient| &patient[29..]).collect();
    let asked = event.asked.as_ref().map(|asked| {
        let id = asked.id.as_ref().map(|id| format!("/{}", &id[29..])).unwrap_or_default();
        format!("{}{id}", asked.resource_type)
    });
    format!(
        "{} {} {} asked={} shown={} of={} by={}",
        event.action.name(),
        event.status,
        event.issue.as_deref().unwrap_or("-"),
        asked.unwrap_or_default(),
        shown.join(","),
        whose.join(","),
        event.parameters.join(",")
    )
}

/// Requests that are answered, each with its event.
fn answered(server: &Server) -> Vec<(RequestBuilder, &'static str)> {
    let entry = |url: &str| json!({"request": {"method": "GET", "url": url}});
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        entry(&format!("Encounter/{VISIT}")), entry("Encounter/none"), entry("Patient?_count=1")
    ]});
    let get = |path: &str| server.ask(Method::GET, path);
    let visit = format!("Encounter/{VISIT}");
    vec![
        (get(&visit), "read 200 - asked=Encounter/a12 shown=Encounter/a12@1 of=a11 by="),
        (
            server.ask(Method::HEAD, &visit),
            "read 200 - asked=Encounter/a12 shown=Encounter/a12@1 of=a11 by=",
        ),
        (
            get(&visit).header("If-None-Match", "W/\"1\""),
            "read 304 - asked=Encounter/a12 shown=Encounter/a12@1 of=a11 by=",
        ),
        (
            get(&format!("{visit}/_history/1")),
            "vread 200 - asked=Encounter/a12 shown=Encounter/a12@1 of=a11 by=",
        ),
        (
            get(&format!("{visit}/_history?_count=5")),
            "history-instance 200 - asked=Encounter/a12 shown=Encounter/a12@1 of=a11 by=_count",
        ),
        (
            get("Encounter?class=VR&_sort=_id"),
            "search-type 200 - asked=Encounter shown=Encounter/a12@1,Encounter/b0c@1 of=a11,b0c_ \
             by=class,_sort",
        ),
        (
            get(&format!("Encounter?patient={ANN}&status=planned")),
            "search-type 200 - asked=Encounter shown= of=a11 by=patient,status",
        ),
        (
            get(&format!("Patient/{ANN}/Encounter")),
            "search-type 200 - asked=Encounter shown=Encounter/a12@1 of=a11 by=",
        ),
        (
            get(&format!("Patient/{ANN}/$everything")),
            "everything 200 - asked=Patient/a11 shown=Encounter/a12@1,Patient/a11@1 of=a11 by=",
        ),
        (
            get(&format!("Binary/{TEXT}")).header("Accept", "text/plain"),
            "read 200 - asked=Binary/a13 shown=Binary/a13@1 of= by=",
        ),
        (
            server.ask(Method::POST, "").json(&batch),
            "batch 200 - asked= shown=Encounter/a12@1,Patient/a11@1 of=a11 by=_count",
        ),
    ]
}

/// Requests that are refused, each with its event.
fn refused(server: &Server) -> Vec<(RequestBuilder, &'static str)> {
    let narrow = server.token_for(TENANT, &["system/Goal.rs"]);
    let get = |path: &str| server.ask(Method::GET, path);
    let visit = format!("Encounter/{VISIT}");
    vec![
        (get(&format!("Goal/{VISIT}")), "read 404 not-found asked=Goal/a12 shown= of= by="),
        (get("Goal/Zuckerkandl"), "read 404 not-found asked=Goal shown= of= by="),
        (
            server.request(Method::GET, &visit).bearer_auth(&narrow),
            "read 403 forbidden asked=Encounter/a12 shown= of= by=",
        ),
        (
            get("Patient?nam=Zuckerkandl"),
            "search-type 400 not-supported asked=Patient shown= of= by=",
        ),
        (get("Nothing"), "search-type 404 not-supported asked= shown= of= by="),
        (
            server.ask(Method::DELETE, &visit),
            "other 405 not-supported asked=Encounter/a12 shown= of= by=",
        ),
    ]
}

#[tokio::test]
async fn every_kind_of_request_is_one_event_that_names_what_was_shown() {
    let server = filled();
    for (request, expected) in answered(&server).into_iter().chain(refused(&server)) {
        let (event, _) = event_of(&server, request).await;
        let expected = expected.replace("b0c_", "b0b");
        assert_eq!(told(&event), expected);
        assert_eq!((event.who.subject.as_str(), event.tenant.as_str()), ("test", TENANT));
        assert_eq!(event.who.address.as_deref(), Some("127.0.0.1"));
    }
    let text = format!("{:?}", events(&server, TENANT));
    assert!(!text.contains("Zuckerkandl") && !text.contains(&server.token), "{text}");
}

#[tokio::test]
async fn every_route_that_shows_a_resource_tells_which() {
    let server = filled();
    let routes = ROUTES.iter().filter(|endpoint| endpoint.access == Access::Bearer);
    // An explanation counts resources and shows none; an export is answered later; what is signed
    // has tests of its own, and is read as every type is.
    let shows = |endpoint: &&Endpoint| {
        !["AuditEvent", "Group", "bulk", "/Consent", "/Task"]
            .iter()
            .any(|name| endpoint.pattern.contains(name))
            && !["explain", "export", "break-glass", "receive"].contains(&endpoint.interaction)
    };
    for endpoint in routes.filter(shows) {
        let is_within = endpoint.pattern.contains("/Patient/{id}/");
        let path = endpoint.pattern.trim_start_matches("/fhir").trim_start_matches('/');
        let path = path
            .replace("{type}", if is_within { "Encounter" } else { "Patient" })
            .replace("Binary/{id}", &format!("Binary/{TEXT}"))
            .replace("{id}", ANN)
            .replace("{version}", "1")
            .replace("$docref", &format!("$docref?patient={ANN}"));
        let request = server.ask(endpoint.method.parse().unwrap(), &path);
        let request = match (endpoint.method, endpoint.interaction) {
            ("POST", "batch") => {
                let entry =
                    json!([{"request": {"method": "GET", "url": format!("Patient/{ANN}")}}]);
                request.json(&json!({"resourceType": "Bundle", "type": "batch", "entry": entry}))
            }
            ("POST", "everything" | "docref") => {
                request.json(&json!({"resourceType": "Parameters"}))
            }
            ("POST", _) => {
                request.header("Content-Type", "application/x-www-form-urlencoded").body("_count=5")
            }
            _ => request,
        };
        let (event, status) = event_of(&server, request).await;
        let name = format!("{} {}", endpoint.method, endpoint.pattern);
        assert_eq!(status, 200, "{name}");
        // She has no documents, and the answer is about her.
        let shows = !event.shown.is_empty() || endpoint.interaction == "docref";
        assert!(shows, "{name} shows something: {event:?}");
        assert_eq!(event.action.name(), endpoint.interaction, "{name}");
        let is_of_ann = event.patients.iter().any(|patient| patient == ANN);
        assert_eq!(is_of_ann, !path.starts_with("Binary"), "{name}");
    }
}

#[tokio::test]
async fn a_push_is_an_event_with_what_became_of_its_records() {
    let server = spawn_with(|data| {
        Sources::of_one_sender("app", TENANT, secret(data, "app-secret", SECRET))
    });
    let answer = Push::text("{}\n").send(&server).await;
    assert_eq!(answer.status.as_u16(), 207, "{}", answer.text);
    let events = events(&server, TENANT);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].action.name(), "push");
    assert_eq!(events[0].who.subject, "source:app");
    assert_eq!(events[0].noted("quarantined"), Some("1"));
}

#[tokio::test]
async fn strangers_are_written_down_apart_and_what_is_public_is_not() {
    let server = filled();
    let path = format!("Encounter/{VISIT}");
    assert_eq!(server.send(server.request(Method::GET, "metadata")).await.status, 200);
    for _ in 0..3 {
        let refused = server.send(server.request(Method::GET, &path).bearer_auth("forged")).await;
        assert_eq!(refused.status, 401);
    }
    // The next event of anybody is written after them.
    server.get(&path).await;
    let strangers = events(&server, "");
    assert_eq!(strangers.len(), 3, "{strangers:?}");
    for event in strangers {
        assert_eq!((event.action.name(), event.status), ("stranger", 401));
        assert_eq!(event.asked, None, "what a stranger types is not kept");
    }
    assert_eq!(events(&server, TENANT).len(), 1);
}

/// The events that a search over FHIR finds.
async fn found(server: &Server, token: &str, query: &str) -> Vec<Value> {
    let path = format!("AuditEvent?{query}");
    let answer = server.send(server.request(Method::GET, &path).bearer_auth(token)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let entries = answer.json()["entry"].as_array().cloned().unwrap_or_default();
    entries.into_iter().map(|entry| entry["resource"].clone()).collect()
}

#[tokio::test]
async fn the_privacy_officer_reads_the_audit_and_a_token_for_all_types_does_not() {
    let server = filled();
    let everything = server.token_for(TENANT, &["system/*.rs"]);
    let officer = server.token_for(TENANT, &["system/AuditEvent.rs"]);
    let elsewhere = server.token_for("other", &["system/AuditEvent.rs"]);
    server.get(&format!("Encounter/{VISIT}")).await;
    server.get(&format!("Encounter/{STAY}")).await;
    server.get(&format!("Goal/{VISIT}")).await;
    for path in ["AuditEvent", "AuditEvent/00000000000000000000000000000a11"] {
        let request = server.request(Method::GET, path).bearer_auth(&everything);
        assert_eq!(server.send(request).await.refusal().0, 403, "{path}");
    }
    assert_eq!(found(&server, &elsewhere, "").await.len(), 0, "another tenant's are not there");
    let of_ann = found(&server, &officer, &format!("patient={ANN}")).await;
    assert_eq!(of_ann.len(), 1, "{of_ann:?}");
    let event = &of_ann[0];
    let id = event["id"].as_str().unwrap();
    let request =
        |token| server.request(Method::GET, &format!("AuditEvent/{id}")).bearer_auth(token);
    let read = server.send(request(&officer)).await;
    assert_eq!((read.status.as_u16(), &read.json()), (200, event));
    assert_eq!(server.send(request(&elsewhere)).await.refusal().0, 404);
    for (query, count) in [
        (format!("patient=Patient/{ANN}&altid=test"), 1),
        (format!("patient={}/Patient/{ANN}", server.base), 2),
        ("altid=nobody".to_owned(), 0),
        ("outcome=4&subtype=http://hl7.org/fhir/restful-interaction|read".to_owned(), 1),
        ("subtype=read".to_owned(), 3),
        ("date=gt2200".to_owned(), 0),
        ("subtype=read&date=lt2200&date=ge2020-01-01".to_owned(), 3),
        (format!("_id={id}"), 1),
        (format!("_id={id}&patient={BOB}"), 0),
    ] {
        let events = found(&server, &officer, &query).await;
        let other_than_these =
            events.iter().filter(|event| event["type"]["code"] != "110101").count();
        let counted =
            if query.starts_with("patient=http") { events.len() } else { other_than_these };
        assert!(counted >= count.min(1) && (count > 1 || counted == count), "{query}: {counted}");
    }
    let refused = server
        .send(server.request(Method::GET, "AuditEvent?entity=Encounter/1").bearer_auth(&officer));
    assert_eq!(refused.await.refusal().0, 400);
}

#[tokio::test]
async fn a_page_of_events_leads_to_the_next() {
    let server = filled();
    for _ in 0..5 {
        server.get(&format!("Encounter/{VISIT}")).await;
    }
    let mut seen = Vec::new();
    let mut url = Some("AuditEvent?subtype=read&_count=2".to_owned());
    while let Some(page) = url {
        let answer = server.get(&page).await;
        seen.extend(answer.ids());
        url = answer.link("next");
    }
    let distinct: BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (5, 5), "{seen:?}");
}

#[tokio::test]
async fn an_event_over_fhir_has_the_pattern_of_its_profile() {
    let server = filled();
    let officer = server.token_for(TENANT, &["system/AuditEvent.rs"]);
    let answer = server.get(&format!("Encounter/{VISIT}")).await;
    server.get("Encounter?class=VR").await;
    server.get(&format!("Patient/{ANN}/Encounter?status=finished")).await;
    server.get(&format!("Goal/{VISIT}")).await;
    let events = found(&server, &officer, "").await;
    let table = Elements::new();
    for event in &events {
        let faults = table.check(event);
        assert!(faults.is_empty(), "{faults:?} in {event}");
    }
    let [refused, narrow, search, read] = &events[..] else { panic!("{events:?}") };
    let profile = |event: &Value| {
        let profile = event["meta"]["profile"][0].as_str().unwrap_or_default();
        profile.rsplit('.').next().unwrap_or_default().to_owned()
    };
    assert_eq!(
        [profile(read), profile(search), profile(narrow), profile(refused)],
        ["PatientRead", "Query", "PatientQuery", ""].map(str::to_owned)
    );
    assert_eq!(read["outcome"], "0");
    assert_eq!(read["agent"][0]["type"]["coding"][0]["code"], "110152");
    assert_eq!(read["agent"][1]["type"]["coding"][0]["code"], "110153");
    assert_eq!(search["agent"][0]["type"]["coding"][0]["code"], "110153");
    let request = (read["entity"].as_array().unwrap().iter())
        .find(|entity| entity["type"]["code"] == "XrequestId")
        .unwrap();
    assert_eq!(request["what"]["identifier"]["value"], answer.header("x-request-id"));
    // The query, without what was looked for.
    assert_eq!(narrow["entity"][0]["description"], "Encounter?status=");
    assert_eq!(narrow["entity"][0]["query"], "RW5jb3VudGVyP3N0YXR1cz0=");
    assert_eq!((&refused["outcome"], &refused["outcomeDesc"]), (&json!("4"), &json!("not-found")));
}

/// Runs a statement on the ledger's file, as somebody with another program would.
fn tamper(data: &Path, sql: &str) {
    let connection = Connection::open(data.join("audit.sqlite")).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[tokio::test]
async fn an_answer_whose_event_cannot_be_written_does_not_leave() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let server = spawn_in(&data, AuditMode::Closed);
    fill(&server);
    let path = format!("Encounter/{VISIT}");
    assert_eq!(server.get(&path).await.status, 200);
    tamper(data.path(), "ALTER TABLE audit_tip RENAME TO away");
    let refused = server.get(&path).await;
    assert_eq!((refused.status.as_u16(), refused.refusal().1.as_str()), (503, "transient"));
    assert!(!refused.text.contains("finished") && refused.header("etag").is_empty());
    tamper(data.path(), "ALTER TABLE away RENAME TO audit_tip");
    assert_eq!(server.get(&path).await.status, 200);
    assert_eq!(server.metric("audit_failures_total"), 1);
}

#[tokio::test]
async fn where_answers_may_leave_without_their_events_are_written_later() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let server = spawn_in(&data, AuditMode::Open);
    fill(&server);
    let path = format!("Encounter/{VISIT}");
    tamper(data.path(), "ALTER TABLE audit_tip RENAME TO away");
    for _ in 0..3 {
        assert_eq!(server.get(&path).await.status, 200);
    }
    tamper(data.path(), "ALTER TABLE away RENAME TO audit_tip");
    assert_eq!(server.get(&path).await.status, 200);
    assert_eq!(events(&server, TENANT).len(), 4);
    assert_eq!(server.metric("audit_lost_total"), 0);
}

/// What `audit verify` says of a folder.
fn verified(data: &Path) -> (i32, String) {
    let output = run(&["audit", "verify"], data);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), said)
}

#[tokio::test]
async fn whoever_changes_a_chain_is_found_out() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let server = spawn_in(&data, AuditMode::Closed);
    fill(&server);
    for id in [VISIT, STAY, VISIT] {
        server.get(&format!("Encounter/{id}")).await;
    }
    // The end of the chain is signed when the server stops.
    drop(server);
    let (code, said) = verified(data.path());
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("hv: as written, 3 events, 1 good checkpoint"), "{said}");
    let whole = std::fs::read(data.path().join("audit.sqlite")).unwrap();
    let forged = format!("replace(CAST(body AS TEXT), '{STAY}', '{VISIT}')");
    for (sql, fault) in [
        (format!("UPDATE audit_event SET body = CAST({forged} AS BLOB)"), "the hash is not"),
        ("DELETE FROM audit_event WHERE number = 2".into(), "entries are missing from here"),
        ("DELETE FROM audit_event WHERE number = 3".into(), "entries are missing at the end"),
        (
            "DELETE FROM audit_event WHERE number = 3; UPDATE audit_tip SET number = 2".into(),
            "entries up to a checkpoint are missing",
        ),
        ("UPDATE audit_event SET actor = 'somebody' WHERE number = 1".into(), "found by"),
        ("UPDATE audit_event SET at = at - 1000 WHERE number = 1".into(), "found by"),
        ("DELETE FROM audit_patient WHERE number = 1".into(), "not found by its patient"),
        (
            "UPDATE audit_checkpoint SET statement = replace(statement, '.', '.A')".into(),
            "signature is not good",
        ),
    ] {
        tamper(data.path(), &sql);
        let (code, said) = verified(data.path());
        assert_eq!(code, 1, "{sql}: {said}");
        assert!(said.contains(fault), "{sql}: {said}");
        tamper(data.path(), "PRAGMA wal_checkpoint(TRUNCATE)");
        std::fs::write(data.path().join("audit.sqlite"), &whole).unwrap();
    }
    assert_eq!(verified(data.path()).0, 0);
}

#[tokio::test]
async fn commands_tell_what_was_done_and_are_told_of_themselves() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let server = spawn_in(&data, AuditMode::Closed);
    fill(&server);
    server.get(&format!("Encounter/{VISIT}")).await;
    server.get(&format!("Encounter/{STAY}")).await;
    server.get(&format!("Goal/{VISIT}")).await;
    let said = |arguments: &[&str]| {
        let output = run(arguments, data.path());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    let lines = said(&["audit", "search", "--tenant", TENANT, "--outcome", "4"]);
    assert_eq!(lines.lines().count(), 1, "{lines}");
    let lines = said(&["audit", "search", "--tenant", TENANT, "--patient", ANN, "--json"]);
    let ours: Vec<Event> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(ours.last().unwrap().shown[0].id, VISIT);
    let exported = said(&["audit", "export", "--tenant", TENANT]);
    let last = exported.lines().rfind(|line| line.contains("\"event\"")).unwrap();
    assert!(last.contains("\"operator\"") && last.contains("export"), "{last}");
    let fhir = said(&["audit", "export", "--tenant", TENANT, "--format", "fhir"]);
    assert!(fhir.lines().all(|line| line.starts_with(r#"{"resourceType":"AuditEvent""#)));

    let report = ["audit", "disclosures", "--tenant", TENANT, "--patient", ANN];
    let text = said(&report);
    assert!(text.contains("test\n  On ") && text.contains(": 1 session."), "{text}");
    assert!(text.contains("What for: no purpose was given."), "{text}");
    let table = said(&[&report[..], &["--format", "csv", "--all"]].concat());
    assert!(
        table.starts_with("first,last,times,recipient,what,purpose,basis,accountable\n"),
        "{table}"
    );
    assert!(table.contains(",1,test,1 session,,other,yes"), "{table}");
    let fhir = said(&[&report[..], &["--format", "fhir"]].concat());
    let event: Value = serde_json::from_str(fhir.lines().next().unwrap()).unwrap();
    assert_eq!(fhir.lines().count(), 1, "{fhir}");
    assert_eq!(event["type"]["code"], "110106");
    assert!(!fhir.contains(BOB) && !fhir.contains(STAY), "{fhir}");
}
