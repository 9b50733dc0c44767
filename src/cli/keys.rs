//! `throughline keys`: the keys that tokens are signed with.

use clap::{Args, Subcommand};

use super::{Context, Outcome};
use crate::auth::{self, AFTER_S};

/// Look after the keys that tokens are signed with
#[derive(Debug, Args)]
pub struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the keys: name, algorithm, and whether each signs
    List,
    /// Add new keys and retire the old ones
    ///
    /// The new keys are published at once and sign after 15 minutes; the old ones are published for
    /// another day, so that no token ends before its time. Servers need no restart.
    Rotate,
}

impl Keys {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let (data, now) = (&context.folders.data, context.clock.now().as_second());
        if matches!(self.command, Command::Rotate) {
            auth::Keys::rotate(data, now)?;
        }
        let ring = auth::Keys::open(data)?.ring()?;
        for key in ring.published(now) {
            let retires = key.until.is_some_and(|until| until - AFTER_S <= now);
            let state = match key.since {
                since if since > now => "signs soon",
                _ if retires => "retires",
                _ => "signs",
            };
            writeln!(context.out, "{}  {}  {state}", key.kid, key.alg.as_str())?;
        }
        Ok(Outcome::Done)
    }
}
