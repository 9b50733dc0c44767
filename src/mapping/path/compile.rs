//! Compiles an expression: every path is looked up, every function known, or it is an error.

use std::sync::Arc;

use super::{Expr, FUNCTIONS, Function, OPERATORS, Operator};
use crate::fhir::r4::{Form, Primitive};
use crate::mapping::diagnostic::{Diagnostics, Place, SourceText, did_you_mean};
use crate::mapping::fml::{self, ExprKind, LiteralValue, Name, Span};
use crate::mapping::model::{FieldType, Model};

/// The most bytes that a compiled pattern takes.
const MAX_PATTERN: usize = 1 << 20;

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ty {
    /// `None` where nothing is known, as of `{}`.
    pub content: Option<FieldType>,
    /// There may be several.
    pub many: bool,
}

impl Ty {
    pub(crate) const UNKNOWN: Self = Self { content: None, many: false };

    fn one(primitive: Primitive) -> Self {
        Self { content: Some(FieldType::Primitive(primitive)), many: false }
    }

    pub(crate) fn form(self) -> Option<Form> {
        match self.content? {
            FieldType::Primitive(primitive) => Some(primitive.form()),
            FieldType::Object(_) => None,
        }
    }
}

/// A source variable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variable {
    /// The slot in the frame.
    pub slot: usize,
    /// What it holds.
    pub content: FieldType,
}

/// Finds source variables by name.
pub(crate) trait Scope {
    /// The source variable of this name.
    fn source(&self, name: &str) -> Option<Variable>;
}

/// Compiles the expressions of one file.
pub(crate) struct Compiler<'a> {
    pub model: &'a Model,
    pub source: &'a Arc<SourceText>,
    pub scope: &'a dyn Scope,
    pub diagnostics: &'a mut Diagnostics,
    /// The fields that were read: object type and position.
    pub reads: &'a mut Vec<(usize, usize)>,
}

