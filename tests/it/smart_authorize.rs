//! The authorization endpoint: what goes on to a person, what the app is told, and what stays here.

use reqwest::Method;
use serde_json::json;
use throughline::app::Config;
use throughline::smart::{Launch, Told};

use crate::support::server::{Server, spawn_as_new};
use crate::support::smart::{
    BACK, VERIFIER, approval, challenge, clients, parameter, request, with,
};

fn spawn() -> Server {
    spawn_as_new(Config { clients: clients(), ..Config::default() })
}

#[tokio::test]
async fn a_request_in_order_goes_on_to_consent_by_get_and_by_form() {
    let server = spawn();
    let asked = request(&server, "launch/patient patient/Patient.rs");
    let answer = server.authorize(&asked).await;
    assert_eq!(answer.status, 303);
    assert!(answer.header("location").starts_with("/auth/consent?request="));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    let cookie = answer.header("set-cookie");
    for part in ["HttpOnly", "SameSite=Lax", "Path=/auth"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let no_redirect =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let posted = no_redirect.post(server.url("/auth/authorize")).form(&asked);
    assert_eq!(server.send(posted).await.status, 303);
    let slash = with(asked, "aud", Some(&format!("{}/", server.base)));
    assert_eq!(server.authorize(&slash).await.status, 303);
}

#[tokio::test]
async fn until_the_app_is_proven_an_error_stays_on_a_page() {
    let server = spawn();
    let asked = || request(&server, "launch/patient");
    let twice = |name: &str| {
        let mut twice = asked();
        twice.push((name.to_owned(), BACK.to_owned()));
        twice
    };
    for (name, wrong) in [
        ("no client", with(asked(), "client_id", None)),
        ("an unknown client", with(asked(), "client_id", Some("nobody"))),
        ("no redirect URI", with(asked(), "redirect_uri", None)),
        ("another's redirect URI", with(asked(), "redirect_uri", Some("https://evil.example/"))),
        ("a longer redirect URI", with(asked(), "redirect_uri", Some(&format!("{BACK}/x")))),
        ("a query added", with(asked(), "redirect_uri", Some(&format!("{BACK}?x=1")))),
        ("another case", with(asked(), "redirect_uri", Some("https://APP.example/back"))),
        ("user info", with(asked(), "redirect_uri", Some("https://app.example@evil.example/back"))),
        ("another port", with(asked(), "redirect_uri", Some("http://127.0.0.1:9/redirect"))),
        ("a path that goes up", with(asked(), "redirect_uri", Some(&format!("{BACK}/../back")))),
        ("two clients", twice("client_id")),
        ("two redirect URIs", twice("redirect_uri")),
        ("a line break", with(asked(), "redirect_uri", Some("https://app.example/back\r\nX: y"))),
    ] {
        let answer = server.authorize(&wrong).await;
        assert_eq!(answer.status, 400, "{name}");
        assert_eq!(answer.header("location"), "", "{name}");
        assert!(answer.header("content-type").starts_with("text/html"), "{name}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{name}: {policy}");
        let leads_there = ["//evil", "@evil"].iter().any(|place| answer.text.contains(place));
        assert!(!leads_there, "{name}");
    }
}

#[tokio::test]
async fn the_app_is_told_what_is_wrong_with_its_request() {
    let server = spawn();
    let asked = || request(&server, "launch/patient patient/Patient.rs");
    let plain = with(asked(), "code_challenge_method", Some("plain"));
    for (name, wrong, error) in [
        ("no response type", with(asked(), "response_type", None), "invalid_request"),
        (
            "the implicit grant",
            with(asked(), "response_type", Some("token")),
            "unsupported_response_type",
        ),
        ("a fragment answer", with(asked(), "response_mode", Some("fragment")), "invalid_request"),
        ("no state", with(asked(), "state", None), "invalid_request"),
        ("a blank state", with(asked(), "state", Some("")), "invalid_request"),
        ("no challenge", with(asked(), "code_challenge", None), "invalid_request"),
        ("a blank challenge", with(asked(), "code_challenge", Some("")), "invalid_request"),
        ("a short challenge", with(asked(), "code_challenge", Some("abc")), "invalid_request"),
        ("no method", with(asked(), "code_challenge_method", None), "invalid_request"),
        ("the plain method", plain, "invalid_request"),
        ("no aud", with(asked(), "aud", None), "invalid_request"),
        ("a wrong aud", with(asked(), "aud", Some("https://evil.example/fhir")), "invalid_request"),
        (
            "a longer aud",
            with(asked(), "aud", Some(&format!("{}/x", server.base))),
            "invalid_request",
        ),
        ("no scope", with(asked(), "scope", None), "invalid_scope"),
        ("an unknown scope", with(asked(), "scope", Some("nonsense")), "invalid_scope"),
        (
            "a scope that is not the client's",
            with(with(asked(), "client_id", Some("other")), "scope", Some("system/*.rs")),
            "invalid_scope",
        ),
        (
            "launch without a launch",
            with(asked(), "scope", Some("launch openid")),
            "invalid_request",
        ),
        ("an unknown launch", with(asked(), "launch", Some("nonsense")), "invalid_request"),
        ("a request object", with(asked(), "request", Some("e30.e30.")), "request_not_supported"),
        (
            "a request URI",
            with(asked(), "request_uri", Some("https://evil.example/")),
            "request_uri_not_supported",
        ),
    ] {
        let answer = server.authorize(&wrong).await;
        assert_eq!(answer.status, 303, "{name}: {}", answer.text);
        let place = answer.header("location");
        assert!(place.starts_with(BACK), "{name}: {place}");
        assert_eq!(parameter(place, "error").as_deref(), Some(error), "{name}");
        assert_eq!(parameter(place, "code"), None, "{name}");
        let issuer = server.url("");
        assert_eq!(parameter(place, "iss"), Some(issuer), "{name}");
        if !name.ends_with("state") {
            assert_eq!(parameter(place, "state").as_deref(), Some("st/ate 1"), "{name}");
        }
    }
}

#[tokio::test]
async fn a_person_approves_once_and_the_app_gets_a_code_with_state_and_issuer() {
    let server = spawn();
    let scope = "launch/patient patient/Patient.rs";
    let begun = server.begin(&request(&server, scope)).await;
    let back = server.approve(&begun, approval(scope)).await;
    assert!(back.starts_with(BACK));
    assert_eq!(parameter(&back, "state").as_deref(), Some("st/ate 1"));
    assert_eq!(parameter(&back, "iss"), Some(server.url("")));
    assert_eq!(parameter(&back, "code").unwrap().len(), 43);
    let authority = server.app.authority();
    assert!(authority.approve(&begun.id, &begun.browser, &approval(scope)).is_err());
    assert!(authority.pending(&begun.id, &begun.browser).is_err());
}

#[tokio::test]
async fn a_person_may_say_no() {
    let server = spawn();
    let begun = server.begin(&request(&server, "launch/patient")).await;
    let (id, browser) = (begun.id.clone(), begun.browser.clone());
    let back = server.authority(move |authority| authority.deny(&id, &browser).unwrap()).await;
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&back, "state").as_deref(), Some("st/ate 1"));
    assert!(server.app.authority().pending(&begun.id, &begun.browser).is_err());
}

