//! Compiles targets: the element, what is written on it, and whether that can be right.

use std::sync::Arc;

use super::rule::{Origin, constant, constant_type};
use super::shape::Found;
use super::{Bound, Compiler, Frame};
use crate::fhir::r4::{Content, Form, Primitive};
use crate::mapping::codes::{CodeTable, Entry, Unmapped};
use crate::mapping::diagnostic::did_you_mean;
use crate::mapping::fml::{self, Argument, Literal, LiteralValue, Name, Span, Transform};
use crate::mapping::model::FieldType;
use crate::mapping::path::Ty;
use crate::mapping::plan::{Action, Op, Part, Row, ShapeOf};

/// A transform whose type is known.
struct Given {
    op: Op,
    /// What it gives; `None` where an object is made that nothing is known of.
    gives: Option<Content>,
    /// The codes that it can give, where they are known.
    codes: Option<Arc<[Box<str>]>>,
    /// Its name, for people.
    name: &'static str,
    table: Option<String>,
}

impl Given {
    fn new(op: Op, gives: Option<Content>, name: &'static str) -> Self {
        Self { op, gives, codes: None, name, table: None }
    }
}

impl Compiler<'_, '_> {
    pub(super) fn action(
        &mut self,
        target: &fml::Target,
        simple: Option<usize>,
        origin: &Origin,
        place: usize,
        frame: &mut Frame,
    ) -> Option<Action> {
        let (context, shape) = self.target_variable(&target.context, frame)?;
        let Some(element) = &target.element else {
            self.error("MAP108", &target.span, "write an element: `target.element = …`");
            return None;
        };
        let owner = self.shapes.get(shape)?.of;
        let Some(given) = self.given(target, simple, origin, frame) else {
            // What is wrong with the element beside it is told in the same run.
            let is_value = matches!(owner, ShapeOf::Primitive(_)) && element.text == "value";
            return if is_value { None } else { self.find_element(shape, element).and(None) };
        };
        if let ShapeOf::Primitive(primitive) = owner
            && element.text == "value"
        {
            self.check_primitive(&given, primitive, &target.span);
            self.row(frame, context, element, "0..1", origin, &given, place);
            let (slot, codes) = (None, None);
            let primitive = Some(primitive);
            return Some(Action {
                target: context,
                slot,
                primitive,
                codes,
                op: given.op,
                make: None,
                bind: None,
            });
        }
        let found = self.find_element(shape, element)?;
        let content = self.choose(&found, &given, element)?;
        let slot = self.slot(shape, &found, content);
        let allowed = self.check_content(&found, content, &given, target);
        self.check_repeats(&found, &given, origin, context, frame, element);
        let cardinality = format!(
            "{}..{}",
            u8::from(found.definition.required),
            if found.definition.list { "*" } else { "1" }
        );
        self.row(frame, context, element, &cardinality, origin, &given, place);
        let made = self.made(content, &given, target);
        let bind = self.bind(target, made, context, &element.text, frame);
        let primitive = match content {
            Content::Primitive(primitive) => Some(primitive),
            _ => None,
        };
        Some(Action {
            target: context,
            slot: Some(slot),
            primitive,
            codes: allowed,
            op: given.op,
            make: made,
            bind,
        })
    }

    fn target_variable(&mut self, name: &Name, frame: &Frame) -> Option<(usize, usize)> {
        match frame.get(&name.text) {
            Some(Bound::Target { slot, shape }) => Some((slot, shape)),
            Some(Bound::Source { .. }) => {
                let message = format!("`{}` is a source and cannot be written", name.text);
                self.error("MAP103", &name.span, message);
                None
            }
            None => {
                self.unknown_variable(name, frame);
                None
            }
        }
    }

    /// Gives what a target makes the name that the rule gives it.
    fn bind(
        &mut self,
        target: &fml::Target,
        made: Option<usize>,
        context: usize,
        element: &str,
        frame: &mut Frame,
    ) -> Option<usize> {
        let alias = target.alias.as_ref()?;
        let Some(shape) = made else {
            let message = "a translated Coding is complete and cannot be given a variable";
            self.error("MAP108", &alias.span, message);
            return None;
        };
        let path = target_path(frame, context, element);
        let slot = frame.add_target(&alias.text, shape);
        frame.target_paths.insert(slot, path);
        Some(slot)
    }

