//! The demo's records in a server of the test's own, and everything that it serves.

use std::path::PathBuf;

use reqwest::StatusCode;
use serde_json::Value;

use super::server::{Server, spawn};

/// Folders of `fixtures/` that the demo does not show.
const NOT_SHOWN: &[&str] = &["cases", "hostile", "sentinel"];

/// A server that has taken in what the demo takes in.
pub(crate) fn serve() -> Server {
    let server = spawn();
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let entries = fixtures.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut families: Vec<PathBuf> = entries
        .filter(|path| {
            path.is_dir() && !NOT_SHOWN.contains(&path.file_name().unwrap().to_str().unwrap())
        })
        .collect();
    families.sort();
    server.app.take_in(&families).unwrap();
    server
}

/// Every match of a search, through all of its pages.
pub(crate) async fn matches(server: &Server, query: &str) -> Vec<Value> {
    entries(server, query, "match").await
}

/// Everything that comes along with a search.
pub(crate) async fn included(server: &Server, query: &str) -> Vec<Value> {
    entries(server, query, "include").await
}

async fn entries(server: &Server, query: &str, mode: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut next = Some(query.to_owned());
    while let Some(page) = next {
        let answer = server.get(&page).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text);
        let entries = answer.json()["entry"].as_array().cloned().unwrap_or_default();
        let mut wanted: Vec<Value> = entries
            .into_iter()
            .filter(|entry| entry["search"]["mode"] == mode)
            .map(|entry| entry["resource"].clone())
            .collect();
        found.append(&mut wanted);
        next = answer.link("next");
    }
    found
}

/// Every resource of a type.
pub(crate) async fn all(server: &Server, resource_type: &str) -> Vec<Value> {
    matches(server, &format!("{resource_type}?_count=1000")).await
}

/// The values at a path of the table, found in plain JSON: names joined by dots, arrays walked
/// through, `[name=value]` keeping what has that value.
pub(crate) fn at<'v>(value: &'v Value, path: &str) -> Vec<&'v Value> {
    let (segment, rest) = match (path.find('['), path.find('.')) {
        (Some(bracket), dot) if dot.is_none_or(|dot| bracket < dot) => {
            let end = path.find(']').unwrap() + 1;
            (&path[..end], path[end..].strip_prefix('.'))
        }
        (_, Some(dot)) => (&path[..dot], Some(&path[dot + 1..])),
        _ => (path, None),
    };
    let (name, condition) = match segment.split_once('[') {
        Some((name, condition)) => (name, condition.trim_end_matches(']').split_once('=')),
        None => (segment, None),
    };
    let items = match &value[name] {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    let kept = items.into_iter().filter(|item| condition.is_none_or(|(k, v)| item[k] == v));
    match rest {
        Some(rest) => kept.flat_map(|item| at(item, rest)).collect(),
        None => kept.collect(),
    }
}
