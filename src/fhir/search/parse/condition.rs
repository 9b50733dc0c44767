//! One parameter as a condition: its name with modifiers and chains, and its values
//! (<https://hl7.org/fhir/R4/search.html#modifiers>).

use super::{MAX_DEPTH, Setting, value};
use crate::error::{Error, Result};
use crate::fhir::search::param::{self, Param, SearchType};
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
        let test = self.test(param, modifier)?;
        Ok(Some(Condition::Param { param: number, test }))
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
        let token = || any(&|one: &str| Ok(value::token(one)));
        let operands = match (param.kind, modifier) {
            (_, Some("missing")) => return self.missing().map(Test::Missing),
            (Token, Some("not")) => return token().map(Test::None),
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
            _ => return Err(self.modifier_refused(param.kind)),
        };
        operands.map(Test::Any)
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

    fn modifier_refused(self, kind: ParamKind) -> Error {
        let known = match kind {
            ParamKind::Token => ":missing, :not and :text",
            ParamKind::Reference => ":missing, :identifier and the name of a type",
            ParamKind::Text => ":missing, :contains and :exact",
            ParamKind::Uri => ":missing, :below and :above",
            ParamKind::Date | ParamKind::Quantity => ":missing",
        };
        Error::not_supported(self.whole, format!("the modifiers of this parameter are {known}"))
    }
}

/// A name and what comes after its colon.
fn modifier(name: &str) -> (&str, Option<&str>) {
    match name.split_once(':') {
        Some((plain, modifier)) => (plain, Some(modifier)),
        None => (name, None),
    }
}
