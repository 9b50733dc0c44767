//! How things look: sizes in points, colours of good contrast on white.

/// A colour: red, green, blue.
pub(crate) type Colour = (u8, u8, u8);

pub(crate) const INK: Colour = (0x1b, 0x1f, 0x24);
pub(crate) const QUIET: Colour = (0x51, 0x5b, 0x66);
pub(crate) const ACCENT: Colour = (0x0b, 0x57, 0x5e);
pub(crate) const RULE: Colour = (0xc9, 0xd1, 0xd6);

/// The margin at the sides, at the top, and at the bottom, where the footer is.
pub(crate) const SIDE: f32 = 56.0;
pub(crate) const TOP: f32 = 56.0;
pub(crate) const BOTTOM: f32 = 64.0;
/// How far the footer's line is from the bottom.
pub(crate) const FOOT: f32 = 34.0;
/// How far a list's text is from its marks, and a notice's from its bar.
pub(crate) const INDENT: f32 = 14.0;
/// The space between the columns of a table, and around its rows.
pub(crate) const GUTTER: f32 = 10.0;
pub(crate) const ROW_SPACE: f32 = 4.0;

/// How a text is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    pub(crate) size: f32,
    pub(crate) bold: bool,
    pub(crate) colour: Colour,
    /// The space before and after it.
    pub(crate) before: f32,
    pub(crate) after: f32,
}

const fn style(size: f32, bold: bool, colour: Colour, before: f32, after: f32) -> Style {
    Style { size, bold, colour, before, after }
}

pub(crate) const BODY: Style = style(10.0, false, INK, 0.0, 6.0);
pub(crate) const SMALL: Style = style(8.5, false, QUIET, 3.0, 3.0);
pub(crate) const NOTICE: Style = style(9.5, false, INK, 4.0, 10.0);
pub(crate) const CAPTION: Style = style(9.0, true, QUIET, 6.0, 3.0);
pub(crate) const TITLES: Style = style(8.5, true, QUIET, 0.0, 0.0);
pub(crate) const CELL: Style = style(9.5, false, INK, 0.0, 0.0);
pub(crate) const ROW_HEADER: Style = style(9.5, true, INK, 0.0, 0.0);

/// The style of a heading.
pub(crate) const fn heading(level: u8) -> Style {
    match level {
        1 => style(21.0, true, ACCENT, 0.0, 6.0),
        2 => style(14.0, true, ACCENT, 18.0, 6.0),
        _ => style(11.0, true, INK, 12.0, 3.0),
    }
}
