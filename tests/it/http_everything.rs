//! Everything about a patient.

use std::collections::HashSet;
use std::io::Read;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::server::{Answer, Server, TENANT, spawn};

fn resource(kind: &str, id: &str, day: u32, more: &Value) -> Value {
    let mut resource = json!({
        "resourceType": kind, "id": id,
        "meta": {"versionId": "1", "lastUpdated": format!("2026-11-{day:02}T10:00:00Z")}
    });
    resource.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    resource
}

/// Two patients with a therapist in common, and one with nothing.
fn server() -> Server {
    let server = spawn();
    let mut made = vec![
        resource("Practitioner", "pr1", 1, &json!({"active": true})),
        resource("Practitioner", "pr2", 1, &json!({"active": true})),
        resource("Organization", "o1", 1, &json!({"name": "Harborview"})),
        resource("Patient", "p3", 1, &json!({"active": true})),
    ];
    for patient in ["p1", "p2"] {
        let subject = json!({"reference": format!("Patient/{patient}")});
        let organization = json!({"managingOrganization": {"reference": "Organization/o1"}});
        made.push(resource("Patient", patient, 1, &organization));
        for day in 1..=7 {
            let more = json!({
                "status": "finished", "class": {"code": "VR"}, "subject": subject,
                "participant": [{"individual": {"reference": "Practitioner/pr1"}}]
            });
            made.push(resource("Encounter", &format!("{patient}-e{day}"), day, &more));
        }
        let more = json!({"subject": subject, "code": {"text": "x"}});
        made.push(resource("Condition", &format!("{patient}-c1"), 3, &more));
    }
    server.store(TENANT, "1", &made);
    server
}

/// What is in the pages, in order.
async fn all(server: &Server, path: &str) -> Vec<String> {
    let mut page = server.get(path).await;
    let mut found = Vec::new();
    loop {
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        found.extend(urls(&page));
        let Some(next) = page.link("next") else { return found };
        page = server.get(&next).await;
        assert!(found.len() < 1000);
    }
}

fn urls(page: &Answer) -> Vec<String> {
    let bundle = page.json();
    assert_eq!(bundle["type"], "searchset");
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let url = |entry: &Value| {
        let url = entry["fullUrl"].as_str().unwrap();
        let (base, id) = url.rsplit_once('/').unwrap();
        assert_eq!(entry["resource"]["id"], id);
        format!("{}/{id}", base.rsplit_once('/').unwrap().1)
    };
    entries.iter().map(url).collect()
}

fn expected(patient: &str) -> HashSet<String> {
    let own = (1..=7).map(|day| format!("Encounter/{patient}-e{day}"));
    let others = [
        format!("Patient/{patient}"),
        format!("Condition/{patient}-c1"),
        "Practitioner/pr1".to_owned(),
        "Organization/o1".to_owned(),
    ];
    own.chain(others).collect()
}

#[tokio::test]
async fn the_record_comes_with_the_people_and_places_that_it_names() {
    let server = server();
    for patient in ["p1", "p2"] {
        let found = all(&server, &format!("Patient/{patient}/$everything")).await;
        assert_eq!(found.iter().cloned().collect::<HashSet<_>>(), expected(patient), "{patient}");
        assert_eq!(found.len(), expected(patient).len(), "{patient}: each once");
    }
    assert_eq!(all(&server, "Patient/p3/$everything").await, ["Patient/p3"]);
}

#[tokio::test]
async fn pages_of_any_size_hold_each_resource_once() {
    let server = server();
    for count in [1, 2, 3, 5, 100] {
        let found = all(&server, &format!("Patient/p1/$everything?_count={count}")).await;
        assert_eq!(found.iter().cloned().collect::<HashSet<_>>(), expected("p1"), "{count}");
        assert_eq!(found.len(), expected("p1").len(), "{count}: {found:?}");
    }
}

