//! Conditional reads: what a caller has already is not sent again (RFC 9110, 13.1.2 and 13.1.3;
//! <https://hl7.org/fhir/R4/http.html#cread>).
//!
//! Where `If-None-Match` is there, `If-Modified-Since` does not count (RFC 9110, 13.2.2).

use std::time::SystemTime;

use actix_web::http::header::{self, HeaderMap, HttpDate};
use jiff::{SignedDuration, Timestamp};

use crate::store::Head;

/// What the caller says to have.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions {
    none_match: Option<String>,
    modified_since: Option<Timestamp>,
}

impl Conditions {
    /// The conditions of a request; a date that is none does not count.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let fields = headers.get_all(header::IF_NONE_MATCH).filter_map(|tags| tags.to_str().ok());
        let none_match = fields.map(str::to_owned).reduce(|all, tags| all + "," + &tags);
        let since = headers.get(header::IF_MODIFIED_SINCE).and_then(|date| date.to_str().ok());
        Self { none_match, modified_since: since.and_then(http_date) }
    }

    /// The conditions of an entry of a batch, whose date is an instant.
    pub(super) fn of_entry(none_match: Option<&str>, since: Option<&str>) -> Self {
        let modified_since = since.and_then(|since| since.parse().ok());
        Self { none_match: none_match.map(str::to_owned), modified_since }
    }

    /// Whether the caller has this version.
    pub(super) fn know(&self, head: &Head) -> bool {
        match (&self.none_match, self.modified_since) {
            (Some(tags), _) => tags.split(',').any(|tag| {
                let tag = tag.trim();
                let opaque = tag.strip_prefix("W/").unwrap_or(tag);
                opaque == "*" || opaque.trim_matches('"') == head.version_id
            }),
            (None, Some(since)) => head.last_updated.is_some_and(|updated| updated <= since),
            (None, None) => false,
        }
    }
}

/// The last instant of the second that a date names.
fn http_date(text: &str) -> Option<Timestamp> {
    let date: HttpDate = text.parse().ok()?;
    let second = Timestamp::try_from(SystemTime::from(date)).ok()?;
    second.checked_add(SignedDuration::from_nanos(999_999_999)).ok()
}
