//! The one place that parses and writes typed FHIR resources.
//!
//! Every call of serde on a resource type costs the compiler a minute, so the functions are not
//! generic, and everybody else calls them.

pub use fhir_sdk;

use fhir_sdk::r4b::resources::Resource;

/// Parses a resource of any type.
///
/// # Errors
///
/// The bytes are not the JSON of a resource.
pub fn parse(bytes: &[u8]) -> Result<Resource, serde_json::Error> {
    serde_json::from_slice(bytes)
}

/// Writes a resource as JSON.
///
/// # Errors
///
/// The resource holds something that JSON cannot, such as a number that is not finite.
pub fn encode(resource: &Resource) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(resource)
}
