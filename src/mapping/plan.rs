//! A compiled map: variables are slots, groups are made for the types they are called with, and
//! everything that can be known about cardinality and constants is worked out.

use std::sync::Arc;

use super::codes::CodeTable;
use super::fml::Pick;
use super::path::Expr;
use crate::fhir::r4::{Primitive, TypeId};

/// One map, ready to run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// `url|version`
    pub canonical: String,
    /// The last segment of the URL.
    pub slug: String,
    /// The version.
    pub version: String,
    /// The file, relative to the map set's folder.
    pub file: String,
    /// The index of the source model.
    pub model: usize,
    /// The resource type.
    pub resource: String,
    /// The groups; the first is the entry.
    pub groups: Vec<Group>,
    /// The target objects; the first is the resource.
    pub shapes: Vec<Shape>,
    /// `file:line` of each rule.
    pub places: Vec<String>,
    /// What each rule does, for people.
    pub rows: Vec<Row>,
    /// The code tables that are used.
    pub tables: Vec<Arc<CodeTable>>,
}

/// One line of `map explain`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// The element, `Encounter.participant.type`.
    pub target: String,
    /// Its cardinality, `1..1`.
    pub cardinality: String,
    /// The source field, `data.participants.role`.
    pub source: String,
    /// What is done: `copy`, `translate`, `constant`, `evaluate`, …
    pub transform: String,
    /// The code table, if one is used.
    pub table: Option<String>,
    /// The rule's `file:line`.
    pub rule: String,
}

/// A group, for one set of argument types.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// How many source variables its rules have, parameters first.
    pub sources: usize,
    /// How many target variables its rules have, parameters first.
    pub targets: usize,
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Index into [`Plan::places`].
    pub place: usize,
    /// The source variable it starts from.
    pub context: usize,
    /// The field it reads; none for the variable itself.
    pub field: Option<usize>,
    pub pick: Pick,
    /// The source variable it sets.
    pub bind: Option<usize>,
    pub default: Option<Constant>,
    pub condition: Option<Expr>,
    pub check: Option<Expr>,
    pub actions: Vec<Action>,
    pub calls: Vec<Call>,
    pub rules: Vec<Rule>,
}

/// `then Group(a, b)`: variables of the caller, in the order of the parameters' slots.
#[derive(Debug)]
pub(crate) struct Call {
    pub group: usize,
    pub sources: Vec<usize>,
    pub targets: Vec<usize>,
}

/// One target of a rule.
#[derive(Debug)]
pub(crate) struct Action {
    /// The target variable that is written to.
    pub target: usize,
    /// The slot in its shape; none for the value of a primitive.
    pub slot: Option<usize>,
    /// The primitive that is written, if one is.
    pub primitive: Option<Primitive>,
    /// The only codes allowed, where they must be checked record by record.
    pub codes: Option<Arc<[Box<str>]>>,
    pub op: Op,
    /// The shape of the object that is made, where one is.
    pub make: Option<usize>,
    /// The target variable that is set.
    pub bind: Option<usize>,
}

/// What a target is set to.
#[derive(Debug)]
pub(crate) enum Op {
    /// An object, or a primitive without value.
    Make,
    Constant(Constant),
    /// A source variable.
    Copy(usize),
    Translate {
        source: usize,
        table: Arc<CodeTable>,
        coding: bool,
    },
    Evaluate {
        focus: Option<usize>,
        expr: Expr,
    },
    Append(Vec<Part>),
    Truncate(usize, usize),
}

/// A part of an `append`.
#[derive(Debug)]
pub(crate) enum Part {
    Variable(usize),
    Constant(Box<str>),
}

/// A constant with its JSON text.
#[derive(Debug, Clone)]
pub(crate) struct Constant {
    pub text: Box<str>,
    pub json: Box<str>,
    /// It is a text, not a number or a boolean.
    pub quoted: bool,
}

/// A target object: the elements that the map writes on one type.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The type.
    pub of: ShapeOf,
    /// `Encounter.period`, for messages.
    pub name: String,
    /// It is a resource, and begins with its `resourceType`.
    pub resource: bool,
    pub slots: Vec<ShapeSlot>,
    /// The slots in the order of definition.
    pub order: Vec<usize>,
    /// Each required element: the slots that satisfy it, and its name.
    pub required: Vec<(u64, Box<str>)>,
}

/// What a shape is the shape of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShapeOf {
    Object(TypeId),
    Primitive(Primitive),
}

/// One element of a shape, under one JSON name.
#[expect(clippy::struct_excessive_bools, reason = "four independent facts of the element table")]
#[derive(Debug)]
pub(crate) struct ShapeSlot {
    /// The JSON name.
    pub name: Box<str>,
    /// `"name":`
    pub key: Box<str>,
    /// `"_name":`
    pub extension_key: Box<str>,
    /// The position in the definition; choices share one.
    pub element: usize,
    pub list: bool,
    pub required: bool,
    pub choice: bool,
    pub primitive: bool,
    /// The first rule that writes it: index into [`Plan::places`].
    pub rule: usize,
}
