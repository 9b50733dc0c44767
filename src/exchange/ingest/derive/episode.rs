//! Derives the EpisodeOfCare of an `episode` record.

use super::client::primary_therapist;
use super::field::text;
use super::input::Input;
use super::{Derivation, View, Warning, reference};
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
    let status = if record.op == Op::Void { Some("void") } else { text(data, "status") };
    input.fact_if_any("status", status);
    vec![input.view("episode-episode-of-care")]
}
