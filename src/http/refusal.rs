//! What is refused, and how: one table of statuses and issue codes, always an `OperationOutcome`.

use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError};

use super::negotiate::FHIR_JSON;
use crate::error::Error;
use crate::fhir::outcome::{self, Issue, IssueType};

/// A refused request: an error of the product, or something only HTTP knows.
#[derive(Debug)]
pub enum Refusal {
    /// A use case refused it.
    Known(Error),
    /// What was sent is well formed, and cannot be taken: the error says what of it.
    Unfit(Error),
    /// There is no such route.
    NoRoute,
    /// There is no such resource type.
    UnknownType,
    /// The route is there, for other methods.
    Method {
        /// The methods, separated by commas.
        allow: String,
    },
    /// The answer cannot have the format that was asked for.
    NotAcceptable,
    /// The body has a format that is not read.
    MediaType {
        /// The media types that are.
        expected: &'static [&'static str],
    },
    /// The caller has asked for more than its quota.
    TooMany {
        /// After how many seconds the same request would be let pass.
        seconds: u64,
    },
    /// A push without a good signature.
    Unsigned,
    /// A push of more records than are taken at once.
    ManyRecords {
        /// How many are.
        limit: u64,
    },
    /// A body that did not arrive.
    Slow,
    /// The caller has gone past the proxies, through which alone this server is reached.
    Bypassed,
    /// The caller has too many requests open.
    Crowded {
        /// When to ask again, in seconds.
        retry_after: u32,
    },
    /// The server cannot do this at the moment.
    Later {
        /// When to ask again, in seconds.
        retry_after: u32,
    },
    /// The client has as many exports open as it may.
    ManyExports {
        /// How many.
        limit: u32,
    },
    /// They have to prove again who they are (RFC 9470).
    ProveAgain,
    /// What is to be changed was changed meanwhile.
    Stale,
    /// There are several of what is to be there once at most.
    Several,
    /// A file holds what the caller may not see any more.
    Gone,
    /// It was taken away for good.
    Destroyed,
    /// A job has failed.
    Failed,
    /// The URL is longer than the limit.
    LongUrl {
        /// In bytes.
        limit: usize,
    },
    /// The header fields are longer than the limit.
    LongHeaders {
        /// In bytes.
        limit: usize,
    },
    /// The answers of a batch are longer than the limit.
    LongAnswer {
        /// In bytes.
        limit: usize,
    },
}

impl Refusal {
    /// The HTTP status and the issue type.
    pub fn classify(&self) -> (u16, IssueType) {
        match self {
            Self::Known(error) => outcome::classify(error),
            Self::Unfit(error) => (422, outcome::classify(error).1),
            Self::NoRoute => (404, IssueType::NotFound),
            Self::UnknownType => (404, IssueType::NotSupported),
            Self::Method { .. } => (405, IssueType::NotSupported),
            Self::NotAcceptable => (406, IssueType::NotSupported),
            Self::MediaType { .. } => (415, IssueType::NotSupported),
            Self::TooMany { .. } | Self::Crowded { .. } | Self::ManyExports { .. } => {
                (429, IssueType::Throttled)
            }
            Self::Unsigned | Self::ProveAgain => (401, IssueType::Login),
            Self::Bypassed => (403, IssueType::Forbidden),
            Self::ManyRecords { .. } => (413, IssueType::TooLong),
            Self::Stale => (412, IssueType::Conflict),
            Self::Several => (412, IssueType::MultipleMatches),
            Self::Gone | Self::Destroyed => (410, IssueType::Deleted),
            Self::Failed => (500, IssueType::Exception),
            Self::Slow => (408, IssueType::Timeout),
            Self::Later { .. } => (503, IssueType::Transient),
            Self::LongUrl { .. } => (414, IssueType::TooLong),
            Self::LongHeaders { .. } => (431, IssueType::TooLong),
            Self::LongAnswer { .. } => (413, IssueType::TooCostly),
        }
    }

    /// The parameter, header or path segment at fault.
    fn expression(&self) -> Option<String> {
        match self {
            Self::Known(
                Error::Invalid { expression, .. } | Error::NotSupported { expression, .. },
            )
            | Self::Unfit(
                Error::Invalid { expression, .. } | Error::NotSupported { expression, .. },
            ) => expression.clone(),
            Self::NotAcceptable => Some("Accept".into()),
            Self::MediaType { .. } => Some("Content-Type".into()),
            _ => None,
        }
    }

