//! From a URL to how a connection is made: where, as whom, and with which TLS.
//!
//! On loopback and over a Unix socket a connection may be plain. Anywhere else it is TLS 1.2 or
//! 1.3, and the server's certificate and name are verified, whatever weaker `sslmode` is asked for;
//! `disable` is refused. Certificates are those that the machine trusts, or of `sslrootcert`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::DatabaseUrl;
use crate::error::{Error, Result};

/// How long the other side may be silent on the wire before the system asks whether it is there.
const IDLE: Duration = Duration::from_secs(30);

/// Where and how to connect.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) config: tokio_postgres::Config,
    /// `None` for a plain connection.
    pub(super) tls: Option<MakeRustlsConnect>,
}

impl Address {
    /// Reads a URL. No complaint quotes it.
    pub(super) fn parse(url: &DatabaseUrl) -> Result<Self> {
        let url = url.reveal();
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(setup("it has to begin with postgres://"));
        }
        let (place, options) = url.split_once('?').unwrap_or((url, ""));
        let mut kept = Vec::new();
        let (mut mode, mut root) = (None, None);
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let decoded = url::form_urlencoded::parse(option.as_bytes()).next();
            match decoded.as_ref().map(|(name, value)| (name.as_ref(), value.as_ref())) {
                Some(("sslmode", value)) => mode = Some(value.to_owned()),
                Some(("sslrootcert", value)) => root = Some(value.to_owned()),
                _ => kept.push(option),
            }
        }
        let mut config: tokio_postgres::Config =
            format!("{place}?{}", kept.join("&")).parse().map_err(|_quoting| {
                setup(
                    "it cannot be read: postgres://user:password@host:port/database, special \
                     characters as %XX, and of options only those of PostgreSQL's driver",
                )
            })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(setup("it names no host"));
        }
        let tls = wants_tls(mode.as_deref(), is_local(&config))?;
        config.ssl_mode(if tls { SslMode::Require } else { SslMode::Disable });
        config.keepalives_idle(IDLE).tcp_user_timeout(IDLE);
        if config.get_application_name().is_none() {
            config.application_name("throughline");
        }
        let tls = if tls { Some(client(root.as_deref())?) } else { None };
        Ok(Self { config, tls })
    }
}

fn setup(what: &str) -> Error {
    Error::Setup(format!("the database URL cannot be used: {what}"))
}

fn wants_tls(mode: Option<&str>, local: bool) -> Result<bool> {
    match mode {
        Some("require" | "verify-ca" | "verify-full") => Ok(true),
        None | Some("prefer" | "allow") => Ok(!local),
        Some("disable") if local => Ok(false),
        Some("disable") => Err(setup(
            "sslmode=disable is for loopback and Unix sockets only; leave it out, and the \
             connection is encrypted",
        )),
        Some(_) => Err(setup("sslmode is one of disable, require, verify-ca and verify-full")),
    }
}

/// Whether no packet leaves the machine.
fn is_local(config: &tokio_postgres::Config) -> bool {
    let addresses = config.get_hostaddrs();
    if !addresses.is_empty() {
        return addresses.iter().all(IpAddr::is_loopback);
    }
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
    })
}

fn client(root: Option<&str>) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?;
    let builder = match root {
        Some(path) => builder.with_root_certificates(roots(path)?),
        None => builder.with_platform_verifier().map_err(|cause| {
            Error::Setup(format!("the machine's certificates cannot be read: {cause}"))
        })?,
    };
    Ok(MakeRustlsConnect::new(builder.with_no_client_auth()))
}

fn roots(path: &str) -> Result<RootCertStore> {
    let unusable = |cause: &dyn std::fmt::Display| {
        Error::Setup(format!("sslrootcert, {path}, is no file of PEM certificates: {cause}"))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|cause| unusable(&cause))? {
        let certificate = certificate.map_err(|cause| unusable(&cause))?;
        roots.add(certificate).map_err(|cause| unusable(&cause))?;
    }
    if roots.is_empty() {
        return Err(unusable(&"there is none in it"));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address> {
        Address::parse(&DatabaseUrl::from(url.to_owned()))
    }

    fn is_encrypted(url: &str) -> bool {
        let address = parse(url).unwrap();
        assert_eq!(address.tls.is_some(), address.config.get_ssl_mode() == SslMode::Require);
        address.tls.is_some()
    }

    #[test]
    fn only_what_stays_on_the_machine_may_be_plain() {
        for plain in ["127.0.0.1/d", "localhost:99/d", "[::1]/d?sslmode=prefer", "%2Frun%2Fpg/d"] {
            assert!(!is_encrypted(&format!("postgres://u@{plain}")), "{plain}");
        }
        for encrypted in
            ["db/d", "10.0.0.1/d?sslmode=prefer", "localhost,db/d", "localhost/d?sslmode=require"]
        {
            assert!(is_encrypted(&format!("postgres://u@{encrypted}")), "{encrypted}");
        }
        assert!(parse("postgres://u@db/d?sslmode=disable").is_err());
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_without_a_word_of_it() {
        for url in [
            "mysql://u:SECRET@h/d",
            "postgres://u:SECRET@h:port/d",
            "postgres://u:SECRET@h/d?colour=SECRET",
            "postgres://u:SECRET@h/d?sslmode=SECRET",
            "postgres://u:SECRET@h/d?connect_timeout=SECRET",
            "postgres:///d?password=SECRET",
        ] {
            let error = parse(url).err().unwrap();
            assert!(matches!(error, Error::Setup(_)), "{url}");
            assert!(!error.to_string().contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn a_root_certificate_that_is_none_is_told() {
        let error = parse("postgres://h/d?sslrootcert=Cargo.toml").err().unwrap();
        assert!(error.to_string().contains("there is none in it"), "{error}");
    }
}
