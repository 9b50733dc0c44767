//! What consents let out, by every way there is: what is withheld answers as what never was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use throughline::config::Sources;
use throughline::http::routes::{Access, Level, ROUTES};
use throughline::policy::{FhirUser, Grantee, OUTSIDE, Principal, Purpose, Under};

use crate::support::charts;
pub(crate) use crate::support::charts::{EHR, client, diagnosis, form, note, take_in};
use crate::support::demo_data;
use crate::support::desk::{about, practice, record};
use crate::support::server::{Answer, Server, spawn_with};

/// A server that has taken in these records.
pub(crate) fn spawn(records: &[Value]) -> Server {
    let server = spawn_with(|_| Sources::default());
    take_in(&server, records);
    server
}

/// A version of a release of these kinds to the practice.
pub(crate) fn release(client: &str, id: &str, version: u64, kinds: &[&str]) -> Value {
    let mut release = charts::release(client, id, kinds);
    release["version"] = json!(version);
    release
}

/// A practice with four clients: one who released diagnoses, one who said nothing, one who took
/// back what they said, and one whose consent ended.
pub(crate) fn people() -> Vec<Value> {
    let mut all = practice();
    all.retain(|record| record["kind"] != "client");
    for (id, family, code) in [
        ("cl_1", "Open", "F41.1"),
        ("cl_2", "Silent", "F32.1"),
        ("cl_3", "Back", "F33.0"),
        ("cl_4", "Over", "F43.1"),
    ] {
        all.push(client(id, family));
        all.push(diagnosis(id, &format!("dx_{id}"), code));
        all.push(note(id, &format!("note_{id}"), "progress", "signed"));
        all.push(note(id, &format!("psy_{id}"), "psychotherapy", "signed"));
        all.push(note(id, &format!("draft_{id}"), "progress", "draft"));
    }
    all.push(form("cl_1", "con_1"));
    all.push(release("cl_1", "con_1", 1, &["diagnosis"]));
    all.push(form("cl_3", "con_3"));
    let mut revoked = release("cl_3", "con_3", 1, &["diagnosis", "session_note"]);
    revoked["data"]["status"] = json!("revoked");
    revoked["data"]["revocations"] = json!([{"at": "2026-03-01T00:00:00Z", "scope": "all"}]);
    all.push(revoked);
    all.push(form("cl_4", "con_4"));
    let mut over = release("cl_4", "con_4", 1, &["diagnosis", "session_note"]);
    over["data"]["expires"] = json!({"date": "2026-03-01"});
    all.push(over);
    all
}

impl Server {
    /// A token that looks under grants.
    pub(crate) fn under(&self, under: Under, scopes: &str, user: Option<&str>) -> String {
        let user: Option<FhirUser> = user.map(|user| user.parse().unwrap());
        let principal = Principal {
            patient: under.patient.clone(),
            under: Some(under),
            fhir_user: user,
            ..Principal::new("hv".parse().unwrap(), EHR, scopes)
        };
        self.app.tokens().issue(&principal, Duration::from_mins(5), None).unwrap().0
    }

    pub(crate) fn of_ehr(&self) -> String {
        self.under(Under::of_client(EHR, Some(Purpose::Treatment)), "system/*.rs", None)
    }

    pub(crate) fn of_practice(&self) -> String {
        let principal = Principal::new("hv".parse().unwrap(), "practice", "system/*.rs");
        self.app.tokens().issue(&principal, Duration::from_mins(5), None).unwrap().0
    }

    pub(crate) async fn asked(&self, token: &str, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).bearer_auth(token)).await
    }
}

fn types(found: &BTreeMap<String, Value>) -> BTreeSet<&str> {
    found.keys().map(|key| key.split('/').next().unwrap()).collect()
}

