//! What is refused to somebody at a page: what happened, that nothing was changed, and what to do.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use maud::html;

use super::LOGIN;
use crate::http::html::{Page, Tone, Visit, fill, notice};

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Why {
    /// What the page was about is over, or was never there.
    Expired,
    /// The form may not be one of ours.
    Forged,
    /// The provider's answer is not good.
    SignIn,
    /// The provider did not say that somebody proved anew who they are.
    Undated,
    /// Nobody here has this login.
    Unknown,
    /// Something does not answer.
    Unavailable,
    /// Too much was begun from there, or in all; the seconds after which it goes on.
    Busy(u64),
    /// This person may not do this.
    Forbidden,
    /// An app asked for what cannot be answered to it; what is wrong, for those who make it.
    Request(&'static str),
}

/// A refusal, as a page.
#[derive(Debug)]
pub(in crate::http) struct Refused {
    visit: Visit,
    why: Why,
}

impl Refused {
    /// A refusal to a visit.
    pub(in crate::http) fn new(visit: Visit, why: Why) -> Self {
        Self { visit, why }
    }

    /// Why, as a code of FHIR's issue types (<https://hl7.org/fhir/R4/valueset-issue-type.html>).
    pub(super) fn code(&self) -> &'static str {
        match self.why {
            Why::Expired => "expired",
            Why::Forged => "security",
            Why::SignIn | Why::Undated => "login",
            Why::Unknown => "unknown",
            Why::Unavailable => "transient",
            Why::Busy(_) => "throttled",
            Why::Forbidden => "forbidden",
            Why::Request(_) => "invalid",
        }
    }

    fn texts(&self) -> (&str, String) {
        let texts = &self.visit.texts().refused;
        let (title, text) = match self.why {
            Why::Expired => (&texts.title_expired, &texts.expired),
            Why::Forged => (&texts.title_forged, &texts.forged),
            Why::SignIn => (&texts.title_sign_in, &texts.sign_in),
            Why::Undated => (&texts.title_undated, &texts.undated),
            Why::Unknown => (&texts.title_unknown, &texts.unknown),
            Why::Unavailable => (&texts.title_unavailable, &texts.unavailable),
            Why::Busy(_) => (&texts.title_busy, &texts.busy),
            Why::Forbidden => (&texts.title_forbidden, &texts.forbidden),
            Why::Request(reason) => {
                return (&texts.title_request, fill(&texts.request, &[("reason", reason)]));
            }
        };
        (title, text.clone())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a page was refused: {:?}", self.why)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        match self.why {
            Why::Expired => StatusCode::GONE,
            Why::Forged | Why::Undated | Why::Unknown | Why::Forbidden => StatusCode::FORBIDDEN,
            Why::SignIn | Why::Request(_) => StatusCode::BAD_REQUEST,
            Why::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Why::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let (title, text) = self.texts();
        let texts = self.visit.texts();
        let body = html! {
            (notice(Tone::Danger, &texts.refused.error, &text))
            @if matches!(self.why, Why::SignIn | Why::Unknown) {
                p { a.button.quiet href=(LOGIN) { (texts.refused.retry) } }
            }
        };
        let page = Page { status: self.status_code(), ..Page::new(title, body) };
        let mut answer = page.answer(&self.visit);
        if let Why::Busy(seconds) = self.why {
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}
