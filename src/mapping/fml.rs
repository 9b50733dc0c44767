//! The text of a map, read into plain structures with the place of every part.
//!
//! The only module that knows the `fml_*` crates. What the language allows and this engine does
//! not support is reported here, by name.

pub(crate) mod definitions;
mod expr;
mod rule;

use std::ops::Range;
use std::sync::Arc;

use fml_syntax::ast::{self, AstNode};
use fml_syntax::{SyntaxKind, SyntaxNode, SyntaxToken};

use super::diagnostic::{Diagnostics, Place, SourceText};

/// The bytes of a part of a file.
pub(crate) type Span = Range<usize>;

/// A name and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub text: String,
    pub span: Span,
}

/// One FML file.
#[derive(Debug)]
pub(crate) struct File {
    pub source: Arc<SourceText>,
    pub url: String,
    pub version: String,
    pub uses: Vec<Uses>,
    pub imports: Vec<Name>,
    pub groups: Vec<Group>,
}

/// `uses "url" alias Name as source`
#[derive(Debug)]
pub(crate) struct Uses {
    pub url: Name,
    pub alias: Option<String>,
}

/// `group Name(source a : A, target b : B) { … }`
#[derive(Debug)]
pub(crate) struct Group {
    pub name: Name,
    pub params: Vec<Param>,
    pub rules: Vec<Rule>,
}

/// One parameter of a group.
#[derive(Debug)]
pub(crate) struct Param {
    pub name: Name,
    pub source: bool,
    pub type_name: Option<Name>,
}

/// `source -> targets then … "name"`
#[derive(Debug)]
pub(crate) struct Rule {
    pub source: Source,
    pub targets: Vec<Target>,
    pub calls: Vec<Call>,
    pub rules: Vec<Rule>,
    pub span: Span,
    /// `src.a -> tgt.b`, without variables.
    pub simple: bool,
}

/// Which items of a repeating source are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pick {
    All,
    First,
    NotFirst,
    Last,
    NotLast,
    OnlyOne,
}

/// The source of a rule.
#[derive(Debug)]
pub(crate) struct Source {
    pub context: Name,
    pub element: Option<Name>,
    pub pick: Pick,
    pub alias: Option<Name>,
    pub default: Option<Literal>,
    pub condition: Option<Expr>,
    pub check: Option<Expr>,
}

/// One target of a rule.
#[derive(Debug)]
pub(crate) struct Target {
    pub context: Name,
    pub element: Option<Name>,
    pub transform: Transform,
    pub alias: Option<Name>,
    pub span: Span,
}

/// What a target is set to.
#[derive(Debug)]
pub(crate) enum Transform {
    /// Nothing: the element is made, to be filled by later rules.
    Make,
    /// `create('Type')`
    Create(Option<Name>),
    /// A constant.
    Constant(Literal),
    /// A variable.
    Copy(Name),
    /// `translate(variable, 'url', 'code'|'Coding')`
    Translate { variable: Name, map: Name, output: Name },
    /// `evaluate(variable, expression)` or `(expression)`
    Evaluate { focus: Option<Name>, expr: Expr },
    /// `append(a, b, …)`
    Append(Vec<Argument>),
    /// `truncate(variable, length)`
    Truncate(Name, usize),
    /// Reported already.
    Broken,
}

/// A variable or constant.
#[derive(Debug)]
pub(crate) enum Argument {
    Variable(Name),
    Constant(Literal),
}

/// `then Group(a, b)`
#[derive(Debug)]
pub(crate) struct Call {
    pub group: Name,
    pub arguments: Vec<Name>,
}

/// A constant in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Literal {
    pub value: LiteralValue,
    pub span: Span,
}

/// The value of a constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LiteralValue {
    Text(String),
    /// A number as written.
    Number(String),
    Boolean(bool),
    /// A date, time or moment as written, without `@`.
    Moment(String),
}

/// A FHIRPath expression.
#[derive(Debug)]
pub(crate) struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

