//! `throughline token`: prints a token of the demo, alone on a line.

use clap::Args;

use super::{Context, Outcome};

/// Print a bearer token for the demo
#[derive(Debug, Args)]
pub struct Token {}

impl Token {
    /// Runs the subcommand.
    pub fn run(self, _context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        anyhow::bail!("`throughline token` is not built yet")
    }
}
