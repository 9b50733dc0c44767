//! The settings of registered clients: apps and systems that may ask for tokens.

use serde::{Deserialize, Serialize};

/// How a client proves that it is itself (RFC 6749, 2.1; SMART App Launch 2.2, "client
/// authentication").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// It cannot: an app in a browser or on a phone. PKCE protects it.
    Public,
    /// By a secret that we know the hash of, with HTTP Basic.
    Symmetric,
    /// By an assertion that it signs, of which we know the public key.
    Asymmetric,
}

/// One client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// Its id: 1 to 64 of `A-Z a-z 0-9 . _ -`, in no other tenant
    pub id: String,
    /// The tenant whose records it is for
    pub tenant: String,
    /// Its name, as people are shown it
    pub name: String,
    /// How it proves that it is itself: `public`, `symmetric` or `asymmetric`
    pub auth: ClientAuth,
    /// Where people are sent back to, to the letter: https, http on loopback, or an app's own scheme
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<String>,
    /// Where the app is launched from the platform, if it is
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_url: Option<String>,
    /// The scopes that it may ask for, separated by spaces
    pub scopes: String,
    /// argon2id hashes of its secrets, for `symmetric`; any of them is good
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secret_hashes: Vec<String>,
    /// Its public keys, for `asymmetric`: a JSON Web Key Set as text
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<String>,
    /// Where its public keys are, by https, instead of `jwks`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// What its `id_token`s are signed with: `RS256` or `ES384`
    #[serde(default = "rs256")]
    pub id_token_alg: String,
    /// Whether it may do nothing any more
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
}

fn rs256() -> String {
    "RS256".to_owned()
}
