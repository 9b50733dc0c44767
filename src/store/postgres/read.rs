//! Reading one resource, its versions, and the counts: one statement each, so one snapshot each.

use super::fault::Tried;
use super::row::{count, get, instant, parsed, resource};
use super::session::Session;
use crate::domain::{FhirId, Kind};
use crate::policy::Permit;
use crate::store::{Head, StoredResource};

/// The current version.
pub(super) fn current(
    session: &mut Session,
    permit: &Permit,
    id: &FhirId,
) -> Tried<Option<StoredResource>> {
    let [tenant, resource_type, id] = key(permit, id);
    let rows = session.query(
        "SELECT r.type, r.id, r.version_id, r.updated, r.body FROM resource r
         WHERE r.tenant = $1 AND r.type = $2 AND r.id = $3",
        &[&tenant, &resource_type, &id],
    )?;
    rows.first().map(|row| resource(row, 0)).transpose()
}

/// What identifies the current version.
pub(super) fn head(session: &mut Session, permit: &Permit, id: &FhirId) -> Tried<Option<Head>> {
    let [tenant, resource_type, id] = key(permit, id);
    let rows = session.query(
        "SELECT version_id, updated FROM resource WHERE tenant = $1 AND type = $2 AND id = $3",
        &[&tenant, &resource_type, &id],
    )?;
    let head = |row| Ok(Head { version_id: get(row, 0)?, last_updated: Some(instant(row, 1)?) });
    rows.first().map(head).transpose()
}

/// One version of a resource that is there now.
pub(super) fn version(
    session: &mut Session,
    permit: &Permit,
    id: &FhirId,
    version_id: &str,
) -> Tried<Option<StoredResource>> {
    let [tenant, resource_type, id] = key(permit, id);
    let version_id = super::row::storable(version_id);
    let rows = session.query(
        "SELECT r.type, r.id, r.version_id, r.updated, r.body FROM resource r
         WHERE r.tenant = $1 AND r.type = $2 AND r.id = $3 AND r.version_id = $4
         UNION ALL
         SELECT r.type, r.id, r.version_id, r.updated, r.body FROM history r
         WHERE r.tenant = $1 AND r.type = $2 AND r.id = $3 AND r.version_id = $4
           AND EXISTS (SELECT 1 FROM resource c
                       WHERE c.tenant = $1 AND c.type = $2 AND c.id = $3 AND c.version_id <> $4)",
        &[&tenant, &resource_type, &id, &version_id],
    )?;
    rows.first().map(|row| resource(row, 0)).transpose()
}

/// All versions of a resource that is there now, newest first.
pub(super) fn history(
    session: &mut Session,
    permit: &Permit,
    id: &FhirId,
) -> Tried<Vec<StoredResource>> {
    let [tenant, resource_type, id] = key(permit, id);
    let rows = session.query(
        "SELECT r.type, r.id, r.version_id, r.updated, r.body, 9223372036854775807 AS seq
         FROM resource r WHERE r.tenant = $1 AND r.type = $2 AND r.id = $3
         UNION ALL
         SELECT r.type, r.id, r.version_id, r.updated, r.body, r.seq FROM history r
         WHERE r.tenant = $1 AND r.type = $2 AND r.id = $3
           AND EXISTS (SELECT 1 FROM resource c
                       WHERE c.tenant = $1 AND c.type = $2 AND c.id = $3)
         ORDER BY seq DESC",
        &[&tenant, &resource_type, &id],
    )?;
    rows.iter().map(|row| resource(row, 0)).collect()
}

fn key<'a>(permit: &'a Permit, id: &'a FhirId) -> [&'a str; 3] {
    [permit.tenant().as_str(), permit.resource_type(), id.as_str()]
}

/// How many records of the general plane there are by kind.
pub(super) fn record_counts(session: &mut Session) -> Tried<Vec<(Kind, u64)>> {
    let rows = session.query(
        "SELECT kind, count(*) FROM (SELECT DISTINCT tenant, kind, id FROM source) s
         GROUP BY kind ORDER BY kind",
        &[],
    )?;
    rows.iter().map(|row| Ok((parsed(row, 0)?, count(row, 1)?))).collect()
}

/// How many current resources there are by type.
pub(super) fn resource_counts(session: &mut Session) -> Tried<Vec<(String, u64)>> {
    let rows =
        session.query("SELECT type, count(*) FROM resource GROUP BY type ORDER BY type", &[])?;
    rows.iter().map(|row| Ok((get(row, 0)?, count(row, 1)?))).collect()
}
