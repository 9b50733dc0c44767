//! What the authorization server decided, for whoever keeps the record of it.

use std::net::IpAddr;

use super::fault::Code;
use crate::error::Result;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A person approved an app.
    Approved,
    /// A person said no.
    Denied,
    /// Nobody was asked, as the app wanted, and so nothing was granted.
    Unasked,
    /// A client asked for what cannot be granted, before anybody was asked.
    Turned,
    /// A token was issued for a code.
    Issued,
    /// A token was issued for a refresh token.
    Refreshed,
    /// A token was issued to a system.
    Credited,
    /// A token was refused, or what may be asked about one.
    Refused,
    /// A refresh token came a second time, and its grant was taken back.
    Reused,
    /// A grant or a token was taken back.
    Revoked,
    /// A client was told what a token is good for.
    Introspected,
}

impl Event {
    /// A stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Unasked => "unasked",
            Self::Turned => "turned",
            Self::Issued => "issued",
            Self::Refreshed => "refreshed",
            Self::Credited => "credited",
            Self::Refused => "refused",
            Self::Reused => "reused",
            Self::Revoked => "revoked",
            Self::Introspected => "introspected",
        }
    }
}

/// A decision. No token, code or secret is in it.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'a> {
    /// What happened.
    pub event: Event,
    /// In which tenant, where that is known.
    pub tenant: Option<&'a str>,
    /// The client, where that is known.
    pub client: Option<&'a str>,
    /// The person or system, by an opaque id.
    pub subject: Option<&'a str>,
    /// The patient whom it is about; for the record of that patient, never for a log.
    pub patient: Option<&'a str>,
    /// The grant's name.
    pub grant: Option<&'a str>,
    /// The scopes that were given.
    pub scopes: Option<&'a str>,
    /// Why it was refused: an error code.
    pub error: Option<Code>,
    /// Where the request came from, where that is known.
    pub address: Option<IpAddr>,
}

impl Decision<'_> {
    /// A decision of which no more is known yet.
    pub fn of(event: Event) -> Self {
        Self {
            event,
            tenant: None,
            client: None,
            subject: None,
            patient: None,
            grant: None,
            scopes: None,
            error: None,
            address: None,
        }
    }
}

/// Keeps the record of decisions. It may block.
pub trait Witness: Send + Sync {
    /// Takes a decision down, before anybody is told of it.
    ///
    /// # Errors
    ///
    /// It could not: then nobody is to be told.
    fn saw(&self, decision: &Decision<'_>) -> Result<()>;
}
