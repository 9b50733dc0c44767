//! `throughline synth`: writes fictional source records.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::{Context, Outcome};
use crate::domain::TenantId;
use crate::exchange::synth::{self, Order};

/// Write fictional source records
#[derive(Debug, Args)]
pub struct Synth {
    /// How many clients; each has about 60 records
    #[arg(long, default_value_t = 100)]
    clients: u64,
    /// Which practice: the same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The tenant that the records belong to
    #[arg(long, default_value = "hv", value_parser = tenant)]
    tenant: TenantId,
    /// The file to write, `-` for standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
}

impl Synth {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let tenant = self.tenant.as_str().to_owned();
        let order = Order { clients: self.clients, seed: self.seed, tenant };
        if self.out.as_os_str() == "-" {
            let mut out = BufWriter::new(&mut *context.out);
            synth::write(&order, &mut out)?;
            out.flush()?;
            return Ok(Outcome::Done);
        }
        let name = self.out.display();
        let file = File::create(&self.out).with_context(|| format!("cannot create {name}"))?;
        let mut out = BufWriter::new(file);
        let written = synth::write(&order, &mut out)
            .and_then(|written| out.flush().map(|()| written))
            .with_context(|| format!("cannot write {name}"))?;
        writeln!(context.out, "{written} records in {name}")?;
        Ok(Outcome::Done)
    }
}

fn tenant(name: &str) -> Result<TenantId, &'static str> {
    name.parse().map_err(|()| "a tenant is 1 to 64 of A-Z a-z 0-9 . _ -")
}
