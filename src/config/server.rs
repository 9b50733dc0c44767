//! The settings of the servers: where they listen, how far a client may go, how they stop.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::networks::Networks;
use super::problems::Problems;

/// The server that clients reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// Address and port
    pub listen: String,
    /// The URL of the FHIR base as clients write it
    pub base_url: Option<String>,
    /// Networks of the proxies that end TLS in front of this server
    pub trusted_proxies: Vec<String>,
    /// Threads that serve; 0 for one a core
    pub workers: usize,
    /// How long an idle connection stays open, in seconds
    pub keep_alive_s: u64,
    /// How long the head of a request may take to arrive, in seconds
    pub head_timeout_s: u64,
    /// How long the body of a request may take to arrive, in seconds
    pub body_timeout_s: u64,
    /// How long a request may take from its route to its answer, in seconds
    pub request_timeout_s: u64,
    /// How long a client may leave what was sent to it unread, in seconds
    pub unread_timeout_s: u64,
    /// Connections at once; further ones wait to be accepted
    pub max_connections: usize,
    /// Requests at once; further ones are told to come again
    pub max_requests: usize,
    /// The longest URL, in bytes
    pub max_url_bytes: usize,
    /// The longest header section, in bytes
    pub max_header_bytes: usize,
    /// How long requests are still taken after `/readyz` has begun to say no, in seconds
    pub drain_wait_s: u64,
    /// How long open requests may take after that, in seconds
    pub drain_timeout_s: u64,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            base_url: None,
            trusted_proxies: Vec::new(),
            workers: 0,
            keep_alive_s: 75,
            head_timeout_s: 10,
            body_timeout_s: 30,
            request_timeout_s: 60,
            unread_timeout_s: 60,
            max_connections: 16_384,
            max_requests: 1_024,
            max_url_bytes: 8_192,
            max_header_bytes: 16_384,
            drain_wait_s: 5,
            drain_timeout_s: 30,
        }
    }
}

/// The server that operators reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminSettings {
    /// Address and port; empty for none
    pub listen: String,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { listen: "127.0.0.1:9090".to_owned() }
    }
}

impl AdminSettings {
    /// The address, unless there is to be none.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        if !self.listen.is_empty() && self.address().is_none() {
            problems.add("admin.listen", ADDRESS);
        }
    }
}

/// What is said about an address that is none.
const ADDRESS: &str = "give an address and a port, such as 127.0.0.1:8080 or [::]:8080";
/// The longest time of any kind, in seconds.
const LONGEST_S: u64 = 3_600;
/// The longest head that can be read, in bytes.
const LONGEST_HEAD: u64 = 64 * 1024;

impl ServerSettings {
    /// The address.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    /// Which peers are believed in what they say about others.
    pub fn proxies(&self) -> Networks {
        self.trusted_proxies.iter().filter_map(|network| Networks::parse(network)).collect()
    }

    /// How long requests are still taken once the server is told to stop.
    pub fn drain_wait(&self) -> Duration {
        Duration::from_secs(self.drain_wait_s)
    }

    pub(super) fn check(&self, has_tls: bool, problems: &mut Problems) {
        match self.address() {
            None => problems.add("server.listen", ADDRESS),
            Some(address) if !address.ip().is_loopback() => self.check_reach(has_tls, problems),
            Some(_) => {}
        }
        if let Some(hint) = self.base_url.as_deref().and_then(wrong_base) {
            problems.add("server.base_url", hint);
        }
        if self.trusted_proxies.iter().any(|network| Networks::parse(network).is_none()) {
            let hint = "give addresses or networks, such as 10.0.0.0/8";
            problems.add("server.trusted_proxies", hint);
        }
        for (name, value, least, most) in self.bounds() {
            if !(least..=most).contains(&value) {
                problems.add(name, format!("give a number from {least} to {most}"));
            }
        }
    }

    /// What has to be known of a server that other machines reach.
    fn check_reach(&self, has_tls: bool, problems: &mut Problems) {
        if self.base_url.is_none() {
            let hint = "other machines reach this address: give the URL by which, such as \
                        https://fhir.example.org/fhir";
            problems.add("server.base_url", hint);
        }
        if !has_tls && self.trusted_proxies.is_empty() {
            let hint = "plain HTTP is for this machine alone: give a certificate and a key in \
                        [tls], or name the proxies that end TLS in server.trusted_proxies";
            problems.add("server.listen", hint);
        }
    }

