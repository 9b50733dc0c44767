//! `$explain` and `throughline explain`: who would see what, by which rule; and what a consent that is
//! planned would change, in the dialects of IHE PCF and of R4.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use throughline::app::Config;
use throughline::policy::{FhirUser, Principal, Purpose, Under};

use crate::consents::{EHR, diagnosis, people, spawn, take_in};
use crate::support::demo::run;
use crate::support::server::{Answer, Server, spawn_as};

async fn patient(server: &Server, family: &str) -> String {
    let found = server.asked(&server.of_practice(), &format!("Patient?family={family}")).await;
    format!("Patient/{}", found.json()["entry"][0]["resource"]["id"].as_str().unwrap())
}

/// The parts of a parameter by name; of several of a name the last.
fn parts(parameter: &Value) -> BTreeMap<String, Value> {
    let value = |part: &Value| {
        let members = part.as_object().unwrap().iter();
        members.filter(|(name, _)| name.starts_with("value")).map(|(_, value)| value.clone()).next()
    };
    let all = parameter["part"].as_array().unwrap().iter();
    all.map(|part| {
        (part["name"].as_str().unwrap().to_owned(), value(part).unwrap_or_else(|| part.clone()))
    })
    .collect()
}

/// The lines of each answer: actor, purpose, and of each line its parts.
type Told = Vec<(String, String, Vec<BTreeMap<String, Value>>)>;

fn told(answer: &Answer) -> Told {
    let found = answer.json();
    let answers =
        found["parameter"].as_array().unwrap().iter().filter(|one| one["name"] == "answer");
    answers
        .map(|one| {
            let own = parts(one);
            let text = |name: &str| own[name].as_str().unwrap().to_owned();
            let all = one["part"].as_array().unwrap().iter();
            let lines = all.filter(|part| part["name"] == "line").map(parts).collect();
            (text("actor"), text("purpose"), lines)
        })
        .collect()
}

/// How many of a type one answer releases.
fn released(lines: &[BTreeMap<String, Value>], name: &str) -> u64 {
    let of_type = lines.iter().filter(|line| line["type"] == name && line["result"] == "released");
    of_type.map(|line| line["count"].as_u64().unwrap()).sum()
}

fn person(server: &Server, user: &str, patient: &str) -> String {
    let user: FhirUser = user.parse().unwrap();
    let principal = Principal {
        patient: Some(patient.strip_prefix("Patient/").unwrap().parse().unwrap()),
        under: Under::of_person(&user),
        fhir_user: Some(user),
        ..Principal::new("hv".parse().unwrap(), "portal", "patient/*.rs")
    };
    server.app.tokens().issue(&principal, std::time::Duration::from_mins(5), None).unwrap().0
}

#[tokio::test]
async fn the_practice_is_told_who_sees_what_and_by_which_rule_and_consent() {
    let server = spawn(&people());
    let path = patient(&server, "Open").await;
    let token = server.of_practice();
    let ask = format!("{path}/$explain?actor=client:{EHR}&purpose=TREAT");
    let answer = server.asked(&token, &ask).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let told = told(&answer);
    assert_eq!(told.len(), 1);
    let (actor, purpose, lines) = &told[0];
    assert_eq!((actor.as_str(), purpose.as_str()), ("client:ehr-frfm", "TREAT"));
    let line = |name: &str| lines.iter().find(|line| line["type"] == name).unwrap();
    let condition = line("Condition");
    assert_eq!(condition["result"], "released");
    assert_eq!(condition["rule"], "P8-permit");
    let consent = condition["consent"]["reference"].as_str().unwrap();
    assert_eq!(server.asked(&server.of_ehr(), consent).await.status, 200, "{consent}");
    let withheld = lines.iter().find(|line| line["result"] == "withheld").unwrap();
    assert!(withheld["source"].as_str().is_some_and(|source| !source.is_empty()));
    assert!(lines.iter().any(|line| line["rule"] == "P9-opt-in"));
    let seen = server.asked(&server.of_ehr(), "Condition?_total=accurate").await.json();
    assert_eq!(seen["total"], released(lines, "Condition"), "as queries answer");
    assert!(
        !answer.text.contains("psychotherapy\"") && answer.text.contains("released by no request")
    );
}

#[tokio::test]
async fn without_an_actor_everybody_is_told_of_whom_the_record_names() {
    let server = spawn(&people());
    let path = patient(&server, "Open").await;
    let told = told(&server.asked(&server.of_practice(), &format!("{path}/$explain")).await);
    let actors: Vec<_> =
        told.iter().map(|(actor, purpose, _)| format!("{actor} {purpose}")).collect();
    assert!(actors.contains(&"patient PATRQT".to_owned()), "{actors:?}");
    assert!(actors.contains(&"client:ehr-frfm HPAYMT".to_owned()), "{actors:?}");
}

