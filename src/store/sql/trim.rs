//! References to what is withheld, taken out of what is shown: that there is something is told by
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Snapshot, Sql, allowed};
use crate::error::{Error, Result};
use crate::fhir::search::param;
use crate::policy::Permit;
use crate::store::StoredResource;

/// Takes the references to what the caller may not see out of these resources. The practice itself
/// is shown them as they are.
pub(super) fn trim<'r>(
    snapshot: &impl Snapshot,
    permit: &Permit,
    resources: impl Iterator<Item = &'r mut StoredResource>,
) -> Result<()> {
    if permit.under().is_none() {
        return Ok(());
    }
    let mut each = Vec::new();
    let mut named = BTreeSet::new();
    for resource in resources {
        let own = named_in(&resource.body)?;
        named.extend(own.iter().cloned());
        each.push((resource, own));
    }
    let seen = seen(snapshot, permit, &named)?;
    for (resource, own) in each {
        if !own.is_subset(&seen) {
            let mut body: Value =
                serde_json::from_slice(&resource.body).map_err(Error::internal)?;
            strip(&mut body, &seen);
            resource.body = serde_json::to_vec(&body).map_err(Error::internal)?.into();
        }
    }
    Ok(())
}

/// The resources that a resource names. Bytes that maps wrote are only looked through, which is ten
/// times faster than to parse them; where they are written otherwise, they are parsed.
fn named_in(body: &[u8]) -> Result<BTreeSet<String>> {
    let mut own = BTreeSet::new();
    if let Some(found) = written(body) {
        for text in found {
            own.extend(of_ours(text).map(str::to_owned));
        }
    } else {
        let body: Value = serde_json::from_slice(body).map_err(Error::internal)?;
        collect(&body, &mut own);
    }
    Ok(own)
}

/// The values of all members that may name a resource, where each is written without spaces and
/// escapes.
fn written(body: &[u8]) -> Option<Vec<&str>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut found = Vec::new();
    for (name, start) in [("\"reference\"", ":\""), ("\"url\"", ":\"")] {
        for (at, _) in text.match_indices(name) {
            let rest = text.get(at + name.len()..)?;
            match rest.strip_prefix(start) {
                Some(value) => {
                    let value = value.split('"').next()?;
                    if value.contains('\\') {
                        return None;
                    }
                    found.push(value);
                }
                // A reference in a reference, as an element of a Consent is.
                None if rest.starts_with(":{") => {}
                None => return None,
            }
        }
    }
    Some(found)
}

/// Members that an item of a list is about: without them what is left of the item would tell that
/// there was something, and R4 requires most of them.
const POINTS: [&str; 11] = [
    "actor",
    "condition",
    "individual",
    "item",
    "member",
    "other",
    "reference",
    "target",
    "valueReference",
    "what",
    "who",
];

/// The resource of this server that a reference, or the link of an attachment, leads to; of which
/// version makes no difference.
fn local(value: &Value) -> Option<&str> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let link = || text("url").filter(|url| url.starts_with("Binary/"));
    text("reference").or_else(link).and_then(of_ours)
}

/// The resource of this server that a text names.
fn of_ours(text: &str) -> Option<&str> {
    let reference = text.split("/_history/").next()?;
    let (name, _) = reference.split_once('/')?;
    param::served().any(|served| served == name).then_some(reference)
}

fn collect(value: &Value, named: &mut BTreeSet<String>) {
    named.extend(local(value).map(str::to_owned));
    match value {
        Value::Object(members) => members.values().for_each(|value| collect(value, named)),
        Value::Array(items) => items.iter().for_each(|value| collect(value, named)),
        _ => {}
    }
}

/// Those of the references that lead to what the caller may see.
fn seen(
    snapshot: &impl Snapshot,
    permit: &Permit,
    named: &BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    let (files, others): (Vec<&str>, Vec<&str>) =
        named.iter().map(String::as_str).partition(|reference| reference.starts_with("Binary/"));
    let mut seen = BTreeSet::new();
    for (references, name) in [(others, ""), (files, "Binary")] {
        if references.is_empty() {
            continue;
        }
        let mut by_type: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, id) in references.iter().filter_map(|reference| reference.split_once('/')) {
            by_type.entry(name).or_default().push(id);
        }
        let mut sql = Sql::new(snapshot.dialect());
        let tenant = sql.bind(permit.tenant().as_str());
        // Each type by its own look-up, of one statement.
        let mut parts = Vec::new();
        let test = allowed::of_type(&mut sql, permit, name, "r");
        let test: String = test.iter().flat_map(|test| [" AND ", test]).collect();
        for (name, ids) in by_type {
            let name = sql.bind(name);
            let ids = sql.bind_all(ids.into_iter());
            parts.push(format!(
                "SELECT r.type || '/' || r.id FROM resource r WHERE r.tenant = {tenant} \
                 AND r.type = {name} AND r.id IN ({ids}){test}"
            ));
        }
        seen.extend(snapshot.texts(&sql.finish(parts.join(" UNION ALL ")))?);
    }
    Ok(seen)
}

