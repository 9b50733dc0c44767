//! Cases in which people, consents and the store are not as one expects.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use throughline::app::Config;
use throughline::clock::{Clock as _, SystemClock};
use throughline::config::Sources;
use throughline::policy::{FhirUser, Principal};

use crate::support::charts::{
    EHR, client, diagnosis, form, holding, next, note, release, revoked, staff, take_in, with,
};
use crate::support::desk::{about, record};
use crate::support::postgres::{self, PostgresServer};
use crate::support::server::{Server, spawn, spawn_as_new, spawn_over};
use crate::support::smart;

/// A practice with one adult, what was released of them, and their child with a guardian.
fn chart() -> Vec<Value> {
    let mut all = staff();
    all.push(client("cl_1", "Quill"));
    all.push(diagnosis("cl_1", "dx_1", "F41.0"));
    all.extend([release("cl_1", "c_1", &["*"]), form("cl_1", "c_1")]);
    all
}

/// A server at which the practice that consents name is registered.
fn connected() -> Server {
    let clients = vec![
        smart::client(EHR, "public", &json!({ "name": "Front Range Family Medicine" })),
        smart::client("own", "public", &json!({ "own": true })),
    ];
    spawn_as_new(Config { clients, ..Config::default() })
}

/// 36: somebody who works in the practice is a client in it too.
#[tokio::test(flavor = "multi_thread")]
async fn a_therapists_login_does_not_open_their_own_record() {
    let server = spawn();
    let mut records = chart();
    let mut colleague = records.iter().find(|one| one["id"] == "st_2").unwrap().clone();
    colleague["id"] = json!("st_3");
    colleague["data"]["name"]["family"] = json!("Colleague");
    records.push(colleague);
    // Their own record as a client is a colleague's case.
    let own = with(client("cl_st2", "Selfcase"), json!({ "portal_sub": "oidc|m.ruiz" }));
    let own_staff = records.iter().find(|one| one["id"] == "st_2").unwrap().clone();
    records.push(next(with(own_staff, json!({ "login_sub": "oidc|m.ruiz" })), 2));
    records.extend([own, diagnosis("cl_st2", "dx_own", "F32.1")]);
    for (client, staff) in [("cl_1", "st_2"), ("cl_st2", "st_3")] {
        let data = json!({ "client_id": client, "staff_id": staff, "role": "primary", "from": "2026-01-02" });
        records.push(about(client, record("assignment", &format!("as_{client}"), 1, data)));
    }
    take_in(&server, &records);
    let all = server.all_of(&server.token).await;
    let staff = all.iter().filter(|(key, _)| key.starts_with("Practitioner/"));
    let me =
        staff.filter(|(_, one)| one["name"][0]["family"] == "Ruiz").map(|(key, _)| key.clone());
    let me = me.collect::<Vec<_>>().pop().unwrap();
    let own = holding(&all, "Patient", "Selfcase");
    let case = holding(&all, "Patient", "Quill");
    let user: FhirUser = me.parse().unwrap();
    let principal = Principal {
        fhir_user: Some(user),
        ..Principal::new("hv".parse().unwrap(), "ehr", "user/*.rs")
    };
    let minutes = std::time::Duration::from_mins(5);
    let (token, _) = server.app.tokens().issue(&principal, minutes, None).unwrap();
    assert_eq!(server.by_token(&token, &case).await.status, StatusCode::OK);
    let id = own.strip_prefix("Patient/").unwrap();
    for path in [own.clone(), format!("{own}/_history"), format!("{own}/$everything")] {
        assert_eq!(server.by_token(&token, &path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in [format!("Condition?patient={id}"), format!("Patient?_id={id}")] {
        assert!(server.by_token(&token, &path).await.ids().is_empty(), "{path}");
    }
    let as_client = server.of_person(&own, &own);
    assert_eq!(server.by_token(&as_client, &own).await.status, StatusCode::OK, "by their own path");
}

/// 40, 41: a consent is taken back while somebody fetches what it gave.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_consent_gave_ends_between_two_files_and_between_two_pages() {
    let server = connected();
    let mut records = chart();
    records.extend([diagnosis("cl_1", "dx_2", "F32.1"), diagnosis("cl_1", "dx_3", "F43.1")]);
    take_in(&server, &records);
    let recipient = server.of_recipient();
    let first = server.by_token(&recipient, "Condition?_count=1").await;
    assert_eq!(first.ids().len(), 1);
    let page = first.link("next").unwrap();
    let ask = |path: String| {
        let request = server.request(Method::GET, &path).bearer_auth(&recipient);
        server.send(request.header("prefer", "respond-async"))
    };
    let begun = ask(format!("{}/$export", server.base)).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.text);
    let status = begun.header("content-location").to_owned();
    let manifest = loop {
        let found = ask(status.clone()).await;
        if found.status == StatusCode::OK {
            break found.json();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let files = manifest["output"].as_array().unwrap().clone();
    let of_person =
        |file: &&Value| ["Patient", "Condition"].contains(&file["type"].as_str().unwrap());
    let about_them: Vec<_> = files.iter().filter(of_person).collect();
    assert_eq!(about_them.len(), 2, "{manifest}");
    take_in(&server, &[next(revoked(release("cl_1", "c_1", &["*"])), 2)]);
    for file in about_them {
        let gone = ask(file["url"].as_str().unwrap().to_owned()).await;
        assert_eq!(gone.refusal().0, 410, "{file}");
    }
    let rest = server.by_token(&recipient, &page).await;
    assert_eq!((rest.ids().len(), rest.link("next")), (0, None), "{}", rest.text);
    assert!(rest.json().get("total").is_none_or(|total| total == 0), "no gap is told");
}

/// 51: nobody can be asked what consents say.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_released_while_the_store_of_consents_is_away() {
    let mut database = PostgresServer::start();
    let url = database.migrated();
    let server = spawn_over(postgres::settings(&url), |_| Sources::default());
    let mut records = chart();
    records.push(note("cl_1", "n_1", "progress", "locked"));
    take_in(&server, &records);
    let recipient = server.of_recipient();
    let seen = server.all_of(&recipient).await;
    let patient = holding(&seen, "Patient", "Quill");
    let paths = [
        patient.clone(),
        format!("{patient}/_history"),
        format!("{patient}/$everything"),
        format!("{patient}/$summary"),
        "Condition?code=F41.0".to_owned(),
        "Patient?_summary=count".to_owned(),
    ];
    // Whatever may be kept of the answers is kept by now.
    for path in &paths {
        assert_eq!(server.by_token(&recipient, path).await.status, StatusCode::OK, "{path}");
    }
    database.kill();
    for token in [&recipient, &server.token] {
        for path in &paths {
            let answer = server.by_token(token, path).await;
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {}", answer.text);
            for word in ["Quill", "F41", "Ada"] {
                assert!(!answer.text.contains(word), "{path}: {}", answer.text);
            }
        }
    }
}

/// 53: R4's own dialect, in which the root says nothing and the policy rule does.
#[tokio::test(flavor = "multi_thread")]
async fn a_root_without_a_type_is_read_by_its_policy_rule() {
    for (rule, nested, expected) in [
        // Nobody may see anything, but for this.
        ("OPTOUT", Some("permit"), Some(1)),
        // Everybody may, which names nobody and cannot be kept.
        ("OPTIN", None, None),
        ("OPTOUT", Some("deny"), Some(0)),
        ("UNHEARD-OF", Some("permit"), None),
    ] {
        let server = connected();
        let mut records = chart();
        records.retain(|one| one["kind"] != "consent" && one["kind"] != "attachment");
        take_in(&server, &records);
        let all = server.all_of(&server.token).await;
        let patient = holding(&all, "Patient", "Quill");
        let body = core(&patient, rule, nested);
        let token = signing(&server, &patient);
        let request = server.request(Method::POST, "Consent").bearer_auth(token);
        let request = request.header("Content-Type", "application/fhir+json");
        let answer = server.send(request.body(body.to_string())).await;
        let released = || async {
            let found = server.all_of(&server.of_recipient()).await;
            found.keys().filter(|key| key.starts_with("Condition/")).count()
        };
        if let Some(count) = expected {
            assert_eq!(answer.status, StatusCode::CREATED, "{rule} {nested:?}: {}", answer.text);
            assert_eq!(released().await, count, "{rule} {nested:?}");
        } else {
            assert!(answer.status.is_client_error(), "{rule} {nested:?}: {}", answer.text);
            assert_eq!(released().await, 0, "what cannot be kept opens nothing: {rule}");
        }
    }
}

fn signing(server: &Server, patient: &str) -> String {
    let user: FhirUser = patient.parse().unwrap();
    let principal = Principal {
        patient: Some(patient.strip_prefix("Patient/").unwrap().parse().unwrap()),
        under: throughline::policy::Under::of_person(&user),
        fhir_user: Some(user),
        ..Principal::new("hv".parse().unwrap(), "app", "patient/*.rs patient/Consent.cu")
    };
    let minutes = std::time::Duration::from_mins(5);
    server.app.tokens().issue(&principal, minutes, None).unwrap().0
}

/// A Consent whose root provision says neither permit nor deny.
fn core(patient: &str, rule: &str, nested: Option<&str>) -> Value {
    let code = |system: &str, code: &str| json!({ "system": system, "code": code });
    let inner = |kind: &str| {
        json!({
            "type": kind, "period": { "start": "2026-02-01", "end": "2099-01-01" },
            "purpose": [code("http://terminology.hl7.org/CodeSystem/v3-ActReason", "TREAT")],
            "class": [code("http://hl7.org/fhir/resource-types", "Condition")],
            "actor": [{
                "role": { "coding": [code("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")] },
                "reference": {
                    "identifier": { "system": "https://throughline.example/ids/client", "value": EHR },
                    "display": "My doctor"
                }
            }]
        })
    };
    let provision = nested.map_or(json!({}), |kind| json!({ "provision": [inner(kind)] }));
    json!({
        "resourceType": "Consent", "status": "active",
        "scope": { "coding": [code("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")] },
        "category": [{ "coding": [code("http://loinc.org", "59284-0")] }],
        "patient": { "reference": patient }, "dateTime": format!("{:.0}", SystemClock.now()),
        "policyRule": { "coding": [code("http://terminology.hl7.org/CodeSystem/v3-ActCode", rule)] },
        "provision": provision
    })
}

/// 65: nothing counts aloud what happens, since nobody can subscribe.
#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_whose_heartbeat_could_count() {
    let server = spawn_as_new(Config::default());
    take_in(&server, &chart());
    let stated = server.get("metadata").await.text;
    let recipient = server.of_recipient();
    for name in ["Subscription", "SubscriptionStatus", "SubscriptionTopic", "Basic"] {
        assert!(!stated.contains(&format!("\"{name}\"")), "{name}");
        for path in [name.to_owned(), format!("{name}/x"), format!("{name}/x/$status")] {
            let open = server.by_token(&server.token, &path).await;
            let under = server.by_token(&recipient, &path).await;
            assert_eq!(open.status, StatusCode::NOT_FOUND, "{path}");
            assert_eq!((under.status, &under.text), (open.status, &open.text), "{path}");
        }
        let body = json!({ "resourceType": name, "status": "requested" }).to_string();
        let request = server.request(Method::POST, name).bearer_auth(&recipient);
        let made = server.send(request.body(body)).await;
        assert!(made.status.is_client_error(), "{name}: {}", made.text);
    }
}

/// A consent that names dates opens plans and goals by the day from which a plan is followed.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_of_the_day_from_which_it_is_followed() {
    let plan = |client: &str, from: Option<&str>| {
        let mut data = json!({
            "client_id": client, "plan_version": 1, "status": "active",
            "modality_summary": "CBT", "problem_refs": [],
            "goals": [{ "id": format!("g_{client}"), "text": "Fewer attacks", "status": "active",
                "start": from.unwrap_or("2026-03-01") }],
            "interventions": [], "reviews": [], "signatures": []
        });
        if let Some(from) = from {
            data["effective"] = json!({ "from": from });
        }
        about(client, record("treatment_plan", &format!("tp_{client}"), 1, data))
    };
    let server = spawn();
    let mut records = staff();
    for (client_id, from) in [
        ("cl_1", Some("2026-03-01")),
        ("cl_2", Some("2025-12-31")),
        ("cl_3", Some("2027-01-01")),
        ("cl_4", None),
    ] {
        let consent = format!("c_{client_id}");
        let dates = json!({
            "scope": { "kinds": ["treatment_plan"], "from": "2026-01-01", "to": "2026-12-31",
                "description": "What it lists" }
        });
        records.push(client(client_id, client_id));
        records.push(plan(client_id, from));
        records.push(with(release(client_id, &consent, &[]), dates));
        records.push(form(client_id, &consent));
    }
    take_in(&server, &records);
    let all = server.all_of(&server.token).await;
    let seen = server.all_of(&server.of_recipient()).await;
    for (client_id, expected) in [("cl_1", true), ("cl_2", false), ("cl_3", false), ("cl_4", false)]
    {
        let patient = holding(&all, "Patient", client_id);
        for name in ["CarePlan", "Goal"] {
            let of = |one: &Value| one["subject"]["reference"] == patient.as_str();
            let is_one =
                |(key, one): (&String, &Value)| key.starts_with(&format!("{name}/")) && of(one);
            assert_eq!(
                all.iter().filter(|one| is_one((one.0, one.1))).count(),
                1,
                "{name} {client_id}"
            );
            let count = seen.iter().filter(|one| is_one((one.0, one.1))).count();
            assert_eq!(count == 1, expected, "{name} of {client_id}");
        }
    }
}
