//! The conditions of a release: the notice and the consent that go along with Part 2 records, the
//! least that payment needs, and the labels of a Bundle.

use reqwest::Method;
use serde_json::{Value, json};
use throughline::config::Sources;
use throughline::policy::{Purpose, Under, notice};
use throughline::store::{Apart, PostgresStore};

use crate::consents::{EHR, client, diagnosis, form, note, people, release, spawn, take_in};
use crate::support::postgres;
use crate::support::server::{Answer, Server, spawn_over};

/// A consent under Part 2 for treatment, payment and operations.
fn tpo(client: &str, id: &str) -> Value {
    let mut consent = release(client, id, 1, &["diagnosis", "session_note"]);
    consent["data"]["type"] = json!("part2_tpo");
    consent["data"]["purposes"] = json!(["treat", "pay", "operations"]);
    consent["data"]["part2_elements"] = json!({
        "revocation_right": true, "refusal_consequences": true, "redisclosure_statement": true,
        "elements_version": "2024"
    });
    consent
}

fn of_program(mut record: Value) -> Value {
    record["part2"] = json!(true);
    record
}

/// The practice's people, and one who is treated by a program and consented.
fn with_program() -> Vec<Value> {
    let mut all = people();
    all.push(client("cl_9", "Program"));
    all.push(of_program(diagnosis("cl_9", "dx_9", "F10.20")));
    all.push(of_program(note("cl_9", "note_9", "progress", "signed")));
    all.push(form("cl_9", "con_9"));
    all.push(tpo("cl_9", "con_9"));
    all
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).map(|value| value.to_str().unwrap())
}

/// What an OperationOutcome says.
fn said(outcome: &Value) -> Vec<&str> {
    outcome["issue"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|issue| issue["details"]["text"].as_str().unwrap())
        .collect()
}

fn outcomes(bundle: &Value) -> Vec<&Value> {
    let entries = bundle["entry"].as_array().into_iter().flatten();
    entries
        .filter(|entry| entry["search"]["mode"] == "outcome")
        .map(|entry| &entry["resource"])
        .collect()
}

