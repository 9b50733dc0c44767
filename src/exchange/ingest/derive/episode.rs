//! Derives the EpisodeOfCare of an `episode` record.

use std::sync::Arc;

use super::client::primary_therapist;
use super::field::{text, texts};
use super::input::Input;
use super::{Derivation, View, Warning, labels, reference};
use crate::domain::{Kind, Op, Record};

/// Whether the record becomes a resource.
pub(super) fn is_mapped(record: &Record) -> bool {
    record.data.is_object()
}

pub(super) fn views(record: &Record, d: &Derivation, warnings: &mut Vec<Warning>) -> Vec<View> {
    let data = &record.data;
    let client = text(data, "client_id").unwrap_or_default();
    let Some(patient) = reference::subject(d, client, "/data/client_id", warnings) else {
        return Vec::new();
    };
    let mut input = Input::new(record, d, d.ids.id(Kind::Episode, &record.id));
    input.fact("patient", patient);
    let unit = text(data, "program_unit_id").and_then(|unit| reference::organization(d, unit));
    input.fact_if_any("organization", unit.or_else(|| reference::practice(d)));
    input.fact_if_any("care_manager", primary_therapist(d, client));
    let treated = treated(record, d, client, &mut input);
    input.labels(&labels::of_diagnosed(record, d, treated.iter().map(AsRef::as_ref)));
    let diagnoses = treated.iter().filter_map(|dx| reference::condition(d, &dx.id, client));
    input.fact("diagnoses", diagnoses.collect::<Vec<_>>());
    let status = if record.op == Op::Void { Some("void") } else { text(data, "status") };
    input.fact_if_any("status", status);
    vec![input.view("episode-episode-of-care")]
}

/// The diagnoses that the plans of the episode are about, each once.
fn treated(record: &Record, d: &Derivation, client: &str, input: &mut Input) -> Vec<Arc<Record>> {
    let mut treated: Vec<Arc<Record>> = Vec::new();
    for plan in d.neighbours.referring(Kind::TreatmentPlan, Kind::Episode, &record.id) {
        if plan.op != Op::Upsert || text(&plan.data, "client_id") != Some(client) {
            continue;
        }
        input.uses(&plan);
        for problem in texts(&plan.data, "problem_refs") {
            let own = reference::condition(d, problem, client);
            let known = treated.iter().any(|dx| dx.id == problem);
            let diagnosis = d.neighbours.get(Kind::Diagnosis, problem);
            treated.extend(diagnosis.filter(|_| own.is_some() && !known));
        }
    }
    treated
}
