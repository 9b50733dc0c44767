//! The one place that parses and writes typed FHIR resources.
use fhir_sdk::r4b::resources::Resource;
/// Parses a resource of any type.
pub fn parse(bytes: &[u8]) -> Result<Resource, serde_json::Error> {
    serde_json::from_slice(bytes)
}
/// Writes a resource as JSON.
pub fn encode(resource: &Resource) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(resource)
}
