//! The rows of one value, by the kind of its parameter.

use super::path::visit;
use crate::fhir::search::node::Node;
use crate::fhir::search::param::{Form, Param, SearchType};
use crate::fhir::search::{IndexRow, ParamKind, date, text};

/// The rows of one value.
pub(super) fn put(
    (number, param): (u16, &Param),
    kind: &SearchType,
    value: &Node<'_>,
    rows: &mut Vec<IndexRow>,
) {
    match param.kind {
        ParamKind::Token if is_untold(param, value) => {}
        ParamKind::Token => tokens(number, param.system, value, rows),
        ParamKind::Reference => references(number, param.targets, value, rows),
        ParamKind::Date => dates(number, value, rows),
        ParamKind::Text => texts(number, value, rows),
        ParamKind::Quantity => quantity(number, value, rows),
        ParamKind::Uri => uri(number, value, rows),
        ParamKind::Composite => pairs((number, param), kind, value, rows),
    }
}

/// Codes by which nothing is found: what stands beside them, a person related to the client, may be
/// withheld, and then is not in what is shown. That somebody came along is found by `participant`,
/// as far as who it was may be seen.
const UNTOLD: &[(&str, &str)] = &[("participant-type", "PART")];

fn is_untold(param: &Param, concept: &Node<'_>) -> bool {
    let codings = concept.get("coding").map_or(&[][..], Node::items);
    let is_it = |code: &str| codings.iter().any(|coding| coding.text_at("code") == Some(code));
    UNTOLD.iter().any(|(name, code)| *name == param.name && is_it(code))
}

/// One row instead of all that there are: whether there was anything but `false`.
pub(super) fn truth(number: u16, rows: &mut Vec<IndexRow>) {
    let own = |row: &IndexRow| matches!(row, IndexRow::Token { param, .. } if *param == number);
    let is_false = |row: &IndexRow| matches!(row, IndexRow::Token { code, .. } if code == "false");
    let is_true = rows.iter().any(|row| own(row) && !is_false(row));
    rows.retain(|row| !own(row));
    tokens(number, "", &Node::Bool(is_true), rows);
}

/// Each reference of the element with each of its codes.
fn pairs(
    (number, param): (u16, &Param),
    kind: &SearchType,
    value: &Node<'_>,
    rows: &mut Vec<IndexRow>,
) {
    let Form::Pair(parts) = param.form else { return };
    let [targets, codes] = parts.map(|name| {
        let mut found = Vec::new();
        let Some((part, known)) = kind.param(name) else { return found };
        for path in known.paths {
            let within = param.paths.iter().find_map(|outer| path.strip_prefix(outer));
            let Some(path) = within.and_then(|path| path.strip_prefix('.')) else { continue };
            visit(value, path, &mut |value| put((part, known), kind, value, &mut found));
        }
        found
    });
    for target in &targets {
        let IndexRow::Reference { target, .. } = target else { continue };
        for code in &codes {
            let IndexRow::Token { code, .. } = code else { continue };
            let (system, code) = (target.clone(), code.clone());
            add(rows, IndexRow::Token { param: number, system, code });
        }
    }
}

/// Adds a row once; resources repeat themselves, and a repeated row helps nobody.
pub(super) fn add(rows: &mut Vec<IndexRow>, row: IndexRow) {
    if !rows.contains(&row) {
        rows.push(row);
    }
}

/// A `code`, boolean, `Coding`, `CodeableConcept` or `Identifier`.
fn tokens(number: u16, implied: &str, value: &Node<'_>, rows: &mut Vec<IndexRow>) {
    let mut displays = Vec::new();
    let mut token = |system: &str, code: &str| {
        add(rows, IndexRow::Token { param: number, system: system.into(), code: code.into() });
    };
    match value {
        Node::Text(code) => token(implied, code),
        Node::Bool(flag) => token(implied, if *flag { "true" } else { "false" }),
        Node::Object(_) => {
            let codings = value.get("coding").map_or(std::slice::from_ref(value), Node::items);
            for coding in codings {
                displays.extend(coding.text_at("display"));
                let code = coding.text_at("code").or_else(|| coding.text_at("value"));
                if let Some(code) = code {
                    token(coding.text_at("system").unwrap_or_default(), code);
                }
            }
            // What `:of-type` looks at.
            let types = value.get("type").and_then(|kind| kind.get("coding"));
            if let Some(code) = value.text_at("value") {
                for kind in types.map_or(&[][..], Node::items) {
                    let part = |name| kind.text_at(name).unwrap_or_default();
                    token(&format!("{}|{}", part("system"), part("code")), code);
                }
            }
        }
        Node::Array(_) | Node::Number(_) | Node::Null => {}
    }
    // What `:text` looks at; a CodeableConcept has a text of its own.
    for display in displays.into_iter().chain(value.text_at("text")) {
        put_text(number, display, rows);
    }
}

