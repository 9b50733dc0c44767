//! One parameter as a condition: its name with modifiers and chains, and its values
//! (<https://hl7.org/fhir/R4/search.html#modifiers>).

use super::{MAX_DEPTH, Setting, value};
use crate::error::{Error, Result};
use crate::fhir::search::param::{self, Form, Param, SearchType};
use crate::fhir::search::{Condition, Operand, ParamKind, Test, TextMatch, UriMatch};

/// A parameter on its way to a condition.
#[derive(Clone, Copy)]
struct Part<'a> {
    setting: Setting<'a>,
    /// The type that the name is of.
    kind: &'static SearchType,
    /// The parameter as sent, for errors.
    whole: &'a str,
    text: &'a str,
    /// How many references were followed.
    depth: usize,
}

/// The condition of a parameter, `None` where there is no such parameter.
pub(super) fn parse(setting: Setting<'_>, name: &str, text: &str) -> Result<Option<Condition>> {
    Part { setting, kind: setting.resource_type, whole: name, text, depth: 0 }.named(name)
}

impl Part<'_> {
    fn named(self, name: &str) -> Result<Option<Condition>> {
        if self.depth > MAX_DEPTH {
            return Err(self.invalid(&format!("a chain may have up to {MAX_DEPTH} references")));
        }
        if let Some(rest) = name.strip_prefix("_has:") {
            return self.has(rest);
        }
        match name {
            "_id" => return Ok(Some(Condition::Id(value::ids(self.text)))),
            "_lastUpdated" => return self.updated().map(Some),
            _ => {}
        }
        if let Some((reference, rest)) = name.split_once('.') {
            return self.chain(reference, rest);
        }
        let (plain, modifier) = modifier(name);
        let Some((number, param)) = self.kind.param(plain) else { return Ok(None) };
        if let Form::Pair(parts) = param.form {
            return match modifier {
                None => self.pair(number, param, parts).map(Some),
                Some(_) => Err(self.modifier_refused(param)),
            };
        }
        let test = self.test(param, modifier)?;
        Ok(Some(Condition::Param { param: number, test }))
    }

    /// Alternatives that each have two parts, joined by `$`.
    fn pair(self, number: u16, param: &Param, parts: [&str; 2]) -> Result<Condition> {
        let [Some(first), Some(second)] = parts.map(|name| self.kind.param(name)) else {
            return Err(Error::internal("a pair is of two parameters of its type"));
        };
        let mut own = Vec::new();
        let mut firsts = Vec::new();
        let mut both = Vec::new();
        for one in value::alternatives(self.text) {
            let values = value::parts(&one, '$');
            let [left, right] = values.as_slice() else {
                return Err(self.invalid("a pair is two values joined by $"));
            };
            if left.is_empty() || right.is_empty() {
                return Err(self.invalid("a pair is two values joined by $"));
            }
            let part = |(_, param): (u16, &Param), text| Part { text, ..self }.test(param, None);
            let (Test::Any(left), Test::Any(right)) = (part(first, left)?, part(second, right)?)
            else {
                return Err(self.invalid("a pair is two values joined by $"));
            };
            if !param.paths.is_empty() {
                own.extend(together(&left, &right, second.1.system));
                continue;
            }
            firsts.extend_from_slice(&left);
            let (left, right) = (Test::Any(left), Test::Any(right));
            let left = Condition::Param { param: first.0, test: left };
            both.push(vec![left, Condition::Param { param: second.0, test: right }]);
        }
        if !param.paths.is_empty() {
            return Ok(Condition::Param { param: number, test: Test::Any(own) });
        }
        if let [_] = both.as_slice() {
            return Ok(Condition::All(both.into_iter().flatten().collect()));
        }
        // What the alternatives have in common comes first, since it is found by an index.
        let common = Condition::Param { param: first.0, test: Test::Any(firsts) };
        let either = both.into_iter().map(Condition::All).collect();
        Ok(Condition::All(vec![common, Condition::Either(either)]))
    }

    /// `_has:Type:reference:name`, after `_has:`.
    fn has(self, name: &str) -> Result<Option<Condition>> {
        let mut parts = name.splitn(3, ':');
        let (kind, reference, rest) = (parts.next(), parts.next(), parts.next());
        let (Some(kind), Some(reference), Some(rest)) = (kind, reference, rest) else {
            return Err(self.invalid("write _has:Type:reference:parameter"));
        };
        let Some(kind) = param::search_type(kind) else { return Ok(None) };
        let refers =
            |known: &Param| known.kind == ParamKind::Reference && known.refers_to(self.kind.name);
        let Some((param, _)) = kind.param(reference).filter(|(_, known)| refers(known)) else {
            return Ok(None);
        };
        let inner = Part { kind, depth: self.depth + 1, ..self }.named(rest)?;
        Ok(inner.map(|condition| Condition::Has {
            resource_type: kind.name,
            param,
            condition: Box::new(condition),
        }))
    }

    /// `reference.rest` or `reference:Type.rest`.
    fn chain(self, reference: &str, rest: &str) -> Result<Option<Condition>> {
        let (plain, only) = modifier(reference);
        let Some((number, param)) = self.kind.param(plain) else { return Ok(None) };
        if param.kind != ParamKind::Reference {
            return Err(self.invalid("only a reference can be followed by a dot"));
        }
        let mut any_of = Vec::new();
        for kind in param::TYPES {
            if only.is_none_or(|only| only == kind.name) && param.refers_to(kind.name) {
                let inner = Part { kind, depth: self.depth + 1, ..self }.named(rest)?;
                any_of.extend(inner.map(|condition| (kind.name, condition)));
            }
        }
        Ok((!any_of.is_empty()).then_some(Condition::Chain { param: number, any_of }))
    }

    fn test(self, param: &Param, modifier: Option<&str>) -> Result<Test> {
        use ParamKind::{Date, Quantity, Reference, Text, Token, Uri};
        let any = |one: &dyn Fn(&str) -> Result<Operand>| {
            let values = value::alternatives(self.text);
            values.iter().map(|value| one(value)).collect::<Result<Vec<_>>>()
        };
        let text = |how| any(&|one: &str| value::text(self.whole, how, one));
        let uri = |how| any(&|one: &str| Ok(value::uri(how, one)));
        let token = || any(&|one: &str| value::token(self.whole, one));
        let operands = match (param.kind, modifier) {
            (_, Some("missing")) => return self.missing().map(Test::Missing),
            (Token, Some("not")) => return token().map(Test::None),
            (Token, Some("not-in")) => return self.value_sets().map(Test::None),
            (Token, Some("in")) => self.value_sets(),
            (Token, Some("of-type")) if param.is_identifier() => {
                any(&|one: &str| value::of_type(self.whole, one))
            }
            (Token, None) | (Reference, Some("identifier")) => token(),
            (Token, Some("text")) | (Text, None) => text(TextMatch::Starts),
            (Text, Some("contains")) => text(TextMatch::Contains),
            (Text, Some("exact")) => text(TextMatch::Exact),
            (Date, None) => any(&|one: &str| value::date(self.whole, one)),
            (Quantity, None) => any(&|one: &str| value::quantity(self.whole, one)),
            (Uri, None) => uri(UriMatch::Exact),
            (Uri, Some("below")) => uri(UriMatch::Below),
            (Uri, Some("above")) => uri(UriMatch::Above),
            (Reference, only) if only.is_none_or(param::is_served) => {
                any(&|one: &str| self.reference(param, only, one))
            }
            // An ignored modifier could turn a condition into its opposite: always refused.
            _ => return Err(self.modifier_refused(param)),
        };
        operands.map(Test::Any)
    }

    /// The codes of the value sets that the value names.
    fn value_sets(self) -> Result<Vec<Operand>> {
        let mut operands = Vec::new();
        for one in value::alternatives(self.text) {
            let codes = self.setting.value_sets.codes(&value::plain(&one)).ok_or_else(|| {
                Error::not_supported(
                    self.whole,
                    "this server has no such value set: it has those of its code tables",
                )
            })?;
            operands.extend(codes.iter().map(|(system, code)| Operand::Token {
                system: system.clone(),
                code: Some(code.clone()),
            }));
        }
        Ok(operands)
    }

    fn missing(self) -> Result<bool> {
        match self.text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.invalid(":missing is true or false")),
        }
    }

    fn updated(self) -> Result<Condition> {
        let values = value::alternatives(self.text);
        let operands = values.iter().map(|one| value::date(self.whole, one));
        operands.collect::<Result<Vec<_>>>().map(Condition::Updated)
    }

    /// `id`, `Type/id`, or an absolute URL: ours is the same as the relative one.
    fn reference(self, param: &Param, only: Option<&str>, text: &str) -> Result<Operand> {
        let text = value::plain(text);
        let local = text.strip_prefix(self.setting.base).and_then(|rest| rest.strip_prefix('/'));
        let text = local.unwrap_or(&text);
        if text.contains("://") || text.starts_with("urn:") {
            return Ok(Operand::Reference { targets: vec![text.to_owned()] });
        }
        let acceptable = |kind: &str| only.is_none_or(|only| only == kind) && param.refers_to(kind);
        let targets: Vec<String> = match text.split_once('/') {
            Some((kind, id)) if acceptable(kind) && value::is_id(id) => vec![text.to_owned()],
            Some(_) => {
                return Err(self.invalid("not a reference to a type that this parameter refers to"));
            }
            None if value::is_id(text) => {
                let types = param::served().filter(|kind| acceptable(kind));
                types.map(|kind| format!("{kind}/{text}")).collect()
            }
            None => return Err(self.invalid("not a reference: give an id, Type/id or a URL")),
        };
        Ok(Operand::Reference { targets })
    }

    fn invalid(self, hint: &str) -> Error {
        Error::invalid(self.whole, hint)
    }

    fn modifier_refused(self, param: &Param) -> Error {
        let known = match param.kind {
            ParamKind::Token if param.is_identifier() => {
                ":missing, :not, :text, :in, :not-in and :of-type"
            }
            ParamKind::Token => ":missing, :not, :text, :in and :not-in",
            ParamKind::Reference => ":missing, :identifier and the name of a type",
            ParamKind::Text => ":missing, :contains and :exact",
            ParamKind::Uri => ":missing, :below and :above",
            ParamKind::Date | ParamKind::Quantity => ":missing",
            ParamKind::Composite => "none",
        };
        Error::not_supported(self.whole, format!("the modifiers of this parameter are {known}"))
    }
}

/// References that go with codes, as they are in the index. A code of another system than the
/// element's is never met.
fn together(references: &[Operand], codes: &[Operand], system: &str) -> Vec<Operand> {
    let targets = references.iter().filter_map(|operand| match operand {
        Operand::Reference { targets } => Some(targets),
        _ => None,
    });
    let codes = codes.iter().filter_map(|operand| match operand {
        Operand::Token { system: None, code } => Some(code),
        Operand::Token { system: Some(given), code } if given == system => Some(code),
        _ => None,
    });
    let codes: Vec<_> = codes.collect();
    let pairs = targets.flatten().flat_map(|target| codes.iter().map(move |code| (target, *code)));
    pairs
        .map(|(target, code)| Operand::Token { system: Some(target.clone()), code: code.clone() })
        .collect()
}

/// A name and what comes after its colon.
fn modifier(name: &str) -> (&str, Option<&str>) {
    match name.split_once(':') {
        Some((plain, modifier)) => (plain, Some(modifier)),
        None => (name, None),
    }
}
