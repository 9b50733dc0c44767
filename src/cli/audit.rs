//! `throughline audit`: checks the chains, and tells what was done.

mod disclosures;
mod emergencies;
mod export;
mod search;
mod verify;

use std::sync::Arc;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Context, Outcome};
use crate::app::{open_ledger, open_store};
use crate::audit::{Action, Actor, Audit, Event};
use crate::auth::{Keys, Notary};
use crate::config::AuditMode;
use crate::domain::{FhirId, TenantId};

/// Check and read the audit
#[derive(Debug, Args)]
pub struct Auditing {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(verify::Verify),
    Export(export::Export),
    Search(search::Search),
    Disclosures(disclosures::Disclosures),
    Emergencies(emergencies::Emergencies),
    Review(emergencies::Reviewed),
}

impl Auditing {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        match self.command {
            Command::Verify(verify) => verify.run(context),
            Command::Export(export) => export.run(context),
            Command::Search(search) => search.run(context),
            Command::Disclosures(disclosures) => disclosures.run(context),
            Command::Emergencies(emergencies) => emergencies.run(context),
            Command::Review(review) => review.run(context),
        }
    }
}

/// The audit of the store that is configured.
pub(super) fn open(context: &Context<'_>) -> crate::Result<Audit> {
    let (data, store) = (&context.folders.data, &context.store);
    let keys = Keys::open(data)?;
    // Whether the database is ready, and ours.
    open_store(data, store, &keys.id_key())?;
    let ledger = open_ledger(data, store)?;
    Audit::start(ledger, Notary::new(&keys)?, Arc::clone(&context.clock), AuditMode::Closed)
}

/// Writes down that the audit was read from the machine itself, before it is.
pub(super) fn record(
    audit: &Audit,
    context: &Context<'_>,
    how: &str,
    (tenant, patient): (&TenantId, Option<&FhirId>),
) -> crate::Result<()> {
    let now = context.clock.now();
    let mut event = Event::new(Action::AuditRead, now, Some(tenant), Actor::operator());
    event.note("command", how);
    if let Some(patient) = patient.filter(|patient| patient.may_be_ours()) {
        event.about(patient);
    }
    audit.record_blocking(&event)
}

pub(super) fn tenant(text: &str) -> Result<TenantId, String> {
    let hint = "up to 64 letters, digits, dots, hyphens and underscores";
    text.parse().map_err(|()| hint.to_owned())
}

pub(super) fn patient(text: &str) -> Result<FhirId, String> {
    let hint = "the id of a Patient, or Patient/ID";
    text.strip_prefix("Patient/").unwrap_or(text).parse().map_err(|()| hint.to_owned())
}

/// An instant, or a day in UTC.
fn instant(text: &str) -> Result<Timestamp, String> {
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
    text.parse()
        .ok()
        .or_else(|| day().map(|day| day.timestamp()))
        .ok_or_else(|| "a day like 2026-11-27, or an instant like 2026-11-27T10:00:00Z".to_owned())
}