    /// The shape of the object that a target makes, or of the primitive that it names.
    fn made(&mut self, content: Content, given: &Given, target: &fml::Target) -> Option<usize> {
        let place = self.place(&target.span);
        match (content, &given.op) {
            (Content::Object(id), Op::Make) => Some(self.shape_of_type(id, &place)),
            (Content::Resource, Op::Make) => match given.gives {
                Some(Content::Object(id)) => Some(self.shape_of_type(id, &place)),
                _ => None,
            },
            (Content::Primitive(primitive), _) if target.alias.is_some() => {
                Some(self.shape_of_primitive(primitive, &place))
            }
            _ => None,
        }
    }

    /// Works out what a transform gives.
    fn given(
        &mut self,
        target: &fml::Target,
        simple: Option<usize>,
        origin: &Origin,
        frame: &Frame,
    ) -> Option<Given> {
        match &target.transform {
            Transform::Make => match simple {
                Some(slot) => self.copy(slot, origin.content, &target.span, frame),
                None => Some(Given::new(Op::Make, None, "create")),
            },
            Transform::Create(None) => Some(Given::new(Op::Make, None, "create")),
            Transform::Create(Some(name)) => {
                let gives = match Primitive::from_name(&name.text) {
                    Some(primitive) => Content::Primitive(primitive),
                    None => Content::Object(self.type_of(name)?),
                };
                Some(Given::new(Op::Make, Some(gives), "create"))
            }
            Transform::Constant(literal) => Some(constant_given(literal)),
            Transform::Copy(name) => {
                let (slot, content) = self.source_variable(name, frame)?;
                self.copy(slot, content, &name.span, frame)
            }
            Transform::Translate { variable, map, output } => {
                self.translate(variable, map, output, frame)
            }
            Transform::Evaluate { focus, expr } => self.evaluate(focus.as_ref(), expr, frame),
            Transform::Append(parts) => self.append(parts, frame),
            Transform::Truncate(name, length) => {
                let (slot, _) = self.source_variable(name, frame)?;
                let gives = Some(Content::Primitive(Primitive::String));
                Some(Given::new(Op::Truncate(slot, *length), gives, "truncate"))
            }
            Transform::Broken => None,
        }
    }

    fn copy(
        &mut self,
        slot: usize,
        content: FieldType,
        span: &Span,
        frame: &Frame,
    ) -> Option<Given> {
        let FieldType::Primitive(primitive) = content else {
            let message = "an object cannot be copied; fill the target with `then { … }`";
            self.error("MAP104", span, message);
            return None;
        };
        let codes = frame.codes.get(&slot).cloned();
        let gives = Some(Content::Primitive(primitive));
        Some(Given { op: Op::Copy(slot), gives, codes, name: "copy", table: None })
    }

    fn evaluate(&mut self, focus: Option<&Name>, expr: &fml::Expr, frame: &Frame) -> Option<Given> {
        let focus = match focus {
            Some(name) => Some(self.source_variable(name, frame)?),
            None => None,
        };
        let ty = focus.map(|(_, content)| Ty { content: Some(content), many: false });
        let (compiled, ty) = self.expression(expr, ty, frame);
        let gives = match ty.content {
            Some(FieldType::Primitive(primitive)) => Some(Content::Primitive(primitive)),
            Some(FieldType::Object(_)) => {
                self.error("MAP104", &expr.span, "the expression gives an object, not a value");
                return None;
            }
            None => None,
        };
        if ty.many {
            self.error(
                "MAP110",
                &expr.span,
                "the expression may give several values; add `.first()`",
            );
        }
        let focus = focus.map(|(slot, _)| slot);
        Some(Given::new(Op::Evaluate { focus, expr: compiled }, gives, "evaluate"))
    }

    fn append(&mut self, arguments: &[Argument], frame: &Frame) -> Option<Given> {
        let mut parts = Vec::new();
        for argument in arguments {
            parts.push(match argument {
                Argument::Constant(literal) => Part::Constant(constant(&literal.value).text),
                Argument::Variable(name) => Part::Variable(self.source_variable(name, frame)?.0),
            });
        }
        Some(Given::new(Op::Append(parts), Some(Content::Primitive(Primitive::String)), "append"))
    }

