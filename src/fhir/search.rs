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
mod value_sets;

use serde::{Deserialize, Serialize};

use crate::domain::FhirId;

pub use self::fingerprint::fingerprint;
pub use self::value_sets::ValueSets;

/// How a parameter is compared (<https://hl7.org/fhir/R4/search.html#ptypes>).
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
    /// A number with a unit, compared as a range of its precision.
    Quantity,
    /// A URI, compared as a whole.
    Uri,
    /// Two other parameters, compared as a pair.
    Composite,
}

impl ParamKind {
    /// FHIR's code of the kind.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Reference => "reference",
            Self::Date => "date",
            Self::Text => "string",
            Self::Quantity => "quantity",
            Self::Uri => "uri",
            Self::Composite => "composite",
        }
    }
}

/// One row of the search index. Every row names its parameter by its number in the table.
///
/// A parameter mostly has rows of its own kind. A token also has `Text` rows, of the displays and
/// texts that `:text` looks at, and a reference `Token` rows, of the identifiers that
/// `:identifier` looks at. An identifier has a further row for each coding of its type, whose
/// system is the coding's `system|code`, and a pair of reference and code has a `Token` row whose
/// system is the reference.
#[derive(Debug, Clone, PartialEq)]
pub enum IndexRow {
    /// A token; `system` is empty where there is none.
    Token {
        /// The parameter.
        param: u16,
        /// The system's URI.
        system: String,
        /// The code.
        code: String,
    },
    /// A reference, as `Type/id`, or a URL as it stands; a canonical URL with a version at its end
    /// has another row without it.
    Reference {
        /// The parameter.
        param: u16,
        /// `Type/id`.
        target: String,
    },
    /// A range of instants, inclusive, in microseconds since 1970.
    Date {
        /// The parameter.
        param: u16,
        /// The first instant; `i64::MIN` if open.
        low: i64,
        /// The last instant; `i64::MAX` if open.
        high: i64,
    },
    /// Text.
    Text {
        /// The parameter.
        param: u16,
        /// Lower case, without accents.
        value: String,
        /// As it stands.
        exact: String,
    },
    /// A quantity.
    Quantity {
        /// The parameter.
        param: u16,
        /// The least value that is meant; `f64::NEG_INFINITY` if open.
        low: f64,
        /// The greatest value that is meant; `f64::INFINITY` if open.
        high: f64,
        /// The unit's system; empty where there is none.
        system: String,
        /// The unit's code; empty where there is none.
        code: String,
        /// The unit as people read it; empty where there is none.
        unit: String,
    },
    /// A URI.
    Uri {
        /// The parameter.
        param: u16,
        /// As it stands; one with a version at its end has another row without it.
        value: String,
    },
}

/// A condition on one resource.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The logical id is one of these (`_id`); none at all meets an empty list.
    Id(Vec<String>),
    /// `meta.lastUpdated` (`_lastUpdated`); the alternatives are joined by OR.
    Updated(Vec<Operand>),
    /// The resource is in this patient's compartment.
    Patient(FhirId),
    /// The values of a parameter.
    Param {
        /// The parameter, by its number in the table.
        param: u16,
        /// What its values must be.
        test: Test,
    },
    /// A resource that the parameter refers to meets a condition (`patient.name=…`).
    Chain {
        /// The reference parameter, by its number in the table.
        param: u16,
        /// The types that the chain may lead to, each with its condition; joined by OR.
        any_of: Vec<(&'static str, Condition)>,
    },
    /// A resource of another type refers here and meets a condition (`_has:Type:param:…`).
    Has {
        /// The type that refers here.
        resource_type: &'static str,
        /// Its reference parameter, by its number in the table.
        param: u16,
        /// What it must meet.
        condition: Box<Condition>,
    },
    /// Each of these is met.
    All(Vec<Condition>),
    /// One of these is met.
    Either(Vec<Condition>),
}

/// What the values of a parameter must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// One of them is one of these; none at all meets an empty list.
    Any(Vec<Operand>),
    /// None of them is one of these (`:not`).
    None(Vec<Operand>),
    /// There are none (`:missing=true`), or some (`:missing=false`).
    Missing(bool),
}

