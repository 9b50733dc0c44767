//! Links to encrypted copies.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use super::SqliteStore;
use super::read::{instant, maybe_instant, parsed};
use crate::domain::{FhirId, TenantId};
use crate::error::Result;
use crate::store::links::{LINK, alive};
use crate::store::{Link, Links};

impl Links for SqliteStore {
    fn put_link(&self, link: &Link, forget: Timestamp) -> Result<()> {
        self.writer().run(|connection| {
            let transaction = connection.unchecked_transaction()?;
            transaction
                .prepare_cached("DELETE FROM health_link WHERE expires < ?1")?
                .execute([forget.as_microsecond()])?;
            transaction
                .prepare_cached(&format!(
                    "INSERT INTO health_link ({LINK}) VALUES
                     (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
                ))?
                .execute(params![
                    link.digest,
                    link.name,
                    link.tenant.as_str(),
                    link.patient.as_str(),
                    link.client,
                    link.mandate,
                    link.files,
                    link.passcode,
                    link.tries,
                    link.views,
                    link.opened,
                    link.last.map(Timestamp::as_microsecond),
                    link.opener,
                    link.made.as_microsecond(),
                    link.expires.as_microsecond(),
                    link.revoked.map(Timestamp::as_microsecond),
                ])?;
            transaction.commit()
        })
    }

    fn link(&self, digest: &[u8; 32]) -> Result<Option<Link>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(&format!("SELECT {LINK} FROM health_link WHERE digest = ?1"))?
                .query_row([digest], link)
                .optional()
        })
    }

    fn link_named(&self, tenant: &TenantId, name: &str) -> Result<Option<Link>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {LINK} FROM health_link WHERE name = ?1 AND tenant = ?2"
                ))?
                .query_row([name, tenant.as_str()], link)
                .optional()
        })
    }

    fn links(&self, tenant: &TenantId, patient: Option<&FhirId>, limit: u32) -> Result<Vec<Link>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {LINK} FROM health_link
                     WHERE tenant = ?1 AND (?2 IS NULL OR patient = ?2)
                     ORDER BY made DESC, name LIMIT ?3"
                ))?
                .query_map(params![tenant.as_str(), patient.map(FhirId::as_str), limit], link)?
                .collect()
        })
    }

    fn try_link(&self, digest: &[u8; 32], now: Timestamp) -> Result<Option<u32>> {
        self.writer().run(|connection| {
            connection
                .prepare_cached(&format!(
                    "UPDATE health_link SET tries = tries - 1 WHERE digest = ?1 AND {} RETURNING tries",
                    alive("?2")
                ))?
                .query_row(params![digest, now.as_microsecond()], |row| row.get(0))
                .optional()
        })
    }

    fn spare_link(&self, digest: &[u8; 32]) -> Result<()> {
        self.writer().run(|connection| {
            connection
                .prepare_cached("UPDATE health_link SET tries = tries + 1 WHERE digest = ?1")?
                .execute([digest])
                .map(drop)
        })
    }

    fn open_link(&self, digest: &[u8; 32], opener: &str, now: Timestamp) -> Result<bool> {
        self.writer().run(|connection| {
            connection
                .prepare_cached(&format!(
                    "UPDATE health_link SET opened = opened + 1, last = ?2, opener = ?3
                     WHERE digest = ?1 AND {}",
                    alive("?2")
                ))?
                .execute(params![digest, now.as_microsecond(), opener])
                .map(|rows| rows > 0)
        })
    }

    fn revoke_link(&self, tenant: &TenantId, name: &str, now: Timestamp) -> Result<bool> {
        self.writer().run(|connection| {
            connection
                .prepare_cached(
                    "UPDATE health_link SET revoked = ?3
                     WHERE name = ?1 AND tenant = ?2 AND revoked IS NULL",
                )?
                .execute(params![name, tenant.as_str(), now.as_microsecond()])
                .map(|rows| rows > 0)
        })
    }
}

fn link(row: &Row<'_>) -> rusqlite::Result<Link> {
    Ok(Link {
        digest: row.get(0)?,
        name: row.get(1)?,
        tenant: parsed(row, 2)?,
        patient: parsed(row, 3)?,
        client: row.get(4)?,
        mandate: row.get(5)?,
        files: row.get(6)?,
        passcode: row.get(7)?,
        tries: row.get(8)?,
        views: row.get(9)?,
        opened: row.get(10)?,
        last: maybe_instant(row, 11)?,
        opener: row.get(12)?,
        made: instant(row, 13)?,
        expires: instant(row, 14)?,
        revoked: maybe_instant(row, 15)?,
    })
}