    fn translate(
        &mut self,
        variable: &Name,
        map: &Name,
        output: &Name,
        frame: &Frame,
    ) -> Option<Given> {
        let (source, _) = self.source_variable(variable, frame)?;
        let Some(table) = self.library.tables.get(&map.text).cloned() else {
            let help = did_you_mean(&map.text, self.library.tables.keys().map(String::as_str));
            let message = format!("there is no ConceptMap `{}` in codes/", map.text);
            self.error_help("MAP201", &map.span, message, help);
            return None;
        };
        let coding = match output.text.as_str() {
            "code" => false,
            "Coding" => true,
            _ => {
                let help = Some("use 'code' or 'Coding'".to_owned());
                let message = format!("translate to `{}` is not supported", output.text);
                self.error_help("MAP108", &output.span, message, help);
                return None;
            }
        };
        if let Some(codes) = frame.codes.get(&source) {
            self.check_coverage(&table, codes, map);
        }
        if !self.used.iter().any(|used| used.url == table.url) {
            self.used.push(Arc::clone(&table));
        }
        let gives = if coding {
            self.library.elements.find("Coding").map(Content::Object)
        } else {
            Some(Content::Primitive(Primitive::Code))
        };
        let codes = (!coding).then(|| target_codes(&table)).flatten();
        let url = Some(table.url.clone());
        let op = Op::Translate { source, table, coding };
        Some(Given { op, gives, codes, name: "translate", table: url })
    }

    /// Every code of the model has an entry, if only one that says `unmatched`.
    fn check_coverage(&mut self, table: &CodeTable, codes: &[Box<str>], map: &Name) {
        if table.unmapped != Unmapped::Dropped {
            return;
        }
        let missing: Vec<&str> =
            codes.iter().filter(|code| table.get(code).is_none()).map(AsRef::as_ref).collect();
        if !missing.is_empty() {
            let message = format!("{} has no entry for `{}`", table.file, missing.join("`, `"));
            let help = "add entries; a code that has no counterpart gets equivalence `unmatched`";
            self.error_help("MAP203", &map.span, message, Some(help.to_owned()));
        }
    }

    /// Which of the types of an element is written.
    fn choose(&mut self, found: &Found, given: &Given, element: &Name) -> Option<Content> {
        let kinds = &found.content;
        let fits = |content: Content| kinds.contains(&content).then_some(content);
        let same_form = |primitive: Primitive| {
            let text = kinds.iter().copied().find(|c| *c == Content::Primitive(Primitive::String));
            let form =
                |c: &Content| matches!(c, Content::Primitive(p) if p.form() == primitive.form());
            text.filter(|_| primitive.form() == Form::Text)
                .or_else(|| kinds.iter().copied().find(|c| form(c)))
        };
        let chosen = match (kinds.as_slice(), given.gives) {
            ([single], _) => Some(*single),
            (_, Some(Content::Primitive(primitive))) => {
                fits(Content::Primitive(primitive)).or_else(|| same_form(primitive))
            }
            (_, Some(content)) => fits(content),
            (_, None) => None,
        };
        if chosen.is_none() {
            let message = format!("`{}` has several types, and this is none of them", element.text);
            let names: Vec<&str> =
                kinds.iter().map(|c| self.library.elements.content_name(*c)).collect();
            let help = format!("name one, such as `= create('Type')`: {}", names.join(", "));
            self.error_help("MAP104", &element.span, message, Some(help));
        }
        chosen
    }

    /// Checks what is written against what is allowed; answers codes to check record by record.
    fn check_content(
        &mut self,
        found: &Found,
        content: Content,
        given: &Given,
        target: &fml::Target,
    ) -> Option<Arc<[Box<str>]>> {
        match content {
            Content::Primitive(primitive) => {
                self.check_primitive(given, primitive, &target.span);
                if matches!(given.op, Op::Make) && target.alias.is_none() {
                    self.error("MAP104", &target.span, "this sets no value");
                }
            }
            Content::Object(id) => {
                let fits = given.gives.is_none_or(|gives| gives == Content::Object(id));
                let made = matches!(given.op, Op::Make | Op::Translate { .. });
                if !fits || !made {
                    let wanted = self.library.elements.content_name(content).to_owned();
                    self.error("MAP104", &target.span, format!("a {wanted} is expected here"));
                }
            }
            Content::Resource => {
                if !matches!(given.gives, Some(Content::Object(_))) {
                    let message = "say which resource: `= create('Type')`";
                    self.error("MAP104", &target.span, message);
                }
            }
        }
        let allowed = found.definition.codes.as_ref()?;
        let Some(codes) = &given.codes else {
            return (!matches!(given.op, Op::Make)).then(|| Arc::clone(allowed));
        };
        let wrong: Vec<&str> =
            codes.iter().filter(|code| !allowed.contains(code)).map(AsRef::as_ref).collect();
        if !wrong.is_empty() {
            let message = format!(
                "`{}` is not a code of the required value set of `{}`",
                wrong.join("`, `"),
                found.definition.name
            );
            let help = (allowed.len() <= 24).then(|| format!("allowed: {}", allowed.join(", ")));
            self.error_help("MAP112", &target.span, message, help);
        }
        None
    }

