//! Parts of resources: `_summary` and `_elements`
//! (<https://hl7.org/fhir/R4/search.html#summary>, <https://hl7.org/fhir/R4/search.html#elements>).
//!
//! Members are copied from the stored text or left out. Whatever is left out, a resource keeps its
//! id, what it cannot be without, and a tag in `meta` that says that it is not whole.

use std::borrow::Cow;

use super::r4::{Content, Element, Elements, TypeId};
use super::raw::{Items, Member, Members};
use crate::error::{Error, Result};

/// Says that a resource is not whole
/// (<http://terminology.hl7.org/CodeSystem/v3-ObservationValue>).
const SUBSETTED: &[u8] = br#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED","display":"subsetted"}"#;

/// How much of each resource is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum View {
    /// All of it.
    #[default]
    Whole,
    /// The elements that are marked as its summary, and those that are required.
    Summary,
    /// The narrative, and the elements that are required.
    Text,
    /// All but the narrative.
    Data,
    /// These elements, those that are required, and those that change the meaning of others.
    Elements(Vec<String>),
}

impl View {
    /// The view of a `_summary`, which for a single resource is not `count`.
    pub fn summary(text: &str) -> Result<Self> {
        match text {
            "false" => Ok(Self::Whole),
            "true" => Ok(Self::Summary),
            "text" => Ok(Self::Text),
            "data" => Ok(Self::Data),
            _ => Err(Error::invalid("_summary", "_summary is true, text, data or false here")),
        }
    }

    /// The view of an `_elements` over a type: names of its elements, separated by commas.
    pub fn elements(table: &Elements, resource_type: &str, text: &str) -> Result<Self> {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        let view = Self::Elements(names);
        view.check(table, resource_type)?;
        Ok(view)
    }

    /// Refuses elements that the type does not have.
    pub fn check(&self, table: &Elements, resource_type: &str) -> Result<()> {
        let Self::Elements(names) = self else { return Ok(()) };
        let known = table.find(resource_type).and_then(|id| table.get(id));
        let is_known = |name: &str| {
            known.is_some_and(|known| known.elements.iter().any(|one| is_named(one, name)))
        };
        if names.iter().all(|name| is_known(name)) {
            return Ok(());
        }
        let hint =
            format!("name elements of {resource_type} itself, such as status, separated by commas");
        Err(Error::invalid("_elements", hint))
    }

    /// Whether an element is shown; `top` where it is the resource's own.
    fn shows(&self, element: &Element, top: bool) -> bool {
        match self {
            Self::Whole => true,
            Self::Summary => element.summary || element.modifier || element.required,
            Self::Text => !top || element.required || &*element.name == "text",
            Self::Data => !top || &*element.name != "text",
            Self::Elements(names) => {
                let named = || names.iter().any(|name| is_named(element, name));
                !top || element.required || element.modifier || named()
            }
        }
    }

    /// The part of a resource that this view shows.
    pub fn of<'a>(&self, table: &Elements, resource_type: &str, body: &'a [u8]) -> Cow<'a, [u8]> {
        if *self == Self::Whole {
            return Cow::Borrowed(body);
        }
        let mut part = Part { table, view: self, out: Vec::with_capacity(body.len()) };
        part.resource(table.find(resource_type), body);
        Cow::Owned(part.out)
    }
}

/// Whether a caller's name is that of an element: `value`, `value[x]` or `valueQuantity`.
fn is_named(element: &Element, name: &str) -> bool {
    let name = if element.choice { name.trim_end_matches("[x]") } else { name };
    match name.strip_prefix(&*element.name) {
        Some("") => true,
        Some(rest) => element.choice && rest.starts_with(|c: char| c.is_ascii_uppercase()),
        None => false,
    }
}

/// A part of a resource in the making.
struct Part<'a> {
    table: &'a Elements,
    view: &'a View,
    out: Vec<u8>,
}

impl Part<'_> {
    fn resource(&mut self, known: Option<TypeId>, body: &[u8]) {
        let mut tagged = false;
        self.out.push(b'{');
        for member in Members::of(body) {
            match member.name {
                b"resourceType" | b"id" => self.copy(member.text),
                b"meta" => {
                    self.meta(member.value);
                    tagged = true;
                }
                _ => self.member(known, &member, true),
            }
        }
        if !tagged {
            self.meta(b"{}");
        }
        self.out.push(b'}');
    }

    /// Copies a member, or of a backbone element the part that is shown.
    fn member(&mut self, known: Option<TypeId>, member: &Member<'_>, top: bool) {
        let name = member.name.strip_prefix(b"_").unwrap_or(member.name);
        let owner = known.and_then(|id| self.table.get(id));
        let slot = std::str::from_utf8(name).ok().and_then(|name| owner?.slot(name));
        let Some((slot, element)) =
            slot.and_then(|slot| Some((slot, owner?.elements.get(slot.element)?)))
        else {
            return;
        };
        if !self.view.shows(element, top) {
            return;
        }
        match slot.content {
            Content::Object(id) if *self.view == View::Summary && self.is_backbone(id) => {
                self.backbones(id, member);
            }
            _ => self.copy(member.text),
        }
    }

    /// Whether a type is a part of a resource type, and not a datatype, which is shown whole.
    fn is_backbone(&self, id: TypeId) -> bool {
        self.table.get(id).is_some_and(|known| known.name.contains('.'))
    }

    /// Copies backbone elements; one of which nothing is shown is left out, as it may not be empty.
    fn backbones(&mut self, id: TypeId, member: &Member<'_>) {
        let before = self.out.len();
        let label = member.text.len().saturating_sub(member.value.len());
        self.copy(member.text.get(..label).unwrap_or_default());
        let any = if member.value.starts_with(b"[") {
            self.out.push(b'[');
            let shown = Items::of(member.value).filter(|item| self.backbone(id, item)).count();
            self.out.push(b']');
            shown > 0
        } else {
            self.backbone(id, member.value)
        };
        if !any {
            self.out.truncate(before);
        }
    }

    /// Copies one backbone element; whether anything of it is shown.
    fn backbone(&mut self, id: TypeId, text: &[u8]) -> bool {
        let before = self.out.len();
        self.copy(b"{");
        for member in Members::of(text) {
            self.member(Some(id), &member, false);
        }
        let any = self.out.last() != Some(&b'{');
        if any {
            self.out.push(b'}');
        } else {
            self.out.truncate(before);
        }
        any
    }

    /// Copies `meta` with the tag, which comes last in it.
    fn meta(&mut self, meta: &[u8]) {
        self.copy(br#""meta":{"#);
        for member in Members::of(meta).filter(|member| member.name != b"tag") {
            self.copy(member.text);
        }
        self.copy(br#""tag":["#);
        for tag in Items::of(Members::of(meta).find(b"tag").unwrap_or_default()) {
            self.copy(tag);
        }
        self.copy(SUBSETTED);
        self.out.extend_from_slice(b"]}");
    }

    /// Copies text, after a comma where one is due.
    fn copy(&mut self, text: &[u8]) {
        self.comma();
        self.out.extend_from_slice(text);
    }

    fn comma(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(b',');
        }
    }
}

#[cfg(test)]
mod tests;