impl Compiler<'_> {
    /// Compiles an expression on a focus.
    pub(crate) fn compile(&mut self, expr: &fml::Expr, focus: Option<Ty>) -> (Expr, Ty) {
        match &expr.kind {
            ExprKind::Literal(value) => literal(value),
            ExprKind::Name(name) => self.name(name, &expr.span, focus),
            ExprKind::Variable(name) => {
                let found = self.scope.source(name);
                if found.is_none() {
                    self.error("MAP103", &expr.span, format!("unknown source variable `{name}`"));
                }
                found.map_or_else(broken, variable_of)
            }
            ExprKind::This => {
                if focus.is_none() {
                    self.error("MAP103", &expr.span, "there is no `$this` here".to_owned());
                }
                focus.map_or_else(broken, |ty| (Expr::This, Ty { many: false, ..ty }))
            }
            ExprKind::Empty | ExprKind::Broken => broken(),
            ExprKind::Member(base, name) => {
                let (base, ty) = self.compile(base, focus);
                self.member(base, ty, name)
            }
            ExprKind::Call(base, name, arguments) => {
                self.call(base.as_deref(), name, arguments, focus)
            }
            ExprKind::Binary(operator, left, right) => {
                self.binary(operator, left, right, &expr.span, focus)
            }
        }
    }

    /// Compiles a condition.
    pub(crate) fn condition(&mut self, expr: &fml::Expr, focus: Option<Ty>) -> Expr {
        let (compiled, ty) = self.compile(expr, focus);
        if ty.content.is_some() && ty.form() != Some(Form::Boolean) {
            let message = "a condition has to be true or false; did you mean `….exists()`?";
            self.error("MAP110", &expr.span, message.to_owned());
        }
        compiled
    }

    fn error(&mut self, code: &'static str, span: &Span, message: String) {
        let place = Place { source: Arc::clone(self.source), span: span.clone() };
        self.diagnostics.error(code, &place, message);
    }

    /// A bare name is a variable first, as in HL7's engine, and then an element of the focus.
    fn name(&mut self, name: &str, span: &Span, focus: Option<Ty>) -> (Expr, Ty) {
        if let Some(variable) = self.scope.source(name) {
            return variable_of(variable);
        }
        let Some(ty) = focus else {
            self.error("MAP103", span, format!("unknown source variable `{name}`"));
            return broken();
        };
        self.member(Expr::This, ty, &Name { text: name.to_owned(), span: span.clone() })
    }

    fn member(&mut self, base: Expr, ty: Ty, name: &Name) -> (Expr, Ty) {
        let object = match ty.content {
            None => return broken(),
            Some(FieldType::Object(object)) => object,
            Some(FieldType::Primitive(primitive)) => {
                let message = format!("a {} has no element `{}`", primitive.name(), name.text);
                self.error("MAP101", &name.span, message);
                return broken();
            }
        };
        let Some(t) = self.model.types.get(object) else { return broken() };
        let Some((position, field)) = t.field(&name.text).and_then(|p| Some((p, t.fields.get(p)?)))
        else {
            let place = Place { source: Arc::clone(self.source), span: name.span.clone() };
            let message = format!("{} has no element `{}`", self.model.display(object), name.text);
            let help = did_you_mean(&name.text, t.fields.iter().map(|f| &*f.name));
            self.diagnostics.error_help("MAP101", &place, message, help);
            return broken();
        };
        self.reads.push((object, position));
        let ty = Ty { content: Some(field.content), many: ty.many || field.list };
        (Expr::Field(Box::new(base), position), ty)
    }

    fn call(
        &mut self,
        base: Option<&fml::Expr>,
        name: &Name,
        arguments: &[fml::Expr],
        focus: Option<Ty>,
    ) -> (Expr, Ty) {
        let known = FUNCTIONS.iter().find(|(known, ..)| *known == name.text);
        let Some((_, function, min, max)) = known else {
            let place = Place { source: Arc::clone(self.source), span: name.span.clone() };
            let help = did_you_mean(&name.text, FUNCTIONS.iter().map(|(known, ..)| *known));
            let message = format!("the FHIRPath function `{}()` is not supported", name.text);
            self.diagnostics.error_help("MAP110", &place, message, help);
            return broken();
        };
        if !(*min..=*max).contains(&arguments.len()) {
            let message = format!("wrong number of arguments for `{}()`", name.text);
            self.error("MAP107", &name.span, message);
            return broken();
        }
        let (base, ty) = match (base, focus) {
            (Some(base), _) => self.compile(base, focus),
            (None, Some(ty)) => (Expr::This, ty),
            (None, None) if *function == Function::Iif => broken(),
            (None, None) => {
                self.error("MAP103", &name.span, format!("`{}()` of what?", name.text));
                broken()
            }
        };
        let inner = match function {
            Function::Where | Function::All | Function::Exists => Some(Ty { many: false, ..ty }),
            _ => focus,
        };
        let compiled: Vec<(Expr, Ty)> = arguments.iter().map(|a| self.compile(a, inner)).collect();
        let result = result_of(*function, ty, compiled.get(1).map(|(_, ty)| *ty));
        let arguments = match (function, arguments) {
            (Function::Matches, [pattern]) => vec![self.pattern(pattern, ty)],
            _ => compiled.into_iter().map(|(expr, _)| expr).collect(),
        };
        (Expr::Function(*function, Box::new(base), arguments), result)
    }

    /// The pattern of `matches`, made once, when the map is loaded.
    fn pattern(&mut self, argument: &fml::Expr, of: Ty) -> Expr {
        if of.form().is_some_and(|form| form != Form::Text) {
            self.error("MAP110", &argument.span, "`matches()` takes a text".to_owned());
            return Expr::Empty;
        }
        let ExprKind::Literal(LiteralValue::Text(text)) = &argument.kind else {
            let message = "the pattern of `matches()` has to be a constant text";
            self.error("MAP110", &argument.span, message.to_owned());
            return Expr::Empty;
        };
        let mut builder = regex::RegexBuilder::new(text);
        let built = builder.dot_matches_new_line(true).size_limit(MAX_PATTERN).build();
        let Ok(pattern) = built else {
            let message = "not a pattern that can be used: no look-around, no back-references";
            self.error("MAP110", &argument.span, message.to_owned());
            return Expr::Empty;
        };
        Expr::Pattern(pattern)
    }

    fn binary(
        &mut self,
        operator: &str,
        left: &fml::Expr,
        right: &fml::Expr,
        span: &Span,
        focus: Option<Ty>,
    ) -> (Expr, Ty) {
        let (left, left_ty) = self.compile(left, focus);
        let (right, right_ty) = self.compile(right, focus);
        let Some((_, operator)) = OPERATORS.iter().find(|(known, _)| *known == operator) else {
            self.error(
                "MAP110",
                span,
                format!("the FHIRPath operator `{operator}` is not supported"),
            );
            return broken();
        };
        let forms = (left_ty.form(), right_ty.form());
        let is_sum = forms.0.or(forms.1) == Some(Form::Number);
        let operator = match operator {
            Operator::Plus if is_sum => &Operator::Add,
            other => other,
        };
        let ty = match operator {
            Operator::Union => Ty { content: left_ty.content.or(right_ty.content), many: true },
            Operator::Join | Operator::Plus => Ty::one(Primitive::String),
            _ if operator.is_arithmetic() => number_of(*operator, left_ty, right_ty),
            _ => Ty::one(Primitive::Boolean),
        };
        let compared = matches!(
            operator,
            Operator::Equal
                | Operator::NotEqual
                | Operator::Less
                | Operator::LessOrEqual
                | Operator::Greater
                | Operator::GreaterOrEqual
                | Operator::In
        );
        if compared && matches!(forms, (Some(a), Some(b)) if a != b) {
            self.error(
                "MAP110",
                span,
                "the two sides can never be equal: their types differ".to_owned(),
            );
        }
        let is_number = |form: Option<Form>| form.is_none_or(|form| form == Form::Number);
        if operator.is_arithmetic() && !(is_number(forms.0) && is_number(forms.1)) {
            let message = "arithmetic takes numbers; derive dates and the like before";
            self.error("MAP110", span, message.to_owned());
        }
        (Expr::Binary(*operator, Box::new(left), Box::new(right)), ty)
    }
}

