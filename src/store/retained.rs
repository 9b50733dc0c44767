//! What is taken away for good, and what stays of it.
//!
//! The taking away itself is a part of a write transaction ([`super::Write::purge`]), so that a
//! record and all that was made of it go at once or not at all.

use jiff::Timestamp;

use crate::domain::{FhirId, Kind, TenantId};
use crate::error::Result;
use crate::policy::Permit;

/// A record of which nothing is left but its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Doomed {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: String,
}

/// What is to be taken away of a person's record, all or nothing.
#[derive(Debug, Clone)]
pub struct Purge {
    /// Its name: nobody can guess it.
    pub name: String,
    /// Whose client it is.
    pub tenant: TenantId,
    /// The platform's id of the client.
    pub client: String,
    /// The Patient that the client is.
    pub patient: FhirId,
    /// By what it is done: a rule, or a request.
    pub authority: String,
    /// When.
    pub at: Timestamp,
    /// The records.
    pub records: Vec<Doomed>,
    /// What stays of them as proof.
    pub survivors: Vec<Survivor>,
    /// Whether the person goes as a whole, with what was kept about them beside the records: what
    /// was allowed, granted, linked, quarantined and received.
    pub is_whole: bool,
}

/// A record that stays as proof, where nothing serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// The client.
    pub client: String,
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// The version that counted.
    pub version: u64,
    /// Until when it is kept.
    pub until: Timestamp,
    /// The record, as one line.
    pub body: Vec<u8>,
}

/// What was taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    /// The name of the purge.
    pub name: String,
    /// The platform's id of the client.
    pub client: String,
    /// The Patient that the client was.
    pub patient: FhirId,
    /// By what it was done.
    pub authority: String,
    /// When.
    pub at: Timestamp,
    /// How many records.
    pub records: u64,
    /// How many resources.
    pub resources: u64,
}

/// A note that is kept apart, without anything that it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApartName {
    /// Its name.
    pub note: Doomed,
    /// Whom it is about, by the platform's ids.
    pub clients: Vec<String>,
}

/// What retention asks of a store beside.
pub trait Retained {
    /// Whether a resource was taken away for good. Only who may see everything of its type is told:
    /// for anybody else it never was.
    fn is_gone(&self, permit: &Permit, id: &FhirId) -> Result<bool>;
    /// What was taken away and is not in the audit yet.
    fn unnoted(&self, tenant: &TenantId) -> Result<Vec<Purged>>;
    /// Says that the audit has it.
    fn note_purge(&self, name: &str) -> Result<()>;
    /// What stays as proof, of one client or of all.
    fn survivors(&self, tenant: &TenantId, client: Option<&str>) -> Result<Vec<Survivor>>;
    /// Takes away what need not stay any longer; answers how much.
    fn drop_survivors(&self, tenant: &TenantId, now: Timestamp) -> Result<u64>;
    /// Sees to it that nothing of what was taken away is left between the lines of the files.
    fn scrub(&self) -> Result<()>;
}

impl Purge {
    /// The bytes by which something names the person: the id of the Patient, and of the client as
    /// JSON has it.
    pub(super) fn words(&self) -> [Vec<u8>; 2] {
        let client = serde_json::Value::from(self.client.as_str()).to_string();
        [self.patient.as_str().as_bytes().to_vec(), client.into_bytes()]
    }

    /// What is told of it once it is done.
    pub(super) fn done(&self, records: u64, resources: u64) -> Purged {
        Purged {
            name: self.name.clone(),
            client: self.client.clone(),
            patient: self.patient.clone(),
            authority: self.authority.clone(),
            at: self.at,
            records,
            resources,
        }
    }
}
