//! Ways to reach someone, without those at which they must not be reached (45 CFR 164.522(b)).

use serde_json::{Map, Value};

use super::field::{list, text};

/// The entries that may be passed on: those not marked unsafe, and not blank.
pub(super) fn safe(data: &Value) -> Vec<Value> {
    list(data, "telecom")
        .iter()
        .filter(|entry| is_safe(entry) && has_value(entry))
        .map(entry)
        .collect()
}

/// Whether any entry is marked unsafe.
pub(super) fn any_unsafe(data: &Value) -> bool {
    list(data, "telecom").iter().any(|entry| !is_safe(entry))
}

fn is_safe(entry: &Value) -> bool {
    entry.get("safe_to_contact").and_then(Value::as_bool).unwrap_or(true)
}

fn has_value(entry: &Value) -> bool {
    text(entry, "value").is_some_and(|value| !value.trim().is_empty())
}

fn entry(entry: &Value) -> Value {
    let kept = ["kind", "value", "use", "period"];
    let kept =
        kept.into_iter().filter_map(|name| Some((name.to_owned(), entry.get(name)?.clone())));
    Value::Object(kept.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{any_unsafe, safe};

    #[test]
    fn an_unsafe_number_is_never_passed_on() {
        let data = json!({ "telecom": [
            { "kind": "sms", "value": "+17205550142", "safe_to_contact": false },
            { "kind": "email", "value": "a@example.org", "detail_ok": false, "safe_to_contact": true },
            { "kind": "phone", "value": " " },
        ]});
        assert_eq!(safe(&data), [json!({ "kind": "email", "value": "a@example.org" })]);
        assert!(any_unsafe(&data));
    }
}
