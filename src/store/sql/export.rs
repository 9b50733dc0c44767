//! Exports: a window of patients, and whether what was exported may still be seen.

use super::allowed::SEEN;
use super::trim::trim;
use super::visible::{visible, visible_types};
use super::{Snapshot, Sql, Statement, columns, condition};
use crate::domain::FhirId;
use crate::error::{Error, Result};
use crate::fhir::search::SortValue;
use crate::policy::Permit;
use crate::store::exports::{Export, Exported, Whose};

/// How many resources are looked up in one statement.
const TOGETHER: usize = 200;
/// How far before the instant that is asked for it is looked, in microseconds.
pub(super) const OVERLAP_US: i64 = 5 * 60 * 1_000_000;
/// The last patient of the window after one.
pub(in crate::store) fn window(
    snapshot: &impl Snapshot,
    permit: &Permit,
    after: &str,
    rows: u32,
) -> Result<Option<String>> {
    let bound = |skip: u32, order: &str| {
        let mut sql = Sql::new(snapshot.dialect());
        let tenant = sql.bind(permit.tenant().as_str());
        let after = sql.bind(after);
        let skip = sql.bind(i64::from(skip));
        let index = sql.dialect.indexed_by("resource_patient");
        let text = format!(
            "SELECT r.patient FROM resource r {index} WHERE r.tenant = {tenant} \
             AND r.patient > {after} ORDER BY r.tenant {order}, r.patient {order} \
             LIMIT 1 OFFSET {skip}"
        );
        Ok::<_, Error>(snapshot.texts(&sql.finish(text))?.pop())
    };
    match bound(rows, "")? {
        Some(last) => Ok(Some(last)),
        // Fewer are left: the last of them.
        None => bound(0, "DESC"),
    }
}

/// What of a window the caller may see.
pub(in crate::store) fn export(
    snapshot: &impl Snapshot,
    permit: &Permit,
    scope: &Export,
) -> Result<Vec<Exported>> {
    let Some(statement) = inside(snapshot, permit, scope) else { return Ok(Vec::new()) };
    let mut patients = Vec::new();
    let mut resources = Vec::new();
    for found in snapshot.found(&statement)? {
        let Some(SortValue::Text(patient)) = found.keys.into_iter().next() else {
            return Err(Error::broken("a resource without the column of its patient"));
        };
        patients.push(patient);
        resources.push(found.resource);
    }
    trim(snapshot, permit, &[], resources.iter_mut())?;
    let pair = |(resource, patient)| Exported { resource, patient };
    Ok(resources.into_iter().zip(patients).map(pair).collect())
}

fn inside(snapshot: &impl Snapshot, permit: &Permit, scope: &Export) -> Option<Statement> {
    let reached: Vec<_> =
        scope.types.iter().copied().filter(|name| permit.on(name).is_some()).collect();
    if reached.is_empty() {
        return None;
    }
    let mut sql = Sql::new(snapshot.dialect());
    whose(&mut sql, permit, scope, &reached);
    for (name, any_of) in filters(scope) {
        let Some(permit) = permit.on(name) else { continue };
        let tests: Vec<String> = any_of
            .iter()
            .map(|all| {
                let tests = all.iter().map(|one| condition::test(&mut sql, &permit, "r", one));
                let tests: Vec<String> = tests.collect();
                if tests.is_empty() { "1 = 1".to_owned() } else { tests.join(" AND ") }
            })
            .collect();
        let name = sql.bind(name);
        sql.and(format!("(r.type <> {name} OR ({}))", tests.join(") OR (")));
    }
    within(&mut sql, scope, "r.arrived");
    let columns = columns(&mut sql, permit, &reached);
    let (index, conditions) = (sql.dialect.indexed_by("resource_patient"), sql.conditions());
    let text = format!(
        "SELECT {columns}, r.patient FROM resource r {index} WHERE {conditions} \
         ORDER BY r.tenant, r.patient, r.type, r.updated DESC, r.id"
    );
    Some(sql.finish(text))
}

