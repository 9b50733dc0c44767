//! Lays a document of headings, paragraphs, lists and tables out as a PDF that can be read aloud:
//! tagged, with a title, a language and an outline, as PDF/UA-1 (ISO 14289-1) asks.
//!
//! It knows nothing of health records, opens no files, asks no clock and looks for no fonts on the
//! machine: the same document gives the same bytes everywhere. A crate of its own because its
//! dependencies take a while to compile and seldom change.

mod document;
mod draw;
mod fonts;
mod layout;
mod line;
mod style;
mod tags;

pub use document::{Block, Column, Document, Moment, Size, Table};

use fonts::Fonts;

#[cfg(test)]
mod tests;

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The document is not one that PDF/UA allows, or a font is broken.
    #[error("the PDF cannot be written: {0}")]
    Pdf(String),
}

/// Writes documents. It keeps what is costly to make, and may be used for many.
pub struct Writer {
    fonts: Fonts,
}

impl Writer {
    /// Loads the fonts, which are part of the program.
    ///
    /// # Errors
    ///
    /// A font is broken.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { fonts: Fonts::load()? })
    }

    /// The document as a PDF.
    ///
    /// # Errors
    ///
    /// It is not one that PDF/UA allows: there is a table without rows, say.
    pub fn write(&mut self, document: &Document) -> Result<Vec<u8>, Error> {
        let laid_out = layout::lay_out(document, &mut self.fonts);
        draw::draw(document, &laid_out, &self.fonts)
    }

    /// How many characters of a text none of the fonts has; they are drawn as a replacement mark.
    pub fn missing(&self, text: &str) -> usize {
        self.fonts.missing(text)
    }
}
