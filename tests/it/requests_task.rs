//! What people ask about a record by an app of theirs, as a Task: taken in, followed, and seen by nobody
//! else.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use throughline::app::Config;
use throughline::clock::Clock;
use throughline::policy::{FhirUser, Principal, Purpose, Under};

use crate::support::charts::{
    EHR, client, form, guardian, holding, note, release, staff, take_in, with,
};
use crate::support::desk::{about, record};
use crate::support::server::{Answer, Server, spawn_at};
use crate::support::smart;

const TASKS: &str = "patient/Task.crs patient/DocumentReference.rs";
const SYSTEMS: &str = "https://throughline.example/fhir/CodeSystem";

/// A clock that stands: the afternoon of 3 November in Denver.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        "2026-11-03T20:15:00Z".parse().unwrap()
    }
}

/// A practice with an adult, another, and a minor with a father.
fn practice(language: &str) -> Server {
    let name = json!({"name": "Front Range Family Medicine"});
    let clients = vec![smart::client(EHR, "public", &name)];
    let server = spawn_at(Config { clients, ..Config::default() }, Arc::new(Standing));
    let mut records = staff();
    records.push(with(client("cl_1", "Adult"), json!({ "language": language })));
    records.push(note("cl_1", "note_1", "progress", "signed"));
    let hidden = json!({"visibility": {"client": "withheld", "reason_code": "endangers_life"}});
    records.push(with(note("cl_1", "note_2", "progress", "signed"), hidden));
    records.push(client("cl_2", "Other"));
    records.push(with(client("cl_3", "Minor"), json!({"birth_date": "2016-03-08"})));
    records.extend([guardian("cl_3", "rp_father"), guardian("cl_3", "rp_mother")]);
    take_in(&server, &records);
    server
}

/// Somebody with an app of theirs.
struct Asker<'a> {
    server: &'a Server,
    token: String,
    user: String,
    patient: String,
}

impl<'a> Asker<'a> {
    async fn of(server: &'a Server, family: &str) -> Self {
        let all = server.all_of(&server.token).await;
        let patient = holding(&all, "Patient", family);
        Self::acting(server, &patient, &patient, TASKS)
    }

    /// Somebody who acts for the minor.
    async fn parent(server: &'a Server, party: &str) -> Self {
        let all = server.all_of(&server.token).await;
        let (user, patient) =
            (holding(&all, "RelatedPerson", party), holding(&all, "Patient", "Minor"));
        Self::acting(server, &user, &patient, TASKS)
    }

    fn acting(server: &'a Server, user: &str, patient: &str, scopes: &str) -> Self {
        let who: FhirUser = user.parse().unwrap();
        let principal = Principal {
            patient: Some(patient.strip_prefix("Patient/").unwrap().parse().unwrap()),
            under: Under::of_person(&who),
            fhir_user: Some(who),
            ..Principal::new("hv".parse().unwrap(), "app", scopes)
        };
        let (token, _) =
            server.app.tokens().issue(&principal, Duration::from_mins(5), None).unwrap();
        Self { server, token, user: user.to_owned(), patient: patient.to_owned() }
    }

    fn task(&self, code: &str, inputs: &[Value]) -> Value {
        let mut task = json!({
            "resourceType": "Task", "status": "requested", "intent": "order",
            "code": concept("task-type", code), "for": {"reference": self.patient},
            "requester": {"reference": self.user}, "authoredOn": "2026-11-03T13:14:00-07:00",
        });
        if !inputs.is_empty() {
            task["input"] = json!(inputs);
        }
        task
    }

    async fn post(&self, task: &Value) -> Answer {
        let request = self.server.request(Method::POST, "Task").bearer_auth(&self.token);
        let request = request.header("Content-Type", "application/fhir+json");
        self.server.send(request.body(task.to_string())).await
    }

    async fn tasks(&self) -> Vec<Value> {
        let answer = self.server.by_token(&self.token, "Task?_count=100").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let entries = answer.json()["entry"].as_array().cloned().unwrap_or_default();
        entries.into_iter().map(|entry| entry["resource"].clone()).collect()
    }

