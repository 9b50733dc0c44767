//! The settings of rate limits: how much each client may ask for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Quotas and what requests cost; a quota of 0 is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Units in each window for a client, known by its token's subject; 0 for no limit
    pub quota: u32,
    /// Units in each window for an address without a good token (IPv6: a /64); 0 for no limit
    pub address_quota: u32,
    /// The length of a window, in seconds
    pub window_s: u32,
    /// What requests cost
    pub cost: Costs,
    /// Quotas of clients that have one of their own, by the token's subject
    pub clients: BTreeMap<String, u32>,
}

/// What a request costs, in units, by what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Costs {
    /// One resource, one version, a history, or the CapabilityStatement
    pub read: u32,
    /// A search
    pub search: u32,
    /// A batch, or an operation over many resources
    pub bulk: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            quota: 0,
            address_quota: 0,
            window_s: 60,
            cost: Costs::default(),
            clients: BTreeMap::new(),
        }
    }
}

impl Default for Costs {
    fn default() -> Self {
        Self { read: 1, search: 5, bulk: 50 }
    }
}

impl LimitSettings {
    /// Whether anything is limited.
    pub fn is_on(&self) -> bool {
        self.quota > 0 || self.address_quota > 0 || self.clients.values().any(|quota| *quota > 0)
    }
}
