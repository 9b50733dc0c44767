//! Wall-clock times of events to come.
//!
//! ## Why
//! A weekly session at five stays at five when a country changes its clocks or its mind about
//! them. What the platform computed when it made the appointment may be wrong by then, so the
//! wall time and the zone decide.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The instant of a wall time in a zone, as FHIR writes it, with the zone's offset.
///
/// `sent` is the platform's own instant. It stands where it shows the same wall time, so that it
/// also decides which of two equal wall times is meant when clocks go back.
pub(super) fn instant(wall: &str, zone: &str, sent: Timestamp) -> Option<(Timestamp, String)> {
    let zone = TimeZone::get(zone).ok()?;
    let wall: DateTime = wall.parse().ok()?;
    let as_sent = sent.to_zoned(zone.clone());
    let minutes = |at: DateTime| at.date().at(at.hour(), at.minute(), 0, 0);
    let at = if minutes(as_sent.datetime()) == minutes(wall) {
        as_sent
    } else {
        zone.to_ambiguous_zoned(wall).compatible().ok()?
    };
    Some((at.timestamp(), at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()))
}

/// An instant as FHIR writes it in the zone's own clock.
pub(super) fn local(at: Timestamp, zone: &str) -> Option<String> {
    let at = at.to_zoned(TimeZone::get(zone).ok()?);
    Some(at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

#[cfg(test)]
mod tests {
    use super::instant;

    fn at(wall: &str, zone: &str, sent: &str) -> Option<String> {
        instant(wall, zone, sent.parse().unwrap()).map(|(_, text)| text)
    }

    #[test]
    fn the_wall_time_decides_when_the_offset_was_computed_with_old_rules() {
        let wall = at("2027-03-16T17:00", "America/Denver", "2027-03-16T17:00:00-07:00");
        assert_eq!(wall.as_deref(), Some("2027-03-16T17:00:00-06:00"));
    }

    #[test]
    fn of_two_equal_wall_times_the_one_that_was_sent_is_meant() {
        let second = at("2026-11-01T01:30", "America/Denver", "2026-11-01T01:30:00-07:00");
        assert_eq!(second.as_deref(), Some("2026-11-01T01:30:00-07:00"));
    }

    #[test]
    fn an_unknown_zone_or_wall_time_answers_nothing() {
        assert_eq!(at("2026-11-01T01:30", "Mars/Olympus", "2026-11-01T01:30:00Z"), None);
        assert_eq!(at("five o'clock", "America/Denver", "2026-11-01T01:30:00Z"), None);
    }
}
