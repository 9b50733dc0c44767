//! The portal, as people use it, and what is tried against it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use throughline::audit::{self, Action, Event, Question};
use throughline::clock::{Clock as _, SystemClock};
use throughline::exchange::requests::{Asked, Requester, Scope};
use throughline::fhir::search::{Condition, Query};
use throughline::policy::request::Matter;
use throughline::policy::{AuditPermit, FhirUser, Obligations, Permit, Principal, Under};

use crate::support::people::{ADA, ELLIE, JOEL, LUCIA, MATEO, demo_practice};
use crate::support::server::Server;
use crate::support::visitor::{Seen, Visitor, absolute};

fn url(server: &Server, path: &str) -> String {
    format!("{}{path}", server.origin())
}

/// Somebody who is signed in, at the record.
async fn at_the_portal(server: &Server, account: &str) -> (Visitor, Seen) {
    let mut visitor = Visitor::new();
    let page = visitor.begin(&url(server, "/portal"), account).await;
    assert_eq!(page.status, 200, "{}", page.text);
    (visitor, page)
}

/// The addresses of the links of a page whose text this is.
fn links(page: &Seen, text: &str) -> Vec<String> {
    let links = page.text.split("<a ").skip(1).filter_map(|link| {
        let (tag, rest) = link.split_once('>')?;
        let is_it = rest.split("</a>").next()?.starts_with(text);
        let href = tag.split("href=\"").nth(1)?.split('"').next()?;
        is_it.then(|| href.replace("&amp;", "&"))
    });
    links.collect()
}

/// The events about a client's record, the latest first.
fn events(server: &Server, client: &str) -> Vec<Event> {
    let permit = AuditPermit::operator("hv".parse().unwrap());
    let patient = Some(server.patient(client));
    let question = Question { patient, count: 1_000, ..Question::default() };
    audit::search(&**server.app.audit().ledger(), &permit, &question).unwrap().events
}

/// What an app of Ellie's would be shown of a type.
fn what_may_be_seen(server: &Server, resource_type: &'static str) -> Vec<Value> {
    let patient = server.patient(ELLIE);
    let user: FhirUser = format!("Patient/{patient}").parse().unwrap();
    let principal = Principal {
        patient: Some(patient.clone()),
        under: Under::of_person(&user),
        fhir_user: Some(user),
        ..Principal::new("hv".parse().unwrap(), "app", "patient/*.rs")
    };
    let principal = Arc::new(principal).asking_at(SystemClock.now(), Obligations::OF_READING);
    let permit = Permit::decide(&principal, throughline::policy::Action::Search, resource_type);
    let conditions = vec![Condition::Patient(patient)];
    let query = Query { conditions, count: 1_000, ..Query::default() };
    let found = server.app.store().search(&permit.unwrap(), &query).unwrap().matches;
    found.iter().map(|stored| serde_json::from_slice(&stored.body).unwrap()).collect()
}

async fn ask(visitor: &mut Visitor, server: &Server, matter: &str, words: &str) -> Seen {
    let form = visitor.get(&url(server, &format!("/portal/ask?type={matter}"))).await;
    let (csrf, record) = (form.token("/portal/ask"), form.field("record"));
    let fields = [
        ("csrf", csrf.as_str()),
        ("record", &record),
        ("type", matter),
        ("kind", "Encounter"),
        ("format", "html"),
        // On paper, so that it waits for somebody.
        ("media", "mail"),
        ("from", "2026-01-01"),
        ("to", ""),
        ("statement", words),
    ];
    visitor.post(&url(server, "/portal/ask"), &fields).await
}

