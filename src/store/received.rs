//! What other providers sent: Bundles byte for byte, who sent them, and whose they were found to be.
//!
//! They are no records of the platform, so nothing is made of them. What was matched to a patient has
//! a number, in the order of the matches, by which the platform asks for what is new. Each method is
//! one short transaction of its own.

use jiff::Timestamp;

use crate::domain::{FhirId, TenantId};
use crate::error::Result;

/// The columns of what was received, without its bytes.
pub(super) const RECEIVED: &str = "name, tenant, client, digest, form, received, state, patient, \
                                   decided, decided_by, reason, number, length(body)";

/// Whether it is known whose a Bundle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceivedState {
    /// Nobody knows: it waits for somebody to say.
    Waiting,
    /// It is a patient's.
    Matched,
    /// Somebody has said that it is nobody's here.
    Refused,
}

impl ReceivedState {
    /// All of them.
    const ALL: [Self; 3] = [Self::Waiting, Self::Matched, Self::Refused];

    /// Its name in the tables and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Matched => "matched",
            Self::Refused => "refused",
        }
    }
}

impl std::str::FromStr for ReceivedState {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

/// A Bundle that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReceived {
    /// Its name here.
    pub name: String,
    /// To whom it came.
    pub tenant: TenantId,
    /// Who sent it: a registered client.
    pub client: String,
    /// SHA-256 of its bytes.
    pub digest: [u8; 32],
    /// `document`, `collection` or `transaction`.
    pub form: String,
    /// Its bytes.
    pub body: Vec<u8>,
    /// When it came.
    pub received: Timestamp,
}

/// A Bundle that came, as it stands; without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its name here.
    pub name: String,
    /// To whom it came.
    pub tenant: TenantId,
    /// Who sent it.
    pub client: String,
    /// SHA-256 of its bytes.
    pub digest: [u8; 32],
    /// `document`, `collection` or `transaction`.
    pub form: String,
    /// When it came.
    pub received: Timestamp,
    /// Whether it is known whose it is.
    pub state: ReceivedState,
    /// Whose it is.
    pub patient: Option<FhirId>,
    /// When that was said.
    pub decided: Option<Timestamp>,
    /// Who said it.
    pub by: Option<String>,
    /// Why it was refused.
    pub reason: Option<String>,
    /// Its place among what was matched.
    pub number: Option<u32>,
    /// How long it is, in bytes.
    pub bytes: u32,
}

/// What is said of a Bundle that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whose it is; nobody's here where it is `None`.
    pub patient: Option<FhirId>,
    /// Who says so.
    pub by: String,
    /// Why it is refused.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What was received.
pub trait Inbox {
    /// Keeps a Bundle, unless its sender has sent the same bytes before; answers the name of what is
    /// kept, and whether it is new.
    fn receive(&self, new: &NewReceived) -> Result<(String, bool)>;
    /// What came, oldest first; of one state, or of all.
    fn received(
        &self,
        tenant: &TenantId,
        state: Option<ReceivedState>,
        limit: u32,
    ) -> Result<Vec<Received>>;
    /// What came under that name, with its bytes.
    fn received_as(&self, tenant: &TenantId, name: &str) -> Result<Option<(Received, Vec<u8>)>>;
    /// What was matched to a patient, oldest first.
    fn received_of(&self, tenant: &TenantId, patient: &FhirId) -> Result<Vec<Received>>;
    /// What was matched after a number, in the order of the numbers.
    fn matched_after(&self, tenant: &TenantId, number: u32, limit: u32) -> Result<Vec<Received>>;
    /// Says whose a Bundle is that waits; answers whether it did.
    fn decide_received(&self, tenant: &TenantId, name: &str, decision: &Decision) -> Result<bool>;
}
