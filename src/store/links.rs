//! Links to encrypted copies: who may open one, how often, until when.
//!
//! A link is found by the digest of the secret in its address, so that what is stored opens nothing;
//! the key that opens the copy is stored nowhere. Each method is one statement, so what is counted is
//! counted once, however many replicas are asked at once.

use jiff::Timestamp;

use crate::domain::{FhirId, TenantId};
use crate::error::Result;

/// The columns of a link.
pub(super) const LINK: &str = "digest, name, tenant, patient, client, mandate, files, passcode, \
                               tries, views, opened, last, opener, made, expires, revoked";

/// What of a link has to hold for it to be opened at `now`, as a condition of a statement.
pub(super) fn alive(now: &str) -> String {
    format!(
        "revoked IS NULL AND expires > {now} AND tries > 0 AND (views IS NULL OR opened < views)"
    )
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// SHA-256 of the secret in its address.
    pub digest: [u8; 32],
    /// Its name, by which it is listed and taken back; it opens nothing.
    pub name: String,
    /// Whose records it is about.
    pub tenant: TenantId,
    /// Whose record it holds.
    pub patient: FhirId,
    /// For whom it was made.
    pub client: String,
    /// By whose authority ([`crate::policy::Mandate`]), as JSON.
    pub mandate: Vec<u8>,
    /// Its files, as whoever made it wrote them down.
    pub files: Vec<u8>,
    /// The hash of the passcode, if there is one.
    pub passcode: Option<String>,
    /// How many wrong passcodes it takes still.
    pub tries: u32,
    /// How often it may be opened in all, if that is limited.
    pub views: Option<u32>,
    /// How often it was opened.
    pub opened: u32,
    /// When last.
    pub last: Option<Timestamp>,
    /// What whoever opened it last called themselves.
    pub opener: Option<String>,
    /// When it was made.
    pub made: Timestamp,
    /// When it is over.
    pub expires: Timestamp,
    /// When it was taken back.
    pub revoked: Option<Timestamp>,
}

/// How a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// Nobody has opened it yet.
    Waiting,
    /// It was opened, and may be again.
    Opened,
    /// It was opened as often as it may be.
    Spent,
    /// Its passcode was guessed at too often.
    Locked,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl LinkState {
    /// Its name for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Opened => "opened",
            Self::Spent => "spent",
            Self::Locked => "locked",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// Whether it can be opened.
    pub fn is_alive(self) -> bool {
        matches!(self, Self::Waiting | Self::Opened)
    }
}

impl Link {
    /// How it stands.
    pub fn state(&self, now: Timestamp) -> LinkState {
        if self.revoked.is_some() {
            LinkState::Revoked
        } else if self.expires <= now {
            LinkState::Expired
        } else if self.tries == 0 {
            LinkState::Locked
        } else if self.views.is_some_and(|views| self.opened >= views) {
            LinkState::Spent
        } else if self.opened > 0 {
            LinkState::Opened
        } else {
            LinkState::Waiting
        }
    }
}

/// Links.
pub trait Links {
    /// Keeps a link; forgets those that were over before `forget`.
    fn put_link(&self, link: &Link, forget: Timestamp) -> Result<()>;
    /// The link whose address has this digest, however it stands.
    fn link(&self, digest: &[u8; 32]) -> Result<Option<Link>>;
    /// The link of that name.
    fn link_named(&self, tenant: &TenantId, name: &str) -> Result<Option<Link>>;
    /// Links, of one patient or of all, newest first.
    fn links(&self, tenant: &TenantId, patient: Option<&FhirId>, limit: u32) -> Result<Vec<Link>>;
    /// Takes one of the tries that a link has left, before a passcode is looked at; answers how many
    /// are left then, or nothing where there was none or the link cannot be opened.
    fn try_link(&self, digest: &[u8; 32], now: Timestamp) -> Result<Option<u32>>;
    /// Gives a try back, since the passcode was right.
    fn spare_link(&self, digest: &[u8; 32]) -> Result<()>;
    /// Counts that somebody who calls themselves `opener` opens a link; answers whether they may.
    fn open_link(&self, digest: &[u8; 32], opener: &str, now: Timestamp) -> Result<bool>;
    /// Takes a link back; answers whether there was one that was not taken back yet.
    fn revoke_link(&self, tenant: &TenantId, name: &str, now: Timestamp) -> Result<bool>;
}
