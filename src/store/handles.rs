//! Short-lived objects behind a secret handle: codes, requests that wait for a person, launches,
//! sessions.
//!
//! A handle is kept as its SHA-256, so that what is stored opens nothing. Each method is one short
//! transaction of its own.

use jiff::Timestamp;

use crate::domain::TenantId;
use crate::error::Result;

/// An object behind a secret handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle {
    /// What it is: `code`, `session`, …
    pub kind: String,
    /// SHA-256 of the handle.
    pub digest: [u8; 32],
    /// Whose tenant it is about, where that is known.
    pub tenant: Option<TenantId>,
    /// Whom it is about, for finding all of somebody; may be empty.
    pub subject: String,
    /// What it holds.
    pub body: Vec<u8>,
    /// When it is over.
    pub expires: Timestamp,
}

/// A handle that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The object.
    pub handle: Handle,
    /// Whether nobody took it before.
    pub is_first: bool,
}

/// Objects behind secret handles.
pub trait Handles {
    /// Keeps an object, in place of one of the same kind and digest; forgets those, of every kind,
    /// that were over before `now`.
    fn put_handle(&self, handle: &Handle, now: Timestamp) -> Result<()>;
    /// The object, if it is not over and was not taken.
    fn handle(&self, kind: &str, digest: &[u8; 32], now: Timestamp) -> Result<Option<Handle>>;
    /// Takes the object, if it is not over. It stays until then, so that it is known when somebody
    /// comes with it again. Of many that take it at once, one is the first.
    fn take_handle(&self, kind: &str, digest: &[u8; 32], now: Timestamp) -> Result<Option<Taken>>;
    /// Forgets the object.
    fn drop_handle(&self, kind: &str, digest: &[u8; 32]) -> Result<()>;
    /// The objects of a kind about somebody that are not over and were not taken.
    fn handles_of(&self, kind: &str, subject: &str, now: Timestamp) -> Result<Vec<Handle>>;
    /// Forgets the objects of a kind about somebody.
    fn drop_handles_of(&self, kind: &str, subject: &str) -> Result<()>;
}