/// Takes out every reference that is not seen, and what is empty without it; answers whether
/// nothing is left.
fn strip(value: &mut Value, seen: &BTreeSet<String>) -> bool {
    if local(value).is_some_and(|reference| !seen.contains(reference)) {
        return true;
    }
    match value {
        Value::Object(members) => {
            let before = members.len();
            members.retain(|_, value| !strip(value, seen));
            before > 0 && members.is_empty()
        }
        Value::Array(items) => {
            let before = items.len();
            items.retain_mut(|item| {
                let had = points(item);
                !strip(item, seen) && points(item) == had
            });
            before > 0 && items.is_empty()
        }
        _ => false,
    }
}

/// How many of the members that it is about an item has.
fn points(item: &Value) -> usize {
    POINTS.iter().filter(|name| item.get(**name).is_some_and(Value::is_object)).count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_found_in_bytes_as_in_what_they_parse_to() {
        for body in [
            json!({"a": {"reference": "Patient/a"}, "b": [{"reference": "Nobody/x"}]}),
            json!({"actor": {"reference": {"reference": "Patient/b"}}, "url": "Binary/c"}),
            json!({"text": "\"reference\":\"Patient/q\"", "url": "https://a.example/x"}),
            json!({"reference": "Goal/g/_history/2", "display": "Patient/p"}),
            json!({"reference": "Patient/\\u0041", "url": null}),
        ] {
            let mut parsed = BTreeSet::new();
            collect(&body, &mut parsed);
            let bytes = serde_json::to_vec(&body).unwrap();
            assert_eq!(named_in(&bytes).unwrap(), parsed, "{body}");
            let pretty = serde_json::to_vec_pretty(&body).unwrap();
            assert_eq!(named_in(&pretty).unwrap(), parsed, "{body}");
        }
    }

    #[test]
    fn an_item_goes_with_what_it_is_about_and_a_version_is_its_resource() {
        let mut body = json!({
            "resourceType": "Patient",
            "link": [{"other": {"reference": "Patient/x"}, "type": "replaces"}],
            "agent": [
                {"type": {"text": "author"}, "who": {"reference": "RelatedPerson/x"}},
                {"type": {"text": "assembler"}, "who": {"display": "us"}}
            ],
            "target": [
                {"reference": "Condition/y/_history/1-aa"}, {"reference": "Condition/x/_history/1-aa"}
            ],
            "payload": [
                {"contentString": "see there"},
                {"contentAttachment": {"url": "Binary/x", "title": "diary.pdf", "size": 9}}
            ],
            "note": [{"authorReference": {"reference": "RelatedPerson/x"}, "text": "kept"}]
        });
        let seen = ["Condition/y".to_owned()].into();
        assert!(!strip(&mut body, &seen));
        assert_eq!(
            body,
            json!({
                "resourceType": "Patient",
                "agent": [{"type": {"text": "assembler"}, "who": {"display": "us"}}],
                "target": [{"reference": "Condition/y/_history/1-aa"}],
                "payload": [{"contentString": "see there"}],
                "note": [{"text": "kept"}]
            })
        );
    }

    #[test]
    fn what_is_withheld_goes_with_what_held_it_and_nothing_else() {
        let mut body = json!({
            "resourceType": "Encounter",
            "subject": {"reference": "Patient/a"},
            "reasonReference": [{"reference": "Condition/x"}, {"reference": "Condition/y"}],
            "diagnosis": [{"condition": {"reference": "Condition/x"}}],
            "partOf": {"reference": "urn:uuid:1"},
            "contained": [{"id": "1"}]
        });
        let mut named = BTreeSet::new();
        collect(&body, &mut named);
        assert_eq!(named.len(), 3, "{named:?}");
        let seen = ["Patient/a", "Condition/y"].map(str::to_owned).into();
        assert!(!strip(&mut body, &seen));
        assert_eq!(
            body,
            json!({
                "resourceType": "Encounter",
                "subject": {"reference": "Patient/a"},
                "reasonReference": [{"reference": "Condition/y"}],
                "partOf": {"reference": "urn:uuid:1"},
                "contained": [{"id": "1"}]
            })
        );
    }
}
