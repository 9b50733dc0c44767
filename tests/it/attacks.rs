//! A hostile client tries to learn what is withheld from it. `docs/security.md` lists the attempts.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use throughline::config::Sources;

use crate::support::charts::{
    attachment, client, diagnosis, form, guardian, holding, message, next, note, release, session,
    staff, take_in, with,
};
use crate::support::server::{Answer, Server, spawn_with};

/// What is told of nobody.
const MARK: &str = "ZZSECRET";

/// A practice where the recipient may see diagnoses of one client, messages of another and the
/// person only of a third, and what stands beside each is marked.
fn chart() -> Vec<Value> {
    let mut all = staff();
    // One whose diagnosis came of a session that stays closed, beside one that did not.
    all.push(client("cl_1", "Open"));
    all.push(session(&["cl_1", "cl_9"], "ses_1"));
    all.push(with(diagnosis("cl_1", "dx_1", "F41.1"), json!({"session_id": "ses_1"})));
    all.push(diagnosis("cl_1", "dx_2", "F32.1"));
    all.push(with(
        note("cl_1", "note_1", "progress", "signed"),
        json!({
            "session_id": "ses_1", "sections": [{"key": "n", "title": "Note", "text": MARK}]
        }),
    ));
    all.push(guardian("cl_1", "ZZSECRETKIN"));
    all.extend([form("cl_1", "con_1"), release("cl_1", "con_1", &["diagnosis"])]);
    // One whose message may be seen, and what hangs on it may not.
    all.push(client("cl_2", "Writer"));
    all.push(with(message("cl_2", "msg_1"), json!({"attachment_ids": ["ZZSECRETFILE"]})));
    all.push(attachment("cl_2", "ZZSECRETFILE", ("message", "msg_1")));
    all.extend([form("cl_2", "con_2"), release("cl_2", "con_2", &["message"])]);
    // One into whom another record was merged.
    all.push(client("cl_3", "Kept"));
    all.push(with(
        client("cl_4", "ZZSECRETTWIN"),
        json!({"status": "archived", "merged_into": "cl_3"}),
    ));
    all.push(diagnosis("cl_4", "dx_4", "F33.2"));
    all.extend([form("cl_3", "con_3"), release("cl_3", "con_3", &["diagnosis"])]);
    // One who said nothing to anybody.
    all.push(client("cl_9", "ZZSECRETOTHER"));
    all.push(diagnosis("cl_9", "dx_9", "F60.3"));
    all
}

struct Attack {
    server: Server,
    /// The recipient's token.
    token: String,
    /// What there is.
    own: BTreeMap<String, Value>,
}

impl Attack {
    async fn begin() -> Self {
        let server = spawn_with(|_| Sources::default());
        take_in(&server, &chart());
        let own = server.all_of(&server.token).await;
        Self { token: server.of_recipient(), own, server }
    }

    fn id(&self, name: &str, text: &str) -> String {
        holding(&self.own, name, text).split_once('/').unwrap().1.to_owned()
    }

    /// The session that stays closed, of which a diagnosis that is open came.
    fn session(&self) -> String {
        let linked = &self.own[&holding(&self.own, "Condition", "F41.1")];
        let reference = linked["encounter"]["reference"].as_str().unwrap();
        reference.strip_prefix("Encounter/").unwrap().to_owned()
    }

    async fn get(&self, path: &str) -> Answer {
        self.server.by_token(&self.token, path).await
    }

