//! FHIR R4: the only layer that knows its types, its search grammar, bundles and outcomes.

pub mod audit_event;
pub mod bundle;
pub mod capability;
pub mod document;
pub mod outcome;
pub mod pretty;
pub mod profile;
pub mod prune;
pub mod r4;
pub mod raw;
pub mod references;
pub mod search;
pub mod subset;
