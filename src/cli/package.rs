//! `throughline package`: a copy of a record as an archive.

mod copy;
mod verify;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::{Context, Outcome};
use crate::app::{open_ledger, open_store};
use crate::audit::{self, Audit};
use crate::auth::{Keys, Notary};
use crate::config::AuditMode;

pub(super) use self::copy::Copy;
use self::verify::Verify;

/// The subcommand that checks.
const VERIFY: &str = "verify";
/// What a signature over a list of files says that it is.
const SIGNATURE: &str = "throughline-package+jws";

/// Copies of records: one is made, or one that was made is checked.
#[derive(Debug)]
pub enum Package {
    /// A copy is made.
    Make(Making),
    /// A copy is checked.
    Verify(Verify),
}

/// Write a copy of a patient's record as an archive
///
/// The archive has a page and a PDF to read, a FHIR document, the resources, and a list of all files
/// with their hashes. A signature over that list goes beside it. What is in it is what the person may
/// have of their own record, or with --to what consent gives to whoever treats them next.
#[derive(Debug, Args)]
pub struct Making {
    #[command(flatten)]
    copy: Copy,
    /// Where the archive is written; its signature goes beside it, as FILE.jws
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl FromArgMatches for Package {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        match matches.subcommand() {
            Some((VERIFY, of_it)) => Verify::from_arg_matches(of_it).map(Self::Verify),
            _ => Making::from_arg_matches(matches).map(Self::Make),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Package {
    fn augment_args(command: Command) -> Command {
        Making::augment_args(command)
            .args_conflicts_with_subcommands(true)
            .subcommand_negates_reqs(true)
            .subcommand(Verify::augment_args(Command::new(VERIFY)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl Package {
    /// Runs the command.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        match self {
            Self::Make(making) => making.run(context),
            Self::Verify(verify) => verify.run(context),
        }
    }
}

impl Making {
    fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let (data, settings) = (&context.folders.data, &context.store);
        let keys = Keys::open(data)?;
        let store = open_store(data, settings, &keys.id_key())?;
        let ledger = open_ledger(data, settings)?;
        let clock = Arc::clone(&context.clock);
        let audit = Audit::start(ledger, Notary::new(&keys)?, clock, AuditMode::Closed)?;
        let made = self.copy.make(context, &*store, &audit)?;
        let copy = &made.package;
        let zip = copy.zip()?;
        let signature = Notary::new(&keys)?.sign_detached(SIGNATURE, copy.manifest())?;
        // What is handed over is written down before it is.
        let mut event = self.copy.event(audit::Action::Released, "package", context);
        for piece in &made.pieces {
            let whose = Some(&self.copy.patient);
            event.show(&piece.resource_type, &piece.id, &piece.version, whose);
        }
        audit.record_blocking(&event)?;
        write(&self.out, &zip)?;
        let mut beside = self.out.clone().into_os_string();
        beside.push(".jws");
        write(Path::new(&beside), signature.as_bytes())?;
        let out = &mut context.out;
        for file in copy.files() {
            writeln!(out, "{:>9}  {}", file.bytes.len(), file.path)?;
        }
        writeln!(out, "{:>9}  {}", zip.len(), self.out.display())?;
        Ok(Outcome::Done)
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| {
        format!("{} cannot be written: give another file with --out", path.display())
    })
}
