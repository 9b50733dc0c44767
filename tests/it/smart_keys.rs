//! Keys of others, fetched from where they said: of backends, and of issuers that are believed.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use throughline::app::Config;
use throughline::config::{AuthSettings, IssuerSettings};

use crate::smart_token::backend_form;
use crate::support::server::{Server, spawn_as_new};
use crate::support::signer::{Signer, claims, now};
use crate::support::smart::client;

/// A place where a key set is, on loopback.
struct Place {
    url: String,
    answer: Arc<Mutex<(String, String)>>,
    asked: Arc<AtomicUsize>,
}

impl Place {
    /// Gives these keys, to be kept as a header field says.
    fn new(keys: &Value, field: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new((keys.to_string(), field.to_owned())));
        let asked = Arc::new(AtomicUsize::new(0));
        let (given, counted) = (Arc::clone(&answer), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                counted.fetch_add(1, Ordering::SeqCst);
                let (body, field) = given.lock().unwrap().clone();
                let status = if field.starts_with("Location") { "302 Found" } else { "200 OK" };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\n{field}\r\nContent-Length: {length}\r\n\
                     Connection: close\r\n\r\n"
                );
                let sent = stream.write_all(head.as_bytes());
                drop(sent.and_then(|()| stream.write_all(body.as_bytes())));
            }
        });
        Self { url, answer, asked }
    }

    fn give(&self, keys: &Value) {
        self.answer.lock().unwrap().0 = keys.to_string();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn spawn(url: &str, networks: &[&str]) -> Server {
    let clients = vec![client("ehr", "asymmetric", &json!({ "jwks_url": url }))];
    let private_networks = networks.iter().map(|&network| network.to_owned()).collect();
    let auth = AuthSettings { private_networks, ..AuthSettings::default() };
    spawn_as_new(Config { clients, auth, ..Config::default() })
}

async fn ask(server: &Server, signer: &Signer, jti: &str) -> u16 {
    let text = signer.sign(&claims("ehr", &server.url("/auth/token"), jti));
    server.form("/auth/token", &backend_form(&text, "system/*.rs")).await.status.as_u16()
}

#[tokio::test]
async fn a_key_set_is_kept_as_long_as_it_says_and_looked_for_anew_for_a_new_key() {
    let (old, new) = (Signer::ec("old"), Signer::ec("new"));
    let place = Place::new(&old.jwks(), "Cache-Control: max-age=600");
    let server = spawn(&place.url, &["127.0.0.0/8"]);
    assert_eq!(ask(&server, &old, "1").await, 200);
    assert_eq!(ask(&server, &old, "2").await, 200);
    assert_eq!(place.asked(), 1, "it is kept");
    assert_eq!(ask(&server, &new, "3").await, 401);
    assert_eq!(place.asked(), 1, "nobody is asked again within seconds");
    place.give(&json!({ "keys": [new.jwk()] }));
    tokio::time::sleep(std::time::Duration::from_millis(5_200)).await;
    assert_eq!(ask(&server, &new, "4").await, 200, "a key that is not known is looked for");
    assert_eq!(ask(&server, &old, "5").await, 401, "a key that is gone proves nothing");
    let unkept = Place::new(&old.jwks(), "Cache-Control: no-store");
    let server = spawn(&unkept.url, &["127.0.0.0/8"]);
    assert_eq!(ask(&server, &old, "1").await, 200);
    assert_eq!(ask(&server, &old, "2").await, 200);
    assert_eq!(unkept.asked(), 2, "it is not kept");
}

#[tokio::test]
async fn a_key_set_is_not_fetched_from_inside() {
    let signer = Signer::ec("k");
    let place = Place::new(&signer.jwks(), "Cache-Control: no-store");
    let server = spawn(&place.url, &[]);
    assert_eq!(ask(&server, &signer, "1").await, 401);
    assert_eq!(place.asked(), 0, "loopback is not asked unless it is allowed");
    let moved = Place::new(&json!({}), &format!("Location: {}", place.url));
    let server = spawn(&moved.url, &["127.0.0.0/8"]);
    assert_eq!(ask(&server, &signer, "2").await, 401);
    assert_eq!((moved.asked(), place.asked()), (1, 0), "a redirect is not followed");
    let large = Place::new(&json!({ "keys": [], "x": "x".repeat(100_000) }), "X: y");
    let server = spawn(&large.url, &["127.0.0.0/8"]);
    assert_eq!(ask(&server, &signer, "3").await, 401);
}

#[tokio::test]
async fn a_token_of_a_believed_issuer_reaches_as_far_as_the_settings_say() {
    let (theirs, stranger) = (Signer::rsa("k"), Signer::rsa("k"));
    let place = Place::new(&theirs.jwks(), "Cache-Control: max-age=600");
    let issuer = IssuerSettings {
        issuer: "https://idp.example".into(),
        jwks_url: place.url.clone(),
        audience: "throughline".into(),
        tenant: "hv".into(),
        scopes: "patient/*.rs system/Goal.rs".into(),
    };
    let auth = AuthSettings {
        private_networks: vec!["127.0.0.0/8".into()],
        issuers: vec![issuer],
        ..AuthSettings::default()
    };
    let server = spawn_as_new(Config { auth, ..Config::default() });
    let good = json!({
        "iss": "https://idp.example", "aud": "throughline", "sub": "u1", "client_id": "c1",
        "exp": now() + 60, "scope": "system/*.rs patient/Goal.rs", "patient": "p1",
        "fhirUser": "https://fhir.example/Patient/p1"
    });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        theirs.sign(&claims)
    };
    let token = theirs.sign(&good);
    assert_eq!(server.status("Goal", &token).await, 200);
    assert_eq!(server.status("Observation", &token).await, 403, "the settings' scopes bound it");
    for (name, wrong) in [
        ("another issuer", with("iss", json!("https://evil.example"))),
        ("another audience", with("aud", json!("other"))),
        ("over", with("exp", json!(now() - 1))),
        ("not yet good", with("nbf", json!(now() + 60))),
        ("no subject", with("sub", Value::Null)),
        ("a patient that is none", with("patient", json!("a b"))),
        ("a user that is none", with("fhirUser", json!("Device/d"))),
        ("a stranger's signature", stranger.sign(&good)),
        ("an unknown critical header", theirs.sign_as(&good, |h| h.crit = Some(vec!["x".into()]))),
        ("no key id", theirs.sign_as(&good, |h| h.kid = None)),
    ] {
        assert_eq!(server.status("Goal", &wrong).await, 401, "{name}");
    }
}
