//! What is asked of an export, as it is kept with the job.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use crate::error::{Error, Result};
use crate::fhir::r4::Elements;
use crate::fhir::search::param::{self, SearchType};
use crate::fhir::search::parse::{self, Setting};
use crate::fhir::search::{Condition, ValueSets};
use crate::fhir::subset::View;

/// Of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Everything.
    System,
    /// The records of all patients.
    Patient,
    /// The records of those on the roster.
    Group,
}

/// A filter of one type: `Observation?category=survey`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Narrow {
    /// The type.
    pub of: String,
    /// The query behind it.
    pub query: String,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Of what.
    pub level: Level,
    /// The types.
    pub types: Vec<String>,
    /// Only what changed since.
    pub since: Option<Timestamp>,
    /// Only what changed before.
    pub until: Option<Timestamp>,
    /// Of each resource only these elements, of one type or of every type.
    pub elements: Vec<(Option<String>, String)>,
    /// Of these patients alone, if any are named.
    pub patients: Vec<String>,
    /// Of a type, only what one of these lets through.
    pub filters: Vec<Narrow>,
    /// The request, as the manifest repeats it.
    pub request: String,
    /// What was ignored of it, in words.
    pub ignored: Vec<String>,
}

impl Ask {
    /// The request that was kept as JSON.
    pub fn read(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).map_err(Error::internal)
    }

    /// As JSON.
    pub fn write(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(Error::internal)
    }

    /// The types, those that are searched alone: what a Binary holds is read by its address.
    pub fn types(&self) -> Result<Vec<&'static str>> {
        let known = |name: &String| param::TYPES.iter().find(|known| known.name == name);
        let types = self.types.iter().map(|name| known(name).map(|known| known.name));
        let types = types.collect::<Option<Vec<_>>>();
        types.ok_or_else(|| Error::invalid("_type", "name types that can be searched"))
    }

    /// The conditions of the filters, each with its type.
    ///
    /// # Errors
    ///
    /// `Invalid` or `NotSupported`, with what to do.
    pub fn conditions(
        &self,
        value_sets: &ValueSets,
    ) -> Result<Vec<(&'static str, Vec<Condition>)>> {
        self.filters.iter().map(|filter| self.condition(filter, value_sets)).collect()
    }

    fn condition(
        &self,
        filter: &Narrow,
        value_sets: &ValueSets,
    ) -> Result<(&'static str, Vec<Condition>)> {
        let wrong = |hint: &str| Error::invalid("_typeFilter", hint);
        let known = param::search_type(&filter.of);
        let resource_type: &'static SearchType = known
            .filter(|known| self.types.iter().any(|name| name == known.name))
            .ok_or_else(|| wrong("filter types that are exported: Type?parameter=value"))?;
        let pairs = form_urlencoded::parse(filter.query.as_bytes()).into_owned().collect();
        let setting = Setting { resource_type, base: "", value_sets, lenient: false };
        let search = parse::parse(setting, pairs)?;
        let result_only = ["_count", "_sort", "_total", "_include", "_revinclude", "_page"];
        let is_result = |name: &str| result_only.iter().any(|known| name.starts_with(known));
        if search.page.is_some() || search.understood.iter().any(|(name, _)| is_result(name)) {
            return Err(wrong("a filter has conditions alone: no _sort, _count or _include"));
        }
        if !search.reaches().is_empty() {
            return Err(wrong("a filter looks at its own type alone: no chains and no _has"));
        }
        Ok((resource_type.name, search.query.conditions))
    }

    /// How much is shown of each type.
    ///
    /// # Errors
    ///
    /// `Invalid`: an element that no exported type has.
    pub fn views(&self, table: &Elements) -> Result<Vec<(&'static str, View)>> {
        let types = self.types()?;
        let mut views: Vec<(&'static str, Vec<String>)> = Vec::new();
        for (of, element) in &self.elements {
            let named = |name: &&&'static str| of.as_ref().is_none_or(|of| of == **name);
            let mut known = false;
            for name in types.iter().filter(named) {
                if View::elements(table, name, element).is_err() {
                    continue;
                }
                known = true;
                match views.iter_mut().find(|(other, _)| other == name) {
                    Some((_, elements)) => elements.push(element.clone()),
                    None => views.push((name, vec![element.clone()])),
                }
            }
            if !known {
                let hint = "name elements of exported types: status, or Encounter.status";
                return Err(Error::invalid("_elements", hint));
            }
        }
        if self.elements.iter().any(|(of, _)| of.is_none()) {
            // Said of every type: one that has none of them keeps what it cannot be without.
            let bare = |name: &&&'static str| !views.iter().any(|(known, _)| known == *name);
            let bare: Vec<_> = types.iter().filter(bare).map(|name| (*name, vec![])).collect();
            views.extend(bare);
        }
        Ok(views.into_iter().map(|(name, names)| (name, View::Elements(names))).collect())
    }
}
