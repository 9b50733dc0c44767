//! Times as FHIR can carry them: a real point in time, with seconds and an offset.
//!
//! ## Why
//! A session note that is an hour off is a wrong note. So an offset that was sent is kept as it
//! is; one that was not sent is worked out from the record's time zone, and where the clock showed
//! that hour twice, or never, nobody guesses.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::reject::Reject;

/// The years that a record of therapy can plausibly name.
const YEARS: std::ops::RangeInclusive<i16> = 1800..=2200;

/// A time in the form in which it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Time {
    /// The text, where it had to be changed.
    pub changed: Option<String>,
    /// The instant.
    pub instant: Timestamp,
    /// What is worth telling: `leap_second` or `tz_offset_mismatch`.
    pub remark: Option<&'static str>,
}

/// Reads an RFC 3339 time. A missing offset is worked out from `zone`; seconds may be left out.
pub(crate) fn read(text: &str, zone: Option<&TimeZone>) -> Result<Time, Reject> {
    let parts = Parts::of(text).ok_or_else(malformed)?;
    check_year(parts.date.year())?;
    let leap = parts.second == 60;
    let (second, fraction) = match parts.fraction {
        _ if leap => (59, "999"),
        digits if digits.len() > 9 => (parts.second, digits.get(..3).unwrap_or_default()),
        digits => (parts.second, digits),
    };
    let nanos = format!("{fraction:0<9}").parse().map_err(|_not_digits| malformed())?;
    let time = jiff::civil::Time::new(parts.hour, parts.minute, second, nanos)
        .map_err(|_range| malformed())?;
    let civil = parts.date.to_datetime(time);
    let offset = match (parts.offset, zone) {
        (Some(offset), _) => offset,
        (None, Some(zone)) => offset_at(civil, zone)?,
        (None, None) => return Err(no_offset()),
    };
    let instant = offset.to_timestamp(civil).map_err(|_range| malformed())?;
    let kept = parts.render(second, fraction, offset);
    let remark = match zone {
        _ if leap => Some("leap_second"),
        Some(zone) if !offset.is_zero() && zone.to_offset(instant) != offset => {
            Some("tz_offset_mismatch")
        }
        _ => None,
    };
    Ok(Time { changed: (kept != text).then_some(kept), instant, remark })
}

/// The time zone of an IANA name.
pub(crate) fn zone(name: &str) -> Result<TimeZone, Reject> {
    TimeZone::get(name).map_err(|_unknown| {
        let detail = "no such time zone; send an IANA name, such as America/Denver";
        Reject::new("unknown_time_zone", "", detail)
    })
}

/// Checks a FHIR date: a year, a month or a day.
pub(crate) fn check_date(text: &str) -> Result<(), Reject> {
    let (year, rest) = text.split_once('-').unwrap_or((text, "01-01"));
    let (month, day) = rest.split_once('-').unwrap_or((rest, "01"));
    let date = digits(year, 4).zip(digits(month, 2)).zip(digits(day, 2)).and_then(
        |((year, month), day)| {
            let part = |part: i16| i8::try_from(part).ok();
            Date::new(year, part(month)?, part(day)?).ok()
        },
    );
    match date {
        Some(date) => check_year(date.year()),
        None => Err(Reject::schema("", "this is not a date; send YYYY-MM-DD, YYYY-MM or YYYY")),
    }
}

/// Checks a time of day: `hh:mm`, with or without seconds.
pub(crate) fn check_time_of_day(text: &str) -> Result<(), Reject> {
    let parsed = text.get(2..3) == Some(":") && text.parse::<jiff::civil::Time>().is_ok();
    let detail = "this is not a time of day; send hh:mm:ss";
    if parsed { Ok(()) } else { Err(Reject::schema("", detail)) }
}

/// The pieces of a time.
struct Parts<'a> {
    date: Date,
    hour: i8,
    minute: i8,
    second: i8,
    fraction: &'a str,
    offset: Option<Offset>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let date = text.get(..10)?;
        let (year, month, day) = (date.get(..4)?, date.get(5..7)?, date.get(8..)?);
        if date.get(4..5)? != "-"
            || date.get(7..8)? != "-"
            || !matches!(text.get(10..11)?, "T" | "t")
        {
            return None;
        }
        let rest = text.get(11..)?;
        let (clock, offset) = match rest.find(['Z', 'z', '+', '-']) {
            Some(at) => (rest.get(..at)?, Some(parse_offset(rest.get(at..)?)?)),
            None => (rest, None),
        };
        let (clock, fraction) = match clock.split_once('.') {
            Some((clock, fraction)) if clock.len() == 8 && !fraction.is_empty() => {
                (clock, fraction)
            }
            Some(_) => return None,
            None => (clock, ""),
        };
        let mut units =
            clock.split(':').map(|unit| digits(unit, 2).and_then(|n| n.try_into().ok()));
        let (hour, minute) = (units.next()??, units.next()??);
        let second = units.next().unwrap_or(Some(0))?;
        let whole = units.next().is_none() && fraction.bytes().all(|b| b.is_ascii_digit());
        let small = |part: &str| digits(part, 2).and_then(|n| i8::try_from(n).ok());
        let date = Date::new(digits(year, 4)?, small(month)?, small(day)?).ok()?;
        whole.then_some(Self { date, hour, minute, second, fraction, offset })
    }

    fn render(&self, second: i8, fraction: &str, offset: Offset) -> String {
        let Self { date, hour, minute, .. } = self;
        let dot = if fraction.is_empty() { "" } else { "." };
        let zone = if offset.is_zero() {
            "Z".to_owned()
        } else {
            let sign = if offset.is_negative() { '-' } else { '+' };
            let minutes = offset.seconds().abs() / 60;
            format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        };
        format!("{date}T{hour:02}:{minute:02}:{second:02}{dot}{fraction}{zone}")
    }
}

