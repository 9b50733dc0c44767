//! Maps as JSON, R4 or R5, read as the text that they are the resource of.

use serde_json::Value;

use super::too_deep;

/// The text of a StructureMap.
///
/// # Errors
///
/// Why it is none.
pub(crate) fn from_structure_map(map: Value) -> Result<String, String> {
    if map.get("resourceType").and_then(Value::as_str) != Some("StructureMap") {
        return Err("it is not a StructureMap".to_owned());
    }
    if !is_shaped(&map) {
        return Err("a group, rule, source, target or dependent is not an object".to_owned());
    }
    if nests_too_deep(&map) {
        return Err("an expression nests too deep; split its rule".to_owned());
    }
    let map = fml_model::from_json(map).map_err(|cause| cause.to_string())?;
    Ok(fml_model::print(&map))
}

/// Whether lists of the resource hold objects: the crate that reads them takes it for granted.
fn is_shaped(value: &Value) -> bool {
    const LISTS: &[&str] = &["contained", "group", "rule", "source", "target", "dependent"];
    let Some(members) = value.as_object() else { return false };
    members
        .iter()
        .filter(|(key, _)| LISTS.contains(&key.as_str()))
        .filter_map(|(_, list)| list.as_array())
        .flatten()
        .all(is_shaped)
}

/// Whether an expression anywhere in the resource nests deeper than expressions may.
fn nests_too_deep(value: &Value) -> bool {
    match value {
        Value::String(text) => too_deep(text).is_some(),
        Value::Array(items) => items.iter().any(nests_too_deep),
        Value::Object(members) => members.values().any(nests_too_deep),
        _ => false,
    }
}
