//! Quarantine: what could not be taken in, each once. Bodies of the isolated plane lie apart.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::read::{instant, parsed};
use crate::domain::TenantId;
use crate::store::Quarantined;
use crate::store::record::Key;

const COLUMNS: &str =
    "number, tenant, kind, id, reason, detail, pointer, origin, received, isolated";

/// All entries without their bodies, oldest first.
pub(super) fn list(connection: &Connection) -> rusqlite::Result<Vec<Quarantined>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM quarantine ORDER BY number"))?
        .query_map([], described)?
        .collect()
}

/// One entry; its body too, unless that belongs to the isolated plane.
pub(super) fn entry(connection: &Connection, number: i64) -> rusqlite::Result<Option<Quarantined>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS}, body FROM quarantine WHERE number = ?1"))?
        .query_row([number], |row| {
            let body = row.get::<_, Option<Vec<u8>>>(10)?.unwrap_or_default();
            Ok(Quarantined { body, ..described(row)? })
        })
        .optional()
}

/// The body of an entry of the isolated plane.
pub(super) fn isolated_body(
    connection: &Connection,
    number: i64,
) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT body FROM isolated_quarantine WHERE number = ?1")?
        .query_row([number], |row| row.get(0))
        .optional()
}

fn described(row: &Row<'_>) -> rusqlite::Result<Quarantined> {
    let tenant = match row.get_ref(1)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(parsed(row, 1)?),
    };
    Ok(Quarantined {
        number: row.get(0)?,
        tenant,
        kind: row.get(2)?,
        id: row.get(3)?,
        reason: row.get(4)?,
        detail: row.get(5)?,
        pointer: row.get(6)?,
        origin: row.get(7)?,
        received: instant(row, 8)?,
        isolated: row.get(9)?,
        body: Vec::new(),
    })
}

/// Adds an entry, unless the same content is there for the same reason.
pub(super) fn put(connection: &Connection, entry: &Quarantined) -> rusqlite::Result<()> {
    let shown = (!entry.isolated).then_some(&entry.body);
    let added = connection
        .prepare_cached(
            "INSERT INTO quarantine (key, tenant, kind, id, reason, detail, pointer, origin,
               received, isolated, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT (key) DO NOTHING",
        )?
        .execute(params![
            entry.key(),
            entry.tenant.as_ref().map(TenantId::as_str),
            entry.kind,
            entry.id,
            entry.reason,
            entry.detail,
            entry.pointer,
            entry.origin,
            entry.received.as_microsecond(),
            entry.isolated,
            shown
        ])?;
    if entry.isolated && added > 0 {
        connection
            .prepare_cached("INSERT INTO isolated_quarantine (number, body) VALUES (?1, ?2)")?
            .execute(params![connection.last_insert_rowid(), entry.body])?;
    }
    Ok(())
}

/// Removes the entries about a record of the general plane that have one reason.
pub(super) fn release_refused(
    connection: &Connection,
    key: Key<'_>,
    reason: &str,
) -> rusqlite::Result<()> {
    let [tenant, kind, id] = key.columns();
    connection
        .prepare_cached(
            "DELETE FROM quarantine
             WHERE tenant = ?1 AND kind = ?2 AND id = ?3 AND reason = ?4 AND isolated = 0",
        )?
        .execute([tenant, kind, id, reason])?;
    Ok(())
}

/// Removes an entry.
pub(super) fn release(connection: &Connection, number: i64) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM quarantine WHERE number = ?1",
        "DELETE FROM isolated_quarantine WHERE number = ?1",
    ] {
        connection.prepare_cached(statement)?.execute([number])?;
    }
    Ok(())
}
