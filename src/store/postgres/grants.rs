//! Clients, grants, refresh tokens, and what was taken back.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::PostgresStore;
use super::fault::Tried;
use super::row::{get, instant, maybe_instant, parsed};
use super::session::Session;
use crate::domain::{FhirId, TenantId};
use crate::error::Result;
use crate::store::grants::{GRANT, Held};
use crate::store::{ClientRow, GrantRow, Grants, Refresh, RefreshRow, Rotation, TokenName};

impl Grants for PostgresStore {
    fn put_client(&self, client: &ClientRow) -> Result<bool> {
        Ok(self.writers.run(|session| {
            let put = session.execute(
                "INSERT INTO client (id, tenant, disabled, body) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (id) DO UPDATE SET disabled = excluded.disabled, body = excluded.body
                 WHERE client.tenant = excluded.tenant",
                &[
                    &client.id,
                    &client.tenant.as_str(),
                    &i64::from(client.is_disabled),
                    &client.body,
                ],
            )?;
            Ok(put > 0)
        })?)
    }

    fn client(&self, id: &str) -> Result<Option<ClientRow>> {
        Ok(self.readers.run(|session| {
            let select = "SELECT id, tenant, disabled, body FROM client WHERE id = $1";
            session.query(select, &[&id])?.first().map(client).transpose()
        })?)
    }

    fn clients(&self) -> Result<Vec<ClientRow>> {
        Ok(self.readers.run(|session| {
            let select = "SELECT id, tenant, disabled, body FROM client ORDER BY id COLLATE \"C\"";
            session.query(select, &[])?.iter().map(client).collect()
        })?)
    }

    fn put_grant(&self, grant: &GrantRow) -> Result<()> {
        Ok(self.writers.run(|session| put_grant(session, grant))?)
    }

    fn grant(&self, id: &str) -> Result<Option<GrantRow>> {
        Ok(self.readers.run(|session| {
            let select = format!("SELECT {GRANT} FROM grant_given g WHERE g.id = $1");
            session.query(&select, &[&id])?.first().map(grant).transpose()
        })?)
    }

    fn grants_of(
        &self,
        tenant: &TenantId,
        subject: &str,
        patient: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<GrantRow>> {
        Ok(self.readers.run(|session| {
            let select = format!(
                "SELECT {GRANT} FROM grant_given g
                 WHERE g.tenant = $1 AND (g.subject = $2 OR g.patient = $3)
                   AND g.expires > $4 AND g.revoked IS NULL
                 ORDER BY g.made DESC, g.id COLLATE \"C\""
            );
            let rows = session
                .query(&select, &[&tenant.as_str(), &subject, &patient, &now.as_microsecond()])?;
            rows.iter().map(grant).collect()
        })?)
    }

    fn revoke_grant(&self, tenant: &TenantId, id: &str, now: Timestamp) -> Result<bool> {
        Ok(self.writers.run(|session| revoke(session, tenant, id, now))?)
    }

    fn put_refresh(&self, refresh: &RefreshRow) -> Result<()> {
        Ok(self.writers.run(|session| put_refresh(session, refresh))?)
    }

    fn refresh(&self, digest: &[u8; 32], now: Timestamp) -> Result<Option<Refresh>> {
        let found = self.readers.run(|session| held(session, digest))?;
        Ok(found.map(|held| {
            let is_good = held.is_good(now) && !held.is_rotated;
            Refresh { grant: held.grant, expires: held.expires, is_good }
        }))
    }

    fn rotate(&self, digest: &[u8; 32], next: &RefreshRow, now: Timestamp) -> Result<Rotation> {
        Ok(self.writers.run(|session| {
            session.batch("BEGIN")?;
            let rotation = rotate(session, digest, next, now);
            session.batch(if rotation.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
            rotation
        })?)
    }

    fn use_grant(&self, id: &str, now: Timestamp) -> Result<()> {
        Ok(self.writers.run(|session| used(session, id, now))?)
    }

    fn revoke_token(&self, jti: &str, expires: Timestamp, now: Timestamp) -> Result<()> {
        Ok(self.writers.run(|session| {
            session.execute(
                "DELETE FROM revoked_token WHERE expires <= $1",
                &[&now.as_microsecond()],
            )?;
            session.execute(
                "INSERT INTO revoked_token (jti, expires) VALUES ($1, $2)
                 ON CONFLICT (jti) DO UPDATE SET expires = excluded.expires",
                &[&jti, &expires.as_microsecond()],
            )?;
            Ok(())
        })?)
    }

    fn is_live(&self, token: TokenName<'_>, now: Timestamp) -> Result<bool> {
        Ok(self.readers.run(|session| {
            let rows = session.query(
                "SELECT NOT EXISTS (SELECT 1 FROM revoked_token WHERE jti = $1)
                   AND NOT EXISTS (SELECT 1 FROM client WHERE id = $2 AND disabled = 1)
                   AND ($3::text IS NULL OR EXISTS
                     (SELECT 1 FROM grant_given
                      WHERE id = $3 AND revoked IS NULL AND expires > $4))",
                &[&token.jti, &token.client, &token.grant, &now.as_microsecond()],
            )?;
            rows.first().map_or(Ok(false), |row| get(row, 0))
        })?)
    }

    fn is_granted(
        &self,
        tenant: &TenantId,
        patient: &FhirId,
        grantee: &str,
        at: Timestamp,
    ) -> Result<bool> {
        Ok(self.readers.run(|session| {
            let rows = session.query(
                "SELECT EXISTS (SELECT 1 FROM allowed WHERE tenant = $1 AND patient = $2
                   AND grantee = $3 AND since <= $4 AND until > $4)",
                &[&tenant.as_str(), &patient.as_str(), &grantee, &at.as_microsecond()],
            )?;
            rows.first().map_or(Ok(false), |row| get(row, 0))
        })?)
    }

    fn is_first(&self, key: &[u8; 32], expires: Timestamp, now: Timestamp) -> Result<bool> {
        Ok(self.writers.run(|session| {
            session
                .execute("DELETE FROM seen_once WHERE expires <= $1", &[&now.as_microsecond()])?;
            let put = session.execute(
                "INSERT INTO seen_once (digest, expires) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                &[&key.as_slice(), &expires.as_microsecond()],
            )?;
            Ok(put > 0)
        })?)
    }
}

fn client(row: &Row) -> Tried<ClientRow> {
    let is_disabled = get::<i64>(row, 2)? != 0;
    Ok(ClientRow { id: get(row, 0)?, tenant: parsed(row, 1)?, is_disabled, body: get(row, 3)? })
}

fn grant(row: &Row) -> Tried<GrantRow> {
    Ok(GrantRow {
        id: get(row, 0)?,
        tenant: parsed(row, 1)?,
        client: get(row, 2)?,
        subject: get(row, 3)?,
        patient: get(row, 4)?,
        body: get(row, 5)?,
        made: instant(row, 6)?,
        used: maybe_instant(row, 7)?,
        expires: instant(row, 8)?,
        revoked: maybe_instant(row, 9)?,
    })
}

fn put_grant(session: &mut Session, grant: &GrantRow) -> Tried<()> {
    session.execute(
        "INSERT INTO grant_given
           (id, tenant, client, subject, patient, body, made, used, expires, revoked)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            &grant.id,
            &grant.tenant.as_str(),
            &grant.client,
            &grant.subject,
            &grant.patient,
            &grant.body,
            &grant.made.as_microsecond(),
            &grant.used.map(Timestamp::as_microsecond),
            &grant.expires.as_microsecond(),
            &grant.revoked.map(Timestamp::as_microsecond),
        ],
    )?;
    Ok(())
}

