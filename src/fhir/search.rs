//! Search: the parameters as one table, the rows they put into the index, and the queries over it.
//!
//! <https://hl7.org/fhir/R4/search.html>

pub mod date;
mod fingerprint;
pub mod index;
mod node;
pub mod param;
pub mod parse;
pub mod text;

use jiff::Timestamp;

pub use self::fingerprint::fingerprint;

/// How a parameter is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// A code, boolean or identifier, with or without its system.
    Token,
    /// A reference to another resource.
    Reference,
    /// An instant, day or period, compared as a range.
    Date,
    /// Text, compared from the start without case and accents.
    Text,
}

/// One row of the search index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexRow {
    /// A token; `system` is empty where there is none.
    Token {
        /// The parameter, by its number in the table.
        param: u16,
        /// The system's URI.
        system: String,
        /// The code.
        code: String,
    },
    /// A reference, as `Type/id`.
    Reference {
        /// The parameter, by its number in the table.
        param: u16,
        /// `Type/id`.
        target: String,
    },
    /// A range of instants, inclusive, in microseconds since 1970.
    Date {
        /// The parameter, by its number in the table.
        param: u16,
        /// The first instant; `i64::MIN` if open.
        low: i64,
        /// The last instant; `i64::MAX` if open.
        high: i64,
    },
    /// Normalised text.
    Text {
        /// The parameter, by its number in the table.
        param: u16,
        /// Lower case, without accents.
        value: String,
    },
}

/// A condition on one parameter; the alternatives are joined by OR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The parameter, by its number in the table.
    pub param: u16,
    /// What may match.
    pub any_of: Vec<Operand>,
}

/// One alternative of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// `code`, `system|code`, `|code` (empty system) or `system|`.
    Token {
        /// `None`: any system; `Some("")`: no system.
        system: Option<String>,
        /// `None`: any code.
        code: Option<String>,
    },
    /// `Type/id`, or an id alone where the parameter's target types are given instead.
    Reference {
        /// The acceptable `Type/id`s.
        targets: Vec<String>,
    },
    /// The resource's range must relate to `low..=high` as the prefix says.
    Date {
        /// The prefix.
        prefix: DatePrefix,
        /// The first instant of the value, in microseconds since 1970.
        low: i64,
        /// The last instant of the value.
        high: i64,
    },
    /// Starts with, after normalisation.
    Text {
        /// Lower case, without accents.
        prefix: String,
    },
}

/// A date parameter's comparison (<https://hl7.org/fhir/R4/search.html#prefix>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum DatePrefix {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    Sa,
    Eb,
    Ap,
}

/// A search over one type.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// `_id`: the acceptable ids; empty for no condition.
    pub ids: Vec<String>,
    /// `_lastUpdated`: ranges over `meta.lastUpdated`, joined by AND.
    pub updated: Vec<Operand>,
    /// The conditions, joined by AND.
    pub conditions: Vec<Condition>,
    /// The page size.
    pub count: usize,
    /// Where the previous page ended.
    pub after: Option<Cursor>,
    /// Whether the Provenance of each match comes along.
    pub with_provenance: bool,
}

/// The last match of a page: results are ordered by last update, newest first, then by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// `meta.lastUpdated`.
    pub updated: Timestamp,
    /// The id.
    pub id: String,
}
