//! Checks a record's data against the logical model of its kind.
//!
//! What has the wrong shape is refused. A code that the model does not list is let through and
//! told: a platform's new status must not stop a record, and the map decides what it means.
//! Fields that the model does not name are kept, told, and never served.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::reject::{Reject, token};
use super::{text, time};

/// An element of a logical model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Whether it has to be there.
    pub required: bool,
    /// Whether it is a list.
    pub list: bool,
    /// What its values may be; empty for anything.
    pub types: Vec<Type>,
    /// The codes it may have; empty for any.
    pub codes: Vec<String>,
    /// Its own elements.
    pub children: BTreeMap<String, Element>,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    /// Text.
    Text,
    /// True or false.
    Boolean,
    /// A whole number, not below the given one.
    Integer(i64),
    /// Any number.
    Decimal,
    /// A year, month or day.
    Date,
    /// A date, or a point in time.
    DateTime,
    /// A point in time.
    Instant,
    /// A time of day.
    Time,
    /// An object.
    Object,
}

/// What a check found that does not keep the record out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// What is worth telling, by code and pointer.
    pub warnings: Vec<(&'static str, String)>,
    /// Fields that the model does not name.
    pub unknown: Vec<String>,
}

impl Element {
    /// Reads what a logical `StructureDefinition` says about a record's `data`.
    pub(crate) fn of_data(definition: &Value) -> Self {
        let mut data = Self::default();
        let elements = |view: &str| definition.get(view)?.get("element")?.as_array();
        let elements = elements("snapshot").or_else(|| elements("differential"));
        for element in elements.into_iter().flatten() {
            let path = element.get("path").and_then(Value::as_str).unwrap_or_default();
            let mut names = path.split('.').skip(1);
            if names.next() == Some("data") {
                data.place(names, &Self::alone(definition, element));
            }
        }
        data
    }

    /// One element without its children.
    fn alone(definition: &Value, element: &Value) -> Self {
        let types = element.get("type").and_then(Value::as_array).into_iter().flatten();
        let type_of = |kind: &Value| kind.get("code").and_then(Value::as_str).and_then(Type::of);
        let value_set = element.pointer("/binding/valueSet").and_then(Value::as_str);
        Self {
            required: element.get("min").and_then(Value::as_u64).is_some_and(|min| min > 0),
            list: element.get("max").and_then(Value::as_str).is_some_and(|max| max != "1"),
            types: types.filter_map(type_of).collect(),
            codes: value_set.map(|url| codes(definition, url)).unwrap_or_default(),
            children: BTreeMap::new(),
        }
    }

    fn place<'a>(&mut self, mut names: impl Iterator<Item = &'a str>, element: &Self) {
        match names.next() {
            Some(name) => {
                self.children.entry(name.to_owned()).or_default().place(names, element);
            }
            None => *self = element.clone(),
        }
    }

    /// Checks `data`, brings its times into form, and answers what else was found.
    pub(crate) fn check(
        &self,
        data: &mut Value,
        zone: Option<&TimeZone>,
    ) -> Result<Findings, Reject> {
        let mut check = Check { zone, findings: Findings::default() };
        check.object(self, data, "/data")?;
        Ok(check.findings)
    }
}

impl Type {
    /// The type of this name; none for one that may be anything.
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "boolean" => Self::Boolean,
            "integer" => Self::Integer(i64::MIN),
            "unsignedInt" => Self::Integer(0),
            "positiveInt" => Self::Integer(1),
            "decimal" => Self::Decimal,
            "date" => Self::Date,
            "dateTime" => Self::DateTime,
            "instant" => Self::Instant,
            "time" => Self::Time,
            "BackboneElement" | "Element" => Self::Object,
            "Base" | "Any" => return None,
            _ => Self::Text,
        })
    }
}

/// The codes of a contained value set.
fn codes(definition: &Value, url: &str) -> Vec<String> {
    let sets = definition.get("contained").and_then(Value::as_array).into_iter().flatten();
    let named = |set: &&Value| set.get("id").and_then(Value::as_str) == url.strip_prefix('#');
    let list = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned();
    let includes = sets.filter(named).filter_map(|set| list(set.get("compose")?, "include"));
    let concepts = includes.flatten().filter_map(|include| list(&include, "concept"));
    concepts
        .flatten()
        .filter_map(|concept| concept.get("code").and_then(Value::as_str).map(str::to_owned))
        .collect()
}

struct Check<'a> {
    zone: Option<&'a TimeZone>,
    findings: Findings,
}

