//! What comes along with the matches (<https://hl7.org/fhir/R4/search.html#include>).

use std::collections::{BTreeMap, HashSet};

use super::visible::visible;
use super::{Found, Snapshot, Sql, also, columns};
use crate::error::{Error, Result};
use crate::fhir::search::{Direction, Include, Query, param};
use crate::policy::Permit;
use crate::store::StoredResource;

/// How many resources may come along with one page.
const MAX_INCLUDED: usize = 10_000;
/// How many times what came along brings along in turn.
const ROUNDS: usize = 8;

/// The resources that come along, each once, and none that is a match itself. Those of a type that
/// the caller may not search stay away.
pub(super) fn included(
    snapshot: &impl Snapshot,
    permit: &Permit,
    query: &Query,
    matches: &[Found],
) -> Result<Vec<StoredResource>> {
    let mut seen: HashSet<i64> = matches.iter().map(|found| found.rid).collect();
    let mut all: Vec<Found> = Vec::new();
    let mut from = matches.to_vec();
    for round in 0..ROUNDS {
        let mut new = Vec::new();
        for include in query.includes.iter().filter(|include| round == 0 || include.iterate) {
            for found in one(snapshot, permit, include, &from)? {
                if seen.insert(found.rid) {
                    new.push(found);
                }
            }
        }
        if all.len() + new.len() > MAX_INCLUDED {
            return Err(Error::not_supported(
                "_include",
                format!("more than {MAX_INCLUDED} resources come along: ask for a smaller _count"),
            ));
        }
        all.extend_from_slice(&new);
        if new.is_empty() {
            break;
        }
        from = new;
    }
    Ok(all.into_iter().map(|found| found.resource).collect())
}

/// What one include brings along with these resources.
fn one(
    snapshot: &impl Snapshot,
    permit: &Permit,
    include: &Include,
    from: &[Found],
) -> Result<Vec<Found>> {
    match include.direction {
        Direction::Forward => forward(snapshot, permit, include, from),
        Direction::Reverse => reverse(snapshot, permit, include, from),
    }
}

fn forward(
    snapshot: &impl Snapshot,
    permit: &Permit,
    include: &Include,
    from: &[Found],
) -> Result<Vec<Found>> {
    let sources = from.iter().filter(|found| found.resource.resource_type == include.source);
    let rids: Vec<i64> = sources.map(|found| found.rid).collect();
    if rids.is_empty() || permit.on(include.source).is_none() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new(snapshot.dialect());
    let tenant = sql.bind(permit.tenant().as_str());
    let (rids, params) =
        (sql.bind_all(rids.into_iter()), sql.bind_all(include.params.iter().copied()));
    let text = format!(
        "SELECT DISTINCT x.target FROM reference x WHERE x.tenant = {tenant} \
         AND x.rid IN ({rids}) AND x.param IN ({params}) ORDER BY x.target"
    );
    let targets = snapshot.texts(&sql.finish(text))?;
    named(snapshot, permit, include.target, &targets)
}

/// The resources that references name, of one type or of any that is served.
pub(super) fn named(
    snapshot: &impl Snapshot,
    permit: &Permit,
    only: Option<&str>,
    references: &[String],
) -> Result<Vec<Found>> {
    let mut by_type: BTreeMap<&'static str, Vec<&str>> = BTreeMap::new();
    for (name, id) in references.iter().filter_map(|reference| reference.split_once('/')) {
        let served = param::served().find(|known| *known == name);
        if let Some(name) = served.filter(|name| only.is_none_or(|only| only == *name)) {
            by_type.entry(name).or_default().push(id);
        }
    }
    let mut all = Vec::new();
    for (name, ids) in by_type {
        let Some(permit) = permit.on(name) else { continue };
        let mut sql = Sql::new(snapshot.dialect());
        let (tenant, of_type) = (sql.bind(permit.tenant().as_str()), sql.bind(name));
        let ids = sql.bind_all(ids.into_iter());
        sql.and(format!("r.tenant = {tenant} AND r.type = {of_type} AND r.id IN ({ids})"));
        for test in visible(&mut sql, &permit, "r") {
            sql.and(test);
        }
        let (columns, conditions) = (columns(&mut sql, &permit, &[name]), sql.conditions());
        let text = format!(
            "SELECT {columns} FROM resource r WHERE {conditions} ORDER BY r.updated DESC, r.id"
        );
        all.append(&mut snapshot.found(&sql.finish(text))?);
    }
    Ok(all)
}

fn reverse(
    snapshot: &impl Snapshot,
    permit: &Permit,
    include: &Include,
    from: &[Found],
) -> Result<Vec<Found>> {
    let counts =
        |found: &&Found| include.target.is_none_or(|target| target == found.resource.resource_type);
    let references: Vec<String> = from
        .iter()
        .filter(counts)
        .map(|found| format!("{}/{}", found.resource.resource_type, found.resource.id))
        .collect();
    let Some(permit) = permit.on(include.source).filter(|_| !references.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut sql = Sql::new(snapshot.dialect());
    let (tenant, source) = (sql.bind(permit.tenant().as_str()), sql.bind(include.source));
    let targets = sql.bind_all(references.iter().map(String::as_str));
    let params = sql.bind_all(include.params.iter().copied());
    let seen = also(&visible(&mut sql, &permit, "r"));
    let columns = columns(&mut sql, &permit, &[include.source]);
    let index = sql.dialect.indexed_by("reference_search");
    // A resource that refers to several matches comes once for each; the caller keeps one.
    let text = format!(
        "SELECT {columns} FROM reference d {index} {} resource r ON r.rid = d.rid \
         WHERE d.tenant = {tenant} AND d.type = {source} AND d.target IN ({targets}) \
         AND d.param IN ({params}){seen} ORDER BY r.updated DESC, r.id",
        sql.dialect.join()
    );
    snapshot.found(&sql.finish(text))
}
