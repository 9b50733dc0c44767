//! What somebody at a page gets instead of what they asked for: what happened, that nothing was changed, and
//! what to do; or the way to where they sign in first.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use maud::html;

use super::{LOGIN, go, login};
use crate::exchange::people::Person;
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

/// What is answered instead.
enum Instead {
    /// A page that says why.
    Refusal(Why),
    /// The way to an address where they sign in first.
    SignIn(String),
    /// A page that says that there is no record which they may look at, with what they are called.
    NoRecord(String),
}

/// A visit that does not get what it asked for.
pub(in crate::http) struct Refused {
    visit: Visit,
    instead: Instead,
}

impl Refused {
    /// A refusal to a visit.
    pub(in crate::http) fn new(visit: Visit, why: Why) -> Self {
        Self { visit, instead: Instead::Refusal(why) }
    }

    /// Whoever is not signed in signs in first, and then goes to `place`.
    pub(super) fn until_signed_in(visit: &Visit, place: &str) -> Self {
        Self { visit: visit.clone(), instead: Instead::SignIn(login::address(place, false)) }
    }

    /// Whoever is signed in has no record to look at.
    pub(super) fn without_record(visit: &Visit, person: &Person) -> Self {
        Self { visit: visit.clone(), instead: Instead::NoRecord(person.name.clone()) }
    }

    /// Why, as a code of FHIR's issue types (<https://hl7.org/fhir/R4/valueset-issue-type.html>).
    pub(super) fn code(&self) -> &'static str {
        match &self.instead {
            Instead::Refusal(why) => why.code(),
            Instead::SignIn(_) => Why::SignIn.code(),
            Instead::NoRecord(_) => Why::Unknown.code(),
        }
    }

    fn no_record(&self, name: &str) -> HttpResponse {
        let texts = &self.visit.texts().portal;
        let body = notice(Tone::Calm, &texts.nobody_title, &texts.nobody);
        let mut page = Page::new(&texts.record, body);
        page.signed_in = Some(name);
        page.answer(&self.visit)
    }

    fn refusal(&self, why: Why) -> HttpResponse {
        let texts = &self.visit.texts().refused;
        let (title, text) = why.texts(&self.visit);
        let body = html! {
            (notice(Tone::Danger, &texts.error, &text))
            @if matches!(why, Why::SignIn | Why::Unknown) {
                p { a.button.quiet href=(LOGIN) { (texts.retry) } }
            }
        };
        let page = Page { status: why.status(), ..Page::new(title, body) };
        let mut answer = page.answer(&self.visit);
        if let Why::Busy(seconds) = why {
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}

impl Why {
    fn code(self) -> &'static str {
        match self {
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

    fn texts(self, visit: &Visit) -> (&str, String) {
        let texts = &visit.texts().refused;
        let (title, text) = match self {
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

    fn status(self) -> StatusCode {
        match self {
            Why::Expired => StatusCode::GONE,
            Why::Forged | Why::Undated | Why::Unknown | Why::Forbidden => StatusCode::FORBIDDEN,
            Why::SignIn | Why::Request(_) => StatusCode::BAD_REQUEST,
            Why::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Why::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

/// Without what is in the answer: this gets into logs.
impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refused({})", self.code())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a page was refused: {}", self.code())
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        match &self.instead {
            Instead::Refusal(why) => why.status(),
            Instead::SignIn(_) => StatusCode::SEE_OTHER,
            Instead::NoRecord(_) => StatusCode::OK,
        }
    }

    fn error_response(&self) -> HttpResponse {
        match &self.instead {
            Instead::Refusal(why) => self.refusal(*why),
            Instead::SignIn(address) => go(&self.visit, address),
            Instead::NoRecord(name) => self.no_record(name),
        }
    }
}
