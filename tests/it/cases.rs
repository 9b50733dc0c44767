//! The cases that break naive implementations: each a folder in `fixtures/cases`, taken in by the
//! real command and read back over HTTP.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::expectation::{Entry, Expectation, unmet};
use crate::gateway::{Gateway, Served};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cases")
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<_> = folders.map(|f| f.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn every_case_comes_out_as_expected() {
    let only = std::env::var("CASE").unwrap_or_default();
    let mut wrong = Vec::new();
    for name in names().iter().filter(|name| name.starts_with(&only)) {
        let faults = check(name).await;
        wrong.extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

async fn check(name: &str) -> Vec<String> {
    let case = folder().join(name);
    let expected = fs::read_to_string(case.join("expected.json")).unwrap();
    let expected: Expectation = serde_json::from_str(&expected).unwrap();
    assert!(!expected.title.is_empty());
    let gateway = Gateway::new();
    let report = gateway.ingest(&[folder().join("common.ndjson"), case.join("input.ndjson")]);
    let mut faults = Vec::new();
    quarantined(&expected, &gateway.quarantine(), &mut faults);
    let mut warnings = expected.warnings.clone();
    warnings.sort();
    if report.warnings != warnings {
        faults.push(format!("warned of {:?}, not of {warnings:?}", report.warnings));
    }
    let served = gateway.serve();
    resources(&expected, &served, &mut faults).await;
    for search in &expected.searches {
        let total = served.get(&search.query).await["total"].as_u64();
        if total != Some(search.total) {
            faults.push(format!("{}: total {total:?}, not {}", search.query, search.total));
        }
    }
    faults
}

fn quarantined(expected: &Expectation, found: &[Entry], faults: &mut Vec<String>) {
    let meets = |found: &Entry, expected: &Entry| {
        let given = |expected: &Option<String>, found: &Option<String>| {
            expected.is_none() || expected == found
        };
        found.reason == expected.reason
            && given(&expected.pointer, &found.pointer)
            && given(&expected.id, &found.id)
    };
    let mut left: Vec<&Entry> = found.iter().collect();
    for entry in &expected.quarantined {
        match left.iter().position(|found| meets(found, entry)) {
            Some(at) => drop(left.remove(at)),
            None => faults.push(format!("not in quarantine: {entry:?}")),
        }
    }
    faults.extend(left.iter().map(|entry| format!("in quarantine: {entry:?}")));
}

async fn resources(expected: &Expectation, served: &Served, faults: &mut Vec<String>) {
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for resource_type in served.types().await {
        if resource_type != "Binary" {
            let resources = served.all(&resource_type).await;
            all.insert(resource_type, resources);
        }
    }
    let binaries = binaries(served, &all).await;
    all.insert("Binary".to_owned(), binaries);
    for (resource_type, count) in &expected.counts {
        let found = all.get(resource_type).map_or(0, Vec::len);
        if found != *count {
            faults.push(format!("{found} {resource_type}, not {count}"));
        }
    }
    for (resource_type, patterns) in &expected.elements {
        let found = all.get(resource_type).cloned().unwrap_or_default();
        for pattern in unmet(&found, patterns) {
            let found = serde_json::to_string(&found).unwrap();
            faults.push(format!("no {resource_type} has {pattern:?} in {found}"));
        }
    }
    for resource in all.values().flatten() {
        let body = format!("{resource}{}", text_of(resource));
        for absent in expected.absent.iter().filter(|absent| body.contains(absent.as_str())) {
            faults.push(format!("{absent} is in {body}"));
        }
        if let Some(fault) = resource["text"]["div"].as_str().and_then(unsafe_markup) {
            faults.push(format!("the narrative has {fault}: {resource}"));
        }
    }
}

/// The Binaries that documents and messages refer to.
async fn binaries(served: &Served, all: &BTreeMap<String, Vec<Value>>) -> Vec<Value> {
    let mut binaries = Vec::new();
    for resource in all.values().flatten() {
        for url in urls(resource) {
            binaries.push(served.get(&url).await);
        }
    }
    binaries
}

/// Every `Binary/…` that a resource refers to.
pub(crate) fn urls(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(urls).collect(),
        Value::Object(map) => map.values().flat_map(urls).collect(),
        Value::String(text) if text.starts_with("Binary/") => vec![text.clone()],
        _ => Vec::new(),
    }
}

/// The text inside of base64 data.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(text_of).collect(),
        Value::Object(map) => {
            let data = map.get("data").and_then(Value::as_str).unwrap_or_default();
            let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, data);
            let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
            map.values().map(text_of).fold(text, |all, one| all + &one)
        }
        _ => String::new(),
    }
}

/// The elements of a narrative that the gateway writes.
const ELEMENTS: &[&str] = &[
    "div", "p", "b", "i", "h1", "h2", "h3", "h4", "ul", "ol", "li", "table", "thead", "tbody",
    "tr", "th", "td", "span", "br", "dl", "dt", "dd", "em", "strong",
];

/// What a narrative may not have (<https://hl7.org/fhir/R4/narrative.html#xhtml>).
fn unsafe_markup(div: &str) -> Option<String> {
    for tag in div.split('<').skip(1) {
        let end = tag.find('>')?;
        let inside = tag[..end].trim_matches('/');
        let name = inside.split_whitespace().next().unwrap_or_default();
        if !ELEMENTS.contains(&name) {
            return Some(format!("<{name}>"));
        }
        let attributes = &inside[name.len()..];
        if attributes.contains("on") && attributes.contains('=') && attributes.contains(" on") {
            return Some(format!("an event handler: {attributes}"));
        }
    }
    div.contains("<!").then(|| "a declaration".to_owned())
}
