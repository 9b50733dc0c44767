//! What a person's own app is answered: its token comes from the authorization server, is bound to one
//! patient, and looks under what that patient may see.

use std::io::{self, Write};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use throughline::app::App;
use throughline::clock::{Clock, SystemClock};
use throughline::config::ClientSettings;
use throughline::domain::FhirId;
use throughline::policy::{Grantee, Scopes};
use throughline::smart::{Approval, Credentials, TokenRequest};
use url::Url;

use crate::http::{Case, Row, compare, open, serve_with};
use crate::permit::given_to;
use crate::practice;

/// The app, and where it is sent back to.
const APP: &str = "app";
const BACK: &str = "https://app.example/back";
const SCOPES: &str = "launch/patient patient/*.rs";
/// Its secret of one request (RFC 7636).
const VERIFIER: &str = "a-verifier-of-the-benchmark-that-has-43-letters-or-more";

/// Measures and reports.
pub(crate) fn run(out: &mut impl Write) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (few, many) = (practice::APART, practice::APART + 1_000_000);
    let mut servers = Vec::new();
    for keeps in [false, true] {
        let app = open(folder.path(), &Case::with_app(client(), keeps));
        if app.store().resource_counts().unwrap().is_empty() {
            practice::fill(app.store(), 0..1_000);
            let own = given_to(&Grantee::of_patient());
            practice::fill_own(app.store(), few, 10, &own);
            practice::fill_own(app.store(), many, 297, &own);
        }
        servers.push(serve_with(app, |app, base| {
            [few, many].map(|number| connect(app, base, &practice::patient(number)))
        }));
    }
    writeln!(out, "a person's own app, by a token of the authorization server:")?;
    let read = format!("/fhir/Encounter/{}", practice::id(few + 7));
    let search = format!("/fhir/Encounter?patient={}&_count=20", practice::patient(few));
    let everything = format!("/fhir/Patient/{}/$everything?_count=500", practice::patient(many));
    let rows = [
        ("a read, as kept", &read, 1, 0, Some(4.0)),
        ("a read without a cache", &read, 0, 0, Some(7.0)),
        ("a search, 10 hits", &search, 0, 0, Some(10.0)),
        ("everything, 300 resources, as kept", &everything, 1, 1, Some(3.0)),
        ("everything, without a cache", &everything, 0, 1, None),
    ];
    let rows = rows.map(|(name, path, server, patient, may)| {
        let (address, tokens) = &servers[server];
        Row { name, path: path.clone(), address: *address, token: tokens[patient].clone(), may }
    });
    compare(out, &rows)
}

fn client() -> ClientSettings {
    serde_json::from_value(json!({
        "id": APP, "tenant": practice::tenant().as_str(), "name": "App", "auth": "public",
        "redirect_uris": [BACK], "scopes": SCOPES
    }))
    .unwrap()
}

/// A token that the person approves.
fn connect(app: &App, base: &str, patient: &FhirId) -> String {
    let authority = app.authority();
    authority.open_at(base);
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
    let parameters = [
        ("response_type", "code"),
        ("client_id", APP),
        ("redirect_uri", BACK),
        ("scope", SCOPES),
        ("state", "state"),
        ("aud", base),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let begun = authority.authorize(&parameters).unwrap();
    let approval = Approval {
        subject: format!("person {patient}"),
        fhir_user: format!("Patient/{patient}").parse().unwrap(),
        patient: Some(patient.clone()),
        encounter: None,
        scopes: Scopes::parse(SCOPES),
        expires: None,
        proven: Some(SystemClock.now()),
    };
    let back = authority.approve(&begun.id, &begun.browser, &approval).unwrap();
    let back = Url::parse(&back).unwrap();
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let request = TokenRequest {
        credentials: Credentials { client_id: Some(APP.to_owned()), ..Credentials::default() },
        grant_type: Some("authorization_code".to_owned()),
        code: Some(code),
        redirect_uri: Some(BACK.to_owned()),
        verifier: Some(VERIFIER.to_owned()),
        ..TokenRequest::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answer = runtime.block_on(authority.token(request)).unwrap();
    let answer = serde_json::to_value(answer).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}
