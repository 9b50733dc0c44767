//! What is taken away for good, and what stays of it.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::fault::Tried;
use super::row::{count, get, instant, parsed, storable};
use super::session::{Param, Session};
use super::{PostgresStore, index};
use crate::domain::{FhirId, Kind, TenantId};
use crate::error::Result;
use crate::policy::Permit;
use crate::store::retained::{ApartName, Doomed, Purge, Purged, Retained, Survivor};

/// Waits for whoever maps the records, and keeps others from beginning to.
const LOCK: &str = "
    INSERT INTO dirty (tenant, kind, id)
    SELECT $1, r.kind, r.id FROM unnest($2::text[], $3::text[]) AS r (kind, id) ORDER BY 2, 3
    ON CONFLICT (tenant, kind, id) DO UPDATE SET kind = excluded.kind";

const FLOORS: &str = "
    INSERT INTO purged
    SELECT $1, r.kind, r.id, greatest(
      (SELECT coalesce(max(s.version), 0) FROM source s
       WHERE s.tenant = $1 AND s.kind = r.kind AND s.id = r.id),
      (SELECT coalesce(max(i.version), 0) FROM isolated_note i
       WHERE i.tenant = $1 AND i.kind = r.kind AND i.id = r.id))
    FROM unnest($2::text[], $3::text[]) AS r (kind, id)
    ON CONFLICT (tenant, kind, id)
      DO UPDATE SET version = greatest(purged.version, excluded.version)";

const TOMBSTONES: &str = "
    INSERT INTO tombstone
    SELECT o.tenant, o.type, o.id, $4::bigint FROM unnest($2::text[], $3::text[]) AS r (kind, id)
    JOIN resource o ON o.tenant = $1 AND o.origin_kind = r.kind AND o.origin_id = r.id
    UNION
    SELECT o.tenant, o.type, o.id, $4::bigint FROM unnest($2::text[], $3::text[]) AS r (kind, id)
    JOIN history o ON o.tenant = $1 AND o.origin_kind = r.kind AND o.origin_id = r.id
    ON CONFLICT DO NOTHING";

/// What was made for the person of records that stay, since they are about somebody else too.
const VIEWS: [&str; 2] = [
    "INSERT INTO tombstone SELECT tenant, type, id, $3::bigint FROM resource
     WHERE tenant = $1 AND patient = $2 ON CONFLICT DO NOTHING",
    "DELETE FROM history h USING resource o
     WHERE o.tenant = $1 AND o.patient = $2 AND $3::bigint IS NOT NULL
       AND h.tenant = o.tenant AND h.type = o.type AND h.id = o.id",
];

const RESOURCES: &str = "
    DELETE FROM resource o USING unnest($2::text[], $3::text[]) AS r (kind, id)
    WHERE o.tenant = $1 AND o.origin_kind = r.kind AND o.origin_id = r.id RETURNING o.rid";

/// What others made of facts of them is made anew.
const DEPENDENTS: &str = "
    INSERT INTO dirty (tenant, kind, id)
    SELECT DISTINCT l.tenant, l.from_kind, l.from_id FROM unnest($2::text[], $3::text[]) AS r (kind, id)
    JOIN link l ON l.tenant = $1 AND l.to_kind = r.kind AND l.to_id = r.id ORDER BY 1, 2, 3
    ON CONFLICT (tenant, kind, id) DO UPDATE SET kind = excluded.kind";

/// What goes with the records, from tables that name them.
const RECORDS: [&str; 8] = [
    "DELETE FROM history o USING unnest($2::text[], $3::text[]) AS r (kind, id)
     WHERE o.tenant = $1 AND o.origin_kind = r.kind AND o.origin_id = r.id",
    "DELETE FROM link o USING unnest($2::text[], $3::text[]) AS r (kind, id)
     WHERE o.tenant = $1 AND o.from_kind = r.kind AND o.from_id = r.id",
    "DELETE FROM source o USING unnest($2::text[], $3::text[]) AS r (kind, id)
     WHERE o.tenant = $1 AND o.kind = r.kind AND o.id = r.id",
    "DELETE FROM isolated_note o USING unnest($2::text[], $3::text[]) AS r (kind, id)
     WHERE o.tenant = $1 AND o.kind = r.kind AND o.id = r.id",
    "DELETE FROM isolated_subject o USING unnest($2::text[], $3::text[]) AS r (kind, id)
     WHERE o.tenant = $1 AND o.kind = r.kind AND o.id = r.id",
    "DELETE FROM isolated_quarantine i USING quarantine o,
       unnest($2::text[], $3::text[]) AS r (kind, id)
     WHERE o.tenant = $1 AND o.kind = r.kind AND o.id = r.id AND i.number = o.number",
    "DELETE FROM quarantine o USING unnest($2::text[], $3::text[]) AS r (kind, id)
     WHERE o.tenant = $1 AND o.kind = r.kind AND o.id = r.id",
    "DELETE FROM dirty o USING unnest($2::text[], $3::text[]) AS r (kind, id)
     WHERE o.tenant = $1 AND o.kind = r.kind AND o.id = r.id",
];

