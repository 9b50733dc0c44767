//! What the authorization server keeps: clients, what they were granted, their refresh tokens, and
//! what was taken back.
//!
//! Secrets are kept as digests only. Each method is one short transaction of its own.

use jiff::Timestamp;

use crate::domain::{FhirId, TenantId};
use crate::error::Result;

/// The columns of a grant, from a table or alias named `g`.
pub(super) const GRANT: &str = "g.id, g.tenant, g.client, g.subject, g.patient, g.body, g.made, \
                                g.used, g.expires, g.revoked";

/// A registered client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRow {
    /// Its id, which no other client has, in whatever tenant.
    pub id: String,
    /// Whose records it is for.
    pub tenant: TenantId,
    /// Whether it may do nothing any more.
    pub is_disabled: bool,
    /// What was registered.
    pub body: Vec<u8>,
}

/// What a client was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// Its name.
    pub id: String,
    /// Whose records it is about.
    pub tenant: TenantId,
    /// To whom.
    pub client: String,
    /// By whom.
    pub subject: String,
    /// The patient whom it is about; empty where it is about none in particular.
    pub patient: String,
    /// What.
    pub body: Vec<u8>,
    /// Since when.
    pub made: Timestamp,
    /// When a token was last made from it.
    pub used: Option<Timestamp>,
    /// Until when.
    pub expires: Timestamp,
    /// When it was taken back.
    pub revoked: Option<Timestamp>,
}

/// What became of a refresh token that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// Its successor is in force; the grant it is of.
    Rotated(GrantRow),
    /// It had been rotated already: somebody has a copy. The grant has been taken back.
    Reused(GrantRow),
    /// There is no such token, or it or its grant is over or taken back.
    Unknown,
}

/// A refresh token, by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshRow {
    /// SHA-256 of the token.
    pub digest: [u8; 32],
    /// The grant it is of.
    pub grant: String,
    /// Until when it is good.
    pub expires: Timestamp,
}

/// A refresh token that was shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Refresh {
    /// The grant it is of.
    pub grant: GrantRow,
    /// Until when it is good by itself.
    pub expires: Timestamp,
    /// Whether it is good.
    pub is_good: bool,
}

/// A refresh token as it is kept.
pub(super) struct Held {
    pub(super) grant: GrantRow,
    pub(super) expires: Timestamp,
    pub(super) is_rotated: bool,
}

impl Held {
    /// Whether neither it nor its grant is over or taken back.
    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        self.expires > now && self.grant.expires > now && self.grant.revoked.is_none()
    }
}

/// A token, by what it may be taken back by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenName<'a> {
    /// Its own name.
    pub jti: &'a str,
    /// The grant that it was made from.
    pub grant: Option<&'a str>,
    /// The client that it was issued to.
    pub client: &'a str,
}

/// The authorization server's memory.
pub trait Grants {
    /// Registers a client, or changes one of the same id and tenant; answers whether it did: an id
    /// of another tenant is taken.
    fn put_client(&self, client: &ClientRow) -> Result<bool>;
    /// The client of that id.
    fn client(&self, id: &str) -> Result<Option<ClientRow>>;
    /// All clients, by id.
    fn clients(&self) -> Result<Vec<ClientRow>>;
    /// Keeps a grant.
    fn put_grant(&self, grant: &GrantRow) -> Result<()>;
    /// The grant of that name, whether it is over or not.
    fn grant(&self, id: &str) -> Result<Option<GrantRow>>;
    /// The grants that somebody gave, or that are about a patient, newest first; without those that
    /// are over or taken back at `now`.
    fn grants_of(
        &self,
        tenant: &TenantId,
        subject: &str,
        patient: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<GrantRow>>;
    /// Takes a grant back with its refresh tokens; answers whether there was one to be.
    fn revoke_grant(&self, tenant: &TenantId, id: &str, now: Timestamp) -> Result<bool>;
    /// Keeps the first refresh token of a grant.
    fn put_refresh(&self, refresh: &RefreshRow) -> Result<()>;
    /// The grant of a refresh token and whether the token is good; nothing is changed by it.
    fn refresh(&self, digest: &[u8; 32], now: Timestamp) -> Result<Option<Refresh>>;
    /// Puts `next`, whose grant does not count, in the place of a good refresh token, and notes that
    /// the grant was used. A token that was rotated before takes its grant back. Of many that come
    /// at once, one is rotated.
    fn rotate(&self, digest: &[u8; 32], next: &RefreshRow, now: Timestamp) -> Result<Rotation>;
    /// Notes that a token was made from a grant.
    fn use_grant(&self, id: &str, now: Timestamp) -> Result<()>;
    /// Takes one token back, until it is over anyway.
    fn revoke_token(&self, jti: &str, expires: Timestamp, now: Timestamp) -> Result<()>;
    /// Whether a token is still good: neither it, nor its grant, nor its client has been taken back.
    fn is_live(&self, token: TokenName<'_>, now: Timestamp) -> Result<bool>;
    /// Whether anything of a patient's record is granted to somebody at an instant.
    fn is_granted(
        &self,
        tenant: &TenantId,
        patient: &FhirId,
        grantee: &str,
        at: Timestamp,
    ) -> Result<bool>;
    /// Whether a key is seen for the first time; it is remembered until `expires`.
    fn is_first(&self, key: &[u8; 32], expires: Timestamp, now: Timestamp) -> Result<bool>;
}
