//! Attempts to learn what is withheld or gone by what lies beside the records: what was taken away for
//! good, links, what others sent, emergencies, pages of the practice. Each is told apart, or is not, from
//! what never was.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use throughline::app::Config;
use throughline::audit::Actor;
use throughline::clock::{Clock as _, SystemClock};
use throughline::config::Sources;
use throughline::domain::TenantId;
use throughline::exchange::retention::{Authority, Extent};
use throughline::policy::{FhirUser, Mandate, Principal};

use crate::support::charts::{
    client, diagnosis, form, guardian, holding, next, note, release, session, staff, take_in,
};
use crate::support::platform::{Push, SECRET, secret};
use crate::support::server::{Answer, Server, spawn_as_new, spawn_with};

const NEVER: &str = "zzneverwaszzneverwaszzneve";

fn tenant() -> TenantId {
    "hv".parse().unwrap()
}

fn chart() -> Vec<Value> {
    let mut all = staff();
    for (id, family) in [("cl_1", "Gone"), ("cl_2", "Here")] {
        all.push(client(id, family));
        all.push(diagnosis(id, &format!("dx_{id}"), "F41.0"));
        all.push(note(id, &format!("n_{id}"), "progress", "locked"));
        all.extend([release(id, &format!("c_{id}"), &["*"]), form(id, &format!("c_{id}"))]);
        all.push(guardian(id, &format!("rp_{id}")));
    }
    all.push(session(&["cl_1", "cl_2"], "s_both"));
    all
}

async fn erase(server: &Server) {
    let authority = Authority { by: Actor::operator(), by_what: "request rr_1".to_owned() };
    let (retention, tenant) = (server.app.retention(), tenant());
    let erased = retention.erase(&tenant, "cl_1", &authority, Extent::Everything).await;
    assert!(erased.unwrap().is_whole);
}

/// What an answer tells somebody who asked for `name`: its status, its fields, and its body without
/// what no two answers share.
fn told(answer: &Answer, name: &str) -> (StatusCode, Vec<String>, String) {
    // Whether the connection is closed depends on whether the body was there in time.
    let names = answer.headers.keys().map(ToString::to_string);
    let mut fields: Vec<String> = names.filter(|name| name != "connection").collect();
    fields.sort();
    let text = answer.text.replace(name, "ID");
    let text = match serde_json::from_str::<Value>(&text) {
        Ok(mut value) => {
            if let Some(object) = value.as_object_mut() {
                for name in ["id", "meta", "timestamp"] {
                    object.remove(name);
                }
            }
            value.to_string()
        }
        Err(_) => text,
    };
    (answer.status, fields, text)
}

/// A token of a system whose scopes let through some of a type only.
fn narrowed(server: &Server) -> String {
    server.token_for(
        "hv",
        &["system/Condition.rs?clinical-status=active", "system/Patient.r?gender=x"],
    )
}

