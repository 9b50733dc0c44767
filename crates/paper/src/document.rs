//! What a document is made of.

/// A document.
#[derive(Debug, Clone)]
pub struct Document {
    /// What it is called, in its properties and in the reader's title bar.
    pub title: String,
    /// Its language (BCP 47), such as `en`.
    pub language: String,
    /// The size of its pages.
    pub size: Size,
    /// When it was made.
    pub made: Moment,
    /// What is at the foot of each page, beside its number.
    pub footer: String,
    /// How a page is numbered: `{page}` and `{pages}` stand for the numbers.
    pub numbering: String,
    /// What is in it, in reading order.
    pub blocks: Vec<Block>,
}

/// The size of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 210 by 297 millimetres.
    A4,
    /// 8.5 by 11 inches.
    Letter,
}

impl Size {
    /// Width and height in points.
    pub(crate) const fn points(self) -> (f32, f32) {
        match self {
            Self::A4 => (595.0, 842.0),
            Self::Letter => (612.0, 792.0),
        }
    }
}

/// A second in UTC.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Moment {
    pub year: u16,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
}

/// A part of a document. Each line of a text is set in its own direction, which its first letter
/// decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A heading.
    Heading {
        /// 1 is the document's own, 3 the deepest.
        level: u8,
        /// What it says.
        text: String,
    },
    /// A paragraph, which may have several lines.
    Paragraph(String),
    /// A paragraph that says something about others, in small print.
    Quiet(String),
    /// A paragraph that stands out.
    Notice(String),
    /// A list.
    List(Vec<String>),
    /// A table.
    Table(Table),
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What it shows; empty where the heading before it says so.
    pub caption: String,
    /// Its columns; where all titles are empty, the table has no row of titles.
    pub columns: Vec<Column>,
    /// Its rows, each with a cell for each column. The first cell of a row is the row's header.
    pub rows: Vec<Vec<String>>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// What is in it.
    pub title: String,
    /// How much of the width it takes, beside the others.
    pub share: u8,
}

impl Table {
    /// Whether its columns have titles.
    pub fn has_titles(&self) -> bool {
        self.columns.iter().any(|column| !column.title.is_empty())
    }
}
