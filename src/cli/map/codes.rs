//! `throughline map codes`: code tables as CSV, for people who keep them in spreadsheets.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::cli::{Context, Outcome};
use crate::mapping::pretty;

const COLUMNS: [&str; 5] = ["code", "system", "target", "display", "equivalence"];

#[derive(Debug, Subcommand)]
pub(super) enum Codes {
    /// Print a table as CSV: code, system, target, display, equivalence
    Export {
        /// The table: the file's name without `.json`
        table: String,
    },
    /// Replace the entries of a table by those of a CSV file with the same columns
    Import {
        /// The table: the file's name without `.json`
        table: String,
        /// The CSV file
        file: PathBuf,
    },
}

impl Codes {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        match self {
            Self::Export { table } => {
                let (_, map) = read(context, &table)?;
                let mut csv = csv::Writer::from_writer(Vec::new());
                csv.write_record(COLUMNS)?;
                for row in rows(&map) {
                    csv.write_record(row)?;
                }
                context.out.write_all(&csv.into_inner()?)?;
            }
            Self::Import { table, file } => {
                let (path, mut map) = read(context, &table)?;
                let unmapped = map.pointer("/group/0/unmapped").cloned();
                let source = map.pointer("/group/0/source").cloned();
                let mut groups = groups(&file)?;
                if let Some(first) = groups.first_mut().and_then(Value::as_object_mut) {
                    first.extend(source.map(|source| ("source".to_owned(), source)));
                    first.extend(unmapped.map(|unmapped| ("unmapped".to_owned(), unmapped)));
                }
                let count = groups.len();
                if let Some(members) = map.as_object_mut() {
                    members.insert("group".to_owned(), Value::from(groups));
                }
                fs::write(&path, pretty(&map.to_string()))?;
                writeln!(context.out, "{}: {count} groups written", path.display())?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn read(context: &Context<'_>, table: &str) -> anyhow::Result<(PathBuf, Value)> {
    let path = context.folders.mappings.join("codes").join(format!("{table}.json"));
    let text =
        fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let map =
        serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    Ok((path, map))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn rows(map: &Value) -> Vec<[String; 5]> {
    let mut rows = Vec::new();
    for group in list(map, "group") {
        for element in list(group, "element") {
            let row = |target: &Value| {
                let [code, display, equivalence] =
                    ["code", "display", "equivalence"].map(|key| text(target, key).to_owned());
                [
                    text(element, "code").to_owned(),
                    text(group, "target").to_owned(),
                    code,
                    display,
                    equivalence,
                ]
            };
            if list(element, "target").next().is_none() {
                rows.push(row(&json!({"equivalence": "unmatched"})));
            }
            rows.extend(list(element, "target").map(row));
        }
    }
    rows
}

/// The groups of a ConceptMap, one for each target system, in the order of the file.
fn groups(file: &PathBuf) -> anyhow::Result<Vec<Value>> {
    let mut reader = csv::Reader::from_path(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    let header: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    anyhow::ensure!(header == COLUMNS, "the columns have to be: {}", COLUMNS.join(", "));
    let mut groups: Vec<(String, Vec<Value>)> = Vec::new();
    for record in reader.records() {
        let record = record?;
        let cell = |index: usize| record.get(index).unwrap_or_default().trim();
        let members = [("code", cell(2)), ("display", cell(3)), ("equivalence", cell(4))];
        let target: Map<String, Value> = members
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (key.to_owned(), Value::from(value)))
            .collect();
        let element = json!({"code": cell(0), "target": [target]});
        match groups.iter_mut().find(|(system, _)| system == cell(1)) {
            Some((_, elements)) => elements.push(element),
            None => groups.push((cell(1).to_owned(), vec![element])),
        }
    }
    Ok(groups
        .into_iter()
        .map(|(system, elements)| json!({"target": system, "element": elements}))
        .collect())
}
