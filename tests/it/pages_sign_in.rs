//! Signing in at a real OpenID provider, and what comes of it.

use serde_json::json;

use crate::record_copy::{asked, ready, takes};
use crate::support::charts::{client, next, take_in, with};
use crate::support::desk::{about, record};
use crate::support::people::{ELLIE, practice_at};
use crate::support::provider::Provider;
use crate::support::server::Server;
use crate::support::visitor::{Seen, Visitor, absolute};

/// A practice whose people sign in at a provider.
fn at_provider() -> (Server, Provider, tempfile::TempDir) {
    let mut provider = Provider::start(&json!({
        "ellie": { "client_record": ELLIE },
        "oidc|l.reyes": {},
        "oidc|m.ruiz": {},
        "oidc|g.falk": {},
        "oidc|k.lindqvist": { "client_record": ELLIE },
        "stranger": {},
    }));
    let (server, folder) = practice_at(&provider);
    provider.serve(server.origin());
    (server, provider, folder)
}

/// As far as the way back from the provider, which is not followed yet.
async fn as_far_as_back(visitor: &mut Visitor, url: &str, account: &str) -> String {
    let page = visitor.follow(url).await;
    assert!(page.text.contains("<h1>Provider</h1>"), "{}", page.text);
    let mut seen = visitor.post(&page.url, &[("account", account)]).await;
    for _ in 0..10 {
        let next = absolute(&seen.url, seen.location());
        if next.contains("/auth/login/callback") {
            return next;
        }
        seen = visitor.get(&next).await;
    }
    unreachable!("the provider sends nobody back: {}", seen.text);
}

async fn signed_in(visitor: &mut Visitor, server: &Server, account: &str) -> Seen {
    let url = format!("{}/auth/apps", server.origin());
    let back = as_far_as_back(visitor, &url, account).await;
    visitor.follow(&back).await
}

#[tokio::test]
async fn people_of_every_kind_sign_in_and_are_who_the_records_say() {
    let (server, provider, _folder) = at_provider();
    for (account, name) in [
        ("ellie", "Signed in as Ellie Marsh"),
        ("oidc|l.reyes", "Signed in as Lucía Reyes"),
        ("oidc|m.ruiz", "Signed in as Marisol Ruiz"),
    ] {
        let seen = signed_in(&mut Visitor::new(), &server, account).await;
        assert_eq!(seen.status, 200, "{}", seen.text);
        assert!(seen.text.contains(name), "{}", seen.text);
        let policy = seen.header("content-security-policy");
        assert!(policy.contains(&format!("form-action 'self' {}", provider.issuer)), "{policy}");
    }
}

#[tokio::test]
async fn a_member_of_staff_never_meets_their_own_record_at_the_desk() {
    let (server, _provider, _folder) = at_provider();
    let url = |path: &str| format!("{}{path}", server.origin());
    // The privacy officer, who is a client of the practice too.
    let mut karin = Visitor::new();
    signed_in(&mut karin, &server, "oidc|k.lindqvist").await;
    let form = karin.get(&url("/portal/ask?type=amendment")).await;
    let (csrf, record) = (form.token("/portal/ask"), form.field("record"));
    let fields =
        [("csrf", &*csrf), ("record", &record), ("type", "amendment"), ("statement", "A date.")];
    let sent = karin.post(&url("/portal/ask"), &fields).await;
    let own = sent.location().split('?').next().unwrap().to_owned();
    assert_eq!(karin.get(&url(&own)).await.status, 200, "as a client");
    let list = karin.get(&url("/staff")).await;
    assert!(list.status == 200 && list.text.contains("Nothing is open"), "{}", list.text);
    let id = own.rsplit('/').next().unwrap();
    assert_eq!(karin.get(&url(&format!("/staff/requests/{id}"))).await.status, 410);
    // A form of another request is not to be had; one without a token is not taken either.
    let fields = [("csrf", ""), ("request", id), ("step", "review_started")];
    assert_eq!(karin.post(&url("/staff/requests"), &fields).await.status, 403);
    let page = karin.get(&url("/staff/letters")).await;
    let csrf = page.token("/staff/letters");
    let fields = [
        ("csrf", csrf.as_str()),
        ("client", ELLIE),
        ("type", "access"),
        ("requester", "client"),
        ("received", "2026-01-05"),
        ("channel", "letter"),
    ];
    let sent = karin.post(&url("/staff/letters"), &fields).await;
    assert_eq!(sent.status, 403, "nor is it typed in by herself: {}", sent.text);
    let tenant = "hv".parse().unwrap();
    assert_eq!(server.app.requests().of_client(&tenant, ELLIE).unwrap().len(), 1);
    let request = server.app.requests().request(&"hv".parse().unwrap(), id).unwrap().unwrap();
    assert_eq!(request.version, 1);
}