/// When it came here. What was being written when the last export was asked for, or on a server whose
/// clock is behind, comes once more rather than never.
pub(super) fn within(sql: &mut Sql, scope: &Export, column: &str) {
    if let Some(since) = scope.since {
        let since = sql.bind(since.as_microsecond().saturating_sub(OVERLAP_US));
        sql.and(format!("{column} >= {since}"));
    }
    if let Some(until) = scope.until {
        let until = sql.bind(until.as_microsecond());
        sql.and(format!("{column} < {until}"));
    }
}

/// The filters of each type together.
fn filters(scope: &Export) -> Vec<(&'static str, Vec<&[crate::fhir::search::Condition]>)> {
    let mut by_type: Vec<(&'static str, Vec<&[_]>)> = Vec::new();
    for (name, all) in &scope.filters {
        match by_type.iter_mut().find(|(known, _)| known == name) {
            Some((_, any_of)) => any_of.push(all),
            None => by_type.push((name, vec![all])),
        }
    }
    by_type
}

/// Whose resources, of which types, and that they may be seen.
pub(super) fn whose(sql: &mut Sql, permit: &Permit, scope: &Export, types: &[&'static str]) {
    of(sql, permit, scope, types);
    for test in visible_types(sql, permit, types, "r") {
        sql.and(test);
    }
}

/// Whose resources, of which types.
pub(super) fn of(sql: &mut Sql, permit: &Permit, scope: &Export, types: &[&'static str]) {
    let tenant = sql.bind(permit.tenant().as_str());
    sql.and(format!("r.tenant = {tenant}"));
    match &scope.whose {
        Whose::Everybody => {}
        Whose::Nobody => sql.and("r.patient = ''".to_owned()),
        Whose::One(patient) => {
            let patient = sql.bind(patient.as_str());
            sql.and(format!("r.patient = {patient}"));
        }
        Whose::Between(after, last) => {
            let (after, last) = (sql.bind(after.as_str()), sql.bind(last.as_str()));
            sql.and(format!("r.patient > {after} AND r.patient <= {last}"));
        }
    }
    let names = sql.bind_all(types.iter().copied());
    sql.and(format!("r.type IN ({names})"));
}

/// How many of these resources are there and may be seen.
pub(in crate::store) fn still(
    snapshot: &impl Snapshot,
    permit: &Permit,
    ids: &[FhirId],
) -> Result<usize> {
    let mut seen = 0;
    for some in ids.chunks(TOGETHER) {
        let Some(first) = some.first() else { continue };
        let mut sql = Sql::new(snapshot.dialect());
        let (tenant, name) = (sql.bind(permit.tenant().as_str()), sql.bind(permit.resource_type()));
        // As many values each time, so that the statement stays the same.
        let all = some.iter().chain(std::iter::repeat(first)).take(TOGETHER);
        let ids = sql.bind_all(all.map(FhirId::as_str));
        sql.and(format!("r.tenant = {tenant} AND r.type = {name} AND r.id IN ({ids})"));
        for test in visible(&mut sql, permit, "r") {
            sql.and(test);
        }
        let index = sql.dialect.indexed_by(SEEN);
        let text = format!("SELECT r.id FROM resource r {index} WHERE {}", sql.conditions());
        seen += snapshot.texts(&sql.finish(text))?.len();
    }
    Ok(seen)
}

/// The patients that the caller may see.
pub(in crate::store) fn roster(snapshot: &impl Snapshot, permit: &Permit) -> Result<Vec<FhirId>> {
    let mut sql = Sql::new(snapshot.dialect());
    let (tenant, name) = (sql.bind(permit.tenant().as_str()), sql.bind("Patient"));
    sql.and(format!("r.tenant = {tenant} AND r.type = {name}"));
    for test in visible(&mut sql, permit, "r") {
        sql.and(test);
    }
    let text = format!("SELECT r.id FROM resource r WHERE {} ORDER BY r.id", sql.conditions());
    let ids = snapshot.texts(&sql.finish(text))?;
    let id = |id: String| id.parse().map_err(|()| Error::broken("an id that is none"));
    ids.into_iter().map(id).collect()
}
