//! `throughline explain`: who would see what of a record, and by which rule.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::token::DEMO_TENANT;
use super::{Context, Outcome, audit};
use crate::app::open_store;
use crate::auth::Keys;
use crate::domain::{FhirId, Kind, TenantId};
use crate::exchange::explain::{Answer, Asked, Audience, Explainer, Explanation, Line, Who};
use crate::exchange::ingest::Rules;
use crate::policy::Purpose;

/// Tell who would see what of a patient's record, and by which consent or rule
///
/// Without --actor everybody is told of whom the record names. With --plan it is told what a
/// consent would change before it is signed. The question itself is an event of the audit.
#[derive(Debug, Args)]
pub struct Explain {
    /// Tenant whose patient it is
    #[arg(long, default_value = DEMO_TENANT, value_parser = audit::tenant)]
    tenant: TenantId,
    /// The patient: the id of a Patient, or the platform's of a client
    #[arg(long, value_name = "ID")]
    patient: String,
    /// About whom: patient, proxy:ID or `client:CLIENT_ID`
    #[arg(long)]
    actor: Option<Who>,
    /// What for: a code of v3-ActReason, such as TREAT, HPAYMT or PATRQT
    #[arg(long, value_parser = purpose)]
    purpose: Option<Purpose>,
    /// A planned consent: a `consent` record of the platform, or its data, as JSON
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let keys = Keys::open(&context.folders.data)?;
        let id_key = keys.id_key();
        let store = open_store(&context.folders.data, &context.store, &id_key)?;
        let rules = Rules::load(&context.folders.mappings)?;
        let known: Option<FhirId> =
            self.patient.strip_prefix("Patient/").unwrap_or(&self.patient).parse().ok();
        let patient = known
            .filter(FhirId::may_be_ours)
            .unwrap_or_else(|| id_key.tenant(&self.tenant).id(Kind::Client, &self.patient));
        let ledger = audit::open(context)?;
        audit::record(&ledger, context, "explain", (&self.tenant, Some(&patient)))?;
        let asked = Asked {
            tenant: self.tenant,
            patient: patient.clone(),
            actor: self.actor,
            purpose: self.purpose,
            plan: self.plan.as_deref().map(plan).transpose()?,
            without: None,
            audience: Audience::Practice(None),
        };
        let clock = &*context.clock;
        let explainer = Explainer { store: &*store, rules: &rules, ids: &id_key, clock };
        let found = explainer.explain(&asked)?;
        if self.json {
            writeln!(context.out, "{:#}", as_json(&patient, &found))?;
        } else {
            table(&patient, &found, context.out)?;
        }
        Ok(Outcome::Done)
    }
}

pub(super) fn purpose(text: &str) -> Result<Purpose, String> {
    let codes = || Purpose::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
    text.parse().map_err(|()| format!("one of {}", codes()))
}

/// The data of the consent in a file.
fn plan(path: &std::path::Path) -> anyhow::Result<Value> {
    let text = fs::read_to_string(path)
        .map_err(|cause| anyhow::anyhow!("{} cannot be read: {cause}", path.display()))?;
    let value: Value = serde_json::from_str(&text)
        .map_err(|cause| anyhow::anyhow!("{} is no JSON: {cause}", path.display()))?;
    Ok(value.get("data").cloned().unwrap_or(value))
}

fn table(patient: &FhirId, found: &Explanation, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "Patient/{patient} at {:.0}", found.at)?;
    for Answer { who, purpose, lines } in &found.answers {
        writeln!(out, "\n{who} for {}", purpose.as_str())?;
        if lines.is_empty() {
            writeln!(out, "  nothing of the record")?;
        }
        for line in lines {
            let verb = verb(line);
            let by = [line.consents.join(" "), line.conditions.join(" ")];
            let by = by.iter().filter(|part| !part.is_empty()).map(|part| format!("  [{part}]"));
            let Line { resource_type, count, rule, .. } = line;
            let (code, by) = (rule.code, by.collect::<String>());
            writeln!(
                out,
                "  {verb:<10} {count:>6} {resource_type:<22} {code:<16} {}{by}",
                rule.says
            )?;
        }
    }
    writeln!(out, "\n{ALWAYS}")
}

/// What is always said.
const ALWAYS: &str = "Psychotherapy and SUD counselling notes, if there are any, are in no answer: \
                      they leave by `throughline release-note` alone.";

fn verb(line: &Line) -> &'static str {
    match (line.was_released, line.is_released) {
        (None | Some(true), true) => "released",
        (None | Some(false), false) => "withheld",
        (Some(false), true) => "OPENED",
        (Some(true), false) => "CLOSED",
    }
}

fn as_json(patient: &FhirId, found: &Explanation) -> Value {
    let line = |line: &Line| {
        json!({
            "type": line.resource_type, "count": line.count, "result": verb(line).to_lowercase(),
            "rule": line.rule.code, "says": line.rule.says, "source": line.rule.source,
            "consents": line.consents, "conditions": line.conditions,
        })
    };
    let answer = |answer: &Answer| {
        let lines: Vec<_> = answer.lines.iter().map(line).collect();
        json!({ "actor": answer.who.to_string(), "purpose": answer.purpose.as_str(), "lines": lines })
    };
    let answers: Vec<_> = found.answers.iter().map(answer).collect();
    json!({ "patient": format!("Patient/{patient}"), "at": found.at.to_string(), "answers": answers })
}
