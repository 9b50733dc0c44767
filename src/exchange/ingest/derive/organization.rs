//! Derives the Organization of an `organization` record, and for the practice its Locations.

use super::input::Input;
use super::{Derivation, View, Warning, npi, reference};
use crate::domain::{Kind, Op, Record};
use crate::exchange::ingest::derive::field::flag;

/// The places where the practice sees clients, by CMS place of service: telehealth to the
/// client's home, telehealth elsewhere, and the office.
const PLACES: [&str; 3] = ["02", "10", "11"];

pub(super) fn views(record: &Record, d: &Derivation, warnings: &mut Vec<Warning>) -> Vec<View> {
    let active = record.op != Op::Void && flag(&record.data, "active");
    let mut input = Input::new(record, d, d.ids.id(Kind::Organization, &record.id));
    input.fact("active", active);
    npi::add(&mut input, record, d, warnings);
    let mut views = vec![input.view("organization-organization")];
    if d.neighbours.organization().is_some_and(|practice| practice.id == record.id) {
        views.extend(PLACES.map(|pos| location(record, d, pos, active)));
    }
    views
}

fn location(record: &Record, d: &Derivation, pos: &str, active: bool) -> View {
    let part = format!("location:{pos}");
    let mut input = Input::new(record, d, d.ids.part(Kind::Organization, &record.id, &part));
    input.fact("identifier_value", format!("{}:{part}", record.id));
    input.fact("active", active);
    input.fact("us_core", true);
    input.fact("pos", pos);
    input.fact_if_any("organization", reference::organization(d, &record.id));
    input.view("organization-location")
}
