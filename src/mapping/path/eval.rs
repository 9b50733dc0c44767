//! Evaluates compiled expressions. Items are handed to a callback, so that nothing is collected
//! unless two collections are compared.

use std::cmp::Ordering;

use bumpalo::Bump;

use super::{Expr, Function, Operator};
use crate::mapping::record::{Node, joined};

/// What an expression sees.
#[derive(Clone, Copy)]
pub(crate) struct Env<'a, 'v> {
    /// The source variables.
    pub variables: &'v [std::cell::Cell<Node<'a>>],
    /// The focus.
    pub this: Node<'a>,
    /// Where computed texts go.
    pub bump: &'a Bump,
}

/// Called with each item; answers whether to go on.
type Visit<'f, 'a> = &'f mut dyn FnMut(Node<'a>) -> bool;

impl Expr {
    /// Whether a condition holds; an empty result does not.
    pub(crate) fn holds<'a>(&'a self, env: Env<'a, '_>) -> bool {
        self.boolean(env) == Some(true)
    }

    /// The first item, or absent.
    pub(crate) fn first<'a>(&'a self, env: Env<'a, '_>) -> Node<'a> {
        let mut first = Node::Absent;
        self.each(env, &mut |node| {
            first = node;
            false
        });
        first
    }

    fn boolean<'a>(&'a self, env: Env<'a, '_>) -> Option<bool> {
        match self.first(env) {
            Node::Absent => None,
            Node::Boolean(value) => Some(value),
            // the evaluation of a single item as a boolean
            _ => Some(true),
        }
    }

    fn text<'a>(&'a self, env: Env<'a, '_>) -> Option<&'a str> {
        match self.first(env) {
            Node::Text(text) | Node::Number(text) => Some(text),
            Node::Boolean(value) => Some(if value { "true" } else { "false" }),
            _ => None,
        }
    }

    /// Hands over each item; answers whether the callback wanted all of them.
    pub(crate) fn each<'a>(&'a self, env: Env<'a, '_>, visit: Visit<'_, 'a>) -> bool {
        match self {
            Expr::Empty | Expr::Pattern(_) => true,
            Expr::Boolean(value) => visit(Node::Boolean(*value)),
            Expr::Number(text) => visit(Node::Number(text)),
            Expr::Text(text) => visit(Node::Text(text)),
            Expr::Variable(slot) => {
                let node = env.variables.get(*slot).map_or(Node::Absent, std::cell::Cell::get);
                node.items().all(visit)
            }
            Expr::This => env.this.items().all(visit),
            Expr::Field(base, position) => {
                base.each(env, &mut |node| node.field(*position).items().all(&mut *visit))
            }
            Expr::Function(function, base, arguments) => function.each(env, base, arguments, visit),
            Expr::Binary(Operator::Union, left, right) => {
                left.each(env, visit) && right.each(env, visit)
            }
            Expr::Binary(operator, left, right) => match operator.apply(env, left, right) {
                Node::Absent => true,
                node => visit(node),
            },
        }
    }

    fn all_items<'a>(&'a self, env: Env<'a, '_>) -> Vec<Node<'a>> {
        let mut items = Vec::new();
        self.each(env, &mut |node| {
            items.push(node);
            true
        });
        items
    }

    fn is_empty<'a>(&'a self, env: Env<'a, '_>) -> bool {
        self.each(env, &mut |_| false)
    }
}

