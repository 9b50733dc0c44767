//! The permit: the only way to a read method of the store.

use crate::domain::TenantId;
use crate::error::{Error, Result};

/// What a caller wants to do with resources of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read one resource, one version, or the history of one.
    Read,
    /// Search a type.
    Search,
}

/// Who calls, as the verified token says.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The tenant whose records the token is for.
    pub tenant: TenantId,
    /// The token's subject; for logs an opaque id.
    pub subject: String,
    /// SMART scopes of the form `system/Encounter.rs` or `system/*.rs`.
    pub scopes: Vec<String>,
}

/// A decision that a caller may do something; only this module makes one.
#[derive(Debug, Clone)]
pub struct Permit {
    tenant: TenantId,
    resource_type: String,
}

impl Permit {
    /// Decides whether `principal` may do `action` with resources of `resource_type`.
    pub fn decide(principal: &Principal, action: Action, resource_type: &str) -> Result<Self> {
        let letter = match action {
            Action::Read => 'r',
            Action::Search => 's',
        };
        let covers = |scope: &String| {
            scope.strip_prefix("system/").and_then(|rest| rest.split_once('.')).is_some_and(
                |(name, rights)| (name == "*" || name == resource_type) && rights.contains(letter),
            )
        };
        if principal.scopes.iter().any(covers) {
            Ok(Self { tenant: principal.tenant.clone(), resource_type: resource_type.to_owned() })
        } else {
            Err(Error::Denied)
        }
    }

    /// The tenant the permit is for.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The resource type the permit is for.
    pub fn resource_type(&self) -> &str {
        &self.resource_type
    }
}