async fn program_condition(server: &Server, token: &str) -> String {
    let found = server.asked(token, "Condition?code=F10.20").await.json();
    format!("Condition/{}", found["entry"][0]["resource"]["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_page_with_part_2_records_has_the_notice_and_the_consent() {
    let server = spawn(&with_program());
    let answer = server.asked(&server.of_ehr(), "Condition?_total=accurate").await;
    let bundle = answer.json();
    assert_eq!(bundle["total"], 2, "{}", answer.text);
    let outcomes = outcomes(&bundle);
    assert_eq!(outcomes.len(), 1);
    assert_eq!(said(outcomes[0])[0], notice::STATEMENT);
    assert!(said(outcomes[0])[1].contains("for TREAT HPAYMT HOPERAT"), "{:?}", said(outcomes[0]));
    let entries = bundle["entry"].as_array().unwrap();
    let copy = entries.iter().find(|entry| entry["resource"]["resourceType"] == "Consent").unwrap();
    assert_eq!(copy["search"]["mode"], "include");
    assert_eq!(header(&answer, "x-part2-notice"), Some("2024"));
    assert_eq!(header(&answer, "x-part2-statement"), Some(notice::SHORT));
    let consent = header(&answer, "x-part2-consent").unwrap();
    assert!(consent.contains(copy["fullUrl"].as_str().unwrap()), "{consent}");
}

#[tokio::test]
async fn an_answer_without_part_2_records_has_no_notice() {
    let server = spawn(&with_program());
    let token = server.of_ehr();
    for path in ["Condition?code=F41.1", "Condition?code=nothing", "Organization"] {
        let answer = server.asked(&token, path).await;
        assert_eq!(header(&answer, "x-part2-notice"), None, "{path}");
        assert!(outcomes(&answer.json()).is_empty(), "{path}");
    }
    let own = server.asked(&server.of_practice(), "Condition?code=F10.20").await;
    assert_eq!(own.json()["total"], 1);
    assert_eq!(header(&own, "x-part2-notice"), None, "the practice's own use discloses nothing");
}

#[tokio::test]
async fn every_way_to_a_part_2_record_has_the_notice() {
    let server = spawn(&with_program());
    let token = server.of_ehr();
    let condition = program_condition(&server, &token).await;
    let read = server.asked(&token, &condition).await;
    let version = read.json()["meta"]["versionId"].as_str().unwrap().to_owned();
    let patient = read.json()["subject"]["reference"].as_str().unwrap().to_owned();
    let documents =
        server.asked(&token, &format!("DocumentReference?patient={patient}")).await.json();
    let entries = documents["entry"].as_array().unwrap();
    let is_note = |entry: &&Value| entry["resource"]["type"]["coding"][0]["code"] != "64292-6";
    let note = entries.iter().find(is_note).unwrap();
    let binary = note["resource"]["content"][0]["attachment"]["url"].clone();
    let binary = binary.as_str().unwrap().rsplit("Binary/").next().unwrap().to_owned();
    for path in [
        condition.clone(),
        format!("{condition}/_history"),
        format!("{condition}/_history/{version}"),
        format!("{condition}?_elements=code"),
        format!("{patient}/$everything"),
        format!("{patient}/Condition"),
        format!("DocumentReference/$docref?patient={patient}"),
        format!("Binary/{binary}"),
        format!("Provenance?target={condition}"),
        format!("Condition?_id={}&_summary=true", &condition["Condition/".len()..]),
        "Patient?family=Program&_revinclude=Condition:patient".to_owned(),
    ] {
        let answer = server.asked(&token, &path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert_eq!(header(&answer, "x-part2-notice"), Some("2024"), "{path}");
        assert!(header(&answer, "x-part2-consent").is_some(), "{path}");
    }
    let summary = server.asked(&token, &format!("{patient}/$summary")).await;
    assert_eq!(summary.status, 200, "{}", summary.text);
    let diagnosis = &condition["Condition/".len()..];
    assert!(!summary.text.contains(diagnosis), "a document on its own has no room for the notice");
    let raw = server.request(Method::GET, &format!("Binary/{binary}")).bearer_auth(&token);
    let raw = server.send(raw.header("Accept", "text/plain")).await;
    assert_eq!(header(&raw, "x-part2-notice"), Some("2024"));
    assert!(raw.text.contains("What was said"));
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "GET", "url": condition}},
        {"request": {"method": "GET", "url": "Condition?code=F41.1"}}
    ]});
    let batch = server.request(Method::POST, "").bearer_auth(&token).json(&batch);
    let batch = server.send(batch.header("Content-Type", "application/fhir+json")).await;
    let bundle = batch.json();
    assert_eq!(said(&bundle["entry"][0]["response"]["outcome"])[0], notice::STATEMENT);
    assert_eq!(bundle["entry"][1]["response"]["outcome"], Value::Null);
    assert_eq!(header(&batch, "x-part2-notice"), Some("2024"));
}

#[tokio::test]
async fn the_consent_goes_along_whatever_the_scopes() {
    let server = spawn(&with_program());
    let under = Under::of_client(EHR, Some(Purpose::Treatment));
    let token = server.under(under, "system/Condition.rs", None);
    let bundle = server.asked(&token, "Condition?code=F10.20").await.json();
    let types: Vec<_> = bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["resource"]["resourceType"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["Condition", "Consent", "OperationOutcome"]);
    assert_eq!(server.asked(&token, "Consent").await.status, 403);
}

#[tokio::test]
async fn a_general_release_or_a_defective_consent_opens_no_part_2_record() {
    let mut records = with_program();
    let consent = records.iter_mut().find(|record| record["id"] == "con_9").unwrap();
    // Signed since the statements are asked for, and without one of them.
    consent["data"]["signed_at"] = json!("2026-03-01T09:00:00-07:00");
    consent["data"]["part2_elements"]["redisclosure_statement"] = json!(false);
    records.push(form("cl_9", "con_general"));
    records.push(release("cl_9", "con_general", 1, &["diagnosis", "session_note"]));
    let server = spawn(&records);
    let answer = server.asked(&server.of_ehr(), "Condition?code=F10.20").await;
    assert_eq!(answer.json()["total"], 0);
    assert_eq!(header(&answer, "x-part2-notice"), None);
}

