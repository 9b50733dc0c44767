//! Times as the platform sends them, and as FHIR shows them on the clock of their place.
//!
//! A time with an offset is an instant, whatever its zone's rules say. A time without one is read
//! on the record's clock; where the clock showed it twice, or never, nobody can say what was
//! meant, and [`faults`] says so.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::Value;

use crate::domain::{Kind, Record};

/// A time of a record that cannot be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFault {
    /// `ambiguous_time`, `gap_time` or `implausible_time`.
    pub reason: &'static str,
    /// The time, as a JSON pointer into the record.
    pub pointer: String,
}

/// The zone of a record; UTC where it names none.
pub(super) fn zone(record: &Record) -> TimeZone {
    record.tz.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC)
}

/// The instant of a time. A leap second becomes the last moment before it.
pub(super) fn instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    read(text, zone).ok()
}

/// A time on a clock, as FHIR writes it: with seconds and offset, and milliseconds if there are any.
pub(super) fn shown(at: Timestamp, zone: &TimeZone) -> String {
    let local: Zoned = at.to_zoned(zone.clone());
    let format = match at.subsec_nanosecond() / 1_000_000 {
        0 => "%Y-%m-%dT%H:%M:%S%:z",
        _ => "%Y-%m-%dT%H:%M:%S%.3f%:z",
    };
    local.strftime(format).to_string()
}

/// Whether a time's offset is one that its zone does not have then. `Z` claims no place.
pub(super) fn offset_disagrees(text: &str, zone: &TimeZone) -> bool {
    let Some(at) =
        (has_offset(text) && !text.ends_with('Z')).then(|| instant(text, zone)).flatten()
    else {
        return false;
    };
    let offset = zone.to_offset(at);
    let local = offset.to_datetime(at).strftime("%Y-%m-%dT%H:%M:%S").to_string();
    !text.starts_with(&local)
}

/// What is wrong with the times of a record, so that it cannot be taken in.
pub fn faults(record: &Record) -> Vec<TimeFault> {
    let zone = zone(record);
    let mut faults = Vec::new();
    let names: &[&str] = match record.kind {
        Kind::SessionLog => &["scheduled_start", "scheduled_end", "started_at", "ended_at"],
        Kind::Appointment => &["starts_at", "ends_at"],
        Kind::Message => &["sent_at", "delivered_at"],
        Kind::Assessment => &["administered_at"],
        _ => &[],
    };
    for name in names {
        check(record.data.get(*name), &format!("/data/{name}"), &zone, &mut faults);
    }
    for pair in names.windows(2).filter(|_| record.kind != Kind::Message) {
        if let [from, to] = pair
            && matches!(*to, "scheduled_end" | "ended_at" | "ends_at")
            && ends_first(record.data.get(*from), record.data.get(*to), &zone)
        {
            faults.push(implausible(format!("/data/{to}")));
        }
    }
    let rows = record.data.get("presence").and_then(Value::as_array);
    for (i, row) in rows.into_iter().flatten().enumerate() {
        for name in ["joined_at", "left_at"] {
            check(row.get(name), &format!("/data/presence/{i}/{name}"), &zone, &mut faults);
        }
        if ends_first(row.get("joined_at"), row.get("left_at"), &zone) {
            faults.push(implausible(format!("/data/presence/{i}/left_at")));
        }
    }
    faults
}

fn check(time: Option<&Value>, pointer: &str, zone: &TimeZone, faults: &mut Vec<TimeFault>) {
    if let Some(text) = time.and_then(Value::as_str)
        && let Err(reason) = read(text, zone)
    {
        faults.push(TimeFault { reason, pointer: pointer.to_owned() });
    }
}

fn implausible(pointer: String) -> TimeFault {
    TimeFault { reason: "implausible_time", pointer }
}

fn ends_first(from: Option<&Value>, to: Option<&Value>, zone: &TimeZone) -> bool {
    let at = |time: Option<&Value>| instant(time?.as_str()?, zone);
    matches!((at(from), at(to)), (Some(from), Some(to)) if to < from)
}

