//! What is refused at the token endpoint and with a token, one row each.

use std::future::Future;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};
use throughline::app::Config;
use throughline::config::{AuthSettings, CacheSettings};

use crate::smart_token::backend_form;
use crate::support::redis::RedisServer;
use crate::support::server::{Server, spawn_as, spawn_as_new};
use crate::support::signer::{Signer, claims, now};
use crate::support::smart::{BACK, SECRET, VERIFIER, challenge, client, clients};

const ALL: &str = "openid launch/patient offline_access patient/*.rs";

fn spawn() -> Server {
    spawn_as_new(Config { clients: clients(), ..Config::default() })
}

/// A change to a form: a parameter, and its value if it is to be there.
type Change<'a> = (&'a str, Option<&'a str>);

#[tokio::test]
async fn a_code_is_good_for_its_client_its_address_and_its_verifier_alone() {
    let server = spawn();
    let plain = challenge(VERIFIER);
    let rows: &[(&str, &[Change<'_>], u16, &str)] = &[
        ("no verifier", &[("code_verifier", None)], 400, "invalid_request"),
        ("a blank verifier", &[("code_verifier", Some(""))], 400, "invalid_request"),
        ("a wrong verifier", &[("code_verifier", Some("x"))], 400, "invalid_grant"),
        ("the challenge as verifier", &[("code_verifier", Some(&plain))], 400, "invalid_grant"),
        ("no code", &[("code", None)], 400, "invalid_request"),
        ("a wrong code", &[("code", Some("x"))], 400, "invalid_grant"),
        ("no redirect URI", &[("redirect_uri", None)], 400, "invalid_request"),
        (
            "another of its addresses",
            &[("redirect_uri", Some("http://127.0.0.1:4567/redirect"))],
            400,
            "invalid_grant",
        ),
        (
            "an address of nobody",
            &[("redirect_uri", Some("https://evil.example/"))],
            400,
            "invalid_grant",
        ),
        ("another client", &[("client_id", Some("other"))], 400, "invalid_grant"),
        ("a client of another tenant", &[("client_id", Some("elsewhere"))], 400, "invalid_grant"),
        ("no client", &[("client_id", None)], 400, "invalid_request"),
        ("an unknown client", &[("client_id", Some("nobody"))], 401, "invalid_client"),
        (
            "a client with a secret, without it",
            &[("client_id", Some("web"))],
            401,
            "invalid_client",
        ),
        (
            "a client's name with a line break",
            &[("client_id", Some("app\r\nX: y"))],
            401,
            "invalid_client",
        ),
        (
            "a secret in the form",
            &[("client_id", Some("web")), ("client_secret", Some("x"))],
            400,
            "invalid_request",
        ),
        ("no grant type", &[("grant_type", None)], 400, "invalid_request"),
        ("the password grant", &[("grant_type", Some("password"))], 400, "unsupported_grant_type"),
        ("a made-up grant", &[("grant_type", Some("x"))], 400, "unsupported_grant_type"),
        (
            "client credentials of an app",
            &[("grant_type", Some("client_credentials")), ("scope", Some("system/*.rs"))],
            400,
            "unauthorized_client",
        ),
        (
            "a code as refresh token",
            &[("grant_type", Some("refresh_token")), ("refresh_token", Some("x"))],
            400,
            "invalid_grant",
        ),
        ("no refresh token", &[("grant_type", Some("refresh_token"))], 400, "invalid_request"),
        (
            "an assertion type alone",
            &[("client_assertion_type", Some("x"))],
            400,
            "invalid_request",
        ),
        ("an assertion alone", &[("client_assertion", Some("x"))], 400, "invalid_request"),
    ];
    for (name, changes, status, error) in rows {
        let code = server.code("app", ALL).await;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", BACK),
            ("client_id", "app"),
            ("code_verifier", VERIFIER),
        ];
        for (parameter, value) in *changes {
            form.retain(|(known, _)| known != parameter);
            form.extend(value.map(|value| (*parameter, value)));
        }
        let answer = server.form("/auth/token", &form).await;
        assert_eq!(answer.status.as_u16(), *status, "{name}: {}", answer.text);
        assert_eq!(answer.json()["error"], json!(error), "{name}");
        assert_eq!(answer.header("cache-control"), "no-store", "{name}");
        assert_eq!(answer.header("pragma"), "no-cache", "{name}");
        assert!(!answer.text.contains(&code), "{name}");
    }
    let code = server.code("app", ALL).await;
    let twice = [("code", code.as_str()), ("code", "x"), ("grant_type", "authorization_code")];
    assert_eq!(server.form("/auth/token", &twice).await.json()["error"], "invalid_request");
}

#[tokio::test]
async fn a_refresh_token_is_its_clients_alone() {
    let server = spawn();
    let token = server.connect(ALL).await;
    let refresh = token["refresh_token"].as_str().unwrap();
    for (client, status, error) in [
        ("other", 400, "invalid_grant"),
        ("elsewhere", 400, "invalid_grant"),
        ("web", 401, "invalid_client"),
        ("nobody", 401, "invalid_client"),
    ] {
        let form =
            [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", client)];
        let answer = server.form("/auth/token", &form).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (status, &json!(error)));
    }
    assert_eq!(server.refresh(refresh).await.status, 200, "it is still good for its own");
    let access = token["access_token"].as_str().unwrap();
    assert_eq!(server.refresh(access).await.status, 400, "an access token is no refresh token");
    let refresh = server.connect(ALL).await["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(server.status("Patient", &refresh).await, 401, "a refresh token is no access token");
}

#[tokio::test]
async fn who_guesses_secrets_waits() {
    let server = spawn();
    let guess = |secret: &str, client: &'static str| {
        let url = server.url("/auth/token");
        let form = [("grant_type", "client_credentials"), ("scope", "system/*.rs")];
        server.client.post(url).basic_auth(client, Some(secret)).form(&form)
    };
    for number in 0..10 {
        let answer = server.send(guess(&number.to_string(), "web")).await;
        assert_eq!(answer.status, 401, "{number}");
    }
    let answer = server.send(guess(SECRET, "web")).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "60"));
    assert_eq!(answer.json()["error"], "slow_down");
    let other = server.send(guess("x", "app")).await;
    assert_eq!(other.status, 401, "another client is not held up");
}

