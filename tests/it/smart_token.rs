//! The token endpoint: codes, refresh tokens, backend services; and what becomes of tokens.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use reqwest::Method;
use serde_json::{Value, json};
use throughline::app::Config;
use throughline::config::ClientSettings;
use throughline::smart::{Launch, Told};

use crate::support::server::{Server, spawn_as_new};
use crate::support::signer::{Signer, claims};
use crate::support::smart::{
    BACK, SECRET, VERIFIER, approval, client, clients, parameter, redemption, request, with,
};

const ALL: &str = "openid fhirUser launch/patient offline_access patient/*.rs";

fn spawn() -> Server {
    let server = spawn_as_new(Config { clients: clients(), ..Config::default() });
    server.store("hv", "people", &[patient("p1"), patient("p2")]);
    server
}

fn patient(id: &str) -> Value {
    json!({
        "resourceType": "Patient", "id": id,
        "meta": { "versionId": "1", "lastUpdated": "2026-11-25T10:00:00Z" }
    })
}

#[tokio::test]
async fn an_app_gets_a_token_for_its_code_and_reads_with_it() {
    let server = spawn();
    let code = server.code("app", ALL).await;
    let answer = server.redeem(&code).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    let token = answer.json();
    assert_eq!((&token["token_type"], &token["expires_in"]), (&json!("Bearer"), &json!(300)));
    assert_eq!((&token["scope"], &token["patient"]), (&json!(ALL), &json!("p1")));
    let access = token["access_token"].as_str().unwrap();
    assert_eq!(server.status("Patient/p1", access).await, 200);
    assert_eq!(server.status("Patient/p2", access).await, 404);
}

#[tokio::test]
async fn the_id_token_says_who_the_person_is() {
    let server = spawn();
    let asked = with(request(&server, ALL), "nonce", Some("n-0S6"));
    let begun = server.begin(&asked).await;
    let back = server.approve(&begun, approval(ALL)).await;
    let token = server.redeem(&parameter(&back, "code").unwrap()).await.json();
    let id_token = token["id_token"].as_str().unwrap();
    let header = jsonwebtoken::decode_header(id_token).unwrap();
    assert_eq!(header.alg, Algorithm::RS256);
    let keys = server.send(server.request(Method::GET, &server.url("/auth/jwks"))).await;
    let set: JwkSet = serde_json::from_str(&keys.text).unwrap();
    let key = DecodingKey::from_jwk(set.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&["app"]);
    validation.set_issuer(&[server.url("")]);
    let claims = jsonwebtoken::decode::<Value>(id_token, &key, &validation).unwrap().claims;
    assert_eq!((&claims["nonce"], &claims["sub"]), (&json!("n-0S6"), &json!("person-1")));
    assert_eq!(claims["fhirUser"], json!(format!("{}/Patient/p1", server.base)));
    assert_eq!(claims["auth_time"], json!(1_800_000_000));
    // What the person is can be read with the token.
    let user = claims["fhirUser"].as_str().unwrap();
    assert_eq!(server.status(user, token["access_token"].as_str().unwrap()).await, 200);
    // And it is no access token.
    assert_eq!(server.status("Patient/p1", id_token).await, 401);
}