#[tokio::test]
async fn types_and_dates_of_update_narrow_it() {
    let server = server();
    let found = all(&server, "Patient/p1/$everything?_type=Condition,Patient").await;
    assert_eq!(found.iter().collect::<HashSet<_>>().len(), 2, "{found:?}");
    let found = all(&server, "Patient/p1/$everything?_type=Encounter&_since=2026-11-06").await;
    assert_eq!(found.len(), 2, "{found:?}");
    let found = all(&server, "Patient/p1/$everything?_type=Goal").await;
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn parameters_may_be_in_the_body() {
    let server = server();
    let body = json!({"resourceType": "Parameters", "parameter": [
        {"name": "_type", "valueCode": "Encounter"},
        {"name": "_since", "valueInstant": "2026-11-06T00:00:00Z"},
        {"name": "_count", "valueInteger": 1}
    ]});
    let post = |body: String| {
        let request = server.ask(Method::POST, "Patient/p1/$everything");
        request.header("Content-Type", "application/fhir+json").body(body)
    };
    let posted = server.send(post(body.to_string())).await;
    let query = "_type=Encounter&_since=2026-11-06T00:00:00Z&_count=1";
    let asked = server.get(&format!("Patient/p1/$everything?{query}")).await;
    assert_eq!(urls(&posted), urls(&asked));
    assert_eq!(urls(&server.get(&posted.link("next").unwrap()).await).len(), 1);
    for body in
        ["{}", "[]", "x", r#"{"resourceType":"Parameters","parameter":[{"name":"_count"}]}"#]
    {
        assert_eq!(server.send(post(body.to_owned())).await.refusal().0, 400, "{body}");
    }
}

#[tokio::test]
async fn what_the_token_does_not_cover_is_left_out_or_refused_where_it_is_named() {
    let server = server();
    let token = server.token_for(TENANT, &["system/Patient.rs", "system/Condition.rs"]);
    let ask =
        async |path: &str| server.send(server.request(Method::GET, path).bearer_auth(&token)).await;
    let found: HashSet<String> = urls(&ask("Patient/p1/$everything").await).into_iter().collect();
    assert_eq!(found, HashSet::from(["Patient/p1".to_owned(), "Condition/p1-c1".to_owned()]));
    assert_eq!(ask("Patient/p1/$everything?_type=Encounter").await.refusal().0, 403);
    let blind = server.token_for(TENANT, &["system/Encounter.rs"]);
    let refused = server.request(Method::GET, "Patient/p1/$everything").bearer_auth(blind);
    assert_eq!(server.send(refused).await.refusal().0, 403);
}

#[tokio::test]
async fn a_patient_who_is_not_there_and_what_is_not_taken_are_refused() {
    let server = server();
    for (path, status) in [
        ("Patient/none/$everything", 404),
        ("Patient/none/$everything?_type=Encounter", 404),
        ("Patient/p1/$everything?start=2026-01-01", 400),
        ("Patient/p1/$everything?end=2026-01-01", 400),
        ("Patient/p1/$everything?_count=0", 400),
        ("Patient/p1/$everything?_since=soon", 400),
        ("Patient/p1/$everything?_type=Nonsense", 400),
        ("Patient/p1/$everything?_page=x", 400),
        ("Encounter/p1-e1/$everything", 404),
    ] {
        assert_eq!(server.get(path).await.refusal().0, status, "{path}");
    }
    let next = server.get("Patient/p1/$everything?_count=2").await.link("next").unwrap();
    assert_eq!(server.get(&next.replace("/p1/", "/p2/")).await.refusal().0, 400);
    assert_eq!(server.get(&next.replace("_count=2", "_count=3")).await.refusal().0, 400);
}

#[tokio::test]
async fn a_page_that_was_kept_is_answered_until_something_on_it_changes() {
    let server = server();
    let path = "Patient/p1/$everything";
    let first = server.get(path).await.text;
    let before = server.memory_hits();
    assert_eq!(server.get(path).await.text, first);
    assert_eq!(server.memory_hits(), before + 1, "it was kept");
    let subject = json!({"subject": {"reference": "Patient/p1"}});
    let added = |text: &str| {
        let mut condition = resource("Condition", "p1-c2", 4, &subject);
        condition["code"] = json!({"text": text});
        condition["meta"]["versionId"] = json!(text);
        condition
    };
    for text in ["added", "changed"] {
        server.store(TENANT, "2", &[added(text)]);
        let page = server.get(path).await;
        assert!(page.text.contains(&format!(r#""text":"{text}""#)), "{}", page.text);
    }
    server.store(TENANT, "2", &[]);
    assert_eq!(server.get(path).await.text, first, "taken away again");
    let mut practitioner = resource("Practitioner", "pr1", 2, &json!({"active": false}));
    practitioner["meta"]["versionId"] = json!("2");
    server.store(TENANT, "3", &[practitioner]);
    let page = server.get(path).await;
    assert!(page.text.contains(r#""active":false"#), "what it names changed: {}", page.text);
    // The same path, for somebody who may see less.
    let token = server.token_for(TENANT, &["system/Patient.rs"]);
    let narrow = server.request(Method::GET, path).bearer_auth(token);
    assert_eq!(urls(&server.send(narrow).await), ["Patient/p1"]);
}

#[tokio::test]
async fn a_kept_page_has_every_form() {
    let server = server();
    let path = "Patient/p1/$everything?_count=4";
    for _ in 0..2 {
        let page = server.get(path).await;
        let head = server.send(server.ask(Method::HEAD, path)).await;
        assert_eq!(head.header("content-length"), page.text.len().to_string());
        assert!(head.text.is_empty());
        let pretty = server.get(&format!("{path}&_pretty=true")).await;
        assert!(pretty.text.contains("\n  \"entry\""), "{}", pretty.text);
        assert_eq!(urls(&pretty), urls(&page));
        let request = server.ask(Method::GET, path).header("Accept-Encoding", "gzip");
        let packed = request.send().await.unwrap();
        assert_eq!(packed.headers()["content-encoding"], "gzip");
        let packed = packed.bytes().await.unwrap();
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut unpacked).unwrap();
        let (mut unpacked, mut plain): (Value, Value) =
            (serde_json::from_str(&unpacked).unwrap(), page.json());
        // The cursor is sealed anew each time.
        for bundle in [&mut unpacked, &mut plain] {
            bundle.as_object_mut().unwrap().remove("link").unwrap();
        }
        assert_eq!(unpacked, plain);
        let lenient = server.ask(Method::GET, &format!("{path}&nonsense=1"));
        let told = server.send(lenient.header("Prefer", "handling=lenient")).await;
        let entries = told.json()["entry"].as_array().unwrap().clone();
        assert_eq!(entries.len(), 5);
        assert_eq!(entries[4]["search"]["mode"], "outcome");
    }
}
