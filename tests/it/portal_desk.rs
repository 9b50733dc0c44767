//! The practice's desk: who is let in, what they see, and what they can do there.

use jiff::SignedDuration;
use throughline::audit::emergencies::emergencies;
use throughline::audit::{self, Action, Actor, Event, Question};
use throughline::clock::{Clock as _, SystemClock};
use throughline::config::{DemoAccount, LoginSettings, Part};
use throughline::domain::Kind;
use throughline::policy::AuditPermit;

use crate::support::people::{BACK, ELLIE, JOEL, MARISOL, MATEO, PRACTICE, practice};
use crate::support::server::Server;
use crate::support::visitor::{Visitor, absolute};

/// The privacy officer.
const KARIN: &str = "st_1";

fn office() -> Server {
    let accounts =
        [(Part::Client, ELLIE), (Part::Staff, MARISOL), (Part::Staff, JOEL), (Part::Staff, KARIN)];
    let account = |(part, record): (Part, &str)| DemoAccount { part, record: record.to_owned() };
    let accounts = accounts.map(account).into();
    practice(LoginSettings::of_demo("hv", PRACTICE, accounts), BACK, &[])
}

fn url(server: &Server, path: &str) -> String {
    format!("{}{path}", server.origin())
}

async fn signed_in(server: &Server, account: &str) -> Visitor {
    let mut visitor = Visitor::new();
    visitor.begin(&url(server, "/auth/apps"), account).await;
    visitor
}

/// Ellie asks for a correction; answers the request's id.
async fn asked(server: &Server, ellie: &mut Visitor) -> String {
    let form = ellie.get(&url(server, "/portal/ask?type=amendment")).await;
    let (csrf, record) = (form.token("/portal/ask"), form.field("record"));
    let fields = [
        ("csrf", csrf.as_str()),
        ("record", &record),
        ("type", "amendment"),
        ("statement", "<b>All</b> of it"),
    ];
    let sent = ellie.post(&url(server, "/portal/ask"), &fields).await;
    ellie.get(&absolute(&sent.url, sent.location())).await.field("request")
}

#[tokio::test]
async fn the_privacy_officer_works_from_the_list_and_the_client_is_told() {
    let server = office();
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asked(&server, &mut ellie).await;
    let mut karin = signed_in(&server, KARIN).await;
    let list = karin.get(&url(&server, "/staff")).await;
    assert_eq!(list.status, 200, "{}", list.text);
    assert!(list.text.contains("Ellie Marsh") && list.text.contains("days left"), "{}", list.text);
    let place = url(&server, &format!("/staff/requests/{id}"));
    let page = karin.get(&place).await;
    assert!(page.text.contains("&lt;b&gt;All&lt;/b&gt; of it"), "{}", page.text);
    let csrf = page.token("/staff/requests");
    let act = async |karin: &mut Visitor, step: &str, reason: &str, until: &str| {
        let fields = [
            ("csrf", csrf.as_str()),
            ("request", &id),
            ("step", step),
            ("reason", reason),
            ("until", until),
        ];
        let sent = karin.post(&url(&server, "/staff/requests"), &fields).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        karin.get(&absolute(&sent.url, sent.location())).await.text
    };
    assert!(act(&mut karin, "review_started", "", "").await.contains("In review"));
    let silent = act(&mut karin, "deny", "  ", "").await;
    assert!(silent.contains("The step was not taken"), "a denial says why: {silent}");
    let groundless = act(&mut karin, "deny", "It is <i>about</i> another.", "").await;
    assert!(groundless.contains("The step was not taken"), "and on which ground: {groundless}");
    let page = karin.get(&place).await;
    let csrf = page.token("/staff/requests");
    let fields = [
        ("csrf", csrf.as_str()),
        ("request", &id),
        ("step", "deny"),
        ("ground", "accurate"),
        ("reason", "It is <i>about</i> another."),
    ];
    let sent = karin.post(&url(&server, "/staff/requests"), &fields).await;
    let denied = karin.get(&absolute(&sent.url, sent.location())).await.text;
    assert!(denied.contains("Denied"), "{denied}");
    let told = ellie.get(&url(&server, &format!("/portal/requests/{id}"))).await;
    assert!(told.text.contains("Denied"), "{}", told.text);
    assert!(told.text.contains("It is &lt;i&gt;about&lt;/i&gt; another."), "{}", told.text);
    assert!(told.text.contains("45 CFR 164.526(a)(2)(iv)"), "{}", told.text);
    assert!(told.text.contains("Your statement of disagreement"), "{}", told.text);
    assert!(!told.text.contains("Ask for a review"), "that is for copies: {}", told.text);

    let permit = AuditPermit::operator("hv".parse().unwrap());
    let question =
        Question { patient: Some(server.patient(ELLIE)), count: 100, ..Question::default() };
    let events = audit::search(&**server.app.audit().ledger(), &permit, &question).unwrap().events;
    let by_karin = events.iter().filter(|event| {
        event.who.user.as_deref().is_some_and(|user| user.starts_with("Practitioner/"))
    });
    let deeds: Vec<_> = by_karin.map(|event| event.action).collect();
    assert!(deeds.contains(&Action::Desk) && deeds.contains(&Action::RequestChanged), "{deeds:?}");
}

