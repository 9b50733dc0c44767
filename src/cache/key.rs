//! What a cached value is filed under.

use crate::domain::{FhirId, TenantId};

/// The layout of keys and values; a change of either starts an empty cache.
const LAYOUT: &str = "v1";

/// One version of one resource of one tenant, made by one map set.
///
/// No part may contain the separator: tenants, types and FHIR ids cannot, versions are checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheKey {
    text: Box<str>,
    tenant: TenantId,
}

impl CacheKey {
    /// The key of a version.
    pub fn new(
        tenant: &TenantId,
        resource_type: &str,
        id: &FhirId,
        version_id: &str,
        map_set: &str,
    ) -> Self {
        // The lengths of the two free parts keep `a` + `b:c` and `a:b` + `c` apart.
        let text = format!(
            "{LAYOUT}:{tenant}:{resource_type}/{id}:{}:{version_id}:{}:{map_set}",
            version_id.len(),
            map_set.len()
        );
        Self { text: text.into(), tenant: tenant.clone() }
    }

    /// The tenant whose resource it is.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The whole key; it holds ids, so that it stays inside the process.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tenant: &str, id: &str, version: &str, maps: &str) -> String {
        let (tenant, id) = (tenant.parse().unwrap(), id.parse().unwrap());
        CacheKey::new(&tenant, "Encounter", &id, version, maps).as_str().to_owned()
    }

    #[test]
    fn every_part_makes_another_key() {
        let keys = [
            key("hv", "a", "1", "m"),
            key("hw", "a", "1", "m"),
            key("hv", "b", "1", "m"),
            key("hv", "a", "2", "m"),
            key("hv", "a", "1", "n"),
            key("hv", "a", "1:1:m", ""),
        ];
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
