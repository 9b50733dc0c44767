//! What can go wrong, in the product's own terms. It knows no HTTP and no FHIR codes:
//! `fhir::outcome` turns a variant into a status and an issue type.

use std::fmt;

/// The result of a fallible operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything a use case can answer instead of a result.
///
/// The text of a variant may reach the caller, so it never holds record content, names, tokens
/// or query values; what only the operator may see is the source of `Internal`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No token, or one that does not verify.
    #[error("a valid bearer token is required")]
    Unauthenticated,
    /// The caller is known and asks for a type or action that the token does not cover.
    #[error("the token does not cover this request")]
    Denied,
    /// There is nothing here that this caller may know of: absent and withheld alike.
    #[error("not found")]
    NotFound,
    /// The request cannot be understood; `expression` names the part, `hint` what to do.
    #[error("{hint}")]
    Invalid {
        /// The parameter, header, path segment or element at fault.
        expression: Option<String>,
        /// What to do about it.
        hint: String,
    },
    /// A search parameter, header value or interaction that this server does not offer.
    #[error("{hint}")]
    NotSupported {
        /// The parameter, header, path segment or element at fault.
        expression: Option<String>,
        /// What to do about it.
        hint: String,
    },
    /// The state of the resource does not allow the request.
    #[error("{hint}")]
    Conflict {
        /// What to do about it.
        hint: String,
    },
    /// A body, header or URL that is larger than the limit.
    #[error("the request is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// A service that the request needs does not answer; the same request may succeed later.
    #[error("a service that this request needs does not answer: send it again later")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Configuration, folders or files that the operator has to put right.
    #[error("{0}")]
    Setup(String),
    /// A fault of ours or of a service we depend on; the caller learns only a request id.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A request that cannot be understood.
    pub fn invalid(expression: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Invalid { expression: Some(expression.into()), hint: hint.into() }
    }

    /// A request for something this server does not offer.
    pub fn not_supported(expression: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::NotSupported { expression: Some(expression.into()), hint: hint.into() }
    }

    /// A service that does not answer, with the cause for the log.
    pub fn unavailable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(cause.into())
    }

    /// A fault of ours, with its cause for the log.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// A fault of ours that no other error caused.
    pub fn broken(what: impl fmt::Display) -> Self {
        Self::Internal(what.to_string().into())
    }
}
