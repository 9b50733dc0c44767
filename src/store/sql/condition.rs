//! A condition as SQL: as a test of one candidate, and as a look-up of all that meet it.

use super::operand::{self, Column, NEVER};
use super::visible::visible;
use super::{Sql, allowed, also};
use crate::fhir::search::param::{by_number, former};
use crate::fhir::search::{Condition, Operand, ParamKind, Test};
use crate::policy::Permit;

/// The test of a condition on the candidate under the alias `key`, which has the columns `tenant`,
/// `rid`, `updated` and `id`.
pub(super) fn test(sql: &mut Sql, permit: &Permit, key: &str, condition: &Condition) -> String {
    match condition {
        Condition::Id(ids) if ids.is_empty() => NEVER.to_owned(),
        Condition::Id(ids) => {
            format!("{key}.id IN ({})", sql.bind_all(ids.iter().map(String::as_str)))
        }
        Condition::Updated(any_of) => any(any_of, |operand| updated(sql, key, operand)),
        Condition::Patient(id) => {
            let id = sql.bind(id.as_str());
            format!(
                "EXISTS (SELECT 1 FROM resource c WHERE c.rid = {key}.rid AND c.patient = {id})"
            )
        }
        Condition::Param { param, test: Test::Any(any_of) } => {
            any(any_of, |operand| has(sql, permit, key, *param, operand))
        }
        Condition::Param { param, test: Test::None(any_of) } => {
            format!("NOT {}", any(any_of, |operand| has(sql, permit, key, *param, operand)))
        }
        Condition::Param { param, test: Test::Missing(missing) } => {
            let present = present(sql, permit, key, *param);
            if *missing { format!("NOT {present}") } else { present }
        }
        Condition::Chain { param, any_of } => {
            let param = sql.bind(*param);
            let targets = targets(sql, permit, any_of);
            format!(
                "EXISTS (SELECT 1 FROM reference x WHERE x.tenant = {key}.tenant \
                 AND x.rid = {key}.rid AND x.param = {param} AND x.target IN ({targets}))"
            )
        }
        Condition::Has { resource_type, param, condition } => {
            match referred(sql, permit, resource_type, *param, condition) {
                Some(ids) => format!("{key}.id IN ({ids})"),
                None => NEVER.to_owned(),
            }
        }
        Condition::All(all) => format!("({})", each(sql, permit, key, all).join(" AND ")),
        Condition::Either(any_of) => format!("({})", each(sql, permit, key, any_of).join(" OR ")),
    }
}

/// The test of each condition.
fn each(sql: &mut Sql, permit: &Permit, key: &str, conditions: &[Condition]) -> Vec<String> {
    conditions.iter().map(|condition| test(sql, permit, key, condition)).collect()
}

/// Alternatives joined by OR; none at all is never met.
fn any(any_of: &[Operand], one: impl FnMut(&Operand) -> String) -> String {
    if any_of.is_empty() {
        return format!("({NEVER})");
    }
    format!("({})", any_of.iter().map(one).collect::<Vec<_>>().join(" OR "))
}

fn updated(sql: &mut Sql, key: &str, operand: &Operand) -> String {
    let Operand::Date { prefix, low, high } = operand else { return NEVER.to_owned() };
    let column = format!("{key}.updated");
    operand::range(sql, Column { low: &column, high: &column }, *prefix, (*low, *high))
}

/// The candidate has an index row that meets the operand.
fn has(sql: &mut Sql, permit: &Permit, key: &str, param: u16, operand: &Operand) -> String {
    let table = operand::table(operand);
    let param = of_param(sql, permit, param);
    let test = met(sql, permit, operand);
    format!(
        "EXISTS (SELECT 1 FROM {table} x WHERE x.tenant = {key}.tenant AND x.rid = {key}.rid \
         AND {param} AND {test})"
    )
}

