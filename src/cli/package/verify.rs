//! `throughline package verify`: whether an archive is as it was made, and by whom.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use jsonwebtoken::jwk::JwkSet;

use super::SIGNATURE;
use crate::auth::{self, Guard, KeySets};
use crate::cli::{Context, Outcome};
use crate::package;

/// The longest archive that is looked at, in bytes.
const LONGEST: u64 = 2 * 1024 * 1024 * 1024;

/// Check an archive: each file against the list in it, and the list against its signature
///
/// The exit code is 1 if anything is not as it was made. An archive under a password has to be
/// unpacked and packed again without one first.
#[derive(Debug, Args)]
pub struct Verify {
    /// The archive
    file: PathBuf,
    /// Its signature; FILE.jws if left out
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// The public keys of the installation that made it: a file, or the URL of its `/auth/jwks`
    #[arg(long, value_name = "FILE|URL")]
    jwks: String,
    /// A private network (`10.0.0.0/8`) that the URL may lead into
    #[arg(long = "private-network", value_name = "NETWORK")]
    private_networks: Vec<String>,
}

impl Verify {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let zip = read(&self.file)?;
        let beside = self.signature.clone().unwrap_or_else(|| {
            let mut beside = self.file.clone().into_os_string();
            beside.push(".jws");
            beside.into()
        });
        let signature = String::from_utf8(read(&beside)?)
            .map_err(|_bytes| anyhow!("{} holds no signature", beside.display()))?;
        let keys = self.keys()?;
        let checked = package::check(&zip)?;
        let out = &mut context.out;
        for fault in &checked.faults {
            writeln!(out, "{}: {}", fault.path, fault.what)?;
        }
        let signer = auth::signer(&keys, SIGNATURE, &checked.manifest, signature.trim());
        match &signer {
            Some(key) => writeln!(out, "signed by the key {key}")?,
            None => writeln!(out, "the signature is none of these keys over this list")?,
        }
        let is_good = checked.faults.is_empty() && signer.is_some();
        let word = if is_good { "as it was made" } else { "NOT AS IT WAS MADE" };
        writeln!(out, "{word}: {} files as listed", checked.good)?;
        Ok(if is_good { Outcome::Done } else { Outcome::Attention })
    }

    fn keys(&self) -> anyhow::Result<JwkSet> {
        if !self.jwks.starts_with("https://") && !self.jwks.starts_with("http://") {
            let text = read(Path::new(&self.jwks))?;
            return serde_json::from_slice(&text)
                .map_err(|_json| anyhow!("{} holds no JWK set (RFC 7517)", self.jwks));
        }
        let sets = KeySets::new(Guard::new(&self.private_networks)?)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let found = runtime.block_on(sets.get(&self.jwks, true));
        let found = found.with_context(|| {
            "the keys could not be fetched: give an https URL that answers with a JWK set, and \
             --private-network where it is in one"
        })?;
        Ok(JwkSet::clone(&found))
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let missing = || format!("{} cannot be read", path.display());
    let file = fs::File::open(path).with_context(missing)?;
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).with_context(missing)?;
    Ok(bytes)
}