#[tokio::test]
async fn a_client_reads_all_of_their_record_a_page_at_a_time() {
    let server = demo_practice();
    let (mut ellie, first) = at_the_portal(&server, ELLIE).await;
    assert!(first.text.contains("My record") && first.text.contains("Ellie Marsh"));
    for stranger in ["Okafor", "Reyes", "Mateo"] {
        assert!(!first.text.contains(stranger), "{stranger} is somebody else");
    }
    let mut page = first;
    let mut entries = 0;
    let mut pages = 0;
    loop {
        assert!(page.text.len() < 100_000, "{} bytes", page.text.len());
        entries += page.text.matches("<time datetime").count();
        pages += 1;
        let Some(next) = links(&page, "Earlier entries").pop() else { break };
        page = ellie.get(&absolute(&page.url, &next)).await;
    }
    let sessions = what_may_be_seen(&server, "Encounter").len();
    let messages = what_may_be_seen(&server, "Communication");
    let messages = messages.iter().filter(|one| one["payload"].is_array()).count();
    let documents = what_may_be_seen(&server, "DocumentReference");
    let documents = documents.iter().filter(|one| one["status"] == "current").count();
    assert_eq!(entries, sessions + messages + documents, "nothing is left out, nothing is twice");
    assert!(pages > 1 && sessions > 5 && messages > 20, "{pages} {sessions} {messages}");
}

#[tokio::test]
async fn every_page_has_its_place_and_none_can_be_framed_cached_or_scripted() {
    let server = demo_practice();
    let (mut ellie, page) = at_the_portal(&server, ELLIE).await;
    let mut paths: BTreeSet<String> =
        ["/portal", "/portal/plan", "/portal/ask", "/portal/ask?type=access", "/portal/requests"]
            .into_iter()
            .chain(["/portal/seen", "/portal/seen?own=1", "/portal/consents"])
            .map(str::to_owned)
            .collect();
    paths.extend(links(&page, "Read"));
    assert!(paths.iter().any(|path| path.starts_with("/portal/notes/")), "{paths:?}");
    for path in paths {
        for language in ["en", "es"] {
            let sign = if path.contains('?') { '&' } else { '?' };
            let page = ellie.get(&url(&server, &format!("{path}{sign}lang={language}"))).await;
            assert_eq!(page.status, 200, "{path}: {}", page.text);
            assert!(page.text.contains(&format!("<html lang=\"{language}\"")), "{path}");
            assert!(page.text.len() < 100_000, "{path}: {} bytes", page.text.len());
            assert!(page.header("content-security-policy").contains("default-src 'none'"));
            assert_eq!(page.header("cache-control"), "no-store", "{path}");
            assert!(!page.text.contains("<script") && !page.text.contains(" style="), "{path}");
        }
    }
    let plan = ellie.get(&url(&server, "/portal/plan")).await;
    assert!(plan.text.contains("<svg") && plan.text.contains("PHQ-9"), "{}", plan.text);
    assert!(plan.text.contains("role=\"img\""), "the drawing has a name for those who hear it");
}

#[tokio::test]
async fn a_copy_is_asked_for_followed_and_taken_back() {
    let server = demo_practice();
    let (mut ellie, _) = at_the_portal(&server, ELLIE).await;
    let sent = ask(&mut ellie, &server, "access", "").await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    let place = absolute(&sent.url, sent.location());
    let page = ellie.get(&place).await;
    for part in ["Your request has arrived", "days left", "Received", "A copy of my record"] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    let id = page.field("request");
    let kept = server.app.requests().request(&"hv".parse().unwrap(), &id).unwrap().unwrap();
    assert_eq!(kept.scope.kinds, ["session_log", "appointment"]);
    assert_eq!(kept.scope.from.as_deref(), Some("2026-01-01"));
    let (csrf, record) = (page.token("/portal/requests"), page.field("record"));
    let fields =
        [("csrf", csrf.as_str()), ("record", &record), ("request", &id), ("step", "withdraw")];
    let back = ellie.post(&url(&server, "/portal/requests"), &fields).await;
    assert_eq!(back.status, 303);
    let page = ellie.get(&absolute(&back.url, back.location())).await;
    assert!(page.text.contains("Taken back") && page.text.contains("Nothing more is due"));
    let list = ellie.get(&url(&server, "/portal/requests")).await;
    assert_eq!(list.text.matches(&id).count(), 1);
    let done: Vec<_> = events(&server, ELLIE).iter().map(|event| event.action).collect();
    assert!(done.contains(&Action::RequestMade) && done.contains(&Action::RequestChanged));
}

