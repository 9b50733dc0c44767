//! The store port: source records, resource versions, their index, and quarantine.
//!
//! The methods block, and are short: a read takes microseconds, a batch is one transaction. Every
//! method that answers resources demands a [`Permit`]; there is none that answers isolated notes.

mod allowed;
mod apart;
mod directory;
mod exports;
mod feeds;
mod grants;
mod handles;
mod jobs;
pub mod ledger;
mod links;
mod postgres;
mod quarantined;
mod received;
mod record;
mod retained;
mod sql;
mod sqlite;
mod upgrade;
mod versions;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::{FhirId, Kind, Record, TenantId};
use crate::error::Result;
use crate::fhir::search::{Cursor, IndexRow, Query};
use crate::policy::Permit;

pub use self::allowed::{Allowed, Guard};
pub use self::apart::Apart;
pub use self::directory::{Directory, Placed};
pub use self::exports::{Export, Exported, Exports, Removed, Whose};
pub use self::feeds::{Delivery, Feed, Feeds, Lease};
pub use self::grants::{ClientRow, GrantRow, Grants, Refresh, RefreshRow, Rotation, TokenName};
pub use self::handles::{Handle, Handles, Taken};
pub use self::jobs::{Job, JobEnd, JobFilter, JobPart, JobState, JobStep, Jobs, NewJob};
pub use self::ledger::Ledger;
pub use self::links::{Link, LinkState, Links};
pub use self::postgres::{PostgresLedger, PostgresStore};
pub use self::received::{Decision, Inbox, NewReceived, Received, ReceivedState};
pub use self::retained::{ApartName, Doomed, Purge, Purged, Retained, Survivor};
pub use self::sqlite::{Durability, SqliteLedger, SqliteStore};
pub use self::upgrade::{Upgrade, Upgraded};

/// One version of a resource as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResource {
    /// `Encounter`, `Patient`, …
    pub resource_type: String,
    /// The logical id.
    pub id: FhirId,
    /// `meta.versionId`.
    pub version_id: String,
    /// `meta.lastUpdated`.
    pub last_updated: Timestamp,
    /// The exact bytes to serve.
    pub body: Arc<[u8]>,
    /// How it is shown.
    pub shown: Shown,
}

/// How a resource is shown to somebody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// The consents by which it is shown, as `Consent/id`, where they have to go along.
    pub basis: Vec<String>,
    /// Whether only the least that serves the purpose is shown, and nothing of when it changed.
    pub is_part: bool,
}

impl Shown {
    /// By these consents, with spaces between.
    fn by(basis: &str) -> Self {
        Self { basis: basis.split_whitespace().map(str::to_owned).collect(), is_part: false }
    }
}

/// What identifies a version of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// `meta.versionId`.
    pub version_id: String,
    /// `meta.lastUpdated`, where that is shown.
    pub last_updated: Option<Timestamp>,
}

impl From<&StoredResource> for Head {
    fn from(stored: &StoredResource) -> Self {
        let last_updated = Some(stored.last_updated).filter(|_| !stored.shown.is_part);
        Self { version_id: stored.version_id.clone(), last_updated }
    }
}

/// A resource version to be stored, with what is needed to find it.
#[derive(Debug, Clone)]
pub struct NewResource {
    /// The version.
    pub resource: StoredResource,
    /// The patient in whose compartment it is.
    pub patient: Option<FhirId>,
    /// What a search finds it by.
    pub index: Vec<IndexRow>,
    /// What is looked up to see whether somebody may see it.
    pub guard: Guard,
}

/// What became of a record version that was offered.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// It is now the record's state, or changed it.
    Stored {
        /// The state before, if there was one.
        before: Option<Arc<Record>>,
    },
    /// The same version with the same content was there already.
    Unchanged,
    /// A higher version was there already, and decides.
    Older,
    /// The same version with other content was there already. Which of the two counts, if any, is
    /// the store's rule, and does not depend on which came first.
    Conflict {
        /// The state before.
        before: Option<Arc<Record>>,
        /// Another variant of the version.
        rival: Arc<Record>,
        /// Where that came from, if it was noted.
        origin: Option<String>,
    },
}

/// A record version that is offered.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// The version.
    pub record: &'a Record,
    /// SHA-256 over all of it.
    pub content_hash: &'a [u8; 32],
    /// The records that it refers to.
    pub links: &'a [(Kind, String)],
    /// Where it came from, as people find it again: a file and its line.
    pub origin: &'a str,
}

