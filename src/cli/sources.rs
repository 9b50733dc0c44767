//! `throughline sources`: what an operator does about the platforms that records come from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{Context, Outcome};
use crate::app::{App, Config, SourceState};
use crate::exchange::pull::Round;
use crate::platform::Secret;

/// Look after the platforms that records come from
#[derive(Debug, Args)]
pub struct Sources {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the sources of the settings, and how their records come
    List,
    /// Show how far each source has been read, and what is wrong with it
    ///
    /// The exit code is 1 if a source is in trouble.
    Status,
    /// Read sources to their end, once
    ///
    /// The exit code is 1 if a source is in trouble, or is being read by another process.
    Pull {
        /// The sources' names; without any, all that are read
        names: Vec<String>,
    },
    /// Make a secret for a platform: 256 random bits, in a new file for its owner only
    Secret {
        /// The file; it must not be there yet
        file: PathBuf,
    },
}

impl Sources {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        match self.command {
            Command::List => {
                for state in open(context)?.sources()? {
                    let (id, ways) = (&state.id, state.ways.join(", "));
                    writeln!(context.out, "{}  tenant {}  {ways}", id.name, id.tenant)?;
                }
                Ok(Outcome::Done)
            }
            Command::Status => {
                let states = open(context)?.sources()?;
                for state in &states {
                    show(state, context)?;
                }
                let is_well = states.iter().all(|state| state.feed.trouble.is_none());
                Ok(if is_well { Outcome::Done } else { Outcome::Attention })
            }
            Command::Pull { names } => pull(names, context),
            Command::Secret { file } => secret(&file, context),
        }
    }
}

fn open(context: &Context<'_>) -> anyhow::Result<App> {
    if context.settings.sources.0.is_empty() {
        anyhow::bail!("there are no sources: name a settings file that has some with --config");
    }
    Ok(App::open(&Config::of(&context.settings), Arc::clone(&context.clock))?)
}

fn show(state: &SourceState, context: &mut Context<'_>) -> anyhow::Result<()> {
    let at = |time: Option<Timestamp>| time.map_or("never".to_owned(), |t| format!("{t:.0}"));
    let SourceState { id, feed, pushed, ways, .. } = state;
    write!(context.out, "{}  tenant {}", id.name, id.tenant)?;
    if ways.contains(&"push") {
        write!(context.out, "  last push {}", at(*pushed))?;
    }
    if ways.iter().any(|way| *way != "push") {
        write!(context.out, "  answered {}  moved {}", at(feed.answered), at(feed.moved))?;
        let now = context.clock.now();
        if let Some(lease) = state.lease.as_ref().filter(|lease| lease.ends > now) {
            write!(context.out, "  leased until {:.0}", lease.ends)?;
        }
    }
    if let Some(trouble) = &feed.trouble {
        write!(context.out, "  TROUBLE {trouble}, {} times in a row", feed.failures)?;
    }
    writeln!(context.out)?;
    Ok(())
}

fn pull(names: Vec<String>, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
    let app = open(context)?;
    let read = |state: &SourceState| state.ways.iter().any(|way| *way != "push");
    let names = if names.is_empty() {
        let states = app.sources()?;
        states.iter().filter(|state| read(state)).map(|state| state.id.name.to_string()).collect()
    } else {
        names
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut outcome = Outcome::Done;
    for name in names {
        let round = runtime.block_on(app.pull(&name))?;
        let (said, fine) = match round {
            Some(Round::Done) => ("everything is read".to_owned(), true),
            Some(Round::Elsewhere) => ("another process is reading it".to_owned(), false),
            Some(Round::Trouble(trouble)) => (format!("in trouble: {trouble}"), false),
            Some(Round::Unstored) => ("it could not be stored; the log says why".to_owned(), false),
            None => anyhow::bail!("no source {name} is read: see `throughline sources list`"),
        };
        writeln!(context.out, "{name}: {said}")?;
        if !fine {
            outcome = Outcome::Attention;
        }
    }
    Ok(outcome)
}

fn secret(file: &Path, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
    Secret::make(file)?;
    writeln!(context.out, "made {}", file.display())?;
    writeln!(
        context.out,
        "add it to `secret_files` of the source beside the one in use, restart,"
    )?;
    writeln!(context.out, "give it to the platform, and then take the old one out")?;
    Ok(Outcome::Done)
}