/// The test that a row `x` is of a parameter. What is in former names is there for who is shown them.
pub(super) fn of_param(sql: &mut Sql, permit: &Permit, param: u16) -> String {
    let numbers = [Some(param), former(param).filter(|_| permit.shows_former_names())];
    match sql.bind_all(numbers.into_iter().flatten()) {
        one if !one.contains(',') => format!("x.param = {one}"),
        both => format!("x.param IN ({both})"),
    }
}

/// The test of an operand on a row `x`; a reference to what the caller may not see is met by none.
fn met(sql: &mut Sql, permit: &Permit, operand: &Operand) -> String {
    let Operand::Reference { targets } = operand else { return operand::test(sql, operand) };
    if permit.under().is_none() || targets.is_empty() {
        return operand::test(sql, operand);
    }
    let each: Vec<String> = targets.iter().map(|target| one_target(sql, permit, target)).collect();
    format!("({})", each.join(" OR "))
}

fn one_target(sql: &mut Sql, permit: &Permit, target: &str) -> String {
    let is_it = format!("x.target = {}", sql.bind(target));
    match allowed::known_target(sql, permit, target) {
        Some(seen) => format!("({is_it} AND {seen})"),
        None => is_it,
    }
}

/// The candidate has an index row of the parameter at all.
fn present(sql: &mut Sql, permit: &Permit, key: &str, param: u16) -> String {
    let known = by_number(param);
    let tables: &[&str] = match known.map(|known| known.kind) {
        Some(ParamKind::Token) => &["token", "text"],
        Some(ParamKind::Composite) => &["token"],
        Some(ParamKind::Reference) => &["reference", "token"],
        Some(ParamKind::Date) => &["date"],
        Some(ParamKind::Text) => &["text"],
        Some(ParamKind::Quantity) => &["quantity"],
        Some(ParamKind::Uri) => &["uri"],
        None => &[],
    };
    let param = of_param(sql, permit, param);
    let reference = known.filter(|known| known.kind == ParamKind::Reference);
    let target = reference.and_then(|known| allowed::target(sql, permit, known));
    let rows = tables.iter().map(|table| {
        let seen = target.iter().filter(|_| *table == "reference");
        let seen: String = seen.flat_map(|test| [" AND ", test]).collect();
        format!(
            "EXISTS (SELECT 1 FROM {table} x WHERE x.tenant = {key}.tenant \
             AND x.rid = {key}.rid AND {param}{seen})"
        )
    });
    format!("({})", rows.collect::<Vec<_>>().join(" OR "))
}

