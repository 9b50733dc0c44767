//! The R4 4.0.1 element table: paths, order, cardinality, types and required codes.
//!
//! Generated from HL7's definitions by `mappings/r4/generate.py` and read once per map set. It
//! knows the resources this gateway handles and every datatype; nothing else.
//! <https://hl7.org/fhir/R4/elementdefinition.html>

pub mod check;
pub mod primitive;

use std::collections::HashMap;
use std::sync::Arc;

pub use check::Issue;
pub use primitive::{Form, Primitive};

/// Index of a type in [`Elements`].
pub type TypeId = usize;

/// What an element holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    /// A primitive value.
    Primitive(Primitive),
    /// A datatype or backbone element.
    Object(TypeId),
    /// Any resource.
    Resource,
}

/// One element of a type.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "they are the flags of an ElementDefinition")]
pub struct Element {
    /// The name, without `[x]`.
    pub name: Box<str>,
    /// At least one is required.
    pub required: bool,
    /// It repeats: a JSON array.
    pub list: bool,
    /// What it may hold; several for a choice.
    pub content: Vec<Content>,
    /// It is a choice: the type's name is part of the JSON name.
    pub choice: bool,
    /// The only codes allowed.
    pub codes: Option<Arc<[Box<str>]>>,
    /// It is part of the summary; only known of the elements of resources.
    pub summary: bool,
    /// It changes the meaning of the others; only known of the elements of resources.
    pub modifier: bool,
}

/// An element as one JSON name selects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The position in [`Type::elements`], which is the order of definition.
    pub element: usize,
    /// What it holds under this name.
    pub content: Content,
}

/// A resource, datatype or backbone element.
#[derive(Debug)]
pub struct Type {
    /// `Patient`, `HumanName`, `Patient.contact`.
    pub name: Box<str>,
    /// It is a resource.
    pub resource: bool,
    /// Its elements, inherited ones included, in the order of definition.
    pub elements: Vec<Element>,
    slots: HashMap<Box<str>, Slot>,
}

impl Type {
    /// The element that a JSON name selects, choices by their full name (`valueQuantity`).
    pub fn slot(&self, json_name: &str) -> Option<Slot> {
        self.slots.get(json_name).copied()
    }

    /// The element of this name, choices without type and `[x]`.
    pub fn element(&self, name: &str) -> Option<(usize, &Element)> {
        self.elements.iter().enumerate().find(|(_, element)| &*element.name == name)
    }

    /// The JSON names of the elements.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.slots.keys().map(AsRef::as_ref)
    }
}

/// The element table.
#[derive(Debug)]
pub struct Elements {
    types: Vec<Type>,
    by_name: HashMap<Box<str>, TypeId>,
}

const TABLE: &str = include_str!("r4/elements.txt");

impl Default for Elements {
    fn default() -> Self {
        Self::new()
    }
}

impl Elements {
    /// Reads the table.
    pub fn new() -> Self {
        Reader::default().read(TABLE)
    }

    /// The type of this index.
    pub fn get(&self, id: TypeId) -> Option<&Type> {
        self.types.get(id)
    }

    /// The type of this name: `Patient`, `HumanName`, `Patient.contact`.
    pub fn find(&self, name: &str) -> Option<TypeId> {
        self.by_name.get(name).copied()
    }

    /// The names of all types.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.types.iter().map(|t| &*t.name)
    }

    /// The name of what an element holds.
    pub fn content_name(&self, content: Content) -> &str {
        match content {
            Content::Primitive(primitive) => primitive.name(),
            Content::Object(id) => self.get(id).map_or("", |t| &t.name),
            Content::Resource => "Resource",
        }
    }
}

/// One line of the table, before names are resolved.
struct Line {
    owner: TypeId,
    types: Box<str>,
}

#[derive(Default)]
struct Reader {
    types: Vec<Type>,
    by_name: HashMap<Box<str>, TypeId>,
    lines: Vec<Line>,
    /// The type that owns elements at each depth.
    owners: Vec<TypeId>,
    codes: HashMap<Box<str>, Arc<[Box<str>]>>,
}

