//! The pages for people, and what is tried against them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::Value;
use throughline::app::Config;
use throughline::audit::Event;
use throughline::config::AuthSettings;
use throughline::http::routes::{Access, ROUTES};

use crate::support::people::{ADA, BACK, ELLIE, JOEL, LUCIA, MARISOL, MATEO, demo_practice};
use crate::support::server::{Server, spawn_as};
use crate::support::smart::{VERIFIER, parameter, request};
use crate::support::visitor::Visitor;

const SCOPES: &str = "launch/patient openid fhirUser patient/Patient.rs patient/Encounter.rs \
                      patient/DocumentReference.rs patient/Observation.rs";

fn url(server: &Server, path: &str) -> String {
    format!("{}{path}", server.origin())
}

/// Exchanges the code that an app was sent back with; what the token endpoint answers.
async fn token(server: &Server, back: &str) -> Value {
    assert!(back.starts_with(BACK), "{back}");
    let code = parameter(back, "code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", BACK),
        ("client_id", "app"),
        ("code_verifier", VERIFIER),
    ];
    server.send(server.client.post(url(server, "/auth/token")).form(&form)).await.json()
}

/// The status of a read with a token.
async fn status(server: &Server, token: &Value, path: &str) -> u16 {
    let bearer = token["access_token"].as_str().unwrap();
    let request = server.request(Method::GET, path).bearer_auth(bearer);
    server.send(request).await.status.as_u16()
}

#[tokio::test]
async fn a_client_shares_a_part_of_what_is_asked_for_and_no_more() {
    let server = demo_practice();
    let mut ellie = Visitor::new();
    let page = ellie.begin(&server.asking(SCOPES, &[]), ELLIE).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("May Sleep Diary see this record?"), "{}", page.text);
    let chosen = |kind: &str| page.text.contains(&format!("value=\"{kind}\" checked"));
    assert!(chosen("Patient") && chosen("Encounter"));
    for sensitive in ["DocumentReference", "Observation"] {
        assert!(page.text.contains(&format!("value=\"{sensitive}\"")), "{sensitive}");
        assert!(!chosen(sensitive), "{sensitive} is off");
    }
    let survey = "http://terminology.hl7.org/CodeSystem/observation-category|survey";
    let fields = [
        ("item", "Patient"),
        ("item", "Observation"),
        ("part:Observation", survey),
        ("item", "Condition"),
        ("decision", "allow"),
    ];
    let back = ellie.send_form(&page, "/auth/consent", &fields).await;
    assert_eq!(back.status, 303, "{}", back.text);
    let token = token(&server, back.location()).await;
    let granted = token["scope"].as_str().unwrap();
    for scope in ["patient/Patient.rs", "openid", "fhirUser", "launch/patient"] {
        assert!(granted.split(' ').any(|given| given == scope), "{scope}: {granted}");
    }
    assert!(granted.contains("patient/Observation.rs?category="), "{granted}");
    for kind in ["Encounter", "DocumentReference", "Condition"] {
        assert!(!granted.contains(kind), "{granted}");
    }
    let ellie = server.patient(ELLIE);
    assert_eq!(token["patient"], ellie.as_str());
    assert_eq!(status(&server, &token, &format!("Patient/{ellie}")).await, 200);
    assert_eq!(status(&server, &token, "Encounter").await, 403);
    assert_eq!(status(&server, &token, &format!("Patient/{}", server.patient(ADA))).await, 404);
}

#[tokio::test]
async fn who_says_no_or_chooses_nothing_shares_nothing() {
    let server = demo_practice();
    let mut ellie = Visitor::new();
    let page = ellie.begin(&server.asking(SCOPES, &[]), ELLIE).await;
    let nothing = ellie.send_form(&page, "/auth/consent", &[("decision", "allow")]).await;
    assert!(nothing.location().contains("nothing=1"), "{}", nothing.location());
    let again = ellie.follow(&url(&server, nothing.location())).await;
    assert!(again.text.contains("Choose at least one kind of record"));
    let no = ellie.send_form(&again, "/auth/consent", &[("decision", "deny")]).await;
    let back = no.location();
    assert_eq!(parameter(back, "error").as_deref(), Some("access_denied"), "{back}");
    assert_eq!(parameter(back, "state").as_deref(), Some("state-1"));
    let late = ellie.send_form(&again, "/auth/consent", &[("decision", "allow")]).await;
    assert_eq!(late.status, 410, "a decision is made once");
}

