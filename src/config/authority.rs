//! The settings of the authorization server.

use serde::{Deserialize, Serialize};

/// How long what is granted holds, and whom else to believe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSettings {
    /// How long an access token holds, in minutes: 1 to 60
    pub access_minutes: u32,
    /// How long a refresh token holds without being used, in days, with `offline_access`
    pub refresh_days: u32,
    /// How long a person's approval holds unless they say otherwise, in days
    pub grant_days: u32,
    /// How long refresh goes on with `online_access`, in hours
    pub online_hours: u32,
    /// How often somebody at one address may fail to prove to be a client, each minute
    pub guesses_a_minute: u32,
    /// How many requests of apps and sign-ins may begin from one address, each minute; 0: any number
    pub requests_a_minute: u32,
    /// The same from all addresses together
    pub requests_of_all_a_minute: u32,
    /// Networks (`10.0.0.0/8`) that key sets may be fetched from although they are private
    pub private_networks: Vec<String>,
    /// Other issuers whose access tokens are believed
    pub issuers: Vec<IssuerSettings>,
}

/// An issuer of access tokens that is not this server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    /// Its name: the `iss` of its tokens, to the letter
    pub issuer: String,
    /// Where its keys are, by https
    pub jwks_url: String,
    /// The `aud` that its tokens for this server have
    pub audience: String,
    /// The tenant whose records its tokens are for
    pub tenant: String,
    /// The most that its tokens may allow: scopes separated by spaces
    pub scopes: String,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            access_minutes: 5,
            refresh_days: 100,
            grant_days: 365,
            online_hours: 8,
            guesses_a_minute: 10,
            requests_a_minute: 120,
            requests_of_all_a_minute: 3000,
            private_networks: Vec::new(),
            issuers: Vec::new(),
        }
    }
}
