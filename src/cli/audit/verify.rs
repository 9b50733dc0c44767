//! `throughline audit verify`.

use std::io::Write;

use clap::Args;
use serde_json::json;

use crate::audit::verify::{Verdict, verify};
use crate::cli::{Context, Outcome};

/// Check every hash and signature of the audit
///
/// The exit code is 1 if anything is not as it was written. What was cut off at the end of a chain
/// after its last checkpoint cannot be seen from here: compare the number and the hash with those
/// of checkpoints that were kept elsewhere.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Print one JSON object for each chain
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let audit = super::open(context)?;
        let mut outcome = Outcome::Done;
        let tips = audit.ledger().tips()?;
        for tip in &tips {
            let verdict = verify(&**audit.ledger(), audit.notary(), &tip.tenant)?;
            if !verdict.faults.is_empty() {
                outcome = Outcome::Attention;
            }
            if self.json {
                writeln!(context.out, "{}", machine(&verdict))?;
            } else {
                human(&verdict, context.out)?;
            }
        }
        if tips.is_empty() && !self.json {
            writeln!(context.out, "there are no events yet")?;
        }
        Ok(outcome)
    }
}

fn machine(verdict: &Verdict) -> serde_json::Value {
    let faults = verdict.faults.iter();
    json!({
        "tenant": verdict.tenant,
        "entries": verdict.entries,
        "hash": verdict.hash,
        "checkpoints": verdict.checkpoints,
        "unsealed": verdict.unsealed,
        "faults": faults
            .map(|fault| json!({"number": fault.number, "what": fault.what}))
            .collect::<Vec<_>>(),
    })
}

fn human(verdict: &Verdict, out: &mut dyn Write) -> std::io::Result<()> {
    let Verdict { tenant, entries, hash, checkpoints, unsealed, faults } = verdict;
    let name = if tenant.is_empty() { "(no tenant)" } else { tenant };
    let state = if faults.is_empty() { "as written" } else { "NOT AS WRITTEN" };
    writeln!(out, "{name}: {state}, {entries} events, {checkpoints} good checkpoints")?;
    writeln!(out, "  {unsealed} events after the last checkpoint; the end is {hash}")?;
    for fault in faults {
        writeln!(out, "  {}: {}", fault.number, fault.what)?;
    }
    Ok(())
}