/// A record that could not be taken in, or one of its resources that could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The entry's number; 0 for one that is not stored yet.
    pub number: i64,
    /// Whose it is, as far as that could be read.
    pub tenant: Option<TenantId>,
    /// Its kind, as sent.
    pub kind: Option<String>,
    /// Its id, as sent.
    pub id: Option<String>,
    /// A stable name, such as `schema_violation`.
    pub reason: String,
    /// What is wrong and what to do; never content.
    pub detail: String,
    /// A JSON pointer into the record, or a map's `file:line`.
    pub pointer: String,
    /// Where it came from: `file:line`.
    pub origin: String,
    /// When it came.
    pub received: Timestamp,
    /// Whether it belongs to the isolated plane, so that its content is never shown.
    pub isolated: bool,
    /// The record's bytes as they came.
    pub body: Vec<u8>,
}

/// A page of matches.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The matches, in order.
    pub matches: Vec<StoredResource>,
    /// What came along with them.
    pub included: Vec<StoredResource>,
    /// Where the next page starts; `None` on the last.
    pub next: Option<Cursor>,
    /// How many match in all, where that was asked for and counted to the end.
    pub total: Option<u64>,
    /// Whether what it shows may turn on records of others than the one patient whom it is about.
    pub is_beyond: bool,
}

impl Page {
    /// Whether a resource is on it.
    pub fn holds(&self, resource: &StoredResource) -> bool {
        self.matches.iter().chain(&self.included).any(|known| {
            (&known.resource_type, &known.id) == (&resource.resource_type, &resource.id)
        })
    }
}

/// What is asked of a patient's compartment (<https://hl7.org/fhir/R4/patient-operation-everything.html>).
#[derive(Debug, Clone)]
pub struct Everything {
    /// The patient.
    pub patient: FhirId,
    /// The types that are wanted; all where it is empty.
    pub types: Vec<&'static str>,
    /// Only what was updated since.
    pub since: Option<Timestamp>,
    /// The page size.
    pub count: usize,
    /// Where the previous page ended.
    pub after: Option<Cursor>,
}

/// What HTTP asks of a store.
pub trait Store:
    Directory + Exports + Feeds + Grants + Handles + Inbox + Jobs + Links + Retained + Send + Sync
{
    /// Whether a read takes microseconds and waits for nothing, so that it may run where others
    /// wait for it. A store across a network has to be asked from a thread that may block.
    fn is_embedded(&self) -> bool;
    /// The current version of a resource.
    fn read(&self, permit: &Permit, id: &FhirId) -> Result<Option<StoredResource>>;
    /// One version of a resource.
    fn version(
        &self,
        permit: &Permit,
        id: &FhirId,
        version_id: &str,
    ) -> Result<Option<StoredResource>>;
    /// All versions of a resource that is there now, newest first.
    fn history(&self, permit: &Permit, id: &FhirId) -> Result<Vec<StoredResource>>;
    /// A page of a search.
    fn search(&self, permit: &Permit, query: &Query) -> Result<Page>;
    /// A page of everything in a patient's compartment, of the types that the permit, which is one
    /// for the Patient, reaches; ordered by type and id.
    fn everything(&self, permit: &Permit, scope: &Everything) -> Result<Page>;
    /// Names what such a page holds, so that one that was kept is known to be current: while the
    /// name is the same, so is the page. `None` where the store cannot tell.
    fn edition(&self, permit: &Permit, scope: &Everything) -> Result<Option<String>>;
    /// The current version of a resource without its bytes, for the cache's key and for `304`.
    fn head(&self, permit: &Permit, id: &FhirId) -> Result<Option<Head>>;
    /// Opens the one write transaction; dropping it without `commit` undoes everything.
    fn write(&self) -> Result<Box<dyn Write + '_>>;
    /// Entries in quarantine, oldest first, without their bodies.
    fn quarantine(&self) -> Result<Vec<Quarantined>>;
    /// One entry with its body; that of the isolated plane is left out.
    fn quarantined(&self, number: i64) -> Result<Option<Quarantined>>;
    /// How many source records there are by kind.
    fn record_counts(&self) -> Result<Vec<(Kind, u64)>>;
    /// How many current resources there are by type.
    fn resource_counts(&self) -> Result<Vec<(String, u64)>>;
    /// Whether it answers, and its schema and index are those of this version.
    ///
    /// # Errors
    ///
    /// `Setup` with what to do if it answers and they are not; any other if it does not answer.
    fn ready(&self) -> Result<()>;
    /// What the installation remembers of itself under a name.
    fn fact(&self, name: &str) -> Result<Option<String>>;
}