#[tokio::test]
async fn a_patient_is_told_of_what_they_see_and_nobody_else_is_told_anything() {
    let server = spawn(&people());
    let path = patient(&server, "Open").await;
    let other = patient(&server, "Silent").await;
    let own = server.asked(&person(&server, &path, &path), &format!("{path}/$explain")).await;
    assert_eq!(own.status, 200, "{}", own.text);
    for (actor, _, lines) in told(&own) {
        let all: u64 = lines.iter().map(|line| line["count"].as_u64().unwrap()).sum();
        let seen = lines.iter().filter(|line| line["result"] == "released");
        let seen: u64 = seen.map(|line| line["count"].as_u64().unwrap()).sum();
        assert!(actor != "patient" || all == seen, "nothing is told of what is withheld from them");
    }
    for (token, path, status) in [
        (server.of_ehr(), &path, 403),
        (server.of_ehr(), &other, 403),
        (person(&server, &other, &other), &path, 403),
        (
            server.under(Under::of_client(EHR, Some(Purpose::Treatment)), "system/*.rs", None),
            &path,
            403,
        ),
    ] {
        let answer = server.asked(&token, &format!("{path}/$explain")).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    let nobody = "Patient/00000000000000000000000000000000/$explain";
    assert_eq!(server.asked(&server.of_practice(), nobody).await.status, 404);
    let answer = server.asked(&server.of_practice(), &format!("{path}/$explain?actor=x")).await;
    assert_eq!(answer.status, 400);
}

/// A Consent of IHE PCF's examples, with a recipient who is registered and an end, which HIPAA asks
/// for (45 CFR 164.508(c)(1)); `limits` is put into its provision.
#[expect(clippy::needless_pass_by_value, reason = "the tables read better")]
fn pcf(kind: &str, limits: Value) -> Value {
    let code = |system: &str, code: &str| json!({"system": system, "code": code});
    let purposes = ["TREAT", "HPAYMT", "HOPERAT"]
        .map(|purpose| code("http://terminology.hl7.org/CodeSystem/v3-ActReason", purpose));
    let mut provision = json!({
        "type": kind, "purpose": purposes,
        "period": {"start": "2026-02-01", "end": "2099-01-01"},
        "actor": [{
            "role": {"coding": [code("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")]},
            "reference": {
                "identifier": {"system": "https://throughline.example/ids/client", "value": EHR},
                "display": "Front Range Family Medicine"
            }
        }]
    });
    for (name, value) in limits.as_object().unwrap() {
        provision[name] = value.clone();
    }
    json!({
        "resourceType": "Consent", "status": "active",
        "scope": {"coding": [code("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")]},
        "category": [{"coding": [code("http://loinc.org", "59284-0")]}],
        "dateTime": "2026-02-01T09:00:00-07:00",
        "policy": [{"uri": "http://example.org/policies/basePrivacyConsentPolicy.txt"}],
        "provision": provision
    })
}

fn level(code: &str) -> Value {
    json!({"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": code})
}

fn sensitivity(code: &str) -> Value {
    json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code})
}

