//! `throughline audit disclosures`.

use std::io::Write;

use clap::{Args, ValueEnum};
use jiff::{Timestamp, Unit};

use crate::audit::Event;
use crate::audit::disclosures::{Disclosure, Period, events, sum_up};
use crate::audit::fhir::{self, Server};
use crate::cli::{Context, Outcome};
use crate::domain::{FhirId, TenantId};
use crate::exchange::ingest::BASE;
use crate::policy::AuditPermit;

/// Tell who has received parts of a patient's record
///
/// The accounting of disclosures of 45 CFR 164.528, or with --all everybody who has. The report
/// itself is an event.
#[derive(Debug, Args)]
pub(super) struct Disclosures {
    /// Tenant whose patient it is
    #[arg(long, value_parser = super::tenant)]
    tenant: TenantId,
    /// The patient
    #[arg(long, value_name = "ID", value_parser = super::patient)]
    patient: FhirId,
    /// Not before this day or instant, in UTC
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    since: Option<Timestamp>,
    /// Before this day or instant, in UTC
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    until: Option<Timestamp>,
    /// Those too that need not be accounted for, each with the rule
    #[arg(long)]
    all: bool,
    /// How it is written
    #[arg(long, default_value = "text")]
    format: Format,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// A table
    Csv,
    /// NDJSON: an `AuditEvent` for each disclosure
    Fhir,
}

impl Disclosures {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let audit = super::open(context)?;
        super::record(&audit, context, "disclosures", (&self.tenant, Some(&self.patient)))?;
        let permit = AuditPermit::operator(self.tenant.clone());
        let (patient, since, until) = (self.patient.clone(), self.since, self.until);
        let period = Period { patient, since, until };
        let events = events(&**audit.ledger(), &permit, &period)?;
        let is_wanted = |sum: &Disclosure| self.all || sum.is_accountable;
        match self.format {
            Format::Fhir => self.resources(&events, context.out)?,
            Format::Text => {
                let sums: Vec<_> =
                    sum_up(&events, &self.patient).into_iter().filter(is_wanted).collect();
                self.text(&sums, context.out)?;
            }
            Format::Csv => {
                let sums = sum_up(&events, &self.patient);
                table(sums.iter().filter(|sum| is_wanted(sum)), context.out)?;
            }
        }
        Ok(Outcome::Done)
    }

    fn text(&self, sums: &[Disclosure], out: &mut dyn Write) -> anyhow::Result<()> {
        let patient = &self.patient;
        if sums.is_empty() {
            writeln!(out, "Nobody has received parts of the record of Patient/{patient}.")?;
            return Ok(());
        }
        writeln!(out, "Who has received parts of the record of Patient/{patient}:")?;
        for sum in sums {
            let when = match (day(sum.first), day(sum.last), sum.times) {
                (first, _, 1) => format!("On {first}"),
                (first, last, times) if first == last => format!("On {first}, {times} times"),
                (first, last, times) => format!("From {first} to {last}, {times} times"),
            };
            writeln!(out, "\n{}", sum.recipient)?;
            writeln!(out, "  {when}: {}.", sum.what())?;
            writeln!(out, "  What for: {}.", sum.what_for())?;
            if self.all {
                let listed = if sum.is_accountable { "listed" } else { "not listed" };
                writeln!(out, "  Basis: {}, {listed} in an accounting.", sum.basis.as_str())?;
            }
        }
        Ok(())
    }

    fn resources(&self, events: &[Event], out: &mut dyn Write) -> anyhow::Result<()> {
        for event in events {
            let sum = sum_up(std::slice::from_ref(event), &self.patient);
            let event = event.clone().about_only(&self.patient);
            if self.all || sum.iter().any(|sum| sum.is_accountable) {
                out.write_all(&fhir::encode_disclosure(&event, Server { base: BASE })?)?;
                writeln!(out)?;
            }
        }
        Ok(())
    }
}

fn table<'a>(
    sums: impl Iterator<Item = &'a Disclosure>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record([
        "first",
        "last",
        "times",
        "recipient",
        "what",
        "purpose",
        "basis",
        "accountable",
    ])?;
    for sum in sums {
        let times = sum.times.to_string();
        let purpose = sum.purpose.as_deref().unwrap_or_default();
        table.write_record([
            second(sum.first).as_str(),
            second(sum.last).as_str(),
            times.as_str(),
            sum.recipient.as_str(),
            sum.what().as_str(),
            purpose,
            sum.basis.as_str(),
            if sum.is_accountable { "yes" } else { "no" },
        ])?;
    }
    table.flush()?;
    Ok(())
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn second(at: Timestamp) -> String {
    at.round(Unit::Second).unwrap_or(at).to_string()
}
