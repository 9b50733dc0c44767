//! The test of one operand on a row of its index table, under the alias `x`.

use super::Sql;
use crate::fhir::search::{Operand, Prefix, TextMatch, UriMatch, text};

/// What no row meets.
pub(super) const NEVER: &str = "1 = 0";
/// What every row meets.
pub(super) const ALWAYS: &str = "1 = 1";

/// The table with the rows of an operand's type.
pub(super) fn table(operand: &Operand) -> &'static str {
    match operand {
        Operand::Token { .. } => "token",
        Operand::Reference { .. } => "reference",
        Operand::Date { .. } => "date",
        Operand::Text { .. } => "text",
        Operand::Quantity { .. } => "quantity",
        Operand::Uri { .. } => "uri",
    }
}

/// The test itself.
pub(super) fn test(sql: &mut Sql, operand: &Operand) -> String {
    match operand {
        Operand::Token { system, code } => token(sql, system.as_deref(), code.as_deref()),
        Operand::Reference { targets } => {
            format!("x.target IN ({})", sql.bind_all(targets.iter().map(String::as_str)))
        }
        Operand::Date { prefix, low, high } => range(sql, Column::INDEX, *prefix, (*low, *high)),
        Operand::Text { how, value } => texts(sql, *how, value),
        Operand::Quantity { prefix, low, high, system, code } => {
            let range = range(sql, Column::INDEX, *prefix, (*low, *high));
            let unit = unit(sql, system.as_deref(), code.as_deref());
            format!("{range} AND {unit}")
        }
        Operand::Uri { how, value } => uri(sql, *how, value),
    }
}

fn token(sql: &mut Sql, system: Option<&str>, code: Option<&str>) -> String {
    let code = code.map(|code| format!("x.code = {}", sql.bind(code)));
    let system = system.map(|system| format!("x.system = {}", sql.bind(system)));
    let tests: Vec<_> = code.into_iter().chain(system).collect();
    if tests.is_empty() { ALWAYS.to_owned() } else { tests.join(" AND ") }
}

fn texts(sql: &mut Sql, how: TextMatch, value: &str) -> String {
    match how {
        TextMatch::Starts => {
            let (low, high) = (sql.bind(value), sql.bind(format!("{value}\u{10ffff}").as_str()));
            format!("x.value >= {low} AND x.value < {high}")
        }
        TextMatch::Contains => {
            let part = sql.bind(value);
            sql.dialect.contains("x.value", &part)
        }
        TextMatch::Exact => {
            let (normal, exact) = (sql.bind(text::normalise(value).as_str()), sql.bind(value));
            format!("x.value = {normal} AND x.exact = {exact}")
        }
    }
}

/// The unit of a quantity: with a system its code, without one its code or its name.
fn unit(sql: &mut Sql, system: Option<&str>, code: Option<&str>) -> String {
    let mut tests = Vec::new();
    if let Some(system) = system {
        tests.push(format!("x.system = {}", sql.bind(system)));
    }
    if let Some(code) = code {
        let code = sql.bind(code);
        tests.push(match system {
            Some(_) => format!("x.code = {code}"),
            None => format!("(x.code = {code} OR x.unit = {code})"),
        });
    }
    if tests.is_empty() { ALWAYS.to_owned() } else { tests.join(" AND ") }
}

fn uri(sql: &mut Sql, how: UriMatch, value: &str) -> String {
    match how {
        UriMatch::Exact => format!("x.value = {}", sql.bind(value)),
        UriMatch::Below => {
            let base = value.trim_end_matches('/');
            let itself = sql.bind_all([value, base].into_iter());
            // `0` is the character after `/`.
            let low = sql.bind(format!("{base}/").as_str());
            let high = sql.bind(format!("{base}0").as_str());
            format!("(x.value IN ({itself}) OR (x.value >= {low} AND x.value < {high}))")
        }
        UriMatch::Above => {
            let slashes = value.match_indices('/').filter_map(|(at, _)| value.get(..at));
            let above = slashes.filter(|above| !above.ends_with('/') && !above.ends_with(':'));
            format!("x.value IN ({})", sql.bind_all(above.chain([value])))
        }
    }
}

/// The columns of a range that a prefix is about.
#[derive(Clone, Copy)]
pub(super) struct Column<'a> {
    pub(super) low: &'a str,
    pub(super) high: &'a str,
}

impl Column<'static> {
    /// Those of an index table.
    const INDEX: Self = Self { low: "x.low", high: "x.high" };
}

/// The test of a resource's range (columns, inclusive) against the value's.
///
/// "The range above the value" and "fully contains" are those of
/// <https://hl7.org/fhir/R4/search.html#prefix>. What is implied for the upper bound is said too,
/// since the index is by it.
pub(super) fn range<T: Into<super::Value> + Copy>(
    sql: &mut Sql,
    Column { low, high }: Column<'_>,
    prefix: Prefix,
    (first, last): (T, T),
) -> String {
    // What is bound is used: a value that no statement names is refused.
    let within = |sql: &mut Sql| {
        let (first, last) = (sql.bind(first), sql.bind(last));
        format!("({high} >= {first} AND {high} <= {last} AND {low} >= {first})")
    };
    match prefix {
        Prefix::Eq => within(sql),
        Prefix::Ne => format!("NOT {}", within(sql)),
        Prefix::Gt => format!("{high} > {}", sql.bind(last)),
        Prefix::Lt => format!("{low} < {}", sql.bind(first)),
        Prefix::Ge => {
            let within = within(sql);
            format!("({high} > {} OR {within})", sql.bind(last))
        }
        Prefix::Le => {
            let within = within(sql);
            format!("({low} < {} OR {within})", sql.bind(first))
        }
        Prefix::Sa => {
            let last = sql.bind(last);
            format!("({high} > {last} AND {low} > {last})")
        }
        Prefix::Eb => format!("{high} < {}", sql.bind(first)),
        Prefix::Ap => {
            let (first, last) = (sql.bind(first), sql.bind(last));
            format!("({high} >= {first} AND {low} <= {last})")
        }
    }
}
