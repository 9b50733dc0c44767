//! The notes that are kept apart, read for the release job.

use super::PostgresStore;
use super::fault::Tried;
use super::row::{get, hash};
use crate::domain::{Kind, Record, TenantId};
use crate::error::{Error, Result};
use crate::store::apart::{Apart, highest};
use crate::store::record::{Key, decode};

impl Apart for PostgresStore {
    fn note(&self, tenant: &TenantId, id: &str) -> Result<Option<Record>> {
        let key = Key { tenant, kind: Kind::SessionNote, id };
        let [name, kind, id] = key.columns();
        let (versions, later) = self.readers.run(|session| {
            let rows = session.query(
                "SELECT version, hash, body FROM isolated_note
                 WHERE tenant = $1 AND kind = $2 AND id = $3",
                &[&name, &kind, &id],
            )?;
            let version = |row| Ok((get::<i64>(row, 0)?, hash(row, 1)?, get::<Vec<u8>>(row, 2)?));
            let versions = rows.iter().map(version).collect::<Tried<Vec<_>>>()?;
            let rows = session.query(
                "SELECT max(version) FROM source WHERE tenant = $1 AND kind = $2 AND id = $3",
                &[&name, &kind, &id],
            )?;
            let later: Option<i64> = rows.first().map(|row| get(row, 0)).transpose()?.flatten();
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
