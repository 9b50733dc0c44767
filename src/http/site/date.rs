//! Days, as people of a language write them.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::http::html::{Visit, fill};

/// A day.
pub(super) fn day(visit: &Visit, at: Timestamp) -> String {
    written(visit, at.to_zoned(TimeZone::UTC).date())
}

/// A day, a month or a year, as precisely as it is known.
pub(super) fn partial(visit: &Visit, text: &str) -> String {
    text.parse().map_or_else(|_partial: jiff::Error| text.to_owned(), |date| written(visit, date))
}

fn written(visit: &Visit, date: Date) -> String {
    let texts = &visit.texts().dates;
    let month = usize::try_from(date.month()).unwrap_or_default().saturating_sub(1);
    let month = texts.months.split(' ').nth(month).unwrap_or_default();
    let (day, year) = (date.day().to_string(), date.year().to_string());
    fill(&texts.day, &[("day", &day), ("month", month), ("year", &year)])
}
