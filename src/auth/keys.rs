//! The secrets of an installation: one file in the data folder that only its owner can read, or its
//! group where it was put there, as an orchestrator puts a secret.
//!
//! They are made on first use. Losing the file means new FHIR ids for every record, so it belongs
//! into the backup of the data folder, and nowhere else.

use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::domain::IdKey;
use crate::error::{Error, Result};

/// The name of the file in the data folder.
const FILE: &str = "keys.json";

/// The secrets of an installation.
pub struct Keys {
    installation: String,
    signing: Vec<u8>,
    id: [u8; 32],
    cache: [u8; 32],
    cursor: [u8; 32],
}

/// The file: bytes as base64.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    installation: String,
    signing: String,
    id: String,
    cache: String,
    cursor: String,
}

impl Keys {
    /// The keys of the data folder `data`; both are made if they are not there.
    ///
    /// # Errors
    ///
    /// The folder cannot be written, or the file can be read by everybody, changed by its group, or
    /// is not ours.
    pub fn open(data: &Path) -> Result<Self> {
        let unusable = |cause: io::Error| {
            Error::Setup(format!(
                "the data folder {} cannot be used ({cause}): give one you can write with --data",
                data.display()
            ))
        };
        DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(unusable)?;
        let path = data.join(FILE);
        if !path.try_exists().map_err(unusable)? {
            Self::make(data, &path).map_err(unusable)?;
        }
        Self::read(&path)
    }

    fn read(path: &Path) -> Result<Self> {
        let wrong = |what: &str| Error::Setup(format!("{}: {what}", path.display()));
        let mode =
            fs::metadata(path).map_err(|cause| wrong(&cause.to_string()))?.permissions().mode();
        if mode & 0o037 != 0 {
            return Err(wrong("others can read or change the keys: chmod 600 it"));
        }
        let text = fs::read(path).map_err(|cause| wrong(&cause.to_string()))?;
        // A parser's message could quote a secret, so it is not passed on.
        let keys = serde_json::from_slice::<File>(&text).ok().and_then(Self::decode);
        keys.ok_or_else(|| {
            wrong("not a key file of throughline: restore it from the backup of the data folder")
        })
    }

    fn decode(file: File) -> Option<Self> {
        let secret = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
        let signing = STANDARD.decode(&file.signing).ok()?;
        EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &signing).ok()?;
        Some(Self {
            signing,
            id: secret(&file.id)?,
            cache: secret(&file.cache)?,
            cursor: secret(&file.cursor)?,
            installation: file.installation,
        })
    }

    /// Writes new keys beside `path`, and links them there unless somebody was faster.
    fn make(data: &Path, path: &Path) -> io::Result<()> {
        let text = Self::generate().ok_or_else(|| io::Error::other("no random numbers"))?;
        let mut name = [0; 8];
        SystemRandom::new().fill(&mut name).map_err(io::Error::other)?;
        let draft = data.join(format!(".{FILE}.{}", hex::encode(name)));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        let written = file.write_all(&text).and_then(|()| file.sync_all());
        let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        });
        fs::remove_file(&draft)?;
        linked
    }

    fn generate() -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        let secret = || {
            let mut bytes = [0; 32];
            random.fill(&mut bytes).ok()?;
            Some(STANDARD.encode(bytes))
        };
        let mut installation = [0; 16];
        random.fill(&mut installation).ok()?;
        let signing =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).ok()?;
        let file = File {
            installation: hex::encode(installation),
            signing: STANDARD.encode(signing.as_ref()),
            id: secret()?,
            cache: secret()?,
            cursor: secret()?,
        };
        serde_json::to_vec_pretty(&file).ok()
    }

    /// What tells this installation from others: the audience of its tokens. Not a secret.
    pub fn installation(&self) -> &str {
        &self.installation
    }

    /// The key that tokens are signed with: ES384, PKCS #8.
    pub fn signing(&self) -> &[u8] {
        &self.signing
    }

    /// The key of FHIR ids.
    pub fn id_key(&self) -> IdKey {
        IdKey::new(&self.id)
    }

    /// The key of what is cached outside the process.
    pub fn cache_key(&self) -> &[u8; 32] {
        &self.cache
    }

    /// The key of page cursors.
    pub fn cursor_key(&self) -> &[u8; 32] {
        &self.cursor
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_are_for_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("deep/er");
        let first = Keys::open(&data).unwrap();
        let again = Keys::open(&data).unwrap();
        assert_eq!(first.signing(), again.signing());
        assert_eq!(first.installation(), again.installation());
        assert_eq!(first.cache_key(), again.cache_key());
        assert_ne!(first.cache_key(), first.cursor_key());
        let mode = fs::metadata(data.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
    }

    #[test]
    fn keys_that_others_can_read_or_change_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        Keys::open(folder.path()).unwrap();
        let path = folder.path().join(FILE);
        for (mode, is_safe) in [
            (0o600, true),
            (0o400, true),
            (0o440, true),
            (0o640, true),
            (0o660, false),
            (0o604, false),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let opened = Keys::open(folder.path()).map_err(|refused| refused.to_string());
            let told = opened.as_ref().is_err_and(|refused| refused.contains("chmod 600"));
            assert_eq!((opened.is_ok(), told), (is_safe, !is_safe), "{mode:o}");
        }
    }

    #[test]
    fn a_broken_key_file_is_refused_without_quoting_it() {
        let folder = tempfile::tempdir().unwrap();
        Keys::open(folder.path()).unwrap();
        fs::write(folder.path().join(FILE), br#"{"installation":"s3cret""#).unwrap();
        let refused = Keys::open(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("restore it") && !refused.contains("s3cret"), "{refused}");
    }

    #[test]
    fn a_data_folder_that_cannot_be_made_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), b"").unwrap();
        let refused = Keys::open(&folder.path().join("file/data")).unwrap_err().to_string();
        assert!(refused.contains("--data"), "{refused}");
    }
}
