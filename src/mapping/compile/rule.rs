//! Compiles rules: the source and its conditions, then targets, calls and nested rules.

use super::{Bound, Compiler, Frame, Instance};
use crate::fhir::r4::{Form, Primitive};
use crate::mapping::diagnostic::did_you_mean;
use crate::mapping::fml::{self, LiteralValue, Name, Pick};
use crate::mapping::model::{Field, FieldType};
use crate::mapping::path::{self, Expr, Ty};
use crate::mapping::plan::{Call, Constant, Rule};

/// The variable of a rule that names none.
const UNNAMED: &str = "\u{0}";

/// What a rule's source is, once looked up.
pub(super) struct Origin {
    context: usize,
    field: Option<usize>,
    pub(super) content: FieldType,
    /// It repeats, and all its items are taken without a condition.
    pub(super) repeats: bool,
    pub(super) path: String,
    codes: Option<std::sync::Arc<[Box<str>]>>,
}

impl Compiler<'_, '_> {
    pub(super) fn rules(&mut self, rules: &[fml::Rule], frame: &mut Frame) -> Vec<Rule> {
        rules.iter().filter_map(|rule| self.rule(rule, frame)).collect()
    }

    fn rule(&mut self, rule: &fml::Rule, frame: &mut Frame) -> Option<Rule> {
        let (visible, missing) = (frame.variables.len(), frame.missing.len());
        let compiled = self.scoped_rule(rule, frame);
        frame.variables.truncate(visible);
        frame.missing.truncate(missing);
        compiled
    }

    fn scoped_rule(&mut self, rule: &fml::Rule, frame: &mut Frame) -> Option<Rule> {
        let origin = self.origin(&rule.source, frame)?;
        let place = self.places.len();
        self.places.push(self.place(&rule.span).file_line());
        let focus = Some(Ty { content: Some(origin.content), many: false });
        let condition = rule.source.condition.as_ref().map(|c| self.condition(c, focus, frame));
        let check = rule.source.check.as_ref().map(|c| self.condition(c, focus, frame));
        let default = rule.source.default.as_ref().map(|literal| constant(&literal.value));
        let alias = rule.source.alias.as_ref().map(|name| name.text.as_str());
        let alias = if rule.simple { Some(UNNAMED) } else { alias };
        let bind = frame.add_source(alias, origin.content, origin.path.clone());
        if let Some(codes) = &origin.codes {
            frame.codes.insert(bind, std::sync::Arc::clone(codes));
        }
        frame.rule_targets = frame.targets;
        let mut actions = Vec::new();
        for target in &rule.targets {
            let simple = rule.simple.then_some(bind);
            let action = self.action(target, simple, &origin, place, frame);
            if let (None, Some(alias)) = (&action, &target.alias) {
                frame.missing.push(alias.text.clone());
            }
            actions.extend(action);
        }
        let calls = rule.calls.iter().filter_map(|call| self.call(call, frame)).collect();
        let rules = self.rules(&rule.rules, frame);
        Some(Rule {
            place,
            context: origin.context,
            field: origin.field,
            pick: rule.source.pick,
            bind: Some(bind),
            default,
            condition,
            check,
            actions,
            calls,
            rules,
        })
    }

    fn origin(&mut self, source: &fml::Source, frame: &Frame) -> Option<Origin> {
        let (slot, content) = match frame.get(&source.context.text) {
            Some(Bound::Source { slot, content }) => (slot, content),
            Some(Bound::Target { .. }) => {
                let message =
                    format!("`{}` is a target; a rule reads a source", source.context.text);
                self.error("MAP103", &source.context.span, message);
                return None;
            }
            None => {
                self.unknown_variable(&source.context, frame);
                return None;
            }
        };
        let path = frame.paths.get(&slot).cloned().unwrap_or_default();
        let Some(element) = &source.element else {
            let codes = frame.codes.get(&slot).cloned();
            return Some(Origin {
                context: slot,
                field: None,
                content,
                repeats: false,
                path,
                codes,
            });
        };
        let (position, field) = self.source_field(content, element)?;
        let path =
            if path.is_empty() { element.text.clone() } else { format!("{path}.{}", element.text) };
        let repeats = field.list && source.pick == Pick::All && source.condition.is_none();
        let (content, codes) = (field.content, field.only_codes().cloned());
        Some(Origin { context: slot, field: Some(position), content, repeats, path, codes })
    }

    fn source_field(&mut self, content: FieldType, name: &Name) -> Option<(usize, Field)> {
        let object = match content {
            FieldType::Object(object) => object,
            FieldType::Primitive(primitive) => {
                let message = format!("a {} has no element `{}`", primitive.name(), name.text);
                self.error("MAP101", &name.span, message);
                return None;
            }
        };
        let model = self.model()?;
        let t = model.types.get(object)?;
        if let Some((position, field)) =
            t.field(&name.text).and_then(|p| Some((p, t.fields.get(p)?)))
        {
            self.reads.push((object, position));
            return Some((position, field.clone()));
        }
        let help = did_you_mean(&name.text, t.fields.iter().map(|field| &*field.name));
        let message = format!("{} has no element `{}`", model.display(object), name.text);
        self.error_help("MAP101", &name.span, message, help);
        None
    }

    pub(super) fn unknown_variable(&mut self, name: &Name, frame: &Frame) {
        if frame.missing.contains(&name.text) {
            return;
        }
        let help = did_you_mean(&name.text, frame.variables.iter().map(|(name, _)| name.as_str()));
        self.error_help("MAP103", &name.span, format!("unknown variable `{}`", name.text), help);
    }

