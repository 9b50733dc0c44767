//! Searches: from a [`Query`] to SQL with bound parameters only.
//!
//! Results are ordered by last update, newest first, then by id, as the indexes are, so that a page
//! is read from its start. Where a condition names one target of a reference, as that of a patient
//! does, the page is read along that; the other conditions are tested on each candidate.

mod condition;
mod sql;

use std::collections::HashSet;

use self::sql::Sql;
use super::fault::Tried;
use super::row::{count, resource};
use super::session::{Param, Session};
use crate::fhir::search::param::search_type;
use crate::fhir::search::{Condition, Cursor, Operand, Query};
use crate::policy::Permit;
use crate::store::{Page, StoredResource};

/// Answers a page.
pub(super) fn page(session: &mut Session, permit: &Permit, query: &Query) -> Tried<Page> {
    let answer = in_snapshot(session, permit, query);
    // Where even this fails, the connection is dead and is not used again.
    let ended = session.batch("COMMIT");
    answer.and_then(|page| ended.map(|()| page))
}

fn in_snapshot(session: &mut Session, permit: &Permit, query: &Query) -> Tried<Page> {
    let plan = Plan::of(query);
    let (text, sql) = plan.page(permit, query);
    let mut answers = session.queries(&[
        ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", &[]),
        (&text, &sql.params()),
    ])?;
    let rows = answers.pop().unwrap_or_default();
    let mut matches = rows.iter().map(|row| resource(row, 0)).collect::<Tried<Vec<_>>>()?;
    let more = matches.len() > query.count;
    matches.truncate(query.count);
    let total = if query.after.is_none() && !more && query.count > 0 {
        matches.len() as u64
    } else {
        let (text, sql) = plan.count(permit, query);
        let rows = session.query(&text, &sql.params())?;
        rows.first().map(|row| count(row, 0)).transpose()?.unwrap_or_default()
    };
    let next = matches
        .last()
        .filter(|_| more)
        .map(|last| Cursor { updated: last.last_updated, id: last.id.as_str().to_owned() });
    let included =
        if query.with_provenance { provenance(session, permit, &matches)? } else { Vec::new() };
    Ok(Page { matches, included, next, total })
}

/// How a search is answered: which condition's reference it is read along, if any.
struct Plan<'q> {
    along: Option<(usize, u16, &'q str)>,
}

impl<'q> Plan<'q> {
    fn of(query: &'q Query) -> Self {
        let one_target = |(place, condition): (usize, &'q Condition)| {
            let [Operand::Reference { targets }] = condition.any_of.as_slice() else { return None };
            let [target] = targets.as_slice() else { return None };
            Some((place, condition.param, target.as_str()))
        };
        Self { along: query.conditions.iter().enumerate().find_map(one_target) }
    }

    /// The alias of the table whose columns `tenant`, `type`, `rid`, `updated` and `id` are used.
    fn key(&self) -> &'static str {
        if self.along.is_some() { "k" } else { "r" }
    }

    /// The conditions of the whole result, without where the page starts.
    fn matching(&self, permit: &Permit, query: &Query) -> Sql {
        let (mut sql, key) = (Sql::default(), self.key());
        let tenant = sql.text(permit.tenant().as_str());
        let resource_type = sql.text(permit.resource_type());
        sql.and(format!("{key}.tenant = {tenant} AND {key}.type = {resource_type}"));
        if let Some((_, param, target)) = self.along {
            let (target, param) = (sql.text(target), sql.number(param.into()));
            sql.and(format!("k.target = {target} AND k.param = {param}"));
        }
        for updated in &query.updated {
            let test = condition::updated(&mut sql, key, updated);
            sql.and(test);
        }
        if !query.ids.is_empty() {
            let ids = sql.texts(query.ids.iter().map(String::as_str));
            sql.and(format!("{key}.id = ANY({ids})"));
        }
        for (place, condition) in query.conditions.iter().enumerate() {
            if self.along.is_none_or(|(along, ..)| along != place) {
                let test = condition::test(&mut sql, key, condition);
                sql.and(test);
            }
        }
        sql
    }

    /// The statement of one page: one row more than asked for tells whether there is another.
    fn page(&self, permit: &Permit, query: &Query) -> (String, Sql) {
        let (mut sql, key) = (self.matching(permit, query), self.key());
        if let Some(after) = &query.after {
            let updated = sql.number(after.updated.as_microsecond());
            let id = sql.text(&after.id);
            sql.and(format!("{key}.updated <= {updated}"));
            sql.and(format!("({key}.updated < {updated} OR {key}.id > {id})"));
        }
        let limit = if query.count == 0 { 0 } else { query.count.saturating_add(1) };
        let limit = sql.number(i64::try_from(limit).unwrap_or(i64::MAX));
        let from = if self.along.is_some() {
            "reference k JOIN resource r ON r.rid = k.rid"
        } else {
            "resource r"
        };
        let text = format!(
            "SELECT r.type, r.id, r.version_id, r.updated, r.body FROM {from} WHERE {} \
             ORDER BY {key}.updated DESC, {key}.id LIMIT {limit}",
            sql.conditions()
        );
        (text, sql)
    }

    /// The statement that counts the whole result.
    fn count(&self, permit: &Permit, query: &Query) -> (String, Sql) {
        let sql = self.matching(permit, query);
        let from = if self.along.is_some() { "reference k" } else { "resource r" };
        (format!("SELECT count(*) FROM {from} WHERE {}", sql.conditions()), sql)
    }
}

/// The Provenance of each match, each once.
fn provenance(
    session: &mut Session,
    permit: &Permit,
    matches: &[StoredResource],
) -> Tried<Vec<StoredResource>> {
    let target = search_type("Provenance").and_then(|known| known.param("target"));
    let Some((param, _)) = target else { return Ok(Vec::new()) };
    let named = |found: &StoredResource| format!("{}/{}", found.resource_type, found.id);
    let targets: Vec<String> = matches.iter().map(named).collect();
    let params: [Param<'_>; 3] = [&permit.tenant().as_str(), &i64::from(param), &targets];
    let rows = session.query(
        "SELECT r.type, r.id, r.version_id, r.updated, r.body
         FROM unnest($3::text[]) WITH ORDINALITY AS t (target, place)
         JOIN reference d ON d.tenant = $1 AND d.type = 'Provenance' AND d.target = t.target
           AND d.param = $2
         JOIN resource r ON r.rid = d.rid
         WHERE r.tenant = $1 AND r.type = 'Provenance'
         ORDER BY t.place, r.updated DESC, r.id",
        &params,
    )?;
    let mut seen = HashSet::new();
    let mut included = Vec::new();
    for row in &rows {
        let found = resource(row, 0)?;
        if seen.insert(found.id.clone()) {
            included.push(found);
        }
    }
    Ok(included)
}
