//! How long records are kept: a table of what the law of places says
//! (`mappings/tables/retention.toml`), and what a practice has set itself.
//!
//! Of several rules that fit, the one that keeps longest counts; where none does, or something that
//! decides is not known, nothing is ever taken away.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use super::patient::Born;
use crate::domain::Kind;

/// The table.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedules {
    /// How long records are kept.
    pub schedule: Vec<Schedule>,
    /// What stays once they are gone.
    pub proof: Vec<Proof>,
}

/// How long records of a kind are kept somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Where: ISO 3166-1 or 3166-2; everywhere where it is empty.
    #[serde(default)]
    pub jurisdiction: String,
    /// The kind of record, or `*`.
    pub kind: String,
    /// For how many years.
    pub adult_years: i16,
    /// Of a minor, until this age and longer.
    #[serde(default)]
    pub minor_until_age: Option<i16>,
    /// For how many years longer.
    #[serde(default)]
    pub minor_extra_years: i16,
    /// For how many years notes are kept that are kept apart.
    #[serde(default)]
    pub psychotherapy_years: Option<i16>,
    /// From when on.
    pub basis: Basis,
    /// What says so.
    pub source: String,
    /// Whether somebody else takes care of them then, so that they stay here.
    #[serde(default)]
    pub archive: bool,
}

/// From when on the time runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The last contact with the person.
    LastContact,
    /// The day of the record itself.
    Creation,
}

/// What stays as proof.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The kind of record.
    pub kind: String,
    /// For how many years.
    pub years: i16,
    /// Whether it is moved to where nothing serves it.
    #[serde(default)]
    pub apart: bool,
    /// What says so.
    pub source: String,
}

/// The person, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Where the law about them is from.
    pub jurisdiction: String,
    /// When they were born.
    pub born: Born,
    /// The age of majority there.
    pub majority: i16,
    /// The day of the last contact with them.
    pub last_contact: Date,
}

/// A record, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dated {
    /// Its kind.
    pub kind: Kind,
    /// The day that it says it is about, where it says one.
    pub stated: Option<Date>,
    /// The day on which it last changed.
    pub changed: Date,
    /// Whether it is kept apart.
    pub is_apart: bool,
}

/// How long something is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Until {
    /// Up to and with this day, as this says.
    Day(Date, String),
    /// For ever, and why.
    Ever(&'static str),
}

impl Until {
    /// Whether its time is over.
    pub fn is_over(&self, today: Date) -> bool {
        matches!(self, Self::Day(last, _) if *last < today)
    }

    /// The later of two.
    #[must_use]
    pub fn or_later(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Ever(_), _) => self,
            (_, Self::Ever(_)) => other,
            (Self::Day(one, _), Self::Day(another, _)) => {
                if one >= another {
                    self
                } else {
                    other
                }
            }
        }
    }
}

impl Schedule {
    /// What a practice has set itself, as its `retention_policy` says it; nothing where that cannot be
    /// read, so that it never shortens anything.
    pub fn of_practice(id: &str, data: &Value) -> Option<Self> {
        let text = |name: &str| data.get(name).and_then(Value::as_str);
        let number = |name: &str| {
            let number = data.get(name).and_then(Value::as_i64);
            number.and_then(|number| i16::try_from(number).ok())
        };
        Some(Self {
            jurisdiction: text("jurisdiction").unwrap_or_default().to_owned(),
            kind: text("kind")?.to_owned(),
            adult_years: number("adult_years")?,
            minor_until_age: number("minor_until_age"),
            minor_extra_years: number("minor_extra_years").unwrap_or_default(),
            psychotherapy_years: number("psychotherapy_years"),
            basis: match text("basis") {
                Some("creation") => Basis::Creation,
                _ => Basis::LastContact,
            },
            source: format!("retention_policy {id}"),
            archive: text("action") == Some("archive"),
        })
    }

    fn fits(&self, person: &Person, record: Dated) -> bool {
        let country = person.jurisdiction.split('-').next().unwrap_or_default();
        let here = ["", country, &person.jurisdiction].contains(&self.jurisdiction.as_str());
        here && (self.kind == "*" || self.kind == record.kind.as_str())
    }

    fn until(&self, person: &Person, record: Dated) -> Until {
        if self.archive {
            return Until::Ever("the practice has it archived");
        }
        let base = match self.basis {
            Basis::LastContact => {
                record.stated.map_or(person.last_contact, |on| on.max(person.last_contact))
            }
            Basis::Creation => record.stated.unwrap_or(record.changed),
        };
        let apart = self.psychotherapy_years.filter(|_| record.is_apart);
        let Some(grown) = later(base, apart.unwrap_or(self.adult_years)) else {
            return Until::Ever("its day cannot be told");
        };
        let last = match self.minor_until_age {
            None => Some(grown),
            Some(age) => self.of_minor(person, base, age).map(|of_minor| of_minor.max(grown)),
        };
        last.map_or(Until::Ever("no date of birth is known"), |last| {
            Until::Day(last, self.source.clone())
        })
    }