#[expect(clippy::too_many_lines, reason = "eight attempts at one record, one after the other")]
/// 31 to 38: what was taken away for good, asked for by everybody who may not see everything.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_was_never_there_for_whoever_may_not_see_everything() {
    let server = spawn_as_new(Config::default());
    take_in(&server, &chart());
    let all = server.all_of(&server.token).await;
    let names = |what: &str, text: &str| holding(&all, what, text);
    let patient = names("Patient", "Gone");
    let other = names("Patient", "Here");
    let parent = names("RelatedPerson", "rp_cl_1");
    let theirs: Vec<(String, String)> = all
        .iter()
        .filter(|(_, one)| one.to_string().contains(&patient))
        .map(|(key, _)| key.split_once('/').unwrap())
        .map(|(kind, id)| (kind.to_owned(), id.to_owned()))
        .collect();
    assert!(theirs.len() > 5, "{theirs:?}");
    let version = all[&patient]["meta"]["versionId"].as_str().unwrap().to_owned();
    let etag = server.get(&patient).await.header("etag").to_owned();
    let user: FhirUser = parent.parse().unwrap();
    let tokens = [
        ("a recipient", server.of_recipient()),
        ("the patient", server.of_person(&patient, &patient)),
        ("another patient", server.of_person(&other, &other)),
        ("the guardian", server.of_person(&user.to_string(), &patient)),
        ("a narrowed system", narrowed(&server)),
    ];
    erase(&server).await;
    for (who, token) in &tokens {
        for (kind, id) in &theirs {
            for path in ["", "/_history", &format!("/_history/{version}")] {
                let gone = server.by_token(token, &format!("{kind}/{id}{path}")).await;
                let never = server.by_token(token, &format!("{kind}/{NEVER}{path}")).await;
                assert_eq!(told(&gone, id), told(&never, NEVER), "31 {who} {kind}{path}");
                assert_ne!(gone.status, StatusCode::GONE, "31 {who} {kind}{path}");
            }
            let asked = |id: &str| {
                let request =
                    server.request(Method::GET, &format!("{kind}/{id}")).bearer_auth(token);
                server.send(request.header("if-none-match", &etag))
            };
            let (gone, never) = (asked(id).await, asked(NEVER).await);
            assert_eq!(told(&gone, id), told(&never, NEVER), "32 {who} {kind}: If-None-Match");
        }
        let id = patient.strip_prefix("Patient/").unwrap();
        for path in [
            "Patient/ID/$everything",
            "Patient/ID/$summary",
            "Patient/ID/Condition",
            "Condition?patient=ID",
            "Condition?patient=Patient/ID&_total=accurate",
            "Encounter?subject=ID&_summary=count",
            "Patient?_id=ID&_revinclude=Condition:subject",
            "Patient?_has:Condition:patient:code=F41.0&_id=ID",
            "Consent?patient=ID",
            "DocumentReference/$docref?patient=ID",
        ] {
            let gone = server.by_token(token, &path.replace("ID", id)).await;
            let never = server.by_token(token, &path.replace("ID", NEVER)).await;
            assert_eq!(told(&gone, id), told(&never, NEVER), "33 {who} {path}");
        }
        let batch = |id: &str| {
            let entry = json!({ "request": { "method": "GET", "url": format!("Patient/{id}") } });
            let body = json!({ "resourceType": "Bundle", "type": "batch", "entry": [entry] });
            let request = server.request(Method::POST, "").bearer_auth(token);
            let request = request.header("content-type", "application/fhir+json");
            server.send(request.body(body.to_string()))
        };
        let (gone, never) = (batch(id).await, batch(NEVER).await);
        assert_eq!(told(&gone, id), told(&never, NEVER), "34 {who} in a batch");
    }
    // Somebody else's view of what both were in names nobody who is gone.
    let seen = server.all_of(&tokens[2].1).await;
    let id = patient.strip_prefix("Patient/").unwrap();
    assert!(seen.keys().any(|key| key.starts_with("Encounter/")), "the other's session is there");
    assert!(!serde_json::to_string(&seen).unwrap().contains(id), "35");
    // 36: what used to be found by name is not told to be gone by a search either.
    let found = server.get("Patient?family=Gone&_total=accurate").await;
    assert_eq!((found.ids().len(), &found.json()["total"]), (0, &json!(0)), "36: {}", found.text);
    // 37: another practice's systems learn nothing, whatever they may see of their own.
    let elsewhere = server.token_for("other", &["system/*.rs"]);
    let gone = server.by_token(&elsewhere, &patient).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND, "37");
    // 38: a system without the type is refused before anything is looked up.
    let goals = server.token_for("hv", &["system/Goal.rs"]);
    let gone = server.by_token(&goals, &patient).await;
    let never = server.by_token(&goals, &format!("Patient/{NEVER}")).await;
    assert_eq!(told(&gone, id), told(&never, NEVER), "38");
    assert_eq!(server.get(&patient).await.status, StatusCode::GONE, "whoever may, is told");
}