impl Function {
    fn each<'a>(
        self,
        env: Env<'a, '_>,
        base: &'a Expr,
        arguments: &'a [Expr],
        visit: Visit<'_, 'a>,
    ) -> bool {
        let criterion = arguments.first();
        match self {
            Function::First => match base.first(env) {
                Node::Absent => true,
                node => visit(node),
            },
            Function::Last => {
                let mut last = None;
                base.each(env, &mut |node| {
                    last = Some(node);
                    true
                });
                last.is_none_or(visit)
            }
            Function::Where => base.each(env, &mut |node| {
                !criterion.is_some_and(|c| c.holds(Env { this: node, ..env })) || visit(node)
            }),
            Function::Iif => {
                let holds = criterion.is_some_and(|c| c.holds(env));
                arguments
                    .get(if holds { 1 } else { 2 })
                    .is_none_or(|branch| branch.each(env, visit))
            }
            _ => match self.value(env, base, criterion, arguments.get(1)) {
                Node::Absent => true,
                node => visit(node),
            },
        }
    }

    fn value<'a>(
        self,
        env: Env<'a, '_>,
        base: &'a Expr,
        first: Option<&'a Expr>,
        second: Option<&'a Expr>,
    ) -> Node<'a> {
        let boolean = |value: Option<bool>| value.map_or(Node::Absent, Node::Boolean);
        match self {
            Function::Exists => {
                let none = base.each(env, &mut |node| {
                    first.is_some_and(|c| !c.holds(Env { this: node, ..env }))
                });
                Node::Boolean(!none)
            }
            Function::HasValue => Node::Boolean(!base.is_empty(env)),
            Function::Empty => Node::Boolean(base.is_empty(env)),
            Function::All => {
                Node::Boolean(base.each(env, &mut |node| {
                    first.is_some_and(|c| c.holds(Env { this: node, ..env }))
                }))
            }
            Function::Not => boolean(base.boolean(env).map(|value| !value)),
            Function::Count => {
                let mut count = 0_usize;
                base.each(env, &mut |_| {
                    count += 1;
                    true
                });
                Node::Number(env.bump.alloc_str(&count.to_string()))
            }
            _ => base.text(env).map_or(Node::Absent, |text| self.of_text(env, text, first, second)),
        }
    }

    fn of_text<'a>(
        self,
        env: Env<'a, '_>,
        text: &'a str,
        first: Option<&'a Expr>,
        second: Option<&'a Expr>,
    ) -> Node<'a> {
        let argument = || first.and_then(|expr| expr.text(env));
        let test = |holds: fn(&str, &str) -> bool| {
            argument().map_or(Node::Absent, |other| Node::Boolean(holds(text, other)))
        };
        match self {
            Function::StartsWith => test(|text, other| text.starts_with(other)),
            Function::EndsWith => test(|text, other| text.ends_with(other)),
            Function::Contains => test(|text, other| text.contains(other)),
            Function::Matches => match first {
                Some(Expr::Pattern(pattern)) => Node::Boolean(pattern.is_match(text)),
                _ => Node::Absent,
            },
            Function::Length => Node::Number(env.bump.alloc_str(&text.chars().count().to_string())),
            Function::Lower => Node::Text(env.bump.alloc_str(&text.to_lowercase())),
            Function::Upper => Node::Text(env.bump.alloc_str(&text.to_uppercase())),
            Function::ToString => Node::Text(text),
            Function::Substring => {
                let number = |expr: Option<&'a Expr>| expr?.text(env)?.parse::<usize>().ok();
                let start = number(first).unwrap_or(usize::MAX);
                let length = number(second).unwrap_or(usize::MAX);
                let part: String = text.chars().skip(start).take(length).collect();
                if part.is_empty() { Node::Absent } else { Node::Text(env.bump.alloc_str(&part)) }
            }
            _ => Node::Absent,
        }
    }
}

impl Operator {
    fn apply<'a>(self, env: Env<'a, '_>, left: &'a Expr, right: &'a Expr) -> Node<'a> {
        let boolean = |value: Option<bool>| value.map_or(Node::Absent, Node::Boolean);
        match self {
            Operator::And => boolean(and(left.boolean(env), || right.boolean(env))),
            Operator::Or => {
                let none = and(left.boolean(env).map(|v| !v), || right.boolean(env).map(|v| !v));
                boolean(none.map(|v| !v))
            }
            Operator::Implies => {
                let refuted = and(left.boolean(env), || right.boolean(env).map(|v| !v));
                boolean(refuted.map(|v| !v))
            }
            Operator::Xor => {
                boolean(left.boolean(env).zip(right.boolean(env)).map(|(a, b)| a != b))
            }
            Operator::Equal => boolean(equal(env, left, right)),
            Operator::NotEqual => boolean(equal(env, left, right).map(|value| !value)),
            Operator::In => boolean(member(env, left, right)),
            Operator::Contains => boolean(member(env, right, left)),
            Operator::Join | Operator::Plus => self.joined(env, left, right),
            Operator::Union => Node::Absent,
            _ if self.is_arithmetic() => self.calculated(env, left, right),
            _ => {
                let order = compare(left.first(env), right.first(env));
                boolean(order.map(|order| match self {
                    Operator::Less => order == Ordering::Less,
                    Operator::LessOrEqual => order != Ordering::Greater,
                    Operator::Greater => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                }))
            }
        }
    }

