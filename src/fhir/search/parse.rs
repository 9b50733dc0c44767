//! From the parameters of a search to a [`Query`] (<https://hl7.org/fhir/R4/search.html>).
//!
//! A parameter that is not understood is refused: a filter that is dropped widens what is
//! disclosed. Only a caller who asks for it (`Prefer: handling=lenient`) has it ignored, and is
//! told so in the answer.

mod condition;
mod outcome;
mod value;

pub use self::outcome::once;
pub use self::value::prefixed;
use super::param::{self, SearchType, left_out};
use super::{Condition, Query, Test, ValueSets};
use crate::error::{Error, Result};

/// How many matches a page holds unless the caller says so.
pub const DEFAULT_COUNT: usize = 50;
/// How many matches a page holds at most.
pub const MAX_COUNT: usize = 1000;
/// The name under which a link carries where its page starts.
pub const PAGE: &str = "_page";

/// How many alternatives a search may have in all.
const MAX_OPERANDS: usize = 200;
/// How many references a parameter may follow, by chains and `_has` together.
const MAX_DEPTH: usize = 3;
/// How many references a search may follow in all.
const MAX_STEPS: usize = 32;

/// What is known about a request that a search is part of.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The type that is searched.
    pub resource_type: &'static SearchType,
    /// The server's base URL without a trailing slash, for references that are absolute.
    pub base: &'a str,
    /// The value sets that `:in` may name.
    pub value_sets: &'a ValueSets,
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

impl Search {
    /// The types whose content decides what matches, through chains and `_has`: a caller needs the
    /// right to search them too.
    pub fn reaches(&self) -> Vec<&'static str> {
        let mut types = Vec::new();
        self.query.conditions.iter().for_each(|condition| reached(condition, &mut types));
        types.sort_unstable();
        types.dedup();
        types
    }
}

fn reached(condition: &Condition, types: &mut Vec<&'static str>) {
    match condition {
        Condition::Chain { any_of, .. } => {
            for (kind, inner) in any_of {
                types.push(kind);
                reached(inner, types);
            }
        }
        Condition::Has { resource_type, condition, .. } => {
            types.push(resource_type);
            reached(condition, types);
        }
        Condition::All(inner) | Condition::Either(inner) => {
            for condition in inner {
                reached(condition, types);
            }
        }
        _ => {}
    }
}

/// Parses the decoded parameters of a search.
pub fn parse(setting: Setting<'_>, parameters: Vec<(String, String)>) -> Result<Search> {
    let mut search = Search::default();
    search.query.count = DEFAULT_COUNT;
    outcome::each_once(&parameters)?;
    for (name, text) in parameters {
        if name == PAGE {
            search.page = Some(text);
            continue;
        }
        if text.chars().all(|c| c == ',') {
            return Err(Error::invalid(
                name,
                "the parameter has no value: give one or leave it out",
            ));
        }
        if outcome::take(&mut search.query, setting.resource_type, &name, &text)? {
            search.understood.push((name, text));
            continue;
        }
        if value::is_cut_off(&text) {
            let hint = r"the value ends with a single backslash: write \\ for a backslash";
            return Err(Error::invalid(name, hint));
        }
        match condition::parse(setting, &name, &text)? {
            Some(condition) => {
                match condition {
                    Condition::All(all) => search.query.conditions.extend(all),
                    one => search.query.conditions.push(one),
                }
                search.understood.push((name, text));
            }
            None if setting.lenient => search.ignored.push(name),
            None => return Err(unknown(setting.resource_type, &name, &name)),
        }
    }
    bounded(&search.query)?;
    Ok(search)
}

fn bounded(query: &Query) -> Result<()> {
    let operands: usize = query.conditions.iter().map(operands).sum();
    if operands > MAX_OPERANDS {
        return Err(Error::invalid(
            "parameters",
            format!("a search may have up to {MAX_OPERANDS} values: split it"),
        ));
    }
    if query.conditions.iter().map(steps).sum::<usize>() > MAX_STEPS {
        return Err(Error::invalid(
            "parameters",
            format!(
                "a search may follow up to {MAX_STEPS} references: name the type (ref:Type.name)"
            ),
        ));
    }
    Ok(())
}

/// How many alternatives a condition has.
fn operands(condition: &Condition) -> usize {
    match condition {
        Condition::Id(ids) => ids.len(),
        Condition::Updated(any_of)
        | Condition::Param { test: Test::Any(any_of) | Test::None(any_of), .. } => any_of.len(),
        Condition::Patient(_) | Condition::Param { test: Test::Missing(_), .. } => 1,
        Condition::Chain { any_of, .. } => any_of.iter().map(|(_, inner)| operands(inner)).sum(),
        Condition::Has { condition, .. } => operands(condition),
        Condition::All(inner) | Condition::Either(inner) => inner.iter().map(operands).sum(),
    }
}

/// How many references a condition follows.
fn steps(condition: &Condition) -> usize {
    match condition {
        Condition::Chain { any_of, .. } => any_of.iter().map(|(_, inner)| 1 + steps(inner)).sum(),
        Condition::Has { condition, .. } => 1 + steps(condition),
        Condition::All(inner) | Condition::Either(inner) => inner.iter().map(steps).sum(),
        _ => 0,
    }
}

/// A parameter that is none; `name` is what of it is said of this type.
fn unknown(kind: &SearchType, whole: &str, name: &str) -> Error {
    if let Some(rest) = name.strip_prefix("_has:") {
        let mut parts = rest.splitn(3, ':');
        let from = parts.next().and_then(param::search_type);
        let refers = |from: &SearchType, reference: &str| {
            from.param(reference).is_some_and(|(_, param)| param.refers_to(kind.name))
        };
        return match (from, parts.next(), parts.next()) {
            (Some(from), Some(reference), Some(rest)) if refers(from, reference) => {
                unknown(from, whole, rest)
            }
            _ => Error::not_supported(
                whole,
                format!("_has names a type that is served and a reference of it to {}", kind.name),
            ),
        };
    }
    if let Some((reference, rest)) = name.split_once('.')
        && let Some((_, param)) = kind.param(reference.split(':').next().unwrap_or_default())
    {
        let only = reference.split_once(':').map(|(_, only)| only);
        let is_meant =
            |to: &&SearchType| param.refers_to(to.name) && only.is_none_or(|only| only == to.name);
        let meant: Vec<&SearchType> = param::TYPES.iter().filter(is_meant).collect();
        return match meant.as_slice() {
            [to] => unknown(to, whole, rest),
            [] => Error::not_supported(whole, "the reference is to no such type".to_owned()),
            _ => {
                let names: Vec<&str> = meant.iter().map(|to| to.name).collect();
                let hint =
                    format!("none of {} is searched by what follows the dot", names.join(", "));
                Error::not_supported(whole, hint)
            }
        };
    }
    let plain = name.split([':', '.']).next().unwrap_or(name);
    if let Some(why) = left_out::why(kind.name, plain) {
        return Error::not_supported(whole, format!("not searched by: {why}"));
    }
    let known: Vec<&str> = kind.numbered().map(|(_, param)| param.name).collect();
    Error::not_supported(
        whole,
        format!(
            "{} is not searched by this parameter; it is searched by _id, _lastUpdated, {}",
            kind.name,
            known.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests;
