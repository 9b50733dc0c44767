//! The permit: the only way to a read method of the store.

use std::borrow::Cow;
use std::sync::Arc;

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

impl Principal {
    /// Whether a scope covers the action with resources of the type.
    fn may(&self, action: Action, resource_type: &str) -> bool {
        self.has_scope(action, |name| name == "*" || name == resource_type)
    }

    /// Whether a scope that names the audit covers the action.
    pub(super) fn is_auditor(&self, action: Action) -> bool {
        self.has_scope(action, |name| name == super::AUDIT_EVENT)
    }

    fn has_scope(&self, action: Action, is_for: impl Fn(&str) -> bool) -> bool {
        let letter = match action {
            Action::Read => 'r',
            Action::Search => 's',
        };
        self.scopes.iter().any(|scope| {
            let parts = scope.strip_prefix("system/").and_then(|rest| rest.split_once('.'));
            parts.is_some_and(|(name, rights)| is_for(name) && rights.contains(letter))
        })
    }
}

/// A decision that a caller may do something; only this module makes one.
#[derive(Debug, Clone)]
pub struct Permit {
    principal: Arc<Principal>,
    action: Action,
    resource_type: Cow<'static, str>,
}

impl Permit {
    /// Decides whether `principal` may do `action` with resources of `resource_type`.
    pub fn decide(
        principal: &Arc<Principal>,
        action: Action,
        resource_type: impl Into<Cow<'static, str>>,
    ) -> Result<Self> {
        let resource_type = resource_type.into();
        if principal.may(action, &resource_type) {
            Ok(Self { principal: Arc::clone(principal), action, resource_type })
        } else {
            Err(Error::Denied)
        }
    }

    /// The permit for the same action with resources of another type that the matches lead to, by
    /// a chain or an include; `None` where the caller may not.
    pub fn on(&self, resource_type: &'static str) -> Option<Self> {
        Self::decide(&self.principal, self.action, resource_type).ok()
    }

    /// The tenant the permit is for.
    pub fn tenant(&self) -> &TenantId {
        &self.principal.tenant
    }

    /// The resource type the permit is for.
    pub fn resource_type(&self) -> &str {
        &self.resource_type
    }
}