/// 39 to 41: links that lead to what is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_what_is_gone_is_as_one_that_never_was() {
    use throughline::exchange::links::{FHIR, LinkFile, Named, NewLink};
    let server = spawn_as_new(Config::default());
    take_in(&server, &chart());
    let all = server.all_of(&server.token).await;
    let patient = holding(&all, "Patient", "Gone");
    let id = patient.strip_prefix("Patient/").unwrap().parse().unwrap();
    let principal = Principal::new(tenant(), "ehr", "system/*.rs");
    let name = Named {
        resource_type: "Patient".into(),
        id: patient.strip_prefix("Patient/").unwrap().parse().unwrap(),
        version: "1".into(),
        patient: Some(patient.strip_prefix("Patient/").unwrap().parse().unwrap()),
    };
    let links = server.app.links();
    let (tenant, mandate) = (tenant(), Mandate::of(&principal, "jti", None));
    let names = [name];
    let made = links.make(NewLink {
        origin: server.origin(),
        tenant: &tenant,
        patient: &id,
        mandate: &mandate,
        label: "A record",
        passcode: Some("violet-harbour-7"),
        expires: SystemClock.now() + jiff::SignedDuration::from_hours(1),
        views: None,
        is_direct: false,
        files: vec![LinkFile { media: FHIR, bytes: b"{}".to_vec() }],
        names: &names,
    });
    let made = made.await.unwrap();
    erase(&server).await;
    assert!(server.app.links().find(&tenant, &made.name).await.unwrap().is_none(), "39");
    let text = URL_SAFE_NO_PAD.decode(made.link.strip_prefix("shlink:/").unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&text).unwrap();
    let url = payload["url"].as_str().unwrap();
    let secret = url.rsplit('/').next().unwrap();
    let other: String = secret.chars().rev().collect();
    for question in [
        json!({ "recipient": "Elm" }),
        json!({ "recipient": "Elm", "passcode": "violet-harbour-7" }),
        json!({ "recipient": "Elm", "passcode": "wrong" }),
    ] {
        let open = |secret: &str| {
            let url = format!("{}/links/{secret}", server.origin());
            server.send(server.client.post(url).json(&question))
        };
        let (gone, never) = (open(secret).await, open(&other).await);
        assert_eq!(told(&gone, secret), told(&never, &other), "40 {question}");
    }
    let direct = |secret: &str| {
        let url = format!("{}/links/{secret}?recipient=Elm", server.origin());
        server.send(server.client.get(url))
    };
    let (gone, never) = (direct(secret).await, direct(&other).await);
    assert_eq!(told(&gone, secret), told(&never, &other), "41");
}

#[expect(clippy::too_many_lines, reason = "five attempts, one after the other")]
/// 42 to 46: what another provider sends, as a question whether somebody is a patient here.
#[tokio::test(flavor = "multi_thread")]
async fn who_sends_a_bundle_does_not_learn_who_is_a_patient() {
    let server = spawn_with(|data| Sources::of_one_sender("app", "hv", secret(data, "s", SECRET)));
    take_in(&server, &chart());
    let all = server.all_of(&server.token).await;
    let known = &all[&holding(&all, "Patient", "Gone")];
    let bundle = |patient: &Value| {
        json!({ "resourceType": "Bundle", "type": "collection", "entry": [
            { "fullUrl": "urn:uuid:p", "resource": patient } ] })
        .to_string()
    };
    let person = |value: &str, family: &str| {
        json!({ "resourceType": "Patient", "name": [{ "family": family }],
            "identifier": [{ "system": known["identifier"][0]["system"], "value": value }],
            "birthDate": known["birthDate"] })
    };
    let id = known["identifier"][0]["value"].as_str().unwrap();
    let token = server.token_for("hv", &["system/Bundle.c"]);
    let send = |body: String| {
        let request = server.request(Method::POST, "Bundle").bearer_auth(&token);
        server.send(request.header("content-type", "application/fhir+json").body(body))
    };
    let shape = |answer: &Answer| {
        let mut fields: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        fields.sort();
        let text = answer.json()["issue"][0]["details"]["text"].as_str().unwrap().to_owned();
        (answer.status, fields, text.len(), answer.text.len())
    };
    let matched = send(bundle(&person(id, "Gone"))).await;
    let nobody = send(bundle(&person("nobody-here", "Gone"))).await;
    let almost = send(bundle(&person(id, "Else"))).await;
    assert_eq!(matched.status, StatusCode::ACCEPTED, "{}", matched.text);
    assert_eq!(shape(&matched), shape(&nobody), "42");
    assert_eq!(shape(&matched), shape(&almost), "42");
    let again = send(bundle(&person(id, "Gone"))).await;
    assert_eq!(again.text, matched.text, "43: the same again is the same");
    let named = |answer: &Answer| {
        let text = answer.json()["issue"][0]["details"]["text"].as_str().unwrap().to_owned();
        text.strip_prefix("received as ").unwrap().to_owned()
    };
    for path in [named(&matched), named(&nobody), NEVER.to_owned()] {
        let read = server.by_token(&token, &format!("Bundle/{path}")).await;
        let never = server.by_token(&token, &format!("Bundle/{NEVER}")).await;
        assert_eq!(told(&read, &path), told(&never, NEVER), "44: it cannot be read back");
    }
    let fetch = |name: String| {
        let target = format!("/platform/received/bundle/{name}");
        let target: &'static str = Box::leak(target.into_boxed_str());
        let signed = Push { target, method: "GET", ..Push::text("") };
        let url = format!("{}{target}", server.origin());
        let request = server.client.get(url);
        let request =
            signed.headers().into_iter().fold(request, |request, (k, v)| request.header(k, v));
        server.send(request)
    };
    let waiting = fetch(named(&nobody)).await;
    let never = fetch("00000000000000000000000000000000".to_owned()).await;
    assert_eq!(
        told(&waiting, &named(&nobody)),
        told(&never, "00000000000000000000000000000000"),
        "45: what waits is not handed over"
    );
    crate::receiving::looked_at(&server).await;
    assert_eq!(fetch(named(&matched)).await.status, StatusCode::OK);
    erase(&server).await;
    let gone = fetch(named(&matched)).await;
    assert_eq!(told(&gone, &named(&matched)).0, never.status, "46: {}", gone.text);
    let body = send(bundle(&person(id, "Gone"))).await;
    assert_eq!(shape(&body), shape(&nobody), "46: and sending it again tells nothing");
}

