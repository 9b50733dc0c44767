//! FHIRPath, the part that maps need, compiled against the types of a model.
//! <https://hl7.org/fhirpath/N1/>

mod arithmetic;
mod compile;
mod eval;

use regex::Regex;

pub(crate) use compile::{Compiler, Scope, Ty, Variable};
pub(crate) use eval::Env;

/// A compiled expression.
#[derive(Debug)]
pub(crate) enum Expr {
    Empty,
    Boolean(bool),
    Number(Box<str>),
    Text(Box<str>),
    /// A source variable, by its slot in the frame.
    Variable(usize),
    /// `$this`, or the focus.
    This,
    /// A field of each item.
    Field(Box<Expr>, usize),
    Function(Function, Box<Expr>, Vec<Expr>),
    /// What `matches` is given.
    Pattern(Regex),
    Binary(Operator, Box<Expr>, Box<Expr>),
}

/// The functions that are supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Exists,
    Empty,
    Not,
    Count,
    First,
    Last,
    Where,
    All,
    HasValue,
    StartsWith,
    EndsWith,
    Contains,
    Matches,
    Length,
    Lower,
    Upper,
    Substring,
    ToString,
    Iif,
}

/// The name, the function, and how many arguments it may have.
pub(crate) const FUNCTIONS: &[(&str, Function, usize, usize)] = &[
    ("exists", Function::Exists, 0, 1),
    ("empty", Function::Empty, 0, 0),
    ("not", Function::Not, 0, 0),
    ("count", Function::Count, 0, 0),
    ("first", Function::First, 0, 0),
    ("last", Function::Last, 0, 0),
    ("where", Function::Where, 1, 1),
    ("all", Function::All, 1, 1),
    ("hasValue", Function::HasValue, 0, 0),
    ("startsWith", Function::StartsWith, 1, 1),
    ("endsWith", Function::EndsWith, 1, 1),
    ("contains", Function::Contains, 1, 1),
    ("matches", Function::Matches, 1, 1),
    ("length", Function::Length, 0, 0),
    ("lower", Function::Lower, 0, 0),
    ("upper", Function::Upper, 0, 0),
    ("substring", Function::Substring, 1, 2),
    ("toString", Function::ToString, 0, 0),
    ("iif", Function::Iif, 2, 3),
];

/// The operators that are supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Xor,
    Implies,
    In,
    Contains,
    Union,
    /// `&`: an empty side counts as no text.
    Join,
    /// `+` of texts: an empty side makes the result empty.
    Plus,
    /// `+` of numbers.
    Add,
    Subtract,
    Multiply,
    Divide,
    /// `div`: without the rest.
    DivideWhole,
    /// `mod`: the rest.
    Modulo,
}

/// The operators as they are written.
pub(crate) const OPERATORS: &[(&str, Operator)] = &[
    ("=", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<", Operator::Less),
    ("<=", Operator::LessOrEqual),
    (">", Operator::Greater),
    (">=", Operator::GreaterOrEqual),
    ("and", Operator::And),
    ("or", Operator::Or),
    ("xor", Operator::Xor),
    ("implies", Operator::Implies),
    ("in", Operator::In),
    ("contains", Operator::Contains),
    ("|", Operator::Union),
    ("&", Operator::Join),
    ("+", Operator::Plus),
    ("-", Operator::Subtract),
    ("*", Operator::Multiply),
    ("/", Operator::Divide),
    ("div", Operator::DivideWhole),
    ("mod", Operator::Modulo),
];
