//! Which index a search is read along, and the test of each condition on a candidate.

use rusqlite::{Connection, params_from_iter};

use super::sql::Sql;
use crate::fhir::search::{Condition, DatePrefix, Operand, Query};
use crate::policy::Permit;

/// A result with fewer candidates than this is sorted; a larger one is read in index order.
const FEW: i64 = 1_000;

/// The index that a search is read along.
pub(super) enum Path<'q> {
    /// All resources of the type in the order of the result.
    Ordered,
    /// The resources with given ids.
    Ids,
    /// The resources that refer to one target, in the order of the result.
    Target { position: usize, param: u16, target: &'q str },
    /// The resources with one code, in the order of the result.
    Code { position: usize, param: u16, code: &'q str, system: Option<&'q str> },
    /// The few resources that meet a condition, to be sorted.
    Few { position: usize, condition: &'q Condition },
}

/// Chooses the path with the fewest candidates.
pub(super) fn choose<'q>(
    connection: &Connection,
    permit: &Permit,
    query: &'q Query,
) -> rusqlite::Result<Path<'q>> {
    if !query.ids.is_empty() {
        return Ok(Path::Ids);
    }
    let indexed = |condition: &Condition| {
        let date = |operand: &Operand| matches!(operand, Operand::Date { .. });
        !condition.any_of.is_empty() && !condition.any_of.iter().any(date)
    };
    let candidates: Vec<_> =
        query.conditions.iter().enumerate().filter(|(_, condition)| indexed(condition)).collect();
    if let [(position, condition)] = candidates.as_slice()
        && let Some(path) = in_order(*position, condition)
    {
        return Ok(path);
    }
    let mut best = Path::Ordered;
    let mut fewest = FEW;
    for (position, condition) in candidates {
        let count = count_few(connection, permit, condition)?;
        let path = in_order(position, condition);
        // Among paths with many candidates, any that is in order beats reading the whole type.
        let replaces = count < fewest || (matches!(best, Path::Ordered) && path.is_some());
        if replaces {
            fewest = fewest.min(count);
            best = path.unwrap_or(Path::Few { position, condition });
        }
    }
    Ok(best)
}

/// A condition with one exact value can be read in the order of the result.
fn in_order(position: usize, condition: &Condition) -> Option<Path<'_>> {
    let param = condition.param;
    match condition.any_of.as_slice() {
        [Operand::Reference { targets }] => match targets.as_slice() {
            [target] => Some(Path::Target { position, param, target }),
            _ => None,
        },
        [Operand::Token { system, code: Some(code) }] => {
            Some(Path::Code { position, param, code, system: system.as_deref() })
        }
        _ => None,
    }
}

/// How many index rows meet a condition, counting no further than [`FEW`].
fn count_few(
    connection: &Connection,
    permit: &Permit,
    condition: &Condition,
) -> rusqlite::Result<i64> {
    let mut sql = Sql::default();
    let rows = lookup(&mut sql, permit, condition);
    let limit = sql.bind(FEW);
    let text = format!("SELECT count(*) FROM (SELECT rid FROM ({rows}) LIMIT {limit})");
    connection.prepare_cached(&text)?.query_row(params_from_iter(sql.values()), |row| row.get(0))
}

/// The index rows that meet a condition, found from the search index.
fn lookup(sql: &mut Sql, permit: &Permit, condition: &Condition) -> String {
    let tenant = sql.bind(permit.tenant().as_str().to_owned());
    let resource_type = sql.bind(permit.resource_type().to_owned());
    let param = sql.bind(i64::from(condition.param));
    let one = |operand| {
        let table = table(operand);
        let test = operand_test(sql, operand);
        format!(
            "SELECT x.rid FROM {table} x INDEXED BY {table}_search WHERE x.tenant = {tenant} \
             AND x.type = {resource_type} AND x.param = {param} AND {test}"
        )
    };
    condition.any_of.iter().map(one).collect::<Vec<_>>().join(" UNION ALL ")
}

