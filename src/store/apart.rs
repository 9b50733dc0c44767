//! The notes that are kept apart, for the one job that releases them.
//!
//! A port of its own: [`super::Store`] has no method that answers any of them, so that nothing that
//! is given a store can.

use crate::domain::{Record, TenantId};
use crate::error::Result;

/// Where the notes are that are kept apart.
pub trait Apart {
    /// The highest version of a note that is kept apart, unless a later version is not; nothing
    /// where two contents of that version came, since nobody can say which counts.
    fn note(&self, tenant: &TenantId, id: &str) -> Result<Option<Record>>;
}

/// The one record of the highest version among these, each with its version and hash.
pub(super) fn highest<T>(versions: Vec<(i64, [u8; 32], T)>) -> Option<(i64, T)> {
    let most = versions.iter().map(|(version, ..)| *version).max()?;
    let mut of_it = versions.into_iter().filter(|(version, ..)| *version == most);
    let (version, hash, body) = of_it.next()?;
    of_it.all(|(_, other, _)| other == hash).then_some((version, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_contents_of_the_highest_version_none_counts() {
        assert_eq!(highest(vec![(1, [1; 32], "a"), (2, [2; 32], "b")]), Some((2, "b")));
        assert_eq!(highest(vec![(2, [1; 32], "a"), (2, [2; 32], "b")]), None);
        assert_eq!(highest::<()>(Vec::new()), None);
    }
}
