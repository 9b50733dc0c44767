//! The `id_token` (OpenID Connect Core, 2): who the person is, for the app.

use std::time::Duration;

use serde::Serialize;

use super::Authority;
use super::client::Client;
use super::grant::Given;
use crate::error::Result;
use crate::policy::{Plain, Principal};

/// What an `id_token` is about, beside the person.
pub(super) struct About<'a> {
    pub(super) client: &'a Client,
    pub(super) given: &'a Given,
    pub(super) nonce: Option<&'a str>,
    pub(super) lifetime: Duration,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(rename = "fhirUser", skip_serializing_if = "Option::is_none")]
    fhir_user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<&'a str>,
}

impl Authority {
    /// A signed `id_token`.
    pub(super) fn id_token(&self, principal: &Principal, about: &About<'_>) -> Result<String> {
        let site = self.site()?;
        let user = principal.fhir_user.as_ref().map(|user| format!("{}/{user}", site.base));
        let iat = self.now().as_second();
        let has = |plain| principal.scopes.has(plain);
        let claims = Claims {
            iss: &site.issuer,
            sub: &principal.subject,
            aud: &about.client.id,
            iat,
            exp: iat.saturating_add(i64::try_from(about.lifetime.as_secs()).unwrap_or_default()),
            auth_time: about.given.proven,
            nonce: about.nonce,
            fhir_user: user.as_deref().filter(|_| has(Plain::FhirUser)),
            profile: user.as_deref().filter(|_| has(Plain::Profile)),
        };
        self.parts.tokens.sign(about.client.id_token_alg, "JWT", &claims)
    }
}
