//! What is taken away for good, and what stays of it.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::connection::broken;
use super::read::{instant, parsed};
use super::{SqliteStore, projection, schema};
use crate::domain::{FhirId, Kind, TenantId};
use crate::error::{Error, Result};
use crate::policy::Permit;
use crate::store::record::Key;
use crate::store::retained::{ApartName, Doomed, Purge, Purged, Retained, Survivor};

/// What the file remembers: that what is deleted in it has been overwritten from then on.
const SCRUBBED: &str = "scrubbed";

/// What goes with each record, from tables that name it.
const RECORD: [&str; 7] = [
    "DELETE FROM link WHERE tenant = ?1 AND from_kind = ?2 AND from_id = ?3",
    "DELETE FROM source WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
    "DELETE FROM isolated_note WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
    "DELETE FROM isolated_subject WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
    "DELETE FROM dirty WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
    "DELETE FROM isolated_quarantine WHERE number IN
       (SELECT number FROM quarantine WHERE tenant = ?1 AND kind = ?2 AND id = ?3)",
    "DELETE FROM quarantine WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
];

/// What goes with the person: the tenant, the Patient.
const PERSON: [&str; 7] = [
    "DELETE FROM closed WHERE tenant = ?1 AND patient = ?2",
    "DELETE FROM allowed WHERE tenant = ?1 AND patient = ?2",
    "DELETE FROM class WHERE tenant = ?1 AND patient = ?2",
    "DELETE FROM compartment WHERE tenant = ?1 AND patient = ?2",
    "DELETE FROM health_link WHERE tenant = ?1 AND patient = ?2",
    "DELETE FROM refresh WHERE grant_id IN
       (SELECT id FROM grant_given WHERE tenant = ?1 AND patient = ?2)",
    "DELETE FROM grant_given WHERE tenant = ?1 AND patient = ?2",
];

/// What goes since it names the person: the tenant, and the name as bytes.
const NAMED: [&str; 3] = [
    "DELETE FROM handle WHERE tenant = ?1 AND instr(body, ?2) > 0",
    "DELETE FROM isolated_quarantine WHERE number IN
       (SELECT q.number FROM quarantine q JOIN isolated_quarantine i ON i.number = q.number
        WHERE (q.tenant = ?1 OR q.tenant IS NULL) AND instr(i.body, ?2) > 0)",
    "DELETE FROM quarantine WHERE (tenant = ?1 OR tenant IS NULL) AND
       (instr(body, ?2) > 0
        OR isolated = 1 AND number NOT IN (SELECT number FROM isolated_quarantine))",
];

/// The highest version of a record that was taken away.
pub(super) fn floor(connection: &Connection, key: Key<'_>) -> Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT max(version) FROM purged WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
        )
        .and_then(|mut select| select.query_row(key.columns(), |row| row.get(0)))
        .map_err(broken)
}

/// Notes whose a note is that is kept apart.
pub(super) fn file_isolated(connection: &Connection, key: Key<'_>) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO isolated_subject
               SELECT n.tenant, c.value, n.kind, n.id
               FROM isolated_note n, json_each(CAST(n.body AS TEXT), '$.client_ids') c
               WHERE n.tenant = ?1 AND n.kind = ?2 AND n.id = ?3",
        )?
        .execute(key.columns())?;
    Ok(())
}

