//! What was made from a record: replaced as a whole, with earlier versions kept.

use rusqlite::{Connection, OptionalExtension, ToSql, params};

use crate::fhir::search::IndexRow;
use crate::store::record::Key;
use crate::store::{Guard, NewResource};

/// The tables of the search index.
const INDEX: [&str; 6] = [
    "DELETE FROM token WHERE tenant = ?1 AND rid = ?2",
    "DELETE FROM reference WHERE tenant = ?1 AND rid = ?2",
    "DELETE FROM date WHERE tenant = ?1 AND rid = ?2",
    "DELETE FROM text WHERE tenant = ?1 AND rid = ?2",
    "DELETE FROM quantity WHERE tenant = ?1 AND rid = ?2",
    "DELETE FROM uri WHERE tenant = ?1 AND rid = ?2",
];

/// The rows of the index; a repeated one is one.
const TOKEN: &str = "INSERT OR IGNORE INTO token
    (tenant, rid, param, code, system, type, patient, updated, id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const REFERENCE: &str = "INSERT OR IGNORE INTO reference
    (tenant, rid, param, target, type, updated, id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const DATE: &str = "INSERT OR IGNORE INTO date
    (tenant, rid, param, low, high, type) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const TEXT: &str = "INSERT OR IGNORE INTO text
    (tenant, rid, param, value, exact, type) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const QUANTITY: &str = "INSERT OR IGNORE INTO quantity
    (tenant, rid, param, low, high, system, code, unit, type)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const URI: &str = "INSERT OR IGNORE INTO uri
    (tenant, rid, param, value, type) VALUES (?1, ?2, ?3, ?4, ?5)";

/// A current resource, as far as replacing it needs.
struct Current {
    rid: i64,
    resource_type: String,
    id: String,
    version_id: String,
}

/// Replaces what was made from a record.
pub(super) fn put(
    connection: &Connection,
    key: Key<'_>,
    resources: &[NewResource],
) -> rusqlite::Result<()> {
    let mut gone = made_from(connection, key)?;
    for new in resources {
        let resource = &new.resource;
        let is_same = |current: &Current| {
            current.id == resource.id.as_str() && current.resource_type == resource.resource_type
        };
        let current = match gone.iter().position(is_same) {
            Some(position) => Some(gone.swap_remove(position)),
            None => made_from_another(connection, key, new)?,
        };
        match current {
            Some(current) if current.version_id == resource.version_id => {
                guard(connection, current.rid, &new.guard)?;
            }
            Some(current) => {
                archive(connection, current.rid)?;
                take_away(connection, key, current.rid)?;
                insert(connection, key, new)?;
            }
            None => insert(connection, key, new)?,
        }
    }
    for current in gone {
        archive(connection, current.rid)?;
        take_away(connection, key, current.rid)?;
    }
    Ok(())
}

/// Takes away what was made from a record, earlier versions included.
pub(super) fn erase(connection: &Connection, key: Key<'_>) -> rusqlite::Result<()> {
    for current in made_from(connection, key)? {
        take_away(connection, key, current.rid)?;
    }
    connection
        .prepare_cached(
            "DELETE FROM history WHERE tenant = ?1 AND origin_kind = ?2 AND origin_id = ?3",
        )?
        .execute(key.columns())?;
    Ok(())
}

fn made_from(connection: &Connection, key: Key<'_>) -> rusqlite::Result<Vec<Current>> {
    connection
        .prepare_cached(
            "SELECT rid, type, id, version_id FROM resource
             WHERE tenant = ?1 AND origin_kind = ?2 AND origin_id = ?3",
        )?
        .query_map(key.columns(), |row| {
            Ok(Current {
                rid: row.get(0)?,
                resource_type: row.get(1)?,
                id: row.get(2)?,
                version_id: row.get(3)?,
            })
        })?
        .collect()
}

/// A resource of the same type and id that another record made; this one takes it over.
fn made_from_another(
    connection: &Connection,
    key: Key<'_>,
    new: &NewResource,
) -> rusqlite::Result<Option<Current>> {
    let NewResource { resource, .. } = new;
    let rid = connection
        .prepare_cached("SELECT rid FROM resource WHERE tenant = ?1 AND type = ?2 AND id = ?3")?
        .query_row([key.tenant.as_str(), &resource.resource_type, resource.id.as_str()], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(rid.map(|rid| Current {
        rid,
        resource_type: resource.resource_type.clone(),
        id: resource.id.as_str().to_owned(),
        version_id: String::new(),
    }))
}

/// Keeps the current version as an earlier one.
fn archive(connection: &Connection, rid: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO history
               (tenant, type, id, version_id, updated, origin_kind, origin_id, body)
             SELECT tenant, type, id, version_id, updated, origin_kind, origin_id, body
             FROM resource WHERE rid = ?1",
        )?
        .execute([rid])?;
    Ok(())
}

/// Takes a resource out of the search index.
pub(super) fn clear(connection: &Connection, tenant: &str, rid: i64) -> rusqlite::Result<()> {
    for statement in INDEX {
        connection.prepare_cached(statement)?.execute(params![tenant, rid])?;
    }
    Ok(())
}

fn take_away(connection: &Connection, key: Key<'_>, rid: i64) -> rusqlite::Result<()> {
    clear(connection, key.tenant.as_str(), rid)?;
    connection.prepare_cached("DELETE FROM resource WHERE rid = ?1")?.execute([rid])?;
    Ok(())
}

fn insert(connection: &Connection, key: Key<'_>, new: &NewResource) -> rusqlite::Result<()> {
    let resource = &new.resource;
    let [tenant, origin_kind, origin_id] = key.columns();
    let (resource_type, id) = (resource.resource_type.as_str(), resource.id.as_str());
    connection
        .prepare_cached(
            "DELETE FROM history
             WHERE tenant = ?1 AND type = ?2 AND id = ?3 AND version_id = ?4",
        )?
        .execute([tenant, resource_type, id, &resource.version_id])?;
    let updated = resource.last_updated.as_microsecond();
    let patient = new.patient.as_ref().map_or("", |patient| patient.as_str());
    let rid = connection
        .prepare_cached(
            "INSERT INTO resource
               (tenant, type, id, version_id, updated, patient, origin_kind, origin_id, body,
                class, related, dated, arrived)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
                CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER))",
        )?
        .insert(params![
            tenant,
            resource_type,
            id,
            resource.version_id,
            updated,
            patient,
            origin_kind,
            origin_id,
            &resource.body[..],
            new.guard.class,
            new.guard.related,
            new.guard.dated
        ])?;
    let found = Found { tenant, rid, resource_type, patient, updated, id };
    new.index.iter().try_for_each(|row| found.index(connection, row))
}