    fn calculated<'a>(self, env: Env<'a, '_>, left: &'a Expr, right: &'a Expr) -> Node<'a> {
        let (Node::Number(left), Node::Number(right)) = (left.first(env), right.first(env)) else {
            return Node::Absent;
        };
        let result = self.calculate(left, right);
        result.map_or(Node::Absent, |text| Node::Number(env.bump.alloc_str(&text)))
    }

    fn joined<'a>(self, env: Env<'a, '_>, left: &'a Expr, right: &'a Expr) -> Node<'a> {
        let (left, right) = (left.text(env), right.text(env));
        if self == Operator::Plus && (left.is_none() || right.is_none()) {
            return Node::Absent;
        }
        let text = joined(env.bump, &[left.unwrap_or_default(), right.unwrap_or_default()]);
        if text.is_empty() { Node::Absent } else { Node::Text(text) }
    }
}

/// Three-valued `and`.
fn and(left: Option<bool>, right: impl FnOnce() -> Option<bool>) -> Option<bool> {
    match left {
        Some(false) => Some(false),
        Some(true) => right(),
        None => right().filter(|value| !value),
    }
}

fn equal<'a>(env: Env<'a, '_>, left: &'a Expr, right: &'a Expr) -> Option<bool> {
    // one constant side, the common case, needs no collecting
    if let Expr::Text(_) | Expr::Number(_) | Expr::Boolean(_) = right {
        let wanted = right.first(env);
        let (mut count, mut same) = (0_usize, false);
        left.each(env, &mut |node| {
            count += 1;
            same = count == 1 && compare(node, wanted) == Some(Ordering::Equal);
            count < 2
        });
        return (count > 0).then_some(same);
    }
    let (left, right) = (left.all_items(env), right.all_items(env));
    if left.is_empty() || right.is_empty() {
        return None;
    }
    let same = |(a, b): (&Node<'_>, &Node<'_>)| compare(*a, *b) == Some(Ordering::Equal);
    Some(left.len() == right.len() && left.iter().zip(&right).all(same))
}

fn member<'a>(env: Env<'a, '_>, item: &'a Expr, of: &'a Expr) -> Option<bool> {
    let item = item.first(env);
    if item.is_absent() {
        return None;
    }
    let none = of.each(env, &mut |node| compare(node, item) != Some(Ordering::Equal));
    Some(!none)
}

