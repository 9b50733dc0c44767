//! What consents allow, in tables.
//!
//! Whoever works it out for a patient holds a lock of that patient until the end of the
//! transaction, taken after everything else has been written and in the order of its numbers.

use std::collections::BTreeSet;

use crate::domain::{FhirId, TenantId};
use crate::store::Allowed;
use crate::store::postgres::fault::Tried;
use crate::store::postgres::row::{get, parsed};
use crate::store::postgres::session::Session;

/// Waits until nobody else works for these patients.
pub(super) fn hold(session: &mut Session, tenant: &TenantId, patients: &[FhirId]) -> Tried<()> {
    let ids: Vec<&str> = patients.iter().map(FhirId::as_str).collect();
    session.query(
        "SELECT pg_advisory_xact_lock(n.key) FROM (
           SELECT DISTINCT hashtextextended($1::text || '/' || id, 7526692006) AS key
           FROM unnest($2::text[]) AS i (id) ORDER BY key OFFSET 0) n",
        &[&tenant.as_str(), &ids],
    )?;
    Ok(())
}

/// Notes of which classes patients have records; answers those who had none of one before.
pub(super) fn note_classes(
    session: &mut Session,
    tenant: &TenantId,
    classes: &BTreeSet<(FhirId, String)>,
) -> Tried<BTreeSet<FhirId>> {
    let patients: Vec<&str> = classes.iter().map(|(patient, _)| patient.as_str()).collect();
    let names: Vec<&str> = classes.iter().map(|(_, class)| class.as_str()).collect();
    let rows = session.query(
        "INSERT INTO class (tenant, patient, class)
         SELECT $1::text, n.patient, n.class FROM unnest($2::text[], $3::text[])
           AS n (patient, class) ORDER BY n.patient, n.class
         ON CONFLICT DO NOTHING RETURNING patient",
        &[&tenant.as_str(), &patients, &names],
    )?;
    rows.iter().map(|row| parsed(row, 0)).collect()
}

/// The classes of which a patient has or had records.
pub(super) fn classes(
    session: &mut Session,
    tenant: &TenantId,
    patient: &FhirId,
) -> Tried<Vec<String>> {
    let rows = session.query(
        "SELECT class FROM class WHERE tenant = $1 AND patient = $2 ORDER BY class",
        &[&tenant.as_str(), &patient.as_str()],
    )?;
    rows.iter().map(|row| get(row, 0)).collect()
}

/// Keeps what is allowed to clients now, as closed from now on: the tenant, the patient.
const CLOSE: &str = "INSERT INTO closed
    SELECT tenant, patient, grantee, class, related, except_of, since,
           least(until, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint), dated_since,
           dated_until, duties
    FROM allowed WHERE tenant = $1 AND patient = $2 AND grantee LIKE '% client %'
    ON CONFLICT (tenant, patient, grantee, class, related, since, dated_since) DO UPDATE
    SET except_of = excluded.except_of, until = excluded.until,
        dated_until = excluded.dated_until, duties = excluded.duties";
/// What is allowed still is not closed.
const REOPEN: &str = "DELETE FROM closed USING allowed a
    WHERE closed.tenant = $1 AND closed.patient = $2
      AND a.tenant = closed.tenant AND a.patient = closed.patient AND a.grantee = closed.grantee
      AND a.class = closed.class AND a.related = closed.related AND a.since = closed.since
      AND a.dated_since = closed.dated_since AND a.except_of = closed.except_of
      AND a.until > closed.until AND a.dated_until >= closed.dated_until";

/// Replaces what of a patient is allowed, and notes what is so no more.
pub(super) fn put(
    session: &mut Session,
    tenant: &TenantId,
    patient: &FhirId,
    rows: &[Allowed],
) -> Tried<()> {
    let (tenant, patient) = (tenant.as_str(), patient.as_str());
    session.execute(CLOSE, &[&tenant, &patient])?;
    session
        .execute("DELETE FROM allowed WHERE tenant = $1 AND patient = $2", &[&tenant, &patient])?;
    if rows.is_empty() {
        return Ok(());
    }
    let text = |of: fn(&Allowed) -> &str| rows.iter().map(of).collect::<Vec<_>>();
    let number = |of: fn(&Allowed) -> i64| rows.iter().map(of).collect::<Vec<_>>();
    session.execute(
        "INSERT INTO allowed
           (tenant, patient, grantee, class, related, except_of, since, until, dated_since,
            dated_until, duties, basis)
         SELECT $1::text, $2::text, n.* FROM unnest($3::text[], $4::text[], $5::text[], $6::text[],
           $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[]) AS n
         ON CONFLICT DO NOTHING",
        &[
            &tenant,
            &patient,
            &text(|row| &row.grantee),
            &text(|row| &row.class),
            &text(|row| &row.related),
            &text(|row| &row.except),
            &number(|row| row.since),
            &number(|row| row.until),
            &number(|row| row.dated_since),
            &number(|row| row.dated_until),
            &number(|row| row.duties.into()),
            &text(|row| &row.basis),
        ],
    )?;
    session.execute(REOPEN, &[&tenant, &patient])?;
    Ok(())
}