#[tokio::test]
async fn a_client_with_a_secret_proves_itself_with_basic() {
    let server = spawn();
    let scope = "launch/patient patient/*.read";
    let code = server.code("web", scope).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    let ask = |secret: &'static str| {
        let url = server.url("/auth/token");
        server.client.post(url).basic_auth("web", Some(secret)).form(&form)
    };
    let refused = server.send(ask("wrong")).await;
    assert_eq!(
        (refused.status.as_u16(), refused.json()["error"].clone()),
        (401, json!("invalid_client"))
    );
    assert!(refused.header("www-authenticate").starts_with("Basic"));
    // A client that could not prove itself has not used the code up.
    let encoded = SECRET.replace(' ', "+");
    let url = server.url("/auth/token");
    let good = server.client.post(url).basic_auth("web", Some(encoded)).form(&form);
    let token = server.send(good).await;
    assert_eq!(token.status, 200, "{}", token.text);
    assert_eq!(token.json()["scope"], json!(scope), "as it was asked for, in its first form");
    assert_eq!(token.json().get("refresh_token"), None);
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_a_copy_ends_everything() {
    let server = spawn();
    let first = server.connect(ALL).await;
    let old = first["refresh_token"].as_str().unwrap();
    let answer = server.refresh(old).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    let second = answer.json();
    assert_eq!((&second["scope"], &second["patient"]), (&json!(ALL), &json!("p1")));
    assert!(second["id_token"].is_string());
    let new = second["refresh_token"].as_str().unwrap();
    assert_ne!(old, new);
    let access = second["access_token"].as_str().unwrap();
    assert_eq!(server.status("Patient/p1", access).await, 200);
    let reused = server.refresh(old).await;
    assert_eq!(
        (reused.status.as_u16(), reused.json()["error"].clone()),
        (400, json!("invalid_grant"))
    );
    assert_eq!(server.refresh(new).await.status, 400, "the family is gone");
    assert_eq!(server.status("Patient/p1", access).await, 401);
    assert_eq!(server.status("Patient/p1", first["access_token"].as_str().unwrap()).await, 401);
}

#[tokio::test]
async fn a_refresh_may_narrow_the_scopes_and_only_for_that_token() {
    let server = spawn();
    let first = server.connect(ALL).await;
    let refresh = |token: Value, scope: &'static str| {
        let server = &server;
        async move {
            let form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", token.as_str().unwrap()),
                ("client_id", "app"),
                ("scope", scope),
            ];
            server.form("/auth/token", &form).await
        }
    };
    let narrow = refresh(first["refresh_token"].clone(), "patient/Goal.r").await.json();
    assert_eq!(narrow["scope"], json!("patient/Goal.r"));
    assert_eq!(narrow.get("id_token"), None);
    let access = narrow["access_token"].as_str().unwrap();
    assert_eq!(server.status("Patient/p1", access).await, 403);
    for wider in ["patient/*.cruds", "user/*.rs", "patient/Goal.r nonsense"] {
        let refused = refresh(narrow["refresh_token"].clone(), wider).await;
        assert_eq!(refused.json()["error"], json!("invalid_scope"), "{wider}");
    }
    let whole = server.refresh(narrow["refresh_token"].as_str().unwrap()).await.json();
    assert_eq!(whole["scope"], json!(ALL));
}

#[tokio::test]
async fn a_code_that_comes_twice_ends_what_it_gave() {
    let server = spawn();
    let code = server.code("app", ALL).await;
    let token = server.redeem(&code).await.json();
    let access = token["access_token"].as_str().unwrap();
    assert_eq!(server.status("Patient/p1", access).await, 200);
    assert_eq!(server.redeem(&code).await.json()["error"], json!("invalid_grant"));
    assert_eq!(server.status("Patient/p1", access).await, 401);
    assert_eq!(server.refresh(token["refresh_token"].as_str().unwrap()).await.status, 400);
}

#[tokio::test]
async fn a_code_that_another_client_shows_stays_good_for_its_own() {
    let server = spawn();
    let code = server.code("app", ALL).await;
    for client in ["other", "elsewhere", "other"] {
        let theirs = redemption(&code)
            .map(|(name, value)| if name == "client_id" { (name, client) } else { (name, value) });
        let refused = server.form("/auth/token", &theirs).await;
        assert_eq!(refused.json()["error"], json!("invalid_grant"), "{client}");
    }
    let token = server.redeem(&code).await.json();
    let access = token["access_token"].as_str().unwrap();
    assert_eq!(server.status("Patient/p1", access).await, 200);
    // Its own client has used it up with a verifier that is wrong, whoever it was.
    let code = server.code("app", ALL).await;
    let wrong = redemption(&code)
        .map(|(name, value)| if name == "code_verifier" { (name, "x") } else { (name, value) });
    assert_eq!(server.form("/auth/token", &wrong).await.json()["error"], json!("invalid_grant"));
    assert_eq!(server.redeem(&code).await.json()["error"], json!("invalid_grant"));
}