fn broken() -> (Expr, Ty) {
    (Expr::Empty, Ty::UNKNOWN)
}

fn variable_of(variable: Variable) -> (Expr, Ty) {
    (Expr::Variable(variable.slot), Ty { content: Some(variable.content), many: false })
}

fn literal(value: &LiteralValue) -> (Expr, Ty) {
    match value {
        LiteralValue::Text(text) => (Expr::Text(text.as_str().into()), Ty::one(Primitive::String)),
        LiteralValue::Moment(text) => {
            (Expr::Text(text.as_str().into()), Ty::one(Primitive::DateTime))
        }
        LiteralValue::Number(text) => {
            let whole = !text.contains('.');
            let primitive = if whole { Primitive::Integer } else { Primitive::Decimal };
            (Expr::Number(text.as_str().into()), Ty::one(primitive))
        }
        LiteralValue::Boolean(value) => (Expr::Boolean(*value), Ty::one(Primitive::Boolean)),
    }
}

/// What arithmetic gives: a whole number of whole numbers, but for a division.
fn number_of(operator: Operator, left: Ty, right: Ty) -> Ty {
    let is_decimal = |ty: Ty| ty.content == Some(FieldType::Primitive(Primitive::Decimal));
    let whole = match operator {
        Operator::Divide => false,
        Operator::DivideWhole => true,
        _ => !is_decimal(left) && !is_decimal(right),
    };
    Ty::one(if whole { Primitive::Integer } else { Primitive::Decimal })
}

fn result_of(function: Function, base: Ty, second: Option<Ty>) -> Ty {
    match function {
        Function::First | Function::Last => Ty { many: false, ..base },
        Function::Where => base,
        Function::Count | Function::Length => Ty::one(Primitive::Integer),
        Function::Lower | Function::Upper | Function::Substring | Function::ToString => {
            Ty::one(Primitive::String)
        }
        Function::Iif => second.unwrap_or(Ty::UNKNOWN),
        _ => Ty::one(Primitive::Boolean),
    }
}
