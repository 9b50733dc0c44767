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

use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::ring::{AFTER_S, AHEAD_S, Kept, Ring, Signing};
use crate::domain::IdKey;
use crate::error::{Error, Result};

/// The name of the file in the data folder.
const FILE: &str = "keys.json";

/// The secrets of an installation.
pub struct Keys {
    installation: String,
    ring: Vec<Kept>,
    notary: Vec<u8>,
    id: [u8; 32],
    cache: [u8; 32],
    cursor: [u8; 32],
}

/// The file: bytes as base64.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    installation: String,
    /// The one signing key, ES384, of a file that is older than the ring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signing: Option<String>,
    /// The key that the audit is signed with, ES384. It is never rotated: what it has signed is
    /// kept for years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notary: Option<String>,
    id: String,
    cache: String,
    cursor: String,
    #[serde(default)]
    ring: Vec<Kept>,
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
        let mut file = Self::parse(path)?;
        if file.complete() {
            // Whoever was first has written the same; the last one counts for all.
            Self::amend(path, |file| file.complete().then_some(()))?;
            file = Self::parse(path)?;
        }
        Self::decode(file).ok_or_else(|| Self::foreign(path))
    }

    fn parse(path: &Path) -> Result<File> {
        let wrong = |what: &str| Error::Setup(format!("{}: {what}", path.display()));
        let mode =
            fs::metadata(path).map_err(|cause| wrong(&cause.to_string()))?.permissions().mode();
        if mode & 0o037 != 0 {
            return Err(wrong("others can read or change the keys: chmod 600 it"));
        }
        let text = fs::read(path).map_err(|cause| wrong(&cause.to_string()))?;
        // A parser's message could quote a secret, so it is not passed on.
        serde_json::from_slice::<File>(&text).map_err(|_secret| Self::foreign(path))
    }

    fn foreign(path: &Path) -> Error {
        Error::Setup(format!(
            "{}: not a key file of throughline: restore it from the backup of the data folder",
            path.display()
        ))
    }

    fn decode(file: File) -> Option<Self> {
        let secret = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
        Ring::open(&file.ring).ok()?;
        Some(Self {
            id: secret(&file.id)?,
            cache: secret(&file.cache)?,
            cursor: secret(&file.cursor)?,
            notary: STANDARD.decode(file.notary?).ok()?,
            installation: file.installation,
            ring: file.ring,
        })
    }

    /// Changes the file as a whole, one process at a time; `None` leaves it as it is.
    fn amend<T>(path: &Path, change: impl FnOnce(&mut File) -> Option<T>) -> Result<Option<T>> {
        let unusable = |cause: io::Error| {
            Error::Setup(format!(
                "{} cannot be changed ({cause}): change it where it is kept, or make it writable",
                path.display()
            ))
        };
        let lock = path.with_extension("lock");
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(lock);
        let lock = lock.map_err(unusable)?;
        lock.lock().map_err(unusable)?;
        let mut file = Self::parse(path)?;
        let Some(done) = change(&mut file) else { return Ok(None) };
        let text = serde_json::to_vec_pretty(&file).map_err(Error::internal)?;
        let draft = path.with_extension("draft");
        let mut options = OpenOptions::new();
        let written = options.write(true).create(true).truncate(true).mode(0o600).open(&draft);
        let written = written.and_then(|mut draft| draft.write_all(&text).and(draft.sync_all()));
        written.and_then(|()| fs::rename(&draft, path)).map_err(unusable)?;
        Ok(Some(done))
    }

    /// Adds new signing keys, which sign after a while, and forgets those whose time is over.
    ///
    /// # Errors
    ///
    /// The file cannot be changed, or is not ours.
    pub fn rotate(data: &Path, now: i64) -> Result<()> {
        Self::open(data)?;
        let done = Self::amend(&data.join(FILE), |file| {
            let begin = now + AHEAD_S;
            file.ring.retain(|key| key.until.is_none_or(|until| until > now));
            for key in &mut file.ring {
                key.until = key.until.or(Some(begin + AFTER_S));
            }
            for alg in [Signing::ES384, Signing::RS256] {
                file.ring.push(Kept::generate(alg, begin)?);
            }
            Some(())
        })?;
        done.ok_or_else(|| Error::broken("no random numbers"))
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
        let file = File {
            installation: hex::encode(installation),
            signing: None,
            notary: Some(Kept::generate(Signing::ES384, 0)?.key),
            ring: vec![Kept::generate(Signing::ES384, 0)?, Kept::generate(Signing::RS256, 0)?],
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

    /// The key that the audit is signed with: ES384, PKCS #8.
    pub fn notary(&self) -> &[u8] {
        &self.notary
    }

    /// The keys that tokens are signed with.
    pub fn ring(&self) -> Result<Ring> {
        Ring::open(&self.ring)
    }

    /// The key of FHIR ids.
    pub fn id_key(&self) -> IdKey {
        IdKey::new(&self.id)
    }

    /// The key of what is cached outside the process.
    pub fn cache_key(&self) -> &[u8; 32] {
        &self.cache
    }

    /// The key that covers the keys of kept files.
    pub fn blob_key(&self) -> [u8; 32] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.cache), b"blobs");
        let mut key = [0; 32];
        for (place, byte) in key.iter_mut().zip(tag.as_ref()) {
            *place = *byte;
        }
        key
    }

    /// The key of what tells our forms from those of others.
    pub fn forms(&self) -> hmac::Key {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.cursor), b"forms");
        hmac::Key::new(hmac::HMAC_SHA256, tag.as_ref())
    }

    /// The key of opaque names of people.
    pub fn subjects(&self) -> hmac::Key {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.id), b"subjects");
        hmac::Key::new(hmac::HMAC_SHA256, tag.as_ref())
    }

    /// The key of page cursors.
    pub fn cursor_key(&self) -> &[u8; 32] {
        &self.cursor
    }
}

