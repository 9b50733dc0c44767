//! The ledger port: what was done, in chains that cannot be changed unseen.
//!
//! There is one chain for each tenant, and one without a name for what belongs to none. An entry's
//! hash covers its bytes, its place and the hash before it; a checkpoint is a signed statement of
//! the hash at a place. Entries are never changed and never taken away.

use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;

use crate::domain::FhirId;
use crate::error::{Error, Result};

/// The SHA-256 of an entry and of all before it.
pub type ChainHash = [u8; 32];

/// An entry: its bytes, and what of them it is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The chain: the name of the tenant, or nothing.
    pub tenant: String,
    /// When it was.
    pub at: Timestamp,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// How it went, as FHIR counts it: 0, 4, 8 or 12.
    pub outcome: u8,
    /// Whose records it is about.
    pub patients: Vec<FhirId>,
    /// Everything about it.
    pub body: Vec<u8>,
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its number in the chain, from 1, without gaps.
    pub number: u64,
    /// The hash of the chain up to here.
    pub hash: ChainHash,
    /// When it was.
    pub at: Timestamp,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// How it went.
    pub outcome: u8,
    /// Everything about it.
    pub body: Vec<u8>,
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// The chain.
    pub tenant: String,
    /// The last entry's number; 0 where there is none.
    pub number: u64,
    /// The last entry's hash.
    pub hash: ChainHash,
    /// The number at the last checkpoint; 0 before the first.
    pub sealed: u64,
}

/// A signed statement of a chain's hash at a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The chain.
    pub tenant: String,
    /// The number.
    pub number: u64,
    /// The statement, signed.
    pub statement: String,
}

/// Which entries are wanted; newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The chain.
    pub tenant: String,
    /// About this patient.
    pub patient: Option<FhirId>,
    /// By whom.
    pub actor: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// How it went.
    pub outcome: Option<u8>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// With a smaller number.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// Where what was done is kept. The methods block.
pub trait Ledger: Send + Sync {
    /// Adds entries to the ends of their chains, all or none; they are on the disk once it returns.
    /// Answers the ends of the chains that have grown.
    fn append(&self, entries: &[Entry]) -> Result<Vec<Tip>>;
    /// The ends of all chains, by name.
    fn tips(&self) -> Result<Vec<Tip>>;
    /// The entries of a chain after a number, in order.
    fn entries(&self, tenant: &str, after: u64, limit: usize) -> Result<Vec<Kept>>;
    /// The entries that are wanted, newest first.
    fn find(&self, wanted: &Wanted) -> Result<Vec<Kept>>;
    /// How many of these entries of a chain are found by these patients.
    fn filed(&self, tenant: &str, pairs: &[(u64, FhirId)]) -> Result<usize>;
    /// Keeps a checkpoint; one of the same place is left as it is.
    fn seal(&self, checkpoint: &Checkpoint) -> Result<()>;
    /// The checkpoints of a chain, in order.
    fn checkpoints(&self, tenant: &str) -> Result<Vec<Checkpoint>>;
}

impl Tip {
    /// The end of a chain without entries.
    pub(super) fn of_nothing(tenant: &str) -> Self {
        Self { tenant: tenant.to_owned(), number: 0, hash: [0; 32], sealed: 0 }
    }

    /// Goes on by one entry.
    pub(super) fn advance(&mut self, body: &[u8]) {
        self.number += 1;
        self.hash = link(&self.hash, &self.tenant, self.number, body);
    }
}

/// The hash of a chain that goes on with an entry.
pub fn link(before: &ChainHash, tenant: &str, number: u64, body: &[u8]) -> ChainHash {
    let mut context = Context::new(&SHA256);
    // Every part has a length that is fixed or told, so that no two inputs are the same bytes.
    let length = u64::try_from(tenant.len()).unwrap_or(u64::MAX);
    for part in
        [b"throughline audit 1".as_slice(), before, &length.to_be_bytes(), tenant.as_bytes()]
    {
        context.update(part);
    }
    context.update(&number.to_be_bytes());
    context.update(body);
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// A number as databases hold it.
pub(super) fn stored(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(Error::internal)
}

/// What both databases ask for the entries that are wanted; `{from}` depends on whether they are
/// those of a patient.
const FIND: &str = "SELECT e.number, e.hash, e.at, e.actor, e.action, e.outcome, e.body FROM {from}
     AND (CAST(?3 AS TEXT) IS NULL OR e.actor = CAST(?3 AS TEXT))
     AND (CAST(?4 AS TEXT) IS NULL OR e.action = CAST(?4 AS TEXT))
     AND (CAST(?5 AS BIGINT) IS NULL OR e.outcome = CAST(?5 AS BIGINT))
     AND (CAST(?6 AS BIGINT) IS NULL OR e.at >= CAST(?6 AS BIGINT))
     AND (CAST(?7 AS BIGINT) IS NULL OR e.at < CAST(?7 AS BIGINT))
     ORDER BY e.number DESC LIMIT CAST(?8 AS BIGINT)";

impl Wanted {
    /// The statement that finds them. Its values are the chain, the number that theirs are below,
    /// actor, action, outcome, `since`, `until`, the limit, and the patient if there is one.
    pub(super) fn statement(&self) -> String {
        let from = match self.patient {
            Some(_) => {
                "audit_patient p JOIN audit_event e ON e.tenant = p.tenant AND e.number = p.number
                 WHERE p.tenant = ?1 AND p.patient = ?9 AND p.number < ?2"
            }
            None => "audit_event e WHERE e.tenant = ?1 AND e.number < ?2",
        };
        FIND.replace("{from}", from)
    }

    /// The number that theirs are below.
    pub(super) fn below(&self) -> i64 {
        self.before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX)
    }

    /// How many they are at most.
    pub(super) fn most(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_an_entry_is_in_its_hash() {
        let hash = link(&[0; 32], "hv", 1, b"{}");
        assert_eq!(link(&[0; 32], "hv", 1, b"{}"), hash);
        for other in [
            link(&[1; 32], "hv", 1, b"{}"),
            link(&[0; 32], "h", 1, b"v{}"),
            link(&[0; 32], "hv", 2, b"{}"),
            link(&[0; 32], "hv", 1, b"{} "),
        ] {
            assert_ne!(other, hash);
        }
    }
}
