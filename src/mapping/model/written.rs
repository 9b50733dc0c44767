//! A logical model as it is written: the parts of a `StructureDefinition` that are read, each with
//! its place in the text, so that a fault can be told at its line.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Codes, Fault};

/// A `StructureDefinition`.
#[derive(Deserialize)]
pub(super) struct Written<'a> {
    pub(super) url: Option<String>,
    pub(super) name: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(borrow)]
    pub(super) differential: Option<View<'a>>,
    #[serde(borrow)]
    pub(super) snapshot: Option<View<'a>>,
    #[serde(default)]
    pub(super) contained: Vec<ValueSet>,
}

/// Its elements.
#[derive(Deserialize)]
pub(super) struct View<'a> {
    #[serde(borrow)]
    pub(super) element: Vec<Element<'a>>,
}

/// An element.
#[derive(Deserialize)]
pub(super) struct Element<'a> {
    #[serde(borrow)]
    pub(super) path: &'a RawValue,
    #[serde(default)]
    pub(super) min: u64,
    #[serde(borrow)]
    pub(super) max: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "type")]
    pub(super) kinds: Vec<Kind<'a>>,
    #[serde(borrow)]
    pub(super) binding: Option<&'a RawValue>,
}

/// A type that an element may have.
#[derive(Deserialize)]
pub(super) struct Kind<'a> {
    #[serde(borrow)]
    pub(super) code: &'a RawValue,
}

/// What binds an element to codes.
#[derive(Deserialize)]
pub(super) struct Binding {
    pub(super) strength: String,
    #[serde(rename = "valueSet")]
    pub(super) value_set: String,
}

/// A contained value set.
#[derive(Deserialize)]
pub(super) struct ValueSet {
    id: Option<String>,
    compose: Option<Compose>,
}

#[derive(Deserialize)]
struct Compose {
    #[serde(default)]
    include: Vec<Include>,
}

#[derive(Deserialize)]
struct Include {
    #[serde(default)]
    concept: Vec<Concept>,
}

#[derive(Deserialize)]
struct Concept {
    code: Box<str>,
}

impl<'a> Written<'a> {
    /// Reads the text; answers the first place that has another shape.
    pub(super) fn read(text: &'a str) -> Result<Self, Fault> {
        serde_json::from_str(text).map_err(|error| fault(text, &error))
    }
}

impl Element<'_> {
    /// `SessionLog.data.status`.
    pub(super) fn path(&self) -> Cow<'_, str> {
        unquoted(self.path)
    }

    /// How many there may be, as written.
    pub(super) fn max(&self) -> Cow<'_, str> {
        self.max.map(unquoted).unwrap_or_default()
    }

    /// The binding, if it is whole.
    pub(super) fn binding(&self) -> Option<Binding> {
        serde_json::from_str(self.binding?.get()).ok()
    }
}

impl Kind<'_> {
    /// The name of the type.
    pub(super) fn code(&self) -> Cow<'_, str> {
        unquoted(self.code)
    }
}

impl ValueSet {
    /// How a binding names it: `#id`.
    pub(super) fn url(&self) -> Option<String> {
        self.id.as_ref().map(|id| format!("#{id}"))
    }

    /// Its codes.
    pub(super) fn codes(&self) -> Codes {
        let includes = self.compose.iter().flat_map(|compose| &compose.include);
        includes.flat_map(|include| &include.concept).map(|concept| concept.code.clone()).collect()
    }
}

/// The text of a JSON string; what is none stays as it is written.
fn unquoted(value: &RawValue) -> Cow<'_, str> {
    let text = serde_json::from_str(value.get());
    text.map_or_else(|_not_text| Cow::Borrowed(value.get()), Cow::Owned)
}

/// Where a part of a text stands in it.
pub(super) fn span(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    start..start + part.len()
}

/// What the JSON reader found wrong, at its place.
pub(super) fn fault(text: &str, error: &serde_json::Error) -> Fault {
    let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let start = lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
    let said = error.to_string();
    let message = said.split(" at line ").next().unwrap_or_default().to_owned();
    Fault { span: start..start + 1, message }
}