#[tokio::test]
async fn what_a_person_takes_back_ends_at_once() {
    let server = spawn();
    let token = server.connect(ALL).await;
    let access = token["access_token"].as_str().unwrap();
    assert_eq!(server.status("Patient/p1", access).await, 200);
    let (authority, tenant) = (server.app.authority(), "hv".parse().unwrap());
    let grants = authority.grants_of(&tenant, "person-1", None).unwrap();
    assert_eq!((grants.len(), grants[0].name.as_str()), (1, "App app"));
    assert!(grants[0].used.is_some());
    server.revoke().await;
    assert_eq!(server.status("Patient/p1", access).await, 401);
    assert_eq!(server.refresh(token["refresh_token"].as_str().unwrap()).await.status, 400);
    assert!(authority.grants_of(&tenant, "person-1", None).unwrap().is_empty());
}

#[tokio::test]
async fn an_app_gives_its_tokens_back() {
    let server = spawn();
    let token = server.connect(ALL).await;
    let (access, refresh) =
        (token["access_token"].as_str().unwrap(), token["refresh_token"].as_str().unwrap());
    let revoke = |token: &str, client: &str| {
        let form = [("token", token.to_owned()), ("client_id", client.to_owned())];
        server.client.post(server.url("/auth/revoke")).form(&form)
    };
    assert_eq!(server.send(revoke(access, "other")).await.status, 200);
    assert_eq!(server.send(revoke(refresh, "other")).await.status, 200);
    assert_eq!(server.send(revoke("nonsense", "app")).await.status, 200);
    assert_eq!(server.status("Patient/p1", access).await, 200, "another client's word");
    assert_eq!(server.send(revoke(access, "app")).await.status, 200);
    assert_eq!(server.status("Patient/p1", access).await, 401);
    let second = server.refresh(refresh).await.json();
    let access = second["access_token"].as_str().unwrap();
    assert_eq!(server.status("Patient/p1", access).await, 200);
    let refresh = second["refresh_token"].as_str().unwrap();
    assert_eq!(server.send(revoke(refresh, "app")).await.status, 200);
    assert_eq!(server.status("Patient/p1", access).await, 401);
    assert_eq!(server.send(revoke(refresh, "nobody")).await.status, 401);
}

#[tokio::test]
async fn introspection_says_what_a_token_is_good_for_to_whom_it_concerns() {
    let server = spawn();
    let token = server.connect(ALL).await;
    let (access, refresh) =
        (token["access_token"].as_str().unwrap(), token["refresh_token"].as_str().unwrap());
    let ask = |token: &str| {
        server.client.post(server.url("/auth/introspect")).form(&[("token", token.to_owned())])
    };
    let secret = SECRET.replace(' ', "+");
    let by_web = |token: &str| ask(token).basic_auth("web", Some(&secret));
    for described in [
        server.send(by_web(access)).await.json(),
        server.send(ask(access).bearer_auth(access)).await.json(),
    ] {
        assert_eq!(described["active"], json!(true));
        assert_eq!((&described["client_id"], &described["scope"]), (&json!("app"), &json!(ALL)));
        assert_eq!((&described["patient"], &described["sub"]), (&json!("p1"), &json!("person-1")));
        assert_eq!(described["iss"], json!(server.url("")));
        assert_eq!(described["fhirUser"], json!(format!("{}/Patient/p1", server.base)));
        assert!(described["exp"].is_i64());
    }
    assert_eq!(server.send(by_web(refresh)).await.json()["active"], json!(true));
    let inactive = json!({ "active": false });
    assert_eq!(server.send(by_web("nonsense")).await.json(), inactive);
    let other = server.form("/auth/introspect", &[("token", access), ("client_id", "other")]).await;
    assert_eq!(other.json(), inactive, "another public client's token is none of its business");
    let elsewhere = [("token", access), ("client_id", "elsewhere")];
    assert_eq!(server.form("/auth/introspect", &elsewhere).await.json(), inactive);
    assert_eq!(server.send(ask(access)).await.status, 400, "nobody asks");
    assert_eq!(server.send(ask(access).bearer_auth("x")).await.status, 401);
    server.revoke().await;
    assert_eq!(server.send(by_web(access)).await.json(), inactive);
    assert_eq!(server.send(by_web(refresh)).await.json(), inactive);
}