#[tokio::test]
async fn a_recipient_finds_what_the_consent_names_and_whose_it_is() {
    let server = spawn(&people());
    let own = server.all_of(&server.of_practice()).await;
    let theirs = server.all_of(&server.of_ehr()).await;
    let names = types(&theirs);
    for name in ["Condition", "Patient", "Consent", "Practitioner", "Organization"] {
        assert!(names.contains(name), "{name} of {names:?}");
    }
    let conditions: Vec<_> = theirs.keys().filter(|key| key.starts_with("Condition/")).collect();
    assert_eq!(conditions.len(), 1, "{conditions:?}");
    let patients: Vec<_> = theirs.iter().filter(|(key, _)| key.starts_with("Patient/")).collect();
    assert_eq!(patients.len(), 1);
    assert_eq!(patients[0].1["name"][0]["family"], "Open");
    let notes = own.keys().filter(|key| key.starts_with("DocumentReference/")).count();
    assert!(notes >= 4, "the practice has notes");
    for (key, resource) in theirs.iter().filter(|(key, _)| key.starts_with("DocumentReference/")) {
        assert_eq!(resource["type"]["coding"][0]["code"], "64292-6", "{key} is the signed form");
    }
    assert!(own.len() > 2 * theirs.len());
}

#[tokio::test]
async fn a_revocation_holds_for_the_next_request() {
    let server = spawn(&people());
    let token = server.of_ehr();
    let found = server.all_of(&token).await;
    let condition = found.keys().find(|key| key.starts_with("Condition/")).unwrap().clone();
    assert_eq!(server.asked(&token, &condition).await.status, 200);
    let mut revoked = release("cl_1", "con_1", 2, &["diagnosis"]);
    revoked["data"]["status"] = json!("revoked");
    revoked["data"]["revocations"] = json!([{"at": "2026-03-01T00:00:00Z", "scope": "all"}]);
    take_in(&server, &[revoked]);
    assert_eq!(server.asked(&token, &condition).await.status, 404);
    let left = server.all_of(&token).await;
    for name in ["Patient", "Condition", "Consent", "DocumentReference"] {
        assert!(!types(&left).contains(name), "{name}");
    }
}

#[tokio::test]
async fn a_consent_given_and_a_record_that_comes_later_are_there_at_once() {
    let server = spawn(&people());
    let token = server.of_ehr();
    take_in(&server, &[form("cl_2", "con_2"), release("cl_2", "con_2", 1, &["diagnosis"])]);
    let count = |found: &BTreeMap<String, Value>| {
        found.keys().filter(|key| key.starts_with("Condition/")).count()
    };
    assert_eq!(count(&server.all_of(&token).await), 2);
    take_in(&server, &[diagnosis("cl_2", "dx_later", "F10.20")]);
    assert_eq!(count(&server.all_of(&token).await), 3);
}

#[tokio::test]
async fn another_client_or_purpose_finds_nobodys_records() {
    let server = spawn(&people());
    for under in [
        Under::of_client("another", Some(Purpose::Treatment)),
        Under::of_client(EHR, Some(Purpose::Payment)),
        Under::of_client(EHR, None),
    ] {
        let token = server.under(under, "system/*.rs", None);
        let found = server.all_of(&token).await;
        assert!(!types(&found).contains("Patient"), "{:?}", types(&found));
        assert!(!types(&found).contains("Condition"));
    }
}

#[tokio::test]
async fn what_is_nobodys_is_withheld_from_no_recipient() {
    let server = demo_data::serve();
    let practice = Principal::new("hv".parse().unwrap(), "practice", "system/*.rs");
    let stranger = Principal {
        under: Some(Under::of_client("another", Some(Purpose::Treatment))),
        ..Principal::new(practice.tenant.clone(), "another", "system/*.rs")
    };
    let mut found = Vec::new();
    for principal in [practice, stranger] {
        let issued = server.app.tokens().issue(&principal, Duration::from_mins(5), None);
        let mut all = server.all_of(&issued.unwrap().0).await;
        all.retain(|key, _| OUTSIDE.iter().any(|name| key.starts_with(&format!("{name}/"))));
        found.push(all);
    }
    assert!(OUTSIDE.iter().all(|name| types(&found[0]).contains(name)));
    assert_eq!(found[0], found[1]);
}

