//! Reading one resource, its versions, and the counts.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::domain::{FhirId, Kind};
use crate::policy::Permit;
use crate::store::{Head, Shown, StoredResource};

/// A row that is a resource.
fn resource(row: &Row<'_>) -> rusqlite::Result<StoredResource> {
    resource_at(row, 0)
}

/// The resource whose columns, type, id, version, last update and bytes, begin there.
pub(super) fn resource_at(row: &Row<'_>, first: usize) -> rusqlite::Result<StoredResource> {
    Ok(StoredResource {
        resource_type: row.get(first)?,
        id: parsed(row, first + 1)?,
        version_id: row.get(first + 2)?,
        last_updated: instant(row, first + 3)?,
        body: Arc::from(row.get_ref(first + 4)?.as_blob()?),
        shown: Shown::default(),
    })
}

/// A column of text in one of our own types.
pub(super) fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|_unparsed: T::Err| corrupt(column, Type::Text))
}

/// A column of microseconds since 1970.
pub(super) fn instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let micros = row.get(column)?;
    Timestamp::from_microsecond(micros).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, Box::new(error))
    })
}

/// A column of microseconds since 1970, or nothing.
pub(super) fn maybe_instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => instant(row, column).map(Some),
    }
}

/// A column of something counted.
pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

/// A value that this version of the program never wrote.
fn corrupt(column: usize, kind: Type) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, "unknown value".into())
}

/// The current version.
pub(super) fn current(
    connection: &Connection,
    permit: &Permit,
    id: &FhirId,
) -> rusqlite::Result<Option<StoredResource>> {
    connection
        .prepare_cached(
            "SELECT r.type, r.id, r.version_id, r.updated, r.body FROM resource r
             WHERE r.tenant = ?1 AND r.type = ?2 AND r.id = ?3",
        )?
        .query_row(key(permit, id), resource)
        .optional()
}

/// What identifies the current version.
pub(super) fn head(
    connection: &Connection,
    permit: &Permit,
    id: &FhirId,
) -> rusqlite::Result<Option<Head>> {
    connection
        .prepare_cached(
            "SELECT version_id, updated FROM resource WHERE tenant = ?1 AND type = ?2 AND id = ?3",
        )?
        .query_row(key(permit, id), |row| {
            Ok(Head { version_id: row.get(0)?, last_updated: Some(instant(row, 1)?) })
        })
        .optional()
}

/// One version of a resource that is there now.
pub(super) fn version(
    connection: &Connection,
    permit: &Permit,
    id: &FhirId,
    version_id: &str,
) -> rusqlite::Result<Option<StoredResource>> {
    let snapshot = connection.unchecked_transaction()?;
    let Some(current) = current(&snapshot, permit, id)? else { return Ok(None) };
    if current.version_id == version_id {
        return Ok(Some(current));
    }
    let [tenant, resource_type, id] = key(permit, id);
    let mut earlier = snapshot.prepare_cached(
        "SELECT r.type, r.id, r.version_id, r.updated, r.body FROM history r
         WHERE r.tenant = ?1 AND r.type = ?2 AND r.id = ?3 AND r.version_id = ?4",
    )?;
    earlier.query_row([tenant, resource_type, id, version_id], resource).optional()
}

/// All versions of a resource that is there now, newest first.
pub(super) fn history(
    connection: &Connection,
    permit: &Permit,
    id: &FhirId,
) -> rusqlite::Result<Vec<StoredResource>> {
    let snapshot = connection.unchecked_transaction()?;
    let Some(current) = current(&snapshot, permit, id)? else { return Ok(Vec::new()) };
    let mut versions = vec![current];
    let mut earlier = snapshot.prepare_cached(
        "SELECT r.type, r.id, r.version_id, r.updated, r.body FROM history r
         WHERE r.tenant = ?1 AND r.type = ?2 AND r.id = ?3 ORDER BY r.seq DESC",
    )?;
    for version in earlier.query_map(key(permit, id), resource)? {
        versions.push(version?);
    }
    Ok(versions)
}

fn key<'a>(permit: &'a Permit, id: &'a FhirId) -> [&'a str; 3] {
    [permit.tenant().as_str(), permit.resource_type(), id.as_str()]
}

/// How many records of the general plane there are by kind.
pub(super) fn record_counts(connection: &Connection) -> rusqlite::Result<Vec<(Kind, u64)>> {
    connection
        .prepare_cached(
            "SELECT kind, count(*) FROM (SELECT DISTINCT tenant, kind, id FROM source)
             GROUP BY kind ORDER BY kind",
        )?
        .query_map([], |row| Ok((parsed(row, 0)?, count(row, 1)?)))?
        .collect()
}

/// How many current resources there are by type.
pub(super) fn resource_counts(connection: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    connection
        .prepare_cached("SELECT type, count(*) FROM resource GROUP BY type ORDER BY type")?
        .query_map([], |row| Ok((row.get(0)?, count(row, 1)?)))?
        .collect()
}
