//! `throughline ingest`: takes source records in.

use clap::Args;

use super::{Context, Outcome};

/// Take in source records from files and folders
#[derive(Debug, Args)]
pub struct Ingest {}

impl Ingest {
    /// Runs the subcommand.
    pub fn run(self, _context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        anyhow::bail!("`throughline ingest` is not built yet")
    }
}
