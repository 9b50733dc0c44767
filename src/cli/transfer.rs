//! `throughline transfer`: care that goes over to somebody else, and what becomes of it.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::link::origin;
use super::token::DEMO_TENANT;
use super::{Context, Outcome};
use crate::app::{App, Config};
use crate::audit::{Action, Actor, Event as Done};
use crate::domain::TenantId;
use crate::exchange::transfers::{Handed, HandedLink, Handing, Step, Transfer, Wanted};
use crate::policy::transfer::Event;

/// Who writes down what is done at this machine.
const OPERATOR: &str = "operator";

/// Hand a client's care over to another provider, and see what becomes of it
///
/// A server that runs on the same data carries what is signed off: `throughline serve`.
#[derive(Debug, Args)]
pub struct Transfers {
    /// The practice, as the platform names it
    #[arg(long, global = true, default_value = DEMO_TENANT, value_parser = super::audit::tenant)]
    tenant: TenantId,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prepare a transfer; nothing leaves before it is signed off
    Create(Box<Creating>),
    /// List transfers, open ones first
    ///
    /// The exit code is 1 if one needs somebody.
    List {
        /// Also those that are closed
        #[arg(long)]
        all: bool,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show one transfer with all that happened
    Show {
        /// The transfer's id
        id: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Sign a transfer off, so that it is carried
    Approve {
        /// The transfer's id
        id: String,
    },
    /// Stop a transfer that the receiver does not have yet
    Cancel {
        /// The transfer's id
        id: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Have a transfer carried again; what arrived before is not doubled
    Resend {
        /// The transfer's id
        id: String,
        /// Who the person is at the receiver: `Patient/` and an id there, or `new`
        #[arg(long)]
        patient: Option<String>,
    },
    /// Write down what the receiver said
    Answer {
        /// The transfer's id
        id: String,
        /// `accept`: they take the person on; `reject`: they do not; `complete`: they look after them
        #[arg(value_parser = ["accept", "reject", "complete"])]
        answer: String,
        /// In their words
        #[arg(long)]
        text: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Creating {
    /// The platform's id of the client
    #[arg(long)]
    client: String,
    /// The receiver, by its name in the settings
    #[arg(long)]
    to: String,
    /// Why care goes over, for the receiver to read
    #[arg(long)]
    reason: String,
    /// `routine`, `urgent` or `crisis`
    #[arg(long, default_value = "routine")]
    urgency: String,
    /// Parts of the record, with commas between: problems, plan, goals, assessments, encounters,
    /// messages, documents; all that consent gives if left out
    #[arg(long, value_delimiter = ',')]
    sections: Vec<String>,
    /// A note that goes along although documents are not among the parts, by the platform's id
    #[arg(long = "note")]
    notes: Vec<String>,
    /// By which way: to their server, or by a link, where the settings do not say `link` already
    #[arg(long, value_name = "WAY", default_value = "server", value_parser = ["server", "link"])]
    by: String,
    /// Sign it off at once
    #[arg(long)]
    approve: bool,
}

impl Transfers {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let app = App::open(&Config::of(&context.settings), Arc::clone(&context.clock))?;
        let desk = Desk { app, tenant: self.tenant };
        match self.command {
            Command::Create(creating) => {
                let approve = creating.approve;
                let (made, _) = desk.app.transfers().create(&desk.tenant, creating.wanted())?;
                desk.note(context, Action::TransferMade, &made)?;
                let link = if approve {
                    desk.step(context, &made.id, Event::Approve, Step::by(OPERATOR))?.link
                } else {
                    None
                };
                writeln!(context.out, "{}", made.id)?;
                told(link.as_ref(), context.out)?;
                Ok(Outcome::Done)
            }
            Command::List { all, json } => {
                let mut found = desk.app.transfers().all(&desk.tenant)?;
                found.retain(|transfer| all || !transfer.state.is_closed());
                list(&found, json, context)
            }
            Command::Show { id, json } => {
                let found = desk.app.transfers().transfer(&desk.tenant, &id)?;
                let found = found.with_context(|| {
                    format!("there is no transfer {id}: see `throughline transfer list --all`")
                })?;
                show(&found, json, context.out)?;
                Ok(Outcome::Done)
            }
            Command::Approve { id } => desk.shown(context, &id, Event::Approve, Step::by(OPERATOR)),
            Command::Cancel { id, reason } => {
                let step = Step { why: reason, ..Step::by(OPERATOR) };
                desk.shown(context, &id, Event::Cancel, step)
            }
            Command::Resend { id, patient } => {
                let step = Step { patient_there: patient, ..Step::by(OPERATOR) };
                desk.shown(context, &id, Event::Resend, step)
            }
            Command::Answer { id, answer, text } => {
                let event = answer.parse().map_err(|()| anyhow::anyhow!("no such answer"))?;
                desk.shown(context, &id, event, Step { why: text, ..Step::by(OPERATOR) })
            }
        }
    }
}

impl Creating {
    fn wanted(self) -> Wanted {
        Wanted {
            client: self.client,
            receiver: self.to,
            reason: self.reason,
            urgency: self.urgency,
            sections: self.sections,
            notes: self.notes,
            by_link: self.by == "link",
            by: OPERATOR.to_owned(),
            key: None,
        }
    }
}

/// Where the steps are taken.
struct Desk {
    app: App,
    tenant: TenantId,
}

impl Desk {
    fn step(
        &self,
        context: &Context<'_>,
        id: &str,
        event: Event,
        step: Step,
    ) -> anyhow::Result<Handed> {
        let handing = Handing {
            transfers: self.app.transfers().clone(),
            links: self.app.links(),
            audit: Arc::clone(self.app.audit()),
            origin: origin(context)?,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let after = runtime.block_on(handing.step(&self.tenant, id, event, step))?;
        self.note(context, Action::TransferChanged, &after.transfer)?;
        Ok(after)
    }

    fn shown(
        &self,
        context: &mut Context<'_>,
        id: &str,
        event: Event,
        step: Step,
    ) -> anyhow::Result<Outcome> {
        let after = self.step(context, id, event, step)?;
        show(&after.transfer, false, context.out)?;
        told(after.link.as_ref(), context.out)?;
        Ok(Outcome::Done)
    }

    /// Writes down who did what with whose transfer.
    fn note(
        &self,
        context: &Context<'_>,
        action: Action,
        transfer: &Transfer,
    ) -> anyhow::Result<()> {
        let now = context.clock.now();
        let mut event = Done::new(action, now, Some(&self.tenant), Actor::operator());
        event.about(&self.app.patient(&self.tenant, &transfer.client));
        event.note("transfer", transfer.id.clone());
        event.note("state", transfer.state.as_str());
        self.app.audit().record_blocking(&event)?;
        Ok(())
    }
}

/// Tells the link that has to be sent on, this once.
fn told(link: Option<&HandedLink>, out: &mut dyn Write) -> std::io::Result<()> {
    let Some(HandedLink { made, passcode }) = link else { return Ok(()) };
    writeln!(out, "link      {}", made.link)?;
    writeln!(out, "browser   {}", made.viewer)?;
    writeln!(out, "passcode  {passcode}")
}

fn list(found: &[Transfer], json: bool, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
    let now = context.clock.now();
    for transfer in found {
        if json {
            writeln!(context.out, "{}", transfer.outline())?;
        } else {
            let mark = if transfer.needs_somebody(now) { "  needs somebody" } else { "" };
            let state = transfer.state.as_str();
            let to = transfer.receiver.as_deref().unwrap_or(&transfer.to);
            writeln!(context.out, "{}  {state:<10}  {to}{mark}", transfer.id)?;
        }
    }
    if found.is_empty() && !json {
        writeln!(context.out, "no transfers")?;
    }
    let is_needed = found.iter().any(|transfer| transfer.needs_somebody(now));
    Ok(if is_needed { Outcome::Attention } else { Outcome::Done })
}

fn show(transfer: &Transfer, json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if json {
        return writeln!(out, "{}", transfer.outline());
    }
    writeln!(out, "id        {}", transfer.id)?;
    writeln!(out, "client    {}", transfer.client)?;
    writeln!(out, "to        {}", transfer.to)?;
    writeln!(out, "state     {}", transfer.state.as_str())?;
    if let Some(expires) = transfer.expires {
        writeln!(out, "until     {expires}")?;
    }
    if let Some(ack) = &transfer.ack {
        writeln!(out, "told      {} {}", ack.at, ack.kind)?;
    }
    for step in &transfer.history {
        let (by, why) = (step.by.as_deref().unwrap_or("?"), step.why.as_deref());
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        writeln!(out, "step      {} {} by {by}{why}", step.at, step.event.as_str())?;
    }
    Ok(())
}
