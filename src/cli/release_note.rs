//! `throughline release-note`: the only way out for a note that is kept apart.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::Args;

use super::token::DEMO_TENANT;
use super::{Context, Outcome, audit, explain};
use crate::app::{open_apart, open_store};
use crate::auth::Keys;
use crate::domain::TenantId;
use crate::error::Error;
use crate::exchange::explain::Who;
use crate::exchange::ingest::Rules;
use crate::exchange::release::{Outcome as Came, Release, Wanted};
use crate::policy::Purpose;

/// Release a psychotherapy note or a SUD counselling note, by an authorization for such notes
///
/// It is refused without an authorization of the right type that names the recipient and the
/// purpose, and holds now; no other consent counts. Releases and refusals are written down on a
/// stream of their own (`throughline audit search --apart`). The exit code is 1 where it is refused.
#[derive(Debug, Args)]
pub struct ReleaseNote {
    /// Tenant whose note it is
    #[arg(long, default_value = DEMO_TENANT, value_parser = audit::tenant)]
    tenant: TenantId,
    /// The platform's id of the note
    #[arg(long, value_name = "ID")]
    note: String,
    /// To whom it goes: `client:CLIENT_ID`, or patient
    #[arg(long)]
    to: Who,
    /// What for: a code of v3-ActReason, such as TREAT
    #[arg(long, value_parser = explain::purpose)]
    purpose: Purpose,
    /// The file to write, which must not be there yet; only you can read it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl ReleaseNote {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let (data, settings) = (&context.folders.data, &context.store);
        let id_key = Keys::open(data)?.id_key();
        let store = open_store(data, settings, &id_key)?;
        let apart = open_apart(data, settings)?;
        let rules = Rules::load(&context.folders.mappings)?;
        let ledger = audit::open(context)?;
        let release = Release {
            store: &*store,
            apart: &*apart,
            rules: &rules,
            ids: &id_key,
            clock: &*context.clock,
            audit: &ledger,
        };
        let Self { tenant, note, to, purpose, out } = self;
        // Before anything is decided, so that what is written down as released can be handed over.
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&out);
        let mut file =
            file.map_err(|cause| anyhow::anyhow!("{} cannot be written: {cause}", out.display()))?;
        let came = release.run(&Wanted { tenant, note, to, purpose });
        match came {
            Ok(Came::Released(text)) => {
                file.write_all(text.as_bytes())?;
                file.sync_all()?;
                writeln!(context.out, "released into {}", out.display())?;
                Ok(Outcome::Done)
            }
            Ok(Came::Refused(rule)) => {
                std::fs::remove_file(&out)?;
                writeln!(context.err, "refused ({}, {}): {}", rule.code, rule.source, rule.says)?;
                Ok(Outcome::Attention)
            }
            Err(Error::NotFound) => {
                std::fs::remove_file(&out)?;
                anyhow::bail!("no note of that id is kept apart, or nobody acts under that name")
            }
            Err(failure) => {
                std::fs::remove_file(&out)?;
                Err(failure.into())
            }
        }
    }
}
