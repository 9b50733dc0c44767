//! The source records of people.

use std::sync::Arc;

use rusqlite::{Connection, Params};

use super::SqliteStore;
use super::connection::broken;
use super::source::load;
use crate::domain::{Kind, Record, TenantId};
use crate::error::Result;
use crate::store::Directory;
use crate::store::record::Key;

/// Ordered by id; the condition on the kind is that of the index.
const OF_LOGIN: &str = "SELECT DISTINCT id FROM source
    WHERE tenant = ?1 AND kind = ?2 AND kind IN ('staff', 'related_party')
      AND coalesce(json_extract(CAST(body AS TEXT), '$.data.login_sub'),
                   json_extract(CAST(body AS TEXT), '$.data.portal_sub')) = ?3
    ORDER BY id";
const OF_KIND: &str = "SELECT DISTINCT id FROM source WHERE tenant = ?1 AND kind = ?2 ORDER BY id";
const REFERRING: &str = "SELECT DISTINCT from_id FROM link
    WHERE tenant = ?1 AND to_kind = ?2 AND to_id = ?3 AND from_kind = ?4
    ORDER BY from_id";

impl Directory for SqliteStore {
    fn source(&self, tenant: &TenantId, kind: Kind, id: &str) -> Result<Option<Arc<Record>>> {
        let key = Key { tenant, kind, id };
        self.readers.take()?.snapshot(|reading| Ok(load(reading, key)?.map(|known| known.record)))
    }

    fn sources(&self, tenant: &TenantId, kind: Kind) -> Result<Vec<Arc<Record>>> {
        let columns = [tenant.as_str(), kind.as_str()];
        self.readers.take()?.snapshot(|reading| records(reading, tenant, kind, OF_KIND, columns))
    }

    fn sources_referring(
        &self,
        tenant: &TenantId,
        kind: Kind,
        to: Kind,
        id: &str,
    ) -> Result<Vec<Arc<Record>>> {
        let columns = [tenant.as_str(), to.as_str(), id, kind.as_str()];
        self.readers.take()?.snapshot(|reading| records(reading, tenant, kind, REFERRING, columns))
    }

    fn sources_of_login(
        &self,
        tenant: &TenantId,
        kind: Kind,
        login: &str,
    ) -> Result<Vec<Arc<Record>>> {
        let columns = [tenant.as_str(), kind.as_str(), login];
        self.readers.take()?.snapshot(|reading| records(reading, tenant, kind, OF_LOGIN, columns))
    }
}

/// The records whose ids a question answers.
fn records(
    connection: &Connection,
    tenant: &TenantId,
    kind: Kind,
    question: &str,
    columns: impl Params,
) -> Result<Vec<Arc<Record>>> {
    let ids = || -> rusqlite::Result<Vec<String>> {
        connection.prepare_cached(question)?.query_map(columns, |row| row.get(0))?.collect()
    };
    let mut records = Vec::new();
    for id in ids().map_err(broken)? {
        records.extend(load(connection, Key { tenant, kind, id: &id })?.map(|known| known.record));
    }
    Ok(records)
}
