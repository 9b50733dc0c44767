//! The isolated plane: notes that only a release job may ever read. There is no read here.
//!
//! A note's highest isolated version takes everything up to it out of the general plane, whatever
//! the order of arrival; a later version that is not isolated stands on its own.

use rusqlite::{Connection, params};

use super::connection::broken;
use super::{projection, retained, source};
use crate::domain::Record;
use crate::error::Result;
use crate::store::Accepted;
use crate::store::record::{Key, encode, number};

/// The highest isolated version of a record.
pub(super) fn floor(connection: &Connection, key: Key<'_>) -> Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT max(version) FROM isolated_note WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
        )
        .and_then(|mut select| select.query_row(key.columns(), |row| row.get(0)))
        .map_err(broken)
}

/// Keeps a version; `false` if it was there.
pub(super) fn keep(connection: &Connection, record: &Record, hash: &[u8; 32]) -> Result<bool> {
    let body = encode(record, None)?;
    let key = Key::of(record);
    let [tenant, kind, id] = key.columns();
    let added = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO isolated_note (tenant, kind, id, version, hash, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .and_then(|mut insert| {
            insert.execute(params![tenant, kind, id, number(record.version).ok(), hash, body])
        })
        .map_err(broken)?;
    retained::file_isolated(connection, key).map_err(broken)?;
    Ok(added > 0)
}

/// Keeps a version and takes what came before it out of the general plane.
pub(super) fn put(connection: &Connection, record: &Record, hash: &[u8; 32]) -> Result<Accepted> {
    let key = Key::of(record);
    let version = number(record.version)?;
    if retained::floor(connection, key)? >= Some(version) {
        return Ok(Accepted::Older);
    }
    let floor = floor(connection, key)?;
    if !keep(connection, record, hash)? {
        return Ok(Accepted::Unchanged);
    }
    withdraw(connection, key, version).map_err(broken)?;
    Ok(match floor {
        // Nothing of this plane is served, so that two contents of one version are both kept.
        Some(floor) if floor > version => Accepted::Older,
        _ => Accepted::Stored { before: None },
    })
}

/// Moves the versions up to `version` out of the general plane, with what was made from them.
fn withdraw(connection: &Connection, key: Key<'_>, version: i64) -> rusqlite::Result<()> {
    let [tenant, kind, id] = key.columns();
    let moved = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO isolated_note (tenant, kind, id, version, hash, body)
             SELECT tenant, kind, id, version, hash, body FROM source
             WHERE tenant = ?1 AND kind = ?2 AND id = ?3 AND version <= ?4",
        )?
        .execute(params![tenant, kind, id, version])?;
    if moved == 0 {
        return Ok(());
    }
    retained::file_isolated(connection, key)?;
    connection
        .prepare_cached(
            "DELETE FROM link WHERE tenant = ?1 AND from_kind = ?2 AND from_id = ?3 AND seq IN
               (SELECT seq FROM source
                WHERE tenant = ?1 AND kind = ?2 AND id = ?3 AND version <= ?4)",
        )?
        .execute(params![tenant, kind, id, version])?;
    connection
        .prepare_cached(
            "DELETE FROM source WHERE tenant = ?1 AND kind = ?2 AND id = ?3 AND version <= ?4",
        )?
        .execute(params![tenant, kind, id, version])?;
    projection::erase(connection, key)?;
    source::mark(connection, key)
}
