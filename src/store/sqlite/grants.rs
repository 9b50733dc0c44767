//! Clients, grants, refresh tokens, and what was taken back.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::SqliteStore;
use super::read::{instant, maybe_instant, parsed};
use crate::domain::{FhirId, TenantId};
use crate::error::Result;
use crate::store::grants::{GRANT, Held};
use crate::store::{ClientRow, GrantRow, Grants, Refresh, RefreshRow, Rotation, TokenName};

impl Grants for SqliteStore {
    fn put_client(&self, client: &ClientRow) -> Result<bool> {
        self.writer().run(|connection| {
            let put = connection
                .prepare_cached(
                    "INSERT INTO client (id, tenant, disabled, body) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET disabled = excluded.disabled, body = excluded.body
                     WHERE client.tenant = excluded.tenant",
                )?
                .execute(params![
                    client.id,
                    client.tenant.as_str(),
                    client.is_disabled,
                    client.body
                ])?;
            Ok(put > 0)
        })
    }

    fn client(&self, id: &str) -> Result<Option<ClientRow>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached("SELECT id, tenant, disabled, body FROM client WHERE id = ?1")?
                .query_row([id], client)
                .optional()
        })
    }

    fn clients(&self) -> Result<Vec<ClientRow>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached("SELECT id, tenant, disabled, body FROM client ORDER BY id")?
                .query_map([], client)?
                .collect()
        })
    }

    fn put_grant(&self, grant: &GrantRow) -> Result<()> {
        self.writer().run(|connection| put_grant(connection, grant))
    }

    fn grant(&self, id: &str) -> Result<Option<GrantRow>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(&format!("SELECT {GRANT} FROM grant_given g WHERE g.id = ?1"))?
                .query_row([id], |row| grant(row, 0))
                .optional()
        })
    }

    fn grants_of(
        &self,
        tenant: &TenantId,
        subject: &str,
        patient: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<GrantRow>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {GRANT} FROM grant_given g
                     WHERE g.tenant = ?1 AND (g.subject = ?2 OR g.patient = ?3)
                       AND g.expires > ?4 AND g.revoked IS NULL
                     ORDER BY g.made DESC, g.id"
                ))?
                .query_map(
                    params![tenant.as_str(), subject, patient, now.as_microsecond()],
                    |row| grant(row, 0),
                )?
                .collect()
        })
    }

    fn revoke_grant(&self, tenant: &TenantId, id: &str, now: Timestamp) -> Result<bool> {
        self.writer().run(|connection| revoke(connection, tenant, id, now))
    }

    fn put_refresh(&self, refresh: &RefreshRow) -> Result<()> {
        self.writer().run(|connection| put_refresh(connection, refresh))
    }

    fn refresh(&self, digest: &[u8; 32], now: Timestamp) -> Result<Option<Refresh>> {
        let found = self.readers.take()?.run(|connection| held(connection, digest))?;
        Ok(found.map(|held| {
            let is_good = held.is_good(now) && !held.is_rotated;
            Refresh { grant: held.grant, expires: held.expires, is_good }
        }))
    }

    fn rotate(&self, digest: &[u8; 32], next: &RefreshRow, now: Timestamp) -> Result<Rotation> {
        self.writer().run(|connection| rotate(connection, digest, next, now))
    }

    fn use_grant(&self, id: &str, now: Timestamp) -> Result<()> {
        self.writer().run(|connection| used(connection, id, now))
    }

    fn revoke_token(&self, jti: &str, expires: Timestamp, now: Timestamp) -> Result<()> {
        self.writer().run(|connection| {
            connection
                .prepare_cached("DELETE FROM revoked_token WHERE expires <= ?1")?
                .execute([now.as_microsecond()])?;
            connection
                .prepare_cached("INSERT OR REPLACE INTO revoked_token VALUES (?1, ?2)")?
                .execute(params![jti, expires.as_microsecond()])
                .map(drop)
        })
    }

    fn is_live(&self, token: TokenName<'_>, now: Timestamp) -> Result<bool> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT NOT EXISTS (SELECT 1 FROM revoked_token WHERE jti = ?1)
                       AND NOT EXISTS (SELECT 1 FROM client WHERE id = ?2 AND disabled = 1)
                       AND (?3 IS NULL OR EXISTS
                         (SELECT 1 FROM grant_given
                          WHERE id = ?3 AND revoked IS NULL AND expires > ?4))",
                )?
                .query_row(
                    params![token.jti, token.client, token.grant, now.as_microsecond()],
                    |row| row.get(0),
                )
        })
    }

    fn is_granted(
        &self,
        tenant: &TenantId,
        patient: &FhirId,
        grantee: &str,
        at: Timestamp,
    ) -> Result<bool> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM allowed WHERE tenant = ?1 AND patient = ?2
                       AND grantee = ?3 AND since <= ?4 AND until > ?4)",
                )?
                .query_row(
                    params![tenant.as_str(), patient.as_str(), grantee, at.as_microsecond()],
                    |row| row.get(0),
                )
        })
    }

    fn is_first(&self, key: &[u8; 32], expires: Timestamp, now: Timestamp) -> Result<bool> {
        self.writer().run(|connection| {
            connection
                .prepare_cached("DELETE FROM seen_once WHERE expires <= ?1")?
                .execute([now.as_microsecond()])?;
            let put = connection
                .prepare_cached("INSERT OR IGNORE INTO seen_once VALUES (?1, ?2)")?
                .execute(params![key, expires.as_microsecond()])?;
            Ok(put > 0)
        })
    }
}

