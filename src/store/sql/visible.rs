//! What a caller may see: the one place where a permit goes into a statement.
//!
//! Every statement that finds resources for a caller, counts them, or follows a reference to them
//! has these tests, so that what is withheld is not there.

use super::allowed::{self, DOCUMENT};
use super::condition;
use super::operand::NEVER;
use super::trim::trim;
use super::{Found, Snapshot, Sql, also, columns};
use crate::domain::FhirId;
use crate::error::Result;
use crate::fhir::search::index::MEMBER;
use crate::fhir::search::param::search_type;
use crate::fhir::search::{Condition, Operand, SortValue, Test};
use crate::policy::{Clause, Permit, Principal, Reach, UserType};
use crate::store::StoredResource;

/// The seconds of a minute.
const MINUTE_S: i64 = 60;

/// The tests that the row of table `resource` under this alias has to meet; none where the permit
/// lets everything of its type through.
pub(super) fn visible(sql: &mut Sql, permit: &Permit, row: &str) -> Vec<String> {
    if permit.is_open() {
        return Vec::new();
    }
    if permit.resource_type() == "Binary" {
        return vec![document(sql, permit, row)];
    }
    let mut tests = scoped(sql, permit, row);
    tests.extend(allowed::test(sql, permit, row));
    tests
}