    fn bounds(&self) -> [(&'static str, u64, u64, u64); 12] {
        [
            ("server.workers", self.workers as u64, 0, 1_024),
            ("server.keep_alive_s", self.keep_alive_s, 1, LONGEST_S),
            ("server.head_timeout_s", self.head_timeout_s, 1, LONGEST_S),
            ("server.body_timeout_s", self.body_timeout_s, 1, LONGEST_S),
            ("server.request_timeout_s", self.request_timeout_s, 1, LONGEST_S),
            ("server.unread_timeout_s", self.unread_timeout_s, 1, LONGEST_S),
            ("server.max_connections", self.max_connections as u64, 1, 1_000_000),
            ("server.max_requests", self.max_requests as u64, 1, 1_000_000),
            ("server.max_url_bytes", self.max_url_bytes as u64, 256, LONGEST_HEAD),
            ("server.max_header_bytes", self.max_header_bytes as u64, 1_024, LONGEST_HEAD),
            ("server.drain_wait_s", self.drain_wait_s, 0, LONGEST_S),
            ("server.drain_timeout_s", self.drain_timeout_s, 0, LONGEST_S),
        ]
    }
}

/// What is wrong with a base URL, if anything is.
fn wrong_base(base: &str) -> Option<&'static str> {
    let Ok(url) = Url::parse(base) else {
        return Some("give an absolute URL, such as https://fhir.example.org/fhir");
    };
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let is_bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    match url.scheme() {
        _ if !is_bare || url.password().is_some() || base.ends_with('/') => {
            Some("leave out a query, a fragment, a user and a slash at the end")
        }
        "https" => None,
        "http" if is_here => None,
        _ => Some("it has to be https, unless it is on this machine"),
    }
}

/// The certificate that the server shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// PEM file with the certificate and those between it and the authority
    pub certificate_file: std::path::PathBuf,
    /// PEM file with the private key
    pub key_file: std::path::PathBuf,
    /// How often the files are looked at for a change, in seconds
    #[serde(default = "look_every_s")]
    pub look_every_s: u64,
}

fn look_every_s() -> u64 {
    10
}

impl TlsSettings {
    pub(super) fn check(&self, problems: &mut Problems) {
        if !(1..=LONGEST_S).contains(&self.look_every_s) {
            problems.add("tls.look_every_s", format!("give a number from 1 to {LONGEST_S}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(settings: &ServerSettings, has_tls: bool) -> Vec<String> {
        let mut problems = Problems::default();
        settings.check(has_tls, &mut problems);
        problems.iter().map(|problem| problem.key.clone()).collect()
    }

    #[test]
    fn plain_http_is_for_this_machine_or_behind_a_named_proxy() {
        let base_url = Some("https://fhir.example.org/fhir".to_owned());
        let proxies = |list: &[&str]| list.iter().map(|&one| one.to_owned()).collect();
        for (listen, trusted, has_tls, refused) in [
            ("127.0.0.1:80", &[][..], false, &[][..]),
            ("[::1]:80", &[], false, &[]),
            ("0.0.0.0:80", &[], false, &["server.listen"]),
            ("[::]:80", &[], false, &["server.listen"]),
            ("0.0.0.0:80", &["10.0.0.0/8"], false, &[]),
            ("0.0.0.0:80", &[], true, &[]),
            ("0.0.0.0:80", &["10.0.0.0/99"], false, &["server.trusted_proxies"]),
            ("localhost", &[], false, &["server.listen"]),
        ] {
            let settings = ServerSettings {
                listen: listen.to_owned(),
                base_url: base_url.clone(),
                trusted_proxies: proxies(trusted),
                ..ServerSettings::default()
            };
            assert_eq!(problems(&settings, has_tls), refused, "{listen}");
        }
    }

    #[test]
    fn a_base_url_is_absolute_and_safe() {
        for (base, is_good) in [
            ("https://fhir.example.org/fhir", true),
            ("https://fhir.example.org", true),
            ("http://127.0.0.1:8080/fhir", true),
            ("http://[::1]:8080/fhir", true),
            ("http://localhost/fhir", true),
            ("http://fhir.example.org/fhir", false),
            ("https://fhir.example.org/fhir/", false),
            ("https://fhir.example.org/fhir?a=b", false),
            ("https://user@fhir.example.org/fhir", false),
            ("/fhir", false),
            ("ftp://localhost/fhir", false),
        ] {
            assert_eq!(wrong_base(base).is_none(), is_good, "{base}");
        }
        let open = ServerSettings { listen: "0.0.0.0:443".into(), ..ServerSettings::default() };
        assert_eq!(problems(&open, true), ["server.base_url"]);
    }
}
