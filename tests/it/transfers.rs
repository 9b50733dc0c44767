//! Care that goes over to somebody else: to a FHIR server that is not ours, over connections that are
//! cut, under consents that are taken back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use throughline::policy::notice;

use crate::support::postgres;
use crate::support::receiver::{self, Fault, Receiver, Way};
use crate::support::served::{Served, command, settled};

/// Clients of the fixtures, of whom the receiver may know: twelve sessions; a Part 2 program.
pub(crate) const ELENA: &str = "cl_1";
const PART2: &str = "cl_40";

/// A receiver in the settings.
fn settings(name: &str, base: &str, takes: &str, more: &str) -> String {
    format!(
        "[[receivers]]\nname = '{name}'\ntenant = 'hv'\ntitle = 'Front Range Family Medicine'\n\
         client = 'ehr-frfm'\nbase_url = '{base}'\ntakes = '{takes}'\n\
         private_networks = ['127.0.0.0/8']\n{more}\n"
    )
}

/// A practice that serves, with its records.
pub(crate) struct Practice {
    pub(crate) served: Served,
}

impl Practice {
    pub(crate) fn open(receivers: &str) -> Self {
        Self::followed(receivers, 1)
    }

    /// One that looks every so many seconds what became of a transfer.
    pub(crate) fn followed(receivers: &str, follow_s: u64) -> Self {
        let jobs = format!("[jobs]\nlook_s = 1\nfollow_s = {follow_s}\n");
        let folder = settled(&format!("{receivers}\n{jobs}"));
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let families = ["practice", "solo-cbt", "part2"];
        let paths: Vec<String> =
            families.iter().map(|name| root.join(name).display().to_string()).collect();
        let mut ingest = vec!["ingest"];
        ingest.extend(paths.iter().map(String::as_str));
        let output = command(folder.path(), &ingest).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let serve = command(folder.path(), &["serve"]);
        Self { served: Served::run(folder, serve) }
    }

