//! Transfers of care as both sides see them: the platform's own calls, the Task that the receiver and
//! the client read, and the practice's page.

use reqwest::Method;
use serde_json::{Value, json};
use throughline::config::{DemoAccount, LoginSettings, Part};
use throughline::exchange::transfers::Wanted;
use throughline::policy::{Grantee, Purpose, Under};

use crate::support::people::{BACK, ELLIE, JOEL, MARISOL, PRACTICE, practice};
use crate::support::platform::Push;
use crate::support::server::{Answer, Server};
use crate::support::visitor::{Visitor, absolute};

/// The privacy officer.
const KARIN: &str = "st_1";
/// Where the platform hands care over.
const TRANSFERS: &str = "/platform/transfers";

fn office() -> Server {
    let accounts =
        [(Part::Client, ELLIE), (Part::Staff, MARISOL), (Part::Staff, JOEL), (Part::Staff, KARIN)];
    let account = |(part, record): (Part, &str)| DemoAccount { part, record: record.to_owned() };
    practice(LoginSettings::of_demo("hv", PRACTICE, accounts.map(account).into()), BACK, &[])
}

/// A transfer of Ellie's care that is prepared; answers its id.
pub(crate) fn prepared(server: &Server) -> String {
    let wanted = Wanted {
        client: ELLIE.to_owned(),
        receiver: "frfm".to_owned(),
        reason: "Moves to Boulder <step-down>".to_owned(),
        urgency: "urgent".to_owned(),
        sections: Vec::new(),
        notes: Vec::new(),
        by_link: false,
        by: MARISOL.to_owned(),
        key: None,
    };
    let (made, is_new) = server.app.transfers().create(&"hv".parse().unwrap(), wanted).unwrap();
    assert!(is_new);
    made.id
}

/// A signed request of the platform.
fn signed(method: &'static str, path: &str, body: &Value) -> Push {
    let target: &'static str = path.to_owned().leak();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Push { method, target, ..Push::text(body) }
}

async fn ask(server: &Server, push: &Push) -> Answer {
    let url = format!("{}{}", server.origin(), push.target);
    let method = Method::from_bytes(push.method.as_bytes()).unwrap();
    let request = server.client.request(method, url).body(push.body.clone());
    let headers = push.headers().into_iter().filter(|(name, _)| *name != "content-type");
    let request = headers.fold(request, |request, (name, value)| request.header(name, value));
    server.send(request.header("content-type", "application/json")).await
}

async fn post(server: &Server, path: &str, body: &Value) -> Answer {
    ask(server, &signed("POST", path, body)).await
}

fn wanted() -> Value {
    json!({
        "client": ELLIE, "receiver": "frfm", "reason": "Moves to Boulder", "by": MARISOL,
        "urgency": "urgent", "sections": ["problems"],
    })
}

#[tokio::test]
async fn the_platform_hands_care_over_by_signed_calls() {
    let server = office();
    let push = signed("POST", TRANSFERS, &wanted());
    let made = ask(&server, &push).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(made.json()["state"], "draft");
    let again = ask(&server, &push).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(again.json()["id"], json!(id));

    let one = format!("{TRANSFERS}/{id}");
    let shown = ask(&server, &signed("GET", &one, &Value::Null)).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    assert_eq!(shown.json()["reason"], "Moves to Boulder");
    let listed = ask(&server, &signed("GET", TRANSFERS, &Value::Null)).await;
    let lines: Vec<Value> =
        listed.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["id"] == json!(id)), "{}", listed.text);

    let step = async |name: &str, body: Value| post(&server, &format!("{one}/{name}"), &body).await;
    let by = json!({ "by": MARISOL });
    for (name, body, status) in [
        ("approve", json!({ "by": "st_none" }), 400),
        ("approve", json!({ "by": MARISOL, "more": 1 }), 400),
        ("delivered", by.clone(), 403),
        ("other", by.clone(), 404),
        ("complete", by.clone(), 409),
        ("resend", json!({ "by": MARISOL, "patient": "Practitioner/1" }), 400),
        ("approve", by.clone(), 200),
        ("cancel", json!({ "by": MARISOL, "text": "Stays with us" }), 200),
        ("approve", by.clone(), 409),
    ] {
        let answer = step(name, body).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
    }
    let shown = ask(&server, &signed("GET", &one, &Value::Null)).await.json();
    let history: Vec<_> = shown["history"].as_array().unwrap().iter().collect();
    let last = history.last().unwrap();
    assert_eq!((&last["event"], &last["by"]), (&json!("cancel"), &json!(MARISOL)), "{shown}");
    assert_eq!(last["why"], "Stays with us");
}

