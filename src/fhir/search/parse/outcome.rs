//! The parameters that say how the matches come back: their order, number, and company
//! (<https://hl7.org/fhir/R4/search.html#return>).

use super::MAX_COUNT;
use crate::error::{Error, Result};
use crate::fhir::search::param::{self, Param, SearchType};
use crate::fhir::search::{Direction, Include, ParamKind, Query, SortBy, SortKey, Total};

/// How many keys an order may have.
const MAX_SORT: usize = 4;
/// What stands for all references of a type.
const ALL: &str = "*";
/// How many kinds of resources may come along.
const MAX_INCLUDES: usize = 16;

/// Those of them that say one thing, and so are given once.
const ONCE: &[&str] = &["_count", "_total", "_sort", super::PAGE];

/// Refuses a parameter of these names that is there twice: which of the two counts would be a
/// guess.
///
/// # Errors
///
/// `Invalid` with the name.
pub fn once(parameters: &[(String, String)], names: &[&str]) -> Result<()> {
    for name in names {
        if parameters.iter().filter(|(given, _)| given == name).count() > 1 {
            return Err(Error::invalid(*name, "the parameter is there twice: give it once"));
        }
    }
    Ok(())
}

/// Refuses a repeated parameter of those that say one thing about the matches.
pub(super) fn each_once(parameters: &[(String, String)]) -> Result<()> {
    once(parameters, ONCE)
}

/// Takes a parameter into the query; `false` where it is none of these.
pub(super) fn take(
    query: &mut Query,
    kind: &'static SearchType,
    name: &str,
    text: &str,
) -> Result<bool> {
    match name {
        "_count" => query.count = count(text)?,
        "_total" => query.total = total(text)?,
        "_sort" => query.sort = sort(kind, text)?,
        "_format" | "_pretty" => {}
        "_include" | "_include:iterate" => {
            let include = include(name, text, Direction::Forward)?;
            if include.source != kind.name && !include.iterate {
                let hint = format!("the matches are {}: begin with it, or iterate", kind.name);
                return Err(Error::invalid(name, hint));
            }
            query.includes.push(include);
        }
        "_revinclude" | "_revinclude:iterate" => {
            query.includes.push(include(name, text, Direction::Reverse)?);
        }
        _ => return Ok(false),
    }
    if query.includes.len() > MAX_INCLUDES {
        let hint = format!("a search may have up to {MAX_INCLUDES} includes");
        return Err(Error::invalid(name, hint));
    }
    Ok(true)
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

fn sort(kind: &'static SearchType, text: &str) -> Result<Vec<SortKey>> {
    let keys: Result<Vec<SortKey>> = text.split(',').map(|key| sort_key(kind, key)).collect();
    let keys = keys?;
    if keys.len() > MAX_SORT {
        return Err(Error::invalid("_sort", format!("an order may have up to {MAX_SORT} keys")));
    }
    Ok(keys)
}

fn sort_key(kind: &'static SearchType, key: &str) -> Result<SortKey> {
    let (name, descending) = match key.strip_prefix('-') {
        Some(name) => (name, true),
        None => (key, false),
    };
    let by = match name {
        "_id" => SortBy::Id,
        "_lastUpdated" => SortBy::Updated,
        _ => {
            let found = kind.param(name).filter(|(_, known)| known.kind != ParamKind::Composite);
            SortBy::Param(found.ok_or_else(|| super::unknown(kind, "_sort", "_sort"))?.0)
        }
    };
    Ok(SortKey { by, descending })
}

/// `Source:parameter`, `Source:parameter:Target`, or `Source:*` for all of its references.
fn include(name: &str, text: &str, direction: Direction) -> Result<Include> {
    let refused = |hint: String| Error::not_supported(name, hint);
    let mut parts = text.split(':');
    let source = parts.next().unwrap_or_default();
    let source = param::search_type(source).ok_or_else(|| {
        refused("write Type:parameter, with a type that this server searches".to_owned())
    })?;
    let wanted = parts.next().unwrap_or_default();
    let target = match parts.next() {
        Some(target) => {
            Some(param::served().find(|known| *known == target).ok_or_else(|| {
                refused("the third part is a type that this server has".to_owned())
            })?)
        }
        None => None,
    };
    let is_wanted = |known: &Param| {
        known.kind == ParamKind::Reference
            && (wanted == ALL || known.name == wanted || known.alias == Some(wanted))
            && target.is_none_or(|target| known.refers_to(target))
    };
    let params: Vec<u16> = source
        .numbered()
        .filter_map(|(number, known)| is_wanted(known).then_some(number))
        .collect();
    if params.is_empty() || parts.next().is_some() {
        let known: Vec<&str> = source
            .params
            .iter()
            .filter(|known| known.kind == ParamKind::Reference)
            .map(|known| known.name)
            .collect();
        return Err(refused(format!("{} refers by {}", source.name, known.join(", "))));
    }
    let iterate = name.ends_with(":iterate");
    Ok(Include { direction, source: source.name, params, target, iterate })
}
