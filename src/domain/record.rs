//! A source record: the envelope of a platform's record and its data.

use jiff::Timestamp;
use serde_json::Value;

use super::{Kind, TenantId};

/// What the platform did to the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Created or changed it.
    Upsert,
    /// Marked it as entered in error, or deleted it.
    Void,
    /// Merged it into another.
    Merge,
}

/// A code with its system.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Coding {
    /// The code system's URI.
    pub system: String,
    /// The code.
    pub code: String,
}

/// One source record in its current state.
///
/// The state is a function of the set of versions seen, whatever their order: the highest version
/// decides, and where that is a `void` without data, the data is that of the highest version that
/// has some.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The custodian.
    pub tenant: TenantId,
    /// What the record is about.
    pub kind: Kind,
    /// The platform's id, unique per tenant and kind.
    pub id: String,
    /// The platform's version, 1 or higher.
    pub version: u64,
    /// What was last done to it.
    pub op: Op,
    /// When it happened, as sent (RFC 3339 with offset).
    pub occurred_at: Option<String>,
    /// When the platform stored it, as sent.
    pub recorded_at: Option<String>,
    /// When the platform last changed it: `meta.lastUpdated`.
    pub updated_at: Timestamp,
    /// The clock in which a human read the event, an IANA zone name.
    pub tz: Option<String>,
    /// The clients it is about.
    pub client_ids: Vec<String>,
    /// Sensitivity that the platform asserts; the gateway only ever raises it.
    pub labels: Vec<Coding>,
    /// Whether it originates in a 42 CFR Part 2 program; `None` where the platform does not say.
    pub part2: Option<bool>,
    /// The kind's own fields; `Null` for a `void` of which no data was ever seen.
    pub data: Value,
}

impl Record {
    /// A version of a record that the gateway makes itself.
    pub fn made(
        tenant: &TenantId,
        (kind, id, version): (Kind, &str, u64),
        at: Timestamp,
        client_ids: Vec<String>,
        data: Value,
    ) -> Self {
        Self {
            tenant: tenant.clone(),
            kind,
            id: id.to_owned(),
            version,
            op: Op::Upsert,
            occurred_at: None,
            recorded_at: Some(format!("{at:.3}")),
            updated_at: at,
            tz: None,
            client_ids,
            labels: Vec::new(),
            part2: None,
            data,
        }
    }
}