/// Takes records away with all that was made of them.
pub(super) fn purge(connection: &Connection, purge: &Purge) -> rusqlite::Result<Purged> {
    let at = purge.at.as_microsecond();
    let tenant = purge.tenant.as_str();
    let mut resources = 0;
    for Doomed { kind, id } in &purge.records {
        let key = Key { tenant: &purge.tenant, kind: *kind, id };
        resources += take(connection, key, at)?;
    }
    if purge.is_whole {
        resources += take_views(connection, purge, at)?;
        for statement in PERSON {
            connection.prepare_cached(statement)?.execute([tenant, purge.patient.as_str()])?;
        }
        for name in purge.words() {
            for statement in NAMED {
                connection.prepare_cached(statement)?.execute(params![tenant, name])?;
            }
        }
        connection
            .prepare_cached(
                "UPDATE received SET state = 'refused', body = x'', patient = NULL, reason = NULL
                 WHERE tenant = ?1 AND patient = ?2",
            )?
            .execute([tenant, purge.patient.as_str()])?;
    }
    for one in &purge.survivors {
        connection
            .prepare_cached("INSERT OR REPLACE INTO survivor VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
            .execute(params![
                tenant,
                one.client,
                one.kind.as_str(),
                one.id,
                one.version.cast_signed(),
                one.until.as_microsecond(),
                one.body
            ])?;
    }
    let records = purge.records.len() as u64;
    connection
        .prepare_cached(
            "INSERT INTO purge (name, tenant, client, patient, authority, at, records, resources)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            purge.name,
            tenant,
            purge.client,
            purge.patient.as_str(),
            purge.authority,
            at,
            records.cast_signed(),
            resources.cast_signed()
        ])?;
    Ok(purge.done(records, resources))
}

/// Takes one record away; answers how many resources went.
fn take(connection: &Connection, key: Key<'_>, at: i64) -> rusqlite::Result<u64> {
    let [tenant, kind, id] = key.columns();
    connection
        .prepare_cached(
            "INSERT INTO purged
               SELECT ?1, ?2, ?3, coalesce(max(version), 0) FROM
                 (SELECT version FROM source WHERE tenant = ?1 AND kind = ?2 AND id = ?3
                  UNION ALL
                  SELECT version FROM isolated_note WHERE tenant = ?1 AND kind = ?2 AND id = ?3)
               WHERE true
             ON CONFLICT DO UPDATE SET version = max(version, excluded.version)",
        )?
        .execute([tenant, kind, id])?;
    let gone = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO tombstone
               SELECT tenant, type, id, ?4 FROM resource
               WHERE tenant = ?1 AND origin_kind = ?2 AND origin_id = ?3
               UNION
               SELECT tenant, type, id, ?4 FROM history
               WHERE tenant = ?1 AND origin_kind = ?2 AND origin_id = ?3",
        )?
        .execute(params![tenant, kind, id, at])?;
    projection::erase(connection, key)?;
    for statement in RECORD {
        connection.prepare_cached(statement)?.execute([tenant, kind, id])?;
    }
    // What others made of facts of it is made anew.
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO dirty (tenant, kind, id)
               SELECT DISTINCT tenant, from_kind, from_id FROM link
               WHERE tenant = ?1 AND to_kind = ?2 AND to_id = ?3",
        )?
        .execute([tenant, kind, id])?;
    Ok(gone as u64)
}

