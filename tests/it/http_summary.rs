//! The summary of a patient, and references to documents.

use std::collections::HashSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::demo_data;
use crate::support::server::{Answer, Server, TENANT};

fn entries(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()["entry"].as_array().cloned().unwrap_or_default()
}

/// Every reference within a value.
fn targets(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => {
            let own = members.get("reference").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(members.values().flat_map(targets)).collect()
        }
        Value::Array(items) => items.iter().flat_map(targets).collect(),
        _ => Vec::new(),
    }
}

fn name(resource: &Value) -> String {
    format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap())
}

fn sections(answer: &Answer) -> Vec<Value> {
    let composition = entries(answer)[0]["resource"].clone();
    assert_eq!(composition["resourceType"], "Composition");
    composition["section"].as_array().unwrap().clone()
}

fn section<'a>(sections: &'a [Value], code: &str) -> &'a Value {
    let found = sections.iter().find(|section| section["code"]["coding"][0]["code"] == code);
    found.unwrap_or_else(|| unreachable!("there is no section {code}"))
}

async fn ask(server: &Server, scopes: &[&str], path: &str) -> Answer {
    let token = server.token_for(TENANT, scopes);
    server.send(server.request(Method::GET, path).bearer_auth(token)).await
}

#[tokio::test]
async fn every_patient_has_a_summary_that_stands_by_itself() {
    let server = demo_data::serve();
    let patients = demo_data::all(&server, "Patient").await;
    assert!(patients.len() > 20);
    for patient in &patients {
        let path = format!("Patient/{}/$summary", patient["id"].as_str().unwrap());
        let answer = server.get(&path).await;
        let bundle = answer.json();
        assert_eq!(bundle["type"], "document");
        let all = entries(&answer);
        let names: HashSet<String> = all.iter().map(|entry| name(&entry["resource"])).collect();
        assert_eq!(names.len(), all.len(), "each once");
        for target in targets(&bundle) {
            assert!(names.contains(&target), "{path}: {target}");
        }
        let sections = sections(&answer);
        for code in ["11450-4", "48765-2", "10160-0"] {
            let section = section(&sections, code);
            assert!(!section["entry"].as_array().unwrap().is_empty(), "{path} {code}");
            let said = section["text"]["div"].as_str().unwrap();
            assert!(said.contains("<p") || said.contains("<table"), "{path} {code}");
        }
        for absent in ["Communication", "DocumentReference", "Encounter"] {
            assert!(!names.iter().any(|name| name.starts_with(absent)), "{path} {absent}");
        }
    }
}

#[tokio::test]
async fn a_diagnosis_that_is_withheld_looks_as_if_there_were_none() {
    let server = demo_data::serve();
    let conditions = demo_data::matches(&server, "Condition?clinical-status=active").await;
    let patient = conditions[0]["subject"]["reference"].as_str().unwrap();
    let path = format!("{patient}/$summary");
    let problems = |answer: &Answer| section(&sections(answer), "11450-4").clone();
    let whole = ask(&server, &["system/*.rs"], &path).await;
    let known = conditions[0]["code"]["text"].as_str().unwrap();
    assert!(problems(&whole).to_string().contains(known));
    let narrow = ask(&server, &["system/Patient.rs"], &path).await;
    assert!(!narrow.text.contains(known));
    // As of somebody of whom no diagnosis is recorded.
    let without = demo_data::all(&server, "Patient").await;
    let mut of_others = Vec::new();
    for other in &without {
        let id = other["id"].as_str().unwrap();
        let none = demo_data::matches(&server, &format!("Condition?patient={id}")).await.is_empty();
        if none {
            let answer = ask(&server, &["system/*.rs"], &format!("Patient/{id}/$summary")).await;
            of_others.push(problems(&answer).to_string().replace(id, "ID"));
        }
    }
    let own = problems(&narrow).to_string();
    let own = own.replace(patient.strip_prefix("Patient/").unwrap(), "ID");
    assert!(of_others.contains(&own), "{own}");
}

