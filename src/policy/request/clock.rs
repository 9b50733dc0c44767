//! The clock of one request: its last day, the reminders before it, and whether it is past.
//!
//! It starts with the receipt, not with somebody's noticing it, and runs by the days on the
//! practice's wall. One thing can stop it, a proof of who asks, and only where the law says so. One
//! notice can move its end on. Whoever withdraws a request and asks again has a new clock.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::state::Event;
use super::terms::{Deadline, Identity, Weekend};

/// A time in which nobody could tell who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// When a proof was asked for.
    pub from: Timestamp,
    /// When there was one; nothing while there is none.
    pub to: Option<Timestamp>,
}

impl Pause {
    /// Those of a request to which these things happened, in order.
    pub fn among(happened: impl Iterator<Item = (Event, Timestamp)>) -> Vec<Self> {
        let mut pauses: Vec<Self> = Vec::new();
        for (event, at) in happened {
            match event {
                Event::IdentityAsked => pauses.push(Self { from: at, to: None }),
                Event::IdentityProven => {
                    if let Some(open) = pauses.last_mut() {
                        open.to.get_or_insert(at);
                    }
                }
                _ => {}
            }
        }
        pauses
    }
}

/// A notice that it takes longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension {
    /// When the person was told.
    pub told: Timestamp,
    /// By when it will be answered, as they were told.
    pub until: Date,
}

/// What a clock counts.
#[derive(Debug, Clone, Copy)]
pub struct Clock<'a> {
    /// The rows that bind; the earliest of their dates counts.
    pub deadlines: &'a [&'a Deadline],
    /// The clock on the practice's wall.
    pub zone: &'a TimeZone,
    /// When the request was received, in whatever way.
    pub received: Timestamp,
    /// When nobody could tell who asks.
    pub pauses: &'a [Pause],
    /// The notice that it takes longer, if there was one.
    pub extension: Option<Extension>,
}

/// How a request stands at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The law names no term.
    Untimed,
    /// The clock is stopped until it is known who asks.
    Paused,
    /// There is time.
    Running {
        /// The last day.
        due: Date,
        /// Days until then; 0 on the last day.
        days: i64,
        /// Whether a reminder is due: one of its days has come.
        remind: bool,
    },
    /// The last day is past.
    Overdue {
        /// The last day.
        due: Date,
        /// Days since then, from 1.
        days: i64,
    },
}

/// Why the end of a clock cannot be moved on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooLate {
    /// The law knows no extension of this request.
    None,
    /// There has been one.
    Once,
    /// The term, within which the person has to be told, is over; it ended on this day.
    Over(Date),
    /// The date is not after the last day, or it is later than the latest that may be.
    Until {
        /// The day before the first that may be.
        after: Date,
        /// The latest.
        latest: Date,
    },
}

impl Clock<'_> {
    /// The last day; nothing where the law names none, or the clock is stopped.
    pub fn due(&self) -> Option<Date> {
        let first = self.first_due();
        match self.extension {
            // A stopped clock has no end, extended or not.
            Some(extension) => first.map(|first| first.max(self.shifted(extension.until))),
            None => first,
        }
    }

    /// The last day if there were no extension.
    pub fn first_due(&self) -> Option<Date> {
        self.earliest(|row| {
            let day = row.term?.after(self.day(self.received))?;
            Some(landed(row, self.paused(row)?.after(day)?))
        })
    }

    /// The latest day to which a notice may move the end on.
    pub fn latest(&self) -> Option<Date> {
        self.earliest(|row| {
            let day = row.term?.after(self.day(self.received))?;
            let day = row.extension?.after(day)?;
            Some(landed(row, self.paused(row)?.after(day)?))
        })
    }

    /// Whether the person can be told at `told` that it takes until `until`.
    pub fn may_extend(&self, told: Timestamp, until: Date) -> Result<Extension, TooLate> {
        if self.extension.is_some() {
            return Err(TooLate::Once);
        }
        let has_one = self.deadlines.iter().all(|row| row.extension.is_some());
        let (Some(first), Some(latest), true) = (self.first_due(), self.latest(), has_one) else {
            return Err(TooLate::None);
        };
        if self.day(told) > first {
            return Err(TooLate::Over(first));
        }
        if until <= first || until > latest {
            return Err(TooLate::Until { after: first, latest });
        }
        Ok(Extension { told, until })
    }

    /// The days on which somebody is reminded, in order.
    pub fn reminders(&self) -> Vec<Date> {
        let Some(due) = self.due() else { return Vec::new() };
        let received = self.day(self.received);
        let mut days: Vec<Date> = self
            .deadlines
            .iter()
            .flat_map(|row| &row.remind)
            .filter_map(|days| due.checked_sub(days.days()).ok())
            .filter(|day| *day > received)
            .collect();
        days.sort_unstable();
        days.dedup();
        days
    }

    /// How it stands.
    pub fn standing(&self, now: Timestamp) -> Standing {
        let Some(due) = self.due() else {
            let is_timed = self.deadlines.iter().any(|row| row.term.is_some());
            return if is_timed { Standing::Paused } else { Standing::Untimed };
        };
        let today = self.day(now);
        let days = i64::from(due.since(today).map_or(0, |span| span.get_days()));
        if days < 0 {
            return Standing::Overdue { due, days: -days };
        }
        let remind = self.reminders().iter().any(|day| *day <= today);
        Standing::Running { due, days, remind }
    }

    /// The day on the practice's wall.
    fn day(&self, at: Timestamp) -> Date {
        at.to_zoned(self.zone.clone()).date()
    }

    /// For how many days the clock was stopped under a row; nothing while it is.
    ///
    /// Whole days count, so that the end is never later than a count by the hour would have it.
    fn paused(&self, row: &Deadline) -> Option<super::Span> {
        if row.identity == Identity::Runs {
            return Some(super::Span::Days(0));
        }
        let mut stopped: Vec<(Date, Date)> = Vec::new();
        for pause in self.pauses {
            let from = self.day(pause.from.max(self.received));
            stopped.push((from, self.day(pause.to?).max(from)));
        }
        stopped.sort_unstable();
        let mut days = 0;
        let mut counted = Date::MIN;
        // Days that two pauses share are counted once.
        for (from, to) in stopped {
            let from = from.max(counted);
            if to > from {
                days += i64::from(to.since(from).ok()?.get_days());
                counted = to;
            }
        }
        Some(super::Span::Days(days))
    }

    /// The earliest of the rows' dates; nothing if none has one.
    fn earliest(&self, date: impl Fn(&Deadline) -> Option<Date>) -> Option<Date> {
        self.deadlines.iter().filter_map(|row| date(row)).min()
    }

    /// An end that somebody was told, moved on by what stopped the clock after that.
    fn shifted(&self, until: Date) -> Date {
        let Some(told) = self.extension.map(|extension| extension.told) else { return until };
        let after: Vec<Pause> =
            self.pauses.iter().filter(|pause| pause.from > told).copied().collect();
        let later = Clock { pauses: &after, ..*self };
        let moved = self
            .deadlines
            .iter()
            .filter_map(|row| Some(landed(row, later.paused(row)?.after(until)?)))
            .min();
        moved.unwrap_or(until)
    }
}

/// The last day, once it is known whether it may be on a weekend.
fn landed(row: &Deadline, day: Date) -> Date {
    let days = match (row.weekend, day.weekday()) {
        (Weekend::Moves, Weekday::Saturday) => 2,
        (Weekend::Moves, Weekday::Sunday) => 1,
        _ => 0,
    };
    day.checked_add(days.days()).unwrap_or(day)
}