/// The forms of expression that are supported.
#[derive(Debug)]
pub(crate) enum ExprKind {
    Literal(LiteralValue),
    /// `name`, a variable or an element of the focus.
    Name(String),
    /// `%name`
    Variable(String),
    /// `$this`
    This,
    /// `{}`
    Empty,
    /// `expression.name`
    Member(Box<Expr>, Name),
    /// `expression.function(arguments)`
    Call(Option<Box<Expr>>, Name, Vec<Expr>),
    /// `left operator right`
    Binary(String, Box<Expr>, Box<Expr>),
    /// Reported already.
    Broken,
}

/// How deep brackets, signs and expressions may nest: reading, compiling and running an expression
/// take room on the stack for each level.
const DEEPEST: usize = 100;

/// Reads a file; whatever is wrong with it goes to `diagnostics`. One that nests too deep is read
/// as an empty one.
pub(crate) fn read(source: Arc<SourceText>, diagnostics: &mut Diagnostics) -> File {
    let too_deep = too_deep(&source.text);
    let mut reader = Reader { source, diagnostics, depth: 0 };
    if let Some(at) = too_deep {
        reader.error("MAP002", at, "brackets or signs nest too deep here; split the rule");
        let path = reader.source.path.clone();
        reader.source = Arc::new(SourceText { path, text: String::new() });
    }
    let parse = fml_syntax::parse(&reader.source.text);
    for problem in parse.diagnostics() {
        let place = reader.place(span_of(problem.range));
        match problem.severity {
            fml_syntax::Severity::Error => {
                reader.diagnostics.error("MAP002", &place, problem.message.clone());
            }
            fml_syntax::Severity::Warning => {
                reader.diagnostics.warning("MAP002", &place, problem.message.clone());
            }
        }
    }
    reader.file(&parse.tree())
}

/// Where brackets, or signs before a term, nest deeper than they may.
fn too_deep(text: &str) -> Option<Span> {
    let (mut open, mut signs) = (0_usize, 0);
    for token in fml_syntax::tokenize(text).0 {
        match token.kind {
            SyntaxKind::LParen | SyntaxKind::LBracket | SyntaxKind::LBrace => open += 1,
            SyntaxKind::RParen | SyntaxKind::RBracket | SyntaxKind::RBrace => {
                open = open.saturating_sub(1);
            }
            _ => {}
        }
        signs = match token.kind {
            SyntaxKind::Plus | SyntaxKind::Minus => signs + 1,
            kind if kind.is_trivia() => signs,
            _ => 0,
        };
        if open.max(signs) > DEEPEST {
            return Some(span_of(token.range));
        }
    }
    None
}

/// The text as an R4 StructureMap.
pub(crate) fn to_structure_map(text: &str) -> serde_json::Value {
    fml_model::to_r4(&fml_model::compile(text).map).json
}

/// Reports what HL7's compiler would have otherwise, and forms that other engines lack.
pub(crate) fn lint(source: &Arc<SourceText>, diagnostics: &mut Diagnostics) {
    for found in fml_model::compile(&source.text).diagnostics {
        let place = Place { source: Arc::clone(source), span: span_of(found.range) };
        diagnostics.warning("MAP502", &place, found.message);
    }
    let mut ignored = Diagnostics::default();
    let file = read(Arc::clone(source), &mut ignored);
    let mut rules: Vec<&Rule> = file.groups.iter().flat_map(|group| &group.rules).collect();
    while let Some(rule) = rules.pop() {
        rules.extend(&rule.rules);
        for target in &rule.targets {
            if matches!(target.transform, Transform::Evaluate { focus: None, .. }) {
                let place = Place { source: Arc::clone(source), span: target.span.clone() };
                let message = "an expression without a focus: write `evaluate(variable, …)`";
                diagnostics.warning("MAP503", &place, message);
            }
        }
    }
}

struct Reader<'a> {
    source: Arc<SourceText>,
    diagnostics: &'a mut Diagnostics,
    /// How deep in an expression the reader is.
    depth: usize,
}

