//! The source records of people.

use std::sync::Arc;

use super::PostgresStore;
use super::fault::Tried;
use super::row::{get, hash, parsed};
use super::session::{Param, Session};
use crate::domain::{FhirId, Kind, Record, TenantId};
use crate::error::Result;
use crate::store::record::{Key, decode, inherit};
use crate::store::versions::{Version, state};
use crate::store::{Directory, Guard, Placed};

/// Ordered by id; the condition on the kind is that of the index.
const OF_LOGIN: &str = "SELECT DISTINCT id FROM source
    WHERE tenant = $1 AND kind = $2 AND kind IN ('staff', 'related_party')
      AND throughline_login(body) = $3
    ORDER BY id";
const PLACED: &str = "SELECT type, id, origin_kind, origin_id, class, related, dated FROM resource
    WHERE tenant = $1 AND patient = $2 ORDER BY type, id LIMIT $3";
const CLIENT: &str = "SELECT origin_id FROM resource
    WHERE tenant = $1 AND type = 'Patient' AND id = $2 AND origin_kind = 'client'";
const OF_KIND: &str = "SELECT DISTINCT id FROM source WHERE tenant = $1 AND kind = $2 ORDER BY id";
const REFERRING: &str = "SELECT DISTINCT from_id FROM link
    WHERE tenant = $1 AND to_kind = $2 AND to_id = $3 AND from_kind = $4
    ORDER BY from_id";

/// The versions of a record with their bytes.
type Versions = Vec<(Version, Vec<u8>)>;

impl Directory for PostgresStore {
    fn source(&self, tenant: &TenantId, kind: Kind, id: &str) -> Result<Option<Arc<Record>>> {
        let key = Key { tenant, kind, id };
        record(key, &self.readers.run(|session| versions(session, key))?)
    }

    fn sources(&self, tenant: &TenantId, kind: Kind) -> Result<Vec<Arc<Record>>> {
        let columns: [Param<'_>; 2] = [&tenant.as_str(), &kind.as_str()];
        self.records(tenant, kind, OF_KIND, &columns)
    }

    fn sources_referring(
        &self,
        tenant: &TenantId,
        kind: Kind,
        to: Kind,
        id: &str,
    ) -> Result<Vec<Arc<Record>>> {
        let columns: [Param<'_>; 4] = [&tenant.as_str(), &to.as_str(), &id, &kind.as_str()];
        self.records(tenant, kind, REFERRING, &columns)
    }

    fn sources_of_login(
        &self,
        tenant: &TenantId,
        kind: Kind,
        login: &str,
    ) -> Result<Vec<Arc<Record>>> {
        let columns: [Param<'_>; 3] = [&tenant.as_str(), &kind.as_str(), &login];
        self.records(tenant, kind, OF_LOGIN, &columns)
    }

    fn client_of(&self, tenant: &TenantId, patient: &FhirId) -> Result<Option<String>> {
        Ok(self.readers.run(|session| {
            let rows = session.query(CLIENT, &[&tenant.as_str(), &patient.as_str()])?;
            rows.first().map(|row| get(row, 0)).transpose()
        })?)
    }

    fn placed(&self, tenant: &TenantId, patient: &FhirId, most: usize) -> Result<Vec<Placed>> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        Ok(self.readers.run(|session| {
            let rows = session.query(PLACED, &[&tenant.as_str(), &patient.as_str(), &most])?;
            let placed = |row| {
                Ok(Placed {
                    resource_type: get(row, 0)?,
                    id: parsed(row, 1)?,
                    origin_kind: parsed(row, 2)?,
                    origin_id: get(row, 3)?,
                    guard: Guard {
                        class: get(row, 4)?,
                        related: get(row, 5)?,
                        dated: get(row, 6)?,
                    },
                })
            };
            rows.iter().map(placed).collect::<Tried<_>>()
        })?)
    }
}

impl PostgresStore {
    /// The records whose ids a question answers.
    fn records(
        &self,
        tenant: &TenantId,
        kind: Kind,
        question: &str,
        columns: &[Param<'_>],
    ) -> Result<Vec<Arc<Record>>> {
        let found = self.readers.run(|session| {
            let rows = session.query(question, columns)?;
            let ids = rows.iter().map(|row| get(row, 0)).collect::<Tried<Vec<String>>>()?;
            let load = |id: String| Ok((versions(session, Key { tenant, kind, id: &id })?, id));
            ids.into_iter().map(load).collect::<Tried<Vec<(Versions, String)>>>()
        })?;
        let records = found.iter().map(|(versions, id)| record(Key { tenant, kind, id }, versions));
        records.filter_map(Result::transpose).collect()
    }
}

fn versions(session: &mut Session, key: Key<'_>) -> Tried<Versions> {
    let [tenant, kind, id] = key.columns();
    let rows = session.query(
        "SELECT version, hash, void, has_data, body FROM source
         WHERE tenant = $1 AND kind = $2 AND id = $3",
        &[&tenant, &kind, &id],
    )?;
    let version = |row| -> Tried<(Version, Vec<u8>)> {
        let number: i64 = get(row, 0)?;
        let version = Version {
            number: number.cast_unsigned(),
            hash: hash(row, 1)?,
            void: get(row, 2)?,
            has_data: get(row, 3)?,
        };
        Ok((version, get(row, 4)?))
    };
    rows.iter().map(version).collect()
}

/// The state that the versions make.
fn record(key: Key<'_>, versions: &Versions) -> Result<Option<Arc<Record>>> {
    let rule: Vec<Version> = versions.iter().map(|(version, _)| *version).collect();
    let Some(state) = state(&rule) else { return Ok(None) };
    let at = |position: usize| {
        let found = versions.get(position);
        found.map(|(version, body)| decode(key, version.number, body)).transpose()
    };
    let Some(mut record) = at(state.head)? else { return Ok(None) };
    if let Some(position) = state.data.filter(|position| *position != state.head)
        && let Some(earlier) = at(position)?
    {
        inherit(&mut record, earlier);
    }
    Ok(Some(Arc::new(record)))
}