/// Notes what decides about a resource whose version stays.
fn guard(connection: &Connection, rid: i64, guard: &Guard) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE resource SET class = ?2, related = ?3, dated = ?4
             WHERE rid = ?1 AND (class <> ?2 OR related <> ?3 OR dated <> ?4)",
        )?
        .execute(params![rid, guard.class, guard.related, guard.dated])?;
    Ok(())
}

/// What index rows repeat of their resource.
pub(super) struct Found<'a> {
    pub(super) tenant: &'a str,
    pub(super) rid: i64,
    pub(super) resource_type: &'a str,
    pub(super) patient: &'a str,
    pub(super) updated: i64,
    pub(super) id: &'a str,
}

impl Found<'_> {
    /// Adds a row.
    pub(super) fn index(&self, connection: &Connection, row: &IndexRow) -> rusqlite::Result<()> {
        let Self { tenant, rid, resource_type: kind, patient, updated, id } = self;
        let add = |insert, values: &[&dyn ToSql]| {
            connection.prepare_cached(insert)?.execute(values).map(|_rows| ())
        };
        match row {
            IndexRow::Token { param, system, code } => {
                add(TOKEN, params![tenant, rid, param, code, system, kind, patient, updated, id])
            }
            IndexRow::Reference { param, target } => {
                add(REFERENCE, params![tenant, rid, param, target, kind, updated, id])
            }
            IndexRow::Date { param, low, high } => {
                add(DATE, params![tenant, rid, param, low, high, kind])
            }
            IndexRow::Text { param, value, exact } => {
                add(TEXT, params![tenant, rid, param, value, exact, kind])
            }
            IndexRow::Quantity { param, low, high, system, code, unit } => {
                add(QUANTITY, params![tenant, rid, param, low, high, system, code, unit, kind])
            }
            IndexRow::Uri { param, value } => add(URI, params![tenant, rid, param, value, kind]),
        }
    }
}
