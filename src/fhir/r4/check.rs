//! Checks FHIR JSON against the element table: unknown elements, cardinality, types, formats and
//! required codes. It checks no invariants, no profiles and no references.

use serde_json::{Map, Value};

use super::{Content, Element, Elements, Form, Primitive, Type, TypeId};

/// A departure from the R4 element table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The FHIRPath of the element, such as `Patient.contact[0].gender`.
    pub expression: String,
    /// The issue type of an OperationOutcome: `structure`, `required`, `value` or `code-invalid`.
    pub code: &'static str,
    /// What is wrong; holds no content.
    pub message: String,
}

/// Deeper nesting is refused.
const MAX_DEPTH: usize = 64;

impl Elements {
    /// Checks a resource; an empty answer means that it keeps to the table.
    pub fn check(&self, resource: &Value) -> Vec<Issue> {
        let mut check = Check { elements: self, issues: Vec::new() };
        check.resource("", resource, 0);
        check.issues
    }
}

struct Check<'a> {
    elements: &'a Elements,
    issues: Vec<Issue>,
}

impl Check<'_> {
    fn issue(&mut self, expression: &str, code: &'static str, message: impl Into<String>) {
        self.issues.push(Issue {
            expression: expression.to_owned(),
            code,
            message: message.into(),
        });
    }

    fn resource(&mut self, path: &str, value: &Value, depth: usize) {
        let name = value.get("resourceType").and_then(Value::as_str);
        let found = name.and_then(|name| self.elements.find(name));
        match (name, found.filter(|id| self.elements.get(*id).is_some_and(|t| t.resource))) {
            (Some(name), Some(id)) => {
                let path = if path.is_empty() { name } else { path };
                self.object(path, value, id, depth);
            }
            (Some(_), None) => {
                self.issue(path, "not-supported", "this resource type is not supported here");
            }
            (None, _) => self.issue(path, "structure", "a resource needs a resourceType"),
        }
    }

    fn object(&mut self, path: &str, value: &Value, id: TypeId, depth: usize) {
        let (Some(object), Some(t)) = (value.as_object(), self.elements.get(id)) else {
            return self.issue(path, "structure", "an object is expected here");
        };
        if depth > MAX_DEPTH {
            return self.issue(path, "structure", "nested too deeply");
        }
        if object.is_empty() {
            self.issue(path, "structure", "an object may not be empty");
        }
        for (key, value) in object {
            self.member(path, t, key, value, depth);
        }
        self.cardinality(path, t, object);
    }

    fn member(&mut self, path: &str, t: &Type, key: &str, value: &Value, depth: usize) {
        if key == "resourceType" && t.resource {
            return;
        }
        let name = key.strip_prefix('_').unwrap_or(key);
        let Some((slot, element)) =
            t.slot(name).and_then(|slot| Some((slot, t.elements.get(slot.element)?)))
        else {
            return self.issue(path, "structure", format!("{} has no element `{key}`", t.name));
        };
        let path = format!("{path}.{name}");
        let extended = key != name;
        match (element.list, value) {
            (true, Value::Array(items)) => {
                if items.is_empty() {
                    self.issue(&path, "structure", "an array may not be empty");
                }
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    self.item(&path, element, slot.content, item, (extended, true), depth);
                }
            }
            (false, Value::Array(_)) => {
                self.issue(&path, "structure", "this element does not repeat");
            }
            (true, _) => {
                self.issue(&path, "structure", "this element repeats: an array is expected");
            }
            (false, item) => {
                self.item(&path, element, slot.content, item, (extended, false), depth);
            }
        }
    }

    fn item(
        &mut self,
        path: &str,
        element: &Element,
        content: Content,
        value: &Value,
        (extended, in_list): (bool, bool),
        depth: usize,
    ) {
        match content {
            Content::Primitive(_) if in_list && value.is_null() => {}
            Content::Primitive(_) if extended => match self.elements.find("Element") {
                Some(id) => self.object(path, value, id, depth + 1),
                None => self.issue(path, "structure", "extensions are not known here"),
            },
            _ if extended => self.issue(path, "structure", "only primitives have a `_` member"),
            Content::Primitive(primitive) => self.primitive(path, element, primitive, value),
            Content::Object(id) => self.object(path, value, id, depth + 1),
            Content::Resource => self.resource(path, value, depth + 1),
        }
    }

    fn primitive(&mut self, path: &str, element: &Element, primitive: Primitive, value: &Value) {
        let text = match (primitive.form(), value) {
            (Form::Boolean, Value::Bool(_)) => return,
            (Form::Number, Value::Number(number)) => number.to_string(),
            (Form::Text, Value::String(text)) => text.clone(),
            _ => {
                return self.issue(
                    path,
                    "structure",
                    format!("a {} is expected", primitive.name()),
                );
            }
        };
        if !primitive.accepts(&text) {
            self.issue(path, "value", format!("not a valid {}", primitive.name()));
        } else if element.codes.as_ref().is_some_and(|codes| !codes.iter().any(|c| **c == *text)) {
            self.issue(path, "code-invalid", "not a code of the required value set");
        }
    }

    fn cardinality(&mut self, path: &str, t: &Type, object: &Map<String, Value>) {
        let mut counts = vec![0_u8; t.elements.len()];
        for key in object.keys() {
            let name = key.strip_prefix('_').unwrap_or(key);
            if key != name && object.contains_key(name) {
                continue;
            }
            let count = t.slot(name).and_then(|slot| counts.get_mut(slot.element));
            if let Some(count) = count {
                *count = count.saturating_add(1);
            }
        }
        for (element, count) in t.elements.iter().zip(counts) {
            if element.required && count == 0 {
                self.issue(path, "required", format!("`{}` is required", element.name));
            }
            if element.choice && count > 1 {
                self.issue(path, "structure", format!("only one `{}[x]` is allowed", element.name));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn issues(value: &Value) -> Vec<(String, &'static str)> {
        Elements::new().check(value).into_iter().map(|i| (i.expression, i.code)).collect()
    }

    #[test]
    fn a_plain_patient_passes() {
        let patient = json!({"resourceType": "Patient", "id": "a", "gender": "female",
            "name": [{"given": ["A", null], "_given": [null, {"extension": [{"url": "http://x.example/y", "valueCode": "unknown"}]}]}],
            "_birthDate": {"extension": [{"url": "http://x.example/y", "valueCode": "unknown"}]}});
        assert_eq!(issues(&patient), []);
    }

    #[test]
    fn every_kind_of_departure_is_reported_with_its_place() {
        let encounter = json!({"resourceType": "Encounter", "status": "done", "class": [{}], "priorty": {},
            "participant": {"type": []}, "period": {"start": "yesterday"}, "length": {"value": "3"}});
        let found = issues(&encounter);
        for expected in [
            ("Encounter.status", "code-invalid"),
            ("Encounter.class", "structure"),
            ("Encounter", "structure"),
            ("Encounter.participant", "structure"),
            ("Encounter.period.start", "value"),
            ("Encounter.length.value", "structure"),
        ] {
            assert!(
                found.contains(&(expected.0.to_owned(), expected.1)),
                "{expected:?} in {found:?}"
            );
        }
    }

    #[test]
    fn required_elements_and_single_choices_are_counted() {
        let observation = json!({"resourceType": "Observation", "code": {"text": "x"},
            "valueString": "a", "valueInteger": 1});
        let found = issues(&observation);
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