#[tokio::test]
async fn a_request_is_its_browsers_alone() {
    let server = spawn();
    let begun = server.begin(&request(&server, "launch/patient")).await;
    let other = server.begin(&request(&server, "launch/patient")).await;
    let authority = server.app.authority();
    for browser in ["", "x", &other.browser, &begun.id] {
        assert!(authority.pending(&begun.id, browser).is_err());
        assert!(authority.approve(&begun.id, browser, &approval("launch/patient")).is_err());
        assert!(authority.deny(&begun.id, browser).is_err());
    }
    assert!(authority.pending("nonsense", &begun.browser).is_err());
    let pending = authority.pending(&begun.id, &begun.browser).unwrap();
    assert_eq!((pending.client.name.as_str(), pending.redirect_uri.as_str()), ("App app", BACK));
}

#[tokio::test]
async fn nobody_approves_more_than_was_asked_for() {
    let server = spawn();
    let asked = "launch/patient patient/Observation.rs";
    let authority = server.app.authority();
    for wrong in [
        approval("launch/patient patient/*.rs"),
        approval("launch/patient patient/Observation.rs openid"),
        approval("launch/patient user/Observation.rs"),
        approval(""),
        throughline::smart::Approval { patient: None, ..approval(asked) },
    ] {
        let begun = server.begin(&request(&server, asked)).await;
        let refused = authority.approve(&begun.id, &begun.browser, &wrong);
        assert!(refused.is_err(), "{}", wrong.scopes);
        assert!(authority.pending(&begun.id, &begun.browser).is_ok(), "it can be tried again");
    }
    let narrower = "launch/patient patient/Observation.r?category=survey";
    let begun = server.begin(&request(&server, asked)).await;
    assert!(server.approve(&begun, approval(narrower)).await.contains("code="));
}

