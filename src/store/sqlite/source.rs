//! Source records: their versions, the state these make, and the links between records.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::connection::broken;
use super::{isolated, read, retained};
use crate::domain::{Kind, Op, Record, TenantId};
use crate::error::Result;
use crate::store::record::{Key, decode, encode, inherit, number, origin};
use crate::store::versions::{Version, state};
use crate::store::{Accepted, Offer};

/// A record's state, with the rows that it was made from.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) record: Arc<Record>,
    head: i64,
    data: Option<i64>,
}

impl Known {
    /// Whether the state was made from this row.
    pub(super) fn stands_on(&self, seq: i64) -> bool {
        self.head == seq || self.data == Some(seq)
    }
}

/// Adds a version, unless it is there, and says what that did to the state. `before` loads the
/// state as it was; it is not called for a record of which nothing is known.
pub(super) fn put(
    connection: &Connection,
    offer: &Offer<'_>,
    before: impl FnOnce() -> Result<Option<Known>>,
) -> Result<Accepted> {
    let Offer { record, content_hash: hash, links, .. } = *offer;
    let key = Key::of(record);
    if retained::floor(connection, key)? >= Some(number(record.version)?) {
        return Ok(Accepted::Older);
    }
    if isolated::floor(connection, key)? >= Some(number(record.version)?) {
        isolated::keep(connection, record, hash)?;
        return Ok(Accepted::Older);
    }
    let (mut seqs, mut versions) = all(connection, key).map_err(broken)?;
    let same = |version: &&Version| version.number == record.version;
    if versions.iter().filter(same).any(|version| version.hash == *hash) {
        return Ok(Accepted::Unchanged);
    }
    let rival = versions.iter().filter(same).min_by_key(|version| version.hash);
    let rival = rival.map(|rival| (rival.number, rival.hash));
    let before = if versions.is_empty() { None } else { before()? };
    let earlier = state(&versions);
    let (seq, version) = insert(connection, offer).map_err(broken)??;
    link(connection, key, seq, links).map_err(broken)?;
    seqs.push(seq);
    versions.push(version);
    let before = before.map(|known| known.record);
    if let Some((number, hash)) = rival {
        let (rival, origin) = variant(connection, key, number, &hash)?;
        Ok(Accepted::Conflict { before, rival: Arc::new(rival), origin })
    } else if state(&versions) == earlier {
        Ok(Accepted::Older)
    } else {
        Ok(Accepted::Stored { before })
    }
}

fn insert(connection: &Connection, offer: &Offer<'_>) -> rusqlite::Result<Result<(i64, Version)>> {
    let Offer { record, content_hash: hash, .. } = *offer;
    let version = Version {
        number: record.version,
        hash: *hash,
        void: record.op == Op::Void,
        has_data: !record.data.is_null(),
    };
    let body = match encode(record, Some(offer.origin)) {
        Ok(body) => body,
        Err(error) => return Ok(Err(error)),
    };
    let [tenant, kind, id] = Key::of(record).columns();
    let seq = connection
        .prepare_cached(
            "INSERT INTO source (tenant, kind, id, version, hash, void, has_data, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .insert(params![
            tenant,
            kind,
            id,
            version.number.cast_signed(),
            hash,
            version.void,
            version.has_data,
            body
        ])?;
    Ok(Ok((seq, version)))
}

fn link(
    connection: &Connection,
    key: Key<'_>,
    seq: i64,
    links: &[(Kind, String)],
) -> rusqlite::Result<()> {
    let [tenant, from_kind, from_id] = key.columns();
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO link (tenant, to_kind, to_id, from_kind, from_id, seq)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (to_kind, to_id) in links {
        insert.execute(params![tenant, to_kind.as_str(), to_id, from_kind, from_id, seq])?;
    }
    Ok(())
}

/// Every version of a record, with the rows they are in.
fn all(connection: &Connection, key: Key<'_>) -> rusqlite::Result<(Vec<i64>, Vec<Version>)> {
    let mut select = connection.prepare_cached(
        "SELECT seq, version, hash, void, has_data FROM source
         WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
    )?;
    let mut rows = select.query(key.columns())?;
    let (mut seqs, mut versions) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        seqs.push(row.get(0)?);
        versions.push(Version {
            number: read::count(row, 1)?,
            hash: row.get(2)?,
            void: row.get(3)?,
            has_data: row.get(4)?,
        });
    }
    Ok((seqs, versions))
}

