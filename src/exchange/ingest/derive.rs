//! The named pre-steps: facts about a record that a map cannot compute.
//!
//! A *view* is what one map reads to make one resource: the record's envelope and data as the
//! platform sent them, and beside them `derived`, the facts worked out here (FHIR ids, references
//! to neighbours, labels, presence unions, minutes face to face). `mappings/README.md` lists them.

mod appointment;
mod assessment;
mod attachment;
mod client;
#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "a literal reads better without a borrow")]
mod clinical_tests;
mod consent;
mod cpt;
mod dependency;
mod diagnosis;
mod episode;
mod field;
mod file_name;
#[cfg(test)]
pub(super) mod fixture;
mod goal;
mod icd10;
mod input;
mod labels;
mod links;
mod local_time;
mod markup;
mod message;
mod narrative;
mod note_text;
mod npi;
mod organization;
mod plain_text;
mod presence;
mod provenance;
mod race;
mod record_request;
mod redaction;
mod reference;
mod related_party;
mod session_log;
mod session_note;
mod staff;
mod tables;
mod task;
mod telecom;
#[cfg(test)]
mod tests;
mod thread;
mod transcript;
mod transfer;
mod treatment_plan;
mod wall;
mod window;

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

pub use self::dependency::{DEPENDENCIES, Dependency, Needs, Side};
pub use self::links::links;
pub use self::provenance::provenance;
pub use self::tables::Tables;
pub(in crate::exchange) use self::task::SYSTEMS;
use crate::domain::{FhirId, Kind, Record, TenantIds};

/// A note as plain text under a title, without the stretches about others.
pub(crate) fn note_text(data: &serde_json::Value, title: &str, tables: &Tables) -> String {
    note_text::of(data, title, &tables.notes)
}

/// What one map reads to make one resource.
#[derive(Debug, Clone)]
pub struct View {
    /// The map to run: the last segment of its URL, such as `session-log-encounter`.
    pub map: &'static str,
    /// The resource's id, also in the input as `derived.resource_id`.
    pub resource_id: FhirId,
    /// The map's input, UTF-8 JSON.
    pub input: Vec<u8>,
    /// `meta.lastUpdated`: the latest `updated_at` of the records that contributed.
    pub last_updated: Timestamp,
}

/// Something worth telling the platform about a record that was nevertheless taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// A stable name, such as `cpt_time_mismatch`.
    pub code: &'static str,
    /// A JSON pointer into the record.
    pub pointer: String,
}

/// Why a record is not taken in at all, beyond what its schema says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// A stable name, such as `implausible_time`.
    pub reason: &'static str,
    /// A JSON pointer into the record.
    pub pointer: String,
    /// What to do about it.
    pub detail: &'static str,
}

/// The records around a record, as they stand now.
pub trait Neighbours {
    /// One record of the same tenant, if it has been seen and is not isolated.
    fn get(&self, kind: Kind, id: &str) -> Option<Arc<Record>>;
    /// The records of `kind` that refer to `(to, id)`, ordered by id.
    fn referring(&self, kind: Kind, to: Kind, id: &str) -> Vec<Arc<Record>>;
    /// The tenant's practice: the active organization with the lowest id.
    fn organization(&self) -> Option<Arc<Record>>;
}

/// What the pre-steps are given.
pub struct Derivation<'a> {
    /// The records around.
    pub neighbours: &'a dyn Neighbours,
    /// The tenant's id maker.
    pub ids: &'a TenantIds,
    /// The canonical base for identifier systems, without a trailing slash.
    pub base: &'a str,
    /// The tables beside the maps.
    pub tables: &'a Tables,
}

/// The views of a record, and what is worth telling the platform about it. A record of a kind that
/// is not mapped, and one of which no data has been seen, has none.
pub fn views(record: &Record, d: &Derivation) -> (Vec<View>, Vec<Warning>) {
    let mut warnings = Vec::new();
    if !record.data.is_object() {
        return (Vec::new(), warnings);
    }
    let views = match record.kind {
        Kind::Organization => organization::views(record, d, &mut warnings),
        Kind::Staff => staff::views(record, d, &mut warnings),
        Kind::Client => client::views(record, d, &mut warnings),
        Kind::RelatedParty => related_party::views(record, d, &mut warnings),
        Kind::Episode => episode::views(record, d, &mut warnings),
        Kind::Appointment => appointment::views(record, d, &mut warnings),
        Kind::SessionLog => session_log::views(record, d, &mut warnings),
        Kind::Thread => thread::views(record, d, &mut warnings),
        Kind::Message => message::views(record, d, &mut warnings),
        Kind::Attachment => attachment::views(record, d, &mut warnings),
        Kind::SessionNote => session_note::views(record, d, &mut warnings),
        Kind::TreatmentPlan => treatment_plan::views(record, d, &mut warnings),
        Kind::Diagnosis => diagnosis::views(record, d, &mut warnings),
        Kind::Assessment => assessment::views(record, d, &mut warnings),
        Kind::Consent => consent::views(record, d, &mut warnings),
        Kind::RecordRequest => record_request::views(record, d, &mut warnings),
        Kind::Transfer => transfer::views(record, d, &mut warnings),
        // An assignment shows in its client's care team; the other kinds are stored only.
        Kind::Assignment
        | Kind::Disclosure
        | Kind::ClientMerge
        | Kind::AccessEvent
        | Kind::RetentionPolicy
        | Kind::LegalHold
        | Kind::SecurityStatement => Vec::new(),
    };
    (views, warnings)
}

/// The record whose visibility guards what is made from another: of what is appended to an entry on a
/// person's request, as that entry is now; of all else, the record itself.
pub(crate) fn guarding<'a>(record: &'a Record, d: &Derivation) -> Cow<'a, Record> {
    let Some(entry) = session_note::appended_to(record, d) else { return Cow::Borrowed(record) };
    let mut guarding = record.clone();
    if let Some(data) = guarding.data.as_object_mut() {
        data.remove("visibility");
        data.extend(entry.data.get("visibility").map(|of| ("visibility".to_owned(), of.clone())));
    }
    Cow::Owned(guarding)
}

/// Whether a record has to be refused although its schema allows it.
pub fn rejection(record: &Record) -> Option<Rejection> {
    match record.kind {
        Kind::SessionLog => local_time::ends_before_it_begins(record).map(|pointer| Rejection {
            reason: "implausible_time",
            pointer,
            detail: "It ends before it begins: send the record again with the right times.",
        }),
        _ => None,
    }
}