#[tokio::test]
async fn nobody_decides_their_own_request_or_touches_that_of_another() {
    let server = demo_practice();
    let (mut ellie, _) = at_the_portal(&server, ELLIE).await;
    let sent = ask(&mut ellie, &server, "access", "").await;
    let page = ellie.get(&absolute(&sent.url, sent.location())).await;
    let id = page.field("request");
    let steal = |token: String, record: String, id: String, step: &'static str| {
        vec![("csrf", token), ("record", record), ("request", id), ("step", step.to_owned())]
    };
    let send = async |visitor: &mut Visitor, fields: Vec<(&str, String)>| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        visitor.post(&url(&server, "/portal/requests"), &fields).await.status.as_u16()
    };
    let (csrf, own) = (page.token("/portal/requests"), page.field("record"));
    assert_eq!(
        send(&mut ellie, steal(csrf.clone(), own.clone(), id.clone(), "approve")).await,
        403
    );
    assert_eq!(send(&mut ellie, steal("x".into(), own.clone(), id.clone(), "withdraw")).await, 403);

    let (mut ada, _) = at_the_portal(&server, ADA).await;
    let others = ada.get(&url(&server, &format!("/portal/requests/{id}"))).await;
    let nothing = ada.get(&url(&server, "/portal/requests/tlr-none")).await;
    assert_eq!((others.status.as_u16(), nothing.status.as_u16()), (410, 410));
    assert_eq!(others.text, nothing.text.replace("tlr-none", &id), "as if it were not there");
    let sent = ask(&mut ada, &server, "access", "").await;
    let hers = ada.get(&absolute(&sent.url, sent.location())).await;
    let (csrf, record) = (hers.token("/portal/requests"), hers.field("record"));
    assert_eq!(send(&mut ada, steal(csrf.clone(), record, id.clone(), "withdraw")).await, 410);
    assert_eq!(send(&mut ada, steal(csrf, own.clone(), id.clone(), "withdraw")).await, 410);
    let hidden = ada.get(&url(&server, &format!("/portal?record={own}"))).await;
    assert_eq!(hidden.status, 410, "another's record");
    let kept = server.app.requests().request(&"hv".parse().unwrap(), &id).unwrap().unwrap();
    assert_eq!(kept.version, 1, "nothing was changed");
}

#[tokio::test]
async fn what_people_write_is_shown_as_text_and_a_request_without_words_is_asked_again() {
    let server = demo_practice();
    let (mut ellie, _) = at_the_portal(&server, ELLIE).await;
    let script = "<script>alert(1)</script><img src=x onerror=alert(2)> \"' </textarea>";
    let sent = ask(&mut ellie, &server, "amendment", script).await;
    let page = ellie.get(&absolute(&sent.url, sent.location())).await;
    assert!(page.text.contains("&lt;script&gt;alert(1)"), "{}", page.text);
    assert!(!page.text.contains("<script") && !page.text.contains("<img"));
    let sent = ask(&mut ellie, &server, "amendment", "   ").await;
    assert!(sent.location().contains("wrong=1"), "{}", sent.location());
    let again = ellie.get(&absolute(&sent.url, sent.location())).await;
    assert!(again.text.contains("Nothing was sent"), "{}", again.text);
    let found = server.app.requests().of_client(&"hv".parse().unwrap(), ELLIE).unwrap();
    assert_eq!(found.len(), 1);
}

