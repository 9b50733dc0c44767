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
    /// Everybody's, and what is nobody's.
    Everybody,
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
    /// Only what came here since, or somewhat before.
    pub since: Option<Timestamp>,
    /// Only what came here before.
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

/// A resource that is there no more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Removed {
    /// Its type.
    pub resource_type: String,
    /// Its id.
    pub id: FhirId,
    /// The patient in whose compartment it was; empty where it was nobody's.
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
    /// What is there no more, of what the caller might have seen, by type and id.
    fn removed(&self, permit: &Permit, scope: &Export) -> Result<Vec<Removed>>;
    /// How many of these resources of the permit's type are there and may be seen.
    fn still(&self, permit: &Permit, ids: &[FhirId]) -> Result<usize>;
    /// The patients that the caller may see, by id.
    fn roster(&self, permit: &Permit) -> Result<Vec<FhirId>>;
}
