//! Links to encrypted copies. Each method that counts is one statement, so one transaction.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::PostgresStore;
use super::fault::{Fault, Tried};
use super::row::{get, hash, instant, maybe_instant, parsed, storable};
use crate::domain::{FhirId, TenantId};
use crate::error::Result;
use crate::store::links::{LINK, alive};
use crate::store::{Link, Links};

impl Links for PostgresStore {
    fn put_link(&self, link: &Link, forget: Timestamp) -> Result<()> {
        Ok(self.writers.run(|session| {
            session.execute(
                "DELETE FROM health_link WHERE expires < $1",
                &[&forget.as_microsecond()],
            )?;
            let insert = format!(
                "INSERT INTO health_link ({LINK}) VALUES
                 ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
            );
            session.execute(
                &insert,
                &[
                    &link.digest.as_slice(),
                    &link.name,
                    &link.tenant.as_str(),
                    &link.patient.as_str(),
                    &link.client,
                    &link.mandate,
                    &link.files,
                    &link.passcode,
                    &i64::from(link.tries),
                    &link.views.map(i64::from),
                    &i64::from(link.opened),
                    &link.last.map(Timestamp::as_microsecond),
                    &link.opener,
                    &link.made.as_microsecond(),
                    &link.expires.as_microsecond(),
                    &link.revoked.map(Timestamp::as_microsecond),
                ],
            )?;
            Ok(())
        })?)
    }

    fn link(&self, digest: &[u8; 32]) -> Result<Option<Link>> {
        Ok(self.readers.run(|session| {
            let select = format!("SELECT {LINK} FROM health_link WHERE digest = $1");
            session.query(&select, &[&digest.as_slice()])?.first().map(link).transpose()
        })?)
    }

    fn link_named(&self, tenant: &TenantId, name: &str) -> Result<Option<Link>> {
        Ok(self.readers.run(|session| {
            let select = format!("SELECT {LINK} FROM health_link WHERE name = $1 AND tenant = $2");
            session.query(&select, &[&name, &tenant.as_str()])?.first().map(link).transpose()
        })?)
    }

    fn links(&self, tenant: &TenantId, patient: Option<&FhirId>, limit: u32) -> Result<Vec<Link>> {
        Ok(self.readers.run(|session| {
            let select = format!(
                "SELECT {LINK} FROM health_link
                 WHERE tenant = $1 AND ($2::text IS NULL OR patient = $2)
                 ORDER BY made DESC, name LIMIT $3"
            );
            let patient = patient.map(FhirId::as_str);
            let rows = session.query(&select, &[&tenant.as_str(), &patient, &i64::from(limit)])?;
            rows.iter().map(link).collect()
        })?)
    }

    fn try_link(&self, digest: &[u8; 32], now: Timestamp) -> Result<Option<u32>> {
        Ok(self.writers.run(|session| {
            let update = format!(
                "UPDATE health_link SET tries = tries - 1 WHERE digest = $1 AND {} RETURNING tries",
                alive("$2")
            );
            let rows = session.query(&update, &[&digest.as_slice(), &now.as_microsecond()])?;
            rows.first().map(|row| count(row, 0)).transpose()
        })?)
    }

    fn spare_link(&self, digest: &[u8; 32]) -> Result<()> {
        Ok(self.writers.run(|session| {
            let update = "UPDATE health_link SET tries = tries + 1 WHERE digest = $1";
            session.execute(update, &[&digest.as_slice()]).map(drop)
        })?)
    }

    fn open_link(&self, digest: &[u8; 32], opener: &str, now: Timestamp) -> Result<bool> {
        Ok(self.writers.run(|session| {
            let update = format!(
                "UPDATE health_link SET opened = opened + 1, last = $2, opener = $3
                 WHERE digest = $1 AND {}",
                alive("$2")
            );
            let opener = storable(opener);
            let changed = session
                .execute(&update, &[&digest.as_slice(), &now.as_microsecond(), &opener.as_ref()]);
            Ok(changed? > 0)
        })?)
    }

    fn revoke_link(&self, tenant: &TenantId, name: &str, now: Timestamp) -> Result<bool> {
        Ok(self.writers.run(|session| {
            let update = "UPDATE health_link SET revoked = $3
                          WHERE name = $1 AND tenant = $2 AND revoked IS NULL";
            let changed =
                session.execute(update, &[&name, &tenant.as_str(), &now.as_microsecond()]);
            Ok(changed? > 0)
        })?)
    }
}

/// A column of something counted that is small.
fn count(row: &Row, column: usize) -> Tried<u32> {
    u32::try_from(get::<i64>(row, column)?).map_err(Fault::broken)
}

fn link(row: &Row) -> Tried<Link> {
    let views: Option<i64> = get(row, 9)?;
    Ok(Link {
        digest: hash(row, 0)?,
        name: get(row, 1)?,
        tenant: parsed(row, 2)?,
        patient: parsed(row, 3)?,
        client: get(row, 4)?,
        mandate: get(row, 5)?,
        files: get(row, 6)?,
        passcode: get(row, 7)?,
        tries: count(row, 8)?,
        views: views.map(u32::try_from).transpose().map_err(Fault::broken)?,
        opened: count(row, 10)?,
        last: maybe_instant(row, 11)?,
        opener: get(row, 12)?,
        made: instant(row, 13)?,
        expires: instant(row, 14)?,
        revoked: maybe_instant(row, 15)?,
    })
}
