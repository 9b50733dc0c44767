//! Short-lived objects behind secret handles.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteStore;
use super::read::instant;
use crate::domain::TenantId;
use crate::error::Result;
use crate::store::{Handle, Handles, Taken};

impl Handles for SqliteStore {
    fn put_handle(&self, handle: &Handle, now: Timestamp) -> Result<()> {
        self.writer().run(|connection| put(connection, handle, now))
    }

    fn handle(&self, kind: &str, digest: &[u8; 32], now: Timestamp) -> Result<Option<Handle>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT kind, digest, tenant, subject, body, expires FROM handle
                     WHERE kind = ?1 AND digest = ?2 AND expires > ?3 AND taken = 0",
                )?
                .query_row(params![kind, digest, now.as_microsecond()], handle)
                .optional()
        })
    }

    fn take_handle(&self, kind: &str, digest: &[u8; 32], now: Timestamp) -> Result<Option<Taken>> {
        self.writer().run(|connection| {
            connection
                .prepare_cached(
                    "UPDATE handle SET taken = taken + 1
                     WHERE kind = ?1 AND digest = ?2 AND expires > ?3
                     RETURNING kind, digest, tenant, subject, body, expires, taken",
                )?
                .query_row(params![kind, digest, now.as_microsecond()], |row| {
                    Ok(Taken { handle: handle(row)?, is_first: row.get::<_, i64>(6)? == 1 })
                })
                .optional()
        })
    }

    fn drop_handle(&self, kind: &str, digest: &[u8; 32]) -> Result<()> {
        self.writer().run(|connection| {
            connection
                .prepare_cached("DELETE FROM handle WHERE kind = ?1 AND digest = ?2")?
                .execute(params![kind, digest])
                .map(drop)
        })
    }

    fn handles_of(&self, kind: &str, subject: &str, now: Timestamp) -> Result<Vec<Handle>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT kind, digest, tenant, subject, body, expires FROM handle
                     WHERE kind = ?1 AND subject = ?2 AND expires > ?3 AND taken = 0
                     ORDER BY expires, digest",
                )?
                .query_map(params![kind, subject, now.as_microsecond()], handle)?
                .collect()
        })
    }

    fn drop_handles_of(&self, kind: &str, subject: &str) -> Result<()> {
        self.writer().run(|connection| {
            connection
                .prepare_cached("DELETE FROM handle WHERE kind = ?1 AND subject = ?2")?
                .execute([kind, subject])
                .map(drop)
        })
    }
}

fn put(connection: &Connection, handle: &Handle, now: Timestamp) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction
        .prepare_cached("DELETE FROM handle WHERE expires <= ?1")?
        .execute([now.as_microsecond()])?;
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO handle (kind, digest, tenant, subject, body, expires)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            handle.kind,
            handle.digest,
            handle.tenant.as_ref().map_or("", TenantId::as_str),
            handle.subject,
            handle.body,
            handle.expires.as_microsecond()
        ])?;
    transaction.commit()
}

fn handle(row: &Row<'_>) -> rusqlite::Result<Handle> {
    Ok(Handle {
        kind: row.get(0)?,
        digest: row.get(1)?,
        // None is written as nothing, which is no tenant's name.
        tenant: row.get_ref(2)?.as_str()?.parse().ok(),
        subject: row.get(3)?,
        body: row.get(4)?,
        expires: instant(row, 5)?,
    })
}