impl File {
    /// Brings a file that is older than the ring up to date; answers whether anything was missing.
    fn complete(&mut self) -> bool {
        let mut changed = false;
        if self.notary.is_none() {
            // The audit goes on with the key that it began with.
            let first = self.signing.clone();
            self.notary = first.or_else(|| Kept::generate(Signing::ES384, 0).map(|kept| kept.key));
            changed = true;
        }
        if let Some(key) = self.signing.take() {
            self.ring.push(Kept { alg: Signing::ES384, key, since: 0, until: None });
            changed = true;
        }
        for alg in [Signing::ES384, Signing::RS256] {
            if !self.ring.iter().any(|key| key.alg == alg) {
                self.ring.extend(Kept::generate(alg, 0));
                changed = true;
            }
        }
        changed
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
        assert_eq!(kids(&first, 0), kids(&again, 0));
        assert_eq!(kids(&first, 0).len(), 2);
        assert_eq!(first.installation(), again.installation());
        assert_eq!(first.cache_key(), again.cache_key());
        assert_ne!(first.cache_key(), first.cursor_key());
        let mode = fs::metadata(data.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
    }

    fn kids(keys: &Keys, now: i64) -> Vec<String> {
        keys.ring().unwrap().published(now).map(|key| key.kid.clone()).collect()
    }

    #[test]
    fn a_new_key_is_published_before_it_signs_and_an_old_one_after() {
        let folder = tempfile::tempdir().unwrap();
        let old = kids(&Keys::open(folder.path()).unwrap(), 0);
        Keys::rotate(folder.path(), 1_000).unwrap();
        let keys = Keys::open(folder.path()).unwrap();
        let ring = keys.ring().unwrap();
        let signs = |now| ring.signing(Signing::ES384, now).unwrap().kid.clone();
        assert_eq!(kids(&keys, 1_000).len(), 4);
        assert_eq!(signs(1_000 + AHEAD_S - 1), old[0]);
        assert_ne!(signs(1_000 + AHEAD_S), old[0]);
        let end = 1_000 + AHEAD_S + AFTER_S;
        assert!(kids(&keys, end - 1).contains(&old[0]));
        assert!(!kids(&keys, end).contains(&old[0]));
        Keys::rotate(folder.path(), end).unwrap();
        assert_eq!(kids(&Keys::open(folder.path()).unwrap(), 0).len(), 4, "the old ones are gone");
    }

    #[test]
    fn a_file_with_one_key_gets_the_others_and_keeps_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let first = Keys::open(folder.path()).unwrap();
        let path = folder.path().join(FILE);
        let mut file: serde_json::Value =
            serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        file["signing"] = file["ring"][0]["key"].clone();
        file.as_object_mut().unwrap().remove("ring");
        fs::write(&path, file.to_string()).unwrap();
        let again = Keys::open(folder.path()).unwrap();
        assert_eq!(kids(&first, 0)[0], kids(&again, 0)[0]);
        assert_eq!(kids(&again, 0).len(), 2);
        assert_eq!(kids(&again, 0), kids(&Keys::open(folder.path()).unwrap(), 0));
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
