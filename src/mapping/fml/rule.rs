//! Reads rules: one source, targets, and what follows with `then`.

use fml_syntax::ast::{self, AstNode, Expr as Node, TransformValue};

use super::{
    Argument, Call, LiteralValue, Name, Pick, Reader, Rule, Source, Target, Transform, first_name,
    name_tokens, span, token_name,
};

/// Transforms of the language that maps here do without, since not every engine has them.
const FOREIGN: &[&str] = &[
    "escape",
    "cast",
    "reference",
    "dateOp",
    "uuid",
    "pointer",
    "cc",
    "c",
    "qty",
    "id",
    "cp",
    "toDateTime",
    "unixToDateTime",
    "toDate",
    "unixToDate",
    "toTime",
    "unixToTime",
];

impl Reader<'_> {
    pub(super) fn rule(&mut self, rule: &ast::Rule) -> Option<Rule> {
        let at = span(rule.syntax());
        if !rule.identity_fields().is_empty() {
            self.unsupported(at, "`source -> target : a, b`", "write one rule for each field");
            return None;
        }
        let mut sources = rule.sources();
        let source = self.source(&sources.next()?)?;
        if let Some(second) = sources.next() {
            let instead = "nest the second source in `then { … }`";
            self.unsupported(span(second.syntax()), "a second source in a rule", instead);
        }
        let mut targets: Vec<Target> = Vec::new();
        for target in rule.targets() {
            targets.extend(self.target(&target));
        }
        let (mut calls, mut rules) = (Vec::new(), Vec::new());
        if let Some(dependent) = rule.dependent() {
            for invocation in dependent.invocations() {
                calls.extend(self.dependent_call(&invocation));
            }
            if let Some(block) = dependent.rules() {
                rules.extend(block.rules().filter_map(|rule| self.rule(&rule)));
            }
        }
        let simple = source.element.is_some()
            && source.alias.is_none()
            && calls.is_empty()
            && rules.is_empty()
            && matches!(targets.as_slice(), [t] if t.alias.is_none() && matches!(t.transform, Transform::Make));
        Some(Rule { source, targets, calls, rules, span: at, simple })
    }

    fn dependent_call(&mut self, invocation: &ast::Invocation) -> Option<Call> {
        let group = first_name(invocation.syntax(), &[])?;
        let nodes: Vec<Node> = invocation.arguments().collect();
        let arguments = nodes.iter().filter_map(|node| self.name_argument(node)).collect();
        Some(Call { group, arguments })
    }

    /// The one or two names of `context.element`.
    fn path(&mut self, path: &ast::QualifiedName) -> Option<(Name, Option<Name>)> {
        let mut names = name_tokens(path.syntax()).map(|token| token_name(&token));
        let context = names.next()?;
        let element = names.next();
        if let Some(third) = names.next() {
            let instead = "take one step in each rule, with a variable in between";
            self.unsupported(third.span, "a path of several steps", instead);
        }
        Some((context, element))
    }

    fn source(&mut self, source: &ast::Source) -> Option<Source> {
        let (context, element) = self.path(&source.path()?)?;
        let at = span(source.syntax());
        for (given, what, instead) in [
            (source.type_annotation().is_some(), "a type on a source", "leave it out"),
            (source.cardinality().is_some(), "a cardinality on a source", "use `check`"),
            (source.log_clause().is_some(), "`log`", "leave it out"),
        ] {
            if given {
                self.unsupported(at.clone(), what, instead);
            }
        }
        let pick = match source.list_mode() {
            Some(ast::ListMode::First) => Pick::First,
            Some(ast::ListMode::NotFirst) => Pick::NotFirst,
            Some(ast::ListMode::Last) => Pick::Last,
            Some(ast::ListMode::NotLast) => Pick::NotLast,
            Some(ast::ListMode::OnlyOne) => Pick::OnlyOne,
            _ => Pick::All,
        };
        let default = source.default_value().and_then(|d| d.expression());
        let default = default.and_then(|node| {
            let node = node.unparenthesized();
            let literal = self.value(node.syntax());
            if literal.is_none() {
                self.unsupported(span(node.syntax()), "a computed default", "give a constant");
            }
            literal
        });
        let alias = source.alias().map(|text| Name { text, span: at.clone() });
        if let Some(name) = &alias {
            self.check_unlike_constants(name);
        }
        Some(Source {
            context,
            element,
            pick,
            alias,
            default,
            condition: source.where_clause().map(|node| self.expr(&node)),
            check: source.check_clause().map(|node| self.expr(&node)),
        })
    }

    fn target(&mut self, target: &ast::Target) -> Option<Target> {
        let at = span(target.syntax());
        if target.list_mode().is_some() {
            self.unsupported(at.clone(), "a list mode on a target", "leave it out");
        }
        let Some(path) = target.path() else {
            let instead = "write `target.element = …`";
            self.unsupported(at, "a target without an element", instead);
            return None;
        };
        let (context, element) = self.path(&path)?;
        let transform = match target.transform() {
            None => Transform::Make,
            Some(value) => self.transform(&value).unwrap_or(Transform::Broken),
        };
        let alias = target.alias().map(|text| Name { text, span: at.clone() });
        if let Some(name) = &alias {
            self.check_unlike_constants(name);
        }
        Some(Target { context, element, transform, alias, span: at })
    }

    fn transform(&mut self, value: &TransformValue) -> Option<Transform> {
        match value {
            TransformValue::Literal(literal) => {
                Self::literal(literal.syntax()).map(Transform::Constant)
            }
            TransformValue::Name(name) => {
                let (variable, element) = self.path(name)?;
                if let Some(element) = element {
                    let instead = "give it a variable: `source.element as v -> target.element = v`";
                    self.unsupported(element.span, "a path on the right of `=`", instead);
                    return None;
                }
                Some(match self.constant(&variable.text, &variable.span) {
                    Some(literal) => Transform::Constant(literal),
                    None => Transform::Copy(variable),
                })
            }
            TransformValue::Expression(node) => {
                Some(Transform::Evaluate { focus: None, expr: self.expr(node) })
            }
            TransformValue::Invocation(invocation) => self.invocation(invocation),
        }
    }

    fn invocation(&mut self, invocation: &ast::Invocation) -> Option<Transform> {
        let name = first_name(invocation.syntax(), &[])?;
        let arguments: Vec<Node> = invocation.arguments().collect();
        match (name.text.as_str(), arguments.as_slice()) {
            ("create", []) => Some(Transform::Create(None)),
            ("create", [t]) => Some(Transform::Create(Some(self.text_argument(t)?))),
            ("copy", [node]) => match self.argument(node)? {
                Argument::Variable(variable) => Some(Transform::Copy(variable)),
                Argument::Constant(literal) => Some(Transform::Constant(literal)),
            },
            ("translate", [variable, map, output]) => Some(Transform::Translate {
                variable: self.name_argument(variable)?,
                map: self.text_argument(map)?,
                output: self.text_argument(output)?,
            }),
            ("evaluate", [expr]) => {
                Some(Transform::Evaluate { focus: None, expr: self.expr(expr) })
            }
            ("evaluate", [focus, expr]) => Some(Transform::Evaluate {
                focus: Some(self.name_argument(focus)?),
                expr: self.expr(expr),
            }),
            ("append", [_, ..]) => {
                Some(Transform::Append(arguments.iter().filter_map(|a| self.argument(a)).collect()))
            }
            ("truncate", [variable, length]) => {
                let length = self.value(length.syntax()).map(|l| l.value);
                let Some(LiteralValue::Number(length)) = length else { return None };
                Some(Transform::Truncate(self.name_argument(variable)?, length.parse().ok()?))
            }
            ("create" | "copy" | "translate" | "evaluate" | "append" | "truncate", _) => {
                let at = span(invocation.syntax());
                self.error("MAP107", at, format!("wrong number of arguments for `{}`", name.text));
                None
            }
            (known, _) if FOREIGN.contains(&known) => {
                let instead = "it is outside the portable subset; write the elements one by one";
                self.unsupported(name.span, &format!("the transform `{known}`"), instead);
                None
            }
            (unknown, _) => {
                self.error("MAP106", name.span, format!("unknown transform `{unknown}`"));
                None
            }
        }
    }

    fn argument(&mut self, node: &Node) -> Option<Argument> {
        if let Some(literal) = self.value(node.syntax()) {
            return Some(Argument::Constant(literal));
        }
        self.name_argument(node).map(Argument::Variable)
    }
}
