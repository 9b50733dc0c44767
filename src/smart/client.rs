//! Registered clients: checked when they are registered, so that nothing else has to.

use std::str::FromStr;

use jsonwebtoken::jwk::JwkSet;
use url::{Host, Url};

use crate::auth::{SecretHash, Signing};
use crate::config::{ClientAuth, ClientSettings};
use crate::domain::TenantId;
use crate::error::{Error, Result};
use crate::policy::{Level, Purpose, Scopes};

/// A registered client.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Whose records it is for.
    pub tenant: TenantId,
    /// Its name, as people are shown it.
    pub name: String,
    /// How it proves that it is itself.
    pub proof: Proof,
    /// Where people are sent back to, to the letter.
    pub redirect_uris: Vec<String>,
    /// Where the app is launched, if it is.
    pub launch_url: Option<String>,
    /// What it may ask for.
    pub scopes: Scopes,
    /// What its `id_token`s are signed with.
    pub id_token_alg: Signing,
    /// What it asks for when it acts by itself.
    pub purpose: Option<Purpose>,
    /// Whether it is the practice's own, so that it needs no consent.
    pub is_own: bool,
    /// Whether it may do nothing any more.
    pub is_disabled: bool,
}

/// How a client proves that it is itself.
#[derive(Debug, Clone)]
pub enum Proof {
    /// It cannot.
    Public,
    /// By one of these secrets.
    Secret(Vec<SecretHash>),
    /// By a signature, and one of these keys.
    Keys(Box<JwkSet>),
    /// By a signature, and a key that is found at this address.
    KeysAt(String),
}

impl Client {
    /// A client by its settings.
    ///
    /// # Errors
    ///
    /// `Setup`, with what to put right.
    pub fn new(settings: &ClientSettings) -> Result<Self> {
        let id = &settings.id;
        let wrong = |what: &str| Error::Setup(format!("client {id}: {what}"));
        if id.parse::<TenantId>().is_err() {
            return Err(Error::Setup(
                "a client's id has up to 64 letters, digits, dots, hyphens and underscores"
                    .to_owned(),
            ));
        }
        let tenant = settings.tenant.parse().map_err(|()| wrong("the tenant's name is not one"))?;
        if settings.name.trim().is_empty() || settings.name.chars().any(misleads) {
            return Err(wrong("give it a name that people know"));
        }
        for uri in settings.redirect_uris.iter().chain(&settings.launch_url) {
            check_uri(uri).map_err(wrong)?;
        }
        let scopes = scopes(&settings.scopes).map_err(|scope| {
            wrong(&format!("`{scope}` is no scope of this server: see its smart-configuration"))
        })?;
        let is_person = scopes.resources().any(|scope| scope.level != Level::System);
        if is_person && settings.redirect_uris.is_empty() {
            return Err(wrong("scopes about a person need `redirect_uris`"));
        }
        let id_token_alg = match settings.id_token_alg.as_str() {
            "RS256" => Signing::RS256,
            "ES384" => Signing::ES384,
            _ => return Err(wrong("`id_token_alg` is RS256 or ES384")),
        };
        let purpose = settings.purpose.as_deref().map(str::parse).transpose();
        let purpose = purpose.map_err(|()| {
            wrong("`purpose` is one of TREAT, HPAYMT, HOPERAT, CAREMGT and HRESCH")
        })?;
        Ok(Self {
            id: id.clone(),
            tenant,
            name: settings.name.clone(),
            proof: Proof::of(settings).map_err(wrong)?,
            redirect_uris: settings.redirect_uris.clone(),
            launch_url: settings.launch_url.clone(),
            scopes,
            id_token_alg,
            purpose,
            is_own: settings.own,
            is_disabled: settings.disabled,
        })
    }

    /// Whether it may be given a token without a person.
    pub fn is_backend(&self) -> bool {
        matches!(self.proof, Proof::Keys(_) | Proof::KeysAt(_))
            && self.scopes.resources().any(|scope| scope.level == Level::System)
    }
}

impl Proof {
    fn of(settings: &ClientSettings) -> std::result::Result<Self, &'static str> {
        let (hashes, jwks, url) = (&settings.secret_hashes, &settings.jwks, &settings.jwks_url);
        match (settings.auth, hashes.as_slice(), jwks, url) {
            (ClientAuth::Public, [], None, None) => Ok(Self::Public),
            (ClientAuth::Public, ..) => Err("a public client has no secrets and no keys"),
            (ClientAuth::Symmetric, [_, ..], None, None) => {
                let hashes = hashes.iter().map(|hash| SecretHash::parse(hash));
                let hashes = hashes.collect::<Option<Vec<_>>>();
                hashes.map(Self::Secret).ok_or("`secret_hashes` are argon2id hashes ($argon2id$…)")
            }
            (ClientAuth::Symmetric, ..) => Err("a symmetric client has `secret_hashes` alone"),
            (ClientAuth::Asymmetric, [], Some(set), None) => {
                let set = serde_json::from_str(set);
                set.map(|set| Self::Keys(Box::new(set))).map_err(|_json| "`jwks` is no key set")
            }
            (ClientAuth::Asymmetric, [], None, Some(url)) => {
                let is_url = Url::from_str(url)
                    .is_ok_and(|url| url.scheme() == "https" || is_loopback_http(&url));
                is_url.then(|| Self::KeysAt(url.clone())).ok_or("`jwks_url` is an https URL")
            }
            (ClientAuth::Asymmetric, ..) => Err("an asymmetric client has `jwks` or `jwks_url`"),
        }
    }
}

