//! The record as sections that people read, each with the resources that it tells of. What a page,
//! a PDF and a document say is made from these, so that they say the same.

mod care;
mod contact;
mod measures;
mod papers;
mod people;

pub(super) use care::stands;
pub(super) use measures::is_result;

use paper::{Block, Column, Table};

use super::record::Record;
use super::texts::Texts;
use super::{Held, Log};

/// A section.
#[derive(Debug, Clone)]
pub(super) struct Section {
    /// What it is called in links to it.
    pub(super) anchor: &'static str,
    /// Its LOINC code, if there is one.
    pub(super) code: Option<&'static str>,
    /// What it is called.
    pub(super) title: String,
    /// What it says.
    pub(super) blocks: Vec<Block>,
    /// The resources that it tells of: `Type/id`.
    pub(super) entries: Vec<String>,
    /// Whether it is there without resources too, and says so.
    pub(super) always: bool,
}

impl Section {
    fn new(anchor: &'static str, code: Option<&'static str>, title: &str) -> Self {
        let title = title.to_owned();
        Self { anchor, code, title, blocks: Vec::new(), entries: Vec::new(), always: false }
    }

    fn table(&mut self, table: Table) {
        if !table.rows.is_empty() {
            self.blocks.push(Block::Table(table));
        }
    }

    fn heading(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !text.trim().is_empty() {
            self.blocks.push(Block::Heading { level: 3, text });
        }
    }

    fn says(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.blocks.push(Block::Paragraph(text));
        }
    }

    fn whispers(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.blocks.push(Block::Quiet(text));
        }
    }
}

/// A table with these columns, each with its share of the width.
fn table(caption: &str, columns: &[(&str, u8)]) -> Table {
    let column = |(title, share): &(&str, u8)| Column { title: (*title).to_owned(), share: *share };
    Table {
        caption: caption.to_owned(),
        columns: columns.iter().map(column).collect(),
        rows: Vec::new(),
    }
}

/// Those that are not empty, with something between.
fn joined<'a>(parts: impl IntoIterator<Item = &'a str>, between: &str) -> String {
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(between)
}

/// The sections of clinical content, in the order in which they are read.
pub(super) fn clinical(record: &Record, texts: &Texts, reason: Option<&str>) -> Vec<Section> {
    let mut sections = Vec::new();
    if let Some(reason) = reason {
        let mut section = Section::new("reason", Some("42349-1"), &texts.reason.title);
        section.says(reason);
        section.always = true;
        sections.push(section);
    }
    sections.push(care::problems(record, texts));
    sections.push(care::nothing(
        "allergies",
        "48765-2",
        &texts.allergies.title,
        &texts.allergies.empty,
    ));
    let medications = &texts.medications;
    sections.push(care::nothing("medications", "10160-0", &medications.title, &medications.empty));
    sections.extend(care::plans(record, texts));
    sections.push(measures::measures(record, texts));
    sections.push(contact::sessions(record, texts));
    sections.push(contact::appointments(record, texts));
    sections.push(papers::documents(record, texts));
    sections.push(contact::messages(record, texts));
    sections.push(people::team(record, texts));
    sections.push(papers::consents(record, texts));
    sections.retain(|section| section.always || !section.entries.is_empty());
    sections
}

/// Who the person is.
pub(super) fn person(record: &Record, texts: &Texts) -> Section {
    people::person(record, texts)
}

/// Who has received parts of the record.
pub(super) fn log(log: &[Log], texts: &Texts) -> Section {
    let words = &texts.log;
    let mut section = Section::new("log", None, &words.title);
    section.says(&words.lede);
    let columns = [(&*words.when, 2), (&*words.who, 3), (&*words.what, 4), (&*words.why, 3)];
    let mut rows = table(&words.caption, &columns);
    for entry in log {
        let (who, what, why) = (entry.who.clone(), entry.what.clone(), entry.why.clone());
        rows.rows.push(vec![texts.date(&entry.when), who, what, why]);
    }
    if rows.rows.is_empty() {
        section.says(&words.empty);
    }
    section.table(rows);
    section
}

/// What no copy has, in words that are the same for every record, and what was decided to be withheld
/// from this one.
pub(super) fn left_out(texts: &Texts, held: &[Held]) -> Section {
    let words = &texts.left_out;
    let mut section = Section::new("left-out", None, &words.title);
    section.says(&words.lede);
    section.blocks.push(Block::List(left_out_list(texts)));
    if !held.is_empty() {
        section.says(&words.held);
        let statements = held.iter().map(|one| one.statement.clone()).collect();
        section.blocks.push(Block::List(statements));
    }
    section
}

/// What no copy has, one by one.
pub(super) fn left_out_list(texts: &Texts) -> Vec<String> {
    let words = &texts.left_out;
    let all = [
        &words.apart,
        &words.allowed,
        &words.others,
        &words.unsigned,
        &words.machine,
        &words.elsewhere,
    ];
    all.into_iter().cloned().collect()
}