#[tokio::test]
async fn a_mother_chooses_her_child_and_is_his_related_person() {
    let server = demo_practice();
    let mut lucia = Visitor::new();
    let page = lucia.begin(&server.asking(SCOPES, &[]), LUCIA).await;
    assert!(page.text.contains("Whose record?") && page.text.contains("Mateo Reyes"));
    assert!(!page.text.contains("Marsh"), "nobody else's client is named");
    let mateo = server.patient(MATEO).to_string();
    let none = lucia.send_form(&page, "/auth/pick", &[]).await;
    assert!(none.location().contains("missing=1"));
    let picked = lucia.send_form(&page, "/auth/pick", &[("patient", &mateo)]).await;
    let page = lucia.follow(&url(&server, picked.location())).await;
    let back = lucia
        .send_form(&page, "/auth/consent", &[("item", "Patient"), ("decision", "allow")])
        .await;
    let token = token(&server, back.location()).await;
    assert_eq!(token["patient"], mateo.as_str());
    assert_eq!(status(&server, &token, &format!("Patient/{mateo}")).await, 200);
}

#[tokio::test]
async fn the_record_of_somebody_elses_client_cannot_be_chosen() {
    let server = demo_practice();
    let (ellie, ada) = (server.patient(ELLIE).to_string(), server.patient(ADA).to_string());
    for (account, patient) in
        [(LUCIA, &ellie), (LUCIA, &ada), ("rp_6", &ada), (JOEL, &ellie), (MARISOL, &"0".repeat(32))]
    {
        let mut visitor = Visitor::new();
        let page = visitor.begin(&server.asking(SCOPES, &[]), account).await;
        if page.text.contains("name=\"patient\"") {
            let picked = visitor.send_form(&page, "/auth/pick", &[("patient", patient)]).await;
            assert_eq!(picked.status, 403, "{account}");
        } else {
            assert!(page.text.contains("There is nobody"), "{account}: {}", page.text);
        }
        let skipped = [("item", "Patient"), ("decision", "allow"), ("patient", patient.as_str())];
        let skipped = visitor.send_form(&page, "/auth/consent", &skipped).await;
        assert!(!skipped.location().contains("code="), "{account}");
    }
}

#[tokio::test]
async fn a_therapist_finds_only_their_own_clients() {
    let server = demo_practice();
    let mut marisol = Visitor::new();
    let page = marisol.begin(&server.asking(SCOPES, &[]), MARISOL).await;
    for name in ["Ellie Marsh", "Ada Okafor", "Mateo Reyes"] {
        assert!(page.text.contains(name), "{name}: {}", page.text);
    }
    assert!(!page.text.contains("Alvarado"), "a client of another therapist");
    let request = page.field("request");
    let mateo = url(&server, &format!("/auth/consent?request={request}&name=MATEO"));
    let found = marisol.get(&mateo).await;
    assert!(found.text.contains("Mateo Reyes") && !found.text.contains("Ellie Marsh"));
    let nobody =
        marisol.get(&url(&server, &format!("/auth/consent?request={request}&name=Alvarado"))).await;
    assert!(nobody.text.contains("Nobody was found"), "{}", nobody.text);
}

