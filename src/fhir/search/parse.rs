//! From the parameters of a search to a [`Query`] (<https://hl7.org/fhir/R4/search.html>).
//!
//! A parameter that is not understood is refused: a filter that is dropped widens what is
//! disclosed. Only a caller who asks for it (`Prefer: handling=lenient`) has it ignored, and is
//! told so in the answer.

mod value;

use super::param::{self, Param, SearchType};
use super::{
    Condition, Direction, Include, Operand, ParamKind, Prefix, Query, Test, Total,
};
use crate::error::{Error, Result};

/// How many matches a page holds unless the caller says so.
pub const DEFAULT_COUNT: usize = 50;
/// How many matches a page holds at most.
pub const MAX_COUNT: usize = 1000;
/// The name under which a link carries where its page starts.
pub const PAGE: &str = "_page";

/// How many alternatives a search may have in all.
const MAX_OPERANDS: usize = 200;
/// The one reverse include there is.
pub(crate) const REVINCLUDE: &str = "Provenance:target";

/// What is known about a request that a search is part of.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The type that is searched.
    pub resource_type: &'static SearchType,
    /// The server's base URL without a trailing slash, for references that are absolute.
    pub base: &'a str,
    /// Whether unknown parameters are ignored.
    pub lenient: bool,
}

/// A search as asked for.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// The query, without its page.
    pub query: Query,
    /// The page, as the previous one's link gave it.
    pub page: Option<String>,
    /// The parameters that were understood, as sent, without the page.
    pub understood: Vec<(String, String)>,
    /// The names of the parameters that were ignored.
    pub ignored: Vec<String>,
}

/// Parses the decoded parameters of a search.
pub fn parse(setting: Setting<'_>, parameters: Vec<(String, String)>) -> Result<Search> {
    let mut search = Search::default();
    search.query.count = DEFAULT_COUNT;
    let mut ids: Option<Vec<String>> = None;
    for (name, text) in parameters {
        if text.chars().all(|c| c == ',') {
            return Err(Error::invalid(
                name,
                "the parameter has no value: give one or leave it out",
            ));
        }
        match name.as_str() {
            "_id" => keep_common(&mut ids, value::alternatives(&text)),
            "_lastUpdated" => {
                let updated = Condition::Updated(vec![one_date(&name, &text)?]);
                search.query.conditions.push(updated);
            }
            "_count" => search.query.count = count(&text)?,
            "_revinclude" if text == REVINCLUDE => search.query.includes.push(provenance()),
            "_total" => search.query.total = total(&text)?,
            "_sort" if text == "-_lastUpdated" => {}
            "_format" | "_pretty" => {}
            PAGE => {
                search.page = Some(text);
                continue;
            }
            _ => match condition(setting, &name, &text)? {
                Some(condition) => search.query.conditions.push(condition),
                None if setting.lenient => {
                    search.ignored.push(name);
                    continue;
                }
                None => return Err(unknown(setting.resource_type, &name)),
            },
        }
        search.understood.push((name, text));
    }
    search.query.conditions.extend(ids.map(Condition::Id));
    let operands: usize = search.query.conditions.iter().map(operands).sum();
    if operands > MAX_OPERANDS {
        return Err(Error::invalid(
            "parameters",
            format!("a search may have up to {MAX_OPERANDS} values: split it"),
        ));
    }
    Ok(search)
}

/// A repeated `_id` keeps the ids that all of its values name.
fn keep_common(ids: &mut Option<Vec<String>>, named: Vec<String>) {
    *ids = Some(match ids.take() {
        Some(before) => before.into_iter().filter(|id| named.contains(id)).collect(),
        None => named,
    });
}

/// How many alternatives a condition has.
fn operands(condition: &Condition) -> usize {
    match condition {
        Condition::Id(ids) => ids.len(),
        Condition::Updated(any_of) => any_of.len(),
        Condition::Patient(_) => 1,
        Condition::Param { test: Test::Any(any_of) | Test::None(any_of), .. } => any_of.len(),
        Condition::Param { test: Test::Missing(_), .. } => 1,
        Condition::Chain { any_of, .. } => any_of.iter().map(|(_, inner)| operands(inner)).sum(),
        Condition::Has { condition, .. } => operands(condition),
    }
}

/// The Provenance of each match.
fn provenance() -> Include {
    let target = param::search_type("Provenance").and_then(|known| known.param("target"));
    Include {
        direction: Direction::Reverse,
        source: "Provenance",
        params: target.into_iter().map(|(number, _)| number).collect(),
        target: None,
        iterate: false,
    }
}

fn total(text: &str) -> Result<Total> {
    match text {
        "none" => Ok(Total::None),
        "estimate" => Ok(Total::Bounded),
        "accurate" => Ok(Total::Accurate),
        _ => Err(Error::invalid("_total", "_total is none, estimate or accurate")),
    }
}