/// One write transaction. What it reads includes what it wrote.
pub trait Write {
    /// Says which records are about to be offered, so that a store across a network can learn of
    /// all of them at once. It may be left out.
    fn expect(&mut self, _records: &[(TenantId, Kind, String)]) -> Result<()> {
        Ok(())
    }
    /// Offers a record version that was not taken away for good. A note with data of which the
    /// isolated plane holds a higher version with data is `Older`.
    fn put_record(&mut self, offer: &Offer<'_>) -> Result<Accepted>;
    /// Keeps a note of the isolated plane; nothing else of it is stored anywhere. A note that
    /// changed planes (a higher version now is isolated) is removed from the general plane with
    /// its links and marked dirty, so that what was made of it goes too.
    fn put_isolated(&mut self, record: &Record, content_hash: &[u8; 32]) -> Result<Accepted>;
    /// The notes of a client that are kept apart, by name.
    fn apart_of(&self, tenant: &TenantId, client: &str) -> Result<Vec<ApartName>>;
    /// Takes records away for good with all that was made of them, and leaves their names: a version
    /// up to the one that was there is `Older` from then on.
    fn purge(&mut self, purge: &Purge) -> Result<Purged>;
    /// Whether a record was taken away for good, whatever came after.
    fn was_purged(&self, tenant: &TenantId, kind: Kind, id: &str) -> Result<bool>;
    /// The current state of a record.
    fn record(&self, tenant: &TenantId, kind: Kind, id: &str) -> Result<Option<Arc<Record>>>;
    /// The records of `kind` that refer to `(to, id)`, ordered by id.
    fn referring(
        &self,
        tenant: &TenantId,
        kind: Kind,
        to: Kind,
        id: &str,
    ) -> Result<Vec<Arc<Record>>>;
    /// The records of one kind, ordered by id.
    fn records(&self, tenant: &TenantId, kind: Kind) -> Result<Vec<Arc<Record>>>;
    /// Marks a record for (re)mapping.
    fn mark_dirty(&mut self, tenant: &TenantId, kind: Kind, id: &str) -> Result<()>;
    /// Marks the records of `kinds` whose state refers to `(to, id)` for (re)mapping.
    fn mark_referring_dirty(
        &mut self,
        tenant: &TenantId,
        kinds: &[Kind],
        to: Kind,
        id: &str,
    ) -> Result<()>;
    /// Marks every record of these kinds for (re)mapping, in every tenant.
    fn mark_kinds_dirty(&mut self, kinds: &[Kind]) -> Result<()>;
    /// Up to `limit` records marked for mapping.
    fn dirty(&self, limit: usize) -> Result<Vec<(TenantId, Kind, String)>>;
    /// Replaces everything made from one record by `resources`, and unmarks the record. Unchanged
    /// resources (same `version_id`) cost no new version; those no longer made are taken away.
    fn put_projection(
        &mut self,
        tenant: &TenantId,
        kind: Kind,
        id: &str,
        resources: Vec<NewResource>,
    ) -> Result<()>;
    /// From here on nobody else changes what of these patients is allowed, and what is read is not
    /// older than that.
    fn hold_patients(&mut self, tenant: &TenantId, patients: &[FhirId]) -> Result<()>;
    /// Notes of which classes patients have records; answers those who had none of one before.
    fn note_classes(
        &mut self,
        tenant: &TenantId,
        classes: &BTreeSet<(FhirId, String)>,
    ) -> Result<BTreeSet<FhirId>>;
    /// The classes of which a patient has or had records, in order.
    fn classes(&self, tenant: &TenantId, patient: &FhirId) -> Result<Vec<String>>;
    /// Replaces what of a patient is allowed.
    fn put_allowed(&mut self, tenant: &TenantId, patient: &FhirId, rows: &[Allowed]) -> Result<()>;
    /// Keeps a job that is to be done once all this is.
    fn order_job(&mut self, job: &NewJob) -> Result<()>;
    /// Puts something into quarantine, once per (origin-independent) content and reason.
    fn quarantine(&mut self, entry: &Quarantined) -> Result<()>;
    /// Takes the entries out of quarantine that say why no resource could be made from a record
    /// (`reason`), before it is mapped anew.
    fn release_refused(
        &mut self,
        tenant: &TenantId,
        kind: Kind,
        id: &str,
        reason: &str,
    ) -> Result<()>;
    /// The body of an entry of the isolated plane, to be replayed; nothing may show it.
    fn isolated_body(&self, number: i64) -> Result<Option<Vec<u8>>>;
    /// Takes an entry out of quarantine, once it has been replayed.
    fn release(&mut self, number: i64) -> Result<()>;
    /// Remembers something under a name, unless something is; answers what is remembered.
    fn claim_fact(&mut self, name: &str, value: &str) -> Result<String>;
    /// Remembers something under a name.
    fn set_fact(&mut self, name: &str, value: &str) -> Result<()>;
    /// Makes it durable.
    fn commit(self: Box<Self>) -> Result<()>;
}
