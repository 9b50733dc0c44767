//! `throughline map`: checks, runs, explains and tests the maps.

mod codes;
mod scaffold;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};

use super::{Context, Outcome};
use crate::mapping::{self, Diagnostic, Gap, MapSet, Scratch, Versions, pretty};

/// Check, test, explain and export maps
#[derive(Debug, Args)]
pub struct Map {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compile all maps, code tables and models, and report everything that is wrong
    Check {
        /// Print JSON, for editors
        #[arg(long)]
        json: bool,
    },
    /// Run a map over a record and print the resource
    Run {
        /// The map: the last segment of its URL, such as `session-log-encounter`
        map: String,
        /// A file with a view: envelope, `data` and `derived`
        record: PathBuf,
        /// Also print which rules fired
        #[arg(long)]
        trace: bool,
    },
    /// Show what a map does, rule by rule
    Explain {
        /// The map; all of them if none is given
        map: Option<String>,
        /// Print a Markdown table
        #[arg(long)]
        md: bool,
    },
    /// Run the goldens in `tests/`
    Test {
        /// Accept the results as they are now
        #[arg(long)]
        bless: bool,
        /// Accept changed results under an unchanged version: for maps that were never released
        #[arg(long, requires = "bless")]
        unreleased: bool,
    },
    /// List fields that no map reads, must-support elements that none sets, codes without a target
    Coverage {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List departures from the subset that other engines also run
    Lint,
    /// Begin a map: print or write a file with everything that is needed
    New(scaffold::New),
    /// Move code tables to and from spreadsheets
    #[command(subcommand)]
    Codes(codes::Codes),
    /// Print a map that is a `StructureMap` in JSON (R4 or R5) as text, to keep in `outbound/`
    Import {
        /// The file
        file: PathBuf,
    },
    /// Write the set as R4 JSON: `StructureMap`, `ConceptMap` and `StructureDefinition`
    Export {
        /// The format: `r4`
        #[arg(long, value_parser = ["r4"])]
        fhir: String,
        /// The folder to write to; made if it is not there
        folder: PathBuf,
    },
}

impl Map {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        match self.command {
            Command::Check { json } => check(context, json),
            Command::Run { map, record, trace } => run(context, &map, &record, trace),
            Command::Explain { map, md } => explain(context, map.as_deref(), md),
            Command::Coverage { json } => coverage(context, json),
            Command::Lint => lint(context),
            Command::New(new) => new.run(context),
            Command::Codes(codes) => codes.run(context),
            Command::Import { file } => import(context, &file),
            Command::Export { folder, .. } => export(context, &folder),
            Command::Test { bless, unreleased } => test(context, bless, unreleased),
        }
    }
}

/// Loads the set, or prints everything that is wrong with it.
fn load(context: &mut Context<'_>) -> anyhow::Result<Option<MapSet>> {
    match MapSet::load(folder(context)?) {
        Ok(set) => Ok(Some(set)),
        Err(diagnostics) => {
            print(context, &diagnostics)?;
            Ok(None)
        }
    }
}

/// The folder of the maps.
fn folder<'a>(context: &'a Context<'_>) -> anyhow::Result<&'a Path> {
    let folder = &context.folders.mappings;
    if folder.is_dir() {
        return Ok(folder);
    }
    anyhow::bail!("there is no folder {}; name one with --mappings", folder.display());
}

fn print(context: &mut Context<'_>, diagnostics: &[Diagnostic]) -> anyhow::Result<()> {
    for diagnostic in diagnostics {
        writeln!(context.err, "{}\n", diagnostic.text)?;
    }
    Ok(())
}

fn check(context: &mut Context<'_>, json: bool) -> anyhow::Result<Outcome> {
    let loaded = MapSet::load(folder(context)?);
    let (outcome, diagnostics) = match &loaded {
        Ok(set) => (Outcome::Done, set.warnings()),
        Err(diagnostics) => (Outcome::Attention, diagnostics.as_slice()),
    };
    if json {
        writeln!(context.out, "{}", serde_json::to_string_pretty(diagnostics)?)?;
        return Ok(outcome);
    }
    print(context, diagnostics)?;
    match &loaded {
        Ok(set) => {
            let (maps, codes) = (set.maps().len(), set.code_tables().count());
            let models = set.models().len();
            writeln!(context.out, "{maps} maps, {codes} code tables, {models} models: no errors")?;
        }
        Err(diagnostics) => writeln!(context.err, "{} problems", diagnostics.len())?,
    }
    Ok(outcome)
}

