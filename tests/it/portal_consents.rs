//! Consents at the portal: given, changed and taken back by people, who see before what it changes.

use serde_json::Value;

use crate::support::people::{ADA, ELLIE, JOEL, LUCIA, MATEO, demo_practice};
use crate::support::server::Server;
use crate::support::visitor::{Seen, Visitor, absolute};

fn url(server: &Server, path: &str) -> String {
    format!("{}{path}", server.origin())
}

async fn at_the_portal(server: &Server, account: &str) -> Visitor {
    let mut visitor = Visitor::new();
    let page = visitor.begin(&url(server, "/portal"), account).await;
    assert_eq!(page.status, 200, "{}", page.text);
    visitor
}

/// What the connected practice of doctors sees of a client's record: `Type`, sorted.
async fn seen(server: &Server, client: &str) -> Vec<String> {
    let patient = format!("Patient/{}", server.patient(client));
    let found = server.all_of(&server.of_recipient()).await;
    let is_theirs = |one: &Value| one["subject"]["reference"] == patient.as_str();
    let of_client = found.iter().filter(|(key, one)| **key == patient || is_theirs(one));
    of_client.map(|(key, _)| key.split('/').next().unwrap().to_owned()).collect()
}

/// Fills in the form as far as the preview.
async fn plan(
    visitor: &mut Visitor,
    server: &Server,
    form: &str,
    kinds: &[&str],
    until: &str,
) -> Seen {
    let form = visitor.get(&url(server, form)).await;
    let (csrf, record) = (form.token("/portal/consents/plan"), form.field("record"));
    let mut fields =
        vec![("csrf", csrf.as_str()), ("record", &record), ("to", "ehr-frfm"), ("until", until)];
    let consent = form.text.contains("name=\"consent\"").then(|| form.field("consent"));
    fields.extend(consent.iter().map(|id| ("consent", id.as_str())));
    fields.extend(kinds.iter().map(|kind| ("kind", *kind)));
    visitor.post(&url(server, "/portal/consents/plan"), &fields).await
}

/// Signs what a preview shows.
async fn sign(visitor: &mut Visitor, server: &Server, page: &Seen, kinds: &[&str]) -> Seen {
    let (csrf, record) = (page.token("/portal/consents/sign"), page.field("record"));
    let until = page.field("until");
    let mut fields =
        vec![("csrf", csrf.as_str()), ("record", &record), ("to", "ehr-frfm"), ("until", &until)];
    let changed = page
        .text
        .contains("name=\"consent\"")
        .then(|| (page.field("consent"), page.field("version")));
    fields.extend(
        changed.iter().flat_map(|(id, version)| [("consent", id.as_str()), ("version", version)]),
    );
    fields.extend(kinds.iter().map(|kind| ("kind", *kind)));
    let sent = visitor.post(&url(server, "/portal/consents/sign"), &fields).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    visitor.get(&absolute(&sent.url, sent.location())).await
}

/// The addresses of the links whose text this is.
fn links(page: &Seen, text: &str) -> Vec<String> {
    let all = page.text.split("<a ").skip(1).filter_map(|link| {
        let (tag, rest) = link.split_once('>')?;
        let href = tag.split("href=\"").nth(1)?.split('"').next()?;
        (rest.split("</a>").next()? == text).then(|| href.replace("&amp;", "&"))
    });
    all.collect()
}

const LATER: &str = "2027-06-01";