fn client(row: &Row<'_>) -> rusqlite::Result<ClientRow> {
    let (id, is_disabled, body) = (row.get(0)?, row.get(2)?, row.get(3)?);
    Ok(ClientRow { id, tenant: parsed(row, 1)?, is_disabled, body })
}

/// The grant whose columns begin there.
fn grant(row: &Row<'_>, first: usize) -> rusqlite::Result<GrantRow> {
    Ok(GrantRow {
        id: row.get(first)?,
        tenant: parsed(row, first + 1)?,
        client: row.get(first + 2)?,
        subject: row.get(first + 3)?,
        patient: row.get(first + 4)?,
        body: row.get(first + 5)?,
        made: instant(row, first + 6)?,
        used: maybe_instant(row, first + 7)?,
        expires: instant(row, first + 8)?,
        revoked: maybe_instant(row, first + 9)?,
    })
}

fn put_grant(connection: &Connection, grant: &GrantRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO grant_given
               (id, tenant, client, subject, patient, body, made, used, expires, revoked)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            grant.id,
            grant.tenant.as_str(),
            grant.client,
            grant.subject,
            grant.patient,
            grant.body,
            grant.made.as_microsecond(),
            grant.used.map(Timestamp::as_microsecond),
            grant.expires.as_microsecond(),
            grant.revoked.map(Timestamp::as_microsecond)
        ])
        .map(drop)
}

fn revoke(
    connection: &Connection,
    tenant: &TenantId,
    id: &str,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let revoked = connection
        .prepare_cached(
            "UPDATE grant_given SET revoked = ?3
             WHERE tenant = ?1 AND id = ?2 AND revoked IS NULL",
        )?
        .execute(params![tenant.as_str(), id, now.as_microsecond()])?;
    Ok(revoked > 0)
}

fn put_refresh(connection: &Connection, refresh: &RefreshRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO refresh (digest, grant_id, expires) VALUES (?1, ?2, ?3)")?
        .execute(params![refresh.digest, refresh.grant, refresh.expires.as_microsecond()])
        .map(drop)
}

fn used(connection: &Connection, id: &str, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE grant_given SET used = ?2 WHERE id = ?1")?
        .execute(params![id, now.as_microsecond()])
        .map(drop)
}

fn held(connection: &Connection, digest: &[u8; 32]) -> rusqlite::Result<Option<Held>> {
    connection
        .prepare_cached(&format!(
            "SELECT {GRANT}, r.expires, r.rotated FROM refresh r
             JOIN grant_given g ON g.id = r.grant_id WHERE r.digest = ?1"
        ))?
        .query_row([digest], |row| {
            Ok(Held { grant: grant(row, 0)?, expires: instant(row, 10)?, is_rotated: row.get(11)? })
        })
        .optional()
}

fn rotate(
    connection: &Connection,
    digest: &[u8; 32],
    next: &RefreshRow,
    now: Timestamp,
) -> rusqlite::Result<Rotation> {
    // Another process may write the file too: what is read here is not outdated when it is written.
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let Some(held) = held(&transaction, digest)?.filter(|held| held.is_good(now)) else {
        return Ok(Rotation::Unknown);
    };
    let grant = held.grant;
    if held.is_rotated {
        revoke(&transaction, &grant.tenant, &grant.id, now)?;
        transaction.commit()?;
        return Ok(Rotation::Reused(grant));
    }
    transaction
        .prepare_cached("UPDATE refresh SET rotated = 1 WHERE digest = ?1")?
        .execute([digest])?;
    put_refresh(&transaction, &RefreshRow { grant: grant.id.clone(), ..next.clone() })?;
    used(&transaction, &grant.id, now)?;
    transaction
        .prepare_cached("DELETE FROM refresh WHERE expires <= ?1")?
        .execute([now.as_microsecond()])?;
    transaction.commit()?;
    Ok(Rotation::Rotated(grant))
}
