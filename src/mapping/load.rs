//! Reads a map set's folder, and compiles all of it.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use serde_json::Value;

use super::MapSet;
use super::codes::CodeTable;
use super::compile::{self, Library};
use super::diagnostic::{Diagnostic, Diagnostics, Place, SourceText, did_you_mean};
use super::fml::{self, File};
use super::model::{FieldType, Model};
use super::run::losses::{Fate, Fates};
use crate::fhir::r4::Elements;

/// Reasons that `tables/suppressed.toml` may give; `derived` means that a pre-step carries it.
const REASONS: &[(&str, Fate)] = &[
    ("suppressed_privacy", Fate::Lost("suppressed_privacy")),
    ("not_released", Fate::Lost("not_released")),
    ("no_target", Fate::Lost("no_target")),
    ("derived", Fate::Carried),
];

/// Loads a folder.
pub(super) fn load(folder: &Path) -> Result<MapSet, Vec<Diagnostic>> {
    let mut diagnostics = Diagnostics::default();
    let mut loader = Loader {
        folder,
        hash: digest::Context::new(&digest::SHA256),
        diagnostics: &mut diagnostics,
    };
    let models = loader.models();
    let codes = loader.codes();
    let tables = loader.tables();
    let files = loader.maps();
    let hash = hex::encode(loader.hash.finish().as_ref());
    let elements = Arc::new(Elements::new());
    let library = Library { elements: &elements, models: &models, tables: &codes, files: &files };
    check_imports(&files, &mut diagnostics);
    let mut plans = Vec::new();
    let mut fates: Vec<Fates> = models.iter().map(nothing_read).collect();
    for (index, file) in files.iter().enumerate() {
        if !is_entry(&file.source.path) {
            continue;
        }
        let Some(compiled) = compile::compile(&library, index, &mut diagnostics) else { continue };
        if let Some(fates) = fates.get_mut(compiled.plan.model) {
            mark(fates, &compiled.reads);
        }
        plans.push(compiled.plan);
    }
    for file in &files {
        fml::definitions::check(&file.source, &elements, &models, &mut diagnostics);
    }
    suppress(&models, &tables, &mut fates, &mut diagnostics);
    let mut by_slug = HashMap::new();
    for (index, plan) in plans.iter().enumerate() {
        if by_slug.insert(plan.slug.clone(), index).is_some() {
            diagnostics.file("MAP005", &plan.file, format!("a second map named `{}`", plan.slug));
        }
    }
    let failed = diagnostics.has_errors();
    let warnings = diagnostics.finish();
    if failed {
        return Err(warnings);
    }
    let folder = folder.to_owned();
    let sources = files.iter().map(|file| Arc::clone(&file.source)).collect();
    Ok(MapSet {
        folder,
        hash,
        elements,
        models,
        plans,
        by_slug,
        fates,
        codes,
        tables,
        sources,
        warnings,
    })
}

/// Files in a folder below `outbound/` are only imported.
fn is_entry(path: &str) -> bool {
    path.strip_prefix("outbound/").is_some_and(|name| !name.contains('/'))
}

fn nothing_read(model: &Model) -> Fates {
    model.types.iter().map(|t| vec![Fate::Lost("no_target"); t.fields.len()]).collect()
}

fn mark(fates: &mut Fates, reads: &[(usize, usize)]) {
    for (object, field) in reads {
        if let Some(fate) = fates.get_mut(*object).and_then(|fields| fields.get_mut(*field)) {
            *fate = Fate::Carried;
        }
    }
}

/// Reads `tables/suppressed.toml`: `[session-log]`, then `reason = ["data.path", …]`.
fn suppress(
    models: &[Model],
    tables: &HashMap<String, toml::Table>,
    fates: &mut [Fates],
    diagnostics: &mut Diagnostics,
) {
    const FILE: &str = "tables/suppressed.toml";
    for (kind, reasons) in tables.get("suppressed").into_iter().flatten() {
        let model = models.iter().zip(fates.iter_mut()).find(|(m, _)| m.slug() == kind);
        let Some(((model, fates), reasons)) = model.zip(reasons.as_table()) else {
            diagnostics.file("MAP211", FILE, format!("there is no model `{kind}`"));
            continue;
        };
        for (reason, paths) in reasons {
            let fate = REASONS.iter().find(|(known, _)| known == reason).map(|(_, fate)| *fate);
            let Some((fate, paths)) = fate.zip(paths.as_array()) else {
                diagnostics.file("MAP211", FILE, format!("`{reason}` is not a reason"));
                continue;
            };
            for path in paths.iter().filter_map(toml::Value::as_str) {
                if !set_fate(model, fates, path, fate) {
                    diagnostics.file("MAP211", FILE, format!("{} has no `{path}`", model.name));
                }
            }
        }
    }
}

