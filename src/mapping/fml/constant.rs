//! Constants of a map, `let name = 'value';`, put where they are used.

use fml_syntax::ast::{self, AstNode, Expr as Node};
use fml_syntax::{SyntaxKind, SyntaxNode};

use super::{Literal, Name, Reader, Span, first_name, span};

/// One constant.
pub(super) struct Constant {
    name: String,
    literal: Literal,
    /// The value as it is written.
    text: String,
}

/// A text in which constants are written out: at each place stands what it is replaced with.
pub(super) fn written_out(text: &str, mut places: Vec<(Span, String)>) -> String {
    places.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut text = text.to_owned();
    for (span, value) in places {
        text.replace_range(span, &value);
    }
    text
}

impl Reader<'_> {
    pub(super) fn declare(&mut self, declared: &ast::ConstantDeclaration) {
        let at = span(declared.syntax());
        let value = declared.expression().map(|node| node.unparenthesized());
        let literal = value.as_ref().and_then(|node| Self::literal(node.syntax()));
        let name = first_name(declared.syntax(), &["let"]);
        let (Some(name), Some(node), Some(literal)) = (name, value, literal) else {
            let instead = "give a text, a number, a date, `true` or `false`";
            self.unsupported(at, "a computed constant", instead);
            return;
        };
        self.check_unlike_constants(&name);
        self.uses.push((at, String::new()));
        self.constants.push(Constant { name: name.text, literal, text: node.text() });
    }

    /// A variable that is called like a constant would hide it, in some engines.
    pub(super) fn check_unlike_constants(&mut self, name: &Name) {
        if self.constants.iter().any(|constant| constant.name == name.text) {
            let message = format!("`{}` is a constant of this map: take another name", name.text);
            self.error("MAP107", name.span.clone(), message);
        }
    }

    /// The constant of this name, which stands at a place.
    pub(super) fn constant(&mut self, name: &str, at: &Span) -> Option<Literal> {
        let constant = self.constants.iter().find(|constant| constant.name == name)?;
        self.uses.push((at.clone(), constant.text.clone()));
        Some(Literal { value: constant.literal.value.clone(), span: at.clone() })
    }

    /// A literal, or the constant that a name stands for.
    pub(super) fn value(&mut self, syntax: &SyntaxNode) -> Option<Literal> {
        if let Some(literal) = Self::literal(syntax) {
            return Some(literal);
        }
        let named = matches!(syntax.kind(), SyntaxKind::NameRef | SyntaxKind::ExternalConstant);
        let text = named.then(|| Node::cast(syntax.clone())).flatten()?.text();
        self.constant(text.trim_start_matches('%'), &span(syntax))
    }
}
