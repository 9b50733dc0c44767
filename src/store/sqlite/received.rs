//! What other providers sent.

use rusqlite::{OptionalExtension, Row, params};

use super::SqliteStore;
use super::read::{instant, maybe_instant, parsed};
use crate::domain::{FhirId, TenantId};
use crate::error::Result;
use crate::store::received::RECEIVED;
use crate::store::{Decision, Inbox, NewReceived, Received, ReceivedState};

impl Inbox for SqliteStore {
    fn receive(&self, new: &NewReceived) -> Result<(String, bool)> {
        self.writer().run(|connection| {
            let rows = connection
                .prepare_cached(
                    "INSERT INTO received (name, tenant, client, digest, form, body, received, state)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'waiting')
                     ON CONFLICT (tenant, client, digest) DO NOTHING",
                )?
                .execute(params![
                    new.name,
                    new.tenant.as_str(),
                    new.client,
                    new.digest,
                    new.form,
                    new.body,
                    new.received.as_microsecond(),
                ])?;
            let name = connection
                .prepare_cached(
                    "SELECT name FROM received WHERE tenant = ?1 AND client = ?2 AND digest = ?3",
                )?
                .query_row(params![new.tenant.as_str(), new.client, new.digest], |row| row.get(0))?;
            Ok((name, rows > 0))
        })
    }

    fn received(
        &self,
        tenant: &TenantId,
        state: Option<ReceivedState>,
        limit: u32,
    ) -> Result<Vec<Received>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {RECEIVED} FROM received
                     WHERE tenant = ?1 AND (?2 IS NULL OR state = ?2)
                     ORDER BY received, name LIMIT ?3"
                ))?
                .query_map(
                    params![tenant.as_str(), state.map(ReceivedState::as_str), limit],
                    received,
                )?
                .collect()
        })
    }

    fn received_as(&self, tenant: &TenantId, name: &str) -> Result<Option<(Received, Vec<u8>)>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {RECEIVED}, body FROM received WHERE name = ?1 AND tenant = ?2"
                ))?
                .query_row([name, tenant.as_str()], |row| Ok((received(row)?, row.get(13)?)))
                .optional()
        })
    }

    fn received_of(&self, tenant: &TenantId, patient: &FhirId) -> Result<Vec<Received>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {RECEIVED} FROM received WHERE tenant = ?1 AND patient = ?2
                     ORDER BY received, name"
                ))?
                .query_map([tenant.as_str(), patient.as_str()], received)?
                .collect()
        })
    }

    fn matched_after(&self, tenant: &TenantId, number: u32, limit: u32) -> Result<Vec<Received>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {RECEIVED} FROM received WHERE tenant = ?1 AND number > ?2
                       AND state = 'matched'
                     ORDER BY number LIMIT ?3"
                ))?
                .query_map(params![tenant.as_str(), number, limit], received)?
                .collect()
        })
    }

    fn decide_received(&self, tenant: &TenantId, name: &str, decision: &Decision) -> Result<bool> {
        self.writer().run(|connection| {
            connection
                .prepare_cached(
                    "UPDATE received SET
                       state = CASE WHEN ?3 IS NULL THEN 'refused' ELSE 'matched' END,
                       patient = ?3, decided = ?4, decided_by = ?5, reason = ?6,
                       number = CASE WHEN ?3 IS NOT NULL THEN
                         (SELECT coalesce(max(number), 0) + 1 FROM received WHERE tenant = ?2) END
                     WHERE name = ?1 AND tenant = ?2 AND state = 'waiting'",
                )?
                .execute(params![
                    name,
                    tenant.as_str(),
                    decision.patient.as_ref().map(FhirId::as_str),
                    decision.at.as_microsecond(),
                    decision.by,
                    decision.reason,
                ])
                .map(|rows| rows > 0)
        })
    }
}

fn received(row: &Row<'_>) -> rusqlite::Result<Received> {
    let patient: Option<String> = row.get(7)?;
    Ok(Received {
        name: row.get(0)?,
        tenant: parsed(row, 1)?,
        client: row.get(2)?,
        digest: row.get(3)?,
        form: row.get(4)?,
        received: instant(row, 5)?,
        state: parsed(row, 6)?,
        patient: patient.map(|_patient| parsed(row, 7)).transpose()?,
        decided: maybe_instant(row, 8)?,
        by: row.get(9)?,
        reason: row.get(10)?,
        number: row.get(11)?,
        bytes: row.get(12)?,
    })
}
