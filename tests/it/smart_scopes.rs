//! What a token lets through, by every way that leads to a resource: what is forbidden is not there.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use throughline::app::Config;
use throughline::http::routes::{Access, Endpoint, Level, ROUTES};
use throughline::policy::{Action, Obligations, Permit, Principal, Scopes};

use crate::support::server::{Answer, Server, spawn};

pub(crate) const SURVEY: &str = "http://terminology.hl7.org/CodeSystem/observation-category|survey";
pub(crate) const LAB: &str =
    "http://terminology.hl7.org/CodeSystem/observation-category|laboratory";

fn resource(kind: &str, id: &str, others: &Value) -> Value {
    let mut resource = json!({
        "resourceType": kind, "id": id,
        "meta": { "versionId": "1", "lastUpdated": "2026-11-25T10:00:00Z" }
    });
    for (name, value) in others.as_object().unwrap() {
        resource[name] = value.clone();
    }
    resource
}

fn observation(id: &str, patient: &str, category: &str) -> Value {
    let (system, code) = category.split_once('|').unwrap();
    resource(
        "Observation",
        id,
        &json!({
            "status": "final", "subject": { "reference": format!("Patient/{patient}") },
            "category": [{ "coding": [{ "system": system, "code": code }] }],
            "code": { "coding": [{ "system": "http://loinc.org", "code": "44261-6" }] },
            "encounter": { "reference": format!("Encounter/e-{patient}") },
            "performer": [{ "reference": "Practitioner/dr" }]
        }),
    )
}

/// Two clients of the practice with the same kinds of records each, and two practitioners.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn spawn_full() -> Server {
    let server = spawn();
    let mut all = vec![
        resource("Practitioner", "dr", &json!({ "name": [{ "family": "Ruiz" }] })),
        resource("Practitioner", "dx", &json!({ "name": [{ "family": "Other" }] })),
        resource("Organization", "org", &json!({ "name": "Harborview" })),
    ];
    for patient in ["ann", "bo"] {
        let subject = json!({ "reference": format!("Patient/{patient}") });
        let named = |kind: &str| format!("{kind}-{patient}");
        let is_own = patient == "ann";
        let member = if is_own { "Practitioner/dr" } else { "Practitioner/dx" };
        let document = format!("DocumentReference/{}", named("d"));
        let target = format!("Observation/{}", named("s"));
        all.extend([
            resource(
                "Patient",
                patient,
                &json!({
                    "name": [{ "family": named("Family") }],
                    "managingOrganization": { "reference": "Organization/org" }
                }),
            ),
            resource(
                "Encounter",
                &named("e"),
                &json!({ "status": "finished", "subject": subject }),
            ),
            observation(&named("s"), patient, SURVEY),
            observation(&named("l"), patient, LAB),
            resource(
                "CareTeam",
                &named("t"),
                &json!({
                    "status": "active", "subject": subject,
                    "participant": [
                    { "member": { "reference": member } },
                    { "member": { "reference": "Practitioner/former" },
                      "period": { "end": "2026-01-01" } }
                ]
                }),
            ),
            resource(
                "DocumentReference",
                &named("d"),
                &json!({
                    "status": "current", "subject": subject,
                    "category": [{ "coding": [{ "system": "x", "code": "clinical-note" }] }]
                }),
            ),
            resource(
                "Binary",
                &named("b"),
                &json!({
                    "contentType": "text/plain", "data": "aGVsbG8=",
                    "securityContext": { "reference": document }
                }),
            ),
            resource(
                "Provenance",
                &named("p"),
                &json!({
                    "target": [{ "reference": target }],
                    "agent": [{ "who": { "reference": "Practitioner/dr" } }]
                }),
            ),
        ]);
    }
    server.store("hv", "all", &all);
    server
}

impl Server {
    /// A token with scopes and a context.
    fn scoped(&self, scopes: &str, patient: Option<&str>, user: Option<&str>) -> String {
        let principal = Principal {
            scopes: Scopes::parse(scopes),
            patient: patient.map(|id| id.parse().unwrap()),
            fhir_user: user.map(|user| user.parse().unwrap()),
            ..Principal::new("hv".parse().unwrap(), "test", "")
        };
        let lifetime = std::time::Duration::from_mins(5);
        self.app.tokens().issue(&principal, lifetime, None).unwrap().0
    }

