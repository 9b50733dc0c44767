//! One page of a search: its statement, where it starts, and how many match in all.

use std::borrow::Cow;

use super::condition;
use super::include::included;
use super::path::{Path, choose, target};
use super::sort::{self, Order};
use super::trim::trim;
use super::visible::visible_key;
use super::{Found, Snapshot, Sql, Statement, columns};
use crate::error::Result;
use crate::fhir::search::{Condition, Cursor, Query, Total};
use crate::policy::Permit;
use crate::store::Page;

/// How far matches are counted where an exact number is not asked for.
const BOUND: u64 = 1_000;

/// Answers a page.
pub(in crate::store) fn page(
    snapshot: &impl Snapshot,
    permit: &Permit,
    query: &Query,
) -> Result<Page> {
    let query = &confined(permit, query);
    let path = choose(snapshot, permit, query)?;
    let mut matches = snapshot.found(&select(snapshot, permit, query, &path))?;
    let more = matches.len() > query.count;
    matches.truncate(query.count);
    let is_whole = query.after.is_none() && !more && query.count > 0;
    let total = if is_whole && query.total != Total::None {
        Some(matches.len() as u64)
    } else {
        total(snapshot, permit, query, &path)?
    };
    let next = matches.last().filter(|_| more).map(cursor);
    let mut included = included(snapshot, permit, query, &matches)?;
    let mut matches: Vec<_> = matches.into_iter().map(|found| found.resource).collect();
    let seen = if matches.is_empty() { Vec::new() } else { targets(query) };
    trim(snapshot, permit, &seen, matches.iter_mut().chain(&mut included))?;
    Ok(Page { matches, included, next, total, ..Page::default() })
}

/// The query with the one patient that the permit is about as a condition, so that the search is
/// read along that patient's resources.
fn confined<'q>(permit: &Permit, query: &'q Query) -> Cow<'q, Query> {
    let Some(patient) = permit.only_patient().filter(|_| permit.resource_type() != "Binary") else {
        return Cow::Borrowed(query);
    };
    let condition = Condition::Patient(patient.clone());
    if query.conditions.contains(&condition) {
        return Cow::Borrowed(query);
    }
    let mut confined = query.clone();
    confined.conditions.push(condition);
    Cow::Owned(confined)
}

/// The references that each match was found by; what they lead to was asked for in finding it.
fn targets(query: &Query) -> Vec<&str> {
    query.conditions.iter().filter_map(target).collect()
}

/// Where the page after this match starts.
pub(super) fn cursor(last: &Found) -> Cursor {
    Cursor { keys: last.keys.clone(), id: last.resource.id.as_str().to_owned() }
}

/// The conditions of the whole result, without where the page starts. `row` is the alias by which it is
/// asked whether a match may be seen: `r` where the resources are read anyway.
fn matching(
    snapshot: &impl Snapshot,
    permit: &Permit,
    query: &Query,
    path: &Path<'_>,
    row: &str,
) -> Sql {
    let mut sql = Sql::new(snapshot.dialect());
    path.confine(&mut sql, permit);
    for test in visible_key(&mut sql, permit, row) {
        sql.and(test);
    }
    for (position, condition) in query.conditions.iter().enumerate() {
        if path.position() != Some(position) {
            let test = condition::test(&mut sql, permit, path.key(), condition);
            sql.and(test);
        }
    }
    sql
}

/// The statement of one page: one row more than asked for tells whether there is another.
fn select(snapshot: &impl Snapshot, permit: &Permit, query: &Query, path: &Path<'_>) -> Statement {
    let order = sort::order(&query.sort);
    let row = if matches!(order, Order::Updated { .. }) { "r" } else { path.key() };
    let mut sql = matching(snapshot, permit, query, path, row);
    if path.repeats() {
        sql.and(
            "NOT EXISTS (SELECT 1 FROM token e WHERE e.tenant = k.tenant AND e.rid = k.rid \
             AND e.param = k.param AND e.code = k.code AND e.system < k.system)"
                .to_owned(),
        );
    }
    let limit = if query.count == 0 { 0 } else { query.count.saturating_add(1) };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    match order {
        Order::Updated { ascending } => updated(sql, permit, query, path, ascending, limit),
        Order::Keys(keys) => sort::by_keys(sql, permit, query.after.as_ref(), path, &keys, limit),
    }
}

/// In the order of the indexes, or against it.
fn updated(
    mut sql: Sql,
    permit: &Permit,
    query: &Query,
    path: &Path<'_>,
    ascending: bool,
    limit: i64,
) -> Statement {
    let key = path.key();
    let (before, after, order) = if ascending {
        (">", "<", format!("{key}.updated, {key}.id DESC"))
    } else {
        ("<", ">", format!("{key}.updated DESC, {key}.id"))
    };
    if let Some((updated, id)) = query.after.as_ref().and_then(sort::instant) {
        let (updated, id) = (sql.bind(updated), sql.bind(id));
        sql.and(format!("{key}.updated {before}= {updated}"));
        sql.and(format!("({key}.updated {before} {updated} OR {key}.id {after} {id})"));
    }
    let limit = sql.bind(limit);
    let columns = columns(&mut sql, permit, &[permit.resource_type()]);
    let (rows, conditions) = (path.rows(&sql), sql.conditions());
    let text = format!(
        "SELECT {columns}, r.updated FROM {rows} WHERE {conditions} ORDER BY {order} LIMIT {limit}"
    );
    sql.finish(text)
}

/// How many match in all, as far as that is asked for.
fn total(
    snapshot: &impl Snapshot,
    permit: &Permit,
    query: &Query,
    path: &Path<'_>,
) -> Result<Option<u64>> {
    // Under consents counting is not cheap: each match has to be asked about.
    if query.total == Total::None || (query.total == Total::Bounded && permit.under().is_some()) {
        return Ok(None);
    }
    let sql = matching(snapshot, permit, query, path, path.key());
    let (keys, conditions) = (path.keys(&sql), sql.conditions());
    // In the order of the index, so that nothing has to be remembered.
    let group = if path.repeats() { "GROUP BY k.updated, k.id" } else { "" };
    let limit = match query.total {
        Total::Accurate => String::new(),
        _ => format!("LIMIT {}", BOUND + 1),
    };
    let text = format!(
        "SELECT count(*) FROM (SELECT 1 AS one FROM {keys} WHERE {conditions} {group} {limit}) n"
    );
    let count = snapshot.number(&sql.finish(text))?;
    Ok((query.total == Total::Accurate || count <= BOUND).then_some(count))
}
