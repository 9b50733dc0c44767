//! A server with registered clients, and an app that does what apps do.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use throughline::auth::SecretHash;
use throughline::config::ClientSettings;
use throughline::policy::Scopes;
use throughline::smart::{Approval, Authority, Begun, Launch};
use url::Url;

use super::server::{Answer, Server};

/// Where the app is sent back to.
pub(crate) const BACK: &str = "https://app.example/back";
/// A verifier as apps make them.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// The secret of the symmetric client.
pub(crate) const SECRET: &str = "s3cret of the symmetric client";
/// What the clients may ask for.
pub(crate) const SCOPES: &str = "openid fhirUser profile launch launch/patient launch/encounter \
                                 offline_access online_access patient/*.rs user/*.rs system/*.rs";

/// The challenge of a verifier.
pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

/// A client's settings, with what differs.
pub(crate) fn client(id: &str, auth: &str, others: &Value) -> ClientSettings {
    let mut settings = json!({
        "id": id, "tenant": "hv", "name": format!("App {id}"), "auth": auth,
        "redirect_uris": [BACK, "http://127.0.0.1:4567/redirect"], "scopes": SCOPES,
        "purpose": "TREAT"
    });
    for (name, value) in others.as_object().unwrap() {
        // A key set is text.
        settings[name] = if name == "jwks" { json!(value.to_string()) } else { value.clone() };
    }
    serde_json::from_value(settings).unwrap()
}

/// A public client, another one, and a symmetric one.
pub(crate) fn clients() -> Vec<ClientSettings> {
    let hash = SecretHash::of(SECRET).unwrap();
    vec![
        client("app", "public", &json!({})),
        client("other", "public", &json!({ "scopes": "launch/patient patient/Patient.r" })),
        client("web", "symmetric", &json!({ "secret_hashes": [hash.as_str()] })),
        client("elsewhere", "public", &json!({ "tenant": "xx" })),
    ]
}

/// The parameters of an authorization request in order.
pub(crate) fn request(server: &Server, scope: &str) -> Vec<(String, String)> {
    let challenge = challenge(VERIFIER);
    [
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", BACK),
        ("scope", scope),
        ("state", "st/ate 1"),
        ("aud", server.base.as_str()),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// The same with a parameter changed; `None` leaves it out.
pub(crate) fn with(
    mut request: Vec<(String, String)>,
    name: &str,
    value: Option<&str>,
) -> Vec<(String, String)> {
    request.retain(|(known, _)| known != name);
    request.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    request
}

/// What a person of the practice approves: everything, about the patient `p1`.
pub(crate) fn approval(scopes: &str) -> Approval {
    Approval {
        subject: "person-1".into(),
        fhir_user: "Patient/p1".parse().unwrap(),
        patient: Some("p1".parse().unwrap()),
        encounter: None,
        scopes: Scopes::parse(scopes),
        expires: None,
        proven: Some(Timestamp::from_second(1_800_000_000).unwrap()),
    }
}

/// The parameter of a URL's query.
pub(crate) fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).unwrap();
    let mut pairs = url.query_pairs();
    pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

impl Server {
    /// The URL of a path outside the FHIR base.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base.strip_suffix("/fhir").unwrap())
    }

    /// Sends an authorization request.
    pub(crate) async fn authorize(&self, parameters: &[(String, String)]) -> Answer {
        let url = self.url("/auth/authorize");
        let client =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        self.send(client.get(url).query(parameters)).await
    }

    /// An authorization request in order, as far as the consent page.
    pub(crate) async fn begin(&self, parameters: &[(String, String)]) -> Begun {
        let answer = self.authorize(parameters).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let place = answer.header("location").to_owned();
        assert!(place.starts_with("/auth/consent?request="), "{place}");
        let id = place.trim_start_matches("/auth/consent?request=").to_owned();
        let cookie = answer.header("set-cookie").to_owned();
        let (_, rest) = cookie.split_once('=').unwrap();
        let browser = rest.split(';').next().unwrap().to_owned();
        Begun { id, browser }
    }

    /// Asks the authorization server, on a thread that may block.
    pub(crate) async fn authority<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Authority) -> T + Send + 'static,
    ) -> T {
        let authority = self.app.authority().clone();
        tokio::task::spawn_blocking(move || question(&authority)).await.unwrap()
    }

    /// Takes the grants of the person back.
    pub(crate) async fn revoke(&self) {
        let revoke = |authority: &Authority| {
            let tenant = "hv".parse().unwrap();
            for grant in authority.grants_of(&tenant, "person-1", None).unwrap() {
                assert!(authority.revoke_grant(&tenant, &grant.id, "person-1").unwrap());
            }
        };
        self.authority(revoke).await;
    }

    /// Approves a request; answers where the app's browser is sent.
    pub(crate) async fn approve(&self, begun: &Begun, approval: Approval) -> String {
        let begun = begun.clone();
        self.authority(move |authority| {
            authority.approve(&begun.id, &begun.browser, &approval).unwrap()
        })
        .await
    }

    /// A code for a client and scopes, from a person who approves all of it.
    pub(crate) async fn code(&self, client: &str, scope: &str) -> String {
        let request = with(request(self, scope), "client_id", Some(client));
        let begun = self.begin(&request).await;
        let back = self.approve(&begun, approval(scope)).await;
        parameter(&back, "code").unwrap()
    }

    /// Sends a form to an endpoint.
    pub(crate) async fn form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send(self.client.post(self.url(path)).form(form)).await
    }

    /// Redeems a code of the public client.
    pub(crate) async fn redeem(&self, code: &str) -> Answer {
        self.form("/auth/token", &redemption(code)).await
    }

    /// What the token endpoint gives the public client for these scopes.
    pub(crate) async fn connect(&self, scope: &str) -> Value {
        let answer = self.redeem(&self.code("app", scope).await).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// Exchanges a refresh token of the public client.
    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        let form =
            [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "app")];
        self.form("/auth/token", &form).await
    }

    /// The status of a read with a token.
    pub(crate) async fn status(&self, path: &str, token: &str) -> u16 {
        let request = self.request(Method::GET, path).bearer_auth(token);
        self.send(request).await.status.as_u16()
    }

    /// A launch that the platform makes.
    pub(crate) async fn launch(&self, launch: Launch) -> String {
        self.authority(move |authority| authority.make_launch(&launch).unwrap()).await
    }
}

/// The form by which the public client redeems a code.
pub(crate) fn redemption(code: &str) -> [(&str, &str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", BACK),
        ("client_id", "app"),
        ("code_verifier", VERIFIER),
    ]
}