impl Path<'_> {
    /// The condition that the path itself meets.
    pub(super) fn position(&self) -> Option<usize> {
        match self {
            Self::Ordered | Self::Ids => None,
            Self::Target { position, .. }
            | Self::Code { position, .. }
            | Self::Few { position, .. } => Some(*position),
        }
    }

    /// The alias of the table whose columns `tenant`, `rid`, `updated` and `id` are used.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::Ordered | Self::Ids | Self::Few { .. } => "r",
            Self::Target { .. } | Self::Code { .. } => "k",
        }
    }

    /// The FROM clause that gives the keys.
    pub(super) fn keys(&self) -> &'static str {
        match self {
            Self::Ordered => "resource r INDEXED BY resource_updated",
            Self::Ids => "resource r INDEXED BY resource_id",
            Self::Target { .. } => "reference k INDEXED BY reference_search",
            Self::Code { .. } => "token k INDEXED BY token_search",
            Self::Few { .. } => "resource r",
        }
    }

    /// The FROM clause that gives the resources as `r`.
    pub(super) fn rows(&self) -> String {
        match self.key() {
            "k" => format!("{} CROSS JOIN resource r ON r.rid = k.rid", self.keys()),
            _ => self.keys().to_owned(),
        }
    }

    /// Whether a resource may be met more than once: the same code in two systems is one match.
    pub(super) fn repeats(&self) -> bool {
        matches!(self, Self::Code { system: None, .. })
    }

    /// Confines the keys to the permit's tenant and type, and to the path.
    pub(super) fn confine(&self, sql: &mut Sql, permit: &Permit) {
        let key = self.key();
        let tenant = sql.bind(permit.tenant().as_str().to_owned());
        let resource_type = sql.bind(permit.resource_type().to_owned());
        // The `+` keeps SQLite from walking the whole type to spare itself a small sort.
        let plus = if matches!(self, Self::Few { .. }) { "+" } else { "" };
        sql.and(&format!("{plus}{key}.tenant = {tenant} AND {plus}{key}.type = {resource_type}"));
        match *self {
            Self::Ordered | Self::Ids => {}
            Self::Target { param, target, .. } => {
                let (param, target) = (sql.bind(i64::from(param)), sql.bind(target.to_owned()));
                sql.and(&format!("k.target = {target} AND k.param = {param}"));
            }
            Self::Code { param, code, system, .. } => {
                let (param, code) = (sql.bind(i64::from(param)), sql.bind(code.to_owned()));
                sql.and(&format!("k.param = {param} AND k.code = {code}"));
                if let Some(system) = system {
                    let system = sql.bind(system.to_owned());
                    sql.and(&format!("k.system = {system}"));
                }
            }
            Self::Few { condition, .. } => {
                let rows = lookup(sql, permit, condition);
                sql.and(&format!("r.rid IN (SELECT rid FROM ({rows}))"));
            }
        }
    }
}

/// The test of a condition on the candidate under alias `key`.
pub(super) fn test(sql: &mut Sql, key: &str, condition: &Condition) -> String {
    if condition.any_of.is_empty() {
        return "0".to_owned();
    }
    let param = sql.bind(i64::from(condition.param));
    let one = |operand| {
        let table = table(operand);
        let test = operand_test(sql, operand);
        format!(
            "EXISTS (SELECT 1 FROM {table} x WHERE x.tenant = {key}.tenant AND x.rid = {key}.rid \
             AND x.param = {param} AND {test})"
        )
    };
    format!("({})", condition.any_of.iter().map(one).collect::<Vec<_>>().join(" OR "))
}

/// The table with the rows of an operand's type.
fn table(operand: &Operand) -> &'static str {
    match operand {
        Operand::Token { .. } => "token",
        Operand::Reference { .. } => "reference",
        Operand::Date { .. } => "date",
        Operand::Text { .. } => "text",
    }
}

/// The test of an operand on its row under alias `x`.
fn operand_test(sql: &mut Sql, operand: &Operand) -> String {
    match operand {
        Operand::Token { system, code } => {
            let mut tests = Vec::new();
            if let Some(code) = code {
                tests.push(format!("x.code = {}", sql.bind(code.clone())));
            }
            if let Some(system) = system {
                tests.push(format!("x.system = {}", sql.bind(system.clone())));
            }
            if tests.is_empty() { "1".to_owned() } else { tests.join(" AND ") }
        }
        Operand::Reference { targets } => {
            format!("x.target IN ({})", sql.bind_all(targets.iter().map(String::as_str)))
        }
        Operand::Date { prefix, low, high } => {
            format!("({})", date_test(sql, "x.low", "x.high", *prefix, (*low, *high)))
        }
        Operand::Text { prefix } => {
            let low = sql.bind(prefix.clone());
            let high = sql.bind(format!("{prefix}\u{10ffff}"));
            format!("x.value >= {low} AND x.value < {high}")
        }
    }
}

/// The test of a resource's range `low..=high` (columns) against the value's.
///
/// "The range above the value" and "fully contains" are those of
/// <https://hl7.org/fhir/R4/search.html#prefix>.
pub(super) fn date_test(
    sql: &mut Sql,
    low: &str,
    high: &str,
    prefix: DatePrefix,
    value: (i64, i64),
) -> String {
    let (first, last) = value;
    match prefix {
        DatePrefix::Eq => within(sql, low, high, value),
        DatePrefix::Ne => format!("NOT {}", within(sql, low, high, value)),
        DatePrefix::Gt => format!("{high} > {}", sql.bind(last)),
        DatePrefix::Lt => format!("{low} < {}", sql.bind(first)),
        DatePrefix::Ge => {
            format!("({high} > {} OR {})", sql.bind(last), within(sql, low, high, value))
        }
        DatePrefix::Le => {
            format!("({low} < {} OR {})", sql.bind(first), within(sql, low, high, value))
        }
        DatePrefix::Sa => format!("{low} > {}", sql.bind(last)),
        DatePrefix::Eb => format!("{high} < {}", sql.bind(first)),
        DatePrefix::Ap => {
            format!("({low} <= {} AND {high} >= {})", sql.bind(last), sql.bind(first))
        }
    }
}

/// The value's range fully contains the resource's.
fn within(sql: &mut Sql, low: &str, high: &str, (first, last): (i64, i64)) -> String {
    format!("({low} >= {} AND {high} <= {})", sql.bind(first), sql.bind(last))
}
