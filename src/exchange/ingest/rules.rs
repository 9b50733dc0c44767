//! Everything in the mappings folder that ingest goes by: maps, schemas and tables.

use std::path::Path;
use std::sync::Arc;

use super::accept::Schemas;
use super::derive::Tables;
use crate::domain::Kind;
use crate::error::{Error, Result};
use crate::fhir::search::ValueSets;
use crate::mapping::{MapSet, Model};

/// The rules by which records become resources, loaded together and swapped together.
pub struct Rules {
    /// The compiled maps.
    pub maps: Arc<MapSet>,
    /// What is neither map nor code table.
    pub tables: Tables,
    /// What each code table can give, as value sets that a search may name.
    pub value_sets: ValueSets,
}

impl Rules {
    /// Loads a mappings folder; what is wrong with it is in the error, every item.
    pub fn load(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            let folder = folder.display();
            let hint = "give the folder of the maps with --mappings";
            return Err(Error::Setup(format!("there is no mappings folder {folder}: {hint}")));
        }
        let maps = MapSet::load(folder).map_err(|diagnostics| {
            let texts: Vec<_> = diagnostics.into_iter().map(|found| found.text).collect();
            Error::Setup(format!("the maps cannot be used:\n{}", texts.join("\n")))
        })?;
        Self::of(Arc::new(maps), folder)
    }

    /// The rules of a map set that was loaded from `folder`, with what lies beside the maps.
    pub fn of(maps: Arc<MapSet>, folder: &Path) -> Result<Self> {
        let tables = Tables::load(folder)?;
        let value_sets = value_sets(&maps);
        Ok(Self { maps, tables, value_sets })
    }
}

/// The value set of a code table has the table's URL, with `ValueSet` instead of `ConceptMap`.
fn value_sets(maps: &MapSet) -> ValueSets {
    let mut sets = ValueSets::default();
    for table in maps.code_tables() {
        let url = table.url.replacen("/ConceptMap/", "/ValueSet/", 1);
        let version = table.definition.get("version").and_then(serde_json::Value::as_str);
        let codes = table.targets().into_iter();
        let codes = codes.map(|target| (target.system.clone(), target.code.clone()));
        sets.add(&url, version, codes.collect());
    }
    sets
}

impl Schemas for Rules {
    fn model(&self, kind: Kind) -> Option<&Model> {
        self.maps.model(kind.as_str())
    }
}