fn digits(text: &str, count: usize) -> Option<i16> {
    let plain = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// `Z`, or hours and minutes up to 14:00, the range of a FHIR `dateTime`.
fn parse_offset(text: &str) -> Option<Offset> {
    if matches!(text, "Z" | "z") {
        return Some(Offset::UTC);
    }
    let (sign, rest) = text.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    let total = hours * 60 + minutes;
    if minutes > 59 || total > 14 * 60 {
        return None;
    }
    let seconds = i32::from(total) * if sign == "-" { -60 } else { 60 };
    Offset::from_seconds(seconds).ok()
}

fn offset_at(civil: DateTime, zone: &TimeZone) -> Result<Offset, Reject> {
    let offset = match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Fold { .. } => {
            let detail = "the clocks showed this local time twice; send it with its offset";
            return Err(Reject::new("ambiguous_time", "", detail));
        }
        AmbiguousOffset::Gap { .. } => {
            let detail = "the clocks skipped this local time; send the time that was meant";
            return Err(Reject::new("gap_time", "", detail));
        }
    };
    // The local mean times of the 19th century have seconds, which RFC 3339 cannot carry.
    Offset::from_seconds(offset.seconds() / 60 * 60).map_err(|_range| malformed())
}

fn check_year(year: i16) -> Result<(), Reject> {
    if YEARS.contains(&year) {
        return Ok(());
    }
    let detail =
        "the year is not plausible for a record of care; send the real one, or leave it out";
    Err(Reject::new("implausible_time", "", detail))
}

fn malformed() -> Reject {
    Reject::schema("", "this is not a time; send RFC 3339, such as 2026-11-01T17:00:00-07:00")
}

fn no_offset() -> Reject {
    let detail = "the time has no offset and the record no time zone; send one of the two";
    Reject::new("time_without_offset", "", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denver() -> TimeZone {
        TimeZone::get("America/Denver").unwrap()
    }

    fn kept(text: &str) -> String {
        let time = read(text, Some(&denver())).unwrap();
        time.changed.unwrap_or_else(|| text.to_owned())
    }

    fn refused(text: &str) -> &'static str {
        read(text, Some(&denver())).unwrap_err().reason
    }

    #[test]
    fn a_time_with_an_offset_keeps_it() {
        for text in
            ["2026-11-01T01:30:00-06:00", "2026-11-01T07:29:40Z", "2026-11-02T22:14:09.120-07:00"]
        {
            assert_eq!(read(text, None).unwrap().changed, None);
        }
        assert_eq!(kept("2026-07-01t17:00z"), "2026-07-01T17:00:00Z");
    }

    #[test]
    fn a_local_time_takes_the_offset_of_its_zone_or_none_at_all() {
        assert_eq!(kept("2026-07-01T17:00:00"), "2026-07-01T17:00:00-06:00");
        assert_eq!(refused("2026-11-01T01:30:00"), "ambiguous_time");
        assert_eq!(refused("2027-03-14T02:30:00"), "gap_time");
        assert_eq!(read("2026-07-01T17:00:00", None).unwrap_err().reason, "time_without_offset");
    }

    #[test]
    fn an_offset_that_the_zone_does_not_have_is_kept_and_told() {
        let time = read("2026-07-01T17:00:00-05:00", Some(&denver())).unwrap();
        assert_eq!((time.changed, time.remark), (None, Some("tz_offset_mismatch")));
        assert_eq!(read("2026-07-01T17:00:00-06:00", Some(&denver())).unwrap().remark, None);
    }

    #[test]
    fn leap_seconds_and_long_fractions_are_brought_into_range() {
        assert_eq!(kept("2016-12-31T23:59:60Z"), "2016-12-31T23:59:59.999Z");
        assert_eq!(kept("2026-07-01T17:00:00.1234567891Z"), "2026-07-01T17:00:00.123Z");
        assert_eq!(kept("2026-07-01T17:00:00.123456789Z"), "2026-07-01T17:00:00.123456789Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        assert_eq!(refused("0001-01-01T00:00:00Z"), "implausible_time");
        for text in [
            "2026-02-30T00:00:00Z",
            "2026-07-01 17:00:00Z",
            "2026-07-01T24:00:00Z",
            "2026-07-01T17:00:00+15:00",
            "2026-07-01T17:00:00.Z",
            "2026-07-01T17Z",
            "2026-07-01",
            "é",
        ] {
            assert_eq!(refused(text), "schema_violation", "{text}");
        }
    }

    #[test]
    fn dates_may_be_partial_but_have_to_exist() {
        for text in ["2025", "2025-06", "2025-06-30"] {
            check_date(text).unwrap();
        }
        for text in ["2025-13", "2025-02-29", "25", "2025-6-1", "2025-06-30T", "0001"] {
            check_date(text).unwrap_err();
        }
    }
}
