//! The settings of signing in: which provider knows the people, and whose records they are.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How people sign in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginSettings {
    /// The tenant whose clients, proxies and staff sign in
    pub tenant: String,
    /// What the pages call the practice
    #[serde(default)]
    pub practice: Option<String>,
    /// After how many minutes somebody has to sign in again
    #[serde(default = "session_minutes")]
    pub session_minutes: u32,
    /// The platform's OpenID provider; without one nobody can sign in
    #[serde(default)]
    pub provider: Option<ProviderSettings>,
    /// Which claims of the provider name a record
    #[serde(default)]
    pub claims: ClaimSettings,
    /// The accounts of the demonstration, which need no password; never from a file
    #[serde(skip)]
    pub demo: Vec<DemoAccount>,
}

/// An OpenID provider, and this gateway as its client.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    /// The issuer, as its discovery document names it: https, or http on this machine
    pub issuer: String,
    /// The gateway's name at the provider
    pub client_id: String,
    /// File with the gateway's secret at the provider; without one it is a public client
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// Scopes to ask for besides `openid`
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// The claims whose values name a record of the platform. A claim that is left empty names none.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimSettings {
    /// Holds the id of the person's own `client` record
    pub client: String,
    /// Holds what the `portal_sub` of `related_party` records says
    pub proxy: String,
    /// Holds what the `login_sub` of a `staff` record says
    pub staff: String,
}

/// Whom an account of the demonstration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A client.
    Client,
    /// Somebody who acts for clients.
    Proxy,
    /// A member of staff.
    Staff,
}

/// An account of the demonstration: a record of the fixtures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoAccount {
    /// Whom it is.
    pub part: Part,
    /// The record's id.
    pub record: String,
}

impl Default for ClaimSettings {
    fn default() -> Self {
        Self { client: "client_record".into(), proxy: "sub".into(), staff: "sub".into() }
    }
}

impl LoginSettings {
    /// The settings of a demonstration with these accounts.
    pub fn of_demo(tenant: &str, practice: &str, demo: Vec<DemoAccount>) -> Self {
        Self {
            tenant: tenant.to_owned(),
            practice: Some(practice.to_owned()),
            session_minutes: session_minutes(),
            provider: None,
            claims: ClaimSettings::default(),
            demo,
        }
    }

    /// Refuses what cannot work or would not be safe.
    ///
    /// # Errors
    ///
    /// `Setup`, with what to write instead.
    pub fn check(&self) -> Result<()> {
        if !(5..=720).contains(&self.session_minutes) {
            return Err(Error::Setup("login.session_minutes: write 5 to 720".to_owned()));
        }
        let Some(provider) = &self.provider else { return Ok(()) };
        let url = url::Url::parse(&provider.issuer).ok();
        if url.is_some_and(|url| is_private(&url)) {
            return Ok(());
        }
        let hint = "login.provider.issuer: write an https URL; http is for this machine only";
        Err(Error::Setup(hint.to_owned()))
    }
}

/// Whether nobody on the way can read what is sent there.
fn is_private(url: &url::Url) -> bool {
    let is_loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

fn session_minutes() -> u32 {
    60
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(provider: &str) -> std::result::Result<LoginSettings, toml::de::Error> {
        toml::from_str(&format!("tenant = 'hv'\n[provider]\nclient_id = 'x'\n{provider}"))
    }

    #[test]
    fn a_provider_is_reached_by_https_or_on_this_machine() {
        for (issuer, is_good) in [
            ("https://id.example", true),
            ("http://127.0.0.1:4000", true),
            ("http://[::1]:4000", true),
            ("http://localhost", true),
            ("http://id.example", false),
            ("http://127.0.0.1.example", false),
            ("file:///etc/passwd", false),
            ("id.example", false),
        ] {
            let settings = read(&format!("issuer = '{issuer}'")).unwrap();
            assert_eq!(settings.check().is_ok(), is_good, "{issuer}");
        }
    }

    #[test]
    fn unknown_settings_are_refused() {
        assert!(read("issuer = 'https://id.example'\nsecret = 'x'").is_err());
    }
}
