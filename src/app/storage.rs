//! Which store is used: the file in the data folder, or PostgreSQL.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use crate::config::StoreSettings;
use crate::domain::IdKey;
use crate::error::{Error, Result};
use crate::store::{PostgresStore, SqliteStore, Store, Upgrade, Upgraded};

/// The embedded store's file in the data folder.
const FILE: &str = "store.sqlite";
/// The file that a server keeps locked.
const LOCK: &str = "serving.lock";
/// What the store remembers: the fingerprint of the key by which its FHIR ids were made.
const ID_KEY: &str = "id_key";

/// Opens the store that the settings name.
///
/// # Errors
///
/// `Setup`, with what to put right; also where the store was filled by somebody with another id
/// key, since every record would get a second identity.
pub fn open_store(data: &Path, settings: &StoreSettings, ids: &IdKey) -> Result<Arc<dyn Store>> {
    let store: Arc<dyn Store> = match &settings.url {
        Some(_) => Arc::new(PostgresStore::open(settings)?),
        None => Arc::new(SqliteStore::open(&data.join(FILE))?),
    };
    let own = ids.fingerprint();
    let key = match store.fact(ID_KEY)? {
        Some(key) => key,
        None => {
            let mut write = store.write()?;
            let key = write.claim_fact(ID_KEY, &own)?;
            write.commit()?;
            key
        }
    };
    if key == own {
        return Ok(store);
    }
    Err(Error::Setup(format!(
        "the store was filled with other keys than those in {}: bring the keys.json that belongs \
         to it, the same for every replica",
        data.display()
    )))
}

/// Brings the store that the settings name up to date, or says what that would take; `watch` is
/// told how many resources have been indexed anew.
///
/// # Errors
///
/// `Setup` for a store that may not be touched, and says why.
pub fn migrate(
    data: &Path,
    settings: &StoreSettings,
    upgrade: Upgrade,
    watch: &mut dyn FnMut(u64),
) -> Result<Upgraded> {
    match &settings.url {
        Some(_) => PostgresStore::migrate(settings, upgrade, watch),
        None => SqliteStore::migrate(&data.join(FILE), upgrade, watch),
    }
}

/// Holds a data folder for the one server that may use it; let go of when dropped, and by the
/// system when the process ends.
pub(super) struct Hold {
    _file: File,
}

impl Hold {
    /// Takes hold of a folder, which has to be there.
    pub(super) fn take(data: &Path) -> Result<Self> {
        let path = data.join(LOCK);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(|cause| Error::Setup(format!("{}: {cause}", path.display())))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Setup(format!(
                "another server uses the data folder {}: end it, or name another folder with --data",
                data.display()
            ))),
            Err(TryLockError::Error(cause)) => Err(Error::internal(cause)),
        }
    }
}
