//! Tokens of a server of somebody else (SMART App Launch 2.2, Backend Services): asked for with a
//! signed assertion, and kept until shortly before they are over.

use std::fs;
use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use url::Url;
use url::form_urlencoded::Serializer;

use super::Trouble;
use super::answer::{read, unsent};
use crate::auth::{self, Guard};
use crate::config::ReceiverSettings;
use crate::error::Error;

/// How long an assertion holds, in seconds.
const ASSERTION_S: i64 = 240;
/// How long before its end a token is not used any more, in seconds.
const EARLY_S: i64 = 30;
/// How long a token is used whose end nobody says, in seconds.
const UNSAID_S: i64 = 60;
/// The longest that a token is kept, in seconds, whatever its server says.
const LONGEST_S: i64 = 24 * 60 * 60;
/// What an assertion is (RFC 7523, 2.2).
const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A token, and until when it is used.
struct Kept {
    token: String,
    until: Timestamp,
}

/// The tokens of one server.
pub(super) struct Passes {
    url: Option<Url>,
    client_id: String,
    scope: String,
    header: Header,
    key: EncodingKey,
    kept: Arc<Mutex<Option<Kept>>>,
}

impl Passes {
    /// Those of a receiver; `None` where it wants none.
    pub(super) fn open(settings: &ReceiverSettings, guard: &Guard) -> crate::Result<Option<Self>> {
        let parts =
            (&settings.token_url, &settings.client_id, &settings.key_file, &settings.key_id);
        let (Some(url), Some(client_id), Some(file), Some(kid)) = parts else { return Ok(None) };
        let wrong = |what: &str| {
            Error::Setup(format!("receivers.{}: {}: {what}", settings.name, file.display()))
        };
        let pem = fs::read(file).map_err(|cause| wrong(&cause.to_string()))?;
        // A parser's message could quote a secret, so it is not passed on.
        let key = EncodingKey::from_ec_pem(&pem)
            .map_err(|_secret| wrong("no P-384 key as PKCS #8 in PEM"))?;
        let header = Header { kid: Some(kid.clone()), ..Header::new(Algorithm::ES384) };
        let (client_id, scope) = (client_id.clone(), settings.scope.clone());
        let url = guard.check(url);
        Ok(Some(Self { url, client_id, scope, header, key, kept: Arc::default() }))
    }

    /// A token that holds; `anew` where the last one was not believed.
    pub(super) async fn get(
        &self,
        client: &Client,
        now: Timestamp,
        anew: bool,
    ) -> Result<String, Trouble> {
        // Whoever else wants one waits, and has this one.
        let mut kept = self.kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| !anew && kept.until > now) {
            return Ok(kept.token.clone());
        }
        *kept = None;
        let (token, holds) = self.ask(client, now).await?;
        let until = now.saturating_add((holds - EARLY_S).max(0).seconds()).unwrap_or(now);
        *kept = Some(Kept { token: token.clone(), until });
        Ok(token)
    }

    async fn ask(&self, client: &Client, now: Timestamp) -> Result<(String, i64), Trouble> {
        let url = self.url.clone().ok_or(Trouble::Forbidden)?;
        let claims = json!({
            "iss": self.client_id, "sub": self.client_id, "aud": url.as_str(),
            "iat": now.as_second(), "exp": now.as_second() + ASSERTION_S,
            "jti": auth::name().map_err(|_no_chance| Trouble::Unreachable)?,
        });
        let assertion =
            encode(&self.header, &claims, &self.key).map_err(|_secret| Trouble::Denied)?;
        let form = Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("scope", &self.scope)
            .append_pair("client_assertion_type", BEARER)
            .append_pair("client_assertion", &assertion)
            .finish();
        let request = client
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(form);
        let response = request.send().await.map_err(|cause| unsent(&cause))?;
        let answer = read(response).await.map_err(|trouble| match trouble {
            Trouble::Status(400) => Trouble::Denied,
            other => other,
        })?;
        let body = answer.body.ok_or(Trouble::Unclear)?;
        let token = body.get("access_token").and_then(Value::as_str).ok_or(Trouble::Unclear)?;
        Ok((token.to_owned(), holds(&body)))
    }
}

/// How long a token holds, in seconds, as far as its server is believed.
fn holds(answer: &Value) -> i64 {
    answer.get("expires_in").and_then(Value::as_i64).unwrap_or(UNSAID_S).clamp(0, LONGEST_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_for_a_time_that_can_be_counted_with() {
        for (said, holds_s) in [
            (json!(300), 300),
            (json!(-1), 0),
            (json!(i64::MIN), 0),
            (json!(i64::MAX), LONGEST_S),
            (json!(u64::MAX), UNSAID_S),
            (json!("300"), UNSAID_S),
            (json!(null), UNSAID_S),
        ] {
            let found = holds(&json!({ "expires_in": said }));
            assert_eq!(found, holds_s, "{said}");
            let now = Timestamp::from_second(1_800_000_000).unwrap();
            assert!(now.saturating_add((found - EARLY_S).max(0).seconds()).is_ok());
        }
    }
}