/// A Reference or a canonical URL. An identifier that stands beside or instead of it is what
/// `:identifier` looks at.
pub(super) fn references(
    number: u16,
    targets: &[&str],
    value: &Node<'_>,
    rows: &mut Vec<IndexRow>,
) {
    if let Some(identifier) = value.get("identifier") {
        let system = identifier.text_at("system").unwrap_or_default().to_owned();
        if let Some(code) = identifier.text_at("value") {
            add(rows, IndexRow::Token { param: number, system, code: code.to_owned() });
        }
    }
    let Some(reference) = value.text().or_else(|| value.text_at("reference")) else { return };
    if reference.starts_with('#') {
        return;
    }
    let target = reference.split_once("/_history/").map_or(reference, |(target, _)| target);
    let of_type = |wanted: &&str| {
        target.contains("://")
            || target.strip_prefix(*wanted).is_some_and(|rest| rest.starts_with('/'))
    };
    if targets.is_empty() || targets.iter().any(of_type) {
        for target in versions(target) {
            add(rows, IndexRow::Reference { param: number, target: target.into() });
        }
    }
}

/// A canonical URL without its version, and with it if it has one.
fn versions(url: &str) -> impl Iterator<Item = &str> {
    let plain = url.split_once('|').map_or(url, |(plain, _)| plain);
    std::iter::once(plain).chain((plain.len() < url.len()).then_some(url))
}

/// A date, dateTime, instant or Period.
fn dates(number: u16, value: &Node<'_>, rows: &mut Vec<IndexRow>) {
    let range = match value {
        Node::Text(text) => date::range(text),
        Node::Object(_) => {
            let start = value.text_at("start").and_then(date::range);
            let end = value.text_at("end").and_then(date::range);
            let open = (i64::MIN, i64::MAX);
            (start.is_some() || end.is_some())
                .then(|| (start.unwrap_or(open).0, end.unwrap_or(open).1))
        }
        _ => None,
    };
    if let Some((low, high)) = range {
        add(rows, IndexRow::Date { param: number, low, high });
    }
}

/// A string, or the parts of a `HumanName` or `Address` that a person would search for.
fn texts(number: u16, value: &Node<'_>, rows: &mut Vec<IndexRow>) {
    const PARTS: &[&str] = &[
        "text",
        "family",
        "given",
        "prefix",
        "suffix",
        "line",
        "city",
        "district",
        "state",
        "postalCode",
        "country",
    ];
    match value {
        Node::Text(text) => put_text(number, text, rows),
        Node::Object(_) => PARTS
            .iter()
            .filter_map(|part| value.get(part))
            .flat_map(Node::items)
            .filter_map(Node::text)
            .for_each(|text| put_text(number, text, rows)),
        _ => {}
    }
}

fn put_text(number: u16, text: &str, rows: &mut Vec<IndexRow>) {
    let value = text::normalise(text);
    if !value.is_empty() {
        add(rows, IndexRow::Text { param: number, value, exact: text.to_owned() });
    }
}

/// A Quantity; a comparator leaves it open on one side.
fn quantity(number: u16, value: &Node<'_>, rows: &mut Vec<IndexRow>) {
    let Some(Node::Number(amount)) = value.get("value") else { return };
    let (low, high) = match value.text_at("comparator") {
        Some("<" | "<=") => (f64::NEG_INFINITY, *amount),
        Some(">" | ">=") => (*amount, f64::INFINITY),
        _ => (*amount, *amount),
    };
    let text = |name| value.text_at(name).unwrap_or_default().to_owned();
    let (system, code, unit) = (text("system"), text("code"), text("unit"));
    add(rows, IndexRow::Quantity { param: number, low, high, system, code, unit });
}

/// A URI.
fn uri(number: u16, value: &Node<'_>, rows: &mut Vec<IndexRow>) {
    let Some(text) = value.text() else { return };
    for value in versions(text) {
        add(rows, IndexRow::Uri { param: number, value: value.into() });
    }
}
