//! Times as FHIR shows them, on the clock of their place.
//!
//! Ingest has read them already: each has an offset, and names one instant.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::Value;

use super::field::{list, text};
use crate::domain::{Kind, Record};

/// The zone of a record; UTC where it names none.
pub(super) fn zone(record: &Record) -> TimeZone {
    record.tz.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC)
}

/// The instant of a time.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
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

/// A time on the record's clock; as it was sent where the record names no zone.
pub(super) fn on_clock(record: &Record, text: &str) -> Option<String> {
    match record.tz {
        Some(_) => Some(shown(instant(text)?, &zone(record))),
        None => Some(text.to_owned()),
    }
}

/// The first time of a session that is before the time at which what it ends began, as a JSON
/// pointer: such a session cannot be taken in.
pub(super) fn ends_before_it_begins(record: &Record) -> Option<String> {
    if record.kind != Kind::SessionLog {
        return None;
    }
    for (from, to) in [("scheduled_start", "scheduled_end"), ("started_at", "ended_at")] {
        if is_before(&record.data, to, from) {
            return Some(format!("/data/{to}"));
        }
    }
    let mut rows = list(&record.data, "presence").iter();
    let row = rows.position(|row| is_before(row, "left_at", "joined_at"))?;
    Some(format!("/data/presence/{row}/left_at"))
}

fn is_before(data: &Value, end: &str, start: &str) -> bool {
    let at = |name: &str| text(data, name).and_then(instant);
    matches!((at(start), at(end)), (Some(start), Some(end)) if end < start)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::record;
    use super::*;

    fn denver() -> TimeZone {
        TimeZone::get("America/Denver").unwrap()
    }

    #[test]
    fn a_time_keeps_the_offset_of_its_place_on_both_sides_of_a_clock_change() {
        let show = |text| shown(instant(text).unwrap(), &denver());
        assert_eq!(show("2026-11-01T07:31:02Z"), "2026-11-01T01:31:02-06:00");
        assert_eq!(show("2026-11-01T08:25:50Z"), "2026-11-01T01:25:50-07:00");
        assert_eq!(show("2027-03-14T09:15:00Z"), "2027-03-14T03:15:00-06:00");
        assert_eq!(show("2026-11-02T22:14:09.120-07:00"), "2026-11-02T22:14:09.120-07:00");
    }

    #[test]
    fn a_session_that_ends_before_it_begins_is_pointed_at() {
        let fault = |data| ends_before_it_begins(&record(Kind::SessionLog, "ses_1", data));
        let row = |left: &str| json!({"joined_at": "2026-11-01T08:00:00Z", "left_at": left});
        let rows = json!({"presence": [row("2026-11-01T08:00:00Z"), row("2026-11-01T07:59:59Z")]});
        assert_eq!(fault(rows).as_deref(), Some("/data/presence/1/left_at"));
        let night = json!({"started_at": "2026-11-01T01:30:00-06:00", "ended_at": "2026-11-01T01:25:00-07:00"});
        assert_eq!(fault(night), None);
    }
}