/// Whether a character cannot be seen, or turns the direction of what is around it (UTR 36, 2.5).
fn misleads(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The scopes of a list, or the one that is none of ours.
fn scopes(text: &str) -> std::result::Result<Scopes, &str> {
    let unknown = text.split_whitespace().find(|scope| Scopes::parse(scope).is_empty());
    unknown
        .map_or_else(|| Ok(text.split_whitespace().collect::<Vec<_>>().join(" ")), Err)
        .map(|text| Scopes::parse(&text))
}

/// Refuses an address that a person should not be sent to.
fn check_uri(uri: &str) -> std::result::Result<(), &'static str> {
    let url = Url::parse(uri).map_err(|_url| "an address is not a URL")?;
    if uri.contains('#') || uri.contains(char::is_whitespace) || uri.contains('*') {
        return Err("an address has no fragment, no blank and no asterisk");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address has no user and no password before its host");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback_http(&url) => Ok(()),
        "http" => Err("an address by http is on loopback: use https"),
        "javascript" | "data" | "file" | "vbscript" | "about" | "blob" => {
            Err("an address may not run or open something on the person's machine")
        }
        // An app's own scheme is a name that it owns (RFC 8252, 7.1).
        scheme if scheme.contains('.') => Ok(()),
        _ => Err("an app's own scheme is a domain name in reverse, such as com.example.app"),
    }
}

/// Whether a URL is by http on this machine.
pub(super) fn is_loopback_http(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && is_loopback
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings() -> ClientSettings {
        serde_json::from_value(json!({
            "id": "app", "tenant": "hv", "name": "App", "auth": "public",
            "redirect_uris": ["https://app.example/back"], "scopes": "openid patient/*.rs"
        }))
        .unwrap()
    }

    #[test]
    fn a_client_is_registered_as_its_settings_say() {
        let client = Client::new(&settings()).unwrap();
        assert_eq!(client.scopes.to_string(), "openid patient/*.rs");
        assert!(matches!(client.proof, Proof::Public) && !client.is_backend());
        assert_eq!(client.id_token_alg, Signing::RS256);
    }

    #[test]
    fn wrong_settings_are_refused_with_what_to_do() {
        type Change = Box<dyn Fn(&mut ClientSettings)>;
        let hash = SecretHash::of("s").unwrap().as_str().to_owned();
        let to = |uri: &'static str| -> Change {
            Box::new(move |settings| settings.redirect_uris = vec![uri.into()])
        };
        let cases: Vec<(Change, &str)> = vec![
            (Box::new(|s| s.id = "a b".into()), "letters"),
            (Box::new(|s| s.tenant = String::new()), "tenant"),
            (Box::new(|s| s.name = " ".into()), "name"),
            (Box::new(|s| s.name = "a\nb".into()), "name"),
            (Box::new(|s| s.name = "a\u{202e}b".into()), "name"),
            (Box::new(|s| s.scopes = "openid nonsense".into()), "`nonsense`"),
            (Box::new(|s| s.redirect_uris.clear()), "redirect_uris"),
            (Box::new(|s| s.id_token_alg = "none".into()), "RS256"),
            (Box::new(move |s| s.secret_hashes = vec![hash.clone()]), "public"),
            (Box::new(|s| s.auth = ClientAuth::Symmetric), "secret_hashes"),
            (
                Box::new(|s| {
                    s.auth = ClientAuth::Symmetric;
                    s.secret_hashes = vec!["plain".into()];
                }),
                "argon2id",
            ),
            (Box::new(|s| s.auth = ClientAuth::Asymmetric), "jwks"),
            (
                Box::new(|s| {
                    s.auth = ClientAuth::Asymmetric;
                    s.jwks_url = Some("http://keys.example/".into());
                }),
                "https",
            ),
            (to("http://app.example/"), "loopback"),
            (to("https://app.example/#a"), "fragment"),
            (to("https://*.example/"), "asterisk"),
            (to("javascript:alert(1)"), "run"),
            (to("myapp://back"), "reverse"),
            (to("/back"), "URL"),
            (to("https://bank.example:443@app.example/"), "user"),
        ];
        for (change, part) in cases {
            let mut settings = settings();
            change(&mut settings);
            let refused = Client::new(&settings).unwrap_err().to_string();
            assert!(refused.contains(part), "{refused}");
        }
        for uri in ["http://127.0.0.1:4567/redirect", "http://localhost/x", "com.example.app:/x"] {
            let mut settings = settings();
            to(uri)(&mut settings);
            assert!(Client::new(&settings).is_ok(), "{uri}");
        }
    }
}
