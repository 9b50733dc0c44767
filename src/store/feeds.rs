//! What live sources need of a store: answered deliveries, how far a source has been read, and
//! which replica reads it.
//!
//! Each method is one short transaction of its own. Records are stored before any of these is
//! written, so that a crash in between repeats work and loses none.

use jiff::Timestamp;

use crate::domain::SourceId;
use crate::error::Result;

/// A pushed delivery that was taken in, and what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The platform's id of it.
    pub id: String,
    /// SHA-256 of the body as it was sent.
    pub digest: [u8; 32],
    /// When it was taken in.
    pub received: Timestamp,
    /// The answer's body.
    pub answer: Vec<u8>,
}

/// How far a source has been read, and how it went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Feed {
    /// The cursor after the last page that was taken in; none before the first.
    pub cursor: Option<String>,
    /// When that cursor was reached.
    pub moved: Option<Timestamp>,
    /// When the source last answered as it should.
    pub answered: Option<Timestamp>,
    /// How many times in a row it has not.
    pub failures: u32,
    /// Why not: a stable name, such as `unreachable`.
    pub trouble: Option<String>,
}

/// Who reads a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// An opaque id of the process.
    pub holder: String,
    /// Until when nobody else may.
    pub ends: Timestamp,
}

/// The state of live sources.
pub trait Feeds {
    /// The delivery of this id, if it was taken in and is not forgotten.
    fn delivery(&self, source: &SourceId, id: &str) -> Result<Option<Delivery>>;
    /// When the last delivery that is not forgotten was taken in.
    fn last_delivery(&self, source: &SourceId) -> Result<Option<Timestamp>>;
    /// Keeps a delivery, unless there is one of this id; forgets those, of every source, that were
    /// received before `forget`.
    fn keep_delivery(
        &self,
        source: &SourceId,
        delivery: &Delivery,
        forget: Timestamp,
    ) -> Result<()>;
    /// Takes or renews the lease of a source, if nobody else has it at `now`; answers whether
    /// `lease.holder` has it now.
    fn take_lease(&self, source: &SourceId, lease: &Lease, now: Timestamp) -> Result<bool>;
    /// Gives the lease of a source back, if `holder` has it.
    fn free_lease(&self, source: &SourceId, holder: &str) -> Result<()>;
    /// Who has, or last had, the lease of a source.
    fn lease(&self, source: &SourceId) -> Result<Option<Lease>>;
    /// How far a source has been read; nothing at all if it never was.
    fn feed(&self, source: &SourceId) -> Result<Feed>;
    /// Says how far a source has been read, if `holder` has its lease; answers whether it has, so
    /// that a replica that was overtaken while it read a page moves no cursor.
    fn put_feed(&self, source: &SourceId, holder: &str, feed: &Feed) -> Result<bool>;
}
