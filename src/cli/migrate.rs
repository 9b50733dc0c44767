//! `throughline migrate`: brings the store up to date, or says what that would take.

use std::io::{self, Write};

use clap::Args;

use super::{Context, Outcome};
use crate::app;
use crate::store::{Upgrade, Upgraded};

/// Bring the store up to date with this version
///
/// Runs the migrations of the schema that are due, and makes the search index anew where the search
/// parameters have changed. It can be ended and run again at any time. A database of another
/// program or of a newer version is refused. With --check the exit code is 0 if nothing is due,
/// and 1 if something is.
#[derive(Debug, Args)]
pub struct Migrate {
    /// Say what is due, and change nothing
    #[arg(long, visible_alias = "dry-run")]
    check: bool,
    /// Run migrations that lose data, after a backup
    #[arg(long)]
    allow_loss: bool,
}

impl Migrate {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let upgrade = Upgrade { only_check: self.check, allow_loss: self.allow_loss };
        let data = &context.folders.data;
        if context.store.url.is_none() && !self.check {
            // The file's folder is made with the keys, as by any other command.
            crate::auth::Keys::open(data)?;
        }
        let bar = indicatif::ProgressBar::new_spinner();
        let result =
            app::migrate(data, &context.store, upgrade, &mut |done| bar.set_position(done));
        bar.finish_and_clear();
        let upgraded = result?;
        say(&upgraded, self.check, context.out)?;
        let is_due = self.check && !upgraded.is_nothing();
        Ok(if is_due { Outcome::Attention } else { Outcome::Done })
    }
}

fn say(upgraded: &Upgraded, check: bool, out: &mut dyn Write) -> io::Result<()> {
    if upgraded.is_nothing() {
        return writeln!(out, "the store is up to date");
    }
    for migration in &upgraded.migrations {
        writeln!(out, "{} {migration}", if check { "due:" } else { "applied:" })?;
    }
    if upgraded.reindex {
        let text =
            if check { "due: making the search index anew" } else { "search index made anew" };
        writeln!(out, "{text}")?;
    }
    Ok(())
}