/// The notes of a client that are kept apart.
pub(super) fn apart_of(
    connection: &Connection,
    tenant: &TenantId,
    client: &str,
) -> rusqlite::Result<Vec<ApartName>> {
    let mut clients = connection.prepare_cached(
        "SELECT client FROM isolated_subject WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
    )?;
    let mut select = connection.prepare_cached(
        "SELECT kind, id FROM isolated_subject WHERE tenant = ?1 AND client = ?2 ORDER BY kind, id",
    )?;
    let mut found = Vec::new();
    let mut rows = select.query([tenant.as_str(), client])?;
    while let Some(row) = rows.next()? {
        let (kind, id): (Kind, String) = (parsed(row, 0)?, row.get(1)?);
        let of = clients
            .query_map([tenant.as_str(), kind.as_str(), &id], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        found.push(ApartName { note: Doomed { kind, id }, clients: of });
    }
    Ok(found)
}

/// Takes away what was made for the person of records that stay, since they are about somebody else too.
fn take_views(connection: &Connection, purge: &Purge, at: i64) -> rusqlite::Result<u64> {
    let tenant = purge.tenant.as_str();
    let mut select = connection
        .prepare_cached("SELECT rid, type, id FROM resource WHERE tenant = ?1 AND patient = ?2")?;
    let views = select
        .query_map([tenant, purge.patient.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<Vec<(i64, String, String)>>>()?;
    for (rid, kind, id) in &views {
        projection::clear(connection, tenant, *rid)?;
        connection.prepare_cached("DELETE FROM resource WHERE rid = ?1")?.execute([rid])?;
        connection
            .prepare_cached("DELETE FROM history WHERE tenant = ?1 AND type = ?2 AND id = ?3")?
            .execute([tenant, kind, id])?;
        connection
            .prepare_cached("INSERT OR IGNORE INTO tombstone VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![tenant, kind, id, at])?;
    }
    Ok(views.len() as u64)
}

impl Retained for SqliteStore {
    fn is_gone(&self, permit: &Permit, id: &FhirId) -> Result<bool> {
        if !permit.is_open() {
            return Ok(false);
        }
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT 1 FROM tombstone t WHERE tenant = ?1 AND type = ?2 AND id = ?3
                     AND NOT EXISTS (SELECT 1 FROM resource r WHERE r.tenant = t.tenant
                       AND r.type = t.type AND r.id = t.id)",
                )?
                .exists([permit.tenant().as_str(), permit.resource_type(), id.as_str()])
        })
    }

    fn unnoted(&self, tenant: &TenantId) -> Result<Vec<Purged>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT name, client, patient, authority, at, records, resources FROM purge
                     WHERE tenant = ?1 AND noted = 0 ORDER BY at, name",
                )?
                .query_map([tenant.as_str()], purged)?
                .collect()
        })
    }

    fn note_purge(&self, name: &str) -> Result<()> {
        self.writer().run(|connection| {
            connection
                .prepare_cached("UPDATE purge SET noted = 1 WHERE name = ?1")?
                .execute([name])
                .map(drop)
        })
    }

    fn survivors(&self, tenant: &TenantId, client: Option<&str>) -> Result<Vec<Survivor>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT client, kind, id, version, until, body FROM survivor
                     WHERE tenant = ?1 AND (?2 IS NULL OR client = ?2) ORDER BY client, kind, id",
                )?
                .query_map(params![tenant.as_str(), client], survivor)?
                .collect()
        })
    }

    fn drop_survivors(&self, tenant: &TenantId, now: Timestamp) -> Result<u64> {
        self.writer().run(|connection| {
            connection
                .prepare_cached("DELETE FROM survivor WHERE tenant = ?1 AND until <= ?2")?
                .execute(params![tenant.as_str(), now.as_microsecond()])
                .map(|rows| rows as u64)
        })
    }

    fn scrub(&self) -> Result<()> {
        let busy = self.writer().run(|connection| {
            // A file from before deleted bytes were overwritten may hold some; once is enough.
            if schema::fact(connection, SCRUBBED)?.is_none() {
                connection.execute_batch("VACUUM")?;
                schema::set_fact(connection, SCRUBBED, "yes")?;
            }
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        })?;
        if busy != 0 {
            return Err(Error::Setup(
                "it is taken away, but somebody reads the data folder for so long that its journal \
                 cannot be emptied: run the same again"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

fn purged(row: &Row<'_>) -> rusqlite::Result<Purged> {
    Ok(Purged {
        name: row.get(0)?,
        client: row.get(1)?,
        patient: parsed(row, 2)?,
        authority: row.get(3)?,
        at: instant(row, 4)?,
        records: row.get::<_, i64>(5)?.cast_unsigned(),
        resources: row.get::<_, i64>(6)?.cast_unsigned(),
    })
}

fn survivor(row: &Row<'_>) -> rusqlite::Result<Survivor> {
    Ok(Survivor {
        client: row.get(0)?,
        kind: parsed(row, 1)?,
        id: row.get(2)?,
        version: row.get::<_, i64>(3)?.cast_unsigned(),
        until: instant(row, 4)?,
        body: row.get(5)?,
    })
}
