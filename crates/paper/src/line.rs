//! Lines of text: broken to a width, shaped, and put in order where two directions meet.

use std::rc::Rc;

use krilla::text::{GlyphId, KrillaGlyph};
use parley::layout::{Alignment, AlignmentOptions};
use parley::style::{FontWeight, LineHeight, OverflowWrap, StyleProperty};

use crate::fonts::{Fonts, is_unseen};
use crate::style::{Colour, Style};

/// How high a line is, beside the size of its letters.
const LEADING: f32 = 1.42;
/// How far below the middle of a line its letters stand, beside their size.
const BELOW_MIDDLE: f32 = 0.36;

/// A line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) runs: Vec<Run>,
    pub(crate) height: f32,
    /// From its top to where its letters stand.
    pub(crate) baseline: f32,
    pub(crate) width: f32,
    /// Whether it is written from right to left.
    pub(crate) is_rtl: bool,
    /// What it says, where the order of its glyphs is another than that of its letters.
    pub(crate) says: Option<String>,
    pub(crate) colour: Colour,
}

/// Glyphs of one font in a row.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) font: u64,
    pub(crate) size: f32,
    /// From the left end of the line's box.
    pub(crate) x: f32,
    pub(crate) glyphs: Vec<KrillaGlyph>,
    /// The text that the glyphs are of.
    pub(crate) text: Rc<str>,
}

/// The lines of a text in a box of that width.
pub(crate) fn set(fonts: &mut Fonts, text: &str, style: Style, width: f32) -> Vec<Line> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let paragraph = fonts.drawable(paragraph);
        set_one(fonts, &paragraph, style, width, &mut lines);
    }
    lines
}

fn set_one(fonts: &mut Fonts, text: &str, style: Style, width: f32, lines: &mut Vec<Line>) {
    let height = style.size * LEADING;
    let empty = Line {
        runs: Vec::new(),
        height: height / 2.0,
        // The same for every font, so that lines of different scripts are as far apart.
        baseline: height / 2.0 + style.size * BELOW_MIDDLE,
        width: 0.0,
        is_rtl: false,
        says: None,
        colour: style.colour,
    };
    if text.trim().is_empty() {
        lines.push(empty);
        return;
    }
    let mut builder = fonts.layout.ranged_builder(&mut fonts.context, text, 1.0, false);
    builder.push_default(StyleProperty::FontFamily(Fonts::family()));
    builder.push_default(StyleProperty::FontSize(style.size));
    builder.push_default(StyleProperty::LineHeight(LineHeight::Absolute(height)));
    builder.push_default(StyleProperty::OverflowWrap(OverflowWrap::Anywhere));
    if style.bold {
        builder.push_default(StyleProperty::FontWeight(FontWeight::BOLD));
    }
    let mut layout = builder.build(text);
    layout.break_all_lines(Some(width));
    layout.align(Alignment::Start, AlignmentOptions::default());
    let text: Rc<str> = Rc::from(text);
    for line in layout.lines() {
        let mut x = line.metrics().offset;
        let turned = line.runs().any(|run| run.is_rtl());
        let says = turned.then(|| text.get(line.text_range()).unwrap_or_default().to_owned());
        let mut set = Line { height, is_rtl: layout.is_rtl(), says, ..empty.clone() };
        for run in line.runs() {
            let start = x;
            x += run.advance();
            let glyphs = glyphs(&run);
            if !glyphs.is_empty() {
                let (font, size) = (run.font().data.id(), run.font_size());
                set.runs.push(Run { font, size, x: start, glyphs, text: Rc::clone(&text) });
            }
        }
        set.width = x;
        lines.push(set);
    }
}

/// The glyphs of a run, from left to right.
fn glyphs(run: &parley::layout::Run<'_, ()>) -> Vec<KrillaGlyph> {
    let size = run.font_size();
    let mut glyphs: Vec<KrillaGlyph> = Vec::new();
    for cluster in run.visual_clusters() {
        let range = cluster.text_range();
        if cluster.is_ligature_continuation() {
            // The letters of a ligature belong to its one glyph.
            if let Some(glyph) = glyphs.last_mut() {
                glyph.text_range.start = glyph.text_range.start.min(range.start);
                glyph.text_range.end = glyph.text_range.end.max(range.end);
            }
            continue;
        }
        // What is not seen has the glyph of a space, which then would read as that everywhere.
        if is_unseen(cluster.source_char()) {
            continue;
        }
        glyphs.extend(cluster.glyphs().map(|glyph| {
            let (advance, x, y) = (glyph.advance / size, glyph.x / size, glyph.y / size);
            KrillaGlyph::new(GlyphId::new(glyph.id), advance, x, y, 0.0, range.clone(), None)
        }));
    }
    glyphs
}