/// Sets the fate of a field, and where it is carried elsewhere, of all that it holds.
fn set_fate(model: &Model, fates: &mut Fates, path: &str, fate: Fate) -> bool {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let Some(object) = model.types.iter().position(|t| t.path == parent) else { return false };
    let Some(position) = model.types.get(object).and_then(|t| t.field(name)) else { return false };
    if let Some(place) = fates.get_mut(object).and_then(|fields| fields.get_mut(position)) {
        *place = fate;
    }
    let below = format!("{path}.");
    for (t, fields) in model.types.iter().zip(fates) {
        if fate == Fate::Carried && (t.path == path || t.path.starts_with(&below)) {
            fields.fill(fate);
        }
    }
    let content = model.types.get(object).and_then(|t| t.fields.get(position)).map(|f| f.content);
    matches!(content, Some(FieldType::Object(_) | FieldType::Primitive(_)))
}

fn check_imports(files: &[File], diagnostics: &mut Diagnostics) {
    for file in files {
        for import in &file.imports {
            let prefix = import.text.strip_suffix('*');
            let found = files.iter().any(|other| match prefix {
                Some(prefix) => other.url.starts_with(prefix),
                None => other.url == import.text,
            });
            if !found {
                let place = Place { source: Arc::clone(&file.source), span: import.span.clone() };
                let message = format!("there is no map `{}` to import", import.text);
                let help = did_you_mean(&import.text, files.iter().map(|file| file.url.as_str()));
                diagnostics.error_help("MAP004", &place, message, help);
            }
        }
    }
}

struct Loader<'a> {
    folder: &'a Path,
    hash: digest::Context,
    diagnostics: &'a mut Diagnostics,
}

impl Loader<'_> {
    /// The files below a folder with this extension, by path; each goes into the hash.
    fn read(&mut self, below: &str, extension: &str) -> Vec<(String, String)> {
        let mut paths = Vec::new();
        walk(&self.folder.join(below), &mut paths);
        paths.sort();
        let mut files = Vec::new();
        for path in paths {
            if path.extension().is_none_or(|found| found != extension) {
                continue;
            }
            let relative = path.strip_prefix(self.folder).unwrap_or(&path);
            let name = relative.to_string_lossy().replace('\\', "/");
            match fs::read_to_string(&path) {
                Ok(text) => {
                    self.hash.update(name.as_bytes());
                    self.hash.update(&[0]);
                    self.hash.update(&(text.len() as u64).to_be_bytes());
                    self.hash.update(text.as_bytes());
                    files.push((name, text));
                }
                Err(error) => {
                    self.diagnostics.file("MAP001", &name, format!("cannot be read: {error}"));
                }
            }
        }
        files
    }

    fn json(&mut self, below: &str) -> Vec<(String, Value)> {
        let mut values = Vec::new();
        for (name, text) in self.read(below, "json") {
            match serde_json::from_str(&text) {
                Ok(value) => values.push((name, value)),
                Err(error) => {
                    let at = format!("{name}:{}:{}", error.line(), error.column());
                    self.diagnostics.file("MAP002", &at, "not valid JSON");
                }
            }
        }
        values
    }

    fn models(&mut self) -> Vec<Model> {
        let mut models: Vec<Model> = Vec::new();
        for (path, text) in self.read("models", "json") {
            let source = Arc::new(SourceText { path, text });
            match Model::read(&source.text) {
                Ok(model) if models.iter().any(|known| known.url == model.url) => {
                    let message = format!("a second model `{}`", model.url);
                    self.diagnostics.file("MAP005", &source.path, message);
                }
                Ok(model) => models.push(model),
                Err(wrong) => {
                    for fault in wrong {
                        let place = Place { source: Arc::clone(&source), span: fault.span };
                        self.diagnostics.error("MAP211", &place, fault.message);
                    }
                }
            }
        }
        models
    }

    fn codes(&mut self) -> HashMap<String, Arc<CodeTable>> {
        let mut tables = HashMap::new();
        for (name, value) in self.json("codes") {
            match CodeTable::read(&name, value) {
                Ok(table) => {
                    tables.insert(table.url.clone(), Arc::new(table));
                }
                Err(wrong) => {
                    for message in wrong {
                        self.diagnostics.file("MAP202", &name, message);
                    }
                }
            }
        }
        tables
    }

    fn tables(&mut self) -> HashMap<String, toml::Table> {
        let mut tables = HashMap::new();
        for (name, text) in self.read("tables", "toml") {
            let stem =
                Path::new(&name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
            match text.parse::<toml::Table>() {
                Ok(table) => {
                    tables.insert(stem, table);
                }
                Err(error) => self.diagnostics.file("MAP002", &name, error.message().to_owned()),
            }
        }
        tables
    }

    fn maps(&mut self) -> Vec<File> {
        let mut texts = self.read("outbound", "fml");
        for (path, map) in self.json("outbound") {
            match fml::from_structure_map(map) {
                Ok(text) => texts.push((path, text)),
                Err(wrong) => self.diagnostics.file("MAP002", &path, wrong),
            }
        }
        let mut files: Vec<File> = Vec::new();
        for (path, text) in texts {
            let file = fml::read(Arc::new(SourceText { path, text }), self.diagnostics);
            if files.iter().any(|known| known.url == file.url) {
                let message = format!("a second map with the url `{}`", file.url);
                self.diagnostics.file("MAP005", &file.source.path, message);
            }
            files.push(file);
        }
        files
    }
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, paths);
        } else {
            paths.push(path);
        }
    }
}
