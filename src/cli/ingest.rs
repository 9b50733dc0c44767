//! `throughline ingest`: takes source records in from files and folders.

mod summary;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Context, Outcome};
use crate::app::open_store;
use crate::auth::Keys;
use crate::clock::Clock;
use crate::domain::IdKey;
use crate::exchange::ingest::{self, Progress, Report, Rules};
use crate::store::Store;

/// Take in source records from files and folders
///
/// Reads .ndjson, .jsonl and .json files, each also as .gz; a folder is read in the order of its
/// names. Records that cannot be taken in wait in quarantine. The exit code is 0 if none had to,
/// 1 if some did, and 2 if the command could not run.
#[derive(Debug, Args)]
pub struct Ingest {
    /// Files and folders of records
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print the summary as JSON, with every loss and warning
    #[arg(long)]
    json: bool,
}

impl Ingest {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let rules = Rules::load(&context.folders.mappings)?;
        let desk = Desk::open(context)?;
        let bar = Bar::new();
        let result =
            desk.ingest(&rules, &*context.clock).files(&self.paths, &mut |at| bar.show(at));
        bar.finish();
        answer(&result?, self.json, context)
    }
}

/// Prints a report, and says whether somebody has to look at quarantine.
pub(super) fn answer(
    report: &Report,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<Outcome> {
    if json {
        serde_json::to_writer_pretty(&mut context.out, report)?;
        writeln!(context.out)?;
    } else {
        summary::write(report, &mut context.out)?;
    }
    Ok(if report.needs_attention() { Outcome::Attention } else { Outcome::Done })
}

/// The store, and the keys of the data folder.
pub(super) struct Desk {
    /// The store.
    pub(super) store: Arc<dyn Store>,
    ids: IdKey,
}

impl Desk {
    /// Opens the store and the data folder, and makes the folder if it is not there.
    pub(super) fn open(context: &Context<'_>) -> crate::Result<Self> {
        let data = &context.folders.data;
        let ids = Keys::open(data)?.id_key();
        let store = open_store(data, &context.store, &ids)?;
        Ok(Self { store, ids })
    }

    /// The use case over this data folder.
    pub(super) fn ingest<'a>(
        &'a self,
        rules: &'a Rules,
        clock: &'a dyn Clock,
    ) -> ingest::Ingest<'a> {
        let (store, ids) = (&*self.store, &self.ids);
        ingest::Ingest { store, rules, ids, base: ingest::BASE, clock }
    }
}

/// A progress bar, on a terminal only.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// A bar that has not moved yet.
    pub(super) fn new() -> Self {
        Self(ProgressBar::new(0))
    }

    /// Moves the bar.
    pub(super) fn show(&self, progress: Progress) {
        let (template, done) = match progress {
            Progress::Reading { done, total } => {
                self.0.set_length(total);
                ("reading {bar:40} {bytes}/{total_bytes} {eta}", done)
            }
            Progress::Mapping { done } => {
                self.0.unset_length();
                ("mapping {spinner} {human_pos} records {elapsed}", done)
            }
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        self.0.set_position(done);
    }

    /// Takes the bar off the screen.
    pub(super) fn finish(self) {
        self.0.finish_and_clear();
    }
}
