//! Reads FHIRPath expressions and constants.

use fml_syntax::ast::{self, AstNode, Expr as Node};
use fml_syntax::{SyntaxKind, SyntaxNode};

use super::{DEEPEST, Expr, ExprKind, Literal, LiteralValue, Name, Reader, span, token_name};

impl Reader<'_> {
    pub(super) fn expr(&mut self, node: &Node) -> Expr {
        if self.depth >= DEEPEST {
            let at = span(node.syntax());
            self.error("MAP002", at.clone(), "the expression is too deep; split it into rules");
            return Expr { kind: ExprKind::Broken, span: at };
        }
        self.depth += 1;
        let expr = self.expression(&node.unparenthesized());
        self.depth -= 1;
        expr
    }

    fn expression(&mut self, node: &Node) -> Expr {
        let syntax = node.syntax();
        let at = span(syntax);
        let kind = match syntax.kind() {
            SyntaxKind::Literal => Self::literal(syntax).map(|l| ExprKind::Literal(l.value)),
            SyntaxKind::NullLiteral => Some(ExprKind::Empty),
            SyntaxKind::NameRef => name_ref(syntax),
            SyntaxKind::ExternalConstant => {
                let name = node.text();
                Some(ExprKind::Variable(name.trim_start_matches('%').trim_matches('\'').to_owned()))
            }
            SyntaxKind::MemberExpr => self.member(syntax),
            SyntaxKind::CallExpr => self.call(None, syntax),
            SyntaxKind::BinaryExpr => self.binary(syntax),
            SyntaxKind::PrefixExpr => negative(&node.text()),
            _ => None,
        };
        let kind = kind.unwrap_or_else(|| {
            let instead = "see mappings/README.md for the FHIRPath that is supported";
            self.unsupported(at.clone(), &format!("the expression `{}`", node.text()), instead);
            ExprKind::Broken
        });
        Expr { kind, span: at }
    }

    fn member(&mut self, syntax: &SyntaxNode) -> Option<ExprKind> {
        let mut children = syntax.children();
        let base = self.expr(&Node::cast(children.next()?)?);
        let member = children.next()?;
        match member.kind() {
            SyntaxKind::CallExpr => self.call(Some(base), &member),
            SyntaxKind::NameRef => {
                let token = member.first_token()?;
                Some(ExprKind::Member(Box::new(base), token_name(&token)))
            }
            _ => None,
        }
    }

    fn call(&mut self, base: Option<Expr>, syntax: &SyntaxNode) -> Option<ExprKind> {
        let name = super::first_name(syntax, &[])?;
        let list = syntax.children().find(|n| n.kind() == SyntaxKind::ArgumentList);
        let nodes: Vec<Node> =
            list.iter().flat_map(SyntaxNode::children).filter_map(Node::cast).collect();
        let arguments = nodes.iter().map(|node| self.expr(node)).collect();
        Some(ExprKind::Call(base.map(Box::new), name, arguments))
    }

    fn binary(&mut self, syntax: &SyntaxNode) -> Option<ExprKind> {
        let mut sides = syntax.children().filter_map(Node::cast);
        let (left, right) = (sides.next()?, sides.next()?);
        let operator = syntax
            .children_with_tokens()
            .filter_map(fml_syntax::NodeOrToken::into_token)
            .find(|token| !token.kind().is_trivia())?;
        let (left, right) = (self.expr(&left), self.expr(&right));
        Some(ExprKind::Binary(operator.text().to_owned(), Box::new(left), Box::new(right)))
    }

    pub(super) fn literal(syntax: &SyntaxNode) -> Option<Literal> {
        let literal = ast::Literal::cast(syntax.clone())?;
        let text = literal.value()?;
        let value = match literal.kind()? {
            SyntaxKind::SingleQuotedString
            | SyntaxKind::DoubleQuotedString
            | SyntaxKind::TripleQuotedString => LiteralValue::Text(text),
            SyntaxKind::Integer | SyntaxKind::Decimal => LiteralValue::Number(text),
            SyntaxKind::Date | SyntaxKind::DateTime | SyntaxKind::Time => {
                LiteralValue::Moment(text.trim_start_matches('@').to_owned())
            }
            SyntaxKind::Ident if text == "true" || text == "false" => {
                LiteralValue::Boolean(text == "true")
            }
            _ => return None,
        };
        Some(Literal { value, span: span(syntax) })
    }

    /// A constant or variable given to a transform.
    pub(super) fn name_argument(&mut self, node: &Node) -> Option<Name> {
        let syntax = node.syntax();
        if syntax.kind() != SyntaxKind::NameRef {
            self.error("MAP107", span(syntax), "a variable is expected here");
            return None;
        }
        Some(token_name(&syntax.first_token()?))
    }

    /// A constant text given to a transform.
    pub(super) fn text_argument(&mut self, node: &Node) -> Option<Name> {
        let literal = Self::literal(node.syntax());
        if let Some(Literal { value: LiteralValue::Text(text), span }) = literal {
            return Some(Name { text, span });
        }
        self.error("MAP107", span(node.syntax()), "a constant text is expected here");
        None
    }
}

fn name_ref(syntax: &SyntaxNode) -> Option<ExprKind> {
    let token = syntax.first_token()?;
    match (token.kind(), token.text()) {
        (SyntaxKind::DollarIdent, "$this") => Some(ExprKind::This),
        (SyntaxKind::DollarIdent, _) => None,
        _ => Some(ExprKind::Name(ast::name_text(&token))),
    }
}

fn negative(text: &str) -> Option<ExprKind> {
    let number: String = text.split_whitespace().collect();
    number.parse::<f64>().ok()?;
    Some(ExprKind::Literal(LiteralValue::Number(number)))
}
