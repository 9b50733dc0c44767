//! The order of a result, and the place in it where a page starts.
//!
//! Resources without a value come last in either direction; the id decides between equals.

use super::condition::of_param;
use super::path::Path;
use super::{Sql, Statement, allowed, columns};
use crate::fhir::search::param::by_number;
use crate::fhir::search::{Cursor, ParamKind, SortBy, SortKey, SortValue};
use crate::policy::Permit;

/// How a result is put in order.
pub(super) enum Order {
    /// By last update, as the indexes are.
    Updated { ascending: bool },
    /// By these keys: every match is looked at.
    Keys(Vec<SortKey>),
}

/// The order that the keys ask for.
pub(super) fn order(keys: &[SortKey]) -> Order {
    match keys {
        [] => Order::Updated { ascending: false },
        [SortKey { by: SortBy::Updated, descending }, ..] => {
            if keys.len() == 1 {
                Order::Updated { ascending: !*descending }
            } else {
                Order::Keys(keys.to_vec())
            }
        }
        _ => Order::Keys(keys.to_vec()),
    }
}

/// The place in an order by last update.
pub(super) fn instant(cursor: &Cursor) -> Option<(i64, &str)> {
    match cursor.keys.as_slice() {
        [SortValue::Instant(updated)] => Some((*updated, &cursor.id)),
        _ => None,
    }
}

/// The statement of a page in the order of the keys: first the places, then the resources there.
pub(super) fn by_keys(
    mut sql: Sql,
    permit: &Permit,
    after: Option<&Cursor>,
    path: &Path<'_>,
    keys: &[SortKey],
    limit: i64,
) -> Statement {
    let alias = path.key();
    let values: Vec<String> = keys.iter().map(|key| value(&mut sql, permit, alias, *key)).collect();
    let named: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(place, column)| format!(", {column} AS s{place}"))
        .collect();
    let named = named.concat();
    let order = order_by(keys);
    let start = after.map(|cursor| start(&mut sql, keys, cursor));
    let start = start.map_or_else(String::new, |start| format!("WHERE {start}"));
    let limit = sql.bind(limit);
    let columns = columns(&mut sql, permit, &[permit.resource_type()]);
    let (from, conditions) = (path.keys(&sql), sql.conditions());
    let places: Vec<String> = (0..keys.len()).map(|place| format!(", q.s{place}")).collect();
    let places = places.concat();
    let text = format!(
        "SELECT {columns}{places} FROM \
         (SELECT * FROM (SELECT {alias}.rid AS rid, {alias}.id AS id{named} \
          FROM {from} WHERE {conditions}) q {start} ORDER BY {order} LIMIT {limit}) q \
         JOIN resource r ON r.rid = q.rid ORDER BY {order}"
    );
    sql.finish(text)
}

fn order_by(keys: &[SortKey]) -> String {
    let places = keys.iter().enumerate().map(|(place, key)| {
        let direction = if key.descending { " DESC" } else { "" };
        format!("(q.s{place} IS NULL), q.s{place}{direction}")
    });
    let order: Vec<String> = places.chain(["q.id".to_owned()]).collect();
    order.join(", ")
}

/// What a key compares of the resource under the alias.
fn value(sql: &mut Sql, permit: &Permit, alias: &str, key: SortKey) -> String {
    let number = match key.by {
        SortBy::Id => return format!("{alias}.id"),
        SortBy::Updated => return format!("{alias}.updated"),
        SortBy::Param(number) => number,
    };
    let known = by_number(number);
    let (table, low, high) = match known.map(|known| known.kind) {
        Some(ParamKind::Token | ParamKind::Composite) => ("token", "code", "code"),
        Some(ParamKind::Reference) => ("reference", "target", "target"),
        Some(ParamKind::Date) => ("date", "low", "high"),
        Some(ParamKind::Quantity) => ("quantity", "low", "high"),
        Some(ParamKind::Uri) => ("uri", "value", "value"),
        Some(ParamKind::Text) | None => ("text", "value", "value"),
    };
    let param = of_param(sql, permit, number);
    let target = known.filter(|_| table == "reference");
    let target = target.and_then(|known| allowed::target(sql, permit, known));
    let seen: String = target.iter().flat_map(|test| [" AND ", test]).collect();
    let from = format!(
        "FROM {table} x WHERE x.tenant = {alias}.tenant AND x.rid = {alias}.rid \
         AND {param}{seen}"
    );
    if key.descending {
        format!("(SELECT max(x.{high}) {from})")
    } else {
        format!("(SELECT min(x.{low}) {from})")
    }
}

/// What comes after the cursor, key by key.
fn start(sql: &mut Sql, keys: &[SortKey], cursor: &Cursor) -> String {
    let mut equal: Vec<String> = Vec::new();
    let mut alternatives = Vec::new();
    for (place, (key, value)) in keys.iter().zip(&cursor.keys).enumerate() {
        let column = format!("q.s{place}");
        let bound = match value {
            SortValue::Missing => None,
            SortValue::Instant(instant) => Some(sql.bind(*instant)),
            SortValue::Number(number) => Some(sql.bind(*number)),
            SortValue::Text(text) => Some(sql.bind(text.as_str())),
        };
        let here = match bound {
            // Nothing comes after those without a value but others without one.
            None => format!("{column} IS NULL"),
            Some(bound) => {
                let sign = if key.descending { "<" } else { ">" };
                let later = format!("({column} {sign} {bound} OR {column} IS NULL)");
                alternatives.push(all(&equal, later));
                format!("{column} = {bound}")
            }
        };
        equal.push(here);
    }
    let id = sql.bind(cursor.id.as_str());
    alternatives.push(all(&equal, format!("q.id > {id}")));
    format!("({})", alternatives.join(" OR "))
}

/// What is equal so far, and what decides.
fn all(equal: &[String], last: String) -> String {
    let mut tests = equal.to_vec();
    tests.push(last);
    format!("({})", tests.join(" AND "))
}