fn launch(others: impl FnOnce(&mut Launch)) -> Launch {
    let mut launch = Launch {
        tenant: "hv".parse().unwrap(),
        patient: Some("p1".parse().unwrap()),
        encounter: None,
        user: None,
        client: None,
        told: Told { need_patient_banner: Some(true), ..Told::default() },
    };
    others(&mut launch);
    launch
}

#[tokio::test]
async fn a_launch_is_for_its_tenant_its_app_and_its_user() {
    let server = spawn();
    let asked =
        |launch: &str| with(request(&server, "launch patient/*.rs"), "launch", Some(launch));
    let good = server.launch(launch(|_| ())).await;
    let begun = server.begin(&asked(&good)).await;
    let pending = server.app.authority().pending(&begun.id, &begun.browser).unwrap();
    assert_eq!(pending.launch.unwrap().patient.unwrap().as_str(), "p1");
    for wrong in [
        launch(|launch| launch.tenant = "xx".parse().unwrap()),
        launch(|launch| launch.client = Some("other".into())),
    ] {
        let wrong = server.launch(wrong).await;
        let answer = server.authorize(&asked(&wrong)).await;
        let error = parameter(answer.header("location"), "error");
        assert_eq!(error.as_deref(), Some("invalid_request"));
    }
    let changes: [fn(&mut Launch); 3] = [
        |launch| launch.user = Some("Practitioner/someone".parse().unwrap()),
        |launch| launch.patient = Some("p2".parse().unwrap()),
        |launch| launch.encounter = Some("e1".parse().unwrap()),
    ];
    for change in changes {
        let other = server.launch(launch(change)).await;
        let begun = server.begin(&asked(&other)).await;
        let approval = approval("launch patient/*.rs");
        let refused = server.app.authority().approve(&begun.id, &begun.browser, &approval);
        assert!(refused.is_err());
    }
}

#[tokio::test]
async fn the_server_says_what_it_is() {
    let server = spawn();
    let path = format!("{}/.well-known/smart-configuration", server.base);
    let answer =
        server.send(server.client.get(&path).header("Origin", "https://any.example")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("application/json"));
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let document = answer.json();
    assert_eq!(document["issuer"], json!(server.url("")));
    assert_eq!(document["token_endpoint"], json!(server.url("/auth/token")));
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    for capability in [
        "launch-standalone",
        "launch-ehr",
        "authorize-post",
        "client-public",
        "permission-v1",
        "client-confidential-symmetric",
        "client-confidential-asymmetric",
        "sso-openid-connect",
        "context-banner",
        "context-style",
        "context-ehr-patient",
        "context-ehr-encounter",
        "context-standalone-patient",
        "permission-offline",
        "permission-patient",
        "permission-user",
        "permission-v2",
    ] {
        let capabilities = document["capabilities"].as_array().unwrap();
        assert!(capabilities.contains(&json!(capability)), "{capability}");
    }
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let answer = server.send(server.request(Method::GET, &server.url(path))).await;
        let document = answer.json();
        assert_eq!(document["issuer"], json!(server.url("")), "{path}");
        assert_eq!(document["jwks_uri"], json!(server.url("/auth/jwks")));
        assert_eq!(document["subject_types_supported"], json!(["public"]));
    }
    let keys = server.send(server.request(Method::GET, &server.url("/auth/jwks"))).await;
    assert_eq!(keys.header("cache-control"), "public, max-age=300");
    let set = keys.json();
    let kinds: Vec<_> = set["keys"].as_array().unwrap().iter().map(|key| &key["kty"]).collect();
    assert_eq!(kinds, ["EC", "RSA", "EC"], "of tokens two, of copies of records one");
    assert!(!keys.text.contains("\"d\""), "a private key");
    assert_eq!(challenge(VERIFIER).len(), 43);
}
