//! What a patient's consents allow, worked out when something changes and kept as rows.
//!
//! The rules decide ([`crate::policy::decide`]); here they are asked ahead of time, for every
//! grantee whom the patient's records name, every class of record that the patient has, and every
//! stretch of time between two instants at which an answer could change. A query only looks the
//! answers up, so that nobody has to be trusted to filter.

mod compile;
mod consent;
mod guard;
mod people;

pub(crate) use self::compile::{Around, Case, OUTSIDE, allowed};
pub(crate) use self::guard::guard;
pub(crate) use self::people::zone;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The first instant of a day, on a practice's wall.
fn midnight(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0)).compatible().ok()
}

/// A whole date; a part of one is none.
fn date(text: &str) -> Option<Date> {
    (text.len() == 10).then(|| text.parse().ok()).flatten()
}

/// An instant, or the first one of a day.
fn instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    text.parse().ok().or_else(|| midnight(date(text)?, zone))
}
