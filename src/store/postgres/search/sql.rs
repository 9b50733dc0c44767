//! A statement under construction: its conditions and the values bound to it, never in its text.

use crate::store::postgres::row::indexable;
use crate::store::postgres::session::Param;

/// A bound value.
enum Value {
    Number(i64),
    Text(String),
    Texts(Vec<String>),
}

/// Conditions joined by AND, with their values.
#[derive(Default)]
pub(super) struct Sql {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Sql {
    fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    /// Binds a number and answers its placeholder.
    pub(super) fn number(&mut self, value: i64) -> String {
        self.bind(Value::Number(value)) + "::bigint"
    }

    /// Binds text, in the form in which the index holds it, and answers its placeholder.
    pub(super) fn text(&mut self, value: &str) -> String {
        self.bind(Value::Text(indexable(value).into_owned()))
    }

    /// Binds an array of text, in the form in which the index holds it.
    pub(super) fn texts<'a>(&mut self, values: impl Iterator<Item = &'a str>) -> String {
        let values = values.map(|value| indexable(value).into_owned()).collect();
        self.bind(Value::Texts(values)) + "::text[]"
    }

    /// Adds a condition.
    pub(super) fn and(&mut self, condition: String) {
        self.conditions.push(condition);
    }

    /// The conditions.
    pub(super) fn conditions(&self) -> String {
        self.conditions.join(" AND ")
    }

    /// The bound values, in order.
    pub(super) fn params(&self) -> Vec<Param<'_>> {
        self.values.iter().map(Value::param).collect()
    }
}

impl Value {
    fn param(&self) -> Param<'_> {
        match self {
            Self::Number(number) => number,
            Self::Text(text) => text,
            Self::Texts(texts) => texts,
        }
    }
}