fn backend(id: &str, keys: &Value) -> ClientSettings {
    client(id, "asymmetric", &json!({ "redirect_uris": [BACK], "jwks": keys }))
}

#[tokio::test]
async fn a_backend_gets_a_token_by_its_signature_alone() {
    for signer in [Signer::ec("k1"), Signer::rsa("k1")] {
        let clients = vec![backend("ehr", &signer.jwks())];
        let server = spawn_as_new(Config { clients, ..Config::default() });
        server.store("hv", "people", &[patient("p1")]);
        let endpoint = server.url("/auth/token");
        let assertion = signer.sign(&claims("ehr", &endpoint, "j1"));
        let form = backend_form(&assertion, "system/*.rs system/Patient.cruds");
        let answer = server.form("/auth/token", &form).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let token = answer.json();
        assert_eq!(token["scope"], json!("system/*.rs system/Patient.rs"));
        assert_eq!((token.get("refresh_token"), token.get("id_token")), (None, None));
        let access = token["access_token"].as_str().unwrap();
        assert_eq!(server.status("Patient/p1", access).await, 200);
        let again = server.form("/auth/token", &form).await;
        assert_eq!(again.json()["error"], json!("invalid_client"), "an assertion is good once");
    }
}

pub(crate) fn backend_form<'a>(assertion: &'a str, scope: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("grant_type", "client_credentials"),
        ("scope", scope),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ]
}

#[tokio::test]
async fn a_launch_gives_its_context_with_the_token() {
    let server = spawn();
    let launch = Launch {
        tenant: "hv".parse().unwrap(),
        patient: Some("p1".parse().unwrap()),
        encounter: Some("e1".parse().unwrap()),
        user: Some("Patient/p1".parse().unwrap()),
        client: Some("app".into()),
        told: Told {
            intent: Some("reconcile".into()),
            need_patient_banner: Some(false),
            smart_style_url: Some(server.url("/auth/style")),
            tenant: Some("hv".into()),
            fhir_context: vec![json!({ "reference": "Goal/g1" })],
        },
    };
    let launch = server.launch(launch).await;
    let scope = "launch patient/*.rs";
    let begun = server.begin(&with(request(&server, scope), "launch", Some(&launch))).await;
    let mut approval = approval(scope);
    approval.encounter = Some("e1".parse().unwrap());
    let back = server.approve(&begun, approval).await;
    let code = parameter(&back, "code").unwrap();
    let token = server.form("/auth/token", &redemption(&code)).await.json();
    for (name, value) in [
        ("patient", json!("p1")),
        ("encounter", json!("e1")),
        ("intent", json!("reconcile")),
        ("need_patient_banner", json!(false)),
        ("smart_style_url", json!(server.url("/auth/style"))),
        ("tenant", json!("hv")),
        ("fhirContext", json!([{ "reference": "Goal/g1" }])),
    ] {
        assert_eq!(token[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_page_in_a_browser_may_ask_for_its_token() {
    let server = spawn();
    let asks = server
        .request(Method::OPTIONS, &server.url("/auth/token"))
        .header("Origin", "http://127.0.0.1:4567")
        .header("Access-Control-Request-Method", "POST");
    let answer = server.send(asks).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (204, "*"));
    let wrong = server.client.post(server.url("/auth/token"));
    let wrong = wrong.header("Origin", "http://127.0.0.1:4567").form(&[("grant_type", "x")]);
    let answer = server.send(wrong).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (400, "*"));
    let authorize = server.client.get(server.url("/auth/authorize"));
    let authorize = server.send(authorize.header("Origin", "http://127.0.0.1:4567")).await;
    assert_eq!(authorize.header("access-control-allow-origin"), "");
}