    fn check_primitive(&mut self, given: &Given, primitive: Primitive, span: &Span) {
        match given.gives {
            Some(Content::Primitive(gives)) => {
                let (from, to) = (gives.form(), primitive.form());
                if from != to && to != Form::Text {
                    let message = format!("a {} is not a {}", gives.name(), primitive.name());
                    self.error("MAP104", span, message);
                }
            }
            Some(content) => {
                let name = self.library.elements.content_name(content).to_owned();
                self.error("MAP104", span, format!("a {name} is not a {}", primitive.name()));
            }
            None => {}
        }
        if let Op::Constant(constant) = &given.op {
            let text = &constant.text;
            let quoted = primitive.form() == Form::Text;
            if constant.quoted != quoted || !primitive.accepts(text) {
                let message = format!("`{text}` is not a valid {}", primitive.name());
                self.error("MAP104", span, message);
            }
        }
    }

    /// A source that repeats needs a target that does.
    fn check_repeats(
        &mut self,
        found: &Found,
        given: &Given,
        origin: &Origin,
        context: usize,
        frame: &Frame,
        element: &Name,
    ) {
        let outside = context < frame.rule_targets;
        if origin.repeats && outside && !found.definition.list && !matches!(given.op, Op::Make) {
            let message = format!("the source repeats, and `{}` does not", element.text);
            let help = Some("take one: `source.element first as v -> …`".to_owned());
            self.error_help("MAP114", &element.span, message, help);
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a row names everything that a rule brings together"
    )]
    fn row(
        &mut self,
        frame: &Frame,
        context: usize,
        element: &Name,
        cardinality: &str,
        origin: &Origin,
        given: &Given,
        place: usize,
    ) {
        let transform = match &given.op {
            Op::Constant(constant) => format!("constant {}", constant.json),
            _ => given.name.to_owned(),
        };
        self.rows.push(Row {
            target: target_path(frame, context, &element.text),
            cardinality: cardinality.to_owned(),
            source: origin.path.clone(),
            transform,
            table: given.table.clone(),
            rule: self.places.get(place).cloned().unwrap_or_default(),
        });
    }
}

fn target_path(frame: &Frame, context: usize, element: &str) -> String {
    let owner = frame.target_paths.get(&context).map_or("", String::as_str);
    format!("{owner}.{element}")
}

fn constant_given(literal: &Literal) -> Given {
    let (_, primitive) = constant_type(&literal.value);
    let codes: Option<Arc<[Box<str>]>> = match &literal.value {
        LiteralValue::Text(text) => Some(Arc::from([text.as_str().into()])),
        _ => None,
    };
    let op = Op::Constant(constant(&literal.value));
    Given { op, gives: Some(Content::Primitive(primitive)), codes, name: "constant", table: None }
}

/// All codes that a table can give; `None` where it passes codes through.
fn target_codes(table: &CodeTable) -> Option<Arc<[Box<str>]>> {
    let fixed = match &table.unmapped {
        Unmapped::Provided(_) => return None,
        Unmapped::Fixed(target) => Some(target.code.as_str()),
        Unmapped::Dropped => None,
    };
    let mut codes: Vec<Box<str>> = table
        .entries
        .values()
        .filter_map(|entry| match entry {
            Entry::To(target) => Some(target.code.as_str()),
            Entry::Unmatched => None,
        })
        .chain(fixed)
        .map(Box::from)
        .collect();
    codes.sort_unstable();
    codes.dedup();
    Some(codes.into())
}
