//! Consents that a client's own app gives, changes and takes back over FHIR: what they open, and what
//! nobody can do with them.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use throughline::app::Config;
use throughline::clock::{Clock, SystemClock};
use throughline::policy::{FhirUser, Principal, Under};

use crate::support::charts::{
    EHR, client, diagnosis, form, guardian, holding, note, release, staff, take_in, with,
};
use crate::support::postgres;
use crate::support::server::{Answer, Server, spawn_as, spawn_as_new};
use crate::support::smart;

const SIGNING: &str = "patient/*.rs patient/Consent.crus";

/// A practice with an adult, a minor with a father, and a client of the practice's that is connected.
fn practice() -> Server {
    let server = spawn_as_new(Config { clients: clients(), ..Config::default() });
    take_in(&server, &people());
    server
}

fn clients() -> Vec<throughline::config::ClientSettings> {
    vec![
        smart::client(EHR, "public", &json!({"name": "Front Range Family Medicine"})),
        smart::client("own", "public", &json!({"own": true})),
    ]
}

fn people() -> Vec<Value> {
    let mut records = staff();
    records.extend([client("cl_1", "Adult"), diagnosis("cl_1", "dx_1", "F41.1")]);
    records.push(note("cl_1", "note_1", "progress", "signed"));
    records.extend([client("cl_2", "Other"), diagnosis("cl_2", "dx_2", "F32.1")]);
    records.extend([with(client("cl_3", "Minor"), json!({"birth_date": "2016-03-08"}))]);
    records.extend([diagnosis("cl_3", "dx_3", "F43.2"), guardian("cl_3", "rp_father")]);
    records
}

/// Who signs: the token of an app of theirs, and the patient.
struct Signer<'a> {
    server: &'a Server,
    token: String,
    patient: String,
}

impl<'a> Signer<'a> {
    async fn of(server: &'a Server, family: &str) -> Self {
        let all = server.all_of(&server.token).await;
        let patient = holding(&all, "Patient", family);
        Self::acting(server, &patient, &patient, SIGNING)
    }

    fn acting(server: &'a Server, user: &str, patient: &str, scopes: &str) -> Self {
        let user: FhirUser = user.parse().unwrap();
        let principal = Principal {
            patient: Some(patient.strip_prefix("Patient/").unwrap().parse().unwrap()),
            under: Under::of_person(&user),
            fhir_user: Some(user),
            ..Principal::new("hv".parse().unwrap(), "app", scopes)
        };
        let minutes = std::time::Duration::from_mins(5);
        let (token, _) = server.app.tokens().issue(&principal, minutes, None).unwrap();
        Self { server, token, patient: patient.to_owned() }
    }

    async fn post(&self, consent: &Value) -> Answer {
        self.write(Method::POST, "Consent", consent, &[]).await
    }

    async fn write(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        fields: &[(&str, &str)],
    ) -> Answer {
        let request = self.server.request(method, path).bearer_auth(&self.token);
        let request =
            request.header("Content-Type", "application/fhir+json").body(body.to_string());
        let request =
            fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.server.send(request).await
    }

    /// Puts a state of a consent in the place of what is there.
    async fn put(&self, answer: &Answer, consent: &Value) -> Answer {
        let (path, etag) = (path_of(answer), answer.header("etag").to_owned());
        let mut consent = consent.clone();
        consent["id"] = json!(path.strip_prefix("Consent/").unwrap());
        self.write(Method::PUT, &path, &consent, &[("If-Match", &etag)]).await
    }

    /// How many diagnoses the recipient sees.
    async fn released(&self) -> usize {
        let found = self.server.all_of(&self.server.of_recipient()).await;
        found
            .iter()
            .filter(|(key, one)| {
                key.starts_with("Condition/") && one["subject"]["reference"] == self.patient
            })
            .count()
    }

    fn consent(&self, limits: Value) -> Value {
        consent(&self.patient, SystemClock.now(), limits)
    }
}

fn path_of(answer: &Answer) -> String {
    let location = answer.header("location");
    assert!(location.contains("/fhir/"), "{location} {}", answer.text);
    let (_, path) = location.split_once("/fhir/").unwrap();
    path.split("/_history").next().unwrap().to_owned()
}

