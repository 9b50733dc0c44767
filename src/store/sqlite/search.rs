//! Searches: from a [`Query`] to SQL with bound parameters only.
//!
//! Results are ordered by last update, newest first, then by id. The search indexes are in that
//! order too, so that a page costs what it holds, wherever in the result it starts. The condition
//! that the page is read along is the one with the fewest matches, found by counting a few; the
//! others are tested on each candidate.

mod condition;
mod sql;

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{Connection, params, params_from_iter};

use self::condition::{Path, choose};
use self::sql::Sql;
use super::read;
use crate::fhir::search::param::search_type;
use crate::fhir::search::{Cursor, Operand, Query};
use crate::policy::Permit;
use crate::store::{Page, StoredResource};

/// Answers a page.
pub(super) fn page(
    connection: &Connection,
    permit: &Permit,
    query: &Query,
) -> rusqlite::Result<Page> {
    let snapshot = connection.unchecked_transaction()?;
    let path = choose(&snapshot, permit, query)?;
    let mut matches = Vec::new();
    let mut sql = matching(permit, query, &path);
    {
        let mut statement = snapshot.prepare_cached(sql.page(query, &path))?;
        for resource in statement.query_map(params_from_iter(sql.values()), read::resource)? {
            matches.push(resource?);
        }
    }
    let more = matches.len() > query.count;
    matches.truncate(query.count);
    let total = if query.after.is_none() && !more && query.count > 0 {
        matches.len() as u64
    } else {
        let mut sql = matching(permit, query, &path);
        snapshot
            .prepare_cached(sql.count(&path))?
            .query_row(params_from_iter(sql.values()), |row| read::count(row, 0))?
    };
    let next = matches
        .last()
        .filter(|_| more)
        .map(|last| Cursor { updated: last.last_updated, id: last.id.as_str().to_owned() });
    let included =
        if query.with_provenance { provenance(&snapshot, permit, &matches)? } else { Vec::new() };
    Ok(Page { matches, included, next, total })
}

/// The conditions of the whole result, without where the page starts.
fn matching(permit: &Permit, query: &Query, path: &Path<'_>) -> Sql {
    let mut sql = Sql::default();
    path.confine(&mut sql, permit);
    let key = path.key();
    for updated in &query.updated {
        if let Operand::Date { prefix, low, high } = updated {
            let column = format!("{key}.updated");
            let test = condition::date_test(&mut sql, &column, &column, *prefix, (*low, *high));
            sql.and(&test);
        }
    }
    if !query.ids.is_empty() {
        let ids = sql.bind_all(query.ids.iter().map(String::as_str));
        sql.and(&format!("{key}.id IN ({ids})"));
    }
    for (position, condition) in query.conditions.iter().enumerate() {
        if path.position() != Some(position) {
            let test = condition::test(&mut sql, key, condition);
            sql.and(&test);
        }
    }
    sql
}

impl Sql {
    /// The statement of one page: one row more than asked for tells whether there is another.
    fn page(&mut self, query: &Query, path: &Path<'_>) -> &str {
        let key = path.key();
        if let Some(after) = &query.after {
            let updated = self.bind(micros(after.updated));
            let id = self.bind(after.id.clone());
            self.and(&format!("{key}.updated <= {updated}"));
            self.and(&format!("({key}.updated < {updated} OR {key}.id > {id})"));
        }
        if path.repeats() {
            self.and(
                "NOT EXISTS (SELECT 1 FROM token e WHERE e.tenant = k.tenant AND e.rid = k.rid \
                 AND e.param = k.param AND e.code = k.code AND e.system < k.system)",
            );
        }
        let limit = if query.count == 0 { 0 } else { query.count.saturating_add(1) };
        let limit = self.bind(i64::try_from(limit).unwrap_or(i64::MAX));
        self.finish(
            &format!("SELECT {} FROM {}", read::COLUMNS, path.rows()),
            &format!("ORDER BY {key}.updated DESC, {key}.id LIMIT {limit}"),
        )
    }

    /// The statement that counts the whole result.
    fn count(&mut self, path: &Path<'_>) -> &str {
        let keys = path.keys();
        if path.repeats() {
            // In the order of the index, so that nothing has to be remembered.
            let head = format!("SELECT count(*) FROM (SELECT 1 FROM {keys}");
            return self.finish(&head, "GROUP BY k.updated, k.id)");
        }
        self.finish(&format!("SELECT count(*) FROM {keys}"), "")
    }
}

/// An instant as the tables hold it.
fn micros(instant: Timestamp) -> i64 {
    instant.as_microsecond()
}

/// The Provenance of each match, each once.
fn provenance(
    connection: &Connection,
    permit: &Permit,
    matches: &[StoredResource],
) -> rusqlite::Result<Vec<StoredResource>> {
    let mut statement = connection.prepare_cached(
        "SELECT r.type, r.id, r.version_id, r.updated, r.body
         FROM reference d CROSS JOIN resource r ON r.rid = d.rid
         WHERE d.tenant = ?1 AND d.type = 'Provenance' AND d.target = ?2
           AND d.param = ?3 AND r.tenant = ?1 AND r.type = 'Provenance'
         ORDER BY r.updated DESC, r.id",
    )?;
    let target = search_type("Provenance").and_then(|known| known.param("target"));
    let Some((param, _)) = target else { return Ok(Vec::new()) };
    let mut seen = HashSet::new();
    let mut included = Vec::new();
    for found in matches {
        let target = format!("{}/{}", found.resource_type, found.id);
        let rows = statement
            .query_map(params![permit.tenant().as_str(), target, param], read::resource)?;
        for resource in rows {
            let resource = resource?;
            if seen.insert(resource.id.clone()) {
                included.push(resource);
            }
        }
    }
    Ok(included)
}

#[cfg(test)]
mod tests;
