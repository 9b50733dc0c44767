//! When something that a record says holds: from its first day to its last, on the clock on the
//! practice's wall.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::domain::Record;
use crate::policy::Term;

/// The last day of the calendar, which means that there is no end.
const ENDLESS: &str = "9999-12-31";

/// The zone of a practice; UTC where it says none that is known.
pub(crate) fn zone(practice: Option<&Record>) -> TimeZone {
    of_practice(practice).unwrap_or(TimeZone::UTC)
}

/// The zone in which a record is read: its own, or the practice's; nothing where neither is known.
pub(crate) fn clock(record: &Record, practice: Option<&Record>) -> Option<TimeZone> {
    let own = record.tz.as_deref().and_then(|name| TimeZone::get(name).ok());
    own.or_else(|| of_practice(practice))
}

fn of_practice(practice: Option<&Record>) -> Option<TimeZone> {
    let name = practice.and_then(|practice| practice.data.get("tz")).and_then(Value::as_str);
    name.and_then(|name| TimeZone::get(name).ok())
}

/// The term of a row with `from` and `to`, of which the last day counts too; nothing where it cannot
/// be read.
pub(crate) fn term(row: &Value, zone: &TimeZone) -> Option<Term> {
    let end = |name: &str, read: &dyn Fn(&str) -> Option<Timestamp>| match row.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(value) => value.as_str().and_then(read).map(Some),
    };
    let after = |text: &str| match date(text) {
        Some(day) => midnight(day.tomorrow().ok()?, zone),
        None => text.parse().ok(),
    };
    let is_endless = row.get("to").and_then(Value::as_str) == Some(ENDLESS);
    let until = if is_endless { None } else { end("to", &after)? };
    Some(Term { from: end("from", &|text| instant(text, zone))?, until })
}

/// The first instant of a day, on a practice's wall.
pub(super) fn midnight(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0)).compatible().ok()
}

/// A whole date; a part of one is none.
pub(super) fn date(text: &str) -> Option<Date> {
    (text.len() == 10).then(|| text.parse().ok()).flatten()
}

/// An instant, or the first one of a day.
pub(crate) fn instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    text.parse().ok().or_else(|| midnight(date(text)?, zone))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_term_holds_from_its_first_day_to_its_last_on_the_wall() {
        let denver = TimeZone::get("America/Denver").unwrap();
        let row = json!({ "from": "2026-11-10", "to": "2026-11-20" });
        let term = term(&row, &denver).unwrap();
        for (at, holds) in [
            ("2026-11-10T06:59:59Z", false),
            ("2026-11-10T07:00:00Z", true),
            ("2026-11-21T06:59:59Z", true),
            ("2026-11-21T07:00:00Z", false),
        ] {
            assert_eq!(term.holds(at.parse().unwrap()), holds, "{at}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_term() {
        let read = |row: &Value| term(row, &TimeZone::UTC);
        assert_eq!(read(&json!({})), Some(Term::default()));
        assert_eq!(read(&json!({ "to": null })), Some(Term::default()));
        assert_eq!(read(&json!({ "to": "9999-12-31" })), Some(Term::default()), "for ever");
        for wrong in [json!({ "from": "2026" }), json!({ "to": 3 }), json!({ "to": "soon" })] {
            assert_eq!(read(&wrong), None, "{wrong}");
        }
    }
}
