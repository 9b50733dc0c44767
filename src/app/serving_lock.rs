//! The sign that somebody serves from a data folder. Two servers over one embedded store would each
//! take itself for the only one: it does jobs, cleans up, and keeps what it has read.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use crate::auth::Keys;
use crate::config::StoreSettings;
use crate::error::{Error, Result};

/// The file in the data folder that is locked.
const FILE: &str = "serving.lock";
/// How often, and after which pause, it is tried again: a server that is just ending has it a little
/// longer.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);

/// Held while a server runs. The system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct ServingLock {
    /// There is none where the store is PostgreSQL, which replicas share.
    _file: Option<File>,
}

impl ServingLock {
    /// Takes the data folder, which is made if need be, for a server of this process. Commands that
    /// work beside a server need no lock.
    ///
    /// # Errors
    ///
    /// `Setup` where another server has it, or where it cannot be written.
    #[expect(clippy::disallowed_methods, reason = "nothing is served yet that this could hold up")]
    pub fn take(data: &Path, store: &StoreSettings) -> Result<Self> {
        if store.url.is_some() {
            return Ok(Self { _file: None });
        }
        // The keys make the folder.
        Keys::open(data)?;
        let path = data.join(FILE);
        let wrong = |cause: std::io::Error| Error::Setup(format!("{}: {cause}", path.display()));
        let options = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let file = options.map_err(wrong)?;
        let mut locked = file.try_lock();
        for _ in 0..ATTEMPTS {
            if !matches!(locked, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(PAUSE);
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(Error::Setup(format!(
                "another throughline serves from the data folder {}: stop it, or give this one a \
                 folder of its own with --data; several servers share a PostgreSQL (store.url)",
                data.display()
            ))),
            Err(TryLockError::Error(cause)) => Err(wrong(cause)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_server_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = StoreSettings::default();
        let first = ServingLock::take(folder.path(), &store).unwrap();
        let second = ServingLock::take(folder.path(), &store).unwrap_err().to_string();
        assert!(second.contains("--data"), "{second}");
        drop(first);
        ServingLock::take(folder.path(), &store).unwrap();
    }
}
