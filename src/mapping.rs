//! The mapping engine: HL7's FHIR Mapping Language, compiled to a plan, run over JSON text.
//!
//! Pure: no clock, no network, no database. The same record and map set give the same bytes.
//! The language, its portable subset and the commands are in `mappings/README.md`.

mod codes;
mod compile;
mod coverage;
mod diagnostic;
mod export;
mod fml;
mod golden;
mod lint;
mod load;
mod model;
mod path;
mod plan;
mod record;
mod run;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bumpalo::Bump;

pub use codes::CodeTable;
pub use coverage::Gap;
pub use diagnostic::{Diagnostic, Severity};
pub use export::Exported;
pub use golden::{Case, Report, Versions, pretty};
pub use model::{Codes, Fault, Field, FieldType, Model, ObjectType};
pub use plan::Row;
pub use run::Trace;

use crate::fhir::r4::Elements;

/// A compiled set of maps, code tables and models.
pub struct MapSet {
    folder: PathBuf,
    hash: String,
    elements: Arc<Elements>,
    models: Vec<Model>,
    plans: Vec<plan::Plan>,
    by_slug: HashMap<String, usize>,
    fates: Vec<run::losses::Fates>,
    codes: HashMap<String, Arc<CodeTable>>,
    tables: HashMap<String, toml::Table>,
    sources: Vec<Arc<diagnostic::SourceText>>,
    warnings: Vec<Diagnostic>,
}

/// A source field that the resource does not carry.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Loss {
    /// The field, as a JSON pointer into the record.
    pub pointer: String,
    /// Why: `no_target`, `suppressed_privacy`, `unknown_code` or `not_released`.
    pub reason: &'static str,
}

/// A record that a map cannot turn into a valid resource. Holds no content.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Refusal {
    /// A stable code, such as `MAP301`.
    pub code: &'static str,
    /// What is missing or wrong, and what to do.
    pub message: String,
    /// Where in the record, as a JSON pointer, if one field is to blame.
    pub pointer: Option<String>,
    /// The map's `url|version`.
    pub map: String,
    /// The rule's `file:line`.
    pub rule: String,
}

/// What a run left in the scratch space.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What was dropped.
    pub losses: Vec<Loss>,
}

/// Memory that is reused from record to record; one per worker.
#[derive(Debug, Default)]
pub struct Scratch {
    bump: Bump,
}

/// The text of a map that is a StructureMap in JSON, R4 or R5.
///
/// # Errors
///
/// Why it is none.
pub fn text_of(structure_map: &[u8]) -> Result<String, String> {
    let map = serde_json::from_slice(structure_map).map_err(|cause| cause.to_string())?;
    fml::from_structure_map(map)
}

impl MapSet {
    /// Loads and compiles a folder; on failure answers every diagnostic, not just the first.
    pub fn load(folder: &Path) -> Result<Self, Vec<Diagnostic>> {
        load::load(folder)
    }

    /// The set's identity: a hash over all its files.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Things about the set that should be known, though it can be used.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The logical model of a kind: `session_log`, `session-log` or `SessionLog`.
    pub fn model(&self, kind: &str) -> Option<&Model> {
        let slug = kind.replace('_', "-");
        self.models.iter().find(|model| model.slug() == slug || model.name == kind)
    }

    /// All logical models.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// A table of `tables/`, by the file's name without `.toml`.
    pub fn table(&self, name: &str) -> Option<&toml::Table> {
        self.tables.get(name)
    }

    /// A code table, by its URL or the last segment of it.
    pub fn codes(&self, name: &str) -> Option<&CodeTable> {
        let by_slug =
            || self.codes.values().find(|table| table.url.rsplit('/').next() == Some(name));
        self.codes.get(name).or_else(by_slug).map(AsRef::as_ref)
    }

    /// All code tables.
    pub fn code_tables(&self) -> impl Iterator<Item = &CodeTable> {
        self.codes.values().map(AsRef::as_ref)
    }

    /// The R4 element table that the maps were checked against.
    pub fn elements(&self) -> &Arc<Elements> {
        &self.elements
    }

    /// The names of the maps, sorted: the last segments of their URLs.
    pub fn maps(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.by_slug.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// What a map is: its canonical `url|version`, file, model and resource type.
    pub fn about(&self, map: &str) -> Option<About<'_>> {
        let plan = self.plan(map)?;
        Some(About {
            canonical: &plan.canonical,
            version: &plan.version,
            file: &plan.file,
            model: self.models.get(plan.model)?,
            resource: &plan.resource,
            rows: &plan.rows,
        })
    }

    fn plan(&self, map: &str) -> Option<&plan::Plan> {
        let slug = map.split('|').next()?.rsplit('/').next()?;
        self.plans.get(*self.by_slug.get(slug)?)
    }

    /// Runs the map whose URL ends in `map` over one view, and appends the resource's JSON to `out`.
    pub fn run(
        &self,
        map: &str,
        input: &[u8],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, Refusal> {
        self.run_with(map, input, scratch, None, out)
    }

    /// Runs a map and records which rules fired.
    pub fn trace(
        &self,
        map: &str,
        input: &[u8],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> (Result<Outcome, Refusal>, Vec<Trace>) {
        let mut trace = Vec::new();
        let result = self.run_with(map, input, scratch, Some(&mut trace), out);
        (result, trace)
    }

    fn run_with(
        &self,
        map: &str,
        input: &[u8],
        scratch: &mut Scratch,
        trace: Option<&mut Vec<Trace>>,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, Refusal> {
        let found = self.plan(map).and_then(|plan| {
            Some((plan, self.models.get(plan.model)?, self.fates.get(plan.model)?))
        });
        let Some((plan, model, fates)) = found else {
            return Err(Refusal {
                code: "MAP300",
                message: "there is no such map in the set".to_owned(),
                pointer: None,
                map: map.to_owned(),
                rule: String::new(),
            });
        };
        scratch.bump.reset();
        let bump = &scratch.bump;
        let record = record::read(model, input, bump, record::Caps::default());
        let record = record.map_err(|error| Refusal {
            code: "MAP302",
            message: format!("the record does not fit the model: {}", error.message),
            pointer: Some(error.pointer()),
            map: plan.canonical.clone(),
            rule: plan.file.clone(),
        })?;
        let mut outcome = Outcome::default();
        run::run(plan, model, record, bump, &mut outcome.losses, trace, out)?;
        run::losses::losses(model, fates, record, &mut outcome.losses);
        Ok(outcome)
    }
}

/// What a map is.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// `url|version`
    pub canonical: &'a str,
    /// The version.
    pub version: &'a str,
    /// The file, relative to the map set's folder.
    pub file: &'a str,
    /// The source model.
    pub model: &'a Model,
    /// The resource type.
    pub resource: &'a str,
    /// What each rule does.
    pub rows: &'a [Row],
}
