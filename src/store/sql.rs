//! Searches as SQL, with bound parameters only, for every store that keeps the index in tables.
//!
//! Results are ordered by last update, newest first, then by id, unless the query says otherwise.
//! The search indexes are in that order too, so that a page costs what it holds, wherever in the
//! result it starts. The condition that a page is read along is the one with the fewest matches,
//! found by counting a few; the others are tested on each candidate.

mod allowed;
mod condition;
mod everything;
mod export;
mod gone;
mod include;
mod operand;
mod page;
mod path;
mod sort;
mod trim;
mod visible;

use std::rc::Rc;

use self::allowed::Asking;
use crate::error::Result;
use crate::fhir::search::SortValue;
use crate::policy::Permit;
use crate::store::StoredResource;

pub(super) use self::everything::{edition, everything};
pub(super) use self::export::{export, roster, still, window};
pub(super) use self::gone::removed;
pub(super) use self::page::page;
pub(super) use self::visible::{admitted, current};

/// What differs between the databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// SQLite: the statement names the index, since there are no statistics to choose it by.
    Sqlite,
    /// PostgreSQL: the planner chooses.
    Postgres,
}

impl Dialect {
    /// The placeholder of the value with this number, from 1.
    fn placeholder(self, number: usize, value: &Value) -> String {
        match (self, value) {
            (Self::Sqlite, _) => format!("?{number}"),
            (Self::Postgres, Value::Int(_)) => format!("${number}::bigint"),
            (Self::Postgres, Value::Real(_)) => format!("${number}::float8"),
            (Self::Postgres, Value::Text(_)) => format!("${number}::text"),
        }
    }

    /// The index to read a table by.
    fn indexed_by(self, index: &str) -> String {
        match self {
            Self::Sqlite => format!("INDEXED BY {index}"),
            Self::Postgres => String::new(),
        }
    }

    /// A join whose left side is read first.
    fn join(self) -> &'static str {
        match self {
            Self::Sqlite => "CROSS JOIN",
            Self::Postgres => "JOIN",
        }
    }

    /// Keeps a column from being looked up by an index of its own.
    fn unindexed(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("+{column}"),
            Self::Postgres => column.to_owned(),
        }
    }

    /// The type and the id of a reference.
    fn parts(self, reference: &str) -> [String; 2] {
        match self {
            Self::Sqlite => {
                let slash = format!("instr({reference}, '/')");
                [
                    format!("substr({reference}, 1, {slash} - 1)"),
                    format!("substr({reference}, {slash} + 1)"),
                ]
            }
            Self::Postgres => [1, 2].map(|part| format!("split_part({reference}, '/', {part})")),
        }
    }

    /// Whether text holds text.
    fn contains(self, text: &str, part: &str) -> String {
        match self {
            Self::Sqlite => format!("instr({text}, {part}) > 0"),
            Self::Postgres => format!("strpos({text}, {part}) > 0"),
        }
    }
}

/// A value bound to a statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Int(i64),
    Real(f64),
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

/// A statement under construction: its conditions and the values bound to it.
pub(super) struct Sql {
    dialect: Dialect,
    conditions: Vec<String>,
    values: Vec<Value>,
    /// Who asks under grants, once it is bound.
    asking: Option<Rc<Asking>>,
}

impl Sql {
    fn new(dialect: Dialect) -> Self {
        Self { dialect, conditions: Vec::new(), values: Vec::new(), asking: None }
    }

    /// Adds a value and answers its placeholder.
    fn bind(&mut self, value: impl Into<Value>) -> String {
        let value = value.into();
        let placeholder = self.dialect.placeholder(self.values.len() + 1, &value);
        self.values.push(value);
        placeholder
    }

    /// Adds values and answers their placeholders, separated by commas.
    fn bind_all<T: Into<Value>>(&mut self, values: impl Iterator<Item = T>) -> String {
        values.map(|value| self.bind(value)).collect::<Vec<_>>().join(", ")
    }

    /// Adds a condition.
    fn and(&mut self, condition: String) {
        self.conditions.push(condition);
    }

    /// The conditions, joined by AND.
    fn conditions(&self) -> String {
        self.conditions.join(" AND ")
    }

    /// The whole statement.
    fn finish(self, text: String) -> Statement {
        Statement { text, values: self.values }
    }
}

/// Further conditions, for behind others.
fn also(tests: &[String]) -> String {
    tests.iter().flat_map(|test| [" AND ", test]).collect()
}

/// A statement ready to run.
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
}

/// A resource with its number in the store and the values that it is sorted by.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) rid: i64,
    pub(super) resource: StoredResource,
    pub(super) keys: Vec<SortValue>,
}

/// How many columns a [`Found`] has before its sort keys.
pub(super) const COLUMNS: usize = 7;

/// The columns of a [`Found`], before its sort keys, from a table or alias named `r` with resources of
/// these types; the last has the consent that goes along.
fn columns(sql: &mut Sql, permit: &Permit, types: &[&str]) -> String {
    let basis = allowed::basis(sql, permit, types);
    format!("r.rid, r.type, r.id, r.version_id, r.updated, r.body, {basis}")
}

/// One snapshot of a database, which answers statements.
pub(super) trait Snapshot {
    /// The database's dialect.
    fn dialect(&self) -> Dialect;
    /// The rows of [`columns`] and the sort keys after them.
    fn found(&self, statement: &Statement) -> Result<Vec<Found>>;
    /// The first column as text.
    fn texts(&self, statement: &Statement) -> Result<Vec<String>>;
    /// The one number of the one row.
    fn number(&self, statement: &Statement) -> Result<u64>;
}