#[tokio::test]
async fn a_connected_app_is_seen_and_stopped_by_whom_it_is_about_only() {
    let server = demo_practice();
    let mut ellie = Visitor::new();
    let page = ellie.begin(&server.asking(SCOPES, &[]), ELLIE).await;
    let fields = [("item", "Patient"), ("decision", "allow")];
    let back = ellie.send_form(&page, "/auth/consent", &fields).await;
    let token = token(&server, back.location()).await;
    let path = format!("Patient/{}", server.patient(ELLIE));
    assert_eq!(status(&server, &token, &path).await, 200);
    let apps = ellie.get(&url(&server, "/auth/apps")).await;
    assert!(apps.text.contains("Sleep Diary") && apps.text.contains("Ellie Marsh"));
    let grant = apps.field("grant");

    let mut ada = Visitor::new();
    let signed_out = ada.follow(&url(&server, "/auth/apps")).await;
    let own = ada.sign_in(&signed_out, ADA).await;
    assert!(own.text.contains("No app is connected"), "{}", own.text);
    let csrf = own.token("/auth/logout");
    let stolen = ada.post(&url(&server, "/auth/apps"), &[("csrf", &csrf), ("grant", &grant)]).await;
    assert_eq!(stolen.status, 403, "the token of another form");
    assert_eq!(status(&server, &token, &path).await, 200);

    let csrf = apps.token("/auth/apps");
    let stopped =
        ellie.post(&url(&server, "/auth/apps"), &[("csrf", &csrf), ("grant", &grant)]).await;
    assert_eq!(stopped.status, 303, "{}", stopped.text);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(status(&server, &token, &path).await, 401, "within a second");
    let apps = ellie.follow(&url(&server, stopped.location())).await;
    assert!(apps.text.contains("The app is stopped") && apps.text.contains("No app is connected"));
}

#[tokio::test]
async fn a_form_that_is_not_ours_changes_nothing() {
    let server = demo_practice();
    let mut ellie = Visitor::new();
    let page = ellie.begin(&server.asking(SCOPES, &[]), ELLIE).await;
    let (csrf, request) = (page.token("/auth/consent"), page.field("request"));
    let consent = url(&server, "/auth/consent");
    let fields = |csrf: &'static str| [("csrf", csrf), ("item", "Patient"), ("decision", "allow")];
    let mut other = Visitor::new();
    let theirs = other.begin(&server.asking(SCOPES, &[]), ELLIE).await;
    let theirs = theirs.token("/auth/consent");
    for (name, token) in [("none", ""), ("made up", "AAAA"), ("another's", theirs.as_str())] {
        let mut all = fields("").to_vec();
        all[0].1 = token;
        all.push(("request", &request));
        let sent = ellie.post(&consent, &all).await;
        assert_eq!(sent.status, 403, "{name}");
        assert!(sent.text.contains("nothing was changed"), "{name}");
    }
    let twice = [("csrf", csrf.as_str()), ("csrf", &csrf), ("request", &request)];
    assert_eq!(ellie.post(&consent, &twice).await.status, 403, "twice");
    let elsewhere = [("csrf", csrf.as_str()), ("request", &request)];
    let elsewhere = ellie.post(&url(&server, "/auth/pick"), &elsewhere).await;
    assert_eq!(elsewhere.status, 403, "the token of another form");
    let cookie = format!("throughline-visit={}", ellie.cookie("throughline-visit"));
    let cross = server.client.post(&consent).header("cookie", cookie);
    let cross = cross.header("sec-fetch-site", "cross-site").form(&[("csrf", csrf.as_str())]);
    assert_eq!(server.send(cross).await.status, 403, "sent by another site");
}

#[tokio::test]
async fn every_page_is_kept_out_of_frames_caches_and_scripts() {
    let server = demo_practice();
    let pages = ROUTES.iter().filter(|row| row.access == Access::Page && row.method == "GET");
    let patterns = pages.map(|row| row.pattern).filter(|path| path.starts_with("/auth/"));
    let patterns: Vec<_> = patterns.collect();
    assert!(patterns.len() >= 5, "{patterns:?}");
    for pattern in patterns {
        let seen = Visitor::new().follow(&url(&server, pattern)).await;
        assert!(seen.text.starts_with("<!DOCTYPE html>"), "{pattern}: {}", seen.text);
        let policy = seen.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{pattern}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(seen.header("x-frame-options"), "DENY", "{pattern}");
        assert_eq!(seen.header("cache-control"), "no-store", "{pattern}");
        assert_eq!(seen.header("referrer-policy"), "no-referrer", "{pattern}");
        assert_eq!(seen.header("x-content-type-options"), "nosniff", "{pattern}");
        assert!(!seen.text.contains("<script") && !seen.text.contains(" style="), "{pattern}");
    }
}

