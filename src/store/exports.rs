//! What bulk exports ask of a store: everything of a tenant that a caller may see, window by window.
//!
//! A window is a stretch of patients in the order of their ids, so that a record is read side by side
//! and a statement is bounded by what is there, not by what is let through.

use jiff::Timestamp;

use super::StoredResource;
use crate::domain::FhirId;
use crate::error::Result;
use crate::fhir::search::Condition;
use crate::policy::Permit;

/// Whose resources a window has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Nobody's: organizations, practitioners, places.
    Nobody,
    /// Those of the patients after one, up to another.
    Between(String, String),
    /// Those of one patient.
    One(FhirId),
}

/// What is wanted of a window.
#[derive(Debug, Clone)]
pub struct Export {
    /// The types.
    pub types: Vec<&'static str>,
    /// Whose.
    pub whose: Whose,
    /// Only what says that it was updated since.
    pub since: Option<Timestamp>,
    /// Only what says that it was updated before.
    pub until: Option<Timestamp>,
    /// Of a type, only what meets all conditions of one of these.
    pub filters: Vec<(&'static str, Vec<Condition>)>,
}

/// A resource with whose it is.
#[derive(Debug, Clone)]
pub struct Exported {
    /// The resource.
    pub resource: StoredResource,
    /// The patient in whose compartment it is; empty where it is nobody's.
    pub patient: String,
}

/// Exports.
pub trait Exports {
    /// The last patient of the window after `after` that has about `rows` resources; `None` where
    /// there are none any more. At least one patient is in it.
    fn window(&self, permit: &Permit, after: &str, rows: u32) -> Result<Option<String>>;
    /// What of a window the caller may see, in the order of patients and types. The permit is one
    /// for any type; each type is let through by its own.
    fn export(&self, permit: &Permit, scope: &Export) -> Result<Vec<Exported>>;
    /// How many of these resources of the permit's type are there and may be seen.
    fn still(&self, permit: &Permit, ids: &[FhirId]) -> Result<usize>;
    /// The patients that the caller may see, by id.
    fn roster(&self, permit: &Permit) -> Result<Vec<FhirId>>;
}
