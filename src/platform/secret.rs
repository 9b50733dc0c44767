//! The secret that a platform and the gateway share. HMAC needs it in clear, so it lies in a file
//! that only its owner and group can read.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, Result};

/// The fewest characters of a secret.
const SHORTEST: usize = 32;
/// The most.
const LONGEST: usize = 512;

/// A shared secret: the characters of its file are the key, as they are.
pub struct Secret(hmac::Key);

impl Secret {
    /// Reads a secret; a line end after it is no part of it.
    pub fn read(path: &Path) -> Result<Self> {
        let text = Self::text(path)?;
        if (SHORTEST..=LONGEST).contains(&text.len()) {
            return Ok(Self::new(text.as_bytes()));
        }
        Err(Error::Setup(format!(
            "the secret {}: it has to be 32 to 512 characters: make one with `throughline sources \
             secret FILE`",
            path.display()
        )))
    }

    /// Reads a file that holds a secret alone, such as a token; nobody but its owner and group may
    /// be able to.
    pub fn text(path: &Path) -> Result<String> {
        let wrong = |what: &str| Error::Setup(format!("the secret {}: {what}", path.display()));
        let about = fs::metadata(path).map_err(|cause| wrong(&cause.to_string()))?;
        if about.permissions().mode() & 0o007 != 0 {
            return Err(wrong("everybody can read it: chmod 600 it"));
        }
        let bytes = fs::read(path).map_err(|cause| wrong(&cause.to_string()))?;
        let text = String::from_utf8(bytes.trim_ascii_end().to_vec()).unwrap_or_default();
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong("it has to be printable ASCII characters without a space"));
        }
        Ok(text)
    }

    /// Writes a new secret of 256 random bits to a file that is not there yet.
    pub fn make(path: &Path) -> Result<()> {
        let wrong = |cause: std::io::Error| {
            Error::Setup(format!("cannot make the secret {}: {cause}", path.display()))
        };
        let mut key = [0; 32];
        SystemRandom::new().fill(&mut key).map_err(Error::internal)?;
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create_new(true).mode(0o600).open(path).map_err(wrong)?;
        let written = writeln!(file, "{}", hex::encode(key)).and_then(|()| file.sync_all());
        written.map_err(wrong)
    }

    /// A secret that nobody knows.
    pub fn unknown() -> Result<Self> {
        let mut key = [0; 32];
        SystemRandom::new().fill(&mut key).map_err(Error::internal)?;
        Ok(Self::new(&key))
    }

    fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The HMAC-SHA256 of a text.
    pub(super) fn tag(&self, text: &[u8]) -> hmac::Tag {
        hmac::sign(&self.0, text)
    }

    /// Whether `tag` is that of the text; takes the same time whatever differs.
    pub(super) fn verifies(&self, text: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.0, text, tag).is_ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_is_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        Secret::make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&path).unwrap().trim_ascii_end().len(), 64);
        Secret::read(&path).unwrap();
        assert!(Secret::make(&path).unwrap_err().to_string().contains("exists"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        assert!(Secret::read(&path).unwrap_err().to_string().contains("chmod 600"));
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for text in ["", "s3cret-too-short", &"s3cret ".repeat(9), &"s3cret".repeat(99)] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            let refused = Secret::read(&path).unwrap_err().to_string();
            assert!(refused.contains("it has to be"), "{refused}");
            assert!(!refused.contains("s3cret"), "{refused}");
        }
    }
}