impl Reader {
    fn read(mut self, table: &str) -> Elements {
        for line in table.lines() {
            let depth = line.bytes().take_while(|b| *b == b' ').count();
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            match words.as_slice() {
                ["type" | "resource", name] if depth == 0 => {
                    let resource = words.first() == Some(&"resource");
                    let id = self.add_type(name, resource);
                    self.owners = vec![id];
                }
                ["codes", name, codes @ ..] if depth == 0 => {
                    let codes = codes.iter().map(|code| Box::from(*code)).collect();
                    self.codes.insert(Box::from(*name), codes);
                }
                [name, min, max, types] => self.add_element(depth, name, [min, max, types, ""]),
                [name, min, max, types, flags] => {
                    self.add_element(depth, name, [min, max, types, flags]);
                }
                _ => {}
            }
        }
        self.resolve();
        Elements { types: self.types, by_name: self.by_name }
    }

    fn add_type(&mut self, name: &str, resource: bool) -> TypeId {
        let id = self.types.len();
        self.by_name.insert(name.into(), id);
        self.types.push(Type {
            name: name.into(),
            resource,
            elements: Vec::new(),
            slots: HashMap::new(),
        });
        id
    }

    fn add_element(&mut self, depth: usize, name: &str, [min, max, types, flags]: [&str; 4]) {
        self.owners.truncate(depth);
        let Some(&owner) = self.owners.last() else { return };
        let mut types: Box<str> = types.into();
        if matches!(&*types, "BackboneElement" | "Element") {
            let path = format!("{}.{name}", self.types.get(owner).map_or("", |t| &*t.name));
            let child = self.add_type(&path, false);
            self.owners.push(child);
            types = path.into();
        }
        if let Some(owner) = self.types.get_mut(owner) {
            owner.elements.push(Element {
                name: name.trim_end_matches("[x]").into(),
                required: min != "0",
                list: max != "1" && max != "0",
                content: Vec::new(),
                choice: name.ends_with("[x]"),
                codes: None,
                summary: flags.contains('s'),
                modifier: flags.contains('m'),
            });
        }
        self.lines.push(Line { owner, types });
    }

    /// Turns type names into contents, now that every type is known.
    fn resolve(&mut self) {
        let mut next: HashMap<TypeId, usize> = HashMap::new();
        for line in std::mem::take(&mut self.lines) {
            let index = next.entry(line.owner).or_default();
            let position = *index;
            *index += 1;
            let (types, codes) = match line.types.split_once('=') {
                Some((types, set)) => (types, self.codes.get(set).cloned()),
                None => (&*line.types, None),
            };
            let content: Vec<Content> = types.split('|').filter_map(|t| self.content(t)).collect();
            let names: Vec<&str> = types.split('|').filter(|t| self.content(t).is_some()).collect();
            let Some(owner) = self.types.get_mut(line.owner) else { continue };
            let Some(element) = owner.elements.get_mut(position) else { continue };
            for (content, name) in content.iter().zip(names) {
                let json = if element.choice {
                    format!("{}{}", element.name, capitalised(name)).into()
                } else {
                    element.name.clone()
                };
                owner.slots.insert(json, Slot { element: position, content: *content });
            }
            element.content = content;
            element.codes = codes;
        }
    }

    fn content(&self, name: &str) -> Option<Content> {
        if name == "Resource" {
            return Some(Content::Resource);
        }
        let name = name.strip_prefix('#').unwrap_or(name);
        Primitive::from_name(name)
            .map(Content::Primitive)
            .or_else(|| self.by_name.get(name).map(|id| Content::Object(*id)))
    }
}

/// A type's name as it stands in the JSON name of a choice: `valueDateTime`.
pub fn capitalised(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_of_the_table_resolves() {
        let elements = Elements::new();
        for t in &elements.types {
            for element in &t.elements {
                assert!(!element.content.is_empty(), "{}.{}", t.name, element.name);
            }
        }
        assert!(elements.find("Composition.section").is_some());
    }

    #[test]
    fn choices_backbones_and_references_to_content_are_found_by_json_name() {
        let elements = Elements::new();
        let get = |name: &str| elements.get(elements.find(name).unwrap()).unwrap();
        let status = &get("Encounter").elements[get("Encounter").slot("status").unwrap().element];
        assert!(status.required && !status.list);
        assert!(status.codes.as_ref().unwrap().iter().any(|c| &**c == "onleave"));
        assert_eq!(
            get("Observation").slot("valueQuantity").unwrap().content,
            Content::Object(elements.find("Quantity").unwrap())
        );
        assert_eq!(get("Observation").slot("value"), None);
        assert_eq!(
            get("QuestionnaireResponse.item.answer").slot("item").unwrap().content,
            Content::Object(elements.find("QuestionnaireResponse.item").unwrap())
        );
        assert!(get("Meta").slot("project").is_none());
    }
}
