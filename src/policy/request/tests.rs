//! The clock's cases and laws, and the whole of what can happen as one table.

use std::fmt::Write as _;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use proptest::sample::select;

use super::{
    Clock, Deadline, Event, Extension, Matter, Pause, Regime, Standing, State, Terms, TooLate,
};

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// A request in Denver, or for the GDPR in Berlin, received at noon.
#[derive(Debug)]
struct Asked {
    terms: Terms,
    matter: Matter,
    regime: Regime,
    zone: TimeZone,
    received: Timestamp,
    pauses: Vec<Pause>,
    extension: Option<Extension>,
}

impl Asked {
    fn new(matter: &str, regime: &str, received: &str) -> Self {
        let name = if regime == "gdpr" { "Europe/Berlin" } else { "America/Denver" };
        let noon = day(received).at(12, 0, 0, 0).to_zoned(zone(name)).unwrap();
        Self {
            terms: Terms::shipped(),
            matter: matter.parse().unwrap(),
            regime: regime.parse().unwrap(),
            zone: zone(name),
            received: noon.timestamp(),
            pauses: Vec::new(),
            extension: None,
        }
    }

    fn with<T>(&self, ask: impl FnOnce(&Clock<'_>) -> T) -> T {
        let deadlines: Vec<&Deadline> = self.terms.of(self.matter, &self.regime);
        ask(&Clock {
            deadlines: &deadlines,
            zone: &self.zone,
            received: self.received,
            pauses: &self.pauses,
            extension: self.extension,
        })
    }

    fn due(&self) -> Option<Date> {
        self.with(|clock| clock.due())
    }

    fn standing(&self, now: &str) -> Standing {
        self.with(|clock| clock.standing(at(now)))
    }

    fn extend(&self, told: &str, until: &str) -> Result<Extension, TooLate> {
        self.with(|clock| clock.may_extend(at(told), day(until)))
    }
}

#[test]
fn every_request_has_a_row_under_every_law_and_each_row_its_source() {
    let terms = Terms::shipped();
    let regimes = [Regime::Hipaa, Regime::Part2, Regime::Gdpr, Regime::State("US-ZZ".into())];
    for matter in Matter::ALL {
        for regime in &regimes {
            assert!(!terms.of(*matter, regime).is_empty(), "{matter:?} under {regime}");
        }
    }
    for row in terms.rows() {
        assert!(!row.source.is_empty());
        assert!(row.term.is_some() || (row.extension.is_none() && row.remind.is_empty()));
    }
}

#[test]
fn the_last_day_is_a_table() {
    for (matter, regime, received, due) in [
        // Thirty days from a month's last day, in a common year and in leap years.
        ("access", "hipaa", "2026-01-31", "2026-03-02"),
        ("access", "hipaa", "2028-01-31", "2028-03-01"),
        ("access", "hipaa", "2028-01-30", "2028-02-29"),
        ("access", "hipaa", "2100-01-30", "2100-03-01"),
        ("access", "hipaa", "2026-12-15", "2027-01-14"),
        // A last day on a Saturday or a Sunday stays there.
        ("access", "hipaa", "2026-11-05", "2026-12-05"),
        ("access", "hipaa", "2026-11-06", "2026-12-06"),
        ("portability", "hipaa", "2026-11-03", "2026-12-03"),
        ("third_party_directive", "hipaa", "2026-11-03", "2026-12-03"),
        ("access", "part2", "2026-11-03", "2026-12-03"),
        ("amendment", "hipaa", "2026-11-03", "2027-01-02"),
        ("accounting", "hipaa", "2027-12-31", "2028-02-29"),
        ("accounting", "part2", "2026-11-03", "2027-01-02"),
        // A month that has no such day ends on its last; a weekend moves to Monday.
        ("access", "gdpr", "2026-01-31", "2026-03-02"),
        ("access", "gdpr", "2027-01-29", "2027-03-01"),
        ("access", "gdpr", "2028-01-31", "2028-02-29"),
        ("access", "gdpr", "2029-01-31", "2029-02-28"),
        ("access", "gdpr", "2026-08-31", "2026-09-30"),
        ("erasure", "gdpr", "2026-12-31", "2027-02-01"),
        ("restriction", "gdpr", "2026-11-03", "2026-12-03"),
        // A state that is stricter, and one that says nothing.
        ("access", "state:US-CA", "2026-11-03", "2026-11-18"),
        ("access", "state:US-ZZ", "2026-11-03", "2026-12-03"),
        ("amendment", "state:US-CA", "2026-11-03", "2027-01-02"),
    ] {
        let found = Asked::new(matter, regime, received).due();
        assert_eq!(found, Some(day(due)), "{matter} under {regime}, received {received}");
    }
    for (matter, regime) in
        [("restriction", "hipaa"), ("restriction", "part2"), ("erasure", "hipaa")]
    {
        let asked = Asked::new(matter, regime, "2026-11-03");
        assert_eq!(asked.due(), None);
        assert_eq!(asked.standing("2036-01-01T00:00:00Z"), Standing::Untimed);
    }
}

#[test]
fn a_month_that_ends_early_ends_on_its_last_day_before_the_weekend_is_looked_at() {
    // 28 February 2026 is a Saturday.
    let asked = Asked::new("access", "gdpr", "2026-01-31");
    let unmoved = super::Span::Months(1).after(date(2026, 1, 31));
    assert_eq!(unmoved, Some(date(2026, 2, 28)));
    assert_eq!(asked.due(), Some(date(2026, 3, 2)));
}

#[test]
fn the_day_of_receipt_is_the_one_on_the_practices_wall() {
    let mut asked = Asked::new("access", "hipaa", "2026-11-03");
    // Half past eleven in the evening in Denver, the next day in Greenwich.
    asked.received = at("2026-11-04T06:30:00Z");
    assert_eq!(asked.due(), Some(date(2026, 12, 3)));
    asked.zone = zone("Europe/Berlin");
    assert_eq!(asked.due(), Some(date(2026, 12, 4)));
    // A line of the calendar between: the same instant is two days.
    asked.zone = zone("Pacific/Kiritimati");
    asked.received = at("2026-11-03T10:30:00Z");
    assert_eq!(asked.due(), Some(date(2026, 12, 4)));
    asked.zone = zone("Pacific/Pago_Pago");
    assert_eq!(asked.due(), Some(date(2026, 12, 2)));
}

#[test]
fn it_is_overdue_from_the_midnight_after_the_last_day() {
    let asked = Asked::new("access", "hipaa", "2026-11-03");
    // Winter time by then: midnight in Denver is 07:00 in Greenwich.
    let last = asked.standing("2026-12-04T06:59:59Z");
    assert_eq!(last, Standing::Running { due: day("2026-12-03"), days: 0, remind: true });
    let late = asked.standing("2026-12-04T07:00:00Z");
    assert_eq!(late, Standing::Overdue { due: day("2026-12-03"), days: 1 });
    let later = asked.standing("2027-02-01T12:00:00Z");
    assert_eq!(later, Standing::Overdue { due: day("2026-12-03"), days: 60 });
}

#[test]
fn somebody_is_reminded_on_days_7_20_and_27() {
    let asked = Asked::new("access", "hipaa", "2026-11-03");
    let days = asked.with(|clock| clock.reminders());
    assert_eq!(days, [day("2026-11-10"), day("2026-11-23"), day("2026-11-30")]);
    let remind = |now| match asked.standing(now) {
        Standing::Running { remind, .. } => remind,
        other => panic!("{other:?}"),
    };
    assert!(!remind("2026-11-10T06:59:59Z") && remind("2026-11-10T07:00:00Z"));
}

#[test]
fn an_extension_is_told_within_the_term_and_ends_within_its_own() {
    let asked = Asked::new("access", "hipaa", "2026-11-03");
    let (first, latest) = (day("2026-12-03"), day("2027-01-02"));
    assert!(asked.extend("2026-12-04T06:59:59Z", "2027-01-02").is_ok());
    // On the thirty-first day it is too late.
    let over = asked.extend("2026-12-04T07:00:00Z", "2027-01-02");
    assert_eq!(over, Err(TooLate::Over(first)));
    for until in ["2026-12-03", "2026-11-20", "2027-01-03"] {
        let refused = asked.extend("2026-11-20T12:00:00Z", until);
        assert_eq!(refused, Err(TooLate::Until { after: first, latest }), "{until}");
    }
    let extension = asked.extend("2026-11-20T12:00:00Z", "2026-12-20").unwrap();
    let asked = Asked { extension: Some(extension), ..asked };
    assert_eq!(asked.due(), Some(day("2026-12-20")));
    // Once, and no more.
    assert_eq!(asked.extend("2026-11-21T12:00:00Z", "2026-12-24"), Err(TooLate::Once));
}

#[test]
fn how_far_an_extension_reaches_is_a_table() {
    for (matter, regime, received, latest) in [
        ("access", "hipaa", "2026-01-31", Some("2026-04-01")),
        ("access", "hipaa", "2028-01-01", Some("2028-03-01")),
        ("amendment", "hipaa", "2026-11-03", Some("2027-02-01")),
        ("accounting", "hipaa", "2026-11-03", Some("2027-02-01")),
        // Two months after the first; of the two readings, the one that ends earlier.
        ("access", "gdpr", "2027-01-31", Some("2027-04-28")),
        ("access", "gdpr", "2026-11-03", Some("2027-02-03")),
        // Where a state knows none, there is none.
        ("access", "state:US-CA", "2026-11-03", None),
        ("restriction", "hipaa", "2026-11-03", None),
    ] {
        let asked = Asked::new(matter, regime, received);
        let told = asked.received;
        let until = latest.unwrap_or("2026-11-25");
        let found = asked.with(|clock| clock.may_extend(told, day(until)));
        let expected =
            latest.map_or(Err(TooLate::None), |until| Ok(Extension { told, until: day(until) }));
        assert_eq!(found, expected, "{matter} under {regime}");
        if latest.is_some() {
            let beyond = day(until).checked_add(1.day()).unwrap();
            assert!(asked.with(|clock| clock.may_extend(told, beyond)).is_err());
        }
    }
}

#[test]
fn a_doubt_about_who_asks_stops_the_clock_only_where_the_law_says_so() {
    let pause = Pause { from: at("2026-11-05T10:00:00Z"), to: Some(at("2026-11-15T10:00:00Z")) };
    let open = Pause { to: None, ..pause };
    for regime in ["hipaa", "part2", "state:US-CA"] {
        let plain = Asked::new("access", regime, "2026-11-03");
        let paused =
            Asked { pauses: vec![pause, open], ..Asked::new("access", regime, "2026-11-03") };
        assert_eq!(plain.due(), paused.due(), "{regime}");
    }
    let mut asked = Asked::new("access", "gdpr", "2026-11-03");
    asked.pauses = vec![open];
    assert_eq!(asked.standing("2027-11-03T00:00:00Z"), Standing::Paused);
    assert!(asked.with(|clock| clock.reminders()).is_empty());
    // Ten days later than 3 December is Sunday the 13th, so Monday.
    asked.pauses = vec![pause];
    assert_eq!(asked.due(), Some(day("2026-12-14")));
    // What two share counts once.
    let second = Pause { from: at("2026-11-10T10:00:00Z"), to: Some(at("2026-11-17T10:00:00Z")) };
    asked.pauses = vec![pause, second];
    assert_eq!(asked.due(), Some(day("2026-12-15")));
}

#[test]
fn a_request_that_was_taken_back_and_made_again_has_a_new_clock() {
    let first = Asked::new("access", "hipaa", "2026-11-03");
    let again = Asked::new("access", "hipaa", "2026-11-20");
    assert_eq!(State::InReview.after(Event::Withdraw), Some(State::Withdrawn));
    assert!(Event::ALL.iter().all(|event| State::Withdrawn.after(*event).is_none()));
    assert_eq!((first.due(), again.due()), (Some(day("2026-12-03")), Some(day("2026-12-20"))));
}

#[test]
fn what_can_happen_is_a_table() {
    let mut table = String::new();
    for state in State::ALL {
        for event in Event::ALL {
            let after = state.after(*event).map_or("refused", State::as_str);
            writeln!(table, "{:<17} {:<17} {after}", state.as_str(), event.as_str()).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn what_is_closed_stays_closed_but_for_the_review_of_a_denial() {
    for state in State::ALL.iter().filter(|state| state.is_closed()) {
        for event in Event::ALL {
            let Some(after) = state.after(*event) else { continue };
            assert!(matches!(state, State::Denied | State::Fulfilled), "{state:?}, {event:?}");
            let is_review = *event == Event::ReviewRequested;
            assert!(is_review || after == *state, "what is said about it: {state:?}, {event:?}");
        }
    }
}

const ZONES: [&str; 5] =
    ["America/Denver", "Europe/Berlin", "Pacific/Apia", "Asia/Kathmandu", "UTC"];
const REGIMES: [&str; 4] = ["hipaa", "part2", "gdpr", "state:US-CA"];

fn some_asked() -> impl Strategy<Value = Asked> {
    let hours = 0..24 * 366 * 8_i64;
    let pauses = proptest::collection::vec((0..900_i64, 0..900_i64), 0..4);
    (select(Matter::ALL), select(&REGIMES[..]), select(&ZONES[..]), hours, pauses).prop_map(
        |(matter, regime, name, hours, pauses)| {
            let received = at("2024-01-01T00:00:00Z").checked_add(hours.hours()).unwrap();
            let later = |hours: i64| received.checked_add(hours.hours()).unwrap();
            let pauses = pauses
                .into_iter()
                .map(|(from, length)| Pause { from: later(from), to: Some(later(from + length)) });
            Asked {
                terms: Terms::shipped(),
                matter,
                regime: regime.parse().unwrap(),
                zone: zone(name),
                received,
                pauses: pauses.collect(),
                extension: None,
            }
        },
    )
}

proptest! {
    #[test]
    fn the_last_day_is_after_the_receipt_and_never_earlier_for_a_later_one(asked in some_asked(), hours in 0..2000_i64) {
        let asked = Asked { pauses: Vec::new(), ..asked };
        let received = asked.received.to_zoned(asked.zone.clone()).date();
        let later = asked.received.checked_add(hours.hours()).unwrap();
        if let Some(due) = asked.due() {
            prop_assert!(due > received);
            let after = Asked { received: later, ..asked }.due().unwrap();
            prop_assert!(after >= due);
        }
    }

    #[test]
    fn a_pause_never_brings_the_end_nearer_and_moves_hipaa_not_at_all(asked in some_asked()) {
        let (paused, is_gdpr) = (asked.due(), asked.regime == Regime::Gdpr);
        let plain = Asked { pauses: Vec::new(), ..asked }.due();
        prop_assert!(paused >= plain);
        prop_assert!(is_gdpr || paused == plain);
    }

    #[test]
    fn an_extension_is_later_than_the_term_and_never_beyond_its_end(
        asked in some_asked(), hours in 0..3000_i64, days in -10..120_i64,
    ) {
        let told = asked.received.checked_add(hours.hours()).unwrap();
        let Some(first) = asked.with(|clock| clock.first_due()) else { return Ok(()) };
        let until = first.checked_add(days.days()).unwrap();
        if let Ok(extension) = asked.with(|clock| clock.may_extend(told, until)) {
            prop_assert!(extension.until > first);
            prop_assert!(told.to_zoned(asked.zone.clone()).date() <= first);
            let latest = asked.with(|clock| clock.latest()).unwrap();
            prop_assert!(extension.until <= latest);
            let extended = Asked { extension: Some(extension), ..asked };
            prop_assert!(extended.due().unwrap() >= first);
        }
    }

    #[test]
    fn time_only_makes_it_more_urgent(asked in some_asked(), hours in 0..3000_i64, more in 0..3000_i64) {
        fn urgency(standing: Standing) -> i64 {
            match standing {
                Standing::Running { days, .. } => -days,
                Standing::Overdue { days, .. } => days,
                Standing::Untimed | Standing::Paused => i64::MIN,
            }
        }
        let now = asked.received.checked_add(hours.hours()).unwrap();
        let later = now.checked_add(more.hours()).unwrap();
        let [before, after] = [now, later].map(|now| asked.with(|clock| clock.standing(now)));
        prop_assert!(urgency(after) >= urgency(before));
        let [before, after] = [before, after].map(|s| matches!(s, Standing::Overdue { .. }));
        prop_assert!(after || !before);
    }

    #[test]
    fn every_path_ends_closed_and_nothing_leads_out_but_a_review(
        events in proptest::collection::vec(select(Event::ALL), 0..40),
    ) {
        let mut state = State::Received;
        for event in events {
            let Some(after) = state.after(event) else { continue };
            if state.is_closed() {
                prop_assert!(event == Event::ReviewRequested || after == state);
            }
            prop_assert!(after != State::Received);
            state = after;
        }
    }
}