#[tokio::test]
async fn a_patient_finds_their_record_and_a_guardian_what_the_law_says() {
    let mut records = people();
    let mut child = client("cl_5", "Child");
    child["data"]["birth_date"] = json!("2019-05-01");
    records.push(child);
    records.push(diagnosis("cl_5", "dx_cl_5", "F90.0"));
    let parent = |id: &str, restrictions: Value| {
        about(
            "cl_5",
            record(
                "related_party",
                id,
                1,
                json!({
                    "client_id": "cl_5", "name": {"family": id, "given": ["P"]}, "relationship": "parent",
                    "authority": [{
                        "type": "legal_guardian", "scope": "all", "from": "2019-05-01", "evidence_ref": "x"
                    }],
                    "restrictions": restrictions, "emergency_contact": true
                }),
            ),
        )
    };
    records.push(parent("Mother", json!([])));
    records.push(parent("Father", json!([{"kind": "no_records", "from": "2025-01-01"}])));
    let server = spawn(&records);
    let own = server.all_of(&server.of_practice()).await;
    let named = |name: &str, family: &str| {
        let is_it = |(key, resource): &(&String, &Value)| {
            key.starts_with(name) && resource["name"][0]["family"] == family
        };
        own.iter().find(is_it).unwrap().0.clone()
    };
    let person = |user: &str, patient: &str| {
        let under = Under::of_person(&user.parse().unwrap()).unwrap();
        let principal = Principal {
            patient: Some(patient.strip_prefix("Patient/").unwrap().parse().unwrap()),
            under: Some(under),
            fhir_user: Some(user.parse().unwrap()),
            ..Principal::new("hv".parse().unwrap(), "portal", "patient/*.rs")
        };
        server.app.tokens().issue(&principal, Duration::from_mins(5), None).unwrap().0
    };
    let patient = named("Patient/", "Silent");
    let mine = server.all_of(&person(&patient, &patient)).await;
    assert!(types(&mine).contains("Condition") && types(&mine).contains("DocumentReference"));
    let drafts = mine.values().filter(|one| one["docStatus"] == "preliminary").count();
    assert_eq!(drafts, 0);
    let child = named("Patient/", "Child");
    let mother = server.all_of(&person(&named("RelatedPerson/", "Mother"), &child)).await;
    assert!(types(&mother).contains("Condition"));
    let father = server.all_of(&person(&named("RelatedPerson/", "Father"), &child)).await;
    assert!(!types(&father).contains("Condition") && !types(&father).contains("Patient"));
    let stranger = server.all_of(&person(&named("RelatedPerson/", "Mother"), &patient)).await;
    assert!(!types(&stranger).contains("Condition") && !types(&stranger).contains("Patient"));
}

/// A way to ask about a resource; `{type}`, `{id}` and the rest are filled in.
fn ways(name: &str) -> Vec<String> {
    let mut ways = Vec::new();
    for route in ROUTES.iter().filter(|route| route.access == Access::Bearer) {
        let Some(path) = route.pattern.strip_prefix("/fhir/") else { continue };
        let is_about_one = matches!(route.level, Level::Instance | Level::Operation | Level::Type);
        if route.method != "GET" || !is_about_one {
            continue;
        }
        let fits = match path.split('/').next().unwrap() {
            "{type}" => true,
            other => other == name,
        };
        if fits && path.contains("{id}") {
            ways.push(path.replace("{version}", "1"));
        }
    }
    assert!(ways.len() >= 3, "{ways:?}");
    let features = [
        "{type}?_id={id}",
        "{type}?_id={id}&_total=accurate",
        "{type}?_id={id}&_summary=count",
        "{type}?_id={id}&_elements=id",
        "{type}?_id={id}&_include=*",
        "Provenance?target={type}/{id}",
        "Provenance?target={type}/{id}&_include=Provenance:target",
        "Provenance?target:{type}._id={id}",
        "Condition?patient={id}&_summary=count",
        "Condition?subject=Patient/{id}",
        "Condition?patient._id={id}",
        "Condition?_has:Provenance:target:_id={id}",
        "Patient?_has:Condition:patient:_id={id}",
        "Patient?_has:DocumentReference:patient:_id={id}&_total=accurate",
        "Patient?_revinclude=Condition:patient&_id={id}",
        "DocumentReference?patient={id}&type:missing=false",
        "Consent?patient={id}",
        "Patient/{id}/Condition",
        "Patient/{id}/$everything",
    ];
    ways.extend(features.map(str::to_owned));
    ways
}

