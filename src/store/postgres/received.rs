//! What other providers sent.

use tokio_postgres::Row;

use super::PostgresStore;
use super::fault::{Fault, Tried};
use super::row::{get, hash, instant, maybe_instant, parsed, storable};
use crate::domain::{FhirId, TenantId};
use crate::error::Result;
use crate::store::received::RECEIVED;
use crate::store::{Decision, Inbox, NewReceived, Received, ReceivedState};

/// Keeps others from giving out numbers of a tenant at the same time.
const NUMBERING: &str = "SELECT pg_advisory_xact_lock(752669207, hashtext($1))";

impl Inbox for PostgresStore {
    fn receive(&self, new: &NewReceived) -> Result<(String, bool)> {
        Ok(self.writers.run(|session| {
            let digest = new.digest.as_slice();
            let rows = session.execute(
                "INSERT INTO received (name, tenant, client, digest, form, body, received, state)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting')
                 ON CONFLICT (tenant, client, digest) DO NOTHING",
                &[
                    &new.name,
                    &new.tenant.as_str(),
                    &new.client,
                    &digest,
                    &new.form,
                    &new.body,
                    &new.received.as_microsecond(),
                ],
            )?;
            let found = session.query(
                "SELECT name FROM received WHERE tenant = $1 AND client = $2 AND digest = $3",
                &[&new.tenant.as_str(), &new.client, &digest],
            )?;
            let kept = found.first().ok_or_else(|| Fault::broken("a Bundle that was not kept"))?;
            Ok((get(kept, 0)?, rows > 0))
        })?)
    }

    fn received(
        &self,
        tenant: &TenantId,
        state: Option<ReceivedState>,
        limit: u32,
    ) -> Result<Vec<Received>> {
        Ok(self.readers.run(|session| {
            let select = format!(
                "SELECT {RECEIVED} FROM received
                 WHERE tenant = $1 AND ($2::text IS NULL OR state = $2)
                 ORDER BY received, name LIMIT $3"
            );
            let state = state.map(ReceivedState::as_str);
            let rows = session.query(&select, &[&tenant.as_str(), &state, &i64::from(limit)])?;
            rows.iter().map(received).collect()
        })?)
    }

    fn received_as(&self, tenant: &TenantId, name: &str) -> Result<Option<(Received, Vec<u8>)>> {
        Ok(self.readers.run(|session| {
            let select =
                format!("SELECT {RECEIVED}, body FROM received WHERE name = $1 AND tenant = $2");
            let rows = session.query(&select, &[&name, &tenant.as_str()])?;
            rows.first().map(|row| Ok((received(row)?, get(row, 13)?))).transpose()
        })?)
    }

    fn received_of(&self, tenant: &TenantId, patient: &FhirId) -> Result<Vec<Received>> {
        Ok(self.readers.run(|session| {
            let select = format!(
                "SELECT {RECEIVED} FROM received WHERE tenant = $1 AND patient = $2
                 ORDER BY received, name"
            );
            let rows = session.query(&select, &[&tenant.as_str(), &patient.as_str()])?;
            rows.iter().map(received).collect()
        })?)
    }

    fn matched_after(&self, tenant: &TenantId, number: u32, limit: u32) -> Result<Vec<Received>> {
        Ok(self.readers.run(|session| {
            let select = format!(
                "SELECT {RECEIVED} FROM received WHERE tenant = $1 AND number > $2
                   AND state = 'matched' ORDER BY number LIMIT $3"
            );
            let (number, limit) = (i64::from(number), i64::from(limit));
            let rows = session.query(&select, &[&tenant.as_str(), &number, &limit])?;
            rows.iter().map(received).collect()
        })?)
    }

    fn decide_received(&self, tenant: &TenantId, name: &str, decision: &Decision) -> Result<bool> {
        Ok(self.writers.run(|session| {
            session.batch("BEGIN")?;
            let decided = session.query(NUMBERING, &[&tenant.as_str()]).and_then(|_locked| {
                session.execute(
                    "UPDATE received SET
                       state = CASE WHEN $3::text IS NULL THEN 'refused' ELSE 'matched' END,
                       patient = $3, decided = $4, decided_by = $5, reason = $6,
                       number = CASE WHEN $3::text IS NOT NULL THEN
                         (SELECT coalesce(max(o.number), 0) + 1 FROM received o
                          WHERE o.tenant = $2) END
                     WHERE name = $1 AND tenant = $2 AND state = 'waiting'",
                    &[
                        &name,
                        &tenant.as_str(),
                        &decision.patient.as_ref().map(FhirId::as_str),
                        &decision.at.as_microsecond(),
                        &decision.by,
                        &decision.reason.as_deref().map(storable).as_deref(),
                    ],
                )
            });
            session.batch(if decided.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
            Ok(decided? > 0)
        })?)
    }
}

fn small(number: i64) -> Tried<u32> {
    u32::try_from(number).map_err(Fault::broken)
}

fn received(row: &Row) -> Tried<Received> {
    let patient: Option<&str> = get(row, 7)?;
    let number: Option<i64> = get(row, 11)?;
    Ok(Received {
        name: get(row, 0)?,
        tenant: parsed(row, 1)?,
        client: get(row, 2)?,
        digest: hash(row, 3)?,
        form: get(row, 4)?,
        received: instant(row, 5)?,
        state: parsed(row, 6)?,
        patient: patient.map(|_patient| parsed(row, 7)).transpose()?,
        decided: maybe_instant(row, 8)?,
        by: get(row, 9)?,
        reason: get(row, 10)?,
        number: number.map(small).transpose()?,
        bytes: small(i64::from(get::<i32>(row, 12)?))?,
    })
}
