//! FHIR R4: the only layer that knows its types, its search grammar, bundles and outcomes.

pub mod search;