impl Reader<'_> {
    fn place(&self, span: Span) -> Place {
        Place { source: Arc::clone(&self.source), span }
    }

    fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        let place = self.place(span);
        self.diagnostics.error(code, &place, message);
    }

    fn unsupported(&mut self, span: Span, what: &str, instead: &str) {
        let place = self.place(span);
        let message = format!("{what} is not supported");
        self.diagnostics.error_help("MAP108", &place, message, Some(instead.to_owned()));
    }

    fn file(&mut self, tree: &ast::SourceFile) -> File {
        let metadata = |key: &str| {
            tree.metadata()
                .find(|m| m.key().is_some_and(|k| k.text() == key))
                .and_then(|m| m.value()?.value())
                .unwrap_or_default()
        };
        let declared = tree.map_declaration().and_then(|m| m.url()?.value());
        let url = declared.unwrap_or_else(|| metadata("url"));
        let version = metadata("version");
        for (key, value) in [("url", &url), ("name", &metadata("name")), ("version", &version)] {
            if value.is_empty() {
                self.error(
                    "MAP003",
                    0..0,
                    format!("the map has no `{key}`: add `/// {key} = '…'`"),
                );
            }
        }
        if let Some(constant) = tree.constants().next() {
            self.unsupported(
                span(constant.syntax()),
                "`let`",
                "write the constant where it is used",
            );
        }
        if let Some(embedded) = tree.concept_maps().next() {
            let instead = "put the table into codes/ as a ConceptMap";
            self.unsupported(span(embedded.syntax()), "an embedded conceptmap", instead);
        }
        File {
            url,
            version,
            uses: tree.uses().filter_map(|u| self.uses(&u)).collect(),
            imports: tree.imports().filter_map(|i| literal_name(&i.url()?)).collect(),
            groups: tree.groups().filter_map(|g| self.group(&g)).collect(),
            source: Arc::clone(&self.source),
        }
    }

    fn uses(&mut self, uses: &ast::UsesDeclaration) -> Option<Uses> {
        if !matches!(uses.mode(), Some(ast::ModelMode::Source | ast::ModelMode::Target)) {
            let at = span(uses.syntax());
            self.unsupported(at, "this mode of `uses`", "use `as source` or `as target`");
        }
        Some(Uses { url: literal_name(&uses.url()?)?, alias: uses.alias() })
    }

    fn group(&mut self, group: &ast::Group) -> Option<Group> {
        if group.extends().is_some() {
            let at = span(group.syntax());
            self.unsupported(at, "`extends`", "call the other group with `then`");
        }
        let name = first_name(group.syntax(), &["group"])?;
        let mut params = Vec::new();
        for parameter in group.parameters() {
            let type_name = parameter
                .type_annotation()
                .and_then(|t| Some(Name { text: t.type_name()?, span: span(t.syntax()) }));
            let Some(parameter_name) = parameter.name() else { continue };
            params.push(Param {
                name: Name { text: parameter_name, span: span(parameter.syntax()) },
                source: parameter.mode() == Some(ast::ParameterMode::Source),
                type_name,
            });
        }
        let rules = group.rules().filter_map(|rule| self.rule(&rule)).collect();
        Some(Group { name, params, rules })
    }
}

fn span_of(range: fml_syntax::TextRange) -> Span {
    usize::from(range.start())..usize::from(range.end())
}

/// The place of a node without the blanks and comments around it.
fn span(node: &SyntaxNode) -> Span {
    let mut tokens = node
        .descendants_with_tokens()
        .filter_map(fml_syntax::NodeOrToken::into_token)
        .filter(|token| !token.kind().is_trivia());
    let Some(first) = tokens.next() else { return span_of(node.text_range()) };
    let end = tokens.last().map_or(first.text_range().end(), |token| token.text_range().end());
    usize::from(first.text_range().start())..usize::from(end)
}

fn name_tokens(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> + use<> {
    node.children_with_tokens()
        .filter_map(fml_syntax::NodeOrToken::into_token)
        .filter(|t| matches!(t.kind(), SyntaxKind::Ident | SyntaxKind::DelimitedIdent))
}

fn token_name(token: &SyntaxToken) -> Name {
    Name { text: ast::name_text(token), span: span_of(token.text_range()) }
}

fn first_name(node: &SyntaxNode, skip: &[&str]) -> Option<Name> {
    name_tokens(node).find(|t| !skip.contains(&t.text())).map(|t| token_name(&t))
}

fn literal_name(literal: &ast::Literal) -> Option<Name> {
    Some(Name { text: literal.value()?, span: span(literal.syntax()) })
}
