//! The practice's clock: wall times in its zone, as instants and as RFC 3339 text.

use std::io;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The first Monday on which a course may start. The courses of 80 weeks from here cross the clock
/// changes of two springs and two autumns.
const FIRST_MONDAY: Date = jiff::civil::date(2025, 1, 6);

/// A time zone and its rules.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    name: &'static str,
    zone: TimeZone,
}

impl Calendar {
    /// The clock of an IANA zone.
    pub(super) fn new(name: &'static str) -> io::Result<Self> {
        let zone = TimeZone::get(name).map_err(io::Error::other)?;
        Ok(Self { name, zone })
    }

    /// The zone's IANA name.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// A wall time on a day. The hours used here exist once on every day.
    pub(super) fn at(&self, day: Date, hour: i8, minute: i8) -> Timestamp {
        let time = Time::new(hour, minute, 0, 0).unwrap_or_default();
        let wall = DateTime::from_parts(day, time);
        self.zone
            .to_ambiguous_zoned(wall)
            .compatible()
            .map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
    }

    /// An instant with the zone's offset at that instant.
    pub(super) fn local(&self, instant: Timestamp) -> String {
        instant.display_with_offset(self.zone.to_offset(instant)).to_string()
    }

    /// What the wall clock shows at an instant, to the minute.
    pub(super) fn wall(&self, instant: Timestamp) -> String {
        self.zone.to_datetime(instant).strftime("%Y-%m-%dT%H:%M").to_string()
    }
}

/// A day, counted from the first Monday.
pub(super) fn day(days: i64) -> Date {
    FIRST_MONDAY.saturating_add(SignedDuration::from_hours(24 * days))
}

/// `instant` and some seconds.
pub(super) fn after(instant: Timestamp, seconds: i64) -> Timestamp {
    instant.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_time_keeps_its_hour_when_the_clock_changes() {
        let calendar = Calendar::new("America/Denver").unwrap();
        let winter = calendar.at(jiff::civil::date(2025, 3, 8), 17, 0);
        let summer = calendar.at(jiff::civil::date(2025, 3, 9), 17, 0);
        assert_eq!(calendar.local(winter), "2025-03-08T17:00:00-07:00");
        assert_eq!(calendar.local(summer), "2025-03-09T17:00:00-06:00");
        assert_eq!(calendar.wall(summer), "2025-03-09T17:00");
    }
}