#[tokio::test]
async fn the_platform_is_told_a_link_once() {
    let server = office();
    let mut body = wanted();
    body["by_link"] = json!(true);
    body["approve"] = json!(true);
    let push = signed("POST", TRANSFERS, &body);
    let made = ask(&server, &push).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let link = &made.json()["link"];
    assert!(link["link"].as_str().unwrap().starts_with("shlink:/"), "{link}");
    let browser = format!("{}/links/view#shlink:/", server.origin());
    assert!(link["browser"].as_str().unwrap().starts_with(&browser), "{link}");
    assert_eq!(link["passcode"].as_str().unwrap().len(), 8);
    let again = ask(&server, &push).await;
    assert_eq!((again.status.as_u16(), &again.json()["link"]), (200, &Value::Null));
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let sent_again =
        post(&server, &format!("{TRANSFERS}/{id}/resend"), &json!({ "by": MARISOL })).await;
    assert_eq!(sent_again.status, 200, "{}", sent_again.text);
    assert_ne!(sent_again.json()["link"]["link"], link["link"], "it is another link");
    let listed = server.app.links().list(&"hv".parse().unwrap(), None, 10).await.unwrap();
    let alive = listed.iter().filter(|one| one.revoked.is_none()).count();
    assert_eq!((listed.len(), alive), (2, 1), "the one before opens nothing");
}

#[tokio::test]
async fn what_is_not_right_of_a_call_is_refused() {
    let server = office();
    for (change, status) in [
        (json!({ "client": "cl_none" }), 404),
        (json!({ "receiver": "other" }), 400),
        (json!({ "by": "st_none" }), 400),
        (json!({ "reason": " " }), 400),
        (json!({ "urgency": "soon" }), 400),
        (json!({ "sections": ["everything"] }), 400),
        // No consent lets this receiver have anything of theirs.
        (json!({ "client": "cl_15" }), 409),
    ] {
        let mut body = wanted();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = post(&server, TRANSFERS, &body).await;
        assert_eq!(answer.status, status, "{change}: {}", answer.text);
    }
    let mut forged = signed("POST", TRANSFERS, &wanted());
    forged.secret = "another-secret-that-is-long-enough-to-be-one".into();
    assert_eq!(ask(&server, &forged).await.status, 401);
    let push = signed("POST", TRANSFERS, &wanted());
    let url = format!("{}{TRANSFERS}", server.origin());
    let request = server.client.post(url).body(json!({ "by": "somebody" }).to_string());
    let headers = push.headers().into_iter().filter(|(name, _)| *name != "content-type");
    let request = headers.fold(request, |request, (name, value)| request.header(name, value));
    let other = server.send(request.header("content-type", "application/json")).await;
    assert_eq!(other.status, 401, "a body that was not signed: {}", other.text);
    let none = ask(&server, &signed("GET", &format!("{TRANSFERS}/tlt-none"), &Value::Null)).await;
    assert_eq!(none.status, 404);
    assert!(server.app.transfers().all(&"hv".parse().unwrap()).unwrap().is_empty());
}

