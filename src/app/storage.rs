//! Which store is used: the file in the data folder, or PostgreSQL.

use std::path::Path;
use std::sync::Arc;

use crate::config::StoreSettings;
use crate::domain::IdKey;
use crate::error::{Error, Result};
use crate::store::{
    Apart, Ledger, PostgresLedger, PostgresStore, SqliteLedger, SqliteStore, Store, Upgrade,
    Upgraded,
};

/// The embedded store's file in the data folder.
const FILE: &str = "store.sqlite";
/// The embedded ledger's file in the data folder.
const LEDGER: &str = "audit.sqlite";
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
    let key = if let Some(key) = store.fact(ID_KEY)? {
        key
    } else {
        let mut write = store.write()?;
        let key = write.claim_fact(ID_KEY, &own)?;
        write.commit()?;
        key
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

/// Opens the notes that are kept apart, beside the store that the settings name, which has been
/// opened before. Only the job that releases them may.
///
/// # Errors
///
/// `Setup`, with what to put right.
pub fn open_apart(data: &Path, settings: &StoreSettings) -> Result<Arc<dyn Apart>> {
    Ok(match &settings.url {
        Some(_) => Arc::new(PostgresStore::open(settings)?),
        None => Arc::new(SqliteStore::open(&data.join(FILE))?),
    })
}

/// Opens the ledger beside the store that the settings name, which has been opened before.
///
/// # Errors
///
/// `Setup`, with what to put right.
pub fn open_ledger(data: &Path, settings: &StoreSettings) -> Result<Arc<dyn Ledger>> {
    Ok(match &settings.url {
        Some(_) => Arc::new(PostgresLedger::open(settings)?),
        None => Arc::new(SqliteLedger::open(&data.join(LEDGER))?),
    })
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
    if settings.url.is_some() {
        return PostgresStore::migrate(settings, upgrade, watch);
    }
    let mut upgraded = SqliteStore::migrate(&data.join(FILE), upgrade, watch)?;
    // A ledger that is not there yet is made when it is opened.
    let path = data.join(LEDGER);
    if path.exists() {
        let due = SqliteLedger::migrate(&path, upgrade)?.migrations.into_iter();
        upgraded.migrations.extend(due.map(|title| format!("audit {title}")));
    }
    Ok(upgraded)
}
