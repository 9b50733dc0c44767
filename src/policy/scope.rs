//! SMART scopes: what an app asks for, what it is granted, and what a grant covers
//! (<https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html>).
//!
//! Pure text and sets. What a scope lets through of the store is the permit's business.

mod plain;
mod resource;
mod rights;

use std::fmt;

pub use self::plain::Plain;
pub use self::resource::{Level, ResourceScope};
pub use self::rights::{Form, Rights};

/// The longest list of scopes that is read, in bytes.
const LONGEST: usize = 8 * 1024;
/// The type in which the audit is read.
pub const AUDIT_EVENT: &str = "AuditEvent";
/// The one type that is sent here, by systems.
pub(super) const BUNDLE: &str = "Bundle";

/// One scope.
#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    /// About resources, such as `patient/Observation.rs`.
    Resource(ResourceScope),
    /// Anything else, such as `openid`.
    Plain(Plain),
}

impl Scope {
    /// A scope of ours; `None` for one that is malformed, unknown, or of a type that is not served.
    pub fn parse(text: &str) -> Option<Self> {
        let is_token = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if text.is_empty() || !text.bytes().all(is_token) {
            return None;
        }
        let plain = Plain::parse(text).map(Self::Plain);
        plain.or_else(|| ResourceScope::parse(text).map(Self::Resource))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource(scope) => scope.fmt(f),
            Self::Plain(plain) => f.write_str(plain.as_str()),
        }
    }
}

/// Scopes, each once, in the order in which they were asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// The scopes of a list separated by spaces (RFC 6749, 3.3). Those that are not ours are left
    /// out; a list that is too long has none.
    pub fn parse(text: &str) -> Self {
        if text.len() > LONGEST {
            return Self::default();
        }
        text.split(' ').filter_map(Scope::parse).collect()
    }

    /// The scopes.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// Those about resources.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceScope> {
        self.0.iter().filter_map(|scope| match scope {
            Scope::Resource(scope) => Some(scope),
            Scope::Plain(_) => None,
        })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one is this.
    pub fn has(&self, plain: Plain) -> bool {
        self.0.contains(&Scope::Plain(plain))
    }

    /// Whether one is about the records of a patient, so that there has to be one.
    pub fn need_patient(&self) -> bool {
        self.has(Plain::LaunchPatient)
            || self.resources().any(|scope| scope.level == Level::Patient)
    }

    /// Whether everything that `other` allows is allowed by these.
    pub fn cover(&self, other: &Self) -> bool {
        other.iter().all(|scope| self.covers(scope))
    }

    /// Whether everything that a scope allows is allowed by these, by several together if need be.
    pub fn covers(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Plain(_) => self.0.contains(scope),
            Scope::Resource(wanted) => wanted.rights.each().all(|right| {
                self.resources().any(|own| own.rights.contain(right) && own.embraces(wanted))
            }),
        }
    }

    /// What both allow: each of these scopes, cut to the rights and types of `others`. A wildcard
    /// becomes the types that `others` name.
    #[must_use]
    pub fn within(&self, others: &Self) -> Self {
        let cut = |scope: &Scope| -> Vec<Scope> {
            match scope {
                Scope::Plain(_) if others.0.contains(scope) => vec![scope.clone()],
                Scope::Plain(_) => Vec::new(),
                Scope::Resource(_) if others.covers(scope) => vec![scope.clone()],
                Scope::Resource(wanted) => {
                    let shared = others.resources().filter_map(|other| wanted.shared(other));
                    shared.map(Scope::Resource).collect()
                }
            }
        };
        self.0.iter().flat_map(cut).collect()
    }

    /// The same without rights that this server offers to nobody.
    #[must_use]
    pub fn offered(&self) -> Self {
        let offer = |scope: &Scope| match scope {
            Scope::Plain(_) => Some(scope.clone()),
            Scope::Resource(scope) => scope.offered().map(Scope::Resource),
        };
        self.0.iter().filter_map(offer).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut unique = Vec::new();
        for scope in scopes {
            if !unique.contains(&scope) {
                unique.push(scope);
            }
        }
        Self(unique)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, scope) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            scope.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