/// The references to the resources that a chain leads to; none of a type that the caller may not
/// search.
fn targets(sql: &mut Sql, permit: &Permit, any_of: &[(&'static str, Condition)]) -> String {
    let mut selects = Vec::new();
    for (resource_type, condition) in any_of {
        let Some(permit) = permit.on(resource_type) else { continue };
        let prefix = sql.bind(format!("{resource_type}/").as_str());
        let rows = meeting(sql, &permit, condition);
        selects.push(format!("SELECT {prefix} || c.id FROM {rows}"));
    }
    if selects.is_empty() {
        format!("SELECT '' WHERE {NEVER}")
    } else {
        selects.join(" UNION ALL ")
    }
}

/// The ids of resources of the permit's type that resources of another type refer to.
fn referred(
    sql: &mut Sql,
    permit: &Permit,
    resource_type: &'static str,
    param: u16,
    condition: &Condition,
) -> Option<String> {
    let inner = permit.on(resource_type)?;
    let itself = format!("{}/", permit.resource_type());
    // In characters, from 1, after the slash.
    let start = itself.len() + 1;
    let (low, high) = (sql.bind(itself.as_str()), sql.bind(format!("{itself}\u{10ffff}").as_str()));
    let param = sql.bind(param);
    let rows = meeting(sql, &inner, condition);
    Some(format!(
        "SELECT substr(x.target, {start}) FROM {rows} \
         JOIN reference x ON x.tenant = c.tenant AND x.rid = c.rid \
         WHERE x.param = {param} AND x.target >= {low} AND x.target < {high}"
    ))
}

/// A FROM item `c` of the resources of the permit's type that meet a condition.
fn meeting(sql: &mut Sql, permit: &Permit, condition: &Condition) -> String {
    let tenant = sql.bind(permit.tenant().as_str());
    let resource_type = sql.bind(permit.resource_type());
    let test = match lookup(sql, permit, condition) {
        Some(rows) => format!("r.rid IN ({rows})"),
        None => self::test(sql, permit, "r", condition),
    };
    let seen = also(&visible(sql, permit, "r"));
    let unindexed = |column| sql.dialect.unindexed(column);
    let (of_tenant, of_type) = match condition {
        Condition::Id(_) | Condition::Updated(_) => ("r.tenant".to_owned(), "r.type".to_owned()),
        _ => (unindexed("r.tenant"), unindexed("r.type")),
    };
    format!(
        "(SELECT r.rid, r.tenant, r.id FROM resource r WHERE {of_tenant} = {tenant} \
         AND {of_type} = {resource_type} AND {test}{seen}) c"
    )
}

/// The numbers of all resources of the permit's type that meet a condition, found from an index;
/// `None` where there is no such index.
pub(super) fn lookup(sql: &mut Sql, permit: &Permit, condition: &Condition) -> Option<String> {
    match condition {
        Condition::Param { param, test: Test::Any(any_of) } if !any_of.is_empty() => {
            let rows = any_of.iter().map(|operand| rows(sql, permit, *param, operand));
            Some(rows.collect::<Vec<_>>().join(" UNION ALL "))
        }
        Condition::Patient(id) => {
            let (id, from) = (sql.bind(id.as_str()), own(sql, permit, "resource"));
            Some(format!("SELECT x.rid FROM {from} AND x.patient = {id}"))
        }
        Condition::Chain { param, any_of } => {
            let (number, from) = (sql.bind(*param), own(sql, permit, "reference"));
            let targets = targets(sql, permit, any_of);
            Some(format!(
                "SELECT x.rid FROM {from} AND x.param = {number} AND x.target IN ({targets})"
            ))
        }
        Condition::Has { resource_type, param, condition } => {
            let ids = referred(sql, permit, resource_type, *param, condition)?;
            let from = own(sql, permit, "resource");
            Some(format!("SELECT x.rid FROM {from} AND x.id IN ({ids})"))
        }
        Condition::All(all) => {
            let (first, others) = all.split_first()?;
            let rows = lookup(sql, permit, first)?;
            let mut tests = vec![format!("r.rid IN ({rows})")];
            tests.extend(each(sql, permit, "r", others));
            let tests = tests.join(" AND ");
            Some(format!("SELECT r.rid FROM resource r WHERE {tests}"))
        }
        _ => None,
    }
}

/// The rows of one operand, by the search index of its table.
fn rows(sql: &mut Sql, permit: &Permit, param: u16, operand: &Operand) -> String {
    let table = operand::table(operand);
    let hint = sql.dialect.indexed_by(&format!("{table}_search"));
    let tenant = sql.bind(permit.tenant().as_str());
    let resource_type = sql.bind(permit.resource_type());
    let param = of_param(sql, permit, param);
    let test = met(sql, permit, operand);
    format!(
        "SELECT x.rid FROM {table} x {hint} WHERE x.tenant = {tenant} \
         AND x.type = {resource_type} AND {param} AND {test}"
    )
}

/// The rows of a table that are about resources of the permit's type.
fn own(sql: &mut Sql, permit: &Permit, table: &str) -> String {
    let tenant = sql.bind(permit.tenant().as_str());
    let resource_type = sql.bind(permit.resource_type());
    format!("{table} x WHERE x.tenant = {tenant} AND x.type = {resource_type}")
}
