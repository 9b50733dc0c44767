//! By when a request has to be answered, as a table: `mappings/tables/deadlines.toml`.

use jiff::civil::Date;
use serde::{Deserialize, Deserializer};

use super::{Matter, Regime};

/// The table.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Its rows.
    #[serde(rename = "deadline")]
    deadlines: Vec<Deadline>,
}

/// A row: by when some requests have to be answered under some laws.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// Which requests.
    #[serde(deserialize_with = "words")]
    requests: Vec<Matter>,
    /// Under which laws.
    #[serde(deserialize_with = "words")]
    regimes: Vec<Regime>,
    /// How long after the day of receipt; nothing where the law names no term.
    pub term: Option<Span>,
    /// How far that may be moved on, once.
    pub extension: Option<Span>,
    /// What waiting for a proof of who asks does.
    pub identity: Identity,
    /// What a last day on a weekend does.
    pub weekend: Weekend,
    /// How many days before the last one somebody is reminded.
    pub remind: Vec<i64>,
    /// Where the law says so.
    pub source: String,
}

/// A length of time, in whole days or whole months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Span {
    /// Days.
    Days(i64),
    /// Months; one that has no such day ends on its last (Regulation 1182/71 art. 3(2)(c)).
    Months(i64),
}

/// What waiting for a proof of who asks does to the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// Nothing: it runs (45 CFR 164.514(h)).
    Runs,
    /// It stops the clock (GDPR art. 12(6)).
    Pauses,
}

/// What becomes of a last day that is a Saturday or a Sunday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weekend {
    /// It stays.
    Stays,
    /// The Monday after is the last day.
    Moves,
}

impl Terms {
    /// Whether some row names the law.
    pub fn names(&self, regime: &Regime) -> bool {
        self.deadlines.iter().any(|row| row.regimes.contains(regime))
    }

    /// The rows that bind an answer: that of the law, and for a state's law also that of HIPAA.
    pub fn of(&self, matter: Matter, regime: &Regime) -> Vec<&Deadline> {
        let find = |regime: &Regime| {
            self.deadlines
                .iter()
                .find(|row| row.requests.contains(&matter) && row.regimes.contains(regime))
        };
        let federal = match regime {
            Regime::State(_) => find(&Regime::Hipaa),
            Regime::Hipaa | Regime::Part2 | Regime::Gdpr => None,
        };
        find(regime).into_iter().chain(federal).collect()
    }
}

impl Span {
    /// The day that is so long after another; nothing beyond the end of the calendar.
    pub fn after(self, day: Date) -> Option<Date> {
        let span = match self {
            Self::Days(days) => jiff::Span::new().try_days(days),
            Self::Months(months) => jiff::Span::new().try_months(months),
        };
        day.checked_add(span.ok()?).ok()
    }
}

/// Reads a list of words, of which each has to be known.
fn words<'de, D: Deserializer<'de>, T: std::str::FromStr>(source: D) -> Result<Vec<T>, D::Error> {
    let words = Vec::<String>::deserialize(source)?;
    let read = |word: &String| {
        word.parse().map_err(|_unknown| {
            serde::de::Error::custom(format_args!("{word:?} is not a request or a regime"))
        })
    };
    words.iter().map(read).collect()
}

#[cfg(test)]
impl Terms {
    /// The table of this repository.
    pub(crate) fn shipped() -> Self {
        toml::from_str(include_str!("../../../mappings/tables/deadlines.toml")).unwrap()
    }

    /// Its rows.
    pub(super) fn rows(&self) -> &[Deadline] {
        &self.deadlines
    }
}
