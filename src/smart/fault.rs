//! What the authorization server refuses, in the words of OAuth 2.0 (RFC 6749, 4.1.2.1 and 5.2) and of
//! OpenID Connect Core (3.1.2.6).

use crate::error::Error;

/// The error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum Code {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    AccessDenied,
    RequestNotSupported,
    RequestUriNotSupported,
    SlowDown,
    LoginRequired,
    InteractionRequired,
    ConsentRequired,
}

impl Code {
    /// The code as it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidScope => "invalid_scope",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::AccessDenied => "access_denied",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::SlowDown => "slow_down",
            Self::LoginRequired => "login_required",
            Self::InteractionRequired => "interaction_required",
            Self::ConsentRequired => "consent_required",
        }
    }
}

/// A request that is refused, and what to do about it. The text is ours: nothing of the request is
/// in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The code.
    pub code: Code,
    /// What to do.
    pub hint: &'static str,
}

impl Fault {
    /// A fault.
    pub const fn new(code: Code, hint: &'static str) -> Self {
        Self { code, hint }
    }

    /// Whatever is wrong with how a client proves itself: it is told no more.
    pub const fn client() -> Self {
        Self::new(Code::InvalidClient, "the client did not prove that it is itself")
    }
}

/// What is refused, or went wrong.
#[derive(Debug)]
pub enum Refused {
    /// The request.
    Fault(Fault),
    /// Something on our side.
    Error(Error),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
