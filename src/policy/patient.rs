//! Facts about the patient that the rules turn on.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use super::law::Law;

/// A date of birth, as precisely as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Born {
    /// Nobody knows.
    Unknown,
    /// In a year.
    Year(i16),
    /// In a month.
    Month(i16, i8),
    /// On a day.
    Day(Date),
}

impl Born {
    /// Reads `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; anything else is unknown.
    pub fn read(text: &str) -> Self {
        let year = |text: &str| text.parse::<i16>().ok().filter(|year| (1..=9999).contains(year));
        let read = match text.split('-').collect::<Vec<_>>().as_slice() {
            [whole] if whole.len() == 4 => year(whole).map(Self::Year),
            [of, month] => {
                let month = month.parse::<i8>().ok().filter(|month| (1..=12).contains(month));
                year(of).zip(month).map(|(year, month)| Self::Month(year, month))
            }
            _ => text.parse().ok().map(Self::Day),
        };
        read.unwrap_or(Self::Unknown)
    }

    /// The first and the last day that it may have been.
    pub(super) fn range(self) -> Option<(Date, Date)> {
        match self {
            Self::Unknown => None,
            Self::Year(year) => Some((Date::new(year, 1, 1).ok()?, Date::new(year, 12, 31).ok()?)),
            Self::Month(year, month) => {
                let first = Date::new(year, month, 1).ok()?;
                Some((first, first.last_of_month()))
            }
            Self::Day(day) => Some((day, day)),
        }
    }
}

/// Whether somebody is of age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Majority {
    /// Not yet.
    Minor,
    /// Yes.
    Adult,
    /// It cannot be told.
    Unsure,
}

/// What the rules need to know of a patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patient {
    /// When they were born.
    pub born: Born,
    /// When they died, if they did.
    pub died: Option<Timestamp>,
    /// Where the law about them is from: `US-CO`, `DE`.
    pub jurisdiction: String,
    /// The clock on the practice's wall.
    pub zone: TimeZone,
    /// Whether a court or the law treats them as of age.
    pub emancipated: bool,
    /// Whether they decide about their records themself, although a minor.
    pub decides_alone: bool,
    /// Whether they consented lawfully to care by themself, although a minor.
    pub consented_alone: bool,
}

impl Patient {
    /// Somebody of whom nothing is known but where the law about them is from.
    pub fn new(jurisdiction: &str, zone: TimeZone) -> Self {
        Self {
            born: Born::Unknown,
            died: None,
            jurisdiction: jurisdiction.to_owned(),
            zone,
            emancipated: false,
            decides_alone: false,
            consented_alone: false,
        }
    }

    /// The instant from which they certainly, and from which they may be of an age: midnight of
    /// the birthday on the practice's wall. Who was born on 29 February has it on 1 March.
    pub fn birthday(&self, age: i16) -> Option<(Timestamp, Timestamp)> {
        let (first, last) = self.born.range()?;
        let midnight = |born: Date| {
            let year = born.year().checked_add(age)?;
            let day = Date::new(year, born.month(), born.day())
                .unwrap_or_else(|_no_such_day| date(year, 3, 1));
            self.zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0)).compatible().ok()
        };
        Some((midnight(first)?, midnight(last)?))
    }

    /// Whether they have reached an age.
    pub fn reached(&self, age: i16, at: Timestamp) -> Option<bool> {
        let (earliest, latest) = self.birthday(age)?;
        match (at >= earliest, at >= latest) {
            (false, _) => Some(false),
            (true, true) => Some(true),
            (true, false) => None,
        }
    }

    /// Whether they are of age.
    pub fn majority(&self, law: &Law, at: Timestamp) -> Majority {
        match self.reached(law.of(&self.jurisdiction).majority, at) {
            Some(true) => Majority::Adult,
            Some(false) => Majority::Minor,
            None => Majority::Unsure,
        }
    }
}
