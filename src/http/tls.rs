//! The certificate that the server shows, read anew when its files change.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};

use crate::config::TlsSettings;
use crate::error::{Error, Result};

/// A certificate and its key, by their files.
#[derive(Clone)]
pub struct Certificate {
    settings: TlsSettings,
    provider: Arc<CryptoProvider>,
    shown: Arc<Shown>,
}

/// What new connections are shown.
struct Shown(ArcSwap<Pair>);

/// A pair of files that belong together.
struct Pair {
    pem: (Vec<u8>, Vec<u8>),
    key: Arc<CertifiedKey>,
}

/// What became of looking at the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// They are as before.
    Same,
    /// There is a new pair, which is shown from now on.
    Renewed,
    /// There is a new pair, which cannot be used; the old one goes on.
    Kept(String),
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// `Setup`, with what is wrong with them.
    pub fn read(settings: &TlsSettings) -> Result<Self> {
        let provider = Arc::new(default_provider());
        let pem = files(settings)?;
        let pair = Pair { key: Arc::new(certified(settings, &provider, &pem)?), pem };
        let shown = Arc::new(Shown(ArcSwap::from_pointee(pair)));
        Ok(Self { settings: settings.clone(), provider, shown })
    }

    /// TLS 1.2 and 1.3 with this certificate, now and as it will be.
    ///
    /// # Errors
    ///
    /// `Internal`: the cryptography lacks what these versions need.
    pub fn config(&self) -> Result<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(Error::internal)?;
        let resolver = Arc::clone(&self.shown) as Arc<dyn ResolvesServerCert>;
        Ok(builder.with_no_client_auth().with_cert_resolver(resolver))
    }

    /// How long to wait between two looks.
    pub fn look_every(&self) -> Duration {
        Duration::from_secs(self.settings.look_every_s)
    }

    /// Looks whether the files hold another pair.
    pub fn look(&self) -> Look {
        let pem = match files(&self.settings) {
            Ok(pem) => pem,
            Err(wrong) => return Look::Kept(wrong.to_string()),
        };
        if pem == self.shown.0.load().pem {
            return Look::Same;
        }
        match certified(&self.settings, &self.provider, &pem) {
            Ok(key) => {
                self.shown.0.store(Arc::new(Pair { pem, key: Arc::new(key) }));
                Look::Renewed
            }
            Err(wrong) => Look::Kept(wrong.to_string()),
        }
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().key))
    }
}

fn files(settings: &TlsSettings) -> Result<(Vec<u8>, Vec<u8>)> {
    let read = |path: &Path| {
        fs::read(path)
            .map_err(|cause| Error::Setup(format!("cannot read {}: {cause}", path.display())))
    };
    Ok((read(&settings.certificate_file)?, read(&settings.key_file)?))
}

fn certified(
    settings: &TlsSettings,
    provider: &CryptoProvider,
    (chain, key): &(Vec<u8>, Vec<u8>),
) -> Result<CertifiedKey> {
    let wrong = |path: &Path, what: &str| Error::Setup(format!("{}: {what}", path.display()));
    let (chain_file, key_file) = (&settings.certificate_file, &settings.key_file);
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<std::result::Result<_, _>>()
        .map_err(|_pem| wrong(chain_file, "it is not PEM with certificates"))?;
    if chain.is_empty() {
        return Err(wrong(chain_file, "there is no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_pem| wrong(key_file, "there is no private key in it, as PEM"))?;
    CertifiedKey::from_der(chain, key, provider)
        .map_err(|_mismatch| wrong(key_file, "it is not the key of the certificate"))
}