#[tokio::test]
async fn a_client_signs_after_seeing_what_it_changes_and_takes_it_back() {
    let server = demo_practice();
    let before = seen(&server, ADA).await;
    let mut ada = at_the_portal(&server, ADA).await;
    let kinds = ["Patient", "Communication"];
    let page = plan(&mut ada, &server, "/portal/consents/give", &kinds, LATER).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("Nothing has changed yet"), "{}", page.text);
    assert!(
        page.text.contains("Messages with the therapist") && page.text.contains("42 CFR Part 2")
    );
    assert_eq!(seen(&server, ADA).await, before, "a preview changes nothing");
    let list = sign(&mut ada, &server, &page, &kinds).await;
    assert!(
        list.text.contains("It is signed") && list.text.contains("Front Range Family Medicine")
    );
    let now = seen(&server, ADA).await;
    assert!(now.contains(&"Communication".to_owned()), "{before:?} {now:?}");
    // Changed: what is left out is seen no more.
    let change = links(&list, "Change").remove(0);
    let page = plan(&mut ada, &server, &change, &["Condition"], LATER).await;
    assert!(
        page.text.contains("Messages with the therapist"),
        "it is told what ends: {}",
        page.text
    );
    let list = sign(&mut ada, &server, &page, &["Condition"]).await;
    assert!(list.text.contains("It is signed"), "{}", list.text);
    assert!(!seen(&server, ADA).await.contains(&"Communication".to_owned()));
    // Taken back: everything is as before.
    let end = links(&list, "Take back").remove(0);
    let page = ada.get(&url(&server, &end)).await;
    assert!(page.text.contains("stays with them"), "{}", page.text);
    let (csrf, record) = (page.token("/portal/consents/end"), page.field("record"));
    let consent = page.field("consent");
    let fields = [("csrf", csrf.as_str()), ("record", &record), ("consent", &consent)];
    let sent = ada.post(&url(&server, "/portal/consents/end"), &fields).await;
    assert_eq!(sent.status, 303);
    let list = ada.get(&absolute(&sent.url, sent.location())).await;
    assert!(list.text.contains("It is taken back"), "{}", list.text);
    assert_eq!(seen(&server, ADA).await, before);
    let event = server.get("AuditEvent?subtype=consent-signed&_count=10").await;
    assert_eq!(event.ids().len(), 3, "each signature is an event");
}

#[tokio::test]
async fn what_is_missing_is_asked_again_and_nothing_is_signed_for_another() {
    let server = demo_practice();
    let mut ellie = at_the_portal(&server, ELLIE).await;
    for (kinds, until) in [
        (&[][..], LATER),
        (&["Condition"][..], ""),
        (&["Condition"], "2020-01-01"),
        (&["Condition"], "2399-01-01"),
        (&["Binary"], LATER),
    ] {
        let page = plan(&mut ellie, &server, "/portal/consents/give", kinds, until).await;
        assert!(page.text.contains("Something is missing"), "{kinds:?} {until}");
    }
    let form = ellie.get(&url(&server, "/portal/consents/give")).await;
    let ada = server.patient(ADA).to_string();
    let forged = [
        ("csrf", form.token("/portal/consents/plan")),
        ("record", ada.clone()),
        ("to", "ehr-frfm".to_owned()),
        ("kind", "Condition".to_owned()),
        ("until", LATER.to_owned()),
    ];
    let fields: Vec<(&str, &str)> =
        forged.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let refused = ellie.post(&url(&server, "/portal/consents/sign"), &fields).await;
    assert_ne!(refused.status, 303, "another form's token, another's record");
    let refused = ellie.post(&url(&server, "/portal/consents/plan"), &fields).await;
    assert_eq!(refused.status, 410, "another's record looks like none");
    let other = ellie
        .get(&url(&server, "/portal/consents/give?consent=00000000000000000000000000000000"))
        .await;
    assert_eq!(other.status, 410);
    let mut joel = at_the_portal_as_staff(&server).await;
    let page = joel.get(&url(&server, "/portal/consents/give")).await;
    assert!(!page.text.contains("/portal/consents/plan"), "staff sign for nobody");
}

async fn at_the_portal_as_staff(server: &Server) -> Visitor {
    let mut visitor = Visitor::new();
    visitor.begin(&url(server, "/portal"), JOEL).await;
    visitor
}

#[tokio::test]
async fn a_mother_signs_for_her_child_and_it_says_so() {
    let server = demo_practice();
    let mut lucia = at_the_portal(&server, LUCIA).await;
    let kinds = ["Patient", "Encounter"];
    let page = plan(&mut lucia, &server, "/portal/consents/give", &kinds, LATER).await;
    let list = sign(&mut lucia, &server, &page, &kinds).await;
    assert!(list.text.contains("It is signed"), "{}", list.text);
    let found = server.get(&format!("Consent?patient={}", server.patient(MATEO))).await.json();
    let text = found.to_string();
    assert!(text.contains("RelatedPerson/"), "{text}");
}
