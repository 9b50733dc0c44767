//! What consents allow, in tables.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use crate::domain::{FhirId, TenantId};
use crate::store::Allowed;

/// Notes of which classes patients have records; answers those who had none of one before.
pub(super) fn note_classes(
    connection: &Connection,
    tenant: &TenantId,
    classes: &BTreeSet<(FhirId, String)>,
) -> rusqlite::Result<BTreeSet<FhirId>> {
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO class VALUES (?1, ?2, ?3)")?;
    let mut new = BTreeSet::new();
    for (patient, class) in classes {
        if insert.execute([tenant.as_str(), patient.as_str(), class])? > 0 {
            new.insert(patient.clone());
        }
    }
    Ok(new)
}

/// The classes of which a patient has or had records.
pub(super) fn classes(
    connection: &Connection,
    tenant: &TenantId,
    patient: &FhirId,
) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT class FROM class WHERE tenant = ?1 AND patient = ?2 ORDER BY class",
        )?
        .query_map([tenant.as_str(), patient.as_str()], |row| row.get(0))?
        .collect()
}

/// Keeps what is allowed to clients now, as closed from now on: the tenant, the patient.
const CLOSE: &str = "INSERT OR REPLACE INTO closed
    SELECT tenant, patient, grantee, class, related, except_of, since,
           min(until, CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)), dated_since,
           dated_until, duties
    FROM allowed WHERE tenant = ?1 AND patient = ?2 AND grantee LIKE '% client %'";
/// What is allowed still is not closed.
const REOPEN: &str = "DELETE FROM closed WHERE tenant = ?1 AND patient = ?2 AND EXISTS (
    SELECT 1 FROM allowed a
    WHERE a.tenant = closed.tenant AND a.patient = closed.patient AND a.grantee = closed.grantee
      AND a.class = closed.class AND a.related = closed.related AND a.since = closed.since
      AND a.dated_since = closed.dated_since AND a.except_of = closed.except_of
      AND a.until > closed.until AND a.dated_until >= closed.dated_until)";

/// What was made of the patient's compartment under grants is current no more.
const COUNT: &str = "INSERT INTO compartment VALUES (?1, ?2, random())
    ON CONFLICT DO UPDATE SET change = excluded.change";

/// Replaces what of a patient is allowed, and notes what is so no more.
pub(super) fn put(
    connection: &Connection,
    tenant: &TenantId,
    patient: &FhirId,
    rows: &[Allowed],
) -> rusqlite::Result<()> {
    let (tenant, patient) = (tenant.as_str(), patient.as_str());
    connection.prepare_cached(CLOSE)?.execute([tenant, patient])?;
    connection
        .prepare_cached("DELETE FROM allowed WHERE tenant = ?1 AND patient = ?2")?
        .execute([tenant, patient])?;
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO allowed
           (tenant, patient, grantee, class, related, except_of, since, until, dated_since,
            dated_until, duties, basis)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    for row in rows {
        insert.execute(params![
            tenant,
            patient,
            row.grantee,
            row.class,
            row.related,
            row.except,
            row.since,
            row.until,
            row.dated_since,
            row.dated_until,
            row.duties,
            row.basis
        ])?;
    }
    connection.prepare_cached(REOPEN)?.execute([tenant, patient])?;
    connection.prepare_cached(COUNT)?.execute([tenant, patient])?;
    Ok(())
}