    async fn by(&self, token: &str, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).bearer_auth(token)).await
    }
}

/// The ids of all entries, matches and others, sorted.
fn entries(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let bundle = answer.json();
    let all = bundle["entry"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<_> =
        all.iter().map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn what_one_of_two_scopes_lets_through_has_a_history() {
    let server = spawn_full();
    let scopes = format!("patient/Observation.rs?category={LAB} user/Observation.rs");
    let token = server.scoped(&scopes, Some("ann"), Some("Practitioner/dr"));
    for path in
        ["Observation/s-ann", "Observation/s-ann/_history/1", "Observation/l-ann/_history/1"]
    {
        assert_eq!(server.by(&token, path).await.status, 200, "{path}");
    }
    let history = server.by(&token, "Observation/s-ann/_history").await;
    assert_eq!(entries(&history), ["s-ann"]);
}

#[tokio::test]
async fn a_patients_token_is_about_that_patient_by_every_way() {
    let server = spawn_full();
    let token = server.scoped("patient/*.rs", Some("ann"), Some("Patient/ann"));
    for path in [
        "Patient/bo",
        "Observation/s-bo",
        "Encounter/e-bo",
        "Binary/b-bo",
        "Provenance/p-bo",
        "DocumentReference/d-bo",
        "Observation/s-bo/_history",
        "Observation/s-bo/_history/1",
        "Patient/bo/$everything",
        "Binary/b-bo/_history/1",
        "Patient/nobody",
        "Binary/nobody",
    ] {
        let answer = server.by(&token, path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
        assert!(!answer.text.contains("bo"), "{path}: {}", answer.text);
    }
    for path in [
        "Patient/ann",
        "Observation/s-ann",
        "Observation/l-ann/_history/1",
        "Binary/b-ann",
        "DocumentReference/d-ann",
        "Practitioner/dr",
        "Organization/org",
        "Binary/b-ann/_history/1",
    ] {
        assert_eq!(server.by(&token, path).await.status, 200, "{path}");
    }
    for (path, expected) in [
        ("Patient", &["ann"][..]),
        ("Patient?_id=ann,bo", &["ann"]),
        ("Patient?family=Family", &["ann"]),
        ("Observation", &["l-ann", "s-ann"]),
        ("Observation?patient=bo", &[]),
        ("Observation?patient=Patient/ann,Patient/bo", &["l-ann", "s-ann"]),
        ("Observation?code=44261-6", &["l-ann", "s-ann"]),
        ("Observation?performer=Practitioner/dr", &["l-ann", "s-ann"]),
        ("Observation?_lastUpdated=gt2020", &["l-ann", "s-ann"]),
        ("Observation?_sort=-code", &["l-ann", "s-ann"]),
        ("Observation?patient.family=Family-bo", &[]),
        ("Observation?encounter=Encounter/e-bo", &[]),
        ("Observation?category:not=nothing", &["l-ann", "s-ann"]),
        ("Observation?code:missing=false", &["l-ann", "s-ann"]),
        ("Patient?_has:Observation:patient:code=44261-6", &["ann"]),
        ("Practitioner?_has:CareTeam:participant:status=active", &["dr"]),
        ("Practitioner", &["dr", "dx"]),
        ("Practitioner?_revinclude=CareTeam:participant", &["dr", "dx", "t-ann"]),
        ("Organization?_revinclude=Patient:organization", &["ann", "org"]),
        ("Observation?_include=Observation:patient", &["ann", "l-ann", "s-ann"]),
        ("Patient/bo/Observation", &[]),
        ("Patient/ann/Observation", &["l-ann", "s-ann"]),
    ] {
        let answer = server.by(&token, path).await;
        assert_eq!(entries(&answer), expected, "{path}");
        let counted = server
            .by(
                &token,
                &format!("{path}{}_summary=count", if path.contains('?') { "&" } else { "?" }),
            )
            .await;
        let matches = answer.ids().len();
        assert_eq!(counted.json()["total"], json!(matches), "{path}");
    }
    let everything = entries(&server.by(&token, "Patient/ann/$everything").await);
    assert!(everything.contains(&"ann".to_owned()) && everything.contains(&"dr".to_owned()));
    assert!(everything.iter().all(|id| !id.ends_with("bo")), "{everything:?}");
}

#[tokio::test]
async fn a_granular_scope_lets_its_category_through_and_nothing_else() {
    let server = spawn_full();
    let scopes = format!("patient/Observation.rs?category={SURVEY} patient/Patient.rs");
    let token = server.scoped(&scopes, Some("ann"), None);
    for (path, status) in [
        ("Observation/s-ann", 200),
        ("Observation/s-ann/_history", 200),
        ("Observation/l-ann", 404),
        ("Observation/l-ann/_history", 404),
        ("Observation/l-ann/_history/1", 404),
        ("Observation/s-bo", 404),
        ("Encounter/e-ann", 403),
        ("Encounter", 403),
        ("Encounter/nobody", 403),
        ("Observation?encounter.status=finished", 403),
        ("Observation?_has:Provenance:target:agent=Practitioner/dr", 403),
        ("Binary/b-ann", 403),
        ("Practitioner/dr", 403),
    ] {
        assert_eq!(server.by(&token, path).await.status.as_u16(), status, "{path}");
    }
    for (path, expected) in [
        ("Observation", &["s-ann"][..]),
        ("Observation?patient=ann", &["s-ann"]),
        ("Observation?category=laboratory", &[]),
        ("Observation?category=survey,laboratory", &["s-ann"]),
        ("Observation?_include=Observation:encounter", &["s-ann"]),
        ("Patient?_revinclude=Observation:patient", &["ann", "s-ann"]),
        ("Patient?_has:Observation:patient:category=laboratory", &[]),
        ("Patient?_has:Observation:patient:category=survey", &["ann"]),
        ("Patient/ann/Observation", &["s-ann"]),
        ("Patient/ann/$everything", &["ann", "s-ann"]),
    ] {
        assert_eq!(entries(&server.by(&token, path).await), expected, "{path}");
    }
    let posted = server.request(Method::POST, "Observation/_search").bearer_auth(&token);
    let posted = server.send(posted.form(&[("patient", "ann")])).await;
    assert_eq!(entries(&posted), ["s-ann"]);
    let both =
        server.scoped(&format!("{scopes} patient/Observation.r?category={LAB}"), Some("ann"), None);
    assert_eq!(server.by(&both, "Observation/l-ann").await.status, 200);
    assert_eq!(entries(&server.by(&both, "Observation").await), ["s-ann"], "read is not search");
    let system = server.scoped(&format!("system/Observation.rs?category={LAB}"), None, None);
    assert_eq!(entries(&server.by(&system, "Observation").await), ["l-ann", "l-bo"]);
}

#[tokio::test]
async fn a_batch_lets_through_no_more_than_its_token() {
    let server = spawn_full();
    let token = server.scoped("patient/Observation.rs patient/Patient.r", Some("ann"), None);
    let asked =
        ["Observation/s-ann", "Observation/s-bo", "Encounter/e-ann", "Observation", "Patient"];
    let entry: Vec<_> =
        asked.iter().map(|url| json!({ "request": { "method": "GET", "url": url } })).collect();
    let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": entry });
    let request = server.request(Method::POST, "").bearer_auth(&token);
    let request = request.header("Content-Type", "application/fhir+json").body(batch.to_string());
    let answer = server.send(request).await.json();
    let status =
        |at: usize| answer["entry"][at]["response"]["status"].as_str().unwrap()[..3].to_owned();
    assert_eq!([0, 1, 2, 3, 4].map(status), ["200", "404", "403", "200", "403"]);
    assert_eq!(answer["entry"][3]["resource"]["total"], json!(2));
    assert!(!answer["entry"][3].to_string().contains("-bo"));
}

#[tokio::test]
async fn a_practitioner_sees_their_own_caseload() {
    let server = spawn_full();
    let token = server.scoped("openid fhirUser user/*.rs", None, Some("Practitioner/dr"));
    assert_eq!(entries(&server.by(&token, "Patient").await), ["ann"]);
    assert_eq!(entries(&server.by(&token, "Observation").await), ["l-ann", "s-ann"]);
    for (path, status) in [
        ("Patient/ann", 200),
        ("Patient/bo", 404),
        ("Binary/b-ann", 200),
        ("Binary/b-bo", 404),
        ("Observation/s-ann/_history", 200),
        ("Observation/s-bo/_history", 404),
        ("Practitioner/dx", 200),
        ("Patient/bo/$everything", 404),
    ] {
        assert_eq!(server.by(&token, path).await.status.as_u16(), status, "{path}");
    }
    let former = server.scoped("user/*.rs", None, Some("Practitioner/former"));
    assert!(entries(&server.by(&former, "Patient").await).is_empty());
    let nobody = server.scoped("user/*.rs", None, None);
    assert_eq!(server.by(&nobody, "Patient").await.status, 403, "a user who is nobody");
    let themself = server.scoped("openid fhirUser", None, Some("Practitioner/dr"));
    assert_eq!(server.by(&themself, "Practitioner/dr").await.status, 200);
    assert_eq!(server.by(&themself, "Practitioner/dx").await.status, 404);
    assert_eq!(server.by(&themself, "Practitioner").await.status, 403);
}

/// Whether a practitioner sees a patient at an instant.
fn sees(server: &Server, practitioner: &str, patient: &str, at: &str) -> bool {
    let principal = Arc::new(Principal {
        fhir_user: Some(practitioner.parse().unwrap()),
        ..Principal::new("hv".parse().unwrap(), "test", "user/*.rs")
    });
    let principal = principal.asking_at(at.parse().unwrap(), Obligations::OF_READING);
    let permit = Permit::decide(&principal, Action::Read, "Patient").unwrap();
    server.app.store().head(&permit, &patient.parse().unwrap()).unwrap().is_some()
}

#[tokio::test]
async fn who_covers_sees_the_caseload_from_the_first_instant_to_the_last() {
    let server = spawn_full();
    let member = |name: &str, period: Value| json!({ "member": { "reference": format!("Practitioner/{name}") }, "period": period });
    let team = json!({
        "status": "active", "subject": { "reference": "Patient/bo" },
        "participant": [
            member("cover", json!({ "start": "2026-11-10T00:00:00-07:00",
                                    "end": "2026-11-20T23:59:59-07:00" })),
            member("cover", json!({ "start": "2026-12-01", "end": "2026-12-01" })),
            member("planned", json!({ "end": "9000-12-31" })),
            member("later", json!({ "start": "9000-01-01" })),
            member("unclear", json!({ "end": "soon" })),
        ]
    });
    server.store("hv", "cover", &[resource("CareTeam", "t-cover", &team)]);
    for (practitioner, at, expected) in [
        ("cover", "2026-11-10T06:59:59Z", false),
        ("cover", "2026-11-10T07:00:00Z", true),
        ("cover", "2026-11-15T12:34:56Z", true),
        ("cover", "2026-11-21T06:59:59Z", true),
        ("cover", "2026-11-21T07:00:00Z", false),
        ("cover", "2026-12-01T00:00:00Z", true),
        ("cover", "2026-12-02T00:00:00Z", false),
        ("dx", "1970-01-01T00:00:00Z", true),
        ("former", "2026-01-01T12:00:00Z", true),
        ("former", "2026-01-02T00:00:00Z", false),
        ("unclear", "2026-01-02T00:00:00Z", false),
    ] {
        let user = format!("Practitioner/{practitioner}");
        assert_eq!(sees(&server, &user, "bo", at), expected, "{practitioner} {at}");
    }
    for (practitioner, status) in [("planned", 200), ("later", 404), ("unclear", 404)] {
        let user = format!("Practitioner/{practitioner}");
        let token = server.scoped("user/*.rs", None, Some(&user));
        for path in ["Patient/bo", "Patient/bo/$everything", "Observation/s-bo"] {
            assert_eq!(server.by(&token, path).await.status, status, "{practitioner} {path}");
        }
        let found = entries(&server.by(&token, "Patient").await);
        assert_eq!(found.contains(&"bo".to_owned()), status == 200, "{practitioner}");
    }
}

#[tokio::test]
async fn a_patients_token_without_a_patient_opens_nothing() {
    let server = spawn_full();
    let token = server.scoped("patient/*.rs launch/patient openid", None, None);
    for path in ["Patient", "Patient/ann", "Observation", "Practitioner/dr", "Binary/b-ann"] {
        assert_eq!(server.by(&token, path).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn an_earlier_version_of_another_category_is_not_there() {
    let server = spawn_full();
    let mut now = observation("s-ann", "ann", SURVEY);
    let mut before = observation("s-ann", "ann", LAB);
    (before["meta"]["versionId"], now["meta"]["versionId"]) = (json!("2"), json!("3"));
    server.store("hv", "changed", &[before]);
    server.store("hv", "changed", &[now]);
    let token =
        server.scoped(&format!("patient/Observation.r?category={SURVEY}"), Some("ann"), None);
    assert_eq!(server.by(&token, "Observation/s-ann/_history/3").await.status, 200);
    assert_eq!(server.by(&token, "Observation/s-ann/_history/2").await.status, 404);
    let history = server.by(&token, "Observation/s-ann/_history").await;
    assert!(!history.text.contains("laboratory"), "{}", history.text);
}

/// A path of a route of the FHIR API, about `ann`.
fn path(pattern: &str) -> String {
    let path = pattern.strip_prefix("/fhir").unwrap().trim_start_matches('/');
    let kind = if path.contains("Patient/{id}/{type}") { "Observation" } else { "Patient" };
    let id = if path.starts_with("Binary") { "b-ann" } else { "ann" };
    let path = path.replace("{type}", kind).replace("{id}", id).replace("{version}", "1");
    path.replace("$docref", "$docref?patient=ann")
}

#[tokio::test]
async fn every_route_of_the_api_looks_at_its_token() {
    let server = spawn_full();
    let own = server.scoped("patient/*.rs", Some("ann"), None);
    let others = server.scoped("patient/*.rs", Some("bo"), None);
    let too_little = server.scoped("system/Goal.rs openid launch/patient", Some("ann"), None);
    let wrong = format!("{}x", &own[..own.len() - 1]);
    // Exports and the list that they name are answered later, by what is covered; what is signed has
    // tests of its own.
    let at_once = |route: &&Endpoint| {
        let is_later = ["/fhir/bulk", "/fhir/Group", "/fhir/Consent"]
            .iter()
            .any(|at| route.pattern.starts_with(at));
        route.access == Access::Bearer
            && !is_later
            && !["export", "break-glass", "receive", "create"].contains(&route.interaction)
    };
    let routes = ROUTES.iter().filter(at_once);
    let mut seen = 0;
    for route in routes {
        seen += 1;
        let at = path(route.pattern);
        let ask = |token: Option<&str>| {
            let mut request = server.request(route.method.parse().unwrap(), &at);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            match (route.method, route.interaction) {
                ("POST", "search-type") => request.form(&[("_count", "10")]),
                ("POST", "batch") => request.header("Content-Type", "application/fhir+json").body(
                    r#"{"resourceType":"Bundle","type":"batch","entry":[
                        {"request":{"method":"GET","url":"Patient/ann"}}]}"#,
                ),
                ("POST", _) => request
                    .header("Content-Type", "application/fhir+json")
                    .body(r#"{"resourceType":"Parameters"}"#),
                _ => request,
            }
        };
        let name = format!("{} {}", route.method, route.pattern);
        if route.pattern.starts_with("/fhir/AuditEvent") {
            let answer = server.send(ask(Some(&own))).await;
            assert_eq!(answer.refusal().0, 403, "{name}: a wildcard does not name the audit");
            continue;
        }
        for token in [None, Some(wrong.as_str()), Some("nonsense")] {
            let answer = server.send(ask(token)).await;
            assert_eq!(answer.refusal().0, 401, "{name}");
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{name}");
        }
        let is_batch = route.level == Level::System;
        let answer = server.send(ask(Some(&own))).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text);
        let denied = server.send(ask(Some(&too_little))).await;
        if is_batch {
            assert!(denied.text.contains("403"), "{name}: {}", denied.text);
        } else {
            assert_eq!(denied.refusal().0, 403, "{name}");
        }
        let other = server.send(ask(Some(&others))).await;
        let is_list = route.level == Level::Type || route.interaction == "docref";
        match (is_list, is_batch) {
            (_, true) => assert!(other.text.contains("404"), "{name}: {}", other.text),
            (true, _) => assert!(!other.text.contains("ann\""), "{name}: {}", other.text),
            _ => {
                assert_eq!(other.refusal().0, 404, "{name}");
                let absent = server
                    .send(server.request(Method::GET, "Patient/nobody").bearer_auth(&others))
                    .await;
                assert_eq!(other.text, absent.text, "{name}: withheld looks like absent");
            }
        }
    }
    assert!(seen >= 11, "{seen}");
    assert!(Config::default().clients.is_empty());
}