impl Check<'_> {
    fn object(&mut self, model: &Element, value: &mut Value, at: &str) -> Result<(), Reject> {
        let Value::Object(map) = value else {
            return Err(Reject::schema(at, "this has to be an object"));
        };
        for (name, element) in &model.children {
            if element.required && map.get(name).is_none_or(is_empty) {
                let detail = "the field is required; send it";
                return Err(Reject::schema(at.to_owned() + &token(name), detail));
            }
        }
        for (name, value) in map.iter_mut() {
            let at = at.to_owned() + &token(name);
            match model.children.get(name) {
                Some(element) => self.element(element, value, at)?,
                None if model.children.is_empty() => {}
                None => self.findings.unknown.push(at),
            }
        }
        Ok(())
    }

    fn element(&mut self, model: &Element, value: &mut Value, at: String) -> Result<(), Reject> {
        match value {
            Value::Null => Ok(()),
            Value::Array(items) if model.list => {
                for (i, item) in items.iter_mut().enumerate() {
                    self.single(model, item, &format!("{at}/{i}"))?;
                }
                Ok(())
            }
            _ if model.list => Err(Reject::schema(at, "this has to be a list")),
            value => self.single(model, value, &at),
        }
    }

    fn single(&mut self, model: &Element, value: &mut Value, at: &str) -> Result<(), Reject> {
        if let Value::String(text) = value {
            text::check_length(text).map_err(|reject| reject.at(at))?;
            if !model.codes.is_empty() && !model.codes.contains(text) {
                self.findings.warnings.push(("unknown_code", at.to_owned()));
            }
        }
        if !model.children.is_empty() {
            return self.object(model, value, at);
        }
        let mut refusal = None;
        for kind in &model.types {
            match self.value(*kind, value) {
                Ok(remark) => {
                    let found = remark.map(|remark| (remark, at.to_owned()));
                    self.findings.warnings.extend(found);
                    return Ok(());
                }
                Err(reject) => refusal = Some(reject),
            }
        }
        refusal.map_or(Ok(()), |reject| Err(reject.at(at)))
    }

    /// Checks one value against one type; answers what is worth telling.
    fn value(&self, kind: Type, value: &mut Value) -> Result<Option<&'static str>, Reject> {
        let wrong = |what: &str| Err(Reject::schema("", format!("this has to be {what}")));
        match (kind, &mut *value) {
            (Type::Text, Value::String(_))
            | (Type::Boolean, Value::Bool(_))
            | (Type::Decimal, Value::Number(_))
            | (Type::Object, Value::Object(_)) => Ok(None),
            (Type::Integer(least), Value::Number(number)) => {
                let whole = number.as_i64().or(number.as_u64().map(|_large| i64::MAX));
                match whole {
                    Some(whole) if whole >= least => Ok(None),
                    Some(_) => wrong(&format!("{least} or more")),
                    None => wrong("a whole number"),
                }
            }
            (Type::Date, Value::String(text)) => time::check_date(text).map(|()| None),
            (Type::DateTime, Value::String(text)) if text.len() <= 10 => {
                time::check_date(text).map(|()| None)
            }
            (Type::DateTime | Type::Instant, Value::String(text)) => {
                let time = time::read(text, self.zone)?;
                if let Some(changed) = time.changed {
                    *text = changed;
                }
                Ok(time.remark)
            }
            (Type::Time, Value::String(text)) => time::check_time_of_day(text).map(|()| None),
            (Type::Text, _) => wrong("text"),
            (Type::Boolean, _) => wrong("true or false"),
            (Type::Integer(_), _) => wrong("a whole number"),
            (Type::Decimal, _) => wrong("a number"),
            (Type::Date, _) => wrong("a date"),
            (Type::DateTime | Type::Instant | Type::Time, _) => wrong("a time"),
            (Type::Object, _) => wrong("an object"),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn model() -> Element {
        let element = |path: &str, min: u64, max: &str, kind: &str| {
            json!({"path": path, "min": min, "max": max, "type": [{"code": kind}],
                "binding": (kind == "code").then(|| json!({"valueSet": "#status"}))})
        };
        Element::of_data(&json!({
            "contained": [{"id": "status", "compose": {"include": [{"concept": [{"code": "done"}]}]}}],
            "differential": {"element": [
                element("X", 0, "*", ""),
                element("X.id", 1, "1", "string"),
                element("X.data", 1, "1", "BackboneElement"),
                element("X.data.status", 1, "1", "code"),
                element("X.data.at", 0, "1", "dateTime"),
                element("X.data.items", 0, "*", "BackboneElement"),
                element("X.data.items.count", 1, "1", "positiveInt"),
            ]}
        }))
    }

    fn refused(mut data: Value) -> String {
        model().check(&mut data, None).unwrap_err().pointer
    }

    #[test]
    fn a_wrong_shape_is_refused_at_its_place() {
        assert_eq!(refused(json!([])), "/data");
        assert_eq!(refused(json!({"at": "2026"})), "/data/status");
        assert_eq!(refused(json!({"status": 3})), "/data/status");
        assert_eq!(refused(json!({"status": "done", "at": "soon"})), "/data/at");
        assert_eq!(refused(json!({"status": "done", "items": {}})), "/data/items");
        assert_eq!(refused(json!({"status": "done", "items": [{}]})), "/data/items/0/count");
        let zero = json!({"status": "done", "items": [{"count": 1}, {"count": 0}]});
        assert_eq!(refused(zero), "/data/items/1/count");
        let long = "x".repeat(text::LONGEST + 1);
        assert_eq!(refused(json!({"status": long})), "/data/status");
    }

    #[test]
    fn unknown_fields_and_codes_are_let_through_and_told() {
        let mut data = json!({"status": "dropped", "colour": 1, "at": "2026-07-01T17:00Z"});
        let findings = model().check(&mut data, None).unwrap();
        assert_eq!(findings.warnings, [("unknown_code", "/data/status".to_owned())]);
        assert_eq!(findings.unknown, ["/data/colour"]);
        assert_eq!(data["at"], "2026-07-01T17:00:00Z");
    }
}
