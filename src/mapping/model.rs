//! Logical models: what a source record looks like, read from R4 `StructureDefinition`s.
//!
//! The same model is the schema of ingest (`exchange/ingest/schema`) and the source type of the
//! maps, and is read here for both.

mod written;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use self::written::{Element, Written};

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
    /// The codes that it lists.
    pub codes: Option<Codes>,
    /// No other code is meant to come: the binding is `required`, not `extensible`.
    pub closed: bool,
}

/// Codes that a field may have.
pub type Codes = Arc<[Box<str>]>;

impl Field {
    /// The only codes that are meant to come, where the model says so.
    pub fn only_codes(&self) -> Option<&Codes> {
        self.codes.as_ref().filter(|_| self.closed)
    }
}

/// What is wrong with the text of a model, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The bytes meant.
    pub span: Range<usize>,
    /// What is wrong, and what is expected.
    pub message: String,
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
    /// Reads the text of a `StructureDefinition` of kind `logical`; answers all that is wrong with it.
    pub fn read(text: &str) -> Result<Self, Vec<Fault>> {
        let whole = |message: String| vec![Fault { span: 0..1, message }];
        let definition: Value =
            serde_json::from_str(text).map_err(|error| vec![written::fault(text, &error)])?;
        let written = Written::read(text).map_err(|fault| vec![fault])?;
        let name = written.kind.as_deref().and_then(|t| t.rsplit('/').next());
        let (Some(url), Some(name)) = (written.url, name.or(written.name.as_deref())) else {
            return Err(whole("a logical model needs `url`, `name` and `type`".to_owned()));
        };
        let name = name.to_owned();
        let value_sets = written.contained.iter().filter_map(|set| Some((set.url()?, set.codes())));
        let mut reader = Reader {
            text,
            value_sets: value_sets.collect(),
            types: vec![ObjectType::default()],
            wrong: Vec::new(),
        };
        for element in written.snapshot.or(written.differential).iter().flat_map(|v| &v.element) {
            reader.element(element);
        }
        if reader.wrong.is_empty() && reader.types.iter().all(|t| t.fields.is_empty()) {
            return Err(whole("no elements in `differential` or `snapshot`".to_owned()));
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

    /// The object at a path, `data`.
    pub fn object(&self, path: &str) -> Option<&ObjectType> {
        self.types.iter().find(|t| t.path == path)
    }
}

struct Reader<'a> {
    text: &'a str,
    value_sets: HashMap<String, Codes>,
    types: Vec<ObjectType>,
    wrong: Vec<Fault>,
}

