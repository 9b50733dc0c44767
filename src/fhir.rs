//! FHIR R4: the only layer that knows its types, its search grammar, bundles and outcomes.

pub mod bundle;
pub mod capability;
pub mod outcome;
pub mod profile;
pub mod r4;
pub mod search;