#[tokio::test]
async fn nobody_else_is_let_in_and_no_form_of_another_site_is_taken() {
    let server = office();
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asked(&server, &mut ellie).await;
    let mut marisol = signed_in(&server, MARISOL).await;
    let mut joel = signed_in(&server, JOEL).await;
    let case = format!("/staff/requests/{id}");
    for path in ["/staff", &case] {
        assert_eq!(Visitor::new().get(&url(&server, path)).await.status, 303, "{path}");
        let page = ellie.get(&url(&server, path)).await;
        assert_eq!(page.status, 403, "{path}");
        assert!(!page.text.contains("Ellie Marsh:"), "{}", page.text);
    }
    // Who treats the client sees the request, and moves nothing on; who does not, sees nothing.
    let seen = marisol.get(&url(&server, &case)).await;
    assert!(seen.status == 200 && !seen.text.contains("name=\"step\""), "{}", seen.text);
    assert!(!joel.get(&url(&server, "/staff")).await.text.contains("Ellie"));
    assert_eq!(joel.get(&url(&server, &case)).await.status, 410);
    let mut karin = signed_in(&server, KARIN).await;
    assert_eq!(karin.get(&url(&server, "/staff/requests/tlr-none")).await.status, 410);
    for csrf in ["", "x"] {
        let fields = [("csrf", csrf), ("request", id.as_str()), ("step", "withdraw")];
        assert_eq!(karin.post(&url(&server, "/staff/requests"), &fields).await.status, 403);
    }
    let kept = server.app.requests().request(&"hv".parse().unwrap(), &id).unwrap().unwrap();
    assert_eq!(kept.version, 1, "nothing was changed");
}

/// A use of emergency access by a member of staff, so many days ago.
async fn broken(server: &Server, staff: &str, client: &str, days: i64) -> String {
    let tenant = "hv".parse().unwrap();
    let user = format!(
        "Practitioner/{}",
        server.app.keys().id_key().tenant(&tenant).id(Kind::Staff, staff)
    );
    let actor = Actor {
        subject: "s".into(),
        user: Some(user),
        purpose: Some("BTG".into()),
        ..Actor::default()
    };
    let at = SystemClock.now() - SignedDuration::from_hours(24 * days);
    let mut event = Event::new(Action::BreakGlass, at, Some(&tenant), actor);
    event.about(&server.patient(client));
    event.note("reason", format!("<b>Crisis</b> {staff} {client}"));
    let id = event.id.clone();
    server.app.audit().record(event).await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn each_emergency_is_reviewed_at_the_desk_by_somebody_else() {
    let server = office();
    let late = broken(&server, JOEL, ELLIE, 30).await;
    let fresh = broken(&server, MARISOL, MATEO, 0).await;
    let own = broken(&server, KARIN, ELLIE, 0).await;
    let mut karin = signed_in(&server, KARIN).await;
    let place = url(&server, "/staff/emergencies");
    let page = karin.get(&place).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let text = &page.text;
    assert!(text.contains("&lt;b&gt;Crisis&lt;/b&gt; st_3"), "{text}");
    assert!(text.contains("Ellie Marsh") && text.contains("Joel"), "{text}");
    assert!(text.contains("Overdue: to be reviewed by"), "{text}");
    let first = |id: &str| text.find(&format!("id=\"{id}\"")).unwrap();
    assert!(first(&late) < first(&fresh), "what is overdue comes first");
    assert!(text.contains("Somebody else reviews this"), "{text}");
    assert!(!text.contains(&format!("value=\"{own}\"")), "nobody judges themself: {text}");
    let csrf = page.token("/staff/emergencies");
    let judge = async |who: &mut Visitor, id: &str, verdict: &str, words: &str| {
        let fields = [("csrf", csrf.as_str()), ("use", id), ("verdict", verdict), ("words", words)];
        let sent = who.post(&place, &fields).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        who.get(&absolute(&sent.url, sent.location())).await.text
    };
    let wrong = "Nothing was written down";
    for (id, verdict, words) in [
        (&late, "justified", "  "),
        (&late, "perhaps", "I looked"),
        (&own, "justified", "It was me"),
        (&"none".to_owned(), "justified", "I looked"),
    ] {
        let refused = judge(&mut karin, id, verdict, words).await;
        assert!(refused.contains(wrong), "{id} {verdict} {words:?}: {refused}");
    }
    let done = judge(&mut karin, &late, "unjustified", "No <i>need</i> was found").await;
    assert!(done.contains("No &lt;i&gt;need&lt;/i&gt; was found"), "{done}");
    assert!(done.contains("Not justified") && !done.contains("Overdue"), "{done}");
    let again = judge(&mut karin, &late, "justified", "On second thought").await;
    assert!(again.contains(wrong), "one verdict at the desk: {again}");
    assert!(
        judge(&mut karin, &fresh, "justified", "She was in danger").await.contains("Justified")
    );
    let permit = AuditPermit::operator("hv".parse().unwrap());
    let uses = emergencies(&**server.app.audit().ledger(), &permit, 3).unwrap();
    let of = |id: &str| uses.iter().find(|one| one.id == id).unwrap().review.clone();
    assert!(!of(&late).unwrap().is_justified && of(&fresh).unwrap().is_justified);
    assert!(of(&own).is_none());
    for account in [JOEL, MARISOL, ELLIE] {
        let mut other = signed_in(&server, account).await;
        assert_eq!(other.get(&place).await.status, 403, "{account}");
    }
    assert_eq!(Visitor::new().get(&place).await.status, 303);
}
