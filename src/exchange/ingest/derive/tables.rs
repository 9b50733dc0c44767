//! The tables beside the maps (`mappings/tables/*.toml`): what is neither a map nor a code table.
//!
//! Each file says where its content comes from. They are read once, with the map set.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::policy::Law;
use crate::policy::request::Terms;
use crate::policy::retention::Schedules;

/// The tables that the pre-steps read.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    pub(super) sessions: SessionTypes,
    pub(super) notes: NoteClasses,
    pub(super) instruments: Instruments,
    pub(super) consents: ConsentTypes,
    pub(super) requests: RequestWords,
    /// `jurisdictions.toml`: what the law says that differs by place.
    pub law: Law,
    /// `deadlines.toml`: by when requests have to be answered.
    pub terms: Terms,
    /// `retention.toml`: how long records are kept.
    pub schedules: Schedules,
}

impl Tables {
    /// What notes of a class are called; nothing of a class that makes no resource.
    pub fn note_title(&self, class: &str) -> Option<&str> {
        let known = self.notes.class.iter().find(|known| known.class == class);
        known.map(|known| known.title.as_str())
    }
}

/// `session-types.toml`: sessions in words, and how long they may take.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionTypes {
    pub(super) cpt: Vec<CptCode>,
    /// The words for a format.
    pub(super) formats: BTreeMap<String, String>,
}

/// One CPT code, in our own words.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CptCode {
    pub(super) code: String,
    pub(super) text: String,
    /// The formats it is for; empty is any.
    #[serde(default)]
    pub(super) formats: Vec<String>,
    /// Fewest minutes face to face.
    pub(super) minutes_from: Option<i64>,
    /// Most minutes face to face.
    pub(super) minutes_to: Option<i64>,
    /// Fewest clients attending.
    pub(super) attending_from: Option<usize>,
}

/// `note-classes.toml`: the classes of note that make resources.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoteClasses {
    pub(super) class: Vec<NoteClass>,
    /// Discipline by licence type.
    pub(super) disciplines: BTreeMap<String, String>,
    /// Section titles by format and key.
    pub(super) sections: BTreeMap<String, BTreeMap<String, String>>,
    /// What is appended to a note, by language; the first is that of whoever's language has none.
    #[serde(default)]
    pub(super) appended: Vec<Appended>,
}

/// What is appended to a note, as a language calls it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Appended {
    /// The primary BCP 47 tag.
    pub(super) language: String,
    pub(super) correction: String,
    pub(super) disagreement: String,
    /// What the classes are called, where that differs.
    #[serde(default)]
    pub(super) titles: BTreeMap<String, String>,
}

/// One class of note.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoteClass {
    pub(super) class: String,
    pub(super) title: String,
    /// Whether it is a clinical note in the sense of US Core.
    pub(super) clinical: bool,
    /// Whether its document type depends on the author's discipline.
    #[serde(default)]
    pub(super) by_discipline: bool,
}

/// `instruments.toml`: questionnaires with known items.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Instruments {
    pub(super) instrument: Vec<Instrument>,
    pub(super) answer: Vec<Answer>,
    /// The answers to how difficult things are.
    pub(super) difficulty: Vec<Answer>,
}

/// One questionnaire.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Instrument {
    pub(super) name: String,
    pub(super) title: String,
    /// The questionnaire's canonical URL.
    pub(super) questionnaire: String,
    /// LOINC of the panel.
    pub(super) panel: String,
    /// LOINC of the total.
    pub(super) total: String,
    /// The highest total.
    pub(super) maximum: i64,
    /// LOINC of the question how difficult things are, which does not count.
    pub(super) difficulty: Option<String>,
    /// LOINC of the item that asks about self-harm.
    pub(super) risk_item: Option<String>,
    /// LOINC of the items, in order.
    pub(super) items: Vec<String>,
    /// The items in words, in the same order.
    pub(super) questions: Vec<String>,
    pub(super) severities: Vec<Severity>,
}

/// From which total on a severity holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Severity {
    pub(super) from: i64,
    pub(super) text: String,
}

/// One answer of the common answer list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub(super) value: i64,
    /// LOINC answer code.
    pub(super) code: String,
    pub(super) text: String,
}

/// `consent-types.toml`: what each type of consent is about.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsentTypes {
    #[serde(rename = "type")]
    pub(super) types: Vec<ConsentType>,
}

/// One type of consent.
#[expect(clippy::struct_excessive_bools, reason = "each is a column of the table")]
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ConsentType {
    pub(super) name: String,
    pub(super) title: String,
    /// Whether it is about privacy rather than about care.
    pub(super) privacy: bool,
    /// Whether it lets records out to somebody.
    pub(super) release: bool,
    /// Whether it must name a date or event with which it ends.
    pub(super) ends: bool,
    /// Whether spoken consent does not hold.
    pub(super) written: bool,
    /// Whether it is a 42 CFR Part 2 consent.
    pub(super) part2: bool,
    /// Whether it reaches psychotherapy notes.
    pub(super) psychotherapy_notes: bool,
    /// Keys of `codes/consent-category.json`.
    pub(super) categories: Vec<String>,
}

/// `request-words.toml`: how a request stands, in words.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestWords {
    /// The first is that of whoever's language has none.
    #[serde(default)]
    pub(super) language: Vec<StandingWords>,
}

/// The words of one language.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StandingWords {
    /// The primary BCP 47 tag.
    pub(super) tag: String,
    /// The months, from January on.
    pub(super) months: Vec<String>,
    /// A day.
    pub(super) day: String,
    /// A state with a last day.
    pub(super) due: String,
    /// States in words.
    pub(super) states: BTreeMap<String, String>,
}

impl Tables {
    /// Reads the tables of a mappings folder.
    pub fn load(mappings: &Path) -> Result<Self> {
        let folder = mappings.join("tables");
        Ok(Self {
            sessions: table(&folder, "session-types.toml")?,
            notes: table(&folder, "note-classes.toml")?,
            instruments: table(&folder, "instruments.toml")?,
            consents: table(&folder, "consent-types.toml")?,
            requests: table(&folder, "request-words.toml")?,
            law: table(&folder, "jurisdictions.toml")?,
            terms: table(&folder, "deadlines.toml")?,
            schedules: table(&folder, "retention.toml")?,
        })
    }
}

fn table<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T> {
    let path = folder.join(name);
    let shown = path.display();
    let text = std::fs::read_to_string(&path)
        .map_err(|e| Error::Setup(format!("cannot read the table {shown}: {e}")))?;
    toml::from_str(&text).map_err(|e| Error::Setup(format!("{shown} is not a valid table: {e}")))
}

#[cfg(test)]
impl Tables {
    /// The tables of this repository.
    pub(super) fn shipped() -> Self {
        Self::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings")).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_tables_load() {
        let tables = Tables::shipped();
        assert!(tables.instruments.instrument.iter().all(|i| i.items.len() == i.questions.len()));
        assert!(tables.sessions.cpt.iter().any(|cpt| cpt.code == "90837"));
    }

    #[test]
    fn a_missing_folder_names_the_table() {
        let error = Tables::load(Path::new("/nowhere")).unwrap_err().to_string();
        assert!(error.contains("session-types.toml"), "{error}");
    }
}