#[tokio::test]
async fn a_revocation_closes_part_2_records_at_once() {
    let server = spawn(&with_program());
    let token = server.of_ehr();
    let condition = program_condition(&server, &token).await;
    let mut revoked = tpo("cl_9", "con_9");
    revoked["version"] = json!(2);
    revoked["data"]["status"] = json!("revoked");
    revoked["data"]["revocations"] = json!([{"at": "2026-03-01T00:00:00Z", "scope": "all"}]);
    take_in(&server, &[revoked]);
    assert_eq!(server.asked(&token, &condition).await.status, 404);
}

#[tokio::test]
async fn a_payer_sees_the_least_and_no_more_by_any_way() {
    let mut records = people();
    let mut consent = release("cl_1", "con_1", 2, &["diagnosis", "session_log"]);
    consent["data"]["purposes"] = json!(["treat", "pay"]);
    records.push(consent);
    let of_1 = records.iter_mut().find(|record| record["id"] == "dx_cl_1").unwrap();
    of_1["data"]["notes"] = json!("ZZHIDDEN");
    let of_1 = records.iter_mut().find(|record| record["id"] == "cl_1").unwrap();
    of_1["data"]["telecom"] = json!([{"kind": "phone", "value": "+13035550199", "use": "mobile", "safe_to_contact": true, "detail_ok": true}]);
    let server = spawn(&records);
    let payer = server.under(Under::of_client(EHR, Some(Purpose::Payment)), "system/*.rs", None);
    let treats = server.of_ehr();
    let patient = |bundle: &Value| bundle["entry"][0]["resource"].clone();
    let whole = patient(&server.asked(&treats, "Patient").await.json());
    let part = patient(&server.asked(&payer, "Patient").await.json());
    assert!(whole["telecom"].is_array() && part["telecom"].is_null(), "{part}");
    assert_eq!(part["name"], whole["name"]);
    let tags = part["meta"]["tag"].as_array().unwrap();
    assert_eq!(tags.last().unwrap()["code"], "SUBSETTED");
    assert_eq!(part["meta"]["lastUpdated"], Value::Null);
    let path = format!("Patient/{}", part["id"].as_str().unwrap());
    let version = part["meta"]["versionId"].as_str().unwrap().to_owned();
    assert_ne!(whole["meta"]["versionId"], version.as_str());
    for path in [path.clone(), format!("{path}/_history/{version}")] {
        let read = server.asked(&payer, &path).await;
        assert_eq!(read.json(), part);
        assert_eq!(header(&read, "etag"), Some(format!("W/\"{version}\"").as_str()));
        assert_eq!(header(&read, "last-modified"), None);
    }
    for path in [
        format!("{path}/$everything"),
        format!("{path}/_history"),
        "Patient?_revinclude=Condition:patient".to_owned(),
        "Condition?_include=Condition:patient".to_owned(),
    ] {
        let answer = server.asked(&payer, &path).await;
        assert_eq!(answer.status, 200, "{path}");
        for hidden in ["ZZHIDDEN", "3035550199"] {
            assert!(!answer.text.contains(hidden), "{hidden} by {path}");
        }
        assert!(answer.text.contains(&version), "{path}");
    }
    let old = format!("{path}/_history/{}", whole["meta"]["versionId"].as_str().unwrap());
    assert_eq!(server.asked(&payer, &old).await.status, 404);
}

#[tokio::test]
async fn a_change_of_what_a_payer_does_not_see_makes_no_version_for_them() {
    let mut records = people();
    let mut consent = release("cl_1", "con_1", 2, &["diagnosis"]);
    consent["data"]["purposes"] = json!(["treat", "pay"]);
    records.push(consent);
    let server = spawn(&records);
    let payer = server.under(Under::of_client(EHR, Some(Purpose::Payment)), "system/*.rs", None);
    let before = server.asked(&payer, "Patient").await.json()["entry"][0].clone();
    let mut changed = client("cl_1", "Open");
    changed["version"] = json!(2);
    changed["updated_at"] = json!("2026-11-27T10:00:00.000Z");
    changed["data"]["telecom"] = json!([{"kind": "phone", "value": "+13035550199", "use": "mobile", "safe_to_contact": true, "detail_ok": true}]);
    take_in(&server, &[changed]);
    let treats = server.asked(&server.of_ehr(), "Patient").await;
    assert!(treats.text.contains("3035550199"));
    let after = server.asked(&payer, "Patient").await.json()["entry"][0].clone();
    assert_eq!(after, before);
    let path = format!("Patient/{}", before["resource"]["id"].as_str().unwrap());
    let etag = format!("W/\"{}\"", before["resource"]["meta"]["versionId"].as_str().unwrap());
    let known = server.request(Method::GET, &path).bearer_auth(&payer);
    assert_eq!(server.send(known.header("If-None-Match", etag)).await.status, 304);
}

