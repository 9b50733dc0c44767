//! FHIR dates as ranges of instants: `2026` is a year long, `2026-11-01T10:00Z` a minute.
//!
//! <https://hl7.org/fhir/R4/search.html#date>. A date without an offset is read as UTC.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

/// The first and the last instant that a FHIR date, dateTime or instant covers, in microseconds
/// since 1970; `None` where the text is not one.
pub fn range(text: &str) -> Option<(i64, i64)> {
    match text.split_once('T') {
        None => days(text),
        Some((date, time)) => moment(date, time),
    }
}

/// A year, month or day, in UTC.
fn days(text: &str) -> Option<(i64, i64)> {
    let mut parts = text.split('-');
    let year: i16 = number(parts.next()?, 4)?.try_into().ok()?;
    let month = parts.next().map(|part| number(part, 2)).map_or(Some(None), |m| m.map(Some))?;
    let day = parts.next().map(|part| number(part, 2)).map_or(Some(None), |d| d.map(Some))?;
    if parts.next().is_some() {
        return None;
    }
    let first = Date::new(year, small(month.unwrap_or(1))?, small(day.unwrap_or(1))?).ok()?;
    let next = match (month, day) {
        (None, _) => first.checked_add(jiff::Span::new().years(1)),
        (Some(_), None) => first.checked_add(jiff::Span::new().months(1)),
        (Some(_), Some(_)) => first.tomorrow(),
    };
    let low = micros(first.to_datetime(Time::midnight()), Offset::UTC)?;
    let high = match next {
        Ok(next) => micros(next.to_datetime(Time::midnight()), Offset::UTC)? - 1,
        Err(_) => i64::MAX,
    };
    Some((low, high))
}

/// A minute, a second or a fraction of one.
fn moment(date: &str, time: &str) -> Option<(i64, i64)> {
    let (low, _) = days(date).filter(|_| date.len() == 10)?;
    let (clock, offset) = match time.strip_suffix(['Z', 'z']) {
        Some(clock) => (clock, 0),
        None => match time.rfind(['+', '-']).and_then(|at| time.split_at_checked(at)) {
            Some((clock, zone)) => (clock, offset_seconds(zone)?),
            None => (time, 0),
        },
    };
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (clock, None),
    };
    let mut parts = clock.split(':');
    let hour = number(parts.next()?, 2).filter(|hour| *hour < 24)?;
    let minute = number(parts.next()?, 2).filter(|minute| *minute < 60)?;
    let second = match parts.next() {
        // A leap second is the last second of its minute.
        Some(part) => Some(number(part, 2).filter(|second| *second <= 60)?.min(59)),
        None => None,
    };
    if parts.next().is_some() || (fraction.is_some() && second.is_none()) {
        return None;
    }
    let (start, length) = match fraction {
        Some(digits) => parts_of_second(digits)?,
        None if second.is_some() => (0, 1_000_000),
        None => (0, 60_000_000),
    };
    let seconds = i64::from(hour * 3600 + minute * 60 + second.unwrap_or(0)) - offset;
    let low = low.checked_add(seconds * 1_000_000 + start)?;
    Some((low, low + length - 1))
}

/// The start and length, in microseconds, of what the digits after the point say.
fn parts_of_second(digits: &str) -> Option<(i64, i64)> {
    let known = digits.get(..digits.len().min(6))?;
    let scale = 10_i64.pow(6 - u32::try_from(known.len()).ok()?);
    let all = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    all.then(|| known.parse::<i64>().ok().map(|value| (value * scale, scale)))?
}

/// `+HH:MM` or `-HH:MM` in seconds.
fn offset_seconds(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, zone.strip_prefix('+')?),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let hours = number(hours, 2).filter(|hours| *hours <= 14)?;
    let minutes = number(minutes, 2).filter(|minutes| *minutes < 60)?;
    Some(sign * i64::from(hours * 3600 + minutes * 60))
}

fn micros(at: DateTime, offset: Offset) -> Option<i64> {
    offset.to_timestamp(at).ok().map(Timestamp::as_microsecond)
}

/// Exactly `digits` decimal digits.
fn number(text: &str, digits: usize) -> Option<u32> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

fn small(value: u32) -> Option<i8> {
    value.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros_of(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn a_partial_date_covers_all_of_its_days() {
        assert_eq!(
            range("2026"),
            Some((micros_of("2026-01-01T00:00:00Z"), micros_of("2026-12-31T23:59:59.999999Z")))
        );
        assert_eq!(
            range("2028-02"),
            Some((micros_of("2028-02-01T00:00:00Z"), micros_of("2028-02-29T23:59:59.999999Z")))
        );
        assert_eq!(
            range("2026-11-01"),
            Some((micros_of("2026-11-01T00:00:00Z"), micros_of("2026-11-01T23:59:59.999999Z")))
        );
    }

    #[test]
    fn a_time_honours_its_offset_and_its_precision() {
        let low = micros_of("2026-11-01T07:30:00Z");
        assert_eq!(range("2026-11-01T01:30:00-06:00"), Some((low, low + 999_999)));
        assert_eq!(range("2026-11-01T01:30-06:00"), Some((low, low + 59_999_999)));
        assert_eq!(range("2026-11-01T01:30:00.5-06:00"), Some((low + 500_000, low + 599_999)));
        assert_eq!(range("2026-11-01T01:30:00.000-06:00"), Some((low, low + 999)));
        assert_eq!(range("2026-11-01T07:30:00"), Some((low, low + 999_999)));
        assert_eq!(
            range("2026-11-01T01:30:00.123456789-06:00"),
            Some((low + 123_456, low + 123_456))
        );
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "26",
            "2026-",
            "2026-13",
            "2026-02-30",
            "2026-1-1",
            "2026-11-01T",
            "2026-11T10:00Z",
            "2026-11-01T25:00Z",
            "2026-11-01T10:60Z",
            "2026-11-01T10Z",
            "2026-11-01T10:00+2",
            "2026-11-01T10:00:00.Z",
            "2026-11-01T10:00:00+99:00",
            "tomorrow",
            "2026-11-01-01",
            "٢٠٢٦",
            "2026-11-01T10:00:00.½Z",
        ] {
            assert_eq!(range(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_year_has_no_end() {
        assert_eq!(range("9999").map(|(_, high)| high), Some(i64::MAX));
    }
}