#[tokio::test]
async fn both_sides_and_the_client_read_the_task_and_nobody_else() {
    let server = office();
    let (hv, id) = ("hv".parse().unwrap(), prepared(&server));
    let patient = server.patient(ELLIE);
    let query = format!("Task?patient={patient}&code=care-transfer");
    let practice = server.of_practice();
    let receiver = server.of_ehr();
    let other =
        server.under(Under::of_client("ehr-other", Some(Purpose::Treatment)), "system/*.rs", None);
    let payment =
        server.under(Under::of_client("ehr-frfm", Some(Purpose::Payment)), "system/*.rs", None);
    let own = Under {
        grantee: Grantee::of_patient().as_str().to_owned(),
        patient: Some(patient.clone()),
        ..Under::of_client("", None)
    };
    let user = format!("Patient/{patient}");
    let client = server.under(own, "patient/*.rs", Some(&user));

    let draft = server.asked(&practice, &query).await;
    let task = draft.json()["entry"][0]["resource"].clone();
    assert_eq!(task["status"], "draft", "{}", draft.text);
    let read = format!("Task/{}", task["id"].as_str().unwrap());
    for token in [&receiver, &client, &other] {
        assert_eq!(server.asked(token, &query).await.ids(), [""; 0], "a draft is the practice's");
        assert_eq!(server.asked(token, &read).await.status, 404);
    }

    let approve = throughline::exchange::transfers::Step::by(MARISOL);
    let event = throughline::policy::transfer::Event::Approve;
    server.app.transfers().step(&hv, &id, event, approve).unwrap();
    for token in [&practice, &receiver, &client] {
        let found = server.asked(token, &query).await;
        assert_eq!(found.ids().len(), 1, "{}", found.text);
        let task = server.asked(token, &read).await.json();
        assert_eq!(task["status"], "ready", "{task}");
        assert_eq!(task["priority"], "urgent");
        assert_eq!(task["for"]["reference"], json!(format!("Patient/{patient}")));
        assert_eq!(task["owner"]["display"], "Front Range Family Medicine");
        assert_eq!(task["input"][0]["valueString"], "Moves to Boulder <step-down>");
        assert!(!task.to_string().contains(MARISOL), "who did it stays here: {task}");
        let history = server.asked(token, &format!("{read}/_history")).await.json();
        assert!(history["total"].as_u64().unwrap() >= 1, "{history}");
    }
    let versions = server.asked(&practice, &format!("{read}/_history")).await.json();
    assert!(versions["total"].as_u64().unwrap() >= 2, "{versions}");
    for token in [&other, &payment] {
        let found = server.asked(token, &query).await;
        assert!(found.status == 200 && found.ids().is_empty(), "{}", found.text);
        assert_eq!(server.asked(token, &read).await.status, 404);
    }
    for (more, expected) in [
        ("status=ready", 1),
        ("status=draft", 0),
        ("priority=urgent&intent=order", 1),
        ("modified=gt2020", 1),
        ("authored-on=gt2020&requester:missing=false", 1),
        ("owner:missing=true", 1),
        (&format!("identifier={id}"), 1),
        ("business-status:missing=true", 1),
    ] {
        let found = server.asked(&practice, &format!("{query}&{more}")).await;
        assert_eq!(found.ids().len(), expected, "{more}: {}", found.text);
    }
}

fn url(server: &Server, path: &str) -> String {
    format!("{}{path}", server.origin())
}

async fn signed_in(server: &Server, account: &str) -> Visitor {
    let mut visitor = Visitor::new();
    visitor.begin(&url(server, "/auth/apps"), account).await;
    visitor
}