#[tokio::test]
async fn a_record_that_is_the_same_person_by_merges_is_their_own_too() {
    // The officer's login names the record that stayed, or one that was merged into it.
    for own in [ELLIE, "cl_dup2"] {
        let mut provider =
            Provider::start(&json!({ "oidc|k.lindqvist": { "client_record": own } }));
        let (server, _folder) = practice_at(&provider);
        provider.serve(server.origin());
        let merged =
            |id: &str, into: &str| with(client(id, "Duplicate"), json!({ "merged_into": into }));
        let before = json!({
            "type": "access", "regime": "hipaa", "client_id": "cl_dup2", "status": "received",
            "requester": { "kind": "client", "id": "cl_dup2" },
            "received_at": "2026-11-01T09:00:00-07:00",
        });
        take_in(
            &server,
            &[
                client("cl_dup", "Duplicate"),
                merged("cl_dup2", "cl_dup"),
                next(merged("cl_dup", ELLIE), 2),
                about("cl_dup2", record("record_request", "rr_dup", 1, before)),
            ],
        );
        let url = |path: &str| format!("{}{path}", server.origin());
        let mut karin = Visitor::new();
        signed_in(&mut karin, &server, "oidc|k.lindqvist").await;
        assert_eq!(karin.get(&url("/staff/requests/rr_dup")).await.status, 410, "{own}");
        let list = karin.get(&url("/staff")).await;
        assert!(list.status == 200 && !list.text.contains("rr_dup"), "{own}: {}", list.text);
        let csrf = karin.get(&url("/staff/letters")).await.token("/staff/letters");
        for client in [ELLIE, "cl_dup", "cl_dup2"] {
            let fields = [
                ("csrf", csrf.as_str()),
                ("client", client),
                ("type", "access"),
                ("requester", "client"),
                ("received", "2026-01-05"),
                ("channel", "letter"),
            ];
            let sent = karin.post(&url("/staff/letters"), &fields).await;
            assert_eq!(sent.status, 403, "{own} types in for {client}: {}", sent.text);
        }
        let all = server.app.requests().all(&"hv".parse().unwrap()).unwrap();
        assert_eq!(all.len(), 1, "nothing was opened");
    }
}

#[tokio::test]
async fn who_has_no_record_here_or_works_here_no_longer_is_told_so() {
    let (server, _provider, _folder) = at_provider();
    for account in ["stranger", "oidc|g.falk"] {
        let mut visitor = Visitor::new();
        let seen = signed_in(&mut visitor, &server, account).await;
        assert_eq!(seen.status, 403, "{}", seen.text);
        assert!(seen.text.contains("We do not know this sign-in"), "{}", seen.text);
        let apps = visitor.get(&format!("{}/auth/apps", server.origin())).await;
        assert_eq!(apps.status, 303, "nobody is signed in");
    }
}

#[tokio::test]
async fn the_way_back_is_for_the_browser_that_went_once_and_as_it_was_given() {
    let (server, _provider, _folder) = at_provider();
    let url = format!("{}/auth/apps", server.origin());
    let mut ellie = Visitor::new();
    let back = as_far_as_back(&mut ellie, &url, "ellie").await;
    let mut thief = Visitor::new();
    assert_eq!(thief.get(&back).await.status, 400, "another browser");

    let mut ellie = Visitor::new();
    let back = as_far_as_back(&mut ellie, &url, "ellie").await;
    let issuer = back.replace("iss=http", "iss=https");
    assert_ne!(issuer, back);
    assert_eq!(ellie.get(&issuer).await.status, 400, "another issuer");

    let mut ellie = Visitor::new();
    let back = as_far_as_back(&mut ellie, &url, "ellie").await;
    let unsigned = back.split("&iss=").next().unwrap();
    assert_eq!(ellie.get(unsigned).await.status, 400, "by a provider that always says its issuer");
    let mut ellie = Visitor::new();
    let back = as_far_as_back(&mut ellie, &url, "ellie").await;
    assert_eq!(ellie.get(&back).await.status, 303);
    assert_eq!(ellie.get(&back).await.status, 400, "a second time");
    let callback = format!("{}/auth/login/callback", server.origin());
    for forged in ["?code=x&state=y", "?code=x", "?error=access_denied&state=y", ""] {
        assert_eq!(ellie.get(&format!("{callback}{forged}")).await.status, 400, "{forged}");
    }
}

#[tokio::test]
async fn an_id_token_that_is_not_right_signs_nobody_in() {
    let mut provider = Provider::hostile("oidc|m.ruiz");
    let (server, _folder) = practice_at(&provider);
    let apps = format!("{}/auth/apps", server.origin());
    for (case, status) in [
        ("nothing", 200),
        ("another issuer", 400),
        ("another audience", 400),
        ("another nonce", 400),
        ("no nonce", 400),
        ("expired", 400),
        ("from the future", 400),
        ("another at_hash", 400),
        ("no token", 400),
        ("no signature", 400),
        ("the public key as a secret", 400),
        ("the gateway's secret", 400),
        ("another key", 400),
        ("an unknown key", 400),
        ("an unknown crit", 400),
        ("a changed claim", 400),
    ] {
        provider.case(case);
        let mut visitor = Visitor::new();
        let seen = visitor.follow(&apps).await;
        assert_eq!(seen.status, status, "{case}: {}", seen.text);
        let signed_in = visitor.get(&apps).await.status == 200;
        assert_eq!(signed_in, status == 200, "{case}");
    }
}