/// 47 to 50: emergencies, consents and pages of the practice, for people who are gone.
#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_a_signature_and_a_page_do_not_tell_who_was_here() {
    let server = spawn_as_new(Config::default());
    take_in(&server, &chart());
    let all = server.all_of(&server.token).await;
    let patient = holding(&all, "Patient", "Gone");
    let id = patient.strip_prefix("Patient/").unwrap().to_owned();
    let me = all.keys().find(|key| key.starts_with("Practitioner/")).unwrap();
    let user: FhirUser = me.parse().unwrap();
    let principal =
        Principal { fhir_user: Some(user), ..Principal::new(tenant(), "ehr", "user/*.rs") };
    let minutes = std::time::Duration::from_mins(5);
    let (clinician, _) = server.app.tokens().issue(&principal, minutes, None).unwrap();
    let recipient = server.of_recipient();
    erase(&server).await;
    let glass = |id: &str, token: &str| {
        let reason = "unconscious in the emergency room, told by the paramedics";
        let body = json!({ "resourceType": "Parameters", "parameter": [
            { "name": "purpose", "valueCode": "BTG" }, { "name": "reason", "valueString": reason } ] });
        let path = format!("Patient/{id}/$break-glass");
        let request = server.request(Method::POST, &path).bearer_auth(token);
        let request = request.header("content-type", "application/fhir+json");
        server.send(request.body(body.to_string()))
    };
    for token in [&clinician, &recipient] {
        let (gone, never) = (glass(&id, token).await, glass(NEVER, token).await);
        assert_eq!(told(&gone, &id), told(&never, NEVER), "47");
    }
    let explained = |id: &str| {
        let path = format!("Patient/{id}/$explain");
        server.send(server.request(Method::GET, &path).bearer_auth(&recipient))
    };
    let (gone, never) = (explained(&id).await, explained(NEVER).await);
    assert_eq!(told(&gone, &id), told(&never, NEVER), "48");
    let signed = |id: &str| {
        let body = json!({ "resourceType": "Consent", "status": "active",
            "patient": { "reference": format!("Patient/{id}") } });
        let request = server.request(Method::POST, "Consent").bearer_auth(&recipient);
        let request = request.header("content-type", "application/fhir+json");
        server.send(request.body(body.to_string()))
    };
    let (gone, never) = (signed(&id).await, signed(NEVER).await);
    assert_eq!(told(&gone, &id), told(&never, NEVER), "49");
    for path in
        ["/staff", "/staff/requests/ID", "/staff/requests/ID/entries/1", "/staff/quarantine"]
    {
        let page = |id: &str| {
            let url = format!("{}{}", server.origin(), path.replace("ID", id));
            server.send(server.client.get(url))
        };
        let (gone, never) = (page(&id).await, page(NEVER).await);
        assert_eq!(told(&gone, &id), told(&never, NEVER), "50 {path}");
        assert!(!gone.text.contains("Gone"), "50 {path}");
    }
    // What comes again with a later version is a new record, and opens nothing that was open before.
    take_in(&server, &[next(client("cl_1", "Gone"), 4)]);
    let back = server.by_token(&recipient, &patient).await;
    assert_eq!(back.status, StatusCode::NOT_FOUND, "consents do not come back with the person");
}
