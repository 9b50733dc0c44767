//! `throughline retention`: what has been kept long enough, what is held, and what is erased.

mod hold;

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use super::token::DEMO_TENANT;
use super::{Context, Outcome};
use crate::app::{App, Config};
use crate::audit::Actor;
use crate::domain::TenantId;
use crate::exchange::retention::{Authority, Extent, Plan, Survivors};

/// Take away what was kept long enough, hold records back from that, and erase on request
///
/// The schedules are in mappings/tables/retention.toml and in the practice's own `retention_policy`
/// records; the longest counts. Legal holds stop all of it. See docs/retention.md.
#[derive(Debug, Args)]
pub struct Retention {
    /// The practice, as the platform names it
    #[arg(long, global = true, default_value = DEMO_TENANT, value_parser = super::audit::tenant)]
    tenant: TenantId,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what is due, and why the rest stays; nothing is changed
    Plan {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Take away what was planned, for good
    ///
    /// Refused where something else is due by now than was planned.
    Apply {
        /// The name of the plan, as `retention plan` says it
        #[arg(long, value_name = "NAME")]
        plan: String,
        /// Who answers for it
        #[arg(long, value_name = "WHO")]
        by: String,
    },
    /// Erase a person's record because they ask for it; without --yes, show what that would do
    Erase(Erase),
    /// Show what stays as proof of records that are gone
    Survivors {
        /// Only of this client, by the platform's id
        #[arg(long, value_name = "ID")]
        client: Option<String>,
        /// Print the records, one a line
        #[arg(long)]
        records: bool,
    },
    /// Hold records back from being taken away
    Hold(hold::Holding),
}

#[derive(Debug, Args)]
struct Erase {
    /// The platform's id of the client
    #[arg(long, value_name = "ID")]
    client: String,
    /// By what: the request or the order, without content; it is kept in the audit
    #[arg(long, value_name = "TEXT")]
    authority: String,
    /// Who answers for it
    #[arg(long, value_name = "WHO")]
    by: String,
    /// Also what a schedule keeps
    #[arg(long)]
    everything: bool,
    /// Do it
    #[arg(long)]
    yes: bool,
}

impl Retention {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let app = App::open(&Config::of(&context.settings), Arc::clone(&context.clock))?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (retention, tenant) = (app.retention(), self.tenant);
        match self.command {
            Command::Plan { json } => show(&retention.plan(&tenant)?, json, context),
            Command::Apply { plan, by } => {
                let done = runtime.block_on(retention.apply(&tenant, &plan, operator(&by)))?;
                for (client, survivors) in &done {
                    write!(context.out, "client {client}  ")?;
                    tell(survivors, context)?;
                }
                writeln!(context.out, "done: {} clients", done.len())?;
                Ok(Outcome::Done)
            }
            Command::Erase(erase) => {
                let (client, by) = (erase.client, operator(&erase.by));
                let extent =
                    if erase.everything { Extent::Everything } else { Extent::WhatNobodyHasToKeep };
                let authority = Authority { by, by_what: erase.authority };
                let survivors = if erase.yes {
                    let erasing = retention.erase(&tenant, &client, &authority, extent);
                    runtime.block_on(erasing)?
                } else {
                    writeln!(context.out, "would erase, with --yes:")?;
                    retention.would_erase(&tenant, &client, extent)?
                };
                tell(&survivors, context)?;
                let is_over = survivors.is_whole && survivors.shared == 0;
                Ok(if is_over { Outcome::Done } else { Outcome::Attention })
            }
            Command::Survivors { client, records } => {
                for one in app.store().survivors(&tenant, client.as_deref())? {
                    if records {
                        context.out.write_all(&one.body)?;
                        writeln!(context.out)?;
                        continue;
                    }
                    let (kind, id, version) = (one.kind, &one.id, one.version);
                    writeln!(
                        context.out,
                        "client {}  {kind} {id} version {version}  kept until {:.0}",
                        one.client, one.until
                    )?;
                }
                Ok(Outcome::Done)
            }
            Command::Hold(holding) => holding.run(&app, &tenant, context),
        }
    }
}

/// Who does something at this machine, for somebody.
fn operator(by: &str) -> Actor {
    Actor { user: Some(by.to_owned()), ..Actor::operator() }
}

fn show(plan: &Plan, as_json: bool, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
    for due in &plan.due {
        let counts = due.records.iter().map(|(kind, count)| (kind.as_str(), *count));
        if as_json {
            let line = json!({
                "client": due.client, "whole": due.is_whole, "apart": due.apart,
                "records": counts.collect::<std::collections::BTreeMap<_, _>>(),
                "sources": due.sources,
            });
            writeln!(context.out, "{line}")?;
            continue;
        }
        let counts: Vec<String> = counts.map(|(kind, count)| format!("{count} {kind}")).collect();
        let whole = if due.is_whole { "the whole record" } else { "a part" };
        write!(context.out, "client {}  {whole}: {}", due.client, counts.join(", "))?;
        if due.apart > 0 {
            write!(context.out, " ({} of them kept apart)", due.apart)?;
        }
        let sources: Vec<&str> = due.sources.iter().map(String::as_str).collect();
        writeln!(context.out, "  by {}", sources.join("; "))?;
    }
    if as_json {
        let line = json!({ "plan": plan.name(), "stays": plan.stays, "proof": plan.proof_over });
        writeln!(context.out, "{line}")?;
    } else {
        for (why, count) in &plan.stays {
            writeln!(context.out, "{count} clients stay: {why}")?;
        }
        if plan.proof_over > 0 {
            writeln!(context.out, "{} records stay as proof no longer", plan.proof_over)?;
        }
        writeln!(context.out, "plan {}", plan.name())?;
    }
    let is_due = !plan.due.is_empty() || plan.proof_over > 0;
    Ok(if is_due { Outcome::Attention } else { Outcome::Done })
}

pub(super) fn tell(survivors: &Survivors, context: &mut Context<'_>) -> anyhow::Result<()> {
    let out = &mut context.out;
    writeln!(
        out,
        "{} records{}",
        survivors.records,
        if survivors.is_whole { ", the whole of it" } else { "" }
    )?;
    for (kind, count) in &survivors.proof {
        writeln!(out, "  stays as proof: {count} {kind}")?;
    }
    if survivors.shared > 0 {
        writeln!(out, "  stays since it is about somebody else too: {}", survivors.shared)?;
    }
    for kept in &survivors.kept {
        let until = kept.until.map_or("for ever".to_owned(), |day| format!("until {day}"));
        writeln!(out, "  is kept {until}: {} {} ({})", kept.count, kept.kind, kept.source)?;
    }
    Ok(())
}
