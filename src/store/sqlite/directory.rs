//! The source records of people.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Params, params};

use super::SqliteStore;
use super::connection::broken;
use super::read::parsed;
use super::source::load;
use crate::domain::{FhirId, Kind, Record, TenantId};
use crate::error::Result;
use crate::store::record::Key;
use crate::store::{Directory, Guard, Placed};

/// Ordered by id; the condition on the kind is that of the index.
const OF_LOGIN: &str = "SELECT DISTINCT id FROM source
    WHERE tenant = ?1 AND kind = ?2 AND kind IN ('staff', 'related_party')
      AND coalesce(json_extract(CAST(body AS TEXT), '$.data.login_sub'),
                   json_extract(CAST(body AS TEXT), '$.data.portal_sub')) = ?3
    ORDER BY id";
const PLACED: &str = "SELECT type, id, origin_kind, origin_id, class, related, dated FROM resource
    WHERE tenant = ?1 AND patient = ?2 ORDER BY type, id LIMIT ?3";
const CLIENT: &str = "SELECT origin_id FROM resource
    WHERE tenant = ?1 AND type = 'Patient' AND id = ?2 AND origin_kind = 'client'";
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

    fn client_of(&self, tenant: &TenantId, patient: &FhirId) -> Result<Option<String>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(CLIENT)?
                .query_row([tenant.as_str(), patient.as_str()], |row| row.get(0))
                .optional()
        })
    }

    fn placed(&self, tenant: &TenantId, patient: &FhirId, most: usize) -> Result<Vec<Placed>> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(PLACED)?
                .query_map(params![tenant.as_str(), patient.as_str(), most], |row| {
                    let (class, related, dated) = (row.get(4)?, row.get(5)?, row.get(6)?);
                    Ok(Placed {
                        resource_type: row.get(0)?,
                        id: parsed(row, 1)?,
                        origin_kind: parsed(row, 2)?,
                        origin_id: row.get(3)?,
                        guard: Guard { class, related, dated },
                    })
                })?
                .collect()
        })
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
