//! The type checker of `fml-check` over our element table and models. It looks at every group,
//! also at those that no map calls, which the compiler never sees.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fml_check::definitions::{Definitions, Element, Kind, Structure};

use super::span_of;
use crate::fhir::r4::{Content, Elements, Primitive, TypeId};
use crate::mapping::diagnostic::{Diagnostics, Place, SourceText};
use crate::mapping::model::{FieldType, Model};

const CORE: &str = "http://hl7.org/fhir/StructureDefinition/";

/// Checks the types in a file; what the compiler reported at the same place is not repeated.
pub(crate) fn check(
    source: &Arc<SourceText>,
    elements: &Elements,
    models: &[Model],
    diagnostics: &mut Diagnostics,
) {
    let known = Known { elements, models, made: RefCell::default() };
    let parse = fml_syntax::parse(&source.text);
    // The checker is for whole trees: in one with gaps it relies on what is not there.
    if parse.has_errors() {
        return;
    }
    for found in fml_check::check(&parse.tree(), &known) {
        let place = Place { source: Arc::clone(source), span: span_of(found.range) };
        if found.severity == fml_syntax::Severity::Error && !diagnostics.knows(&place) {
            diagnostics.error("MAP120", &place, found.message);
        }
    }
}

struct Known<'a> {
    elements: &'a Elements,
    models: &'a [Model],
    made: RefCell<HashMap<String, Arc<Structure>>>,
}

impl Definitions for Known<'_> {
    fn structure(&self, url: &str) -> Option<Arc<Structure>> {
        if let Some(made) = self.made.borrow().get(url) {
            return Some(Arc::clone(made));
        }
        let made = Arc::new(self.make(url)?);
        self.made.borrow_mut().insert(url.to_owned(), Arc::clone(&made));
        Some(made)
    }

    fn covers(&self, url: &str) -> bool {
        // the table has no abstract Resource; nothing can be said about it
        !url.ends_with("/Resource") && !url.ends_with("/DomainResource")
    }
}

impl Known<'_> {
    fn make(&self, url: &str) -> Option<Structure> {
        if let Some(model) = self.models.iter().find(|model| model.url == url) {
            let children = model_children(model, 0);
            return Some(structure(url, &model.name, Kind::Logical, children));
        }
        let name = url.strip_prefix(CORE)?;
        if Primitive::from_name(name).is_some() {
            let id = self.elements.find("Element")?;
            return Some(structure(url, name, Kind::PrimitiveType, self.children(id, 0)));
        }
        let id = self.elements.find(name)?;
        let kind = if self.elements.get(id)?.resource { Kind::Resource } else { Kind::ComplexType };
        Some(structure(url, name, kind, self.children(id, 0)))
    }

    fn children(&self, id: TypeId, depth: usize) -> BTreeMap<String, Element> {
        let mut children = BTreeMap::new();
        let Some(t) = self.elements.get(id) else { return children };
        for element in &t.elements {
            let types: Vec<String> =
                element.content.iter().map(|c| self.elements.content_name(*c).to_owned()).collect();
            let made = self.element(&t.name, element, depth);
            if element.choice {
                for name in types {
                    let concrete = Element {
                        types: vec![name.clone()],
                        choice_of: Some(element.name.to_string()),
                        ..made.clone()
                    };
                    let name = format!("{}{}", element.name, crate::fhir::r4::capitalised(&name));
                    children.insert(name, Element { choices: Vec::new(), ..concrete });
                }
            }
            children.insert(element.name.to_string(), made);
        }
        children
    }

    fn element(&self, owner: &str, element: &crate::fhir::r4::Element, depth: usize) -> Element {
        let mut made = Element { array: element.list, ..Element::default() };
        for content in &element.content {
            let name = self.elements.content_name(*content);
            match (content, name.split_once('.')) {
                // a backbone defined here has its children inline, one defined elsewhere is referred to
                (Content::Object(id), Some(_))
                    if name == format!("{owner}.{}", element.name) && depth < 16 =>
                {
                    made.types.push("BackboneElement".to_owned());
                    made.children = Arc::new(self.children(*id, depth + 1));
                }
                (Content::Object(_), Some((root, path))) => {
                    let path = path.split('.').map(str::to_owned).collect();
                    made.content_reference = Some((format!("{CORE}{root}"), path));
                }
                _ => made.types.push(name.to_owned()),
            }
        }
        made
    }
}

fn model_children(model: &Model, object: usize) -> BTreeMap<String, Element> {
    let fields = model.types.get(object).map(|t| t.fields.as_slice()).unwrap_or_default();
    let element = |field: &crate::mapping::model::Field| {
        let (name, children) = match field.content {
            FieldType::Primitive(primitive) => (primitive.name(), BTreeMap::new()),
            FieldType::Object(object) => ("BackboneElement", model_children(model, object)),
        };
        let types = vec![name.to_owned()];
        Element { types, array: field.list, children: Arc::new(children), ..Element::default() }
    };
    fields.iter().map(|field| (field.name.to_string(), element(field))).collect()
}

fn structure(url: &str, name: &str, kind: Kind, elements: BTreeMap<String, Element>) -> Structure {
    Structure {
        url: url.to_owned(),
        name: name.to_owned(),
        type_name: name.to_owned(),
        kind,
        is_abstract: false,
        base: None,
        elements,
    }
}
