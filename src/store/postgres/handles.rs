//! Short-lived objects behind secret handles. Each method is one statement, so one transaction.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::PostgresStore;
use super::fault::Tried;
use super::row::{get, hash, instant};
use crate::domain::TenantId;
use crate::error::Result;
use crate::store::{Handle, Handles, Taken};

impl Handles for PostgresStore {
    fn put_handle(&self, handle: &Handle, now: Timestamp) -> Result<()> {
        Ok(self.writers.run(|session| {
            session.execute("DELETE FROM handle WHERE expires <= $1", &[&now.as_microsecond()])?;
            session.execute(
                "INSERT INTO handle (kind, digest, tenant, subject, body, expires)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (kind, digest) DO UPDATE SET tenant = excluded.tenant,
                   subject = excluded.subject, body = excluded.body, expires = excluded.expires,
                   taken = 0",
                &[
                    &handle.kind,
                    &handle.digest.as_slice(),
                    &handle.tenant.as_ref().map_or("", TenantId::as_str),
                    &handle.subject,
                    &handle.body,
                    &handle.expires.as_microsecond(),
                ],
            )?;
            Ok(())
        })?)
    }

    fn handle(&self, kind: &str, digest: &[u8; 32], now: Timestamp) -> Result<Option<Handle>> {
        Ok(self.readers.run(|session| {
            let rows = session.query(
                "SELECT kind, digest, tenant, subject, body, expires FROM handle
                 WHERE kind = $1 AND digest = $2 AND expires > $3 AND taken = 0",
                &[&kind, &digest.as_slice(), &now.as_microsecond()],
            )?;
            rows.first().map(handle).transpose()
        })?)
    }

    fn take_handle(&self, kind: &str, digest: &[u8; 32], now: Timestamp) -> Result<Option<Taken>> {
        Ok(self.writers.run(|session| {
            let rows = session.query(
                "UPDATE handle SET taken = taken + 1
                 WHERE kind = $1 AND digest = $2 AND expires > $3
                 RETURNING kind, digest, tenant, subject, body, expires, taken",
                &[&kind, &digest.as_slice(), &now.as_microsecond()],
            )?;
            let taken =
                |row| Ok(Taken { handle: handle(row)?, is_first: get::<i64>(row, 6)? == 1 });
            rows.first().map(taken).transpose()
        })?)
    }

    fn drop_handle(&self, kind: &str, digest: &[u8; 32]) -> Result<()> {
        Ok(self.writers.run(|session| {
            let delete = "DELETE FROM handle WHERE kind = $1 AND digest = $2";
            session.execute(delete, &[&kind, &digest.as_slice()]).map(drop)
        })?)
    }

    fn handles_of(&self, kind: &str, subject: &str, now: Timestamp) -> Result<Vec<Handle>> {
        Ok(self.readers.run(|session| {
            let rows = session.query(
                "SELECT kind, digest, tenant, subject, body, expires FROM handle
                 WHERE kind = $1 AND subject = $2 AND expires > $3 AND taken = 0
                 ORDER BY expires, digest",
                &[&kind, &subject, &now.as_microsecond()],
            )?;
            rows.iter().map(handle).collect()
        })?)
    }

    fn drop_handles_of(&self, kind: &str, subject: &str) -> Result<()> {
        Ok(self.writers.run(|session| {
            let delete = "DELETE FROM handle WHERE kind = $1 AND subject = $2";
            session.execute(delete, &[&kind, &subject]).map(drop)
        })?)
    }
}

fn handle(row: &Row) -> Tried<Handle> {
    Ok(Handle {
        kind: get(row, 0)?,
        digest: hash(row, 1)?,
        // None is written as nothing, which is no tenant's name.
        tenant: get::<&str>(row, 2)?.parse().ok(),
        subject: get(row, 3)?,
        body: get(row, 4)?,
        expires: instant(row, 5)?,
    })
}
