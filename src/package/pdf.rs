//! The record as a PDF.

use jiff::tz::TimeZone;
use paper::{Block, Document, Moment, Size, Writer};

use crate::error::{Error, Result};

use super::readable::Readable;
use super::texts::fill;
use super::{Copy, Sheet};

/// The PDF of what is readable.
pub(super) fn pdf(copy: &Copy<'_>, readable: &Readable) -> Result<Vec<u8>> {
    let mut writer = Writer::new().map_err(Error::internal)?;
    let frame = &copy.texts.frame;
    let mut blocks = vec![Block::Heading { level: 1, text: readable.title.clone() }];
    let (whom, others) =
        readable.lede.split_first().map_or(("", &[][..]), |(a, b)| (a.as_str(), b));
    blocks.push(Block::Paragraph(whom.to_owned()));
    blocks.push(Block::Quiet(others.join("\n")));
    if let Some((title, text)) = &readable.notice {
        blocks.push(Block::Notice(format!("{title}\n{text}")));
    }
    let place = blocks.len();
    for section in &readable.sections {
        blocks.push(Block::Heading { level: 2, text: section.title.clone() });
        blocks.extend(section.blocks.iter().cloned());
    }
    if blocks.iter().any(|block| missing(&writer, block)) {
        blocks.insert(place, Block::Notice(frame.missing.clone()));
    }
    let values = [("title", &*readable.title), ("name", &*copy.name())];
    let document = Document {
        title: fill(&frame.footer, &values),
        language: copy.options.language.tag().to_owned(),
        size: match copy.options.sheet {
            Sheet::Letter => Size::Letter,
            Sheet::A4 => Size::A4,
        },
        made: moment(copy),
        footer: fill(&frame.footer, &values),
        numbering: frame.numbering.clone(),
        blocks,
    };
    writer.write(&document).map_err(Error::internal)
}

/// Whether a block has characters that cannot be drawn.
fn missing(writer: &Writer, block: &Block) -> bool {
    let has = |text: &String| writer.missing(text) > 0;
    match block {
        Block::Heading { text, .. }
        | Block::Paragraph(text)
        | Block::Quiet(text)
        | Block::Notice(text) => has(text),
        Block::List(items) => items.iter().any(has),
        Block::Table(table) => table.rows.iter().flatten().any(has),
    }
}

fn moment(copy: &Copy<'_>) -> Moment {
    let at = copy.options.at.to_zoned(TimeZone::UTC);
    let part = |number: i8| u8::try_from(number).unwrap_or_default();
    Moment {
        year: u16::try_from(at.year()).unwrap_or_default(),
        month: part(at.month()),
        day: part(at.day()),
        hour: part(at.hour()),
        minute: part(at.minute()),
        second: part(at.second()),
    }
}