fn run(
    context: &mut Context<'_>,
    map: &str,
    record: &PathBuf,
    trace: bool,
) -> anyhow::Result<Outcome> {
    let Some(set) = load(context)? else { return Ok(Outcome::Attention) };
    let input = fs::read(record).with_context(|| format!("{} cannot be read", record.display()))?;
    let mut out = Vec::new();
    let mut scratch = Scratch::default();
    let (result, rules) = set.trace(map, &input, &mut scratch, &mut out);
    if trace {
        for rule in rules {
            writeln!(context.err, "{:5} × {}", rule.fired, rule.rule)?;
        }
    }
    match result {
        Ok(outcome) => {
            write!(context.out, "{}", pretty(&String::from_utf8_lossy(&out)))?;
            for loss in outcome.losses {
                writeln!(context.err, "lost: {} ({})", loss.pointer, loss.reason)?;
            }
            Ok(Outcome::Done)
        }
        Err(refusal) => {
            let pointer = refusal.pointer.map(|p| format!(" at {p}")).unwrap_or_default();
            let (code, message) = (refusal.code, refusal.message);
            writeln!(context.err, "refused[{code}]: {message}{pointer}")?;
            writeln!(context.err, "  by {} ({})", refusal.map, refusal.rule)?;
            Ok(Outcome::Attention)
        }
    }
}

fn explain(context: &mut Context<'_>, map: Option<&str>, md: bool) -> anyhow::Result<Outcome> {
    let Some(set) = load(context)? else { return Ok(Outcome::Attention) };
    let names = map.map_or_else(|| set.maps(), |map| vec![map]);
    for name in names {
        let about = set.about(name).with_context(|| format!("there is no map `{name}`"))?;
        if md {
            writeln!(context.out, "## {name}\n\n`{}` in `{}`\n", about.canonical, about.file)?;
            writeln!(context.out, "| element | card. | source | transform | code table | rule |")?;
            writeln!(context.out, "|---|---|---|---|---|---|")?;
        } else {
            writeln!(context.out, "{name}: {} → {}", about.model.name, about.resource)?;
        }
        for row in about.rows {
            let table =
                row.table.as_deref().map_or("", |url| url.rsplit('/').next().unwrap_or(url));
            let cells = [&row.target, &row.cardinality, &row.source, &row.transform];
            if md {
                let [target, cardinality, source, transform] = cells.map(|c| c.replace('|', "\\|"));
                let (rule, out) = (&row.rule, &mut context.out);
                writeln!(
                    out,
                    "| {target} | {cardinality} | {source} | {transform} | {table} | {rule} |"
                )?;
            } else {
                let [target, cardinality, source, transform] = cells;
                let (rule, out) = (&row.rule, &mut context.out);
                writeln!(
                    out,
                    "  {target:48} {cardinality} ← {source:36} {transform} {table}  {rule}"
                )?;
            }
        }
        writeln!(context.out)?;
    }
    Ok(Outcome::Done)
}

fn test(context: &mut Context<'_>, bless: bool, unreleased: bool) -> anyhow::Result<Outcome> {
    let Some(set) = load(context)? else { return Ok(Outcome::Attention) };
    let versions = if unreleased { Versions::Unreleased } else { Versions::Enforced };
    let report = if bless { set.bless(versions) } else { set.test() };
    for case in &report.cases {
        if let Some(problem) = &case.problem {
            writeln!(context.err, "FAILED {}/{}: {problem}", case.map, case.case)?;
        }
    }
    let (total, failed) = (report.cases.len(), report.failed());
    writeln!(context.out, "{} goldens passed, {failed} failed", total - failed)?;
    Ok(if failed == 0 { Outcome::Done } else { Outcome::Attention })
}

fn import(context: &mut Context<'_>, file: &Path) -> anyhow::Result<Outcome> {
    let map = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let text = mapping::text_of(&map).map_err(|wrong| anyhow!("{}: {wrong}", file.display()))?;
    write!(context.out, "{text}")?;
    Ok(Outcome::Done)
}

fn export(context: &mut Context<'_>, folder: &PathBuf) -> anyhow::Result<Outcome> {
    let Some(set) = load(context)? else { return Ok(Outcome::Attention) };
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let exported = set.export();
    for file in &exported {
        let path = folder.join(&file.file_name);
        let text = serde_json::to_string_pretty(&file.resource)?;
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    writeln!(context.out, "{} files written to {}", exported.len(), folder.display())?;
    Ok(Outcome::Done)
}

fn lint(context: &mut Context<'_>) -> anyhow::Result<Outcome> {
    let Some(set) = load(context)? else { return Ok(Outcome::Attention) };
    let found = set.lint();
    for diagnostic in &found {
        writeln!(context.out, "{}\n", diagnostic.text)?;
    }
    writeln!(context.out, "{} departures from the portable subset", found.len())?;
    Ok(Outcome::Done)
}

fn coverage(context: &mut Context<'_>, json: bool) -> anyhow::Result<Outcome> {
    let Some(set) = load(context)? else { return Ok(Outcome::Attention) };
    let gaps = set.coverage();
    if json {
        writeln!(context.out, "{}", serde_json::to_string_pretty(&gaps)?)?;
        return Ok(Outcome::Done);
    }
    for gap in &gaps {
        match gap {
            Gap::UnusedField { model, field, reason } => {
                writeln!(context.out, "unused field       {model}.{field} ({reason})")?;
            }
            Gap::ElementNeverSet { resource, element } => {
                writeln!(context.out, "element never set  {resource}.{element}")?;
            }
            Gap::CodeWithoutTarget { table, code } => {
                writeln!(context.out, "code without target  {table}: {code}")?;
            }
        }
    }
    writeln!(context.out, "{} gaps", gaps.len())?;
    Ok(Outcome::Done)
}