impl Reader<'_> {
    fn wrong(&mut self, part: &str, message: String) {
        self.wrong.push(Fault { span: written::span(self.text, part), message });
    }

    fn element(&mut self, element: &Element<'_>) {
        let (place, path) = (element.path.get(), element.path());
        // the first segment is the model's own name
        let Some((_, path)) = path.split_once('.') else { return };
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        let Some(owner) = self.types.iter().position(|t| t.path == parent) else {
            let message = match parent {
                "" => format!("`{path}` comes before its parent, or has none"),
                _ => format!("`{path}` has no object `{parent}` before it that could hold it"),
            };
            return self.wrong(place, message);
        };
        let Some(content) = self.content(element, path) else { return };
        let list = self.is_list(element, path);
        let (codes, closed) = self.binding(element, path, content).unzip();
        let required = element.min > 0;
        let field = Field {
            name: name.into(),
            required,
            list,
            content,
            codes,
            closed: closed == Some(true),
        };
        let Some(owner) = self.types.get_mut(owner) else { return };
        if owner.field(name).is_some() {
            return self.wrong(place, format!("`{path}` is defined twice"));
        }
        owner.fields.push(field);
    }

    fn content(&mut self, element: &Element<'_>, path: &str) -> Option<FieldType> {
        let [kind] = element.kinds.as_slice() else {
            let message =
                format!("`{path}` needs one type; a field that may be of several is not read");
            self.wrong(element.path.get(), message);
            return None;
        };
        let code = kind.code();
        if matches!(&*code, "BackboneElement" | "Element") {
            self.types.push(ObjectType { path: path.to_owned(), ..ObjectType::default() });
            return Some(FieldType::Object(self.types.len() - 1));
        }
        let primitive = Primitive::from_name(&code);
        if primitive.is_none() {
            self.wrong(kind.code.get(), format!("`{path}` has the unknown type `{code}`"));
        }
        primitive.map(FieldType::Primitive)
    }

    /// Whether there may be more than one. R4 eld-2 and eld-3: `max` is a number, not under `min`, or `*`.
    fn is_list(&mut self, element: &Element<'_>, path: &str) -> bool {
        let Some(written) = element.max else { return false };
        let max = element.max();
        let most = if max == "*" { Some(u64::MAX) } else { max.parse().ok() };
        match most {
            Some(most) if most >= element.min => {}
            Some(_) => self.wrong(written.get(), format!("`{path}` has more `min` than `max`")),
            None => self
                .wrong(written.get(), format!("`max` of `{path}` is a number in quotes, or `*`")),
        }
        !matches!(&*max, "0" | "1")
    }

    /// The codes that a binding lists, and whether they are all. R4 eld-11: a binding is of what may
    /// be a code; eld-12: it names its value set, which for us lies in the same file.
    fn binding(
        &mut self,
        element: &Element<'_>,
        path: &str,
        content: FieldType,
    ) -> Option<(Codes, bool)> {
        let written = element.binding?;
        let place = written.get();
        let coded = [Primitive::Code, Primitive::String, Primitive::Uri].map(FieldType::Primitive);
        if !coded.contains(&content) {
            self.wrong(
                place,
                format!("`{path}` has a binding, but is no `code`, `string` or `uri`"),
            );
            return None;
        }
        let Some(binding) = element.binding() else {
            self.wrong(place, format!("the binding of `{path}` needs `strength` and `valueSet`"));
            return None;
        };
        let closed = match &*binding.strength {
            "required" => true,
            "extensible" => false,
            other => {
                let help = "`required` and `extensible` are read here";
                self.wrong(place, format!("`{path}` is bound with the strength `{other}`; {help}"));
                return None;
            }
        };
        let codes = self.value_sets.get(&binding.value_set).filter(|codes| !codes.is_empty());
        let codes = codes.cloned();
        if codes.is_none() {
            let set = &binding.value_set;
            self.wrong(place, format!("`{path}` is bound to `{set}`, which is not contained here"));
        }
        codes.map(|codes| (codes, closed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a model of these elements: the part of the text meant, and the message.
    fn faults(elements: &str) -> Vec<(String, String)> {
        let text = format!(
            r#"{{"url": "u", "name": "N", "type": "N", "contained": [
                {{"resourceType": "ValueSet", "id": "s", "compose": {{"include": [{{"concept": [{{"code": "a"}}]}}]}}}}],
                "differential": {{"element": [{elements}]}}}}"#
        );
        let faults = Model::read(&text).err().unwrap_or_default();
        faults.into_iter().map(|f| (text.get(f.span).unwrap().to_owned(), f.message)).collect()
    }

    #[test]
    fn a_broken_model_says_everything_that_is_wrong_and_where() {
        let wrong = [
            (r#"{"path": "N.a.b", "type": [{"code": "string"}]}"#, r#""N.a.b""#, "no object `a`"),
            (r#"{"path": "N.c", "type": [{"code": "strin"}]}"#, r#""strin""#, "unknown type"),
            (r#"{"path": "N.d"}"#, r#""N.d""#, "one type"),
            (
                r#"{"path": "N.e", "type": [{"code": "string"}, {"code": "integer"}]}"#,
                r#""N.e""#,
                "one type",
            ),
            (
                r#"{"path": "N.f", "min": 2, "max": "1", "type": [{"code": "string"}]}"#,
                r#""1""#,
                "min",
            ),
            (r#"{"path": "N.g", "max": "many", "type": [{"code": "string"}]}"#, r#""many""#, "max"),
            (
                r#"{"path": "N.h", "type": [{"code": "code"}], "binding": {"strength": "required"}}"#,
                r#"{"strength": "required"}"#,
                "needs `strength` and `valueSet`",
            ),
            (
                r##"{"path": "N.i", "type": [{"code": "date"}], "binding": {"strength": "required", "valueSet": "#s"}}"##,
                r##"{"strength": "required", "valueSet": "#s"}"##,
                "has a binding",
            ),
            (
                r##"{"path": "N.j", "type": [{"code": "code"}], "binding": {"strength": "example", "valueSet": "#s"}}"##,
                r##"{"strength": "example", "valueSet": "#s"}"##,
                "strength `example`",
            ),
            (
                r##"{"path": "N.k", "type": [{"code": "code"}], "binding": {"strength": "required", "valueSet": "#t"}}"##,
                r##"{"strength": "required", "valueSet": "#t"}"##,
                "not contained",
            ),
        ];
        let elements: Vec<_> = wrong.iter().map(|(element, ..)| *element).collect();
        let found = faults(&elements.join(","));
        assert_eq!(found.len(), wrong.len(), "{found:?}");
        for ((_, part, message), found) in wrong.iter().zip(&found) {
            assert_eq!(found.0, *part);
            assert!(found.1.contains(message), "{found:?}");
        }
    }

    #[test]
    fn a_field_twice_or_an_element_of_another_shape_is_told() {
        let twice = r#"{"path": "N.a", "type": [{"code": "string"}]}"#;
        assert_eq!(faults(&[twice, twice].join(","))[0].1, "`a` is defined twice");
        let shape = faults(r#"{"path": "N.a", "type": "string"}"#);
        assert!(shape[0].1.contains("expected a sequence"), "{shape:?}");
        assert_eq!(faults("")[0].1, "no elements in `differential` or `snapshot`");
    }

    #[test]
    fn an_extensible_list_of_codes_is_not_the_only_one() {
        let text = r##"{"url": "u", "name": "N", "contained": [{"id": "s", "compose":
            {"include": [{"concept": [{"code": "a"}]}]}}], "differential": {"element": [
            {"path": "N.open", "type": [{"code": "code"}], "binding": {"strength": "extensible", "valueSet": "#s"}},
            {"path": "N.shut", "type": [{"code": "code"}], "binding": {"strength": "required", "valueSet": "#s"}}]}}"##;
        let model = Model::read(text).unwrap();
        let [open, shut] = model.types[0].fields.as_slice() else { panic!("two fields") };
        assert!(open.codes.is_some() && open.only_codes().is_none());
        assert!(shut.only_codes().is_some_and(|codes| *codes[0] == *"a"));
    }
}