#[tokio::test]
async fn replicas_count_guesses_together_and_each_for_itself_while_redis_is_down() {
    let Some(mut redis) = RedisServer::start().await else { return };
    let data = Arc::new(tempfile::tempdir().unwrap());
    let cache = CacheSettings::with_redis(Some(redis.url().into()));
    let replica = || {
        let (clients, cache) = (clients(), cache.clone());
        spawn_as(Arc::clone(&data), Config { clients, cache, ..Config::default() })
    };
    let (one, other) = (replica(), replica());
    let guess = async |server: &Server, secret: &str, client: &'static str| {
        let form = [("grant_type", "client_credentials"), ("scope", "system/*.rs")];
        let request = server.client.post(server.url("/auth/token"));
        server.send(request.basic_auth(client, Some(secret)).form(&form)).await.status.as_u16()
    };
    for number in 0..10 {
        let server = if number % 2 == 0 { &one } else { &other };
        assert_eq!(guess(server, "wrong", "web").await, 401, "{number}");
    }
    assert_eq!([guess(&one, SECRET, "web").await, guess(&other, SECRET, "web").await], [429, 429]);
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis.connect()).unwrap();
    let names: Vec<_> = names.iter().filter(|name| name.contains(":limit:")).collect();
    assert_eq!(names.len(), 2, "the client here, and all clients here");
    assert!(!names.iter().any(|name| name.contains("web") || name.contains("127")), "{names:?}");
    for name in names {
        let left: i64 = redis::cmd("PTTL").arg(name).query(&mut redis.connect()).unwrap();
        assert!((1..=60_000).contains(&left), "it ends: {left}");
    }
    redis.kill();
    for number in 5..10 {
        assert_eq!(guess(&one, "wrong", "web").await, 401, "it saw five of ten: {number}");
    }
    assert_eq!(guess(&one, SECRET, "web").await, 429, "it goes by its own count");
}