/// An answer apart from what names the request itself.
fn bare(answer: &Answer, id: &str) -> (u16, BTreeMap<String, String>, String) {
    let skip = ["date", "x-request-id", "ratelimit", "ratelimit-policy"];
    let headers = answer.headers.iter().filter(|(name, _)| !skip.contains(&name.as_str()));
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().replace(id, "ID")));
    (answer.status.as_u16(), headers.collect(), answer.text.replace(id, "ID"))
}

/// An id that nothing has, as long as the others.
const NOBODY: &str = "00000000000000000000000000000000";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_withheld_answers_as_what_never_was_by_every_way() {
    let server = spawn(&people());
    let token = server.of_ehr();
    let own = server.all_of(&server.of_practice()).await;
    let theirs = server.all_of(&token).await;
    let withheld: Vec<_> = own.keys().filter(|key| !theirs.contains_key(*key)).collect();
    let kinds: BTreeSet<_> = withheld.iter().map(|key| key.split('/').next().unwrap()).collect();
    assert!(kinds.len() >= 5, "{kinds:?}");
    let mut checked = 0;
    for key in withheld {
        let (name, id) = key.split_once('/').unwrap();
        for way in ways(name) {
            let path = |id: &str| way.replace("{type}", name).replace("{id}", id);
            let answer = server.asked(&token, &path(id)).await;
            let never = server.asked(&token, &path(NOBODY)).await;
            assert_eq!(bare(&answer, id), bare(&never, NOBODY), "{way} of {key}");
            checked += 1;
        }
        let etag = format!("W/\"{}\"", own[key]["meta"]["versionId"].as_str().unwrap());
        let known = server.request(Method::GET, key).bearer_auth(&token);
        let known = server.send(known.header("If-None-Match", etag)).await;
        assert_eq!(known.status, 404, "{key} is known already");
    }
    assert!(checked > 500, "{checked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_withheld_is_counted_nowhere() {
    let server = spawn(&people());
    let token = server.of_ehr();
    for (path, expected) in [
        ("Condition?_summary=count", 1),
        ("Condition?_total=accurate", 1),
        ("Patient?_total=accurate", 1),
        ("Patient?_has:Condition:patient:code=F32.1&_total=accurate", 0),
        ("Patient?_has:Condition:patient:code=F41.1&_total=accurate", 1),
        ("Condition?patient.family=Silent&_total=accurate", 0),
        ("Condition?patient.family=Open&_total=accurate", 1),
        ("Condition?code=F33.0,F41.1&_total=accurate", 1),
        ("Condition?code:not=F41.1&_total=accurate", 0),
        ("Condition?code:missing=false&_total=accurate", 1),
        ("Patient?birthdate=1980-03-08&_total=accurate", 1),
    ] {
        let answer = server.asked(&token, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert_eq!(answer.json()["total"], expected, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_earlier_version_is_shown_to_a_recipient() {
    let server = spawn(&people());
    let token = server.of_ehr();
    let found = server.all_of(&token).await;
    let key = found.keys().find(|key| key.starts_with("Condition/")).unwrap();
    let first = found[key]["meta"]["versionId"].as_str().unwrap().to_owned();
    let mut changed = diagnosis("cl_1", "dx_cl_1", "F41.0");
    changed["version"] = json!(2);
    changed["updated_at"] = json!("2026-11-02T17:03:11.004Z");
    take_in(&server, &[changed]);
    assert_eq!(server.asked(&token, key).await.status, 200);
    assert_eq!(server.asked(&token, &format!("{key}/_history/{first}")).await.status, 404);
    let history = server.asked(&token, &format!("{key}/_history")).await.json();
    assert_eq!(history["entry"].as_array().unwrap().len(), 1);
    let own = server.of_practice();
    assert_eq!(server.asked(&own, &format!("{key}/_history/{first}")).await.status, 200);
}

#[test]
fn a_grantee_is_who_and_what_for() {
    let treatment = Grantee::of_recipient("a", Purpose::Treatment);
    assert_ne!(treatment, Grantee::of_recipient("a", Purpose::Payment));
    assert_ne!(treatment, Grantee::of_recipient("b", Purpose::Treatment));
    let principal = Arc::new(Principal::new("hv".parse().unwrap(), "practice", "system/*.rs"));
    assert!(principal.under.is_none());
}
