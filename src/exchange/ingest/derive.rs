//! The named pre-steps: facts about a record that a map cannot compute.
//!
//! A *view* is what one map reads to make one resource: the record's envelope and data as the
//! platform sent them, and beside them `derived`, the facts worked out here (FHIR ids, references
//! to neighbours, labels, presence unions, minutes face to face). `mappings/README.md` lists them.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::{FhirId, Kind, Record, TenantIds};

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
}
