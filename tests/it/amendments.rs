//! Corrections, from the entry over the desk into the record, and to those who have it as it was; and
//! what goes along with an entry that is not corrected.

use serde_json::{Value, json};
use throughline::audit::{Action, Actor, Event};
use throughline::clock::{Clock, SystemClock};
use throughline::domain::{FhirId, Kind};

use crate::record_copy::{
    KARIN, asked, files, note, office, ready, signed_in, take_in, taken, url,
};
use crate::support::desk::resources;
use crate::support::people::{ADA, ELLIE, LUCIA, MARISOL};
use crate::support::server::Server;
use crate::support::visitor::{Visitor, absolute};

/// The entry that is wrong.
const ENTRY: &str = "note_a1";

fn with_entry() -> Server {
    let server = office();
    take_in(&server, &[note(ENTRY, 1, ELLIE, "Drinks every day.", &json!({}))]);
    server
}

fn document(server: &Server, note: &str) -> FhirId {
    server.app.keys().id_key().tenant(&"hv".parse().unwrap()).id(Kind::SessionNote, note)
}

/// Asks for a correction from the page of an entry; answers the request's id.
async fn asks(server: &Server, ellie: &mut Visitor) -> String {
    let page = ellie.get(&url(server, &format!("/portal/notes/{}", document(server, ENTRY)))).await;
    let link = page.text.split("href=\"/portal/ask?").nth(1).unwrap().split('"').next().unwrap();
    let link = format!("/portal/ask?{}", link.replace("&amp;", "&"));
    let form = ellie.get(&url(server, &link)).await;
    assert!(form.text.contains("About this entry: Progress note"), "{}", form.text);
    let (csrf, record) = (form.token("/portal/ask"), form.field("record"));
    let entry = form.field("entry");
    let fields = [
        ("csrf", &*csrf),
        ("record", &record),
        ("type", "amendment"),
        ("entry", &entry),
        ("statement", "ZZASKED I do not drink."),
    ];
    let sent = ellie.post(&url(server, "/portal/ask"), &fields).await;
    let id = sent.location().split("/portal/requests/").nth(1).unwrap();
    id.split('?').next().unwrap().to_owned()
}

/// Takes a step at the desk; answers the page that follows.
async fn step(server: &Server, karin: &mut Visitor, id: &str, fields: &[(&str, &str)]) -> String {
    let page = karin.get(&url(server, &format!("/staff/requests/{id}"))).await;
    let csrf = page.token("/staff/requests");
    let mut all = vec![("csrf", csrf.as_str()), ("request", id)];
    all.extend(fields);
    let sent = karin.post(&url(server, "/staff/requests"), &all).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    karin.get(&absolute(&sent.url, sent.location())).await.text
}

/// The privacy officer refuses what was asked.
async fn denied(server: &Server, id: &str) {
    let mut karin = signed_in(server, KARIN).await;
    step(server, &mut karin, id, &[("step", "review_started")]).await;
    let deny = [("step", "deny"), ("ground", "accurate"), ("reason", "It was said so.")];
    step(server, &mut karin, id, &deny).await;
}

/// Says something about the answer in the portal.
async fn says(server: &Server, ellie: &mut Visitor, id: &str, fields: &[(&str, &str)]) -> String {
    let page = ellie.get(&url(server, &format!("/portal/requests/{id}"))).await;
    let (csrf, record) = (page.token("/portal/requests"), page.field("record"));
    let mut all = vec![("csrf", csrf.as_str()), ("record", &record), ("request", id)];
    all.extend(fields);
    let sent = ellie.post(&url(server, "/portal/requests"), &all).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    ellie.get(&absolute(&sent.url, sent.location())).await.text
}

/// A connected practice has read the entry.
async fn was_read(server: &Server, client: &str) {
    let actor = Actor {
        subject: client.to_owned(),
        client: Some(client.to_owned()),
        purpose: Some("TREAT".to_owned()),
        ..Actor::default()
    };
    let tenant = "hv".parse().unwrap();
    let mut event = Event::new(Action::Read, SystemClock.now(), Some(&tenant), actor);
    let patient = server.patient(ELLIE);
    event.show("DocumentReference", &document(server, ENTRY), "1", Some(&patient));
    server.app.audit().record(event).await.unwrap();
}

