//! The words of what people read, as data: one file a language, read into one type, so that a text
//! that is missing, or that nobody uses, is found when they are read.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

pub(super) use crate::domain::fill;
use crate::error::{Error, Result};

/// A language that a record is made readable in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Spanish.
    Spanish,
}

impl Language {
    /// The BCP 47 tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
        }
    }

    /// The language of a tag, whatever its region.
    pub fn tagged(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        let all = [Self::English, Self::Spanish];
        all.into_iter().find(|language| primary.eq_ignore_ascii_case(language.tag()))
    }
}

macro_rules! texts {
    ($($table:ident : $name:ident { $($key:ident),* $(,)? })*) => {
        /// The texts of one language, a table for each part.
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct Texts {
            $(pub(super) $table: $name,)*
            /// What codes of FHIR mean in plain words.
            codes: BTreeMap<String, String>,
        }

        $(
            #[derive(Debug, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub(super) struct $name {
                $(pub(super) $key: String,)*
            }
        )*
    };
}

texts! {
    frame: Frame {
        title_access, title_transfer, title_summary, made, kept_by, for_whom, contents, footer,
        numbering, missing, times, part2, until, unknown, yes, no, none,
    }
    person: PersonTexts {
        title, name, also, born, gender, identifier, phone, email, address, language, contact, died,
    }
    reason: Reason { title }
    problems: Problems {
        title, what, code, status, since, by, empty,
    }
    allergies: Allergies { title, empty }
    medications: Medications { title, empty }
    plan: Plan { title, goals, goal, status, due, notes, interventions, activity }
    measures: Measures {
        title, caption, when, what, score, meaning, answers, question, answer, not_answered, other,
    }
    sessions: Sessions {
        title, caption, when, what, with, minutes, status, episodes, from, to,
    }
    appointments: Appointments { title, caption, when, what, status }
    documents: Documents { title, by, status, file, not_here }
    messages: Messages { title, not_delivered, to, attached, no_text }
    people: PeopleTexts { title, caption, name, role, contact, since }
    consents: Consents { title, what, status, when, recipient, until }
    log: Log { title, lede, caption, when, who, what, why, empty }
    left_out: LeftOut { title, lede, held, apart, others, allowed, unsigned, elsewhere, machine }
    readme: Readme { title, lede, open, files, check, private }
    dates: Dates { months, day, day_time, month }
}

impl Texts {
    /// The texts of a language.
    ///
    /// # Errors
    ///
    /// A file of this program that is not as it should be.
    pub(super) fn of(language: Language) -> Result<Self> {
        let file = match language {
            Language::English => include_str!("texts/en.toml"),
            Language::Spanish => include_str!("texts/es.toml"),
        };
        toml::from_str(file)
            .map_err(|cause| Error::broken(format_args!("the texts of records: {cause}")))
    }

    /// A code in plain words, or as it is.
    pub(super) fn code<'a>(&'a self, code: &'a str) -> &'a str {
        self.codes.get(code).map_or(code, String::as_str)
    }

    /// A date or a time as people write it, as precisely as it is known, and by the clock by which
    /// it was recorded.
    pub(super) fn date(&self, text: &str) -> String {
        let day = text.get(..10).and_then(|day| day.parse::<Date>().ok());
        let Some(day) = day else { return self.month(text) };
        let (number, year) = (day.day().to_string(), day.year().to_string());
        let month = self.month_name(day.month());
        let written = fill(&self.dates.day, &[("day", &number), ("month", month), ("year", &year)]);
        match text.get(11..16) {
            Some(time) if text.ends_with('Z') => {
                fill(&self.dates.day_time, &[("day", &written), ("time", &format!("{time} UTC"))])
            }
            Some(time) => fill(&self.dates.day_time, &[("day", &written), ("time", time)]),
            None => written,
        }
    }

    fn month(&self, text: &str) -> String {
        let (year, month) = text.split_once('-').unwrap_or((text, ""));
        match month.parse() {
            Ok(month) if !self.month_name(month).is_empty() => {
                fill(&self.dates.month, &[("month", self.month_name(month)), ("year", year)])
            }
            _ => text.to_owned(),
        }
    }

    fn month_name(&self, number: i8) -> &str {
        let place = usize::try_from(number).unwrap_or_default().checked_sub(1);
        place.and_then(|place| self.dates.months.split(' ').nth(place)).unwrap_or_default()
    }

    /// From when until when; the end's day is left out where it is the beginning's.
    pub(super) fn period(&self, start: &str, end: &str) -> String {
        let same_day = start.get(..10).is_some_and(|day| end.get(..10) == Some(day));
        match (start, end, same_day, end.get(11..16)) {
            (start, "", ..) => self.date(start),
            ("", end, ..) => format!("{} {}", self.frame.until, self.date(end)),
            (start, _, true, Some(time)) => format!("{}–{time}", self.date(start)),
            (start, end, ..) => format!("{} – {}", self.date(start), self.date(end)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_precisely_as_they_are_known() {
        let (english, spanish) =
            (Texts::of(Language::English).unwrap(), Texts::of(Language::Spanish).unwrap());
        for (date, in_english, in_spanish) in [
            ("2026-08-05T10:02:00-06:00", "5 August 2026, 10:02", "5 de agosto de 2026, 10:02"),
            ("2026-08-05T10:02:00Z", "5 August 2026, 10:02 UTC", "5 de agosto de 2026, 10:02 UTC"),
            ("2026-08-05", "5 August 2026", "5 de agosto de 2026"),
            ("2026-08", "August 2026", "agosto de 2026"),
            ("2026", "2026", "2026"),
            ("", "", ""),
        ] {
            assert_eq!(english.date(date), in_english);
            assert_eq!(spanish.date(date), in_spanish);
        }
        let period = english.period("2026-08-05T10:02:00-06:00", "2026-08-05T10:52:00-06:00");
        assert_eq!(period, "5 August 2026, 10:02–10:52");
    }
}
