//! The paths of the table: element names joined by dots; arrays are walked through, and
//! `[name=value]` keeps the elements with that value.

use crate::fhir::search::node::Node;

/// The first element name of a path.
pub(super) fn first(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or(path)
}

/// Calls `found` with every value at the end of `path`.
pub(super) fn visit<'n, 'a>(node: &'n Node<'a>, path: &str, found: &mut impl FnMut(&'n Node<'a>)) {
    visit_names(node, path, false, &mut |value, _| found(value));
}

/// The same, and whether the value is in a name that somebody goes by no longer.
pub(super) fn visit_names<'n, 'a>(
    node: &'n Node<'a>,
    path: &str,
    is_former: bool,
    found: &mut impl FnMut(&'n Node<'a>, bool),
) {
    let (segment, rest) = split(path);
    let (name, condition) = match segment.split_once('[') {
        Some((name, condition)) => (name, condition.strip_suffix(']')),
        None => (segment, None),
    };
    let Some(value) = node.get(name) else { return };
    for item in value.items().iter().filter(|item| holds(item, condition)) {
        let is_former = is_former || name == "name" && item.text_at("use") == Some("old");
        match rest {
            Some(rest) => visit_names(item, rest, is_former, found),
            None => found(item, is_former),
        }
    }
}

/// The first segment of a path and what comes after; dots inside brackets do not count.
fn split(path: &str) -> (&str, Option<&str>) {
    let end = match path.find(['[', '.']) {
        Some(at) if path.as_bytes().get(at) == Some(&b'[') => path.find("].").map(|end| end + 1),
        dot => dot,
    };
    match end.and_then(|end| path.split_at_checked(end)) {
        Some((segment, rest)) => (segment, rest.strip_prefix('.')),
        None => (path, None),
    }
}

fn holds(item: &Node<'_>, condition: Option<&str>) -> bool {
    condition
        .and_then(|condition| condition.split_once('='))
        .is_none_or(|(name, value)| item.text_at(name) == Some(value))
}
