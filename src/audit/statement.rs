//! What a checkpoint states: the hash of a chain at a number.

use serde::{Deserialize, Serialize};

use crate::auth::Notary;
use crate::clock::Clock;
use crate::error::Result;
use crate::store::ledger::{Checkpoint, Tip};

/// Tells the signed statements of the audit from any others (the `typ` of a JWS).
const KIND: &str = "throughline-audit+jwt";

/// The hash of a chain at a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The chain: a tenant, or nothing.
    pub tenant: String,
    /// The number of the last entry that the hash covers.
    pub number: u64,
    /// The hash, in hex.
    pub hash: String,
    /// When it was signed, in seconds since 1970.
    pub iat: i64,
}

impl Statement {
    /// Signs the end of a chain.
    pub(super) fn sign(tip: &Tip, notary: &Notary, clock: &dyn Clock) -> Result<Checkpoint> {
        let statement = Self {
            tenant: tip.tenant.clone(),
            number: tip.number,
            hash: hex::encode(tip.hash),
            iat: clock.now().as_second(),
        };
        let (tenant, number) = (tip.tenant.clone(), tip.number);
        Ok(Checkpoint { tenant, number, statement: notary.sign(KIND, &statement)? })
    }

    /// What a signed statement says, if its signature is good.
    pub(super) fn read(statement: &str, notary: &Notary) -> Option<Self> {
        notary.check(KIND, statement)
    }
}
