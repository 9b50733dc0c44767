//! What is in the archive, as it is read: by the page, the PDF and the README.

use crate::policy::notice;

use super::texts::fill;
use super::{Copy, sections};

/// What is in the archive; made once for the page, the PDF and the README.
pub(super) struct Readable {
    pub(super) title: String,
    /// What it is of, and when it was made; small print at the beginning.
    pub(super) lede: Vec<String>,
    /// The notice that goes with Part 2 records, if there are any.
    pub(super) notice: Option<(String, &'static str)>,
    pub(super) sections: Vec<sections::Section>,
}

impl Readable {
    pub(super) fn of(copy: &Copy<'_>) -> Self {
        let (texts, record) = (copy.texts, copy.record);
        let frame = &texts.frame;
        let born = texts.date(record.patient.text("/birthDate"));
        let born = if born.is_empty() { frame.unknown.clone() } else { born };
        let lede = vec![
            // The name's direction is its own, and not the sentence's.
            fill(
                &frame.for_whom,
                &[("name", &format!("\u{2068}{}\u{2069}", copy.name())), ("born", &born)],
            ),
            fill(&frame.kept_by, &[("practice", copy.practice())]),
            fill(&frame.made, &[("date", &texts.date(&copy.instant()))]),
            frame.times.clone(),
        ];
        let mut all = vec![sections::person(record, texts)];
        all.extend(sections::clinical(record, texts, copy.options.reason.as_deref()));
        all.extend(copy.beside.log.map(|log| sections::log(log, texts)));
        all.push(sections::left_out(texts, copy.beside.held));
        let notice = copy.marks.part2.then(|| (frame.part2.clone(), notice::STATEMENT));
        Self { title: copy.title().to_owned(), lede, notice, sections: all }
    }
}