/// The state of a record.
pub(super) fn load(connection: &Connection, key: Key<'_>) -> Result<Option<Known>> {
    let (seqs, versions) = all(connection, key).map_err(broken)?;
    let Some(state) = state(&versions) else { return Ok(None) };
    let row = |position: usize| -> Result<(i64, Record)> {
        let seq = seqs.get(position).copied().unwrap_or_default();
        let version = versions.get(position).map_or(0, |version| version.number);
        connection
            .prepare_cached("SELECT body FROM source WHERE seq = ?1")
            .and_then(|mut select| select.query_row([seq], |row| row.get::<_, Vec<u8>>(0)))
            .map_err(broken)
            .and_then(|body| Ok((seq, decode(key, version, &body)?)))
    };
    let (head, mut record) = row(state.head)?;
    let mut data = None;
    if let Some(position) = state.data
        && position != state.head
    {
        let (seq, earlier) = row(position)?;
        data = Some(seq);
        inherit(&mut record, earlier);
    }
    Ok(Some(Known { record: Arc::new(record), head, data }))
}

/// One content of one version, and where it came from.
fn variant(
    connection: &Connection,
    key: Key<'_>,
    version: u64,
    hash: &[u8; 32],
) -> Result<(Record, Option<String>)> {
    let [tenant, kind, id] = key.columns();
    let body: Vec<u8> = connection
        .prepare_cached(
            "SELECT body FROM source
             WHERE tenant = ?1 AND kind = ?2 AND id = ?3 AND version = ?4 AND hash = ?5",
        )
        .and_then(|mut select| {
            select
                .query_row(params![tenant, kind, id, version.cast_signed(), hash], |row| row.get(0))
        })
        .map_err(broken)?;
    Ok((decode(key, version, &body)?, origin(&body)?))
}

/// The ids of the records of a kind, in order.
pub(super) fn ids(
    connection: &Connection,
    tenant: &TenantId,
    kind: Kind,
) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT DISTINCT id FROM source WHERE tenant = ?1 AND kind = ?2 ORDER BY id",
        )?
        .query_map([tenant.as_str(), kind.as_str()], |row| row.get(0))?
        .collect()
}

/// The ids and rows of the record versions of `kind` that refer to `(to, id)`, in order.
pub(super) fn referring(
    connection: &Connection,
    tenant: &TenantId,
    kind: Kind,
    to: Kind,
    id: &str,
) -> rusqlite::Result<Vec<(String, i64)>> {
    connection
        .prepare_cached(
            "SELECT from_id, seq FROM link
             WHERE tenant = ?1 AND to_kind = ?2 AND to_id = ?3 AND from_kind = ?4
             ORDER BY from_id",
        )?
        .query_map([tenant.as_str(), to.as_str(), id, kind.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect()
}

/// Marks a record for mapping.
pub(super) fn mark(connection: &Connection, key: Key<'_>) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO dirty (tenant, kind, id) VALUES (?1, ?2, ?3)")?
        .execute(key.columns())?;
    Ok(())
}

/// Marks all records of a kind for mapping.
pub(super) fn mark_kind(connection: &Connection, kind: Kind) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO dirty (tenant, kind, id)
             SELECT DISTINCT tenant, kind, id FROM source WHERE kind = ?1",
        )?
        .execute([kind.as_str()])?;
    Ok(())
}

/// Marks the records of a kind that refer, or once referred, to another record.
pub(super) fn mark_referring(
    connection: &Connection,
    tenant: &TenantId,
    kind: Kind,
    to: Kind,
    id: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO dirty (tenant, kind, id)
             SELECT DISTINCT tenant, from_kind, from_id FROM link
             WHERE tenant = ?1 AND to_kind = ?2 AND to_id = ?3 AND from_kind = ?4",
        )?
        .execute([tenant.as_str(), to.as_str(), id, kind.as_str()])?;
    Ok(())
}

/// Unmarks a record.
pub(super) fn unmark(connection: &Connection, key: Key<'_>) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM dirty WHERE tenant = ?1 AND kind = ?2 AND id = ?3")?
        .execute(key.columns())?;
    Ok(())
}

/// Marked records.
pub(super) fn marked(
    connection: &Connection,
    limit: usize,
) -> rusqlite::Result<Vec<(TenantId, Kind, String)>> {
    connection
        .prepare_cached("SELECT tenant, kind, id FROM dirty ORDER BY tenant, kind, id LIMIT ?1")?
        .query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok((read::parsed(row, 0)?, read::parsed(row, 1)?, row.get(2)?))
        })?
        .collect()
}
