//! `throughline retention hold`: records that nobody may take away.

use clap::{Args, Subcommand};

use super::super::{Context, Outcome};
use super::operator;
use crate::app::App;
use crate::audit::{Action, Event};
use crate::domain::TenantId;

/// Hold records back from being taken away
///
/// A hold opens nothing to anybody. One that the platform sent is lifted there or here.
#[derive(Debug, Args)]
pub(super) struct Holding {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set a hold on a client's record
    Set {
        /// The platform's id of the client
        #[arg(long, value_name = "ID")]
        client: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// Who sets it
        #[arg(long, value_name = "WHO")]
        by: String,
    },
    /// List the holds
    ///
    /// The exit code is 1 if one is in force.
    List {
        /// Also those that are over
        #[arg(long)]
        all: bool,
    },
    /// Lift a hold
    Lift {
        /// The hold's id
        id: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// Who lifts it
        #[arg(long, value_name = "WHO")]
        by: String,
    },
}

impl Holding {
    /// Runs the subcommand.
    pub(super) fn run(
        self,
        app: &App,
        tenant: &TenantId,
        context: &mut Context<'_>,
    ) -> anyhow::Result<Outcome> {
        let retention = app.retention();
        let now = context.clock.now();
        let note = |action, by: &str, hold: &str, client: Option<&str>| {
            let mut event = Event::new(action, now, Some(tenant), operator(by));
            event.note("hold", hold);
            if let Some(client) = client {
                event.about(&app.patient(tenant, client));
            }
            app.audit().record_blocking(&event)
        };
        match self.command {
            Command::Set { client, reason, by } => {
                let id = retention.set_hold(tenant, &client, &reason, &by)?;
                note(Action::HoldSet, &by, &id, Some(&client))?;
                writeln!(context.out, "{id}")?;
                Ok(Outcome::Done)
            }
            Command::List { all } => {
                let mut is_any = false;
                for hold in retention.holds(tenant)? {
                    let in_force = hold.is_in_force(now);
                    is_any |= in_force;
                    if !in_force && !all {
                        continue;
                    }
                    let state = if in_force { "in force" } else { "over" };
                    let whose = hold.client.as_deref().unwrap_or("everybody");
                    let by = hold.by.as_deref().unwrap_or("the platform");
                    writeln!(
                        context.out,
                        "{}  client {whose}  {state}  from {}  by {by}: {}",
                        hold.id, hold.from, hold.reason
                    )?;
                    if let Some((by, why)) = &hold.lifted {
                        writeln!(context.out, "  lifted by {by}: {why}")?;
                    }
                }
                Ok(if is_any { Outcome::Attention } else { Outcome::Done })
            }
            Command::Lift { id, reason, by } => {
                let hold = retention.lift_hold(tenant, &id, &reason, &by)?;
                note(Action::HoldLifted, &by, &id, hold.client.as_deref())?;
                writeln!(context.out, "lifted")?;
                Ok(Outcome::Done)
            }
        }
    }
}
