//! The test of one condition on a candidate.

use super::sql::Sql;
use crate::fhir::search::{Condition, DatePrefix, Operand};

/// The test of a condition on the candidate under alias `key`; no alternative is met by nobody.
pub(super) fn test(sql: &mut Sql, key: &str, condition: &Condition) -> String {
    if condition.any_of.is_empty() {
        return "false".to_owned();
    }
    let param = sql.number(condition.param.into());
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

/// The test of `meta.lastUpdated`.
pub(super) fn updated(sql: &mut Sql, key: &str, operand: &Operand) -> String {
    let Operand::Date { prefix, low, high } = operand else { return "false".to_owned() };
    let column = format!("{key}.updated");
    range(sql, &column, &column, *prefix, (*low, *high))
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
            let code = code.as_ref().map(|code| format!("x.code = {}", sql.text(code)));
            let system = system.as_ref().map(|system| format!("x.system = {}", sql.text(system)));
            let tests: Vec<_> = code.into_iter().chain(system).collect();
            if tests.is_empty() { "true".to_owned() } else { tests.join(" AND ") }
        }
        Operand::Reference { targets } => {
            format!("x.target = ANY({})", sql.texts(targets.iter().map(String::as_str)))
        }
        Operand::Date { prefix, low, high } => range(sql, "x.low", "x.high", *prefix, (*low, *high)),
        Operand::Text { prefix } => {
            let (low, high) = (sql.text(prefix), sql.text(&format!("{prefix}\u{10ffff}")));
            format!("x.value >= {low} AND x.value < {high}")
        }
    }
}

/// The test of a resource's range `low..=high` (columns) against the value's.
///
/// "The range above the value" and "fully contains" are those of
/// <https://hl7.org/fhir/R4/search.html#prefix>.
fn range(sql: &mut Sql, low: &str, high: &str, prefix: DatePrefix, value: (i64, i64)) -> String {
    let (first, last) = value;
    let within = |sql: &mut Sql| {
        format!("({low} >= {} AND {high} <= {})", sql.number(first), sql.number(last))
    };
    match prefix {
        DatePrefix::Eq => within(sql),
        DatePrefix::Ne => format!("NOT {}", within(sql)),
        DatePrefix::Gt => format!("{high} > {}", sql.number(last)),
        DatePrefix::Lt => format!("{low} < {}", sql.number(first)),
        DatePrefix::Ge => format!("({high} > {} OR {})", sql.number(last), within(sql)),
        DatePrefix::Le => format!("({low} < {} OR {})", sql.number(first), within(sql)),
        DatePrefix::Sa => format!("{low} > {}", sql.number(last)),
        DatePrefix::Eb => format!("{high} < {}", sql.number(first)),
        DatePrefix::Ap => {
            format!("({low} <= {} AND {high} >= {})", sql.number(last), sql.number(first))
        }
    }
}
