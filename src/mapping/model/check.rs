//! Checks a record against its model, before anything is done with it.

use serde_json::{Map, Value};

use super::{Field, FieldType, Model};
use crate::fhir::r4::Form;

/// Where a record does not fit its model. Holds no content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field, as a JSON pointer into the record.
    pub pointer: String,
    /// What is wrong, and what is expected.
    pub message: String,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Where the record does not fit.
    pub violations: Vec<Violation>,
    /// Fields that the model does not know, as JSON pointers: kept, reported, never mapped.
    pub unknown: Vec<String>,
}

/// Deeper nesting is refused.
const MAX_DEPTH: usize = 64;

impl Model {
    /// Checks a record as the platform sends it: envelope and `data`.
    ///
    /// `derived` may not be there, it is ours to add; `data` may be absent from a `void`.
    pub fn check(&self, record: &Value) -> Checked {
        let mut check = Check { model: self, found: Checked::default(), incoming: true };
        check.object("", record, 0, 0);
        check.found
    }

    /// Checks the input of a map: envelope, `data` and `derived`.
    pub fn check_view(&self, view: &Value) -> Checked {
        let mut check = Check { model: self, found: Checked::default(), incoming: false };
        check.object("", view, 0, 0);
        check.found
    }
}

struct Check<'a> {
    model: &'a Model,
    found: Checked,
    incoming: bool,
}

impl Check<'_> {
    fn violation(&mut self, pointer: &str, message: impl Into<String>) {
        self.found
            .violations
            .push(Violation { pointer: pointer.to_owned(), message: message.into() });
    }

    fn object(&mut self, pointer: &str, value: &Value, object: usize, depth: usize) {
        let Some(members) = value.as_object() else {
            return self.violation(pointer, "an object is expected here");
        };
        if depth > MAX_DEPTH {
            return self.violation(pointer, "nested too deeply");
        }
        let Some(t) = self.model.types.get(object) else { return };
        for (key, value) in members {
            let at = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
            match t.field(key).and_then(|field| t.fields.get(field)) {
                None => self.found.unknown.push(at),
                Some(_) if self.incoming && at == "/derived" => {
                    self.violation(
                        &at,
                        "`derived` is worked out by the gateway and may not be sent",
                    );
                }
                Some(field) => self.field(&at, field, value, depth),
            }
        }
        for field in &t.fields {
            self.presence(pointer, field, members);
        }
    }

    fn presence(&mut self, pointer: &str, field: &Field, members: &Map<String, Value>) {
        let absent = members
            .get(&*field.name)
            .is_none_or(|v| v.is_null() || v.as_array().is_some_and(Vec::is_empty));
        if !field.required || !absent {
            return;
        }
        let void = members.get("op").and_then(Value::as_str) == Some("void");
        let ours = self.incoming && pointer.is_empty() && &*field.name == "derived";
        let kept = void && pointer.is_empty() && &*field.name == "data";
        if !ours && !kept {
            let at = format!("{pointer}/{}", field.name);
            self.violation(&at, "this field is required");
        }
    }

    fn field(&mut self, pointer: &str, field: &Field, value: &Value, depth: usize) {
        match (field.list, value) {
            (_, Value::Null) => {}
            (true, Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.item(&format!("{pointer}/{index}"), field, item, depth);
                }
            }
            (true, _) => self.violation(pointer, "an array is expected here"),
            (false, item) => self.item(pointer, field, item, depth),
        }
    }

    fn item(&mut self, pointer: &str, field: &Field, value: &Value, depth: usize) {
        let primitive = match field.content {
            FieldType::Object(object) => return self.object(pointer, value, object, depth + 1),
            FieldType::Primitive(primitive) => primitive,
        };
        let text = match (primitive.form(), value) {
            (Form::Boolean, Value::Bool(_)) => return,
            (Form::Number, Value::Number(number)) => number.to_string(),
            // an empty text is an absent one
            (Form::Text, Value::String(text)) if text.is_empty() => {
                if field.required {
                    self.violation(pointer, "this field is required and may not be empty");
                }
                return;
            }
            (Form::Text, Value::String(text)) => text.clone(),
            _ => {
                return self.violation(pointer, format!("a {} is expected here", primitive.name()));
            }
        };
        if !primitive.accepts(&text) {
            self.violation(pointer, format!("not a valid {}", primitive.name()));
        } else if let Some(codes) = &field.codes
            && !codes.iter().any(|code| **code == *text)
        {
            let message = if codes.len() <= 24 {
                format!("not one of: {}", codes.join(", "))
            } else {
                "not one of the codes of the model".to_owned()
            };
            self.violation(pointer, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn model() -> Model {
        Model::read(json!({
            "resourceType": "StructureDefinition", "url": "https://x.example/StructureDefinition/visit",
            "name": "Visit", "type": "Visit", "kind": "logical",
            "contained": [{"resourceType": "ValueSet", "id": "status", "compose": {"include": [
                {"concept": [{"code": "open"}, {"code": "done"}]}]}}],
            "differential": {"element": [
                {"path": "Visit"},
                {"path": "Visit.op", "min": 1, "max": "1", "type": [{"code": "code"}]},
                {"path": "Visit.data", "min": 1, "max": "1", "type": [{"code": "BackboneElement"}]},
                {"path": "Visit.data.status", "min": 1, "max": "1", "type": [{"code": "code"}],
                 "binding": {"strength": "required", "valueSet": "#status"}},
                {"path": "Visit.data.at", "min": 0, "max": "*", "type": [{"code": "dateTime"}]},
                {"path": "Visit.derived", "min": 1, "max": "1", "type": [{"code": "BackboneElement"}]}
            ]}
        }))
        .unwrap()
    }

    #[test]
    fn a_record_is_checked_field_by_field() {
        let found = model().check(&json!({"op": "upsert", "more": 1,
            "data": {"status": "gone", "at": ["2026-01-01", "soon"], "note": "x"}}));
        let mut pointers: Vec<_> = found.violations.iter().map(|v| v.pointer.as_str()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/data/at/1", "/data/status"]);
        let mut unknown = found.unknown;
        unknown.sort_unstable();
        assert_eq!(unknown, ["/data/note", "/more"]);
        assert!(found.violations.iter().any(|v| v.message.contains("open, done")));
    }

    #[test]
    fn derived_facts_are_ours_and_a_void_needs_no_data() {
        let model = model();
        assert_eq!(model.check(&json!({"op": "void"})).violations, []);
        assert_eq!(model.check(&json!({"op": "void", "derived": {}})).violations.len(), 1);
        assert_eq!(model.check(&json!({"op": "upsert"})).violations.len(), 1);
        assert_eq!(model.check_view(&json!({"op": "void"})).violations.len(), 1);
    }

    #[test]
    fn a_broken_model_says_everything_that_is_wrong() {
        let wrong = Model::read(json!({"url": "u", "name": "N", "differential": {"element": [
            {"path": "N.a.b", "type": [{"code": "string"}]}, {"path": "N.c", "type": [{"code": "strin"}]}]}}));
        assert_eq!(wrong.unwrap_err().len(), 2);
    }
}