/// One assertion after the other at an asymmetric client's token endpoint.
async fn assertion<F>(name: &str, server: &Server, text: String, expected: F)
where
    F: Future<Output = u16>,
{
    let answer = server.form("/auth/token", &backend_form(&text, "system/*.rs")).await;
    let expected = expected.await;
    assert_eq!(answer.status.as_u16(), expected, "{name}: {}", answer.text);
    if expected == 401 {
        assert_eq!(answer.json()["error"], "invalid_client", "{name}");
        let told = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert_eq!(told, "the client did not prove that it is itself", "{name}");
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn an_assertion_proves_its_client_or_nothing() {
    let (ec, rsa, stranger) = (Signer::ec("ec"), Signer::rsa("rsa"), Signer::ec("ec"));
    let keys = json!({ "keys": [ec.jwk(), rsa.jwk()] });
    let asymmetric = |id: &str| client(id, "asymmetric", &json!({ "jwks": keys }));
    let mut clients = clients();
    clients.extend([asymmetric("ehr"), asymmetric("gone")]);
    clients.last_mut().unwrap().disabled = true;
    let auth = AuthSettings { guesses_a_minute: 1_000, ..AuthSettings::default() };
    let server = spawn_as_new(Config { clients, auth, ..Config::default() });
    let endpoint = server.url("/auth/token");
    let good = |jti: &str| claims("ehr", &endpoint, jti);
    let changed = |jti: &str, change: &dyn Fn(&mut Value)| {
        let mut claims = good(jti);
        change(&mut claims);
        ec.sign(&claims)
    };
    let at = |seconds: i64| now() + seconds;
    let public = serde_json::to_vec(&rsa.jwk()).unwrap();
    let hmac = |alg| {
        let mut header = Header::new(alg);
        header.kid = Some("rsa".into());
        jsonwebtoken::encode(&header, &good("h"), &EncodingKey::from_secret(&public)).unwrap()
    };
    let unsigned = {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(json!({ "alg": "none", "kid": "ec" })), part(good("n")))
    };
    let tampered = {
        let text = ec.sign(&good("t"));
        let parts: Vec<_> = text.split('.').collect();
        let claims = URL_SAFE_NO_PAD.encode(good("u").to_string());
        format!("{}.{claims}.{}", parts[0], parts[2])
    };
    let rows: Vec<(&str, String, u16)> = vec![
        ("ES384 in order", ec.sign(&good("1")), 200),
        ("RS384 in order", rsa.sign(&good("2")), 200),
        ("the same once more", ec.sign(&good("1")), 401),
        ("the same by another key", rsa.sign(&good("1")), 401),
        ("two audiences", changed("3", &|c| c["aud"] = json!(["x", endpoint])), 200),
        ("a clock a little ahead", changed("4", &|c| c["iat"] = json!(at(5))), 200),
        ("the FHIR base as audience", changed("5", &|c| c["aud"] = json!(server.base)), 401),
        ("the issuer as audience", changed("6", &|c| c["aud"] = json!(server.url(""))), 401),
        ("no audience", changed("7", &|c| c["aud"] = Value::Null), 401),
        ("over", changed("8", &|c| c["exp"] = json!(at(-20))), 401),
        ("good for too long", changed("9", &|c| c["exp"] = json!(at(900))), 401),
        ("no expiry", changed("10", &|c| c["exp"] = Value::Null), 401),
        ("not yet good", changed("11", &|c| c["nbf"] = json!(at(120))), 401),
        ("made tomorrow", changed("12", &|c| c["iat"] = json!(at(86_400))), 401),
        ("no jti", changed("13", &|c| c["jti"] = Value::Null), 401),
        ("a blank jti", changed("", &|_| ()), 401),
        ("a very long jti", changed(&"j".repeat(300), &|_| ()), 401),
        ("another issuer", changed("14", &|c| c["iss"] = json!("other")), 401),
        ("another subject", changed("15", &|c| c["sub"] = json!("web")), 401),
        ("an unknown client", ec.sign(&claims("nobody", &endpoint, "16")), 401),
        ("a disabled client", ec.sign(&claims("gone", &endpoint, "17")), 401),
        ("a client with a secret", ec.sign(&claims("web", &endpoint, "18")), 401),
        ("a public client", ec.sign(&claims("app", &endpoint, "19")), 401),
        ("a stranger's key of the same name", stranger.sign(&good("20")), 401),
        ("no key id", ec.sign_as(&good("21"), |h| h.kid = None), 401),
        ("the other key's id", ec.sign_as(&good("22"), |h| h.kid = Some("rsa".into())), 401),
        (
            "a key id that is a path",
            ec.sign_as(&good("23"), |h| h.kid = Some("../../dev/null".into())),
            401,
        ),
        (
            "a key id that is SQL",
            ec.sign_as(&good("24"), |h| h.kid = Some("' OR 1=1 --".into())),
            401,
        ),
        (
            "an unknown critical header",
            ec.sign_as(&good("25"), |h| h.crit = Some(vec!["x".into()])),
            401,
        ),
        (
            "a key set of its own choice",
            ec.sign_as(&good("26"), |h| h.jku = Some("https://evil.example/".into())),
            401,
        ),
        (
            "a certificate of its own choice",
            ec.sign_as(&good("27"), |h| h.x5u = Some("https://evil.example/".into())),
            401,
        ),
        (
            "a key of its own in the header",
            stranger
                .sign_as(&good("28"), |h| h.jwk = serde_json::from_value(stranger.jwk()).unwrap()),
            401,
        ),
        (
            "a certificate in the header",
            ec.sign_as(&good("29"), |h| h.x5c = Some(vec!["x".into()])),
            401,
        ),
        ("an access token's type", ec.sign_as(&good("30"), |h| h.typ = Some("at+jwt".into())), 401),
        (
            "RS256",
            jsonwebtoken::encode(
                &Header { kid: Some("rsa".into()), ..Header::new(Algorithm::RS256) },
                &good("31"),
                &rsa.key,
            )
            .unwrap(),
            401,
        ),
        ("the public key as the secret of HS256", hmac(Algorithm::HS256), 401),
        ("the public key as the secret of HS384", hmac(Algorithm::HS384), 401),
        ("no signature", unsigned, 401),
        ("other claims under the signature", tampered, 401),
        ("not a JWT", "x".to_owned(), 401),
        ("half a JWT", "e30.e30".to_owned(), 401),
        ("a very long one", "x".repeat(20_000), 401),
        ("a line break", "x\r\nSet-Cookie: a=b".to_owned(), 401),
    ];
    assert!(rows.len() >= 40);
    for (name, text, status) in rows {
        assertion(name, &server, text, async move { status }).await;
    }
    let text = ec.sign(&good("k"));
    let mut form = backend_form(&text, "system/*.rs").to_vec();
    form[2].1 = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    assert_eq!(server.form("/auth/token", &form).await.status, 400, "another kind of assertion");
    form[2] = ("client_id", "other");
    assert_eq!(server.form("/auth/token", &form).await.status, 400, "without its kind");
    let text = ec.sign(&good("l"));
    let form = [&backend_form(&text, "system/*.rs")[..], &[("client_id", "other")]].concat();
    assert_eq!(server.form("/auth/token", &form).await.status, 401, "two clients");
    for scope in ["", "patient/*.rs", "openid", "nonsense", "user/*.rs"] {
        let text = ec.sign(&good(&format!("s{scope}")));
        let answer = server.form("/auth/token", &backend_form(&text, scope)).await;
        assert_eq!(answer.json()["error"], json!("invalid_scope"), "{scope}");
    }
}

#[tokio::test]
async fn a_replayed_assertion_is_known_on_every_replica() {
    let signer = Signer::ec("k");
    let clients = vec![client("ehr", "asymmetric", &json!({ "jwks": signer.jwks() }))];
    let data = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let config = || Config { clients: clients.clone(), ..Config::default() };
    let one = crate::support::server::spawn_as(data.clone(), config());
    let other = crate::support::server::spawn_as(data, config());
    let text = signer.sign(&json!({
        "iss": "ehr", "sub": "ehr", "exp": now() + 240, "jti": "j",
        "aud": [one.url("/auth/token"), other.url("/auth/token")]
    }));
    let form = backend_form(&text, "system/*.rs");
    assert_eq!(one.form("/auth/token", &form).await.status, 200);
    assert_eq!(other.form("/auth/token", &form).await.status, 401);
    assert_eq!(one.form("/auth/token", &form).await.status, 401);
}

#[tokio::test]
async fn a_replayed_assertion_is_known_when_redis_has_lost_everything() {
    let mut redis = RedisServer::start().await.unwrap();
    let signer = Signer::ec("k");
    let clients = vec![client("ehr", "asymmetric", &json!({ "jwks": signer.jwks() }))];
    let data = Arc::new(tempfile::tempdir().unwrap());
    let cache = CacheSettings::with_redis(Some(redis.url().into()));
    let replica = || {
        let (clients, cache) = (clients.clone(), cache.clone());
        spawn_as(Arc::clone(&data), Config { clients, cache, ..Config::default() })
    };
    let (one, other) = (replica(), replica());
    let text = signer.sign(&json!({
        "iss": "ehr", "sub": "ehr", "exp": now() + 240, "jti": "j",
        "aud": [one.url("/auth/token"), other.url("/auth/token")]
    }));
    let form = backend_form(&text, "system/*.rs");
    assert_eq!(one.form("/auth/token", &form).await.status, 200);
    let _: () = redis::cmd("FLUSHALL").query(&mut redis.connect()).unwrap();
    assert_eq!(other.form("/auth/token", &form).await.status, 401, "emptied");
    redis.kill();
    assert_eq!(other.form("/auth/token", &form).await.status, 401, "gone");
    assert!(redis.start_again().await);
    assert_eq!(one.form("/auth/token", &form).await.status, 401, "back, and empty");
}

#[tokio::test]
async fn what_is_taken_back_on_one_replica_ends_on_all_within_a_second() {
    let data = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let config = || Config { clients: clients(), ..Config::default() };
    let one = crate::support::server::spawn_as(data.clone(), config());
    let other = crate::support::server::spawn_as(data, config());
    let token = one.connect(ALL).await;
    let access = token["access_token"].as_str().unwrap();
    assert_eq!(other.status("Goal", access).await, 200);
    one.revoke().await;
    let begin = std::time::Instant::now();
    assert_eq!(one.status("Goal", access).await, 401, "at once where it happened");
    while other.status("Goal", access).await == 200 {
        assert!(begin.elapsed().as_millis() < 1_000, "it survived a second");
    }
}

#[tokio::test]
async fn a_disabled_client_may_do_nothing() {
    let server = spawn();
    let clients = server.app.authority().clients();
    clients.add(client("stored", "public", &json!({}))).unwrap();
    let code = server.code("stored", ALL).await;
    let form = |code: &str| {
        [
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", BACK.to_owned()),
            ("client_id", "stored".to_owned()),
            ("code_verifier", VERIFIER.to_owned()),
        ]
    };
    let send = |form| server.send(server.client.post(server.url("/auth/token")).form(&form));
    let token = send(form(&code).to_vec()).await.json();
    let access = token["access_token"].as_str().unwrap();
    assert_eq!(server.status("Goal", access).await, 200);
    let other = server.code("stored", ALL).await;
    clients.disable("stored", true).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(server.status("Goal", access).await, 401);
    assert_eq!(send(form(&other).to_vec()).await.status, 401);
    let refresh = token["refresh_token"].as_str().unwrap().to_owned();
    let again = vec![
        ("grant_type", "refresh_token".to_owned()),
        ("refresh_token", refresh),
        ("client_id", "stored".to_owned()),
    ];
    assert_eq!(send(again).await.status, 401);
}

#[tokio::test]
async fn a_bearer_token_is_shown_in_one_way() {
    let server = spawn();
    let token = server.connect(ALL).await["access_token"].as_str().unwrap().to_owned();
    let get = || server.request(Method::GET, "Goal");
    let bearer = format!("Bearer {token}");
    for (name, request, status) in [
        ("as it should be", get().header("Authorization", &bearer), 200),
        ("in lower case", get().header("Authorization", format!("bearer {token}")), 200),
        ("none", get(), 401),
        ("twice", get().header("Authorization", &bearer).header("Authorization", &bearer), 401),
        ("as Basic", get().header("Authorization", format!("Basic {token}")), 401),
        ("without its kind", get().header("Authorization", &token), 401),
        ("in the URL", server.request(Method::GET, &format!("Goal?access_token={token}")), 401),
        ("cut", get().bearer_auth(&token[..token.len() - 4]), 401),
        ("with a letter more", get().bearer_auth(format!("{token}A")), 401),
    ] {
        assert_eq!(server.send(request).await.status.as_u16(), status, "{name}");
    }
}
