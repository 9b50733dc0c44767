//! Everything in a patient's compartment, and the people and places that it names
//! (<https://hl7.org/fhir/R4/patient-operation-everything.html>).
//!
//! The compartment comes first, by type and newest first, along one index; then what it refers to
//! outside, by type and id. A cursor of the second part has no instant.

use super::page::cursor;
use super::visible::visible;
use super::{COLUMNS, Found, Snapshot, Sql, also};
use crate::error::Result;
use crate::fhir::search::{Cursor, SortValue, param};
use crate::policy::{OUTSIDE, Permit};
use crate::store::{Everything, Page};

/// Answers a page.
pub(in crate::store) fn everything(
    snapshot: &impl Snapshot,
    permit: &Permit,
    scope: &Everything,
) -> Result<Page> {
    let reach = Reach::of(permit, scope);
    let mut matches = Vec::new();
    if !matches!(scope.after.as_ref().map(|after| after.keys.as_slice()), Some([_])) {
        matches = inside(snapshot, permit, scope, &reach.inside)?;
    }
    if matches.len() <= scope.count {
        let room = scope.count.saturating_add(1) - matches.len();
        matches.append(&mut outside(snapshot, permit, scope, &reach, room)?);
    }
    let more = matches.len() > scope.count;
    matches.truncate(scope.count);
    let next = matches.last().filter(|_| more).map(cursor);
    let matches = matches.into_iter().map(|found| found.resource).collect();
    Ok(Page { matches, included: Vec::new(), next, total: None })
}

/// The types that are wanted and that the permit reaches.
struct Reach {
    inside: Vec<&'static str>,
    outside: Vec<&'static str>,
}

impl Reach {
    fn of(permit: &Permit, scope: &Everything) -> Self {
        let wanted = |name: &&'static str| {
            (scope.types.is_empty() || scope.types.contains(name)) && permit.on(name).is_some()
        };
        let (outside, inside) =
            param::served().filter(wanted).partition(|name| OUTSIDE.contains(name));
        Self { inside, outside }
    }
}

fn inside(
    snapshot: &impl Snapshot,
    permit: &Permit,
    scope: &Everything,
    types: &[&'static str],
) -> Result<Vec<Found>> {
    if types.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new(snapshot.dialect());
    let tenant = sql.bind(permit.tenant().as_str());
    let patient = sql.bind(scope.patient.as_str());
    sql.and(format!("r.tenant = {tenant} AND r.patient = {patient}"));
    // Without a choice of types the rows come as the index has them.
    if types.len() < param::served().filter(|name| !OUTSIDE.contains(name)).count() {
        let types = sql.bind_all(types.iter().copied());
        sql.and(format!("r.type IN ({types})"));
    }
    each_visible(&mut sql, permit, types, "r");
    since(&mut sql, scope);
    if let Some(Cursor { keys, id }) = &scope.after
        && let [SortValue::Text(name), SortValue::Instant(updated)] = keys.as_slice()
    {
        let (name, updated) = (sql.bind(name.as_str()), sql.bind(*updated));
        let id = sql.bind(id.as_str());
        sql.and(format!(
            "r.type >= {name} AND (r.type > {name} OR r.updated < {updated} \
             OR (r.updated = {updated} AND r.id > {id}))"
        ));
    }
    let limit = sql.bind(i64::try_from(scope.count.saturating_add(1)).unwrap_or(i64::MAX));
    let (index, conditions) = (sql.dialect.indexed_by("resource_patient"), sql.conditions());
    let text = format!(
        "SELECT {COLUMNS}, r.type, r.updated FROM resource r {index} WHERE {conditions} \
         ORDER BY r.type, r.updated DESC, r.id LIMIT {limit}"
    );
    snapshot.found(&sql.finish(text))
}

/// What resources of the compartment refer to outside it.
fn outside(
    snapshot: &impl Snapshot,
    permit: &Permit,
    scope: &Everything,
    reach: &Reach,
    room: usize,
) -> Result<Vec<Found>> {
    if reach.outside.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new(snapshot.dialect());
    let tenant = sql.bind(permit.tenant().as_str());
    let patient = sql.bind(scope.patient.as_str());
    let types = sql.bind_all(reach.outside.iter().copied());
    let all: Vec<_> = param::served().filter(|name| permit.on(name).is_some()).collect();
    let sources = sql.bind_all(all.iter().copied());
    let mut inner = Sql { conditions: Vec::new(), ..sql };
    each_visible(&mut inner, permit, &all, "c");
    let seen = also(&inner.conditions);
    let mut sql = Sql { conditions: Vec::new(), ..inner };
    sql.and(format!("r.tenant = {tenant} AND r.type IN ({types})"));
    sql.and(format!(
        "r.type || '/' || r.id IN (SELECT x.target FROM resource c \
         JOIN reference x ON x.tenant = c.tenant AND x.rid = c.rid \
         WHERE c.tenant = {tenant} AND c.patient = {patient} AND c.type IN ({sources}){seen})"
    ));
    each_visible(&mut sql, permit, &reach.outside, "r");
    since(&mut sql, scope);
    if let Some(Cursor { keys, id }) = &scope.after
        && let [SortValue::Text(name)] = keys.as_slice()
    {
        let (name, id) = (sql.bind(name.as_str()), sql.bind(id.as_str()));
        sql.and(format!("(r.type > {name} OR (r.type = {name} AND r.id > {id}))"));
    }
    let limit = sql.bind(i64::try_from(room).unwrap_or(i64::MAX));
    let conditions = sql.conditions();
    let text = format!(
        "SELECT {COLUMNS}, r.type FROM resource r WHERE {conditions} \
         ORDER BY r.type, r.id LIMIT {limit}"
    );
    snapshot.found(&sql.finish(text))
}

/// What the permit for each of these types lets through.
fn each_visible(sql: &mut Sql, permit: &Permit, types: &[&'static str], row: &str) {
    for name in types {
        let Some(permit) = permit.on(name) else { continue };
        for test in visible(sql, &permit, row) {
            let name = sql.bind(*name);
            sql.and(format!("({row}.type <> {name} OR {test})"));
        }
    }
}

fn since(sql: &mut Sql, scope: &Everything) {
    if let Some(since) = scope.since {
        let since = sql.bind(since.as_microsecond());
        sql.and(format!("r.updated >= {since}"));
    }
}
