//! What somebody may try with requests and copies, and what comes of it: late, stale, and as somebody
//! else.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use throughline::clock::Clock;
use throughline::config::LoginSettings;

use crate::record_copy::{KARIN, accounts, asked, ready, signed_in, takes, url};
use crate::support::people::{ADA, BACK, ELLIE, LUCIA, MARISOL, PRACTICE, practice_at_clock};
use crate::support::server::Server;
use crate::support::visitor::{Seen, Visitor, absolute};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// A clock that goes on from a moment, and can be moved on.
struct Hands {
    ahead: AtomicI64,
}

impl Hands {
    fn forward(&self, milliseconds: i64) {
        self.ahead.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        let now = throughline::clock::SystemClock.now().as_millisecond();
        Timestamp::from_millisecond(now + self.ahead.load(Ordering::SeqCst)).unwrap()
    }
}

fn office() -> (Server, Arc<Hands>) {
    let clock = Arc::new(Hands { ahead: AtomicI64::new(0) });
    let login = LoginSettings::of_demo("hv", PRACTICE, accounts());
    (practice_at_clock(login, BACK, &[], Arc::clone(&clock) as _), clock)
}

#[tokio::test]
async fn a_copy_is_not_given_on_a_stale_sign_in_nor_after_its_time() {
    let (server, clock) = office();
    let mut ellie = signed_in(&server, ELLIE).await;
    let id = asked(&server, &mut ellie).await;
    ready(&server, &mut ellie, &id).await;
    let place = url(&server, &format!("/portal/requests/{id}"));
    let page = ellie.get(&place).await;
    clock.forward(11 * MINUTE);
    let stale = takes(&server, &mut ellie, &page, &id, &[]).await;
    assert_eq!(stale.status, 303, "{}", stale.text);
    assert!(stale.location().starts_with("/auth/login"), "{}", stale.location());
    let login = ellie.follow(&absolute(&stale.url, stale.location())).await;
    ellie.sign_in(&login, ELLIE).await;
    let page = ellie.get(&place).await;
    assert_eq!(
        takes(&server, &mut ellie, &page, &id, &[]).await.header("content-type"),
        "application/zip"
    );

    clock.forward(31 * DAY);
    let mut later = signed_in(&server, ELLIE).await;
    let over = later.get(&place).await;
    assert!(over.text.contains("The copy was deleted"), "{}", over.text);
    assert!(!over.text.contains("action=\"/portal/copy\""), "{}", over.text);
    // With a form of another request that has a copy.
    let other = asked(&server, &mut later).await;
    ready(&server, &mut later, &other).await;
    let page = later.get(&url(&server, &format!("/portal/requests/{other}"))).await;
    assert_eq!(takes(&server, &mut later, &page, &id, &[]).await.status, 410);
    assert_eq!(takes(&server, &mut later, &page, &other, &[]).await.status, 200);
}

#[tokio::test]
async fn once_a_child_may_decide_alone_a_parents_request_is_none_of_theirs() {
    let (server, clock) = office();
    let now = clock.now();
    // In Colorado a child may decide alone from twelve on; this one is twelve on 14 May 2028, and the
    // mother acts until that midnight.
    let eve: Timestamp = "2028-05-13T12:00:00-06:00".parse().unwrap();
    clock.forward(eve.as_millisecond() - now.as_millisecond());
    let mut lucia = signed_in(&server, LUCIA).await;
    let id = asked(&server, &mut lucia).await;
    ready(&server, &mut lucia, &id).await;
    let place = url(&server, &format!("/portal/requests/{id}"));
    let page = lucia.get(&place).await;
    assert_eq!(page.status, 200);
    clock.forward(DAY / 2 + MINUTE);
    let mut later = signed_in(&server, LUCIA).await;
    let seen = lucia.follow(&place).await;
    assert!(!seen.text.contains("Mateo"), "{}", seen.text);
    let seen = later.get(&place).await;
    assert!(seen.text.contains("There is no record here for you"), "{}", seen.text);
    assert!(!seen.text.contains("Mateo"), "{}", seen.text);
    let taken = takes(&server, &mut later, &page, &id, &[]).await;
    assert_ne!(taken.status, 200, "{}", taken.text);
    assert_ne!(taken.header("content-type"), "application/zip");
}

