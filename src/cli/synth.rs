//! `throughline synth`: writes fictional source records.

use clap::Args;

use super::{Context, Outcome};

/// Write fictional source records
#[derive(Debug, Args)]
pub struct Synth {}

impl Synth {
    /// Runs the subcommand.
    pub fn run(self, _context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        anyhow::bail!("`throughline synth` is not built yet")
    }
}
