//! `throughline map`: works on the maps.

use clap::Args;

use super::{Context, Outcome};

/// Check, test, explain and export maps
#[derive(Debug, Args)]
pub struct Map {}

impl Map {
    /// Runs the subcommand.
    pub fn run(self, _context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        anyhow::bail!("`throughline map` is not built yet")
    }
}