    fn folder(&self) -> &Path {
        self.served.folder.path()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = command(self.folder(), arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    pub(crate) fn transfer(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.run(&[&["transfer"], arguments].concat())
    }

    /// Prepares a transfer, and has it carried.
    fn send(&self, client: &str, to: &str) -> String {
        self.send_with(client, to, &[])
    }

    fn send_with(&self, client: &str, to: &str, more: &[&str]) -> String {
        let reason = "Moves to Boulder; step-down to primary care";
        let arguments = ["create", "--client", client, "--to", to, "--reason", reason, "--approve"];
        let (code, out, err) = self.transfer(&[&arguments, more].concat());
        assert_eq!(code, Some(0), "{err}");
        out.trim().to_owned()
    }

    pub(crate) fn shown(&self, id: &str) -> Value {
        let (code, out, err) = self.transfer(&["show", id, "--json"]);
        assert_eq!(code, Some(0), "{err}");
        serde_json::from_str(&out).unwrap()
    }

    /// Waits until something is true of a transfer.
    pub(crate) async fn until(&self, id: &str, is: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let found = self.shown(id);
            if is(&found) {
                return found;
            }
            assert!(began.elapsed() < Duration::from_secs(150), "{found}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    pub(crate) async fn becomes(&self, id: &str, state: &str) -> Value {
        self.until(id, |found| found["state"] == state).await
    }

    /// Takes a consent of the fixtures back.
    pub(crate) fn revoke(&self, family: &str, consent: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(family);
        let text = fs::read_to_string(file.join("consent.ndjson")).unwrap();
        let mut all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut found = all.rfind(|record| record["id"] == consent).unwrap();
        found["version"] = json!(found["version"].as_u64().unwrap() + 10);
        found["updated_at"] = json!("2026-11-20T00:00:00.000Z");
        found["data"]["status"] = json!("revoked");
        let at = "2026-11-20T00:00:00Z";
        found["data"]["revocations"] = json!([{ "at": at, "scope": "all" }]);
        let path = self.folder().join("revoked.ndjson");
        fs::write(&path, format!("{found}\n")).unwrap();
        let (code, _, err) = self.run(&["ingest", path.to_str().unwrap()]);
        assert_eq!(code, Some(0), "{err}");
    }
}

/// How many resources of each type a receiver has.
async fn counts(receiver: &Receiver) -> BTreeMap<&'static str, usize> {
    let types = [
        "Patient",
        "Condition",
        "Encounter",
        "CarePlan",
        "Goal",
        "Observation",
        "Practitioner",
        "Organization",
        "DocumentReference",
        "Bundle",
        "Communication",
    ];
    let mut counts = BTreeMap::new();
    for name in types {
        counts.insert(name, receiver.all(name).await.len());
    }
    counts
}

pub(crate) fn events(transfer: &Value) -> Vec<&str> {
    let history = transfer["history"].as_array().unwrap();
    history.iter().map(|step| step["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_retry_after_a_cut_connection_leaves_one_copy_at_a_server_that_is_not_ours() {
    let receiver = receiver::start();
    let way = Way::to(&receiver.base, []).await;
    let practice =
        Practice::open(&settings("frfm", &way.base, "transaction", "unmatched = 'create'"));
    // That server looks through all that it has for each conditional create: not for every score.
    let part = ["--sections", "problems,goals,encounters"];
    let first = practice.send_with(ELENA, "frfm", &part);
    let done = practice.becomes(&first, "received").await;
    assert_eq!(events(&done), ["approve", "delivered", "understood"]);
    assert_eq!(done["ack"]["kind"], "application");
    let once = counts(&receiver).await;
    assert_eq!(once["Patient"], 1);
    let documents = once["DocumentReference"];
    assert!(documents >= 1);
    assert_eq!(once["Communication"], 0, "the consent names no messages");
    assert!(once["Encounter"] >= 12 && once["Goal"] >= 1 && once["Condition"] >= 1, "{once:?}");
    // Every reference leads to what is there.
    let patient = &receiver.all("Patient").await[0];
    for name in ["Condition", "Goal"] {
        for one in receiver.all(name).await {
            let subject = one["subject"]["reference"].as_str().unwrap();
            assert_eq!(subject, format!("Patient/{}", patient["id"].as_str().unwrap()), "{name}");
        }
    }
    for (number, fault) in
        [Fault::BeforeHeaders, Fault::InBody, Fault::BeforeAnswer, Fault::InAnswer]
            .into_iter()
            .enumerate()
    {
        let told = format!("{fault:?}");
        way.faults.lock().unwrap().push_back(fault);
        let next = practice.send_with(ELENA, "frfm", &part);
        let done = practice.becomes(&next, "received").await;
        assert_eq!(events(&done), ["approve", "attempted", "delivered", "understood"], "{told}");
        assert!(["cut", "unreachable"].contains(&done["attempts"][0]["error"].as_str().unwrap()));
        let mut expected = once.clone();
        // Of each transfer there is one document, and of the record itself one copy for all.
        expected.insert("DocumentReference", documents + number + 1);
        assert_eq!(counts(&receiver).await, expected, "{told}");
    }
}

#[tokio::test]
async fn a_document_whose_answer_was_lost_is_there_once_and_can_be_sent_again() {
    let receiver = receiver::start();
    let way = Way::to(&receiver.base, [Fault::BeforeAnswer, Fault::Busy(1)]).await;
    let practice = Practice::open(&settings("frfm", &way.base, "document", ""));
    let id = practice.send(ELENA, "frfm");
    let done = practice.becomes(&id, "sent").await;
    assert_eq!(events(&done), ["approve", "attempted", "attempted", "delivered"]);
    let errors: Vec<&Value> =
        done["attempts"].as_array().unwrap().iter().map(|one| &one["error"]).collect();
    assert_eq!(errors, [&json!("cut"), &json!("busy"), &Value::Null]);
    assert_eq!(done["ack"]["kind"], "transport");
    let documents = receiver.all("Bundle").await;
    assert_eq!(documents.len(), 1);
    let composition = &documents[0]["entry"][0]["resource"];
    assert_eq!(composition["type"]["coding"][0]["code"], "18761-7");
    assert!(documents[0].to_string().contains("step-down to primary care"));
    // Sending it again is answered by what is there.
    let (code, _, err) = practice.transfer(&["resend", &id]);
    assert_eq!(code, Some(0), "{err}");
    practice.until(&id, |found| found["state"] == "sent" && events(found).len() == 6).await;
    assert_eq!(receiver.all("Bundle").await.len(), 1);
    for (answer, state) in [("accept", "accepted"), ("complete", "completed")] {
        let (code, out, err) = practice.transfer(&["answer", &id, answer, "--text", "Seen today"]);
        assert_eq!(code, Some(0), "{err}");
        assert!(out.contains(&format!("state     {state}")), "{out}");
    }
    assert_eq!(practice.shown(&id)["ack"]["kind"], "clinical");
    let (code, _, err) = practice.transfer(&["cancel", &id]);
    assert_eq!(code, Some(2));
    assert!(err.contains("a transfer that is completed cannot have cancel"), "{err}");
}

#[tokio::test]
async fn a_consent_that_is_taken_back_between_two_attempts_ends_the_transfer() {
    let receiver = receiver::start();
    let way = Way::to(&receiver.base, [Fault::Busy(12)]).await;
    let practice = Practice::open(&settings("frfm", &way.base, "document", ""));
    let id = practice.send(ELENA, "frfm");
    practice.until(&id, |found| events(found).contains(&"attempted")).await;
    practice.revoke("solo-cbt", "con_105");
    let ended = practice.becomes(&id, "cancelled").await;
    assert_eq!(events(&ended), ["approve", "attempted", "consent_ended"]);
    assert_eq!(receiver.all("Bundle").await.len(), 0);
    assert_eq!(way.count("POST /fhir/Bundle"), 1, "the one that was not taken");
    let (code, _, err) = practice.transfer(&["resend", &id]);
    assert_eq!(code, Some(2), "{err}");
    let arguments = ["create", "--client", ELENA, "--to", "frfm", "--reason", "Again"];
    let (code, _, err) = practice.transfer(&arguments);
    assert_eq!(code, Some(2));
    assert!(err.contains("no consent in force"), "{err}");
}

#[tokio::test]
async fn a_consent_that_ends_after_the_receiver_has_it_is_noted_and_calls_nothing_back() {
    let receiver = receiver::start();
    let way = Way::to(&receiver.base, []).await;
    let practice = Practice::open(&settings("frfm", &way.base, "document", ""));
    let id = practice.send(ELENA, "frfm");
    practice.becomes(&id, "sent").await;
    practice.revoke("solo-cbt", "con_105");
    let noted = practice.until(&id, |found| events(found).len() == 3).await;
    assert_eq!(events(&noted), ["approve", "delivered", "consent_ended_after"]);
    assert_eq!(noted["state"], "sent", "what the receiver has cannot be called back");
    assert_eq!(receiver.all("Bundle").await.len(), 1);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(events(&practice.shown(&id)).len(), 3, "it is noted once");
}

#[tokio::test]
async fn what_is_sent_again_during_an_attempt_waits_for_its_end_and_goes_once() {
    let receiver = receiver::start();
    let way = Way::to(&receiver.base, [Fault::Slow(5)]).await;
    let practice = Practice::open(&settings("frfm", &way.base, "document", ""));
    let id = practice.send(ELENA, "frfm");
    let began = Instant::now();
    while way.count("POST /fhir/Bundle") == 0 {
        assert!(began.elapsed() < Duration::from_secs(40), "an attempt was to begin");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (code, _, err) = practice.transfer(&["resend", &id, "--patient", "new"]);
    assert_eq!(code, Some(2), "who it is there cannot change under an attempt");
    assert!(err.contains("it is being sent at this moment"), "{err}");
    let (code, _, err) = practice.transfer(&["resend", &id]);
    assert_eq!(code, Some(0), "{err}");
    let done = practice.becomes(&id, "sent").await;
    assert_eq!(events(&done), ["approve", "resend", "delivered"]);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(way.count("POST /fhir/Bundle"), 1, "one attempt for both");
    assert_eq!(events(&practice.shown(&id)).len(), 3);
}

#[tokio::test]
async fn nobody_is_taken_for_somebody_on_a_guess() {
    let receiver = receiver::start();
    let there = json!({ "resourceType": "Patient", "name": [{ "family": "Somebody" }] });
    let there = receiver.put(&there).await;
    let way = Way::to(&receiver.base, []).await;
    let both = [
        settings("each", &way.base, "transaction", ""),
        settings("pdf", &way.base, "reference", ""),
    ];
    let practice = Practice::open(&both.concat());
    let patient = format!("Patient/{}", there["id"].as_str().unwrap());
    for name in ["pdf", "each"] {
        let id = practice.send(ELENA, name);
        let held = practice.until(&id, |found| events(found).contains(&"held")).await;
        assert_eq!(held["state"], "ready");
        assert_eq!(receiver.all("Patient").await.len(), 1, "{name}: nobody was created");
        let (code, out, _) = practice.transfer(&["list"]);
        assert_eq!(code, Some(1), "somebody has to say who it is: {out}");
        assert!(out.contains("needs somebody"), "{out}");
        let (code, _, err) = practice.transfer(&["resend", &id, "--patient", "Practitioner/1"]);
        assert_eq!(code, Some(2), "{err}");
        let (code, _, err) = practice.transfer(&["resend", &id, "--patient", &patient]);
        assert_eq!(code, Some(0), "{err}");
        practice.until(&id, |found| events(found).contains(&"delivered")).await;
        assert_eq!(receiver.all("Patient").await.len(), 1, "{name}");
    }
    for document in receiver.all("DocumentReference").await {
        assert_eq!(document["subject"]["reference"], json!(patient));
        let data = document["content"][0]["attachment"]["data"].as_str().unwrap_or_default();
        if document["type"]["coding"][0]["code"] == "18761-7" {
            assert!(STANDARD.decode(data).unwrap().starts_with(b"%PDF"));
            assert_eq!(document.get("description"), None, "it is from no Part 2 program");
        }
    }
}

#[tokio::test]
async fn what_a_part_2_program_keeps_leaves_with_the_notice_and_is_accounted_for() {
    let receiver = receiver::start();
    let way = Way::to(&receiver.base, []).await;
    let forms = ["transaction", "document"]
        .map(|takes| settings(takes, &way.base, takes, "unmatched = 'create'"));
    let practice = Practice::open(&forms.concat());
    for name in ["transaction", "document"] {
        let id = practice.send(PART2, name);
        practice.until(&id, |found| events(found).contains(&"delivered")).await;
    }
    let bodies = way.seen.lock().unwrap().clone();
    let sent: Vec<&String> = bodies
        .iter()
        .filter(|(line, _)| line == "POST /fhir" || line == "POST /fhir/Bundle")
        .map(|(_, body)| body)
        .collect();
    assert_eq!(sent.len(), 2);
    let quoted = json!(notice::STATEMENT).to_string();
    for body in sent {
        let bundle: Value = serde_json::from_str(body).unwrap();
        assert!(body.contains(quoted.trim_matches('"')), "the notice, to the letter");
        let labels = bundle["meta"]["security"].to_string();
        assert!(labels.contains("42CFRPart2"), "{labels}");
        assert!(body.contains("\"resourceType\":\"Consent\""), "and the consent");
        assert!(!body.contains("SUDCounseling"));
    }
    let (_, out, _) = practice.run(&["audit", "search", "--tenant", "hv", "--action", "released"]);
    assert_eq!(out.lines().filter(|line| line.contains("released")).count(), 2, "{out}");
}

#[tokio::test]
async fn a_receiver_is_shown_who_we_are_by_a_signed_assertion_and_the_token_is_kept() {
    let receiver = receiver::start();
    let way = Way::to(&receiver.base, []).await;
    let token =
        r#"{"access_token":"let-me-in","token_type":"bearer","expires_in":9223372036854775807}"#;
    let gate = Way::to("http://127.0.0.1:1", [Fault::Answers(200, token)]).await;
    let folder = tempfile::tempdir().unwrap();
    let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new());
    let text = STANDARD.encode(pair.unwrap().as_ref());
    let key = folder.path().join("key.pem");
    fs::write(&key, format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"))
        .unwrap();
    let more = format!(
        "token_url = '{}/token'\nclient_id = 'gw'\nkey_file = '{}'\nkey_id = 'k1'",
        gate.base,
        key.display()
    );
    let practice = Practice::open(&settings(
        "frfm",
        &way.base,
        "transaction",
        &(more + "\nunmatched = 'create'"),
    ));
    let id = practice.send_with(ELENA, "frfm", &["--sections", "problems"]);
    practice.becomes(&id, "received").await;
    assert_eq!(gate.count("POST"), 1, "one token for all requests");
    let form = gate.seen.lock().unwrap()[0].1.clone();
    let pairs: BTreeMap<String, String> =
        url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    assert_eq!(pairs["grant_type"], "client_credentials");
    let claims = pairs["client_assertion"].split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("gw"), &json!("gw")));
    assert_eq!(claims["aud"], json!(format!("{}/token", gate.base)));
}

#[tokio::test]
async fn nothing_leaves_after_an_answer_that_was_held_until_it_may_not() {
    let receiver = receiver::start();
    for ends in ["cancelled", "consent_ended"] {
        let way = Way::to(&receiver.base, []).await;
        let practice =
            Practice::open(&settings("frfm", &way.base, "transaction", "unmatched = 'create'"));
        let held = way.gate.lock().await;
        let id = practice.send(ELENA, "frfm");
        let began = Instant::now();
        while way.count("GET /fhir/Patient") == 0 {
            assert!(began.elapsed() < Duration::from_secs(40), "an attempt was to begin");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if ends == "cancelled" {
            let (code, _, err) = practice.transfer(&["cancel", &id]);
            assert_eq!(code, Some(0), "{err}");
        } else {
            practice.revoke("solo-cbt", "con_105");
        }
        drop(held);
        let ended = practice.becomes(&id, "cancelled").await;
        let last = if ends == "cancelled" { "cancel" } else { ends };
        assert_eq!(events(&ended), ["approve", last]);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(way.count("POST"), 0, "{ends}: neither who it is nor the record has left");
        assert_eq!(practice.shown(&id)["state"], "cancelled");
    }
}

#[tokio::test]
async fn an_address_in_the_operators_own_network_is_not_asked() {
    let receiver = receiver::start();
    let way = Way::to(&receiver.base, []).await;
    let settings = settings("frfm", &way.base, "document", "").replace("127.0.0.0/8", "10.0.0.0/8");
    let practice = Practice::open(&settings);
    let id = practice.send(ELENA, "frfm");
    let failed = practice.becomes(&id, "failed").await;
    assert_eq!(failed["attempts"][0]["error"], "address_not_allowed");
    assert!(way.seen.lock().unwrap().is_empty());
}

/// The same over PostgreSQL.
#[test]
fn all_of_it_holds_over_a_database_too() {
    postgres::again(&[
        a_document_whose_answer_was_lost_is_there_once_and_can_be_sent_again,
        a_consent_that_is_taken_back_between_two_attempts_ends_the_transfer,
    ]);
}