/// What goes with the person: the tenant, the Patient.
const PERSON: [&str; 7] = [
    "DELETE FROM closed WHERE tenant = $1 AND patient = $2",
    "DELETE FROM allowed WHERE tenant = $1 AND patient = $2",
    "DELETE FROM class WHERE tenant = $1 AND patient = $2",
    "DELETE FROM health_link WHERE tenant = $1 AND patient = $2",
    "DELETE FROM refresh WHERE grant_id IN
       (SELECT id FROM grant_given WHERE tenant = $1 AND patient = $2)",
    "DELETE FROM grant_given WHERE tenant = $1 AND patient = $2",
    "UPDATE received SET state = 'refused', body = ''::bytea, patient = NULL, reason = NULL
     WHERE tenant = $1 AND patient = $2",
];

/// What goes since it names the person: the tenant, and the name as bytes.
const NAMED: [&str; 3] = [
    "DELETE FROM handle WHERE tenant = $1 AND position($2::bytea IN body) > 0",
    "DELETE FROM isolated_quarantine i USING quarantine q
     WHERE i.number = q.number AND (q.tenant = $1 OR q.tenant IS NULL)
       AND position($2::bytea IN i.body) > 0",
    "DELETE FROM quarantine WHERE (tenant = $1 OR tenant IS NULL) AND
       (position($2::bytea IN body) > 0
        OR isolated AND number NOT IN (SELECT number FROM isolated_quarantine))",
];

/// Notes whose the notes are that are kept apart.
pub(super) const FILE_ISOLATED: &str = "
    INSERT INTO isolated_subject
    SELECT DISTINCT n.tenant, c.value, n.kind, n.id
    FROM unnest($1::text[], $2::text[], $3::text[]) AS r (tenant, kind, id)
    JOIN isolated_note n ON n.tenant = r.tenant AND n.kind = r.kind AND n.id = r.id,
      json_array_elements_text(convert_from(n.body, 'UTF8')::json -> 'client_ids') c
    ON CONFLICT DO NOTHING";

/// Takes records away with all that was made of them.
pub(super) fn purge(session: &mut Session, purge: &Purge) -> Tried<Purged> {
    let (tenant, at) = (purge.tenant.as_str(), purge.at.as_microsecond());
    let kinds: Vec<&str> = purge.records.iter().map(|one| one.kind.as_str()).collect();
    let ids: Vec<&str> = purge.records.iter().map(|one| one.id.as_str()).collect();
    let records: [Param<'_>; 3] = [&tenant, &kinds, &ids];
    session.execute(LOCK, &records)?;
    session.execute(FLOORS, &records)?;
    let mut resources = session.execute(TOMBSTONES, &[&tenant, &kinds, &ids, &at])?;
    let gone = session.query(RESOURCES, &records)?;
    unindex(session, tenant, &gone)?;
    session.execute(DEPENDENTS, &records)?;
    for statement in RECORDS {
        session.execute(statement, &records)?;
    }
    if purge.is_whole {
        let patient = purge.patient.as_str();
        for statement in VIEWS {
            session.execute(statement, &[&tenant, &patient, &at])?;
        }
        let delete = "DELETE FROM resource WHERE tenant = $1 AND patient = $2 RETURNING rid";
        let gone = session.query(delete, &[&tenant, &patient])?;
        unindex(session, tenant, &gone)?;
        resources += gone.len() as u64;
        for statement in PERSON {
            session.execute(statement, &[&tenant, &purge.patient.as_str()])?;
        }
        for name in purge.words() {
            for statement in NAMED {
                session.execute(statement, &[&tenant, &name])?;
            }
        }
    }
    keep(session, tenant, &purge.survivors)?;
    let records = purge.records.len() as u64;
    session.execute(
        "INSERT INTO purge (name, tenant, client, patient, authority, at, records, resources)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            &purge.name,
            &tenant,
            &purge.client,
            &purge.patient.as_str(),
            &storable(&purge.authority).as_ref(),
            &at,
            &records.cast_signed(),
            &resources.cast_signed(),
        ],
    )?;
    Ok(purge.done(records, resources))
}

/// Keeps what stays as proof.
fn keep(session: &mut Session, tenant: &str, survivors: &[Survivor]) -> Tried<()> {
    for one in survivors {
        session.execute(
            "INSERT INTO survivor VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (tenant, client, kind, id) DO UPDATE
               SET version = excluded.version, until = excluded.until, body = excluded.body",
            &[
                &tenant,
                &one.client,
                &one.kind.as_str(),
                &one.id,
                &one.version.cast_signed(),
                &one.until.as_microsecond(),
                &one.body,
            ],
        )?;
    }
    Ok(())
}

