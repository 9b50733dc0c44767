//! A SELECT under construction: its conditions and the values bound to it, never in its text.

use rusqlite::types::Value;

/// Conditions joined by AND, with their values.
#[derive(Default)]
pub(super) struct Sql {
    conditions: Vec<String>,
    values: Vec<Value>,
    text: String,
}

impl Sql {
    /// Adds a value and answers its placeholder.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    /// Adds text values and answers their placeholders, separated by commas.
    pub(super) fn bind_all<'a>(&mut self, values: impl Iterator<Item = &'a str>) -> String {
        let placeholders: Vec<_> = values.map(|value| self.bind(value.to_owned())).collect();
        placeholders.join(", ")
    }

    /// Adds a condition.
    pub(super) fn and(&mut self, condition: &str) {
        self.conditions.push(condition.to_owned());
    }

    /// The whole statement: `head WHERE conditions tail`.
    pub(super) fn finish(&mut self, head: &str, tail: &str) -> &str {
        self.text = format!("{head} WHERE {} {tail}", self.conditions.join(" AND "));
        &self.text
    }

    /// The bound values, in order.
    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }
}
