//! `throughline received`: what other providers sent, for those who say whose it is.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::token::DEMO_TENANT;
use super::{Context, Outcome, printable};
use crate::app::{open_ledger, open_store};
use crate::audit::{Action, Actor, Audit, Event};
use crate::auth::{Keys, Notary};
use crate::config::AuditMode;
use crate::domain::{FhirId, TenantId};
use crate::policy::{self, Permit, Principal};
use crate::store::{Decision, Received as Row, ReceivedState, Store};

/// Who decides by this command.
const OPERATOR: &str = "operator";

/// Look after what other providers sent, and say whose it is
#[derive(Debug, Args)]
pub struct Received {
    /// Tenant to whom it came
    #[arg(long, global = true, default_value = DEMO_TENANT, value_parser = super::audit::tenant)]
    tenant: TenantId,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what came, oldest first
    ///
    /// The exit code is 1 if something waits for somebody to say whose it is.
    List {
        /// Only what stands so: waiting, matched or refused
        #[arg(long, value_parser = state)]
        state: Option<ReceivedState>,
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show what came, and whom it says that it is about
    Show {
        /// Its name
        name: String,
        /// Print the Bundle as it came, and nothing else
        #[arg(long)]
        bundle: bool,
    },
    /// Say that it is a patient's
    Match {
        /// Its name
        name: String,
        /// The patient
        #[arg(long, value_name = "ID", value_parser = super::audit::patient)]
        patient: FhirId,
    },
    /// Say that it is nobody's here
    Refuse {
        /// Its name
        name: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

fn state(text: &str) -> Result<ReceivedState, String> {
    text.parse().map_err(|()| "say waiting, matched or refused".to_owned())
}

/// What the subcommands need.
struct Desk {
    store: Arc<dyn Store>,
    audit: Audit,
}

impl Received {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let (data, settings) = (&context.folders.data, &context.store);
        let keys = Keys::open(data)?;
        let store = open_store(data, settings, &keys.id_key())?;
        let ledger = open_ledger(data, settings)?;
        let clock = Arc::clone(&context.clock);
        let audit = Audit::start(ledger, Notary::new(&keys)?, clock, AuditMode::Closed)?;
        let (desk, tenant) = (Desk { store, audit }, &self.tenant);
        match self.command {
            Command::List { state, limit } => {
                let found = desk.store.received(tenant, state, limit)?;
                for one in &found {
                    line(one, context)?;
                }
                let waits = found.iter().any(|one| one.state == ReceivedState::Waiting);
                Ok(if waits { Outcome::Attention } else { Outcome::Done })
            }
            Command::Show { name, bundle } => desk.show(tenant, &name, bundle, context),
            Command::Match { name, patient } => {
                let principal = Arc::new(Principal::new(tenant.clone(), OPERATOR, "system/*.rs"));
                let permit = Permit::decide(&principal, policy::Action::Read, "Patient")?;
                if desk.store.head(&permit, &patient)?.is_none() {
                    anyhow::bail!("there is no such patient: give the id of one of this tenant");
                }
                desk.decide(tenant, &name, (Some(patient), None), context)
            }
            Command::Refuse { name, reason } => {
                desk.decide(tenant, &name, (None, Some(reason)), context)
            }
        }
    }
}

impl Desk {
    fn show(
        &self,
        tenant: &TenantId,
        name: &str,
        bundle: bool,
        context: &mut Context<'_>,
    ) -> anyhow::Result<Outcome> {
        let Some((received, bytes)) = self.store.received_as(tenant, name)? else {
            anyhow::bail!("nothing came under this name: see `throughline received list`");
        };
        let now = context.clock.now();
        let mut event = Event::new(Action::ReceivedRead, now, Some(tenant), Actor::operator());
        event.note("received", name);
        if let Some(patient) = &received.patient {
            event.about(patient);
        }
        self.audit.record_blocking(&event)?;
        if bundle {
            context.out.write_all(&bytes)?;
            return Ok(Outcome::Done);
        }
        line(&received, context)?;
        let whole: Value = serde_json::from_slice(&bytes)?;
        let entries = whole.get("entry").and_then(Value::as_array).map(Vec::as_slice);
        let entries = entries.unwrap_or_default();
        let resources = || entries.iter().filter_map(|entry| entry.get("resource"));
        let patient = resources().find(|one| name_of(one) == Some("Patient"));
        for element in ["name", "birthDate", "gender", "identifier", "address", "telecom"] {
            let said = patient.and_then(|patient| patient.get(element));
            if let Some(said) = said {
                writeln!(context.out, "{element:<12}{}", printable(&said.to_string()))?;
            }
        }
        let mut counts = std::collections::BTreeMap::<&str, usize>::new();
        for name in resources().filter_map(name_of) {
            *counts.entry(name).or_default() += 1;
        }
        for (name, count) in counts {
            writeln!(context.out, "{count:>7}  {}", printable(name))?;
        }
        Ok(Outcome::Done)
    }

    fn decide(
        &self,
        tenant: &TenantId,
        name: &str,
        (patient, reason): (Option<FhirId>, Option<String>),
        context: &mut Context<'_>,
    ) -> anyhow::Result<Outcome> {
        let at = context.clock.now();
        let by = OPERATOR.to_owned();
        let decision = Decision { patient: patient.clone(), by, reason, at };
        if !self.store.decide_received(tenant, name, &decision)? {
            anyhow::bail!("nothing waits under this name: see `throughline received list`");
        }
        let mut event = Event::new(Action::ReceivedDecided, at, Some(tenant), Actor::operator());
        event.note("received", name);
        event.note("decision", if patient.is_some() { "matched" } else { "refused" });
        if let Some(patient) = &patient {
            event.about(patient);
        }
        self.audit.record_blocking(&event)?;
        writeln!(context.out, "{}", if patient.is_some() { "matched" } else { "refused" })?;
        Ok(Outcome::Done)
    }
}

fn line(row: &Row, context: &mut Context<'_>) -> anyhow::Result<()> {
    let out = &mut context.out;
    write!(out, "{}  {}  {:.0}", row.name, row.state.as_str(), row.received)?;
    write!(out, "  from {}  {}  {} bytes", row.client, row.form, row.bytes)?;
    if let Some(patient) = &row.patient {
        write!(out, "  Patient/{patient}")?;
    }
    if let Some(by) = &row.by {
        write!(out, "  by {by}")?;
    }
    writeln!(out)?;
    Ok(())
}

/// The type of a resource.
fn name_of(resource: &Value) -> Option<&str> {
    resource.get("resourceType").and_then(Value::as_str)
}