#[tokio::test]
async fn cookies_are_out_of_reach() {
    let server = demo_practice();
    let seen = Visitor::new().get(&url(&server, "/auth/login")).await;
    let cookie = seen.header("set-cookie");
    for part in ["throughline-visit=", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
}

#[tokio::test]
async fn a_cookie_that_was_planted_is_not_the_one_of_the_session() {
    let server = demo_practice();
    let mut victim = Visitor::new();
    let page = victim.get(&url(&server, "/auth/login")).await;
    let planted = victim.cookie("throughline-visit");
    victim.sign_in(&page, ELLIE).await;
    assert_ne!(victim.cookie("throughline-visit"), planted);
    let mut thief = Visitor::new();
    thief.get(&url(&server, "/auth/login")).await;
    for value in thief.cookies.values_mut() {
        value.clone_from(&planted);
    }
    assert_eq!(thief.get(&url(&server, "/auth/apps")).await.status, 303, "nobody is signed in");
}

#[tokio::test]
async fn nobody_is_sent_to_another_site_after_signing_in() {
    let server = demo_practice();
    for place in [
        "https://evil.example/",
        "//evil.example/auth/",
        "/\\evil.example",
        "/auth//evil.example",
        "/auth/login\r\nX-Evil: 1",
        "/fhir/Patient",
        "javascript:alert(1)",
    ] {
        let mut visitor = Visitor::new();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("return", place);
        let page = visitor.get(&url(&server, &format!("/auth/login?{}", query.finish()))).await;
        let csrf = page.token("/auth/login");
        let sent = [("csrf", csrf.as_str()), ("return", place), ("account", ELLIE)];
        let sent = visitor.post(&url(&server, "/auth/login"), &sent).await;
        assert_eq!(sent.location(), "/auth/apps", "{place}");
    }
}

#[tokio::test]
async fn hostile_text_in_an_address_or_a_form_stays_text() {
    let server = demo_practice();
    let mut marisol = Visitor::new();
    let page = marisol.begin(&server.asking(SCOPES, &[]), MARISOL).await;
    let request = page.field("request");
    let hostile = "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let seen = marisol
        .get(&url(&server, &format!("/auth/consent?request={request}&name={hostile}")))
        .await;
    assert!(!seen.text.contains("<script>"), "{}", seen.text);
    assert!(seen.text.contains("&quot;&gt;&lt;script&gt;"), "{}", seen.text);
    let broken = marisol.get(&url(&server, "/auth/consent?request=%0d%0aX-Evil:1")).await;
    assert_eq!(broken.status, 410);
    assert_eq!(broken.header("x-evil"), "");
}

#[tokio::test]
async fn a_request_is_for_the_browser_that_began_it() {
    let server = demo_practice();
    let mut ellie = Visitor::new();
    let page = ellie.begin(&server.asking(SCOPES, &[]), ELLIE).await;
    let request = page.field("request");
    let mut other = Visitor::new();
    let signed_out = other.follow(&url(&server, "/auth/apps")).await;
    other.sign_in(&signed_out, ADA).await;
    let seen = other.get(&url(&server, &format!("/auth/consent?request={request}"))).await;
    assert_eq!(seen.status, 410, "{}", seen.text);
}

/// What an app is told that wants nobody to be asked.
async fn unasked(visitor: &mut Visitor, server: &Server, scope: &str, prompt: &str) -> String {
    let asked = visitor.get(&server.asking(scope, &[("prompt", prompt)])).await;
    if asked.location().starts_with(BACK) {
        return parameter(asked.location(), "error").unwrap();
    }
    let back = visitor.get(&url(server, asked.location())).await;
    assert!(parameter(back.location(), "code").is_none(), "{}", back.location());
    assert_eq!(parameter(back.location(), "state").as_deref(), Some("state-1"));
    parameter(back.location(), "error").unwrap()
}

#[tokio::test]
async fn an_app_that_wants_nobody_asked_is_told_what_they_would_be_asked() {
    let server = demo_practice();
    let signed_in = async |account: &str| {
        let mut visitor = Visitor::new();
        let page = visitor.follow(&url(&server, "/auth/apps")).await;
        visitor.sign_in(&page, account).await;
        visitor
    };
    let mut nobody = Visitor::new();
    assert_eq!(unasked(&mut nobody, &server, SCOPES, "none").await, "login_required");
    let mut ellie = signed_in(ELLIE).await;
    assert_eq!(unasked(&mut ellie, &server, SCOPES, "none").await, "consent_required");
    let visits = format!("{SCOPES} launch/encounter");
    assert_eq!(unasked(&mut ellie, &server, &visits, "none").await, "interaction_required");
    let mut marisol = signed_in(MARISOL).await;
    assert_eq!(unasked(&mut marisol, &server, SCOPES, "none").await, "interaction_required");
    for with_others in ["none login", "consent none"] {
        assert_eq!(unasked(&mut ellie, &server, SCOPES, with_others).await, "invalid_request");
    }
}

#[tokio::test]
async fn an_app_that_wants_somebody_to_sign_in_anew_gets_them_after_they_did() {
    let server = demo_practice();
    for wanted in [("prompt", "login"), ("max_age", "0")] {
        let mut ellie = Visitor::new();
        let signed_out = ellie.follow(&url(&server, "/auth/apps")).await;
        ellie.sign_in(&signed_out, ELLIE).await;
        let long = ellie.follow(&server.asking(SCOPES, &[("max_age", "3600")])).await;
        assert!(long.text.contains("May Sleep Diary"), "not long ago: {}", long.text);
        let began = server.app.authority().clock().now().as_second();
        let anew = ellie.follow(&server.asking(SCOPES, &[wanted])).await;
        assert!(!anew.text.contains("May Sleep Diary"), "{wanted:?}: {}", anew.text);
        let consent = ellie.sign_in(&anew, ELLIE).await;
        assert!(consent.text.contains("May Sleep Diary"), "{wanted:?}: {}", consent.text);
        let fields = [("item", "Patient"), ("decision", "allow")];
        let back = ellie.send_form(&consent, "/auth/consent", &fields).await;
        let token = token(&server, back.location()).await;
        let claims = claims(token["id_token"].as_str().unwrap());
        assert!(claims["auth_time"].as_i64().unwrap() >= began, "{claims}");
    }
    let mut ellie = Visitor::new();
    let signed_out = ellie.follow(&url(&server, "/auth/apps")).await;
    ellie.sign_in(&signed_out, ELLIE).await;
    let asked = ellie.get(&server.asking(SCOPES, &[("prompt", "none"), ("max_age", "0")])).await;
    let back = ellie.get(&url(&server, asked.location())).await;
    assert_eq!(parameter(back.location(), "error").as_deref(), Some("login_required"));
    let wrong = ellie.get(&server.asking(SCOPES, &[("max_age", "soon")])).await;
    assert_eq!(parameter(wrong.location(), "error").as_deref(), Some("invalid_request"));
}

/// What an ID token says.
fn claims(token: &str) -> Value {
    let body = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn strangers_leave_only_so_many_requests_and_the_others_are_told_to_wait() {
    let data = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let config = Config {
        auth: AuthSettings { requests_a_minute: 5, ..AuthSettings::default() },
        clients: crate::support::smart::clients(),
        ..Config::default()
    };
    let server = spawn_as(data, config);
    let asked = request(&server, "launch/patient patient/Patient.rs");
    for _ in 0..5 {
        assert_eq!(server.authorize(&asked).await.status, 303);
    }
    let refused = server.authorize(&asked).await;
    assert_eq!(refused.status, 429, "{}", refused.text);
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=12).contains(&seconds), "{seconds}");
    assert!(refused.text.contains("Too many tries at once"), "{}", refused.text);
}

