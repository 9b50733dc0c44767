//! `throughline demo`: ingests `fixtures/`, and serves it on loopback.

use clap::Args;

use super::{Context, Outcome};

/// Serve the fictional practice of fixtures/ on this machine
#[derive(Debug, Args)]
pub struct Demo {}

impl Demo {
    /// Runs the subcommand.
    pub fn run(self, _context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        anyhow::bail!("`throughline demo` is not built yet")
    }
}
