//! What signing in and requests need of a store: source records, as they are now.
//!
//! These are records of the custodian about who may use the gateway and what they asked of it, and
//! are asked for by nobody else; what is served of a record needs a permit.

use std::sync::Arc;

use super::Guard;
use crate::domain::{FhirId, Kind, Record, TenantId};
use crate::error::Result;

/// A resource in a patient's compartment, as far as the rules turn on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its type.
    pub resource_type: String,
    /// Its id.
    pub id: FhirId,
    /// The kind of record that it is made from.
    pub origin_kind: Kind,
    /// That record's id.
    pub origin_id: String,
    /// What is looked up to see whether somebody may see it.
    pub guard: Guard,
}

impl Placed {
    /// Whether it is this resource.
    pub fn is(&self, resource_type: &str, id: &FhirId) -> bool {
        self.resource_type == resource_type && self.id == *id
    }
}

/// The people of a tenant.
pub trait Directory {
    /// The current state of a record of the general plane.
    fn source(&self, tenant: &TenantId, kind: Kind, id: &str) -> Result<Option<Arc<Record>>>;
    /// The current state of all records of a kind of the general plane, ordered by id.
    fn sources(&self, tenant: &TenantId, kind: Kind) -> Result<Vec<Arc<Record>>>;
    /// The current state of the records of `kind` of which some version refers to `(to, id)`,
    /// ordered by id. Whether the state still does is for the caller to see.
    fn sources_referring(
        &self,
        tenant: &TenantId,
        kind: Kind,
        to: Kind,
        id: &str,
    ) -> Result<Vec<Arc<Record>>>;
    /// The current state of the `staff` or `related_party` records of which some version names
    /// this login (`login_sub`, `portal_sub`), ordered by id. Whether the state still does is for
    /// the caller to see.
    fn sources_of_login(
        &self,
        tenant: &TenantId,
        kind: Kind,
        login: &str,
    ) -> Result<Vec<Arc<Record>>>;
    /// The client that a Patient is, by the platform's id.
    fn client_of(&self, tenant: &TenantId, patient: &FhirId) -> Result<Option<String>>;
    /// The resources in a patient's compartment, ordered by type and id, up to so many.
    fn placed(&self, tenant: &TenantId, patient: &FhirId, most: usize) -> Result<Vec<Placed>>;
}