/// The events of these names, oldest first, once the last of so many is written.
async fn events(server: &Server, names: &[&str], many: usize) -> Vec<Event> {
    let mut found = Vec::new();
    for _ in 0..50 {
        let kept = server.app.audit().ledger().entries("hv", 0, 10_000).unwrap();
        let all = kept.iter().map(|entry| Event::of(&entry.body).unwrap());
        found = all.filter(|event| names.contains(&event.action.name())).collect();
        if found.len() >= many {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(found.len(), many, "{names:?}");
    found
}

#[tokio::test]
async fn who_signs_in_and_who_cannot_is_written_down() {
    let server = demo_practice();
    let mut visitor = Visitor::new();
    let page = visitor.follow(&url(&server, "/auth/apps")).await;
    let fields = [("csrf", page.token("/auth/login")), ("account", "cl_nobody".to_owned())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(visitor.post(&url(&server, "/auth/login"), &fields).await.status, 403);
    visitor.sign_in(&page, ELLIE).await;
    let lost = visitor.get(&url(&server, "/auth/login/callback?state=secret&code=secret")).await;
    assert_eq!(lost.status, 400);
    let made = events(&server, &["signed-in", "sign-in-refused"], 3).await;
    let told: Vec<_> = made
        .iter()
        .map(|event| (event.action.name(), event.status, event.issue.as_deref()))
        .collect();
    let refused = "sign-in-refused";
    assert_eq!(
        told,
        [(refused, 403, Some("unknown")), ("signed-in", 200, None), (refused, 400, Some("login"))]
    );
    let who = &made[1].who;
    assert_eq!(who.user.as_deref(), Some(format!("Patient/{}", server.patient(ELLIE)).as_str()));
    assert!(!who.subject.is_empty() && made[0].who.subject.is_empty());
    assert_eq!(who.address.as_deref(), Some("127.0.0.1"));
    let text = format!("{made:?}");
    assert!(!text.contains("secret") && !text.contains("cl_nobody"), "{text}");
}

#[tokio::test]
async fn what_an_app_asks_for_in_vain_is_written_down() {
    let server = demo_practice();
    let wrong = server.asking(SCOPES, &[]).replace("S256", "plain");
    Visitor::new().get(&wrong).await;
    unasked(&mut Visitor::new(), &server, SCOPES, "none").await;
    let made = events(&server, &["grant-refused"], 2).await;
    let told: Vec<_> =
        made.iter().map(|event| (event.issue.as_deref(), event.who.client.as_deref())).collect();
    assert_eq!(
        told,
        [(Some("invalid_request"), Some("app")), (Some("login_required"), Some("app"))]
    );
}

#[tokio::test]
async fn a_request_that_is_not_right_is_explained_on_a_page() {
    let server = demo_practice();
    let wrong = server.asking(SCOPES, &[]).replace("client_id=app", "client_id=nobody");
    let seen = Visitor::new().get(&wrong).await;
    assert_eq!(seen.status, 400);
    assert!(seen.text.contains("request is not right"), "{}", seen.text);
    assert_eq!(seen.header("x-frame-options"), "DENY");
}

#[tokio::test]
async fn the_language_is_the_chosen_one_or_else_the_browsers() {
    let server = demo_practice();
    let mut visitor = Visitor::new();
    let login = url(&server, "/auth/login");
    assert!(visitor.get(&login).await.text.contains("<html lang=\"en\">"));
    let spanish = visitor.get(&format!("{login}?lang=es")).await;
    assert!(spanish.text.contains("<html lang=\"es\">") && spanish.text.contains("Iniciar sesión"));
    assert_eq!(spanish.header("content-language"), "es");
    assert!(visitor.get(&login).await.text.contains("<html lang=\"es\">"), "it is remembered");
    let request = server.client.get(&login).header("accept-language", "fr, es-MX;q=0.8, en;q=0.5");
    assert!(server.send(request).await.text.contains("<html lang=\"es\">"));
}

#[tokio::test]
async fn the_stylesheet_is_kept_under_its_own_address() {
    let server = demo_practice();
    let page = Visitor::new().get(&url(&server, "/auth/login")).await;
    let link = page.text.split("rel=\"stylesheet\" href=\"").nth(1).unwrap();
    let link = link.split('"').next().unwrap();
    let style = Visitor::new().get(&url(&server, link)).await;
    assert_eq!(style.status, 200);
    assert_eq!(style.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    let other = Visitor::new().get(&url(&server, "/assets/style.css?v=0")).await;
    assert_eq!(other.header("cache-control"), "no-store");
}