    async fn read(&self, posted: &Answer) -> Value {
        let answer = self.server.by_token(&self.token, &path(posted)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }
}

fn concept(system: &str, code: &str) -> Value {
    json!({"coding": [{"system": format!("{SYSTEMS}/{system}"), "code": code}]})
}

fn input(code: &str, name: &str, value: &str) -> Value {
    json!({"type": concept("task-detail", code), name: value})
}

fn statement(words: &str) -> Value {
    input("statement", "valueString", words)
}

fn path(posted: &Answer) -> String {
    let location = posted.header("location");
    let (_, path) = location.split_once("/fhir/").unwrap();
    path.split("/_history").next().unwrap().to_owned()
}

#[tokio::test]
async fn a_client_asks_for_a_correction_by_their_app_and_sees_by_when_it_is_answered() {
    let server = practice("en");
    let asker = Asker::of(&server, "Adult").await;
    let all = server.all_of(&asker.token).await;
    let entry = holding(&all, "DocumentReference", "note_1");
    let mut task = asker.task("record-amendment", &[statement("I never said so.")]);
    task["focus"] = json!({ "reference": entry });
    let posted = asker.post(&task).await;
    assert_eq!(posted.status, 201, "{}", posted.text);
    let read = asker.read(&posted).await;
    assert_eq!(read["status"], "received");
    assert_eq!(read["code"], concept("task-type", "record-amendment"));
    assert_eq!(read["for"]["reference"], asker.patient);
    assert_eq!(read["requester"]["reference"], asker.patient);
    assert_eq!(read["focus"]["reference"], entry);
    assert_eq!(read["input"], json!([statement("I never said so.")]));
    assert_eq!(read["restriction"]["period"]["end"], "2027-01-02", "60 days from receipt");
    assert_eq!(read["businessStatus"]["text"], "Received. To be answered by 2 January 2027.");
    assert_eq!(read["owner"]["display"], "Harborview Teletherapy");

    let again = asker.post(&task).await;
    assert_eq!((again.status.as_u16(), path(&again)), (200, path(&posted)), "{}", again.text);
    for query in [
        format!("code={SYSTEMS}/task-type|record-amendment"),
        "status=received".to_owned(),
        format!("focus={entry}&patient={}", asker.patient),
    ] {
        let found = server.by_token(&asker.token, &format!("Task?{query}")).await;
        assert_eq!(found.ids().len(), 1, "{query}: {}", found.text);
    }
    let none = server.by_token(&asker.token, "Task?status=completed").await;
    assert!(none.ids().is_empty(), "{}", none.text);
}

#[tokio::test]
async fn whatever_can_be_asked_at_the_portal_can_be_asked_as_a_task() {
    let server = practice("es-MX");
    let asker = Asker::of(&server, "Adult").await;
    let copy = [
        input("period-from", "valueDate", "2026-01-01"),
        input("period-to", "valueDateTime", "2026-10-31"),
        input("kind", "valueCode", "session_note"),
        input("format", "valueString", "pdf"),
        input("media", "valueString", "mail"),
    ];
    let words = [statement("Nada a mi seguro.")];
    let by_mail = [input("media", "valueString", "mail")];
    let since = [input("period-from", "valueDate", "2026-01-01")];
    let none: [Value; 0] = [];
    for (code, inputs, due) in [
        ("record-access", &copy[..], Some("2026-12-03")),
        ("record-portability", &by_mail[..], Some("2026-12-03")),
        ("record-accounting", &since[..], Some("2027-01-02")),
        ("record-restriction", &words[..], None),
        ("record-erasure", &none[..], None),
    ] {
        let posted = asker.post(&asker.task(code, inputs)).await;
        assert_eq!(posted.status, 201, "{code}: {}", posted.text);
        let read = asker.read(&posted).await;
        assert_eq!(read["code"], concept("task-type", code));
        assert_eq!(read["restriction"]["period"]["end"].as_str(), due, "{code}: {read}");
        for asked in inputs {
            let said = |value: &Value| {
                let parts = value.as_object().unwrap().iter();
                parts.filter(|(name, _)| *name != "type").map(|(_, v)| v.clone()).next()
            };
            let all = read["input"].as_array().unwrap();
            let is_it = |one: &&Value| one["type"] == asked["type"] && said(one) == said(asked);
            assert!(all.iter().any(|one| is_it(&one)), "{code}: {asked} is not in {read}");
        }
    }
    let tasks = asker.tasks().await;
    let limit = tasks.iter().find(|task| task["restriction"].is_null()).unwrap();
    assert_eq!(limit["businessStatus"]["text"], "Recibida.");
    let copy = tasks.iter().find(|task| task.to_string().contains("record-access")).unwrap();
    let words = copy["businessStatus"]["text"].as_str().unwrap();
    assert!(words.ends_with("Se responde a más tardar el 3 de diciembre de 2026."), "{words}");
}

#[tokio::test]
async fn what_a_request_cannot_say_is_refused_with_the_element() {
    let server = practice("en");
    let asker = Asker::of(&server, "Adult").await;
    let all = server.all_of(&server.token).await;
    let open = json!({"reference": holding(&all, "DocumentReference", "note_1")});
    let withheld = json!({"reference": holding(&all, "DocumentReference", "note_2")});
    let absent = json!({"reference": "DocumentReference/00000000000000000000000000000000"});
    let good = asker.task("record-amendment", &[statement("No.")]);
    let of = |code: &str, inputs: &[Value]| asker.task(code, inputs);
    let changed = |name: &str, value: Value| {
        let mut task = good.clone();
        task[name] = value;
        task
    };
    let twice = [statement("One."), statement("Two.")];
    let mut worded = statement("No.");
    worded["type"]["text"] = json!("what I say");
    for (task, element) in [
        (changed("owner", json!({"reference": "Organization/x"})), "Task.owner"),
        (changed("priority", json!("stat")), "Task.priority"),
        (changed("description", json!("words")), "Task.description"),
        (changed("restriction", json!({"repetitions": 2})), "Task.restriction"),
        (changed("note", json!([{"text": "words"}])), "Task.note"),
        (changed("status", json!("draft")), "Task.status"),
        (changed("intent", json!("proposal")), "Task.intent"),
        (changed("code", concept("task-type", "care-transfer")), "Task.code"),
        (changed("code", concept("task-type", "record-third-party-directive")), "Task.code"),
        (changed("code", concept("other", "record-access")), "Task.code"),
        (changed("authoredOn", json!("2026-11-01T13:14:00-07:00")), "Task.authoredOn"),
        (changed("authoredOn", json!("2026-11-03T14:14:00-07:00")), "Task.authoredOn"),
        (changed("meta", json!({"tag": [{"code": "x"}]})), "Task.meta.tag"),
        (
            changed(
                "text",
                json!({"status": "additional", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}),
            ),
            "Task.text",
        ),
        (changed("focus", withheld.clone()), "Task.focus"),
        (changed("focus", absent.clone()), "Task.focus"),
        (changed("focus", json!({"reference": asker.patient})), "Task.focus"),
        (of("record-amendment", &[]), "Task.input"),
        (of("record-amendment", &twice), "Task.input[1]"),
        (of("record-restriction", &[]), "Task.input"),
        (of("record-erasure", &[input("format", "valueString", "pdf")]), "Task.input[0]"),
        (of("record-access", &[input("format", "valueString", "ccda")]), "Task.input[0]"),
        (of("record-access", &[input("media", "valueString", "fax")]), "Task.input[0]"),
        (of("record-access", &[input("kind", "valueString", "staff")]), "Task.input[0]"),
        (of("record-access", &[input("colour", "valueString", "red")]), "Task.input[0]"),
        (of("record-access", &[input("period-from", "valueDate", "2026-11")]), "Task.input"),
        (
            of("record-access", &[input("statement", "valueDate", "2026-11-01")]),
            "Task.input[0].valueDate",
        ),
        (of("record-access", &[worded]), "Task.input[0].type.text"),
    ] {
        let answer = asker.post(&task).await;
        let (status, _, _) = answer.refusal();
        assert_eq!(status, 422, "{element}: {}", answer.text);
        let outcome = answer.json();
        assert_eq!(outcome["issue"][0]["expression"][0], element, "{}", answer.text);
    }
    let mut of_open = of("record-access", &[]);
    of_open["focus"] = open;
    assert_eq!(asker.post(&of_open).await.json()["issue"][0]["expression"][0], "Task.focus");
    let hidden = asker.post(&changed("focus", withheld)).await;
    let missing = asker.post(&changed("focus", absent)).await;
    assert_eq!(hidden.text, missing.text, "withheld looks like absent");
    let no_json = asker.post(&json!({"resourceType": "Task", "status": 3})).await;
    assert_eq!(no_json.status, 400, "{}", no_json.text);
    assert!(asker.tasks().await.is_empty(), "nothing of that was opened");
}

#[tokio::test]
async fn each_sees_what_they_asked_themself_and_nobody_outside_sees_any() {
    let server = practice("en");
    let (father, mother) =
        (Asker::parent(&server, "rp_father").await, Asker::parent(&server, "rp_mother").await);
    let child = Asker::of(&server, "Minor").await;
    for (asker, words) in [(&father, "ZZFATHER"), (&mother, "ZZMOTHER"), (&child, "ZZCHILD")] {
        let posted = asker.post(&asker.task("record-restriction", &[statement(words)])).await;
        assert_eq!(posted.status, 201, "{words}: {}", posted.text);
    }
    let form = form("cl_3", "co_1");
    take_in(&server, &[release("cl_3", "co_1", &["*"]), form]);
    for (token, expected) in [
        (&father.token, &["ZZFATHER"][..]),
        (&mother.token, &["ZZMOTHER"]),
        (&child.token, &["ZZCHILD"]),
        (&Asker::of(&server, "Other").await.token, &[]),
        (&server.of_recipient(), &[]),
        (
            &server.looking(Under::of_client(EHR, Some(Purpose::Operations)), "system/*.rs", None),
            &[],
        ),
        (&server.token, &["ZZFATHER", "ZZMOTHER", "ZZCHILD"]),
    ] {
        let found = server.by_token(token, "Task?_count=100").await;
        for words in ["ZZFATHER", "ZZMOTHER", "ZZCHILD"] {
            let is_seen = found.text.contains(words);
            assert_eq!(is_seen, expected.contains(&words), "{words} in {}", found.text);
        }
    }
}

#[tokio::test]
async fn nobody_asks_in_the_name_of_another() {
    let server = practice("en");
    let adult = Asker::of(&server, "Adult").await;
    let other = Asker::of(&server, "Other").await;
    let of_other = other.task("record-erasure", &[]);
    assert_eq!(adult.post(&of_other).await.status, 403, "another's record");
    let mut by_other = adult.task("record-erasure", &[]);
    by_other["requester"] = json!({"reference": other.patient});
    assert_eq!(adult.post(&by_other).await.status, 403, "in another's name");
    let reading = Asker::acting(&server, &adult.user, &adult.patient, "patient/*.rs");
    assert_eq!(reading.post(&adult.task("record-erasure", &[])).await.status, 403, "no scope");
    let all = server.all_of(&server.token).await;
    let therapist = holding(&all, "Practitioner", "Ruiz");
    let staff = Asker::acting(&server, &therapist, &adult.patient, TASKS);
    assert_eq!(staff.post(&adult.task("record-erasure", &[])).await.status, 403, "staff");
    let father = Asker::parent(&server, "rp_father").await;
    let stranger = Asker::acting(&server, &father.user, &adult.patient, TASKS);
    let task = stranger.task("record-erasure", &[]);
    // The token itself is none by then: its person acts for nobody of that name.
    assert_eq!(stranger.post(&task).await.status, 401, "acts for somebody else");
    for asker in [&adult, &other] {
        assert!(asker.tasks().await.is_empty());
    }
}

#[tokio::test]
async fn what_the_platform_keeps_is_a_task_too_and_an_extension_moves_its_day() {
    let server = practice("en");
    let data = |status: &str, requester: Value, history: Value| {
        json!({
            "type": "access", "regime": "hipaa", "client_id": "cl_1", "status": status,
            "requester": requester,
            "received_at": "2026-11-01T09:00:00-07:00", "history": history
        })
    };
    let own = || json!({"kind": "client", "id": "cl_1"});
    let first =
        about("cl_1", record("record_request", "rr_1", 1, data("in_review", own(), json!([]))));
    let attorney = json!({"kind": "attorney", "name": "Ann Lawyer"});
    let by_another = data("received", attorney, json!([]));
    take_in(&server, &[first, about("cl_1", record("record_request", "rr_2", 1, by_another))]);
    let asker = Asker::of(&server, "Adult").await;
    let tasks = asker.tasks().await;
    assert_eq!(tasks.len(), 1, "what an attorney asked is for the attorney: {tasks:?}");
    let task = tasks.into_iter().next().unwrap();
    assert_eq!(task["status"], "in-progress");
    let all = server.get("Task").await.text;
    assert!(all.contains("Ann Lawyer"), "the practice sees it: {all}");
    assert_eq!(task["restriction"]["period"]["end"], "2026-12-01");
    let told =
        json!([{"event": "extend", "at": "2026-11-02T09:00:00-07:00", "until": "2026-12-20"}]);
    let mut second =
        about("cl_1", record("record_request", "rr_1", 2, data("extended", own(), told)));
    second["updated_at"] = json!("2026-11-02T17:03:11.004Z");
    take_in(&server, &[second]);
    let task = asker.tasks().await.remove(0);
    assert_eq!(task["restriction"]["period"]["end"], "2026-12-20");
    assert_eq!(task["businessStatus"]["text"], "Takes longer. To be answered by 20 December 2026.");
}
