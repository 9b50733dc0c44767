//! `throughline quarantine`: lists, shows and replays what could not be taken in.

use clap::Args;

use super::{Context, Outcome};

/// List, show and replay what could not be taken in
#[derive(Debug, Args)]
pub struct Quarantine {}

impl Quarantine {
    /// Runs the subcommand.
    pub fn run(self, _context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        anyhow::bail!("`throughline quarantine` is not built yet")
    }
}