#[tokio::test]
async fn a_summary_that_cannot_be_had_is_refused() {
    let server = demo_data::serve();
    let id = demo_data::all(&server, "Patient").await[0]["id"].as_str().unwrap().to_owned();
    for (path, status) in [
        ("Patient/none/$summary".to_owned(), 404),
        (format!("Encounter/{id}/$summary"), 404),
        (format!("Patient/{id}/$summary?profile=x"), 400),
    ] {
        assert_eq!(server.get(&path).await.refusal().0, status, "{path}");
    }
    let blind = ask(&server, &["system/Encounter.rs"], &format!("Patient/{id}/$summary")).await;
    assert_eq!(blind.refusal().0, 403);
}

/// The ids of what is referred to; the summary is `summary`.
fn documents(answer: &Answer) -> HashSet<String> {
    let id = |entry: &Value| {
        let url = || entry["resource"]["content"][0]["attachment"]["url"].as_str();
        let made = || url().unwrap().rsplit('$').next().unwrap();
        entry["resource"]["id"].as_str().unwrap_or_else(made).to_owned()
    };
    entries(answer).iter().map(id).collect()
}

#[tokio::test]
async fn documents_are_found_by_patient_kind_and_time_and_the_summary_is_made_when_asked_for() {
    let server = demo_data::serve();
    let stored = demo_data::matches(&server, "DocumentReference?status=current&_count=1000").await;
    let one = stored.iter().find(|one| one["context"]["period"].is_object()).unwrap();
    let patient = one["subject"]["reference"].as_str().unwrap();
    let id = patient.strip_prefix("Patient/").unwrap();
    let of = |test: &dyn Fn(&Value) -> bool| {
        let own = stored.iter().filter(|one| one["subject"]["reference"] == patient && test(one));
        own.map(|one| one["id"].as_str().unwrap().to_owned()).collect::<HashSet<_>>()
    };
    let all = of(&|_| true);
    let with = |ids: &HashSet<String>| {
        ids.iter().cloned().chain(["summary".to_owned()]).collect::<HashSet<_>>()
    };
    let ask = async |query: &str| server.get(&format!("DocumentReference/$docref?{query}")).await;
    assert_eq!(documents(&ask(&format!("patient={id}")).await), with(&all));
    assert_eq!(documents(&ask(&format!("patient={id}&on-demand=false")).await), all);
    let code = one["type"]["coding"][0]["code"].as_str().unwrap();
    let of_code = of(&|other| {
        other["type"]["coding"].as_array().unwrap().iter().any(|coding| coding["code"] == code)
    });
    let typed = format!("patient={id}&type=http://loinc.org|{code}");
    assert_eq!(documents(&ask(&typed).await), of_code);
    let summary = HashSet::from(["summary".to_owned()]);
    assert_eq!(documents(&ask(&format!("patient={id}&type=60591-5")).await), summary);
    let dated = ask(&format!("patient={id}&start=1990-01-01&end=1990-12-31")).await;
    assert!(documents(&dated).is_empty());
    let body = json!({"resourceType": "Parameters", "parameter": [
        {"name": "patient", "valueId": id},
        {"name": "type", "valueCodeableConcept":
            {"coding": [{"system": "http://loinc.org", "code": code}]}}
    ]});
    let post = server.ask(Method::POST, "DocumentReference/$docref");
    let post = post.header("Content-Type", "application/fhir+json").body(body.to_string());
    assert_eq!(documents(&server.send(post).await), of_code);
    assert!(documents(&ask("patient=none").await).is_empty());
    for query in ["", "patient=a%20b", "patient=x&other=1", "patient=x&start=soon"] {
        assert_eq!(ask(query).await.refusal().0, 400, "{query}");
    }
    // The link leads to the summary.
    let found = entries(&ask(&format!("patient={id}&type=60591-5")).await);
    let url = found[0]["resource"]["content"][0]["attachment"]["url"].as_str().unwrap();
    let path = url.strip_prefix(&format!("{}/", server.base)).unwrap();
    assert_eq!(server.get(path).await.json()["type"], "document");
}