    /// A source variable by name.
    pub(super) fn source_variable(
        &mut self,
        name: &Name,
        frame: &Frame,
    ) -> Option<(usize, FieldType)> {
        match frame.get(&name.text) {
            Some(Bound::Source { slot, content }) => Some((slot, content)),
            Some(Bound::Target { .. }) => {
                let message = format!("`{}` is a target; a source variable is expected", name.text);
                self.error("MAP103", &name.span, message);
                None
            }
            None => {
                self.unknown_variable(name, frame);
                None
            }
        }
    }

    pub(super) fn condition(&mut self, expr: &fml::Expr, focus: Option<Ty>, frame: &Frame) -> Expr {
        self.with_paths(frame, |compiler| compiler.condition(expr, focus)).unwrap_or(Expr::Empty)
    }

    pub(super) fn expression(
        &mut self,
        expr: &fml::Expr,
        focus: Option<Ty>,
        frame: &Frame,
    ) -> (Expr, Ty) {
        self.with_paths(frame, |compiler| compiler.compile(expr, focus))
            .unwrap_or((Expr::Empty, Ty::UNKNOWN))
    }

    fn with_paths<T>(
        &mut self,
        frame: &Frame,
        compile: impl FnOnce(&mut path::Compiler<'_>) -> T,
    ) -> Option<T> {
        let (model, source) = (self.model()?, &self.file()?.source);
        let (diagnostics, reads) = (&mut *self.diagnostics, &mut self.reads);
        Some(compile(&mut path::Compiler { model, source, scope: frame, diagnostics, reads }))
    }

    pub(super) fn call(&mut self, call: &fml::Call, frame: &Frame) -> Option<Call> {
        let name = &call.group;
        let Some((file, group)) = self.find_group(&name.text) else {
            let names = self.group_names();
            let help = did_you_mean(&name.text, names.iter().map(String::as_str));
            let message = format!("there is no group `{}` here or in the imports", name.text);
            self.error_help("MAP106", &name.span, message, help);
            return None;
        };
        let params = &self.library.files.get(file)?.groups.get(group)?.params;
        if params.len() != call.arguments.len() {
            let (takes, given) = (params.len(), call.arguments.len());
            let message = format!("`{}` takes {takes} arguments, not {given}", name.text);
            self.error("MAP107", &name.span, message);
            return None;
        }
        let (mut sources, mut targets) = (Vec::new(), Vec::new());
        let (mut source_slots, mut target_slots) = (Vec::new(), Vec::new());
        for (param, argument) in params.iter().zip(&call.arguments) {
            match frame.get(&argument.text) {
                Some(Bound::Source { slot, content }) if param.source => {
                    sources.push(content);
                    source_slots.push(slot);
                }
                Some(Bound::Target { slot, shape }) if !param.source => {
                    self.check_parameter(file, param, shape, argument);
                    targets.push(shape);
                    target_slots.push(slot);
                }
                Some(_) => {
                    let wanted = if param.source { "source" } else { "target" };
                    let message = format!("`{}` is not a {wanted}", argument.text);
                    self.error("MAP104", &argument.span, message);
                    return None;
                }
                None => {
                    self.unknown_variable(argument, frame);
                    return None;
                }
            }
        }
        let group = self.group_instance(&Instance { file, group, sources, targets });
        Some(Call { group, sources: source_slots, targets: target_slots })
    }

    /// A declared target type has to be the argument's.
    fn check_parameter(&mut self, file: usize, param: &fml::Param, shape: usize, argument: &Name) {
        let Some(declared) = &param.type_name else { return };
        let caller = std::mem::replace(&mut self.file, file);
        let url = self.url_of(&declared.text);
        self.file = caller;
        let declared =
            url.as_deref().unwrap_or(&declared.text).rsplit('/').next().unwrap_or_default();
        let Some(given) = self.shapes.get(shape).map(|shape| shape.name.clone()) else { return };
        let abstract_type =
            matches!(declared, "BackboneElement" | "Element" | "Resource" | "DomainResource");
        if !abstract_type && declared != given {
            let message = format!("`{}` is a {given}; the group takes a {declared}", argument.text);
            self.error("MAP104", &argument.span, message);
        }
    }
}

/// A constant with its JSON text.
pub(super) fn constant(value: &LiteralValue) -> Constant {
    let (text, quoted) = match value {
        LiteralValue::Text(text) | LiteralValue::Moment(text) => (text.clone(), true),
        LiteralValue::Number(text) => (text.clone(), false),
        LiteralValue::Boolean(value) => (value.to_string(), false),
    };
    let json =
        if quoted { serde_json::Value::from(text.as_str()).to_string() } else { text.clone() };
    Constant { text: text.into(), json: json.into(), quoted }
}

/// The form that a constant has by itself.
pub(super) fn constant_type(value: &LiteralValue) -> (Form, Primitive) {
    match value {
        LiteralValue::Text(_) => (Form::Text, Primitive::String),
        LiteralValue::Moment(_) => (Form::Text, Primitive::DateTime),
        LiteralValue::Number(text) if text.contains('.') => (Form::Number, Primitive::Decimal),
        LiteralValue::Number(_) => (Form::Number, Primitive::Integer),
        LiteralValue::Boolean(_) => (Form::Boolean, Primitive::Boolean),
    }
}
