//! Target shapes: which elements a map writes on each type, and which of them it owes.

use super::Compiler;
use crate::fhir::r4::{Content, Element, Primitive, TypeId};
use crate::mapping::diagnostic::{Place, did_you_mean};
use crate::mapping::fml::Name;
use crate::mapping::plan::{Shape, ShapeOf, ShapeSlot};

/// More elements of one type than this are refused: the proof of required ones is a 64-bit set.
const MAX_SLOTS: usize = 64;

/// An element of a shape, found by its name in a rule.
pub(super) struct Found {
    /// The slot, once it is known under which name a choice is written.
    pub element: usize,
    /// What it may hold.
    pub content: Vec<Content>,
    pub definition: Element,
}

impl Compiler<'_, '_> {
    /// The shape of a type; one per type and plan.
    pub(super) fn shape_of_type(&mut self, id: TypeId, place: &Place) -> usize {
        let Some(t) = self.library.elements.get(id) else { return 0 };
        self.shape(ShapeOf::Object(id), t.name.to_string(), t.resource, place)
    }

    /// The shape of a primitive with its id and extensions.
    pub(super) fn shape_of_primitive(&mut self, primitive: Primitive, place: &Place) -> usize {
        self.shape(ShapeOf::Primitive(primitive), primitive.name().to_owned(), false, place)
    }

    fn shape(&mut self, of: ShapeOf, name: String, resource: bool, place: &Place) -> usize {
        if let Some(known) = self.shapes.iter().position(|shape| shape.of == of) {
            return known;
        }
        let (slots, order, required) = (Vec::new(), Vec::new(), Vec::new());
        self.shapes.push(Shape { of, name, resource, slots, order, required });
        self.shape_places.push(place.clone());
        self.shapes.len() - 1
    }

    /// The R4 type whose elements a shape has.
    fn type_id(&self, shape: usize) -> Option<TypeId> {
        match self.shapes.get(shape)?.of {
            ShapeOf::Object(id) => Some(id),
            ShapeOf::Primitive(_) => self.library.elements.find("Element"),
        }
    }

    /// The element of a shape that a rule names; a choice with or without its type.
    pub(super) fn find_element(&mut self, shape: usize, name: &Name) -> Option<Found> {
        let id = self.type_id(shape)?;
        let t = self.library.elements.get(id)?;
        let plain = name.text.trim_end_matches("[x]");
        if let Some(slot) = t.slot(plain) {
            let definition = t.elements.get(slot.element)?.clone();
            let content = vec![slot.content];
            return Some(Found { element: slot.element, content, definition });
        }
        if let Some((element, definition)) = t.element(plain) {
            let content = definition.content.clone();
            return Some(Found { element, content, definition: definition.clone() });
        }
        let owner = self.shapes.get(shape).map(|s| s.name.clone()).unwrap_or_default();
        let choices = t.elements.iter().map(|e| &*e.name);
        let help = did_you_mean(&name.text, choices.chain(t.names()));
        let message = format!("{owner} has no element `{}`", name.text);
        self.error_help("MAP102", &name.span, message, help);
        None
    }

    /// The slot of an element, under the name that its content gives it.
    pub(super) fn slot(&mut self, shape: usize, found: &Found, content: Content) -> usize {
        let name: Box<str> = if found.definition.choice {
            let suffix = crate::fhir::r4::capitalised(self.library.elements.content_name(content));
            format!("{}{suffix}", found.definition.name).into()
        } else {
            found.definition.name.clone()
        };
        let Some(target) = self.shapes.get_mut(shape) else { return 0 };
        if let Some(known) = target.slots.iter().position(|slot| slot.name == name) {
            return known;
        }
        target.slots.push(ShapeSlot {
            key: format!("\"{name}\":").into(),
            extension_key: format!("\"_{name}\":").into(),
            name,
            element: found.element,
            list: found.definition.list,
            required: found.definition.required,
            choice: found.definition.choice,
            primitive: matches!(content, Content::Primitive(_)),
            rule: self.places.len().saturating_sub(1),
        });
        target.slots.len() - 1
    }

    /// Puts slots into order, and reports required elements that no rule sets.
    pub(super) fn finish_shapes(&mut self) {
        for index in 0..self.shapes.len() {
            let id = match self.shapes.get(index).map(|shape| shape.of) {
                Some(ShapeOf::Object(id)) => Some(id),
                _ => None,
            };
            let definition = id.and_then(|id| self.library.elements.get(id));
            let Some(shape) = self.shapes.get_mut(index) else { continue };
            let mut order: Vec<usize> = (0..shape.slots.len()).collect();
            order.sort_by_key(|slot| shape.slots.get(*slot).map(|s| s.element));
            shape.order = order;
            let mut missing = Vec::new();
            let elements = definition.map(|t| t.elements.iter().enumerate()).into_iter().flatten();
            for (position, element) in elements.filter(|(_, element)| element.required) {
                let mask = shape.slots.iter().enumerate().filter(|(_, s)| s.element == position);
                let mask = mask.fold(0_u64, |mask, (slot, _)| mask | (1_u64 << (slot % 64)));
                if mask == 0 {
                    missing.push(element.name.clone());
                }
                shape.required.push((mask, element.name.clone()));
            }
            let (name, many) = (shape.name.clone(), shape.slots.len() > MAX_SLOTS);
            self.report_shape(index, &name, &missing, many);
        }
    }

    fn report_shape(&mut self, index: usize, name: &str, missing: &[Box<str>], many: bool) {
        let Some(place) = self.shape_places.get(index).cloned() else { return };
        if many {
            self.diagnostics.error("MAP108", &place, format!("too many elements of {name}"));
        }
        // where a rule is broken, what it would have set is not missing as well
        if !missing.is_empty() && self.diagnostics.errors() == self.errors {
            let message = format!("{name} needs `{}`, and no rule sets it", missing.join("`, `"));
            self.diagnostics.error("MAP109", &place, message);
        }
    }
}
