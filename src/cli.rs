//! The command line: one file per subcommand, one way to print, one way to fail.

pub mod audit;
pub mod clients;
pub mod config;
pub mod demo;
pub mod explain;
pub mod ingest;
pub mod jobs;
pub mod keys;
pub mod link;
pub mod map;
pub mod migrate;
pub mod package;
pub mod quarantine;
pub mod received;
pub mod release_note;
pub mod requests;
pub mod retention;
pub mod serve;
pub mod sources;
pub mod synth;
pub mod token;
pub mod transfer;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::clock::{Clock, SystemClock};
use crate::config::{Flags, Folders, Settings, StoreSettings};
use crate::telemetry;

/// Reads a therapy platform's records, and serves them as FHIR R4.
#[derive(Debug, Parser)]
#[command(name = "throughline", version, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Audit(audit::Auditing),
    Demo(demo::Demo),
    Serve(serve::Serve),
    Config(config::Config),
    Token(token::Token),
    Clients(clients::Clients),
    Keys(keys::Keys),
    Explain(explain::Explain),
    Ingest(ingest::Ingest),
    Jobs(jobs::Jobs),
    Link(link::Link),
    Quarantine(quarantine::Quarantine),
    Map(map::Map),
    Received(received::Received),
    ReleaseNote(release_note::ReleaseNote),
    Migrate(migrate::Migrate),
    Requests(requests::Requests),
    Retention(retention::Retention),
    Package(package::Package),
    Sources(sources::Sources),
    Synth(synth::Synth),
    Transfer(transfer::Transfers),
}

/// What a subcommand is given.
pub struct Context<'a> {
    /// Where things are.
    pub folders: Folders,
    /// Which store is used.
    pub store: StoreSettings,
    /// Everything that is set.
    pub settings: Settings,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Results.
    pub out: &'a mut dyn Write,
    /// Progress and complaints.
    pub err: &'a mut dyn Write,
}

/// How a subcommand ended, other than with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well: exit code 0.
    Done,
    /// It ran, and found something that somebody has to look at: exit code 1.
    Attention,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Attention => Self::from(1),
        }
    }
}

/// The exit code of a command that could not run: wrong arguments, or a set-up to put right.
const COULD_NOT_RUN: u8 = 2;

/// Runs the command line `arguments`, and answers the process's exit code.
pub fn run<A, T>(arguments: A, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode
where
    A: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(refused) => return usage(&refused, out, err),
    };
    match execute(cli, out, err) {
        Ok(outcome) => outcome.into(),
        Err(failure) => report(&failure, err),
    }
}

fn execute(cli: Cli, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<Outcome> {
    let settings = cli.flags.settings()?;
    telemetry::start(&settings.log)?;
    let store = settings.store.clone();
    let folders = Folders { data: settings.data.clone(), mappings: settings.mappings.clone() };
    let clock = Arc::new(SystemClock);
    let mut context = Context { folders, store, settings, clock, out, err };
    let outcome = match cli.command {
        Command::Audit(audit) => audit.run(&mut context),
        Command::Serve(serve) => serve.run(&mut context),
        Command::Config(config) => config.run(&mut context),
        Command::Demo(demo) => demo.run(&mut context),
        Command::Token(token) => token.run(&mut context),
        Command::Clients(clients) => clients.run(&mut context),
        Command::Keys(keys) => keys.run(&mut context),
        Command::Explain(explain) => explain.run(&mut context),
        Command::Ingest(ingest) => ingest.run(&mut context),
        Command::Jobs(jobs) => jobs.run(&mut context),
        Command::Link(link) => link.run(&mut context),
        Command::Quarantine(quarantine) => quarantine.run(&mut context),
        Command::Received(received) => received.run(&mut context),
        Command::ReleaseNote(release) => release.run(&mut context),
        Command::Map(map) => map.run(&mut context),
        Command::Migrate(migrate) => migrate.run(&mut context),
        Command::Requests(requests) => requests.run(&mut context),
        Command::Retention(retention) => retention.run(&mut context),
        Command::Package(package) => package.run(&mut context),
        Command::Sources(sources) => sources.run(&mut context),
        Command::Synth(synth) => synth.run(&mut context),
        Command::Transfer(transfers) => transfers.run(&mut context),
    }?;
    context.out.flush()?;
    Ok(outcome)
}

/// Prints help and versions on `out`, complaints about arguments on `err`.
fn usage(refused: &clap::Error, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode {
    let wanted = matches!(refused.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let text = refused.render();
    let printed = if wanted { write!(out, "{text}") } else { write!(err, "{text}") };
    if wanted && printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(COULD_NOT_RUN) }
}

/// Prints one clear line; a reader that went away (`throughline … | head`) is not worth one.
fn report(failure: &anyhow::Error, err: &mut dyn Write) -> ExitCode {
    let closed = failure
        .downcast_ref::<std::io::Error>()
        .is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe);
    if closed {
        return ExitCode::SUCCESS;
    }
    let printed = writeln!(err, "error: {failure:#}");
    drop(printed);
    ExitCode::from(COULD_NOT_RUN)
}

/// A text that cannot steer a terminal, nor turn the direction in which it is read.
fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        if steers(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}