/// The documents that are appended to the entry.
fn appended(server: &Server) -> Vec<Value> {
    let target = format!("DocumentReference/{}", document(server, ENTRY));
    let all = resources(server.app.store(), &["hv"]);
    let documents = all.iter().filter(|(name, _)| name.contains(" DocumentReference/"));
    let parsed = documents.map(|(_, body)| serde_json::from_str::<Value>(body).unwrap());
    parsed.filter(|one| one["relatesTo"][0]["target"]["reference"] == json!(target)).collect()
}

#[tokio::test]
async fn a_correction_that_is_granted_is_appended_to_the_entry_and_told_to_those_who_have_it() {
    let server = with_entry();
    was_read(&server, "ehr-frfm").await;
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asks(&server, &mut ellie).await;
    let mut karin = signed_in(&server, KARIN).await;
    step(&server, &mut karin, &id, &[("step", "review_started")]).await;
    let silent = step(&server, &mut karin, &id, &[("step", "approve"), ("entry", ENTRY)]).await;
    assert!(silent.contains("The step was not taken"), "a correction says what: {silent}");
    let other = [("step", "approve"), ("entry", "note_none"), ("text", "x")];
    let other = step(&server, &mut karin, &id, &other).await;
    assert!(other.contains("The step was not taken"), "{other}");
    assert!(appended(&server).is_empty());
    let grant = [("step", "approve"), ("entry", ENTRY), ("text", "ZZTEXT Does not drink.")];
    step(&server, &mut karin, &id, &grant).await;

    let found = appended(&server);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["relatesTo"][0]["code"], "appends");
    assert!(found[0]["description"].as_str().unwrap().starts_with("Correction of: Progress note"));
    let page = url(&server, &format!("/portal/notes/{}", found[0]["id"].as_str().unwrap()));
    let text = ellie.get(&page).await.text;
    assert!(text.contains("ZZTEXT Does not drink.") && text.contains("ZZASKED"), "{text}");

    // Who has it is shown to the client, who says whom to tell.
    let page = ellie.get(&url(&server, &format!("/portal/requests/{id}"))).await.text;
    assert!(page.contains("Front Range Family Medicine") && page.contains("ZZTEXT"), "{page}");
    let early = step(&server, &mut karin, &id, &[("step", "notify")]).await;
    assert!(early.contains("The step was not taken"), "nobody waits yet: {early}");
    let agree =
        [("step", "agree"), ("tell", "ehr-frfm"), ("tell", "nobody"), ("others", "Dr. Lee, Yuma")];
    let page = says(&server, &mut ellie, &id, &agree).await;
    assert_eq!(page.matches("not told yet").count(), 2, "{page}");
    let early = step(&server, &mut karin, &id, &[("step", "fulfil")]).await;
    assert!(early.contains("The step was not taken"), "they are told first: {early}");
    let page = karin.get(&url(&server, &format!("/staff/requests/{id}"))).await.text;
    for said in ["To Front Range Family Medicine,", "record of Ellie Marsh", "To Dr. Lee, Yuma,"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    step(&server, &mut karin, &id, &[("step", "notify")]).await;
    step(&server, &mut karin, &id, &[("step", "fulfil")]).await;
    let page = ellie.get(&url(&server, &format!("/portal/requests/{id}"))).await.text;
    assert!(page.contains("told on") && page.contains("Nothing more is due"), "{page}");
    assert!(!page.contains("To Dr. Lee, Yuma,"), "that letter is not theirs: {page}");
}