/// Compares two values of one form: numbers by value, moments with an offset in time.
fn compare(left: Node<'_>, right: Node<'_>) -> Option<Ordering> {
    match (left, right) {
        (Node::Text(a), Node::Text(b)) if a == b => Some(Ordering::Equal),
        (Node::Text(a), Node::Text(b)) => {
            let moment = |text: &str| text.parse::<jiff::Timestamp>().ok();
            match (a.len() >= 20).then(|| moment(a)).flatten().zip(moment(b)) {
                Some((a, b)) => Some(a.cmp(&b)),
                None => Some(a.cmp(b)),
            }
        }
        (Node::Number(a), Node::Number(b)) => {
            a.parse::<f64>().ok()?.partial_cmp(&b.parse::<f64>().ok()?)
        }
        (Node::Boolean(a), Node::Boolean(b)) => Some(a.cmp(&b)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::mapping::diagnostic::{Diagnostics, SourceText};
    use crate::mapping::fml;
    use crate::mapping::model::{FieldType, Model};
    use crate::mapping::path::{Compiler, Scope, Ty, Variable};
    use crate::mapping::record::{Caps, read};

    struct Nothing;

    impl Scope for Nothing {
        fn source(&self, _: &str) -> Option<Variable> {
            None
        }
    }

    fn model() -> Model {
        let element = |path: &str, max: &str, code: &str| json!({"path": path, "max": max, "type": [{"code": code}]});
        Model::read(&json!({"url": "https://x.example/v", "name": "V", "type": "V", "differential": {"element": [
            element("V.status", "1", "code"), element("V.n", "1", "integer"), element("V.at", "1", "dateTime"),
            element("V.who", "*", "BackboneElement"), element("V.who.role", "1", "code"), element("V.flag", "1", "boolean")]}}).to_string())
        .unwrap()
    }

    /// The diagnostics of an expression, and what it gives for a record.
    fn evaluate(expression: &str, record: &str) -> Result<String, Vec<String>> {
        let text =
            format!("group G(source s, target t) {{ s where ({expression}) -> t.x = 'y' \"r\"; }}");
        let source = Arc::new(SourceText { path: "g.fml".into(), text });
        let mut ignored = Diagnostics::default();
        let file = fml::read(Arc::clone(&source), &mut ignored);
        let expr = file.groups[0].rules[0].source.condition.as_ref().unwrap();
        let (model, mut diagnostics, mut reads) = (model(), Diagnostics::default(), Vec::new());
        let focus = Some(Ty { content: Some(FieldType::Object(0)), many: false });
        let (problems, reads) = (&mut diagnostics, &mut reads);
        let compiler = &mut Compiler {
            model: &model,
            source: &source,
            scope: &Nothing,
            diagnostics: problems,
            reads,
        };
        let (made, _) = compiler.compile(expr, focus);
        let found: Vec<String> = diagnostics.finish().into_iter().map(|d| d.message).collect();
        if !found.is_empty() {
            return Err(found);
        }
        let bump = Bump::new();
        let this = read(&model, record.as_bytes(), &bump, Caps::default()).unwrap();
        Ok(match made.first(Env { variables: &[], this, bump: &bump }) {
            Node::Absent => "{}".to_owned(),
            Node::Boolean(value) => value.to_string(),
            Node::Text(text) | Node::Number(text) => text.to_owned(),
            Node::Object(_) | Node::List(_) => "object".to_owned(),
        })
    }

    #[test]
    fn expressions_follow_fhirpath() {
        let record = r#"{"status":"open","n":7,"at":"2026-11-01T01:30:00-04:00","who":[{"role":"a"},{"role":"b"}],"flag":false}"#;
        for (expression, expected) in [
            ("status = 'open' and n > 6.5", "true"),
            ("status != 'open' or who.count() = 2", "true"),
            ("who.where(role = 'b').exists()", "true"),
            ("who.exists(role = 'c')", "false"),
            ("who.role.first()", "a"),
            ("who.last().role & '-' & status", "b-open"),
            ("status in ('open' | 'done')", "true"),
            ("flag.not() and flag.exists()", "true"),
            ("at < @2026-11-01T05:45:00Z", "true"),
            ("at = @2026-11-01T05:30:00Z", "true"),
            ("flag implies (n = 1)", "true"),
            ("iif(flag, 'x', status.upper().substring(1, 2))", "PE"),
            (
                "status.matches('^op') and status.matches('p.n') and status.matches('^p').not()",
                "true",
            ),
            ("n + 1", "8"),
            ("(n - 1) / 4 + 0.5", "2.0"),
            ("n div 2 * 10 + n mod 2", "31"),
            ("n * 60 > 400", "true"),
            ("status + '-' + status", "open-open"),
            ("status.startsWith('op') and who.all(role.length() = 1)", "true"),
        ] {
            assert_eq!(evaluate(expression, record).as_deref(), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn an_empty_side_makes_most_results_empty() {
        for (expression, expected) in [
            ("status = 'open'", "{}"),
            ("status != 'open'", "{}"),
            ("status = 'open' or n.empty()", "true"),
            ("status = 'open' and n.exists()", "false"),
            ("status + 'x'", "{}"),
            ("n + 1", "{}"),
            ("{} + 1", "{}"),
            ("1 / 0", "{}"),
            ("status.matches('x')", "{}"),
            ("status & 'x'", "x"),
            ("who.count()", "0"),
        ] {
            assert_eq!(evaluate(expression, "{}").as_deref(), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn what_cannot_be_right_is_refused_at_load() {
        for expression in [
            "statu = 'x'",
            "who.rolle.exists()",
            "today()",
            "status = 1",
            "n + status",
            "status - 1",
            "n.matches('x')",
            "status.matches(status)",
            "status.matches('(')",
            "status.matches('a(?=b)')",
        ] {
            assert_eq!(evaluate(expression, "{}").unwrap_err().len(), 1, "{expression}");
        }
    }

    #[test]
    fn what_nests_too_deep_is_refused_before_the_stack_is_used_up() {
        let nested = format!("{}flag{}", "(".repeat(50_000), ")".repeat(50_000));
        let signs = format!("{}1", "-".repeat(50_000));
        let (calls, chain) =
            ("flag".to_owned() + &".exists()".repeat(300), "flag or ".repeat(300) + "flag");
        for expression in ["()", &nested, &signs, &calls, &chain] {
            let text = format!(
                "group G(source s, target t) {{ s where {expression} -> t.x = 'y' \"r\"; }}"
            );
            let mut diagnostics = Diagnostics::default();
            fml::read(Arc::new(SourceText { path: "g.fml".into(), text }), &mut diagnostics);
            assert!(diagnostics.has_errors());
        }
    }
}