#[tokio::test]
async fn a_therapist_hands_a_client_over_on_the_practices_page() {
    let server = office();
    let mut marisol = signed_in(&server, MARISOL).await;
    let page = marisol.get(&url(&server, "/staff/transfers")).await;
    assert!(page.text.contains("Nothing is on its way"), "{}", page.text);
    let csrf = page.token("/staff/transfers");
    let prepare = |client: &'static str, reason: &'static str| {
        [
            ("csrf", csrf.clone()),
            ("client", client.to_owned()),
            ("receiver", "frfm".to_owned()),
            ("reason", reason.to_owned()),
            ("urgency", "routine".to_owned()),
        ]
    };
    let send = async |visitor: &mut Visitor, fields: &[(&'static str, String)], path: &str| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        visitor.post(&url(&server, path), &fields).await
    };
    let silent = send(&mut marisol, &prepare(ELLIE, " "), "/staff/transfers").await;
    assert!(silent.location().contains("wrong=1"), "{}", silent.location());
    let strange = send(&mut marisol, &prepare("cl_none", "x"), "/staff/transfers").await;
    assert_eq!(strange.status, 410, "not theirs, or not there");
    let made = send(&mut marisol, &prepare(ELLIE, "<b>Moves</b>"), "/staff/transfers").await;
    assert_eq!(made.status, 303, "{}", made.text);
    let place = absolute(&made.url, made.location());
    let draft = marisol.get(&place).await;
    assert!(draft.text.contains("&lt;b&gt;Moves&lt;/b&gt;"), "{}", draft.text);
    assert!(draft.text.contains("Sign off and send"), "{}", draft.text);
    let id = draft.field("transfer");
    let act = |step: &str| {
        [
            ("csrf", draft.token("/staff/handovers")),
            ("transfer", id.clone()),
            ("step", step.to_owned()),
            ("text", "  ".to_owned()),
        ]
    };
    let early = send(&mut marisol, &act("complete"), "/staff/handovers").await;
    assert!(early.location().contains("wrong=1"), "a draft is completed by nobody");
    assert_eq!(send(&mut marisol, &act("approve"), "/staff/handovers").await.status, 303);
    let ready = marisol.get(&place).await;
    assert!(ready.text.contains("Signed off"), "{}", ready.text);

    // The privacy officer sees it; who does not treat the client, and the client, do not.
    let mut karin = signed_in(&server, KARIN).await;
    assert!(karin.get(&url(&server, "/staff/transfers")).await.text.contains("Ellie Marsh"));
    let mut joel = signed_in(&server, JOEL).await;
    assert!(!joel.get(&url(&server, "/staff/transfers")).await.text.contains("Ellie Marsh"));
    assert_eq!(joel.get(&place).await.status, 410);
    let mut ellie = signed_in(&server, ELLIE).await;
    assert_eq!(ellie.get(&place).await.status, 403);
    assert_eq!(Visitor::new().get(&place).await.status, 303);
    for csrf in ["", "x"] {
        let fields = [("csrf", csrf), ("transfer", id.as_str()), ("step", "cancel")];
        let sent = karin.post(&url(&server, "/staff/handovers"), &fields).await;
        assert_eq!(sent.status, 403, "no form of another site is taken");
    }
}

#[tokio::test]
async fn a_link_is_shown_when_it_is_signed_off_and_never_again() {
    let server = office();
    let mut marisol = signed_in(&server, MARISOL).await;
    let transfers = url(&server, "/staff/transfers");
    let csrf = marisol.get(&transfers).await.token("/staff/transfers");
    let fields = [
        ("csrf", csrf.as_str()),
        ("client", ELLIE),
        ("receiver", "frfm"),
        ("reason", "Moves"),
        ("urgency", "routine"),
        ("by_link", "1"),
    ];
    let made = marisol.post(&transfers, &fields).await;
    let place = absolute(&made.url, made.location());
    let draft = marisol.get(&place).await;
    let (csrf, id) = (draft.token("/staff/handovers"), draft.field("transfer"));
    let fields = [("csrf", csrf.as_str()), ("transfer", &id), ("step", "approve")];
    let handed = marisol.post(&url(&server, "/staff/handovers"), &fields).await;
    assert_eq!(handed.status, 200, "{}", handed.text);
    assert!(handed.text.contains("/links/view#shlink:/"), "{}", handed.text);
    assert!(handed.text.contains("<svg ") && handed.text.contains("Passcode"), "{}", handed.text);
    assert_eq!(handed.header("cache-control"), "no-store");
    assert!(!marisol.get(&place).await.text.contains("shlink:/"));
}
