//! Logical models: what a source record looks like, read from R4 `StructureDefinition`s.
//!
//! The same model is the schema of ingest and the source type of the maps.

mod check;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

pub use check::{Checked, Violation};

use crate::fhir::r4::Primitive;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// A primitive value.
    Primitive(Primitive),
    /// An object: an index into [`Model::types`].
    Object(usize),
}

/// One field of an object.
#[derive(Debug, Clone)]
pub struct Field {
    /// The JSON name.
    pub name: Box<str>,
    /// It must be there.
    pub required: bool,
    /// It is an array.
    pub list: bool,
    /// What it, or each of its items, holds.
    pub content: FieldType,
    /// The only codes allowed.
    pub codes: Option<Arc<[Box<str>]>>,
}

/// An object of the model.
#[derive(Debug, Clone, Default)]
pub struct ObjectType {
    /// The path from the root, `data.participants`; empty for the root.
    pub path: String,
    /// Its fields in the order of the model.
    pub fields: Vec<Field>,
}

impl ObjectType {
    /// The position of a field.
    pub fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| *field.name == *name)
    }
}

/// The logical model of one kind of record.
#[derive(Debug, Clone)]
pub struct Model {
    /// The canonical URL.
    pub url: String,
    /// The name in camel case: `SessionLog`.
    pub name: String,
    /// The `StructureDefinition` as read.
    pub definition: Value,
    /// The objects; the first is the record.
    pub types: Vec<ObjectType>,
}

impl Model {
    /// Reads a `StructureDefinition` of kind `logical`; answers what is wrong with it.
    pub fn read(definition: Value) -> Result<Self, Vec<String>> {
        let text = |key: &str| definition.get(key).and_then(Value::as_str).map(str::to_owned);
        let mut wrong = Vec::new();
        let url = text("url").unwrap_or_default();
        let name = text("type").map(|t| t.rsplit('/').next().unwrap_or_default().to_owned());
        let name = name.or_else(|| text("name")).unwrap_or_default();
        if url.is_empty() || name.is_empty() {
            wrong.push("a logical model needs `url`, `name` and `type`".to_owned());
        }
        let mut reader = Reader { value_sets: value_sets(&definition), types: Vec::new(), wrong };
        reader.types.push(ObjectType::default());
        for element in elements(&definition) {
            reader.element(element);
        }
        if reader.wrong.is_empty() && reader.types.iter().all(|t| t.fields.is_empty()) {
            reader.wrong.push("no elements in `differential` or `snapshot`".to_owned());
        }
        if !reader.wrong.is_empty() {
            return Err(reader.wrong);
        }
        let types = reader.types;
        Ok(Self { url, name, definition, types })
    }

    /// The last segment of the URL: `session-log`.
    pub fn slug(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    /// `SessionLog.data.participants`, for messages.
    pub fn display(&self, object: usize) -> String {
        match self.types.get(object) {
            Some(t) if !t.path.is_empty() => format!("{}.{}", self.name, t.path),
            _ => self.name.clone(),
        }
    }
}

fn elements(definition: &Value) -> impl Iterator<Item = &Value> {
    let of = |view: &str| definition.get(view)?.get("element")?.as_array();
    of("snapshot").or_else(|| of("differential")).into_iter().flatten()
}

/// The codes of each contained value set, by `#id`.
fn value_sets(definition: &Value) -> HashMap<String, Arc<[Box<str>]>> {
    let contained = definition.get("contained").and_then(Value::as_array).into_iter().flatten();
    contained
        .filter_map(|set| Some((format!("#{}", set.get("id")?.as_str()?), codes(set))))
        .collect()
}

fn codes(set: &Value) -> Arc<[Box<str>]> {
    let includes = set.get("compose").and_then(|c| c.get("include")).and_then(Value::as_array);
    let concepts = includes.into_iter().flatten().filter_map(|i| i.get("concept")?.as_array());
    concepts.flatten().filter_map(|c| c.get("code")?.as_str()).map(Box::from).collect()
}

struct Reader {
    value_sets: HashMap<String, Arc<[Box<str>]>>,
    types: Vec<ObjectType>,
    wrong: Vec<String>,
}

impl Reader {
    fn element(&mut self, element: &Value) {
        let text = |key: &str| element.get(key).and_then(Value::as_str).unwrap_or_default();
        let path = text("path");
        // the first segment is the model's own name
        let Some((_, path)) = path.split_once('.') else { return };
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        let Some(owner) = self.types.iter().position(|t| t.path == parent) else {
            return self.wrong.push(format!("`{path}` comes before its parent, or has none"));
        };
        let code = element.get("type").and_then(|t| t.get(0)?.get("code")?.as_str());
        let code = code.unwrap_or_default();
        let content = if matches!(code, "BackboneElement" | "Element") {
            self.types.push(ObjectType { path: path.to_owned(), ..ObjectType::default() });
            FieldType::Object(self.types.len() - 1)
        } else if let Some(primitive) = Primitive::from_name(code) {
            FieldType::Primitive(primitive)
        } else {
            return self.wrong.push(format!("`{path}` has the unknown type `{code}`"));
        };
        let field = Field {
            name: name.into(),
            required: element.get("min").and_then(Value::as_u64).unwrap_or(0) > 0,
            list: !matches!(text("max"), "" | "0" | "1"),
            content,
            codes: self.binding(path, element),
        };
        let Some(owner) = self.types.get_mut(owner) else { return };
        if owner.field(name).is_some() {
            self.wrong.push(format!("`{path}` is defined twice"));
        }
        owner.fields.push(field);
    }

    fn binding(&mut self, path: &str, element: &Value) -> Option<Arc<[Box<str>]>> {
        let binding = element.get("binding")?;
        let set = binding.get("valueSet").and_then(Value::as_str)?;
        if binding.get("strength").and_then(Value::as_str) != Some("required") {
            return None;
        }
        let codes = self.value_sets.get(set).filter(|codes| !codes.is_empty()).cloned();
        if codes.is_none() {
            self.wrong.push(format!("`{path}` is bound to `{set}`, which is not contained here"));
        }
        codes
    }
}
