//! What a case expects, and whether some resources meet it.
//!
//! `expected.json` beside a case's `input.ndjson`:
//! - `quarantined`: exactly these entries, each by `reason` and, where given, `pointer` and `id`;
//! - `warnings`: exactly these codes, however often each is given;
//! - `counts`: how many resources of a type there are;
//! - `elements`: for each type, patterns that different resources have to meet. A pattern is a set
//!   of paths with values. A path's steps are joined by dots and go through lists: one item that
//!   fits is enough. The value null means that nothing is there, a text that starts or ends with
//!   `*` stands for one with that beginning or end;
//! - `absent`: texts that no resource holds anywhere;
//! - `searches`: queries with their totals.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The expectations of one case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectation {
    pub(crate) title: String,
    pub(crate) quarantined: Vec<Entry>,
    pub(crate) warnings: Vec<String>,
    #[serde(default)]
    pub(crate) counts: BTreeMap<String, usize>,
    #[serde(default)]
    pub(crate) elements: BTreeMap<String, Vec<BTreeMap<String, Value>>>,
    #[serde(default)]
    pub(crate) absent: Vec<String>,
    #[serde(default)]
    pub(crate) searches: Vec<Search>,
}

/// An entry of the quarantine.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Entry {
    pub(crate) reason: String,
    pub(crate) pointer: Option<String>,
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) detail: String,
}

/// A search with its total.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    pub(crate) query: String,
    pub(crate) total: u64,
}

/// Whether `resource` meets every path of `pattern`.
fn meets(resource: &Value, pattern: &BTreeMap<String, Value>) -> bool {
    pattern.iter().all(|(path, expected)| {
        let mut found = Vec::new();
        collect(resource, path, &mut found);
        if expected.is_null() {
            found.is_empty()
        } else {
            found.iter().any(|value| fits(value, expected))
        }
    })
}

fn collect<'a>(value: &'a Value, path: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, found)),
        _ if path.is_empty() => found.push(value),
        Value::Object(map) => {
            let (step, rest) = path.split_once('.').unwrap_or((path, ""));
            if let Some(value) = map.get(step) {
                collect(value, rest, found);
            }
        }
        _ => {}
    }
}

fn fits(value: &Value, expected: &Value) -> bool {
    let (Some(text), Some(pattern)) = (value.as_str(), expected.as_str()) else {
        return value == expected || value.as_f64().is_some_and(|n| expected.as_f64() == Some(n));
    };
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) if pattern.len() > 1 => text.contains(pattern.trim_matches('*')),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        _ => text == pattern,
    }
}

/// The patterns that cannot be given a resource each.
pub(crate) fn unmet<'p>(
    resources: &[Value],
    patterns: &'p [BTreeMap<String, Value>],
) -> Vec<&'p BTreeMap<String, Value>> {
    let mut owner: Vec<Option<usize>> = vec![None; resources.len()];
    let mut unmet = Vec::new();
    for (number, pattern) in patterns.iter().enumerate() {
        let mut tried = vec![false; resources.len()];
        if !assign(resources, patterns, number, &mut owner, &mut tried) {
            unmet.push(pattern);
        }
    }
    unmet
}

/// Gives pattern `number` a resource, moving others where that helps (bipartite matching).
fn assign(
    resources: &[Value],
    patterns: &[BTreeMap<String, Value>],
    number: usize,
    owner: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for at in 0..resources.len() {
        if tried[at] || !meets(&resources[at], &patterns[number]) {
            continue;
        }
        tried[at] = true;
        let free = owner[at].is_none_or(|other| assign(resources, patterns, other, owner, tried));
        if free {
            owner[at] = Some(number);
            return true;
        }
    }
    false
}

#[test]
fn patterns_are_given_different_resources() {
    let resources =
        [serde_json::json!({"a": [{"b": 1}, {"b": 2}]}), serde_json::json!({"a": [{"b": 1}]})];
    let pattern = |n: i64| BTreeMap::from([("a.b".to_owned(), Value::from(n))]);
    assert!(unmet(&resources, &[pattern(1), pattern(2)]).is_empty());
    assert_eq!(unmet(&resources, &[pattern(2), pattern(2)]).len(), 1);
    let nothing = BTreeMap::from([("c".to_owned(), Value::Null), ("a".to_owned(), Value::Null)]);
    assert_eq!(unmet(&resources, &[nothing]).len(), 1);
    assert!(fits(&Value::from("Patient/x"), &Value::from("Patient/*")));
    assert!(!fits(&Value::from("Patient/x"), &Value::from("*/*y")));
}
