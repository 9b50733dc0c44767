//! Writes a map set as R4 resources: StructureMap, ConceptMap and `StructureDefinition`.
//!
//! What HL7's engine and others read. Forms that only the text has are written out: the simple
//! copy becomes `copy`, an `evaluate` without a focus gets the rule's source as its focus.

use serde_json::{Value, json};

use super::MapSet;
use super::fml::to_structure_map;
use super::model::Model;

/// One exported resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// `StructureMap-session-log-encounter.json`
    pub file_name: String,
    /// The resource.
    pub resource: Value,
}

impl MapSet {
    /// The set as R4 resources, each with an id, sorted by file name.
    pub fn export(&self) -> Vec<Exported> {
        let mut exported: Vec<Exported> = Vec::new();
        for source in &self.sources {
            let mut map = to_structure_map(source);
            rules(&mut map);
            exported.push(named(map));
        }
        exported.extend(self.codes.values().map(|table| named(table.definition.clone())));
        exported.extend(self.models.iter().map(|model| named(definition(model))));
        exported.sort_by(|a, b| a.file_name.cmp(&b.file_name));
        exported
    }
}

/// Gives a resource the last segment of its URL as id.
fn named(mut resource: Value) -> Exported {
    let text = |key: &str| resource.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (kind, url) = (text("resourceType"), text("url"));
    let id = url.rsplit('/').next().unwrap_or_default().to_owned();
    if let Some(members) = resource.as_object_mut() {
        members.insert("id".to_owned(), Value::from(id.as_str()));
    }
    Exported { file_name: format!("{kind}-{id}.json"), resource }
}

/// Writes out, in every rule, what other engines do not work out by themselves.
fn rules(holder: &mut Value) {
    for key in ["group", "rule"] {
        for item in holder.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
            if key == "rule" {
                rule(item);
            }
            rules(item);
        }
    }
}

fn rule(rule: &mut Value) {
    let source = rule.get("source").and_then(|sources| sources.get(0)).cloned().unwrap_or_default();
    let text = |key: &str| source.get(key).and_then(Value::as_str).map(str::to_owned);
    let simple = text("variable").as_deref() == Some("vvv");
    let focus = text("variable").or_else(|| text("context")).unwrap_or_default();
    for target in rule.get_mut("target").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(members) = target.as_object_mut() else { continue };
        let transform =
            members.get("transform").and_then(Value::as_str).unwrap_or_default().to_owned();
        if simple && transform == "create" {
            members.insert("transform".to_owned(), Value::from("copy"));
            members.insert("parameter".to_owned(), json!([{"valueId": "vvv"}]));
            members.remove("variable");
        }
        let parameters = members.get_mut("parameter").and_then(Value::as_array_mut);
        if let Some(parameters) = parameters
            && transform == "evaluate"
            && parameters.len() == 1
        {
            parameters.insert(0, json!({"valueId": focus}));
        }
    }
}

/// The model with a snapshot, which engines read instead of the differential.
fn definition(model: &Model) -> Value {
    let mut definition = model.definition.clone();
    let elements = definition.get("differential").and_then(|d| d.get("element")).cloned();
    let Some(Value::Array(mut elements)) = elements else { return definition };
    for (index, element) in elements.iter_mut().enumerate() {
        let Some(members) = element.as_object_mut() else { continue };
        let path = members.get("path").cloned().unwrap_or_default();
        let min = members.entry("min").or_insert(json!(0)).clone();
        let max = members.entry("max").or_insert(json!(if index == 0 { "*" } else { "1" })).clone();
        members.entry("id").or_insert_with(|| path.clone());
        members.insert("base".to_owned(), json!({"path": path, "min": min, "max": max}));
    }
    if let Some(members) = definition.as_object_mut() {
        members.insert("snapshot".to_owned(), json!({"element": elements}));
    }
    definition
}