#[tokio::test]
async fn a_disagreement_goes_along_with_the_entry_and_so_does_the_answer_to_it() {
    let server = with_entry();
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asks(&server, &mut ellie).await;
    let mut karin = signed_in(&server, KARIN).await;
    step(&server, &mut karin, &id, &[("step", "review_started")]).await;
    let early = [("step", "disagree"), ("reason", "ZZEARLY")];
    says(&server, &mut ellie, &id, &early).await;
    let deny = [("step", "deny"), ("ground", "accurate"), ("reason", "ZZWHY It was said so.")];
    step(&server, &mut karin, &id, &deny).await;
    assert!(appended(&server).is_empty(), "a refusal alone is not appended");
    let page = says(&server, &mut ellie, &id, &[("step", "disagree"), ("reason", " ")]).await;
    assert!(page.contains("Nothing was sent"), "{page}");
    let script = "ZZDISAGREE <script>alert(1)</script>";
    let page = says(&server, &mut ellie, &id, &[("step", "disagree"), ("reason", script)]).await;
    assert!(page.contains("ZZDISAGREE &lt;script&gt;") && !page.contains(script), "{page}");
    assert!(!page.contains("action=\"/portal/requests\""), "for once: {page}");
    let rebut = [("step", "rebut"), ("reason", "ZZREBUT We stay with it.")];
    step(&server, &mut karin, &id, &rebut).await;
    let page = ellie.get(&url(&server, &format!("/portal/requests/{id}"))).await.text;
    assert!(page.contains("ZZREBUT"), "they have a copy of it: {page}");
    assert_eq!(appended(&server).len(), 1);

    // Whoever has a copy from now on has all of it.
    let copy = asked(&server, &mut ellie).await;
    ready(&server, &mut ellie, &copy).await;
    let found = files(&taken(&server, &mut ellie, &copy, "").await);
    let bundle = &found.iter().find(|(name, _)| name == "bundle.json").unwrap().1;
    for said in ["ZZASKED", "ZZWHY", "ZZDISAGREE", "ZZREBUT", "Disagreement about: Progress note"] {
        assert!(bundle.contains(said), "{said}");
    }
    assert!(!bundle.contains("ZZEARLY"));
}

#[tokio::test]
async fn what_is_appended_to_an_entry_is_seen_by_whom_the_entry_is_seen() {
    let server = with_entry();
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asks(&server, &mut ellie).await;
    denied(&server, &id).await;
    says(&server, &mut ellie, &id, &[("step", "enclose")]).await;
    let found = appended(&server);
    let page = url(&server, &format!("/portal/notes/{}", found[0]["id"].as_str().unwrap()));
    assert_eq!(ellie.get(&page).await.status, 200);
    let withheld =
        json!({ "visibility": { "client": "withheld", "reason_code": "endangers_life" } });
    take_in(&server, &[note(ENTRY, 2, ELLIE, "Drinks every day.", &withheld)]);
    assert_eq!(ellie.get(&page).await.status, 410, "the entry is withheld, and so is this");
    let open = json!({ "visibility": { "client": "full" } });
    take_in(&server, &[note(ENTRY, 3, ELLIE, "Drinks every day.", &open)]);
    assert_eq!(ellie.get(&page).await.status, 200);
}

#[tokio::test]
async fn nobody_asks_about_the_entry_of_another_or_answers_their_request() {
    let server = with_entry();
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asks(&server, &mut ellie).await;
    denied(&server, &id).await;
    for account in [ADA, LUCIA] {
        let mut other = signed_in(&server, account).await;
        let link = format!("/portal/ask?type=amendment&entry={}", document(&server, ENTRY));
        assert_eq!(other.get(&url(&server, &link)).await.status, 410, "{account}");
        let form = other.get(&url(&server, "/portal/ask?type=amendment")).await;
        let (csrf, record) = (form.token("/portal/ask"), form.field("record"));
        let entry = document(&server, ENTRY).to_string();
        let fields = [
            ("csrf", &*csrf),
            ("record", &record),
            ("type", "amendment"),
            ("entry", &entry),
            ("statement", "x"),
        ];
        let sent = other.post(&url(&server, "/portal/ask"), &fields).await;
        assert_eq!(sent.status, 410, "{account}");
        // Their own form's token opens nobody else's request.
        let mine = asked(&server, &mut other).await;
        let page = other.get(&url(&server, &format!("/portal/requests/{mine}"))).await;
        if page.text.contains("action=\"/portal/requests\"") {
            let (csrf, record) = (page.token("/portal/requests"), page.field("record"));
            for words in ["disagree", "enclose", "agree", "withdraw"] {
                let fields = [
                    ("csrf", &*csrf),
                    ("record", &record),
                    ("request", &id),
                    ("step", words),
                    ("reason", "x"),
                ];
                let sent = other.post(&url(&server, "/portal/requests"), &fields).await;
                assert_eq!(sent.status, 410, "{account}: {words}");
            }
        }
    }
    let mut marisol = signed_in(&server, MARISOL).await;
    let page = marisol.get(&url(&server, &format!("/staff/requests/{id}"))).await;
    assert!(!page.text.contains("name=\"step\""), "she treats, and answers nothing: {}", page.text);
    let kept = server.app.requests().request(&"hv".parse().unwrap(), &id).unwrap().unwrap();
    assert!(kept.disagreement.is_none() && kept.told.is_empty());
}