/// What signing a consent would release to the practice's EHR for treatment: conditions, documents.
async fn signed(server: &Server, path: &str, consent: &Value) -> Result<(u64, u64), u16> {
    let body = json!({"resourceType": "Parameters", "parameter": [
        {"name": "actor", "valueString": format!("client:{EHR}")},
        {"name": "purpose", "valueCode": "TREAT"},
        {"name": "consent", "resource": consent}
    ]});
    let request = server.request(Method::POST, &format!("{path}/$explain"));
    let request = request.bearer_auth(server.of_practice()).json(&body);
    let answer = server.send(request.header("Content-Type", "application/fhir+json")).await;
    if answer.status != 200 {
        return Err(answer.status.as_u16());
    }
    let (_, _, lines) = &told(&answer)[0];
    assert!(lines.iter().all(|line| line["now"] == "withheld"), "nothing is released yet");
    Ok((released(lines, "Condition"), released(lines, "DocumentReference")))
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn the_examples_of_ihe_pcf_give_what_they_say() {
    let mut records = people();
    // An anxiety diagnosis of June and one of the year before, and one of alcohol use.
    let mut earlier = diagnosis("cl_2", "dx_2025", "F40.10");
    earlier["data"]["recorded_on"] = json!("2025-01-05");
    records.extend([earlier, diagnosis("cl_2", "dx_etoh", "F10.20")]);
    let server = spawn(&records);
    let path = patient(&server, "Silent").await;
    let june = json!({"start": "2026-06-01", "end": "2026-06-30"});
    let instance = json!([{"meaning": "instance", "reference": {"reference": "Observation/x"}}]);
    let author = json!([{"meaning": "authoredby", "reference": {"reference": "Practitioner/x"}}]);
    let related = json!([{"meaning": "related", "reference": {"reference": "Encounter/x"}}]);
    let deny = |what: Value| {
        let mut nested = what;
        nested["type"] = json!("deny");
        json!({"provision": [nested]})
    };
    let normal = |nested: Value| json!({"securityLabel": [level("N")], "provision": [nested]});
    let permit = |labels: Value| json!({"type": "permit", "securityLabel": labels});
    let all = Ok((3, 1));
    for (name, consent, expected) in [
        ("basic-treat", pcf("permit", json!({})), all),
        ("basic-reject", pcf("deny", json!({})), Ok((0, 0))),
        ("expired-treat", pcf("permit", json!({"period": {"end": "2022-12-31"}})), Ok((0, 0))),
        ("intermediate-timeframe", pcf("permit", json!({"dataPeriod": june})), Ok((2, 1))),
        (
            "intermediate-not-timeframe",
            pcf("permit", deny(json!({"dataPeriod": june}))),
            Ok((1, 0)),
        ),
        ("intermediate-data", pcf("permit", json!({"data": instance})), Err(400)),
        ("intermediate-not-data", pcf("permit", deny(json!({"data": instance}))), Ok((0, 0))),
        ("intermediate-authoredby", pcf("permit", json!({"data": author})), Err(400)),
        ("intermediate-not-authoredby", pcf("permit", deny(json!({"data": author}))), Ok((0, 0))),
        ("intermediate-encounter, unknown", pcf("permit", json!({"data": related})), Err(400)),
        (
            "intermediate-purpose",
            pcf(
                "permit",
                json!({"purpose": [{"system": "http://example.org/policies/purposeOfUse", "code": "FooBar"}]}),
            ),
            Err(400),
        ),
        (
            "dissent-break-glass",
            pcf("deny", json!({"provision": [{"type": "permit", "purpose": [{"code": "BTG"}]}]})),
            Ok((0, 0)),
        ),
        ("advanced-normal", pcf("permit", json!({"securityLabel": [level("N")]})), Ok((0, 0))),
        (
            "advanced-normal-not-restricted",
            pcf("permit", normal(json!({"type": "deny", "securityLabel": [level("R")]}))),
            Ok((0, 0)),
        ),
        (
            "advanced-normal-focused-psy",
            pcf("permit", normal(permit(json!([sensitivity("PSY")])))),
            Ok((2, 1)),
        ),
        (
            "advanced-normal-focused-psy-or-sex",
            pcf("permit", normal(permit(json!([sensitivity("PSY"), sensitivity("SEX")])))),
            Ok((2, 1)),
        ),
        (
            "advanced-normal-break-glass-restricted",
            pcf(
                "permit",
                normal(
                    json!({"type": "permit", "purpose": [{"code": "BTG"}], "securityLabel": [level("R")]}),
                ),
            ),
            Ok((0, 0)),
        ),
        (
            "not mental health",
            pcf("permit", deny(json!({"securityLabel": [sensitivity("ETH")]}))),
            Ok((2, 1)),
        ),
        (
            "three levels",
            pcf(
                "permit",
                json!({"provision": [{"type": "deny", "provision": [{"type": "permit"}]}]}),
            ),
            Err(400),
        ),
        ("a code", pcf("permit", json!({"code": [{"text": "x"}]})), Err(400)),
        ("a class", pcf("permit", json!({"class": [{"code": "Condition"}]})), Ok((3, 0))),
        ("a type that is not here", pcf("permit", json!({"class": [{"code": "Claim"}]})), Err(400)),
    ] {
        assert_eq!(signed(&server, &path, &consent).await, expected, "{name}");
    }
    let mut core = pcf("permit", json!({}));
    let inner = core["provision"].clone();
    core["policyRule"] = json!({"coding": [{"code": "OPTOUT"}]});
    core["provision"] = json!({"provision": [inner]});
    assert_eq!(signed(&server, &path, &core).await, all, "R4's own dialect");
    core["policyRule"] = json!({"coding": [{"code": "else"}]});
    assert_eq!(signed(&server, &path, &core).await, Err(400));
    let mut other = pcf("permit", json!({}));
    other["scope"]["coding"][0]["code"] = json!("research");
    assert_eq!(signed(&server, &path, &other).await, Err(400));
    assert!(
        server.all_of(&server.of_ehr()).await.keys().all(|key| *key != path),
        "nothing is signed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_tells_the_same_as_a_table_and_as_json() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let server = spawn_as(Arc::clone(&data), Config::default());
    take_in(&server, &people());
    let say = |arguments: &[&str]| {
        let output = run(arguments, data.path());
        let text = [output.stdout.as_slice(), &output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    };
    let ask = ["explain", "--patient", "cl_1", "--actor", "client:ehr-frfm", "--purpose", "TREAT"];
    let (code, table) = say(&ask);
    assert_eq!(code, 0, "{table}");
    let line = table.lines().find(|line| line.contains(" Condition ")).unwrap();
    assert!(line.contains("released") && line.contains("P8-permit"), "{line}");
    let plan = data.path().join("plan.json");
    std::fs::write(&plan, pcf("permit", json!({})).to_string()).unwrap();
    let plan = plan.to_str().unwrap();
    let (code, json) =
        say(&[&["explain", "--patient", "cl_2", "--plan", plan, "--json"], &ask[3..]].concat());
    assert_eq!(code, 0, "{json}");
    let found: Value = serde_json::from_str(&json).unwrap();
    let lines = found["answers"][0]["lines"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["result"] == "opened" && line["type"] == "Condition"));
    assert_eq!(say(&["explain", "--patient", "nobody"]).0, 2);
    let (_, events) = say(&["audit", "search", "--tenant", "hv", "--action", "audit-read"]);
    assert!(events.lines().count() >= 2, "the questions are written down");
}
