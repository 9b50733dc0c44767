//! Where records come from: a platform by its name, bound to the one tenant it may speak for.

use std::fmt;
use std::str::FromStr;

use super::TenantId;

/// A source and the tenant whose records it may send.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId {
    /// The tenant.
    pub tenant: TenantId,
    /// The source's name in the configuration.
    pub name: SourceName,
}

/// The name of a source: 1 to 64 of `a-z 0-9 _ -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceName(Box<str>);

impl SourceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SourceName {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let allowed =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
        ((1..=64).contains(&name.len()) && name.bytes().all(allowed))
            .then(|| Self(name.into()))
            .ok_or(())
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