#[tokio::test]
async fn who_has_to_sign_in_anew_does_so_at_the_provider_and_it_says_when() {
    let (server, _provider, _folder) = at_provider();
    let scopes = "launch/patient openid patient/Patient.rs";
    let mut ellie = Visitor::new();
    signed_in(&mut ellie, &server, "ellie").await;
    let content = ellie.follow(&server.asking(scopes, &[])).await;
    assert!(content.text.contains("May Sleep Diary"), "{}", content.text);
    for wanted in [("prompt", "login"), ("max_age", "0")] {
        let asked = server.asking(scopes, &[wanted]);
        let back = as_far_as_back(&mut ellie, &asked, "ellie").await;
        let consent = ellie.follow(&back).await;
        assert!(consent.text.contains("May Sleep Diary"), "{wanted:?}: {}", consent.text);
    }

    let mut provider = Provider::hostile("oidc|m.ruiz");
    let (server, _folder) = practice_at(&provider);
    let asked = server.asking(scopes, &[("prompt", "login")]);
    for (case, status) in [("no auth_time", 403), ("an old sign-in", 403), ("a new sign-in", 200)] {
        provider.case(case);
        let seen = Visitor::new().follow(&asked).await;
        assert_eq!(seen.status, status, "{case}: {}", seen.text);
    }
}

#[tokio::test]
async fn a_provider_that_does_not_say_when_somebody_signed_in_proves_nothing_about_now() {
    let mut provider = Provider::hostile_about("ellie", &json!({ "client_record": ELLIE }));
    let (server, _folder) = practice_at(&provider);
    let url = |path: &str| format!("{}{path}", server.origin());
    provider.case("no auth_time");
    let mut ellie = Visitor::new();
    assert_eq!(ellie.follow(&url("/portal")).await.status, 200, "signed in without being asked");
    let id = asked(&server, &mut ellie).await;
    ready(&server, &mut ellie, &id).await;
    let take = async |ellie: &mut Visitor| {
        let page = ellie.get(&url(&format!("/portal/requests/{id}"))).await;
        takes(&server, ellie, &page, &id, &[]).await
    };
    let sent = take(&mut ellie).await;
    assert_eq!(sent.status, 303, "the whole record is for who has just proven who they are");
    let anew = absolute(&sent.url, sent.location());
    let told = ellie.follow(&anew).await;
    assert_eq!(told.status, 403, "{}", told.text);
    assert!(told.text.contains("We could not tell that you just signed in"), "{}", told.text);
    assert_eq!(take(&mut ellie).await.status, 303, "and still is");
    provider.case("a new sign-in");
    assert_eq!(ellie.follow(&anew).await.status, 200);
    assert_eq!(take(&mut ellie).await.status, 200, "who proved it has it");
}

#[tokio::test]
async fn a_new_key_of_the_provider_is_learnt_at_once() {
    let (server, mut provider, _folder) = at_provider();
    assert_eq!(signed_in(&mut Visitor::new(), &server, "ellie").await.status, 200);
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    provider.rotate();
    let seen = signed_in(&mut Visitor::new(), &server, "ellie").await;
    assert_eq!(seen.status, 200, "{}", seen.text);
}

#[tokio::test]
async fn signing_in_gives_a_new_cookie_and_signing_out_ends_it_everywhere() {
    let (server, _provider, _folder) = at_provider();
    let apps = format!("{}/auth/apps", server.origin());
    let mut ellie = Visitor::new();
    let back = as_far_as_back(&mut ellie, &apps, "ellie").await;
    let before = ellie.cookie("throughline-visit");
    let seen = ellie.follow(&back).await;
    let after = ellie.cookie("throughline-visit");
    assert_ne!(before, after, "a cookie that was planted leads nowhere");
    let mut copy = ellie.clone();
    assert_eq!(copy.get(&apps).await.status, 200);

    let csrf = seen.token("/auth/logout");
    let logout = format!("{}/auth/logout", server.origin());
    let out = ellie.post(&logout, &[("csrf", &csrf)]).await;
    assert_eq!(out.status, 303);
    assert!(out.location().contains("/session/end?"), "the provider too: {}", out.location());
    assert!(out.location().contains("id_token_hint="));
    assert_eq!(copy.get(&apps).await.status, 303, "a copy of the cookie is worth nothing");
}

#[tokio::test]
async fn a_provider_that_is_gone_is_a_page_that_says_so() {
    let (server, provider, _folder) = at_provider();
    drop(provider);
    let seen = Visitor::new().follow(&format!("{}/auth/apps", server.origin())).await;
    assert_eq!(seen.status, 503);
    assert!(seen.text.contains("does not work at the moment"), "{}", seen.text);
}
