//! Reading the fields of a record's data, which the schema has checked but Rust does not know.

use serde_json::Value;

/// A field that holds text.
pub(super) fn text<'a>(data: &'a Value, name: &str) -> Option<&'a str> {
    data.get(name).and_then(Value::as_str)
}

/// A field that holds a list; empty where there is none.
pub(super) fn list<'a>(data: &'a Value, name: &str) -> &'a [Value] {
    data.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts in a field that holds a list.
pub(super) fn texts<'a>(data: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    list(data, name).iter().filter_map(Value::as_str)
}

/// A field that holds yes or no; absent is no.
pub(super) fn flag(data: &Value, name: &str) -> bool {
    data.get(name).and_then(Value::as_bool).unwrap_or_default()
}
