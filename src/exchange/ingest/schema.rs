//! Checks a record's data against the logical model of its kind.
//!
//! What has the wrong shape is refused. A code that the model does not list is let through and
//! told: a platform's new status must not stop a record, and the map decides what it means.
//! Fields that the model does not name are kept, told, and never served.

use jiff::tz::TimeZone;
use serde_json::Value;

use super::reject::{Reject, token};
use super::{text, time};
use crate::fhir::r4::Primitive;
use crate::mapping::{Field, FieldType, Model, ObjectType};

/// What a check found that does not keep the record out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// What is worth telling, by code and pointer.
    pub warnings: Vec<(&'static str, String)>,
    /// Fields that the model does not name.
    pub unknown: Vec<String>,
}

/// Checks `data`, brings its times into form, and answers what else was found.
pub(crate) fn check(
    model: &Model,
    data: &mut Value,
    zone: Option<&TimeZone>,
) -> Result<Findings, Reject> {
    let mut check = Check { model, zone, findings: Findings::default() };
    if let Some(object) = model.object("data") {
        check.object(object, data, "/data")?;
    }
    Ok(check.findings)
}

struct Check<'a> {
    model: &'a Model,
    zone: Option<&'a TimeZone>,
    findings: Findings,
}

impl Check<'_> {
    fn object(&mut self, object: &ObjectType, value: &mut Value, at: &str) -> Result<(), Reject> {
        let Value::Object(map) = value else {
            return Err(Reject::schema(at, "this has to be an object"));
        };
        for field in object.fields.iter().filter(|field| field.required) {
            if map.get(&*field.name).is_none_or(is_empty) {
                let detail = "the field is required; send it";
                return Err(Reject::schema(at.to_owned() + &token(&field.name), detail));
            }
        }
        for (name, value) in map.iter_mut() {
            let at = at.to_owned() + &token(name);
            match object.fields.iter().find(|field| *field.name == **name) {
                Some(field) => self.field(field, value, at)?,
                None if object.fields.is_empty() => {}
                None => self.findings.unknown.push(at),
            }
        }
        Ok(())
    }

    fn field(&mut self, field: &Field, value: &mut Value, at: String) -> Result<(), Reject> {
        match value {
            Value::Null => Ok(()),
            Value::Array(items) if field.list => {
                for (i, item) in items.iter_mut().enumerate() {
                    self.single(field, item, &format!("{at}/{i}"))?;
                }
                Ok(())
            }
            _ if field.list => Err(Reject::schema(at, "this has to be a list")),
            value => self.single(field, value, &at),
        }
    }

    fn single(&mut self, field: &Field, value: &mut Value, at: &str) -> Result<(), Reject> {
        if let Value::String(text) = value {
            text::check_length(text).map_err(|reject| reject.at(at))?;
            if field.codes.as_ref().is_some_and(|codes| !codes.iter().any(|code| **code == **text))
            {
                self.findings.warnings.push(("unknown_code", at.to_owned()));
            }
        }
        match field.content {
            FieldType::Object(object) => match self.model.types.get(object) {
                Some(object) => self.object(object, value, at),
                None => Ok(()),
            },
            FieldType::Primitive(primitive) => {
                let remark = self.value(primitive, value).map_err(|reject| reject.at(at))?;
                self.findings.warnings.extend(remark.map(|remark| (remark, at.to_owned())));
                Ok(())
            }
        }
    }

    /// Checks one value against its type; answers what is worth telling.
    fn value(
        &self,
        primitive: Primitive,
        value: &mut Value,
    ) -> Result<Option<&'static str>, Reject> {
        let wrong = |what: &str| Err(Reject::schema("", format!("this has to be {what}")));
        match (primitive, &mut *value) {
            (Primitive::Boolean, Value::Bool(_)) | (Primitive::Decimal, Value::Number(_)) => {
                Ok(None)
            }
            (Primitive::Boolean, _) => wrong("true or false"),
            (Primitive::Decimal, _) => wrong("a number"),
            (Primitive::Integer, value) => whole(value, i64::MIN),
            (Primitive::UnsignedInt, value) => whole(value, 0),
            (Primitive::PositiveInt, value) => whole(value, 1),
            (Primitive::Date, Value::String(text)) => time::check_date(text).map(|()| None),
            (Primitive::DateTime, Value::String(text)) if text.len() <= 10 => {
                time::check_date(text).map(|()| None)
            }
            (Primitive::DateTime | Primitive::Instant, Value::String(text)) => {
                let time = time::read(text, self.zone)?;
                if let Some(changed) = time.changed {
                    *text = changed;
                }
                Ok(time.remark)
            }
            (Primitive::Time, Value::String(text)) => time::check_time_of_day(text).map(|()| None),
            (Primitive::Date, _) => wrong("a date"),
            (Primitive::DateTime | Primitive::Instant | Primitive::Time, _) => wrong("a time"),
            (_, Value::String(_)) => Ok(None),
            _ => wrong("text"),
        }
    }
}

fn whole(value: &Value, least: i64) -> Result<Option<&'static str>, Reject> {
    let wrong = |what: String| Err(Reject::schema("", format!("this has to be {what}")));
    let Value::Number(number) = value else { return wrong("a whole number".to_owned()) };
    match number.as_i64().or(number.as_u64().map(|_large| i64::MAX)) {
        Some(whole) if whole >= least => Ok(None),
        Some(_) => wrong(format!("{least} or more")),
        None => wrong("a whole number".to_owned()),
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

    fn model() -> Model {
        let element = |path: &str, min: u64, max: &str, kind: &str| {
            json!({"path": path, "min": min, "max": max, "type": [{"code": kind}],
                "binding": (kind == "code")
                    .then(|| json!({"strength": "extensible", "valueSet": "#status"}))})
        };
        let text = json!({
            "url": "https://x.example/x", "name": "X",
            "contained": [{"id": "status", "compose": {"include": [{"concept": [{"code": "done"}]}]}}],
            "differential": {"element": [
                {"path": "X"},
                element("X.id", 1, "1", "string"),
                element("X.data", 1, "1", "BackboneElement"),
                element("X.data.status", 1, "1", "code"),
                element("X.data.at", 0, "1", "dateTime"),
                element("X.data.items", 0, "*", "BackboneElement"),
                element("X.data.items.count", 1, "1", "positiveInt"),
            ]}
        });
        Model::read(&text.to_string()).unwrap()
    }

    fn refused(mut data: Value) -> String {
        check(&model(), &mut data, None).unwrap_err().pointer
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
        let findings = check(&model(), &mut data, None).unwrap();
        assert_eq!(findings.warnings, [("unknown_code", "/data/status".to_owned())]);
        assert_eq!(findings.unknown, ["/data/colour"]);
        assert_eq!(data["at"], "2026-07-01T17:00:00Z");
    }
}