fn revoke(session: &mut Session, tenant: &TenantId, id: &str, now: Timestamp) -> Tried<bool> {
    let revoked = session.execute(
        "UPDATE grant_given SET revoked = $3 WHERE tenant = $1 AND id = $2 AND revoked IS NULL",
        &[&tenant.as_str(), &id, &now.as_microsecond()],
    )?;
    Ok(revoked > 0)
}

fn put_refresh(session: &mut Session, refresh: &RefreshRow) -> Tried<()> {
    session.execute(
        "INSERT INTO refresh (digest, grant_id, expires) VALUES ($1, $2, $3)",
        &[&refresh.digest.as_slice(), &refresh.grant, &refresh.expires.as_microsecond()],
    )?;
    Ok(())
}

fn used(session: &mut Session, id: &str, now: Timestamp) -> Tried<()> {
    let update = "UPDATE grant_given SET used = $2 WHERE id = $1";
    session.execute(update, &[&id, &now.as_microsecond()]).map(drop)
}

fn held(session: &mut Session, digest: &[u8; 32]) -> Tried<Option<Held>> {
    let select = format!(
        "SELECT {GRANT}, r.expires, r.rotated FROM refresh r
         JOIN grant_given g ON g.id = r.grant_id WHERE r.digest = $1"
    );
    let rows = session.query(&select, &[&digest.as_slice()])?;
    let held = |row| {
        let is_rotated = get::<i64>(row, 11)? != 0;
        Ok(Held { grant: grant(row)?, expires: instant(row, 10)?, is_rotated })
    };
    rows.first().map(held).transpose()
}

fn rotate(
    session: &mut Session,
    digest: &[u8; 32],
    next: &RefreshRow,
    now: Timestamp,
) -> Tried<Rotation> {
    // Whoever comes at the same time waits here, and finds it rotated.
    let lock = "SELECT 1 FROM refresh WHERE digest = $1 FOR UPDATE";
    session.query(lock, &[&digest.as_slice()])?;
    let Some(held) = held(session, digest)?.filter(|held| held.is_good(now)) else {
        return Ok(Rotation::Unknown);
    };
    let grant = held.grant;
    if held.is_rotated {
        revoke(session, &grant.tenant, &grant.id, now)?;
        return Ok(Rotation::Reused(grant));
    }
    session.execute("UPDATE refresh SET rotated = 1 WHERE digest = $1", &[&digest.as_slice()])?;
    put_refresh(session, &RefreshRow { grant: grant.id.clone(), ..next.clone() })?;
    used(session, &grant.id, now)?;
    session.execute("DELETE FROM refresh WHERE expires <= $1", &[&now.as_microsecond()])?;
    Ok(Rotation::Rotated(grant))
}