fn read(text: &str, zone: &TimeZone) -> Result<Timestamp, &'static str> {
    const UNREADABLE: &str = "implausible_time";
    let text = plain(text);
    let at = if has_offset(&text) {
        text.parse::<Timestamp>().map_err(|_| UNREADABLE)?
    } else {
        let local: DateTime = text.parse().map_err(|_| UNREADABLE)?;
        let ambiguous = zone.to_ambiguous_zoned(local);
        match ambiguous.offset() {
            jiff::tz::AmbiguousOffset::Fold { .. } => return Err("ambiguous_time"),
            jiff::tz::AmbiguousOffset::Gap { .. } => return Err("gap_time"),
            jiff::tz::AmbiguousOffset::Unambiguous { .. } => {
                ambiguous.compatible().map_err(|_| UNREADABLE)?.timestamp()
            }
        }
    };
    let year = TimeZone::UTC.to_datetime(at).year();
    if (1900..=9998).contains(&year) { Ok(at) } else { Err(UNREADABLE) }
}

/// The time with a leap second as the last moment before it, and fractions cut to milliseconds.
fn plain(text: &str) -> String {
    let (date, time) = text.split_once('T').unwrap_or((text, ""));
    let end = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, offset) = time.split_at(end);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let fraction: String = fraction.chars().take(3).collect();
    match clock.strip_suffix(":60") {
        Some(minute) => format!("{date}T{minute}:59.999{offset}"),
        None if fraction.is_empty() => format!("{date}T{clock}{offset}"),
        None => format!("{date}T{clock}.{fraction}{offset}"),
    }
}

fn has_offset(text: &str) -> bool {
    text.split_once('T').is_some_and(|(_, time)| time.contains(['Z', '+', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denver() -> TimeZone {
        TimeZone::get("America/Denver").unwrap()
    }

    #[test]
    fn a_time_keeps_the_offset_of_its_place_on_both_sides_of_a_clock_change() {
        let show = |text| shown(instant(text, &denver()).unwrap(), &denver());
        assert_eq!(show("2026-11-01T07:31:02Z"), "2026-11-01T01:31:02-06:00");
        assert_eq!(show("2026-11-01T08:25:50Z"), "2026-11-01T01:25:50-07:00");
        assert_eq!(show("2027-03-14T09:15:00Z"), "2027-03-14T03:15:00-06:00");
        assert_eq!(show("2026-11-02T22:14:09.120-07:00"), "2026-11-02T22:14:09.120-07:00");
    }

    #[test]
    fn a_local_time_that_the_clock_showed_twice_or_never_is_refused() {
        assert_eq!(read("2026-11-01T01:30:00", &denver()), Err("ambiguous_time"));
        assert_eq!(read("2027-03-14T02:30:00", &denver()), Err("gap_time"));
        let noon = read("2026-11-01T12:00:00", &denver()).unwrap();
        assert_eq!(shown(noon, &denver()), "2026-11-01T12:00:00-07:00");
    }

    #[test]
    fn leap_seconds_fractions_and_impossible_years_are_normalised_or_refused() {
        let utc = TimeZone::UTC;
        let show = |text| shown(instant(text, &utc).unwrap(), &utc);
        assert_eq!(show("2016-12-31T23:59:60Z"), "2016-12-31T23:59:59.999+00:00");
        assert_eq!(show("2026-01-01T00:00:00.123456789012Z"), "2026-01-01T00:00:00.123+00:00");
        assert_eq!(read("0001-01-01T00:00:00Z", &utc), Err("implausible_time"));
        assert_eq!(read("yesterday", &utc), Err("implausible_time"));
    }

    #[test]
    fn an_offset_that_the_zone_does_not_have_then_is_noticed() {
        assert!(offset_disagrees("2026-11-02T10:00:00-05:00", &denver()));
        assert!(!offset_disagrees("2026-11-02T10:00:00-07:00", &denver()));
        assert!(!offset_disagrees("2026-11-01T01:30:00-06:00", &denver()));
        assert!(!offset_disagrees("2026-11-01T08:30:00Z", &denver()));
    }
}