/// One alternative of a condition.
#[derive(Debug, Clone, PartialEq)]
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
        prefix: Prefix,
        /// The first instant of the value, in microseconds since 1970.
        low: i64,
        /// The last instant of the value.
        high: i64,
    },
    /// Text, already normalised unless it is to be compared exactly.
    Text {
        /// How it is compared.
        how: TextMatch,
        /// The text.
        value: String,
    },
    /// The resource's range must relate to `low..=high` as the prefix says, in this unit.
    Quantity {
        /// The prefix.
        prefix: Prefix,
        /// The least value that is meant.
        low: f64,
        /// The greatest value that is meant.
        high: f64,
        /// `None`: any system.
        system: Option<String>,
        /// `None`: any unit. With a system it is the unit's code, without one its code or name.
        code: Option<String>,
    },
    /// A URI.
    Uri {
        /// How it is compared.
        how: UriMatch,
        /// The URI.
        value: String,
    },
}

/// How text is compared (<https://hl7.org/fhir/R4/search.html#string>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextMatch {
    /// It starts with the value, normalised.
    Starts,
    /// It holds the value anywhere, normalised (`:contains`).
    Contains,
    /// It is the value, with case and accents (`:exact`).
    Exact,
}

/// How a URI is compared (<https://hl7.org/fhir/R4/search.html#uri>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UriMatch {
    /// It is the value.
    Exact,
    /// It is the value or below it in its path (`:below`).
    Below,
    /// It is the value or above it in its path (`:above`).
    Above,
}

/// The comparison of a date or a quantity (<https://hl7.org/fhir/R4/search.html#prefix>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum Prefix {
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
    /// The conditions, joined by AND.
    pub conditions: Vec<Condition>,
    /// The order; the most recently updated first where nothing is said. The id comes last.
    pub sort: Vec<SortKey>,
    /// The page size.
    pub count: usize,
    /// Where the previous page ended.
    pub after: Option<Cursor>,
    /// Whether and how far the matches are counted.
    pub total: Total,
    /// What comes along with the matches.
    pub includes: Vec<Include>,
}

impl Query {
    /// Whether it is about one patient or named resources, and nothing but them is looked at: then
    /// it takes as long with many others in the store as with few.
    pub fn is_narrow(&self) -> bool {
        let is_plain = |condition: &Condition| {
            !matches!(condition, Condition::Chain { .. } | Condition::Has { .. })
        };
        self.includes.is_empty()
            && self.conditions.iter().all(is_plain)
            && self.conditions.iter().any(Condition::is_narrow)
    }
}

impl Condition {
    fn is_narrow(&self) -> bool {
        match self {
            Self::Id(_) | Self::Patient(_) => true,
            Self::Param { test: Test::Any(any_of), .. } => match any_of.as_slice() {
                [Operand::Reference { targets }] => {
                    targets.iter().all(|target| target.starts_with("Patient/"))
                }
                _ => false,
            },
            _ => false,
        }
    }
}

/// Whether and how far the matches of a search are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Total {
    /// Not at all.
    None,
    /// As far as that is cheap; beyond, the total is not told.
    #[default]
    Bounded,
    /// All of them.
    Accurate,
}

/// One key of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// What is compared.
    pub by: SortBy,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// What the order compares. Resources without a value come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// The logical id.
    Id,
    /// `meta.lastUpdated`.
    Updated,
    /// The values of a parameter, by its number: the least ascending, the greatest descending.
    Param(u16),
}

/// Resources that come along with the matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// Whether they are what a match refers to, or what refers to a match.
    pub direction: Direction,
    /// The type that has the reference.
    pub source: &'static str,
    /// Its reference parameters, by their numbers.
    pub params: Vec<u16>,
    /// The type that is referred to, if only one counts.
    pub target: Option<&'static str>,
    /// Whether what came along brings along in turn (`:iterate`).
    pub iterate: bool,
}

/// The direction of an [`Include`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `_include`: what the match refers to.
    Forward,
    /// `_revinclude`: what refers to the match.
    Reverse,
}

/// The last match of a page: its sort keys in the order of [`Query::sort`], and its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    /// What it is sorted by.
    pub keys: Vec<SortValue>,
    /// The id.
    pub id: String,
}

/// A value that results are sorted by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SortValue {
    /// The resource has none.
    Missing,
    /// An instant, in microseconds since 1970.
    Instant(i64),
    /// A number.
    Number(f64),
    /// Text, a code or a reference.
    Text(String),
}
