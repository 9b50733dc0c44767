//! `throughline quarantine`: lists, shows and replays what could not be taken in.

use std::io::{self, Write};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;

use super::ingest::{Bar, Desk, answer};
use super::{Context, Outcome, printable};
use crate::domain::TenantId;
use crate::exchange::ingest::Rules;
use crate::store::Quarantined;

/// List, show and replay what could not be taken in
#[derive(Debug, Args)]
pub struct Quarantine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the entries, oldest first
    List {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show one entry with the record as it came
    Show {
        /// The entry's number
        number: i64,
    },
    /// Offer entries again, once their cause is gone; without numbers all of them
    Replay {
        /// The entries' numbers
        numbers: Vec<i64>,
        /// Print the summary as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Quarantine {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let desk = Desk::open(context)?;
        match self.command {
            Command::List { json } => list(&desk.store.quarantine()?, json, context.out),
            Command::Show { number } => {
                let entry = desk.store.quarantined(number)?;
                let entry = entry.with_context(|| {
                    format!("quarantine has no entry {number}: see `throughline quarantine list`")
                })?;
                Ok(show(&entry, context.out).map(|()| Outcome::Done)?)
            }
            Command::Replay { numbers, json } => {
                let rules = Rules::load(&context.folders.mappings)?;
                let numbers = (!numbers.is_empty()).then_some(numbers.as_slice());
                let bar = Bar::new();
                let ingest = desk.ingest(&rules, &*context.clock);
                let result = ingest.replay(numbers, &mut |at| bar.show(at));
                bar.finish();
                answer(&result?, json, context)
            }
        }
    }
}

fn list(entries: &[Quarantined], json: bool, out: &mut dyn Write) -> anyhow::Result<Outcome> {
    for entry in entries {
        if json {
            let line = json!({
                "number": entry.number,
                "tenant_id": entry.tenant.as_ref().map(TenantId::as_str),
                "kind": entry.kind,
                "id": entry.id,
                "reason": entry.reason,
                "detail": entry.detail,
                "pointer": entry.pointer,
                "origin": entry.origin,
                "received": entry.received.to_string(),
                "isolated": entry.isolated,
            });
            writeln!(out, "{line}")?;
        } else {
            let name = entry.kind.as_deref().unwrap_or("unreadable");
            let id = entry.id.as_deref().unwrap_or("?");
            let Quarantined { number, reason, detail, pointer, origin, .. } = entry;
            writeln!(out, "{number:>5}  {reason}  {name} {id} {pointer}")?;
            writeln!(out, "       {origin}: {detail}")?;
        }
    }
    if entries.is_empty() && !json {
        writeln!(out, "quarantine is empty")?;
    }
    Ok(Outcome::Done)
}

fn show(entry: &Quarantined, out: &mut dyn Write) -> io::Result<()> {
    let text = |value: Option<&str>| value.unwrap_or("?").to_owned();
    writeln!(out, "number    {}", entry.number)?;
    writeln!(out, "reason    {}", entry.reason)?;
    writeln!(out, "detail    {}", entry.detail)?;
    writeln!(out, "pointer   {}", entry.pointer)?;
    writeln!(out, "origin    {}", entry.origin)?;
    writeln!(out, "received  {}", entry.received)?;
    writeln!(out, "tenant    {}", text(entry.tenant.as_ref().map(TenantId::as_str)))?;
    writeln!(out, "kind      {}", text(entry.kind.as_deref()))?;
    writeln!(out, "id        {}", text(entry.id.as_deref()))?;
    if entry.isolated {
        return writeln!(out, "record    not shown: it is, or may be, a note that is kept apart");
    }
    writeln!(out, "record    {}", printable(&String::from_utf8_lossy(&entry.body)))
}