/// The same for a row of one of these types, each by its own permit. What is alike for many types is asked
/// once.
pub(super) fn visible_types(
    sql: &mut Sql,
    permit: &Permit,
    types: &[&'static str],
    row: &str,
) -> Vec<String> {
    let is_alike = |one: &Permit, other: &Permit| {
        let has_own = |permit: &Permit| permit.resource_type() == "Binary";
        one.clauses() == other.clauses() && !has_own(one) && !has_own(other)
    };
    let mut groups: Vec<(Permit, Vec<&'static str>)> = Vec::new();
    for name in types {
        let Some(permit) = permit.on(name) else { continue };
        match groups.iter_mut().find(|(known, _)| is_alike(known, &permit)) {
            Some((_, names)) => names.push(name),
            None => groups.push((permit, vec![name])),
        }
    }
    let mut all = Vec::new();
    for (permit, names) in &groups {
        let others =
            groups.iter().flat_map(|(_, names)| names).filter(|name| !names.contains(name));
        let others: Vec<&str> = others.copied().collect();
        for test in visible(sql, permit, row) {
            all.push(if others.is_empty() {
                test
            } else if others.len() < names.len() {
                format!("({row}.type IN ({}) OR {test})", sql.bind_all(others.iter().copied()))
            } else {
                format!("({row}.type NOT IN ({}) OR {test})", sql.bind_all(names.iter().copied()))
            });
        }
    }
    all
}

/// What the scopes let through.
fn scoped(sql: &mut Sql, permit: &Permit, row: &str) -> Vec<String> {
    let Some(clauses) = permit.clauses() else { return Vec::new() };
    let any: Vec<String> = clauses.iter().map(|clause| one(sql, permit, row, clause)).collect();
    vec![format!("({})", any.join(" OR "))]
}

/// The same for a key that names a row of `resource` by its number.
pub(super) fn visible_key(sql: &mut Sql, permit: &Permit, key: &str) -> Vec<String> {
    if key == "r" {
        return visible(sql, permit, key);
    }
    let tests = visible(sql, permit, "v");
    let seen = |test: &String| {
        format!("EXISTS (SELECT 1 FROM resource v WHERE v.rid = {key}.rid AND {test})")
    };
    tests.iter().map(seen).collect()
}

fn one(sql: &mut Sql, permit: &Permit, row: &str, clause: &Clause) -> String {
    let mut tests = Vec::new();
    match &clause.reach {
        Reach::Everybody => {}
        Reach::Patient(patient) => {
            tests.push(format!("{row}.patient = {}", sql.bind(patient.as_str())));
        }
        Reach::Caseload(practitioner) => {
            let patients = caseload(sql, permit, practitioner);
            tests.push(format!("{row}.patient IN ({patients})"));
        }
    }
    for condition in &clause.conditions {
        tests.push(condition::test(sql, permit, row, condition));
    }
    if tests.is_empty() { "1 = 1".to_owned() } else { format!("({})", tests.join(" AND ")) }
}

/// The minute in which a practitioner asks, in seconds since 1970: no membership of a care team begins or
/// ends within one. None for anybody else, who has no caseload.
pub(super) fn minute(permit: &Permit) -> Option<i64> {
    let Principal { fhir_user, at, .. } = permit.principal();
    fhir_user.as_ref().filter(|user| user.kind == UserType::Practitioner)?;
    at.map(|at| at.as_second().div_euclid(MINUTE_S).saturating_mul(MINUTE_S))
}

/// The patients whose active care teams a practitioner is in when they ask. The instant is cut to
/// its minute, so that the statement stays the same.
#[expect(clippy::cast_precision_loss, reason = "microseconds are whole in it until the year 2255")]
fn caseload(sql: &mut Sql, permit: &Permit, practitioner: &FhirId) -> String {
    let status = search_type("CareTeam").and_then(|team| team.param("status"));
    let (Some((status, _)), Some(at)) = (status, minute(permit)) else {
        return format!("SELECT '' WHERE {NEVER}");
    };
    let at = sql.bind(at.saturating_mul(1_000_000) as f64);
    let tenant = sql.bind(permit.tenant().as_str());
    let target = sql.bind(format!("Practitioner/{practitioner}").as_str());
    let member = sql.bind(MEMBER);
    let active = Operand::Token { system: None, code: Some("active".to_owned()) };
    let active = Condition::Param { param: status, test: Test::Any(vec![active]) };
    let active = condition::test(sql, permit, "t", &active);
    format!(
        "SELECT t.patient FROM reference m JOIN resource t ON t.rid = m.rid \
         WHERE m.tenant = {tenant} AND m.type = 'CareTeam' AND m.param = {member} \
         AND m.target = {target} AND t.patient <> '' AND {active} \
         AND EXISTS (SELECT 1 FROM quantity q WHERE q.tenant = m.tenant AND q.rid = m.rid \
         AND q.param = m.param AND q.code = m.target AND q.low <= {at} AND q.high >= {at})"
    )
}

/// A Binary is seen by whoever may see the document that it belongs to.
fn document(sql: &mut Sql, permit: &Permit, row: &str) -> String {
    let Some(permit) = permit.on(DOCUMENT) else { return NEVER.to_owned() };
    let seen = also(&visible(sql, &permit, "d"));
    allowed::with_document(sql, row, &seen)
}

/// The current version of a resource, where the caller may see it.
pub(in crate::store) fn current(
    snapshot: &impl Snapshot,
    permit: &Permit,
    id: &FhirId,
) -> Result<Option<StoredResource>> {
    let mut sql = Sql::new(snapshot.dialect());
    let (tenant, name) = (sql.bind(permit.tenant().as_str()), sql.bind(permit.resource_type()));
    let id = sql.bind(id.as_str());
    sql.and(format!("r.tenant = {tenant} AND r.type = {name} AND r.id = {id}"));
    for test in visible(&mut sql, permit, "r") {
        sql.and(test);
    }
    let columns = columns(&mut sql, permit, &[permit.resource_type()]);
    // Most refer to their patient, and to nothing else that could be withheld.
    let person = allowed::person(&mut sql, permit);
    let conditions = sql.conditions();
    let text = format!("SELECT {columns}, {person} FROM resource r WHERE {conditions}");
    let Some(found) = snapshot.found(&sql.finish(text))?.pop() else { return Ok(None) };
    let Found { mut resource, keys, .. } = found;
    let person = match keys.first() {
        Some(SortValue::Text(reference)) => reference,
        _ => "",
    };
    trim(snapshot, permit, &[person], std::iter::once(&mut resource))?;
    Ok(Some(resource))
}

/// The versions among these that the caller, who may see the current one, may see.
pub(in crate::store) fn admitted(
    permit: &Permit,
    current: &StoredResource,
    versions: Vec<StoredResource>,
) -> Result<Vec<StoredResource>> {
    let mut admitted = Vec::with_capacity(versions.len());
    for version in versions {
        if permit.admits(&version.id, &current.body, &version.body)? {
            admitted.push(version);
        }
    }
    Ok(admitted)
}
