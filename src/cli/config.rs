//! `throughline config`: what the settings are, and whether they are right.

use clap::{Args, Subcommand};

use super::{Context, Outcome};
use crate::http::tls::Certificate;

/// Check or show the settings
#[derive(Debug, Args)]
pub struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the settings and the files that they name, and change nothing
    ///
    /// Everything that is wrong is told at once, with file and line; the exit code is then 2.
    Check,
    /// Show the settings in force, of the file, the environment and flags, without secrets
    Show,
}

impl Config {
    /// Runs the subcommand; settings that cannot be read have been refused before.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        match self.command {
            Command::Check => {
                if let Some(tls) = &context.settings.tls {
                    Certificate::read(tls)?;
                }
                writeln!(context.out, "the settings are good")?;
            }
            Command::Show => write!(context.out, "{}", context.settings.shown()?)?,
        }
        Ok(Outcome::Done)
    }
}
