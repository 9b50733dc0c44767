//! The notes that are kept apart, read for the release job.

use rusqlite::params;

use super::SqliteStore;
use crate::domain::{Kind, Record, TenantId};
use crate::error::{Error, Result};
use crate::store::apart::{Apart, highest};
use crate::store::record::{Key, decode};

impl Apart for SqliteStore {
    fn note(&self, tenant: &TenantId, id: &str) -> Result<Option<Record>> {
        let key = Key { tenant, kind: Kind::SessionNote, id };
        let [name, kind, id] = key.columns();
        let (versions, later) = self.readers.take()?.run(|connection| {
            let versions = connection
                .prepare_cached(
                    "SELECT version, hash, body FROM isolated_note
                     WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
                )?
                .query_map(params![name, kind, id], |row| {
                    Ok((
                        row.get::<_, i64>(0)?,
                        row.get::<_, [u8; 32]>(1)?,
                        row.get::<_, Vec<u8>>(2)?,
                    ))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let later: Option<i64> = connection
                .prepare_cached(
                    "SELECT max(version) FROM source WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
                )?
                .query_row(params![name, kind, id], |row| row.get(0))?;
            Ok((versions, later))
        })?;
        let Some((version, body)) = highest(versions) else { return Ok(None) };
        if later.is_some_and(|later| later > version) {
            return Ok(None);
        }
        let number = u64::try_from(version).map_err(Error::internal)?;
        decode(key, number, &body).map(Some)
    }
}
