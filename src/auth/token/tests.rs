//! What passes for a token, and what does not.

use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::EncodingKey;

use super::*;

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

fn tokens() -> (tempfile::TempDir, Arc<Hand>, Tokens) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Hand(AtomicI64::new(1_700_000_000)));
    let tokens = Tokens::new(&Keys::open(folder.path()).unwrap(), clock.clone()).unwrap();
    (folder, clock, tokens)
}

fn grant() -> Grant {
    Grant {
        tenant: "hv".parse().unwrap(),
        subject: "demo".into(),
        scopes: vec!["system/*.rs".into()],
        lifetime: Duration::from_mins(1),
    }
}

#[test]
fn a_token_says_who_calls_until_it_expires() {
    let (_folder, clock, tokens) = tokens();
    let token = tokens.mint(&grant()).unwrap();
    let verified = tokens.verify(&token).unwrap();
    assert_eq!(verified.principal.tenant.as_str(), "hv");
    assert_eq!(verified.principal.scopes.to_string(), "system/*.rs");
    assert!(tokens.verify(&token).is_ok());
    clock.0.fetch_add(60, Ordering::Relaxed);
    assert!(tokens.verify(&token).is_err());
}

#[test]
fn a_token_carries_its_context() {
    let (_folder, _, tokens) = tokens();
    let principal = Principal {
        client: "app".into(),
        patient: Some("ann".parse().unwrap()),
        encounter: Some("visit".parse().unwrap()),
        fhir_user: Some("Patient/ann".parse().unwrap()),
        ..Principal::new("hv".parse().unwrap(), "ann", "patient/*.read openid")
    };
    let (token, jti) = tokens.issue(&principal, Duration::from_mins(5), Some("g1")).unwrap();
    let verified = tokens.verify(&token).unwrap();
    let read = &verified.principal;
    assert_eq!((verified.jti.as_str(), verified.grant.as_deref()), (jti.as_str(), Some("g1")));
    assert_eq!((read.client.as_str(), read.subject.as_str()), ("app", "ann"));
    assert_eq!((&read.patient, &read.fhir_user), (&principal.patient, &principal.fhir_user));
    assert_eq!(read.encounter, principal.encounter);
    assert_eq!(read.scopes, principal.scopes);
    assert_eq!(verified.expires - verified.issued, 300);
}

#[test]
fn a_token_of_another_installation_is_refused() {
    let (_one, _, tokens_of_one) = tokens();
    let (_other, _, tokens_of_other) = tokens();
    let token = tokens_of_one.mint(&grant()).unwrap();
    assert!(tokens_of_other.verify(&token).is_err());
}

#[test]
fn a_token_outlives_a_rotation_of_keys() {
    let (folder, clock, tokens) = tokens();
    let token = tokens.mint(&grant()).unwrap();
    Keys::rotate(folder.path(), clock.now().as_second()).unwrap();
    tokens.renew(&Keys::open(folder.path()).unwrap()).unwrap();
    assert_eq!(tokens.key_set().keys.len(), 5, "two pairs, and the one that signs archives");
    let fresh = Tokens::new(&Keys::open(folder.path()).unwrap(), clock.clone()).unwrap();
    assert!(fresh.verify(&token).is_ok());
    clock.0.fetch_add(3600, Ordering::Relaxed);
    let newer = fresh.mint(&grant()).unwrap();
    let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid;
    assert_ne!(kid(&newer), kid(&token));
    assert!(tokens.verify(&newer).is_ok());
}

#[test]
fn a_changed_token_is_refused() {
    let (_folder, _, tokens) = tokens();
    let token = tokens.mint(&grant()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
    let claims = String::from_utf8(claims).unwrap().replace("\"hv\"", "\"xx\"");
    let forged = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims), parts[2]);
    assert!(tokens.verify(&forged).is_err());
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
    assert!(tokens.verify(&format!("{none}.{}.", parts[1])).is_err());
    for garbage in ["", ".", "..", "a.b.c", "Bearer", &"x".repeat(10_000)] {
        assert!(tokens.verify(garbage).is_err(), "{garbage}");
    }
}

#[test]
fn only_our_header_passes() {
    type Change = &'static dyn Fn(&mut Header);
    let (_folder, _, tokens) = tokens();
    let good = tokens.mint(&grant()).unwrap();
    let claims = jsonwebtoken::dangerous::insecure_decode::<serde_json::Value>(&good).unwrap();
    let ring = tokens.ring.load();
    let key = ring.signing(Signing::ES384, 0).unwrap();
    let sign = |change: &dyn Fn(&mut Header)| {
        let mut header = Header::new(Algorithm::ES384);
        (header.typ, header.kid) = (Some(TYPE.into()), Some(key.kid.clone()));
        change(&mut header);
        jsonwebtoken::encode(&header, &claims.claims, &key.encoding).unwrap()
    };
    assert!(tokens.verify(&sign(&|_| ())).is_ok());
    let changes: [(&str, Change); 5] = [
        ("no type", &|header| header.typ = None),
        ("an id token", &|header| header.typ = Some("JWT".into())),
        ("no key id", &|header| header.kid = None),
        ("another key id", &|header| header.kid = Some("../keys.json".into())),
        ("a critical extension", &|header| header.crit = Some(vec!["exp".into()])),
    ];
    for (name, change) in changes {
        assert!(tokens.verify(&sign(change)).is_err(), "{name}");
    }
    // The public half of a key as the secret of an HMAC.
    let public = serde_json::to_vec(&key.jwk).unwrap();
    let mut header = Header::new(Algorithm::HS384);
    (header.typ, header.kid) = (Some(TYPE.into()), Some(key.kid.clone()));
    let forged = jsonwebtoken::encode(&header, &claims.claims, &EncodingKey::from_secret(&public));
    assert!(tokens.verify(&forged.unwrap()).is_err());
    let id = tokens.sign(Signing::RS256, TYPE, &claims.claims).unwrap();
    assert!(tokens.verify(&id).is_err(), "the key of id tokens");
}