fn count(text: &str) -> Result<usize> {
    let count: usize = text.parse().map_err(|_number| {
        Error::invalid("_count", "_count is a number of matches a page: 0 or more")
    })?;
    Ok(count.min(MAX_COUNT))
}

fn unknown(kind: &SearchType, name: &str) -> Error {
    let known: Vec<&str> = kind.params.iter().map(|param| param.name).collect();
    Error::not_supported(
        name,
        format!(
            "{} is not searched by this parameter or value; it is searched by _id, _lastUpdated, {}",
            kind.name,
            known.join(", ")
        ),
    )
}

/// The condition of a parameter in the table, `None` where it is not there.
fn condition(setting: Setting<'_>, name: &str, text: &str) -> Result<Option<Condition>> {
    let (plain, modifier) = match name.split_once(':') {
        Some((plain, modifier)) => (plain, Some(modifier)),
        None => (name, None),
    };
    let Some((number, param)) = setting.resource_type.param(plain) else { return Ok(None) };
    let target = match modifier {
        None => None,
        // The one modifier there is: `subject:Patient=…`.
        Some(kind) if param.kind == ParamKind::Reference && param::is_served(kind) => Some(kind),
        // An ignored modifier could turn a condition into its opposite, so it is always refused.
        Some(_) => {
            return Err(Error::not_supported(name, "this modifier is not supported: leave it out"));
        }
    };
    let values = value::alternatives(text);
    let any_of: Result<Vec<Operand>> = match param.kind {
        ParamKind::Token => values.iter().map(|one| Ok(value::token(one))).collect(),
        ParamKind::Text => values.iter().map(|one| value::text(name, one)).collect(),
        ParamKind::Date => values.iter().map(|one| date(name, one)).collect(),
        ParamKind::Reference => {
            values.iter().map(|one| reference(setting, name, param, target, one)).collect()
        }
        ParamKind::Quantity | ParamKind::Uri => return Ok(None),
    };
    Ok(Some(Condition::Param { param: number, test: Test::Any(any_of?) }))
}

/// A date without alternatives.
fn one_date(name: &str, text: &str) -> Result<Operand> {
    match value::alternatives(text).as_slice() {
        [one] => date(name, one),
        _ => Err(Error::not_supported(name, "give one date; repeat the parameter for a range")),
    }
}

fn date(name: &str, text: &str) -> Result<Operand> {
    const PREFIXES: &[(&str, Prefix)] = &[
        ("eq", Prefix::Eq),
        ("ne", Prefix::Ne),
        ("gt", Prefix::Gt),
        ("lt", Prefix::Lt),
        ("ge", Prefix::Ge),
        ("le", Prefix::Le),
        ("sa", Prefix::Sa),
        ("eb", Prefix::Eb),
        ("ap", Prefix::Ap),
    ];
    let prefixed =
        PREFIXES.iter().find_map(|(name, prefix)| Some((text.strip_prefix(name)?, *prefix)));
    let (date, prefix) = prefixed.unwrap_or((text, Prefix::Eq));
    // A `+` that was not escaped in the URL arrives as a space.
    let (low, high) = super::date::range(&date.replace(' ', "+")).ok_or_else(|| {
        Error::invalid(
            name,
            "not a FHIR date: YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+hh:mm",
        )
    })?;
    Ok(Operand::Date { prefix, low, high })
}

/// `id`, `Type/id`, or an absolute URL: ours is the same as the relative one.
fn reference(
    setting: Setting<'_>,
    name: &str,
    param: &Param,
    target: Option<&str>,
    text: &str,
) -> Result<Operand> {
    let refused = |hint: &str| Err(Error::invalid(name, hint));
    let local = text.strip_prefix(setting.base).and_then(|rest| rest.strip_prefix('/'));
    let text = local.unwrap_or(text);
    if text.contains("://") || text.starts_with("urn:") {
        return Ok(Operand::Reference { targets: vec![text.to_owned()] });
    }
    let acceptable = |kind: &str| {
        target.is_none_or(|wanted| wanted == kind)
            && (param.targets.is_empty() || param.targets.contains(&kind))
    };
    let targets: Vec<String> = match text.split_once('/') {
        Some((kind, id)) if acceptable(kind) && value::is_id(id) => vec![text.to_owned()],
        Some(_) => return refused("not a reference to a type that this parameter refers to"),
        None if value::is_id(text) => {
            let types = param::served().filter(|kind| acceptable(kind));
            types.map(|kind| format!("{kind}/{text}")).collect()
        }
        None => return refused("not a reference: give an id, Type/id or a URL"),
    };
    Ok(Operand::Reference { targets })
}

#[cfg(test)]
mod tests;