    /// Until when the record of somebody is kept who was a minor on that day; of an adult, no longer
    /// than that day.
    fn of_minor(&self, person: &Person, on: Date, age: i16) -> Option<Date> {
        let (_, latest) = person.born.range()?;
        if later(latest, person.majority)? <= on {
            return Some(on);
        }
        later(latest, age.checked_add(self.minor_extra_years)?)
    }
}

impl Schedules {
    /// Until when a record is kept, by this table and what the practice has set itself.
    pub fn until(&self, own: &[Schedule], person: &Person, record: Dated) -> Until {
        let all = self.schedule.iter().chain(own);
        let fitting = all.filter(|schedule| schedule.fits(person, record));
        let untils = fitting.map(|schedule| schedule.until(person, record));
        untils.reduce(Until::or_later).unwrap_or(Until::Ever("there is no schedule for it"))
    }

    /// How records of a kind stay as proof, if they do.
    pub fn proof(&self, kind: Kind) -> Option<&Proof> {
        self.proof.iter().find(|proof| proof.kind == kind.as_str())
    }
}

fn later(day: Date, years: i16) -> Option<Date> {
    day.checked_add(i64::from(years).years()).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;

    fn shipped() -> Schedules {
        toml::from_str(include_str!("../../mappings/tables/retention.toml")).unwrap()
    }

    fn person(jurisdiction: &str, born: &str) -> Person {
        Person {
            jurisdiction: jurisdiction.to_owned(),
            born: Born::read(born),
            majority: 18,
            last_contact: date(2016, 3, 1),
        }
    }

    fn note(on: Date) -> Dated {
        Dated { kind: Kind::SessionNote, stated: Some(on), changed: on, is_apart: false }
    }

    #[test]
    fn how_long_a_record_is_kept_is_a_table() {
        let on = date(2015, 6, 1);
        let keeps = json!({ "kind": "session_note", "adult_years": 12, "basis": "creation" });
        let shorter = json!({ "kind": "*", "adult_years": 1 });
        let archived = json!({ "kind": "*", "adult_years": 1, "action": "archive" });
        let nobody = json!(null);
        for (what, jurisdiction, born, own, expected) in [
            ("an adult's", "US-CO", "1980-05-05", &nobody, "2023-03-01"),
            ("a minor's", "US-CO", "2005-05-05", &nobody, "2030-05-05"),
            ("who may have been one", "US-CO", "1998", &nobody, "2023-12-31"),
            ("who was nearly grown up", "US-CA", "1998-03-02", &nobody, "2023-03-02"),
            ("of age on the day", "US-CA", "1998-03-01", &nobody, "2023-03-01"),
            ("a minor's elsewhere", "US-NY", "2005-05-05", &nobody, "2027-05-05"),
            ("in a country", "DE", "", &nobody, "2026-03-01"),
            ("in a part of one", "DE-BY", "", &nobody, "2026-03-01"),
            ("of nobody knows what age", "US-CO", "", &nobody, "ever: no date of birth is known"),
            ("where nothing is known", "FR", "1980", &nobody, "ever: there is no schedule for it"),
            ("of a practice that keeps longer", "US-CO", "1980", &keeps, "2027-06-01"),
            ("of one that would keep less", "US-CO", "1980", &shorter, "2023-03-01"),
            ("of one with its own place", "FR", "1980", &keeps, "2027-06-01"),
            ("that is archived", "US-CO", "1980", &archived, "ever: the practice has it archived"),
        ] {
            let own: Vec<_> = Schedule::of_practice("rp", own).into_iter().collect();
            let found = match shipped().until(&own, &person(jurisdiction, born), note(on)) {
                Until::Day(day, _) => day.to_string(),
                Until::Ever(why) => format!("ever: {why}"),
            };
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn notes_that_are_kept_apart_have_their_own_time() {
        let own = json!({ "kind": "session_note", "adult_years": 9, "psychotherapy_years": 15 });
        let own = [Schedule::of_practice("rp", &own).unwrap()];
        let apart = Dated { is_apart: true, ..note(date(2015, 6, 1)) };
        let until = shipped().until(&own, &person("US-CO", "1980"), apart);
        assert_eq!(until, Until::Day(date(2031, 3, 1), "retention_policy rp".to_owned()));
    }

    #[test]
    fn every_row_says_where_it_is_from_and_names_a_kind() {
        let table = shipped();
        let is_kind = |kind: &str| kind == "*" || kind.parse::<Kind>().is_ok();
        for row in &table.schedule {
            assert!(!row.source.is_empty() && is_kind(&row.kind) && row.adult_years > 0, "{row:?}");
        }
        for row in &table.proof {
            assert!(!row.source.is_empty() && row.kind.parse::<Kind>().is_ok(), "{row:?}");
            assert!(row.years >= 6, "45 CFR 164.530(j)(2): {row:?}");
        }
    }

    #[test]
    fn the_last_day_is_kept_too() {
        let until = Until::Day(date(2026, 3, 1), String::new());
        assert!(!until.is_over(date(2026, 3, 1)) && until.is_over(date(2026, 3, 2)));
        assert!(!Until::Ever("x").is_over(date(9999, 1, 1)));
    }
}
