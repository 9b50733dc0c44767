//! `throughline sources`: what an operator does about the platforms that records come from.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Context, Outcome};
use crate::platform::Secret;

/// Look after the platforms that records come from
#[derive(Debug, Args)]
pub struct Sources {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a secret for a platform that pushes: 256 random bits, in a new file for its owner only
    Secret {
        /// The file; it must not be there yet
        file: PathBuf,
    },
}

impl Sources {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let Command::Secret { file } = self.command;
        Secret::make(&file)?;
        let file = file.display();
        writeln!(context.out, "made {file}")?;
        writeln!(context.out, "add it to `secret_files` of the source beside the one in use,")?;
        writeln!(context.out, "restart, give it to the platform, and then take the old one out")?;
        Ok(Outcome::Done)
    }
}
