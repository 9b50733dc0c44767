//! `throughline audit export`.

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::audit::Event;
use crate::audit::fhir::{self, Server};
use crate::cli::{Context, Outcome};
use crate::domain::TenantId;
use crate::exchange::ingest::BASE;

/// How many entries are read together.
const BATCH: usize = 1_000;

/// Write a tenant's chain as NDJSON, oldest event first
///
/// The export itself is an event of the chain, the last one in it.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Tenant whose chain it is
    #[arg(long, value_parser = super::tenant)]
    tenant: TenantId,
    /// What a line is
    #[arg(long, default_value = "ledger")]
    format: Format,
}

/// What a line of an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// An event with its number and hash, byte for byte; at the end the signed checkpoints
    Ledger,
    /// An `AuditEvent` of FHIR R4
    Fhir,
}

#[derive(Serialize)]
struct Line<'a> {
    number: u64,
    hash: String,
    event: &'a RawValue,
}

#[derive(Serialize)]
struct Sealed<'a> {
    checkpoint: &'a str,
}

impl Export {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let audit = super::open(context)?;
        super::record(&audit, context, "export", (&self.tenant, None))?;
        let (ledger, tenant) = (audit.ledger(), self.tenant.as_str());
        let mut after = 0;
        loop {
            let entries = ledger.entries(tenant, after, BATCH)?;
            for entry in &entries {
                after = entry.number;
                match self.format {
                    Format::Ledger => {
                        let line = Line {
                            number: entry.number,
                            hash: hex::encode(entry.hash),
                            event: serde_json::from_slice(&entry.body)?,
                        };
                        serde_json::to_writer(&mut *context.out, &line)?;
                    }
                    Format::Fhir => {
                        let event = Event::of(&entry.body)?;
                        context.out.write_all(&fhir::encode(&event, Server { base: BASE })?)?;
                    }
                }
                writeln!(context.out)?;
            }
            if entries.len() < BATCH {
                break;
            }
        }
        if self.format == Format::Ledger {
            for checkpoint in ledger.checkpoints(tenant)? {
                let line = Sealed { checkpoint: &checkpoint.statement };
                writeln!(context.out, "{}", serde_json::to_string(&line)?)?;
            }
        }
        Ok(Outcome::Done)
    }
}