#[tokio::test]
async fn a_bundle_has_the_highest_label_of_what_is_in_it() {
    let server = spawn(&with_program());
    let security = |bundle: &Value| -> Vec<String> {
        let labels = bundle["meta"]["security"].as_array().cloned().unwrap_or_default();
        labels.iter().map(|label| label["code"].as_str().unwrap().to_owned()).collect()
    };
    let token = server.of_ehr();
    let all = server.asked(&token, "Condition").await.json();
    let labels = security(&all);
    assert_eq!(labels[0], "R");
    assert!(
        labels.contains(&"42CFRPart2".to_owned()) && labels.contains(&"NORDSCLCD".to_owned()),
        "{labels:?}"
    );
    let one = security(&server.asked(&token, "Condition?code=F41.1").await.json());
    assert!(one.contains(&"R".to_owned()) && !one.contains(&"42CFRPart2".to_owned()), "{one:?}");
    let none = server.asked(&token, "Condition?code=nothing").await.json();
    assert_eq!(none["meta"], Value::Null);
    let practice = server.of_practice();
    let everything = server.asked(&practice, "Patient?family=Program").await.json();
    let path = format!(
        "Patient/{}/$everything",
        everything["entry"][0]["resource"]["id"].as_str().unwrap()
    );
    for _ in 0..2 {
        let labels = security(&server.asked(&practice, &path).await.json());
        assert!(labels.contains(&"42CFRPart2".to_owned()), "{labels:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_lets_records_out_under_the_same_conditions() {
    let postgres = postgres::shared();
    let settings = postgres::settings(&postgres.migrated());
    let server = spawn_over(settings.clone(), |_| Sources::default());
    take_in(&server, &with_program());
    let token = server.of_ehr();
    let page = server.asked(&token, "Condition?_total=accurate").await;
    assert_eq!(page.json()["total"], 2, "{}", page.text);
    assert_eq!(said(outcomes(&page.json())[0])[0], notice::STATEMENT);
    let condition = program_condition(&server, &token).await;
    let read = server.asked(&token, &condition).await;
    assert_eq!(header(&read, "x-part2-notice"), Some("2024"));
    let patient = read.json()["subject"]["reference"].as_str().unwrap().to_owned();
    let documents = server.asked(&token, &format!("DocumentReference?patient={patient}")).await;
    let documents = documents.json();
    let entries = documents["entry"].as_array().unwrap();
    let is_note = |entry: &&Value| entry["resource"]["type"]["coding"][0]["code"] != "64292-6";
    let note = entries.iter().find(is_note).unwrap();
    let url = note["resource"]["content"][0]["attachment"]["url"].as_str().unwrap();
    let binary = format!("Binary/{}", url.rsplit("Binary/").next().unwrap());
    let binary = server.asked(&token, &binary).await;
    assert_eq!(header(&binary, "x-part2-notice"), Some("2024"), "{}", binary.text);
    let payer = server.under(Under::of_client(EHR, Some(Purpose::Payment)), "system/*.rs", None);
    let part = server.asked(&payer, &condition).await;
    let tags = part.json()["meta"]["tag"].clone();
    assert!(tags.to_string().contains("SUBSETTED"), "{}", part.text);
    let told = server.asked(&server.of_practice(), &format!("{patient}/$explain")).await;
    assert_eq!(told.status, 200, "{}", told.text);
    assert!(told.text.contains("C.3-2"), "{}", told.text);
    let store = PostgresStore::open(&settings).unwrap();
    let tenant = "hv".parse().unwrap();
    let apart = |id: &str| Apart::note(&store, &tenant, id).unwrap().map(|note| note.version);
    assert_eq!((apart("psy_cl_1"), apart("note_cl_1"), apart("x")), (Some(1), None, None));
}