#[tokio::test]
async fn the_request_of_another_is_a_request_that_is_not_there_on_every_page() {
    let (server, _clock) = office();
    let mut ellie = signed_in(&server, ELLIE).await;
    let hers = asked(&server, &mut ellie).await;
    ready(&server, &mut ellie, &hers).await;
    for account in [ADA, LUCIA] {
        let mut other = signed_in(&server, account).await;
        let own = asked(&server, &mut other).await;
        ready(&server, &mut other, &own).await;
        let page = other.get(&url(&server, &format!("/portal/requests/{own}"))).await;
        let there = other.get(&url(&server, &format!("/portal/requests/{hers}"))).await;
        let nowhere = other.get(&url(&server, "/portal/requests/tlr-none")).await;
        assert_eq!((there.status, nowhere.status.as_u16()), (nowhere.status, 410), "{account}");
        let there = there.text.replace(&hers, "tlr-none");
        assert_eq!(there, nowhere.text, "nobody can tell one from the other");
        assert_eq!(takes(&server, &mut other, &page, &hers, &[]).await.status, 410, "{account}");
        let (csrf, record) = (page.token("/portal/copy"), page.field("record"));
        for path in ["/portal/requests", "/portal/copy"] {
            let fields = [("csrf", &*csrf), ("record", &record), ("request", &hers)];
            let sent = other.post(&url(&server, path), &fields).await;
            assert!(matches!(sent.status.as_u16(), 403 | 410), "{account}: {path} {}", sent.status);
        }
        for path in ["", "/entries/note_x1"] {
            let seen = other.get(&url(&server, &format!("/staff/requests/{hers}{path}"))).await;
            assert_eq!(seen.status, 403, "{account}: {path}");
        }
    }
}

/// What somebody writes who wants it run.
const SCRIPT: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";

fn is_quoted(page: &Seen, field: &str) {
    assert!(!page.text.contains("<script>") && !page.text.contains("<img"), "{field}");
    assert!(page.text.contains("&lt;script&gt;alert(1)"), "{field}: {}", page.text);
}

#[tokio::test]
async fn what_people_write_is_never_markup() {
    let (server, _clock) = office();
    let script = SCRIPT;
    let mut ellie = signed_in(&server, ELLIE).await;
    let mut karin = signed_in(&server, KARIN).await;
    let mut ids = Vec::new();
    for matter in ["amendment", "restriction", "accounting", "erasure"] {
        let form = ellie.get(&url(&server, &format!("/portal/ask?type={matter}"))).await;
        let (csrf, record) = (form.token("/portal/ask"), form.field("record"));
        let fields =
            [("csrf", &*csrf), ("record", &record), ("type", matter), ("statement", script)];
        let sent = ellie.post(&url(&server, "/portal/ask"), &fields).await;
        let page = ellie.get(&absolute(&sent.url, sent.location())).await;
        is_quoted(&page, matter);
        ids.push(page.field("request"));
    }
    let id = ids.remove(0);
    let case = url(&server, &format!("/staff/requests/{id}"));
    let step = async |staff: &mut Visitor, fields: &[(&str, &str)]| {
        let csrf = staff.get(&case).await.token("/staff/requests");
        let all: Vec<_> = [("csrf", csrf.as_str()), ("request", &id)]
            .into_iter()
            .chain(fields.iter().copied())
            .collect();
        staff.post(&url(&server, "/staff/requests"), &all).await
    };
    step(&mut karin, &[("step", "review_started")]).await;
    step(&mut karin, &[("step", "extend"), ("reason", script), ("until", &until(&server))]).await;
    let part = [
        ("step", "deny_in_part"),
        ("entry", "note_101"),
        ("text", script),
        ("ground", "accurate"),
        ("reason", script),
    ];
    step(&mut karin, &part).await;
    step(&mut karin, &[("step", "agree"), ("others", script)]).await;
    step(&mut karin, &[("step", "disagree"), ("reason", script)]).await;
    step(&mut karin, &[("step", "rebut"), ("reason", script)]).await;
    let kept = server.app.requests().request(&"hv".parse().unwrap(), &id).unwrap().unwrap();
    assert!(kept.correction.is_some() && kept.disagreement.is_some() && !kept.told.is_empty());
    assert_eq!(kept.history.len(), 6, "{:?}", kept.history);
    is_quoted(&karin.get(&case).await, "at the desk");
    is_quoted(&ellie.get(&url(&server, &format!("/portal/requests/{id}"))).await, "in the portal");
    let mut marisol = signed_in(&server, MARISOL).await;
    is_quoted(&marisol.get(&case).await, "to who treats");
}

#[tokio::test]
async fn what_a_letter_says_is_never_markup() {
    let (server, _clock) = office();
    let mut karin = signed_in(&server, KARIN).await;
    let page = karin.get(&url(&server, "/staff/letters")).await;
    let csrf = page.token("/staff/letters");
    let fields = [
        ("csrf", csrf.as_str()),
        ("client", ELLIE),
        ("type", "restriction"),
        ("requester", "attorney"),
        ("name", SCRIPT),
        ("received", "2026-01-05"),
        ("channel", "letter"),
        ("statement", SCRIPT),
    ];
    let sent = karin.post(&url(&server, "/staff/letters"), &fields).await;
    is_quoted(&karin.get(&absolute(&sent.url, sent.location())).await, "a letter");
}

/// A day to which an amendment can be extended that is made now.
fn until(server: &Server) -> String {
    let tenant = "hv".parse().unwrap();
    let all = server.app.requests().all(&tenant).unwrap();
    let due = all.iter().filter_map(|request| request.due).max().unwrap();
    due.tomorrow().unwrap().to_string()
}