/// Takes resources that are gone out of the search index.
fn unindex(session: &mut Session, tenant: &str, gone: &[Row]) -> Tried<()> {
    let rids = gone.iter().map(|row| get(row, 0)).collect::<Tried<Vec<i64>>>()?;
    let tenants = vec![tenant; rids.len()];
    let deletions = index::deletions(&tenants, &rids);
    session.queries(&deletions.each_ref().map(|(text, params)| (*text, params.as_slice())))?;
    Ok(())
}

/// The notes of a client that are kept apart.
pub(super) fn apart_of(
    session: &mut Session,
    tenant: &TenantId,
    client: &str,
) -> Tried<Vec<ApartName>> {
    let rows = session.query(
        "SELECT o.kind, o.id, array_agg(o.client ORDER BY o.client)
         FROM isolated_subject s JOIN isolated_subject o
           ON o.tenant = s.tenant AND o.kind = s.kind AND o.id = s.id
         WHERE s.tenant = $1 AND s.client = $2 GROUP BY o.kind, o.id ORDER BY 1, 2",
        &[&tenant.as_str(), &client],
    )?;
    let name = |row: &Row| {
        let (kind, id): (Kind, String) = (parsed(row, 0)?, get(row, 1)?);
        Ok(ApartName { note: Doomed { kind, id }, clients: get(row, 2)? })
    };
    rows.iter().map(name).collect()
}

impl Retained for PostgresStore {
    fn is_gone(&self, permit: &Permit, id: &FhirId) -> Result<bool> {
        if !permit.is_open() {
            return Ok(false);
        }
        let (tenant, kind) = (permit.tenant().as_str(), permit.resource_type());
        Ok(self.readers.run(|session| {
            let rows = session.query(
                "SELECT 1 FROM tombstone t WHERE tenant = $1 AND type = $2 AND id = $3
                 AND NOT EXISTS (SELECT 1 FROM resource r WHERE r.tenant = t.tenant
                   AND r.type = t.type AND r.id = t.id)",
                &[&tenant, &kind, &id.as_str()],
            )?;
            Ok(!rows.is_empty())
        })?)
    }

    fn unnoted(&self, tenant: &TenantId) -> Result<Vec<Purged>> {
        Ok(self.readers.run(|session| {
            let rows = session.query(
                "SELECT name, client, patient, authority, at, records, resources FROM purge
                 WHERE tenant = $1 AND noted = 0 ORDER BY at, name",
                &[&tenant.as_str()],
            )?;
            rows.iter().map(purged).collect()
        })?)
    }

    fn note_purge(&self, name: &str) -> Result<()> {
        let note = "UPDATE purge SET noted = 1 WHERE name = $1";
        Ok(self.writers.run(|session| session.execute(note, &[&name]).map(drop))?)
    }

    fn survivors(&self, tenant: &TenantId, client: Option<&str>) -> Result<Vec<Survivor>> {
        Ok(self.readers.run(|session| {
            let rows = session.query(
                "SELECT client, kind, id, version, until, body FROM survivor
                 WHERE tenant = $1 AND ($2::text IS NULL OR client = $2)
                 ORDER BY client, kind, id",
                &[&tenant.as_str(), &client],
            )?;
            rows.iter().map(survivor).collect()
        })?)
    }

    fn drop_survivors(&self, tenant: &TenantId, now: Timestamp) -> Result<u64> {
        let delete = "DELETE FROM survivor WHERE tenant = $1 AND until <= $2";
        Ok(self
            .writers
            .run(|session| session.execute(delete, &[&tenant.as_str(), &now.as_microsecond()]))?)
    }

    fn scrub(&self) -> Result<()> {
        // It takes as long as it takes, so that this connection serves nobody after.
        let mut session = self.writers.take()?;
        session.set_open(true);
        let vacuum = |session: &mut Session| {
            session.without_limit()?;
            session.batch(
                "VACUUM source, link, dirty, resource, history, token, reference, date, text, \
                 quantity, uri, quarantine, isolated_note, isolated_subject, isolated_quarantine, \
                 received, handle, health_link, grant_given, refresh, allowed, class, job, \
                 job_part, survivor",
            )
        };
        Ok(vacuum(session.session()?)?)
    }
}

fn purged(row: &Row) -> Tried<Purged> {
    Ok(Purged {
        name: get(row, 0)?,
        client: get(row, 1)?,
        patient: parsed(row, 2)?,
        authority: get(row, 3)?,
        at: instant(row, 4)?,
        records: count(row, 5)?,
        resources: count(row, 6)?,
    })
}

fn survivor(row: &Row) -> Tried<Survivor> {
    Ok(Survivor {
        client: get(row, 0)?,
        kind: parsed(row, 1)?,
        id: get(row, 2)?,
        version: count(row, 3)?,
        until: instant(row, 4)?,
        body: get(row, 5)?,
    })
}