    /// The `OperationOutcome`, as JSON.
    pub(super) fn outcome(&self) -> Vec<u8> {
        let (_, code) = self.classify();
        let issue =
            Issue { code, text: self.to_string(), expression: self.expression(), refused: true };
        // An outcome of plain text always encodes; an empty one would say the status at least.
        outcome::encode(vec![issue]).unwrap_or_default()
    }
}

/// What the caller is told.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(Error::Setup(_)) => f.write_str("internal error"),
            Self::Known(error) | Self::Unfit(error) => error.fmt(f),
            Self::NoRoute => f.write_str("there is nothing at this path: see /fhir/metadata"),
            Self::UnknownType => {
                f.write_str("this resource type is not served: /fhir/metadata lists those that are")
            }
            Self::Method { allow } => write!(f, "the method is not allowed here: use {allow}"),
            Self::NotAcceptable => {
                f.write_str("the only format is JSON, FHIR 4.0: accept application/fhir+json")
            }
            Self::MediaType { expected } => {
                write!(f, "send the body as {}", expected.join(" or "))
            }
            Self::TooMany { seconds } => {
                write!(f, "this is more than your quota: send it again in {seconds} seconds")
            }
            Self::Unsigned => f.write_str(
                "a valid signature is required: check the source's name and its key, and that the \
                 signed lines are those of the request as it is sent",
            ),
            Self::ManyRecords { limit } => {
                write!(f, "the body has more than {limit} lines: send it in several deliveries")
            }
            Self::ManyExports { limit } => write!(
                f,
                "you have {limit} exports open: wait for one to end, or delete it, and ask again"
            ),
            Self::ProveAgain => {
                f.write_str("sign in again, and ask with the new token within 15 minutes")
            }
            Self::Stale => {
                f.write_str("this is not the current version: read it again, and change that")
            }
            Self::Several => f.write_str(
                "several match what is to be there once at most: ask for less with If-None-Exist",
            ),
            Self::Gone => f.write_str(
                "what this file holds has changed since it was made: start a new export",
            ),
            Self::Destroyed => {
                f.write_str("it was taken away for good: its time was over, or it was erased")
            }
            Self::Failed => f.write_str("the export has failed: start a new one"),
            Self::Bypassed => f.write_str("this address is for proxies: ask by https"),
            Self::Slow => f.write_str("the body did not arrive: send it again"),
            Self::Crowded { .. } => {
                f.write_str("too many requests at once: wait for the answers of some")
            }
            Self::Later { .. } => {
                f.write_str("the server cannot do this at the moment: send the same again later")
            }
            Self::LongUrl { limit } => write!(f, "the URL is longer than {limit} bytes"),
            Self::LongHeaders { limit } => {
                write!(f, "the header fields are longer than {limit} bytes")
            }
            Self::LongAnswer { limit } => {
                write!(f, "the batch's answers are longer than {limit} bytes: ask for this alone")
            }
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Known(error)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.classify().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.content_type(FHIR_JSON);
        match self {
            Self::Known(Error::Unauthenticated) => {
                response.insert_header((header::WWW_AUTHENTICATE, r#"Bearer realm="throughline""#));
            }
            Self::Known(Error::Denied) => {
                response.insert_header((
                    header::WWW_AUTHENTICATE,
                    r#"Bearer realm="throughline", error="insufficient_scope""#,
                ));
            }
            Self::ProveAgain => {
                response.insert_header((
                    header::WWW_AUTHENTICATE,
                    r#"Bearer realm="throughline", error="insufficient_user_authentication", max_age=900"#,
                ));
            }
            Self::TooMany { seconds } => {
                response.insert_header((header::RETRY_AFTER, seconds.to_string()));
            }
            Self::Method { allow } => {
                response.insert_header((header::ALLOW, allow.as_str()));
            }
            Self::ManyExports { .. } => {
                response.insert_header((header::RETRY_AFTER, 30));
            }
            Self::Unsigned => {
                response.insert_header((header::WWW_AUTHENTICATE, "Throughline-HMAC-SHA256"));
            }
            Self::Crowded { retry_after } | Self::Later { retry_after } => {
                response.insert_header((header::RETRY_AFTER, *retry_after));
            }
            _ => {}
        }
        response.body(self.outcome())
    }
}

/// So that a handler can do nothing but refuse.
impl Responder for Refusal {
    type Body = BoxBody;

    fn respond_to(self, _request: &HttpRequest) -> HttpResponse {
        HttpResponse::from_error(self)
    }
}
