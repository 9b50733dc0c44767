//! `throughline audit search`.

use std::io::Write;

use clap::Args;
use jiff::Timestamp;

use crate::audit::{Action, Event, Question, search};
use crate::cli::{Context, Outcome};
use crate::domain::{FhirId, TenantId};
use crate::policy::AuditPermit;

/// Find events, newest first
///
/// The search itself is an event.
#[derive(Debug, Args)]
pub(super) struct Search {
    /// Tenant whose events they are
    #[arg(long, value_parser = super::tenant)]
    tenant: TenantId,
    /// Only those about this patient
    #[arg(long, value_name = "ID", value_parser = super::patient)]
    patient: Option<FhirId>,
    /// Only those by this subject
    #[arg(long, value_name = "SUBJECT")]
    actor: Option<String>,
    /// Only those of this kind, such as `read` or `search-type`
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(Action::names()))]
    action: Option<String>,
    /// Only those that were refused (4), or failed (8)
    #[arg(long)]
    outcome: Option<u8>,
    /// Not before this day or instant, in UTC
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    since: Option<Timestamp>,
    /// Before this day or instant, in UTC
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    until: Option<Timestamp>,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Those about notes that are kept apart, and no others
    #[arg(long)]
    apart: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Search {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let audit = super::open(context)?;
        super::record(&audit, context, "search", (&self.tenant, self.patient.as_ref()))?;
        let permit = AuditPermit::operator(self.tenant);
        let question = Question {
            patient: self.patient,
            actor: self.actor,
            action: self.action.as_deref().and_then(Action::named),
            outcome: self.outcome,
            since: self.since,
            until: self.until,
            before: None,
            count: self.limit,
            apart: self.apart,
        };
        let found = search(&**audit.ledger(), &permit, &question)?;
        for event in &found.events {
            if self.json {
                writeln!(context.out, "{}", serde_json::to_string(event)?)?;
            } else {
                line(event, context.out)?;
            }
        }
        if found.next.is_some() && !self.json {
            writeln!(context.out, "… and more: raise --limit, or narrow the search")?;
        }
        Ok(Outcome::Done)
    }
}

fn line(event: &Event, out: &mut dyn Write) -> std::io::Result<()> {
    let who = if event.who.subject.is_empty() { "unknown" } else { &event.who.subject };
    let about = match event.patients.as_slice() {
        [] => String::new(),
        [one] => format!("  Patient/{one}"),
        several => format!("  {} patients", several.len()),
    };
    let (at, action, status) = (event.at, event.action.name(), event.status);
    let shown = event.shown.len();
    writeln!(out, "{at:.3}  {who}  {action}  {status}  {shown} shown{about}")
}
