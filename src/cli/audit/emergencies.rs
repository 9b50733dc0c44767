//! `throughline audit emergencies` and `throughline audit review`.

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::audit::Actor;
use crate::audit::emergencies::{Use, emergencies, review, verdict};
use crate::cli::{Context, Outcome};
use crate::domain::TenantId;
use crate::exchange::ingest::Rules;
use crate::policy::AuditPermit;

/// List the uses of emergency access, and what their reviewers said
#[derive(Debug, Args)]
pub(super) struct Emergencies {
    /// Tenant whose it were
    #[arg(long, value_parser = super::tenant)]
    tenant: TenantId,
    /// Only those that nobody has reviewed
    #[arg(long)]
    open: bool,
    /// Write NDJSON
    #[arg(long)]
    json: bool,
}

/// Say whether a use of emergency access was justified
#[derive(Debug, Args)]
pub(super) struct Reviewed {
    /// Tenant whose it was
    #[arg(long, value_parser = super::tenant)]
    tenant: TenantId,
    /// The use, by the id of its event
    #[arg(value_name = "EVENT")]
    event: String,
    /// What you find
    #[arg(long)]
    verdict: Verdict,
    /// Who you are
    #[arg(long, value_name = "NAME")]
    by: String,
    /// More about it
    #[arg(long, default_value = "")]
    words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Verdict {
    /// It was needed
    Justified,
    /// It was not
    Unjustified,
}

impl Emergencies {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let rules = Rules::load(&context.folders.mappings)?;
        let audit = super::open(context)?;
        super::record(&audit, context, "emergencies", (&self.tenant, None))?;
        let permit = AuditPermit::operator(self.tenant.clone());
        let days = rules.tables.law.emergency_review_days;
        let mut uses = emergencies(&**audit.ledger(), &permit, days)?;
        uses.retain(|one| !self.open || one.review.is_none());
        let now = context.clock.now();
        if uses.is_empty() && !self.json {
            writeln!(context.out, "No use of emergency access.")?;
        }
        for one in &uses {
            if self.json {
                writeln!(context.out, "{}", as_json(one))?;
                continue;
            }
            writeln!(context.out, "{} {:.0} {}", one.id, one.at, one.purpose)?;
            writeln!(
                context.out,
                "  {} by {} saw {} of Patient/{}",
                one.user, one.client, one.shown, one.patient
            )?;
            writeln!(context.out, "  because: {}", one.reason)?;
            match &one.review {
                Some(said) => writeln!(
                    context.out,
                    "  {} by {} on {:.0} {}",
                    verdict(said.is_justified),
                    said.by,
                    said.at,
                    said.words
                )?,
                None if one.due < now => {
                    writeln!(context.out, "  overdue: to be reviewed by {:.0}", one.due)?;
                }
                None => writeln!(context.out, "  to be reviewed by {:.0}", one.due)?,
            }
        }
        let is_late = uses.iter().any(|one| one.review.is_none() && one.due < now);
        Ok(if is_late { Outcome::Attention } else { Outcome::Done })
    }
}

impl Reviewed {
    pub(super) fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let audit = super::open(context)?;
        let who = Actor { user: Some(self.by.clone()), ..Actor::operator() };
        let is_justified = self.verdict == Verdict::Justified;
        let now = context.clock.now();
        review(&audit, &self.tenant, &self.event, (is_justified, &self.words), (who, now))?;
        writeln!(context.out, "{}: {}", self.event, verdict(is_justified))?;
        Ok(Outcome::Done)
    }
}

fn as_json(one: &Use) -> serde_json::Value {
    let review = one.review.as_ref().map(|said| {
        json!({
            "at": said.at.to_string(), "by": said.by, "verdict": verdict(said.is_justified),
            "words": said.words
        })
    });
    json!({
        "id": one.id, "at": one.at.to_string(), "user": one.user, "client": one.client,
        "patient": one.patient, "purpose": one.purpose, "reason": one.reason, "shown": one.shown,
        "due": one.due.to_string(), "review": review
    })
}