    async fn total(&self, path: &str) -> u64 {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()["total"].as_u64().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_was_taken_out_is_not_searched_counted_or_sorted_by() {
    let attack = Attack::begin().await;
    let encounter = attack.session();
    let linked = attack.id("Condition", "F41.1");
    let served = attack.get(&format!("Condition/{linked}")).await;
    assert_eq!(served.status, 200, "{}", served.text);
    assert!(served.json()["encounter"].is_null(), "{}", served.text);
    for path in [
        format!("Condition?encounter=Encounter/{encounter}&_total=accurate"),
        format!("Condition?encounter={encounter}&_total=accurate"),
        format!("Condition?encounter:Encounter={encounter}&_total=accurate"),
        format!("Condition?encounter=Encounter/{encounter},Encounter/x&_total=accurate"),
        format!("Condition?encounter=Encounter/{encounter}&code=F41.1&_total=accurate"),
        format!("Patient?_has:Condition:patient:encounter=Encounter/{encounter}&_total=accurate"),
        "Condition?encounter:missing=false&_total=accurate".to_owned(),
        "Condition?encounter:missing=false&code=F41.1&_summary=count".to_owned(),
        "Patient?_has:Condition:patient:encounter:missing=false&_total=accurate".to_owned(),
        "Condition?encounter.status=finished&_total=accurate".to_owned(),
    ] {
        assert_eq!(attack.total(&path).await, 0, "{path}");
    }
    assert_eq!(attack.total("Condition?encounter:missing=true&_total=accurate").await, 2);
    let sorted = |by: &'static str| {
        let attack = &attack;
        async move { attack.get(&format!("Condition?_sort={by},_id")).await.ids() }
    };
    assert_eq!(sorted("encounter").await, sorted("-encounter").await, "both have none to sort by");
    // The practice itself still finds it.
    let own = attack.server.get(&format!("Condition?encounter=Encounter/{encounter}")).await;
    assert_eq!(own.ids(), [linked]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_what_held_a_withheld_reference() {
    let attack = Attack::begin().await;
    let seen = attack.server.all_of(&attack.token).await;
    assert!(seen.len() > 8, "{:?}", seen.keys());
    let text = serde_json::to_string(&seen).unwrap();
    assert!(!text.contains(MARK), "{text}");
    let kept = &seen[&holding(&seen, "Patient", "Kept")];
    assert!(kept["link"].is_null(), "the merged record: {kept}");
    let written = &seen[&holding(&seen, "Communication", "See the diary")];
    assert_eq!(written["payload"].as_array().unwrap().len(), 1, "{written}");
    // Every reference leads to what the recipient sees, and every Provenance has what it is about.
    for (key, resource) in &seen {
        for reference in references(resource) {
            let base = reference.split("/_history/").next().unwrap();
            let (name, _) = base.split_once('/').unwrap();
            let is_seen = seen.contains_key(base)
                || (name == "Binary" && attack.get(base).await.status == 200);
            assert!(is_seen, "{key} refers to {reference}");
        }
        if key.starts_with("Provenance/") {
            assert!(!resource["target"].as_array().unwrap().is_empty(), "{resource}");
        }
    }
}

/// Every reference and link to a resource of this server.
fn references(value: &Value) -> Vec<String> {
    let own = ["reference", "url"].iter().filter_map(|name| value[*name].as_str());
    let own = own.filter(|text| !text.contains("://") && !text.starts_with("urn:"));
    let own = own.filter(|text| text.contains('/')).map(str::to_owned);
    let inner: Vec<&Value> = match value {
        Value::Object(members) => members.values().collect(),
        Value::Array(items) => return items.iter().flat_map(references).collect(),
        _ => return Vec::new(),
    };
    own.chain(inner.into_iter().flat_map(references)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_whose_right_ended_has_no_token_any_more() {
    let server = spawn_with(|_| Sources::default());
    let child = with(client("cl_5", "Child"), json!({"birth_date": "2019-05-01"}));
    let mother = guardian("cl_5", "Mother");
    let mut records = staff();
    records.extend([child, mother.clone(), diagnosis("cl_5", "dx_5", "F90.0")]);
    take_in(&server, &records);
    let own = server.all_of(&server.token).await;
    let (patient, person) =
        (holding(&own, "Patient", "Child"), holding(&own, "RelatedPerson", "Mother"));
    let token = server.of_person(&person, &patient);
    assert_eq!(server.by_token(&token, "Condition").await.ids().len(), 1);
    let barred = json!([{"kind": "no_records", "from": "2026-01-01"}]);
    take_in(&server, &[next(with(mother.clone(), json!({"restrictions": barred})), 2)]);
    assert!(server.by_token(&token, &patient).await.status != 200, "at once");
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(server.by_token(&token, "Condition").await.status, 401);
    take_in(&server, &[next(mother, 3)]);
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(server.by_token(&token, "Condition").await.ids().len(), 1, "an order was lifted");
}

/// Attempts that are one request each: what is asked, and that nothing marked comes back.
const ASKED: &[&str] = &[
    "Patient?family=ZZSECRETOTHER",
    "Patient?name:contains=zzsecret",
    "Patient?identifier=cl_9",
    "Patient?identifier=https://throughline.example/ids/hv/client|cl_9",
    "Patient?_has:Condition:patient:code=F60.3",
    "Patient?_has:Encounter:patient:status=finished",
    "Patient?_has:DocumentReference:patient:status=current",
    "Patient?_has:RelatedPerson:patient:name=ZZSECRETKIN",
    "Condition?patient.family=ZZSECRETOTHER",
    "Condition?patient.identifier=cl_9",
    "Condition?code=F60.3",
    "Condition?code:text=F60",
    "Condition?encounter.type:missing=false",
    "Condition?encounter.participant.family=Ruiz",
    "Encounter",
    "Encounter?participant.family=Ruiz",
    "Encounter?date=2026-06-01",
    "DocumentReference?type:missing=true",
    "DocumentReference?date=2026-06-01",
    "RelatedPerson",
    "RelatedPerson?name=ZZSECRETKIN",
    "Condition?code=F41.1&_include=Condition:encounter&_include:iterate=Encounter:*",
    "Condition?code=F41.1&_revinclude=DocumentReference:*&_revinclude:iterate=Provenance:target",
    "Patient?_revinclude=Encounter:patient&_revinclude=RelatedPerson:patient",
    "Patient?_include=Patient:link",
    "Practitioner?_revinclude=Encounter:participant",
    "Practitioner?_has:Encounter:participant:status=finished",
    "Practitioner?_revinclude=Provenance:agent",
    "Provenance?agent:RelatedPerson.name=ZZSECRETKIN",
    "Organization?_revinclude=Patient:organization&_count=1",
    "Observation?_lastUpdated=gt2000",
    "Encounter?_lastUpdated=gt2000",
    "Encounter?_security=R",
    "Encounter?_tag:missing=false",
    "Encounter?_source:missing=false",
    "Encounter?_profile:below=http://hl7.org",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_question_brings_back_what_is_withheld_or_how_much() {
    let attack = Attack::begin().await;
    let seen = attack.server.all_of(&attack.token).await;
    for path in ASKED {
        for suffix in ["_total=accurate", "_summary=count", "_elements=id&_total=accurate"] {
            let asked = format!("{path}{}{suffix}", if path.contains('?') { '&' } else { '?' });
            let answer = attack.get(&asked).await;
            assert!(!answer.text.contains(MARK) || answer.status == 200, "{asked}");
            if answer.status != 200 {
                // Refused for how it is asked, before anything is looked at.
                assert_eq!(answer.status, 400, "{asked}: {}", answer.text);
                assert!(!answer.text.contains(MARK), "{asked}: {}", answer.text);
                continue;
            }
            let bundle = answer.json();
            let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
            let matched = entries.iter().filter(|entry| entry["search"]["mode"] == "match").count();
            for entry in &entries {
                let url = entry["fullUrl"].as_str().unwrap();
                assert!(seen.keys().any(|key| url.ends_with(key)), "{asked} shows {url}");
                assert!(!entry["resource"].to_string().contains(MARK), "{asked}: {entry}");
            }
            let total = bundle["total"].as_u64().unwrap();
            let of_seen =
                seen.keys().filter(|key| path.starts_with(key.split('/').next().unwrap()));
            assert!(total <= of_seen.count() as u64, "{asked} counts {total}");
            if !suffix.starts_with("_summary") {
                assert_eq!(total, matched as u64, "{asked}");
            }
        }
    }
    for path in ["Patient?family=ZZSECRETOTHER", "Encounter?date=2026-06-01", "RelatedPerson"] {
        let joined = if path.contains('?') { "&" } else { "?" };
        assert_eq!(attack.total(&format!("{path}{joined}_total=accurate")).await, 0, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_or_of_before_shows_nothing_more() {
    let attack = Attack::begin().await;
    let own = attack.server.get("Condition?_count=1").await;
    let stolen = own.link("next").unwrap();
    let answer = attack.get(&stolen).await;
    assert!(answer.status == 400 || !answer.text.contains("F60.3"), "{}", answer.text);
    let first = attack.get("Condition?_count=1&_total=accurate").await;
    let second = attack.get(&first.link("next").unwrap()).await;
    assert!(second.link("next").is_none(), "two, not four: {}", second.text);
    assert_eq!(first.json()["total"], json!(2));
    // A page link after the consent ended.
    let next_page = first.link("next").unwrap();
    let ended = release("cl_1", "con_1", &["diagnosis"]);
    take_in(&attack.server, &[next(crate::support::charts::revoked(ended), 2)]);
    let after = attack.get(&next_page).await;
    assert!(after.ids().is_empty() && after.link("next").is_none(), "{}", after.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_a_form_and_an_operation_show_no_more_than_a_read() {
    let attack = Attack::begin().await;
    let (other, encounter) = (attack.id("Patient", "ZZSECRETOTHER"), attack.session());
    let entry: Vec<Value> = [
        format!("Patient/{other}"),
        format!("Patient/{other}/$everything"),
        format!("Patient/{other}/Condition"),
        format!("Encounter/{encounter}/_history"),
        format!("Encounter/{encounter}/_history/1"),
        format!("Condition?encounter=Encounter/{encounter}"),
        "AuditEvent".to_owned(),
        "AuditEvent?entity:missing=false".to_owned(),
    ]
    .iter()
    .map(|url| json!({"request": {"method": "GET", "url": url}}))
    .collect();
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": entry});
    let request = attack.server.request(Method::POST, "").bearer_auth(&attack.token);
    let request = request.header("Content-Type", "application/fhir+json").body(batch.to_string());
    let answer = attack.server.send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(!answer.text.contains(MARK) && !answer.text.contains("F60.3"), "{}", answer.text);
    let answers = answer.json();
    let status: Vec<_> = answers["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["response"]["status"].as_str().unwrap()[..3].to_owned())
        .collect();
    assert_eq!(status, ["404", "404", "200", "404", "404", "200", "403", "403"]);
    let form = attack.server.request(Method::POST, "Encounter/_search").bearer_auth(&attack.token);
    let form = attack.server.send(form.form(&[("_id", encounter.as_str())])).await;
    assert!(form.ids().is_empty(), "{}", form.text);
    for method in [Method::HEAD, Method::GET] {
        let ask = |id: &str| {
            let request = attack.server.request(method.clone(), &format!("Encounter/{id}"));
            attack.server.send(request.bearer_auth(&attack.token))
        };
        let (there, never) = (ask(&encounter).await, ask("00000000000000000000000000000000").await);
        assert_eq!((there.status, there.text), (never.status, never.text));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_says_of_itself_says_nothing_of_its_records() {
    let attack = Attack::begin().await;
    for path in ["metadata", "openapi.json", ".well-known/smart-configuration"] {
        let before = attack.get(path).await;
        take_in(&attack.server, &[client(&format!("cl_{}", path.len()), "ZZSECRETNEW")]);
        let after = attack.get(path).await;
        assert_eq!(before.text, after.text, "{path}");
    }
    // Sizes: an answer is as long as what it shows, packed or not.
    let request = |id: &str| {
        let request = attack.server.request(Method::GET, &format!("Patient/{id}/Condition"));
        request.bearer_auth(&attack.token).header("Accept-Encoding", "gzip")
    };
    let other = attack.id("Patient", "ZZSECRETOTHER");
    let size = |answer: Answer| answer.header("content-length").to_owned();
    let there = size(attack.server.send(request(&other)).await);
    let never = size(attack.server.send(request("00000000000000000000000000000000")).await);
    assert_eq!(there, never);
}