/// A Consent in the dialect of IHE PCF, to the connected practice and for treatment.
#[expect(clippy::needless_pass_by_value, reason = "a literal reads better without a borrow")]
fn consent(patient: &str, signed: Timestamp, limits: Value) -> Value {
    let code = |system: &str, code: &str| json!({"system": system, "code": code});
    let mut consent = json!({
        "resourceType": "Consent", "status": "active",
        "scope": {"coding": [code("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")]},
        "category": [{"coding": [code("http://loinc.org", "59284-0")]}],
        "patient": {"reference": patient}, "dateTime": format!("{signed:.0}"),
        "policyRule": {"coding": [code("http://terminology.hl7.org/CodeSystem/consentpolicycodes", "hipaa-auth")]},
        "provision": {
            "type": "permit", "period": {"start": "2026-02-01", "end": "2099-01-01"},
            "purpose": [code("http://terminology.hl7.org/CodeSystem/v3-ActReason", "TREAT")],
            "class": [code("http://hl7.org/fhir/resource-types", "Condition")],
            "actor": [{
                "role": {"coding": [code("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")]},
                "reference": {
                    "identifier": {"system": "https://throughline.example/ids/client", "value": EHR},
                    "display": "My doctor"
                }
            }]
        }
    });
    for (pointer, value) in limits.as_object().unwrap() {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        consent.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    consent
}

#[tokio::test]
async fn a_client_gives_a_consent_by_their_app_and_it_holds_for_the_next_request() {
    let server = practice();
    let ada = Signer::of(&server, "Adult").await;
    assert_eq!(ada.released().await, 0);
    let given = ada.post(&ada.consent(json!({}))).await;
    assert_eq!(given.status, 201, "{}", given.text);
    assert!(
        given.text.contains("in force") && given.text.contains("42 CFR Part 2"),
        "{}",
        given.text
    );
    assert_eq!(ada.released().await, 1, "as soon as it is answered");
    let kept = server.by_token(&ada.token, &path_of(&given)).await;
    assert_eq!(kept.header("etag"), given.header("etag"));
    let kept = kept.json();
    assert_eq!(kept["status"], "active");
    assert_eq!(
        kept["provision"]["actor"][0]["reference"]["display"],
        "Front Range Family Medicine"
    );
    assert_eq!(kept["performer"][0]["reference"], ada.patient);
    let form = kept["sourceReference"]["reference"].as_str().unwrap();
    assert_eq!(server.by_token(&ada.token, form).await.status, 200, "the signed form is there");
    let event = server.get("AuditEvent?subtype=create&_count=1").await.json();
    let event = event["entry"][0]["resource"].to_string();
    assert!(event.contains("given") && event.contains(&path_of(&given)), "{event}");
}

#[tokio::test]
async fn what_was_given_is_changed_and_taken_back_and_never_comes_back_by_itself() {
    let server = practice();
    let ada = Signer::of(&server, "Adult").await;
    let first = ada.consent(json!({}));
    let given = ada.post(&first).await;
    let narrower = ada.consent(json!({
        "/provision/class": [{"code": "Encounter"}], "/provision/period": {"end": "2099-02-01"}
    }));
    let changed = ada.put(&given, &narrower).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(ada.released().await, 0, "diagnoses are no part of it any more");
    assert_eq!(ada.put(&given, &first).await.refusal().0, 412, "by a version that is gone");
    let wider = ada.put(&changed, &ada.consent(json!({}))).await;
    assert_eq!((wider.status.as_u16(), ada.released().await), (200, 1), "{}", wider.text);
    // What is read can be sent back.
    let mut read = server.by_token(&ada.token, &path_of(&wider)).await.json();
    read["status"] = json!("inactive");
    let over = ada.put(&wider, &read).await;
    assert_eq!(over.status, 200, "{}", over.text);
    assert_eq!(ada.released().await, 0);
    let kept = server.by_token(&ada.token, &path_of(&over)).await.json();
    assert_eq!(kept["status"], "inactive");
    // Nothing brings it back: not the same again, not an active state, not its first words.
    assert_eq!(ada.put(&over, &read).await.status, 200, "it is over already");
    assert_eq!(ada.put(&over, &ada.consent(json!({}))).await.refusal().0, 409);
    let replayed = ada.post(&first).await;
    assert_eq!((replayed.status.as_u16(), path_of(&replayed)), (200, path_of(&given)));
    assert_eq!(ada.released().await, 0);
    // A new one is a new one.
    assert_eq!(ada.post(&ada.consent(json!({"/language": "en"}))).await.status, 201);
    assert_eq!(ada.released().await, 1);
}

#[tokio::test]
async fn a_consent_of_the_practices_is_taken_back_and_no_later_version_undoes_it() {
    let server = practice();
    let records = [form("cl_1", "con_1"), release("cl_1", "con_1", &["diagnosis"])];
    take_in(&server, &records);
    let ada = Signer::of(&server, "Adult").await;
    assert_eq!(ada.released().await, 1);
    let found = server.by_token(&ada.token, "Consent").await;
    let read = found.json()["entry"][0]["resource"].clone();
    let path = format!("Consent/{}", read["id"].as_str().unwrap());
    let etag = server.by_token(&ada.token, &path).await.header("etag").to_owned();
    let send = |body: Value| {
        let (ada, path, etag) = (&ada, path.clone(), etag.clone());
        async move { ada.write(Method::PUT, &path, &body, &[("If-Match", &etag)]).await }
    };
    let now = json!(format!("{:.0}", SystemClock.now()));
    let mut wider = read.clone();
    wider["provision"]["class"] = json!([]);
    wider["dateTime"] = now;
    wider["provision"].as_object_mut().unwrap().remove("class");
    assert_eq!(send(wider).await.refusal().0, 409, "the practice keeps it");
    let mut over = read.clone();
    over["status"] = json!("inactive");
    let answer = send(over).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(ada.released().await, 0);
    let kept = server.by_token(&ada.token, &path).await.json();
    assert_eq!(kept["status"], "inactive");
    let mut again = release("cl_1", "con_1", &["diagnosis"]);
    again["version"] = json!(7);
    take_in(&server, &[again]);
    assert_eq!(ada.released().await, 0, "whatever the platform sends of it");
    assert_eq!(server.by_token(&ada.token, &path).await.json()["status"], "inactive");
    let found = server.by_token(&ada.token, "Consent").await.ids();
    assert_eq!(found.len(), 1, "that it was taken back is no consent of its own");
}

#[tokio::test]
async fn nobody_but_the_client_and_who_represents_them_signs() {
    let server = practice();
    let all = server.all_of(&server.token).await;
    let of = |name: &str, text: &str| holding(&all, name, text);
    let (adult, other, minor) =
        (of("Patient", "Adult"), of("Patient", "Other"), of("Patient", "Minor"));
    let (father, therapist) = (
        of("RelatedPerson", "rp_father"),
        all.keys().find(|key| key.starts_with("Practitioner/")).unwrap(),
    );
    let ask = async |user: &str, patient: &str, scopes: &str, whose: &str| {
        let signer = Signer::acting(&server, user, patient, scopes);
        let answer = signer.post(&consent(whose, SystemClock.now(), json!({}))).await;
        answer.status.as_u16()
    };
    let nobody = "Patient/00000000000000000000000000000000";
    for (what, user, patient, scopes, whose, status) in [
        ("an app that may read only", &adult, &adult, "patient/Consent.rs", &adult, 403),
        ("a wildcard names no consents", &adult, &adult, "patient/*.cruds", &adult, 403),
        ("a part of consents", &adult, &adult, "patient/Consent.crus?status=active", &adult, 403),
        ("an app that may change only", &adult, &adult, "patient/Consent.u", &adult, 403),
        ("of another client", &adult, &adult, SIGNING, &other, 403),
        ("of a client who is not there", &adult, &adult, SIGNING, &nobody.to_owned(), 403),
        ("in the context of another", &adult, &other, SIGNING, &other, 403),
        ("the therapist", therapist, &adult, "patient/Consent.crus user/Consent.crus", &adult, 403),
        ("a father of another's child", &father, &other, SIGNING, &other, 401),
        ("a child of ten years", &minor, &minor, SIGNING, &minor, 403),
        ("their father", &father, &minor, SIGNING, &minor, 201),
        ("the client", &adult, &adult, "patient/Consent.c", &adult, 201),
    ] {
        assert_eq!(ask(user, patient, scopes, whose).await, status, "{what}");
    }
    let system = server.token_for("hv", &["system/*.cruds", "system/Consent.cruds"]);
    let signer = Signer { server: &server, token: system, patient: adult.clone() };
    let answer = signer.post(&signer.consent(json!({}))).await;
    assert_eq!(answer.refusal().0, 403, "a system signs nothing");
    let child = Signer { server: &server, token: String::new(), patient: minor };
    assert_eq!(child.released().await, 1, "what the father signed holds");
    // A child who cannot say yes can say no.
    let child = Signer::acting(&server, &child.patient, &child.patient, SIGNING);
    let no = child.post(&child.consent(json!({"/provision/type": "deny"}))).await;
    assert_eq!((no.status.as_u16(), child.released().await), (201, 0), "{}", no.text);
}

#[tokio::test]
async fn what_cannot_be_kept_as_it_is_said_is_refused_with_the_element() {
    let server = practice();
    let ada = Signer::of(&server, "Adult").await;
    let day = SignedDuration::from_hours(24);
    let (old, early) = (SystemClock.now() - day * 2, SystemClock.now() + day);
    let code = |code: &str| json!([{"coding": [{"code": code}]}]);
    let third = json!([{"type": "deny", "provision": [{"type": "permit"}]}]);
    let by_name = json!([{"role": {"coding": [{"code": "IRCP"}]}, "reference": {"display": "All my doctors"}}]);
    for (limits, expression) in [
        (json!({"/provision/code": code("x")}), "Consent.provision.code"),
        (json!({"/provision/action": code("access")}), "Consent.provision.action"),
        (json!({"/provision/provision": third}), "Consent.provision.provision.provision"),
        (json!({"/provision/class": [{"code": "MedicationRequest"}]}), "Consent.provision.class"),
        (
            json!({"/provision/securityLabel": [{"display": "nothing intimate"}]}),
            "Consent.provision.securityLabel",
        ),
        (json!({"/provision/purpose": []}), "Consent.provision.purpose"),
        (json!({"/provision/purpose": [{"code": "XYZ"}]}), "Consent.provision.purpose"),
        (json!({"/provision/period": {"start": "2026-01-01"}}), "Consent.provision.period.end"),
        (json!({"/provision/period": {"end": "2020-01-01"}}), "Consent.provision.period.end"),
        (json!({"/provision/period": {"end": "2099"}}), "Consent.provision.period"),
        (json!({"/provision/dataPeriod": {"start": "2026"}}), "Consent.provision.dataPeriod"),
        (json!({"/provision/actor": []}), "Consent.provision.actor"),
        (json!({"/provision/actor": by_name}), "Consent.provision.actor.reference"),
        (json!({"/provision/type": "maybe"}), "Consent.provision.type"),
        (json!({"/provision/class": {"code": "Condition"}}), "Consent.provision.class"),
        (json!({"/scope": {"coding": [{"code": "research"}]}}), "Consent.scope"),
        (
            json!({"/modifierExtension": [{"url": "http://example.org/not", "valueBoolean": true}]}),
            "modifierExtension",
        ),
        (json!({"/status": "proposed"}), "Consent.status"),
        (json!({"/status": "inactive"}), "Consent.status"),
        (json!({"/status": "entered-in-error"}), "Consent.status"),
        (json!({"/dateTime": "2026-02-01"}), "Consent.dateTime"),
        (json!({"/dateTime": old.to_string()}), "Consent.dateTime"),
        (json!({"/dateTime": early.to_string()}), "Consent.dateTime"),
        (json!({"/resourceType": "Observation"}), "resourceType"),
    ] {
        let answer = ada.post(&ada.consent(limits.clone())).await;
        let (status, _, hint) = answer.refusal();
        assert_eq!(status, 400, "{limits} {}", answer.text);
        let told = answer.json()["issue"][0]["expression"][0].clone();
        assert!(
            told.as_str().unwrap_or_default().starts_with(expression),
            "{limits}: {told} {hint}"
        );
        assert!(
            !answer.text.contains("intimate") && !answer.text.contains("doctors"),
            "no content"
        );
    }
    assert_eq!(ada.released().await, 0, "none of it opened anything");
    let found = server.by_token(&ada.token, "Consent").await.ids();
    assert_eq!(found.len(), 0, "none of it is kept");
}

#[tokio::test]
async fn what_is_no_consent_at_all_is_refused() {
    let server = practice();
    let ada = Signer::of(&server, "Adult").await;
    for (body, status) in [
        (r#"{"resourceType":"Consent","status":"active","status":"active"}"#, 400),
        (r#"{"resourceType":"Consent""#, 400),
        ("", 400),
    ] {
        let request = server.request(Method::POST, "Consent").bearer_auth(&ada.token);
        let request = request.header("Content-Type", "application/fhir+json").body(body);
        assert_eq!(server.send(request).await.refusal().0, status, "{body}");
    }
    let large = ada.consent(json!({"/language": "x".repeat(70_000)}));
    assert_eq!(ada.post(&large).await.refusal().0, 413);
    let found = server.by_token(&ada.token, "Consent").await.ids();
    assert_eq!(found.len(), 0, "none of it is kept");
}

#[tokio::test]
async fn a_no_that_cannot_be_kept_as_it_is_said_is_a_no_to_everything_and_says_so() {
    let server = practice();
    let ada = Signer::of(&server, "Adult").await;
    ada.post(&ada.consent(json!({}))).await;
    assert_eq!(ada.released().await, 1);
    let no = ada.consent(json!({
        "/provision/type": "deny", "/provision/code": [{"coding": [{"code": "x"}]}],
        "/provision/class": [{"code": "Encounter"}]
    }));
    let fields = [("Prefer", "return=representation")];
    let answer = ada.write(Method::POST, "Consent", &no, &fields).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let issues = answer.json()["issue"].clone();
    let of_code = |issue: &Value| issue["expression"][0] == "Consent.provision.code";
    let issue = issues.as_array().unwrap().iter().find(|issue| of_code(issue)).unwrap();
    assert_eq!(issue["severity"], "warning", "it is said, whatever was preferred");
    assert_eq!(ada.released().await, 0);
    // The no is taken back by whoever said it.
    let mut over = no.clone();
    over["status"] = json!("inactive");
    assert_eq!(ada.put(&answer, &over).await.status, 200);
    assert_eq!(ada.released().await, 1);
}

#[tokio::test]
async fn an_exception_is_a_no_of_its_own_and_outlasts_the_yes() {
    let server = practice();
    take_in(&server, &[form("cl_1", "con_1"), release("cl_1", "con_1", &["diagnosis"])]);
    let ada = Signer::of(&server, "Adult").await;
    assert_eq!(ada.released().await, 1);
    let except = json!([{"type": "deny", "class": [{"code": "Condition"}]}]);
    let given = ada
        .post(&ada.consent(json!({
            "/provision/class": [{"code": "Encounter"}], "/provision/provision": except
        })))
        .await;
    assert_eq!(given.status, 201, "{}", given.text);
    assert_eq!(ada.released().await, 0);
    let over = ada.put(&given, &ada.consent(json!({"/status": "inactive"}))).await;
    assert!(over.text.contains("until they are taken back"), "{}", over.text);
    assert_eq!(ada.released().await, 0, "what was excepted stays closed");
}

#[tokio::test]
async fn a_conditional_create_makes_one_of_many_and_asks_as_its_caller_only() {
    let server = practice();
    let ada = Signer::of(&server, "Adult").await;
    let named = |value: &str| json!({"/identifier": [{"system": "urn:app", "value": value}]});
    let once = [("If-None-Exist", "identifier=urn:app|c1")];
    let first = ada.write(Method::POST, "Consent", &ada.consent(named("c1")), &once).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let later = ada
        .consent(json!({"/language": "en", "/identifier": [{"system": "urn:app", "value": "c1"}]}));
    let again = ada.write(Method::POST, "Consent", &later, &once).await;
    assert_eq!((again.status.as_u16(), path_of(&again)), (200, path_of(&first)));
    assert_eq!(ada.post(&later).await.status, 201);
    assert_eq!(ada.write(Method::POST, "Consent", &later, &once).await.refusal().0, 412);
    // The same name in another's record is nobody's business.
    let all = server.all_of(&server.token).await;
    let other = holding(&all, "Patient", "Other");
    let bob = Signer::acting(&server, &other, &other, SIGNING);
    let theirs = bob.write(Method::POST, "Consent", &bob.consent(named("c1")), &once).await;
    assert_eq!(theirs.status, 201, "{}", theirs.text);
    let blind = Signer::acting(&server, &other, &other, "patient/Consent.c");
    let blind = blind.write(Method::POST, "Consent", &bob.consent(named("c1")), &once).await;
    assert_eq!(blind.refusal().0, 403, "who may not search learns nothing");
    let wrong = [("If-None-Exist", "colour=blue")];
    assert_eq!(ada.write(Method::POST, "Consent", &later, &wrong).await.refusal().0, 400);
}

#[tokio::test]
async fn a_consent_of_another_is_changed_as_one_that_is_not_there() {
    let server = practice();
    let ada = Signer::of(&server, "Adult").await;
    let given = ada.post(&ada.consent(json!({}))).await;
    let bob = Signer::of(&server, "Other").await;
    let theirs = path_of(&given);
    let nowhere = "Consent/00000000000000000000000000000000";
    let mut seen = Vec::new();
    for path in [theirs.as_str(), nowhere] {
        let mut body = bob.consent(json!({}));
        body["id"] = json!(path.strip_prefix("Consent/").unwrap());
        let answer =
            bob.write(Method::PUT, path, &body, &[("If-Match", given.header("etag"))]).await;
        seen.push((answer.status, answer.text));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].0, 404);
    let mut body = ada.consent(json!({}));
    body["id"] = json!(theirs.strip_prefix("Consent/").unwrap());
    let blind = ada.write(Method::PUT, &theirs, &body, &[]).await;
    assert_eq!((blind.refusal().0, ada.released().await), (400, 1), "without a version");
}

#[tokio::test]
async fn a_consent_and_its_end_hold_on_every_replica_within_a_second() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let first = spawn_as(Arc::clone(&data), Config { clients: clients(), ..Config::default() });
    let second = spawn_as(data, Config { clients: clients(), ..Config::default() });
    take_in(&first, &people());
    let ada = Signer::of(&first, "Adult").await;
    let there = Signer { server: &second, token: ada.token.clone(), patient: ada.patient.clone() };
    for round in 0..3 {
        let given = ada.post(&ada.consent(json!({"/language": format!("x-{round}")}))).await;
        assert_eq!(given.status, 201, "{}", given.text);
        let began = std::time::Instant::now();
        assert_eq!(there.released().await, 1);
        let over = there.put(&given, &ada.consent(json!({"/status": "inactive"}))).await;
        assert_eq!(over.status, 200, "{}", over.text);
        assert_eq!(ada.released().await, 0);
        assert!(began.elapsed() < std::time::Duration::from_secs(1), "{:?}", began.elapsed());
    }
}

/// The same over PostgreSQL.
#[test]
fn all_of_it_holds_over_a_database_too() {
    postgres::again(&[
        a_client_gives_a_consent_by_their_app_and_it_holds_for_the_next_request,
        what_was_given_is_changed_and_taken_back_and_never_comes_back_by_itself,
        a_consent_of_the_practices_is_taken_back_and_no_later_version_undoes_it,
        nobody_but_the_client_and_who_represents_them_signs,
        an_exception_is_a_no_of_its_own_and_outlasts_the_yes,
        a_conditional_create_makes_one_of_many_and_asks_as_its_caller_only,
        a_consent_of_another_is_changed_as_one_that_is_not_there,
    ]);
}