#[tokio::test]
async fn a_mother_sees_her_childs_record_until_he_is_of_age_and_never_his_log() {
    let server = demo_practice();
    let (mut lucia, page) = at_the_portal(&server, LUCIA).await;
    assert!(page.text.contains("The record of Mateo Reyes"), "{}", page.text);
    assert!(!page.text.contains("Who has seen"), "whom he let in is his to know");
    assert_eq!(lucia.get(&url(&server, "/portal/seen")).await.status, 410);
    // What he asked himself is his; what she asked is theirs.
    let hers = ask(&mut lucia, &server, "access", "").await;
    assert_eq!(hers.status, 303, "{}", hers.text);
    let tenant = "hv".parse().unwrap();
    let found = server.app.requests().of_client(&tenant, MATEO).unwrap();
    let requester = found[0].requester.clone().unwrap();
    assert_eq!((requester.kind.as_str(), requester.id.as_deref()), ("proxy", Some(LUCIA)));
    let own = Asked {
        client: MATEO.into(),
        matter: Matter::Restriction,
        regime: None,
        requester: Requester { kind: "client".into(), id: Some(MATEO.into()), name: None },
        received: None,
        channel: "letter".into(),
        proof: None,
        scope: Scope::default(),
        entry: None,
        statement: Some("Not to my mother".into()),
    };
    let own = server.app.requests().open(&tenant, own).unwrap().id;
    let list = lucia.get(&url(&server, "/portal/requests")).await;
    assert!(!list.text.contains(&own) && list.text.contains(&found[0].id));

    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/guardian/client.ndjson");
    let mut client: Value =
        serde_json::from_str(std::fs::read_to_string(fixture).unwrap().lines().next().unwrap())
            .unwrap();
    client["version"] = json!(99);
    client["data"]["birth_date"] = json!("2008-01-01");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.ndjson");
    std::fs::write(&path, format!("{client}\n")).unwrap();
    server.app.take_in(&[path]).unwrap();
    let page = lucia.get(&url(&server, "/portal")).await;
    assert!(page.text.contains("no record here for you"), "{}", page.text);
    assert!(!page.text.contains("Mateo"), "not even the name");
    let record = server.patient(MATEO);
    for path in ["/portal", "/portal/plan", "/portal/requests", "/portal/consents"] {
        let page = lucia.get(&url(&server, &format!("{path}?record={record}"))).await;
        assert_eq!(page.status, 410, "{path}");
    }
}

#[tokio::test]
async fn who_has_looked_is_told_in_words_and_the_portal_tells_of_itself() {
    let server = demo_practice();
    let patient = server.patient(ELLIE);
    let read = server.get(&format!("Encounter?patient={patient}")).await;
    assert_eq!(read.status, 200);
    let (mut ellie, _) = at_the_portal(&server, ELLIE).await;
    let told = events(&server, ELLIE);
    let visit = told.iter().find(|event| event.action == Action::Portal).unwrap();
    assert_eq!(visit.who.user.as_deref(), Some(format!("Patient/{patient}").as_str()));
    assert!(visit.shown.iter().any(|shown| shown.resource_type == "Encounter"), "{visit:?}");
    let page = ellie.get(&url(&server, "/portal/seen")).await;
    assert!(page.text.contains("A system of the practice"), "{}", page.text);
    assert!(page.text.contains("Sessions that took place"), "{}", page.text);
    let own = ellie.get(&url(&server, "/portal/seen?own=1")).await;
    assert!(own.text.contains("<bdi>you</bdi>"), "{}", own.text);
    assert!(!page.text.contains("<bdi>you</bdi>"));
}

#[tokio::test]
async fn staff_have_no_record_here_and_strangers_are_sent_to_sign_in() {
    let server = demo_practice();
    let (_, page) = at_the_portal(&server, JOEL).await;
    assert!(page.text.contains("no record here for you"), "{}", page.text);
    for path in ["/portal", "/portal/seen", "/portal/requests/x", "/portal/notes/x"] {
        let page = Visitor::new().get(&url(&server, path)).await;
        assert_eq!(page.status, 303, "{path}");
        assert!(page.location().starts_with("/auth/login?return=%2Fportal"), "{}", page.location());
    }
}
