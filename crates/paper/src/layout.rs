//! What goes where on which page, and to which part of the structure it belongs.

use crate::document::{Block, Document, Table};
use crate::fonts::Fonts;
use crate::line::{Line, set};
use crate::style::{self, Colour, Style};

/// A document with everything in its place.
#[derive(Debug, Default)]
pub(crate) struct LaidOut {
    pub(crate) pages: Vec<Vec<Item>>,
    pub(crate) tree: Vec<Part>,
    /// How many leaves the tree has.
    pub(crate) leaves: usize,
    pub(crate) headings: Vec<Mark>,
}

/// Where a heading is, for the outline.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) level: u8,
    pub(crate) text: String,
    pub(crate) page: usize,
    pub(crate) y: f32,
}

/// Something on a page.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) shape: Shape,
    /// The leaf of the structure that it belongs to; none for what only adorns.
    pub(crate) leaf: Option<usize>,
}

#[derive(Debug)]
pub(crate) enum Shape {
    Line(Line),
    Box { width: f32, height: f32, colour: Colour },
}

/// A part of the document's structure.
#[derive(Debug)]
pub(crate) enum Part {
    Heading(u8, String, usize),
    Paragraph(usize),
    /// The mark and the text of each item.
    List(Vec<(usize, usize)>),
    Table {
        caption: Option<usize>,
        titles: Vec<usize>,
        rows: Vec<Vec<usize>>,
    },
}

struct Layout<'a> {
    fonts: &'a mut Fonts,
    out: LaidOut,
    y: f32,
    width: f32,
    height: f32,
}

/// Puts everything in its place.
pub(crate) fn lay_out(document: &Document, fonts: &mut Fonts) -> LaidOut {
    let (width, height) = document.size.points();
    let out = LaidOut { pages: vec![Vec::new()], ..LaidOut::default() };
    let width = width - 2.0 * style::SIDE;
    let mut layout = Layout { fonts, out, y: style::TOP, width, height };
    for block in &document.blocks {
        layout.block(block);
    }
    layout.feet(document);
    layout.out
}

impl Layout<'_> {
    fn block(&mut self, block: &Block) {
        match block {
            Block::Heading { level, text } => self.heading(*level, text),
            Block::Paragraph(text) => self.paragraph(text, style::BODY),
            Block::Quiet(text) => self.paragraph(text, style::SMALL),
            Block::Notice(text) => self.notice(text),
            Block::List(items) => self.list(items),
            Block::Table(table) => self.table(table),
        }
    }

    fn leaf(&mut self) -> usize {
        self.out.leaves += 1;
        self.out.leaves - 1
    }

    fn room(&self) -> f32 {
        self.height - style::BOTTOM - self.y
    }

    fn is_at_top(&self) -> bool {
        self.y <= style::TOP
    }

    fn turn(&mut self) {
        self.out.pages.push(Vec::new());
        self.y = style::TOP;
    }

    fn space(&mut self, points: f32) {
        if !self.is_at_top() {
            self.y += points;
        }
    }

    fn place(&mut self, x: f32, y: f32, shape: Shape, leaf: Option<usize>) {
        if let Some(page) = self.out.pages.last_mut() {
            page.push(Item { x, y, shape, leaf });
        }
    }

    fn rule(&mut self, y: f32) {
        let shape = Shape::Box { width: self.width, height: 0.6, colour: style::RULE };
        self.place(style::SIDE, y, shape, None);
    }

    /// Lines one below the other, over as many pages as they need.
    fn lines(&mut self, x: f32, lines: Vec<Line>, leaf: usize, bar: bool) {
        for line in lines {
            if line.height > self.room() && !self.is_at_top() {
                self.turn();
            }
            let height = line.height;
            if bar {
                let shape = Shape::Box { width: 2.5, height, colour: style::ACCENT };
                self.place(style::SIDE, self.y, shape, None);
            }
            self.place(x, self.y, Shape::Line(line), Some(leaf));
            self.y += height;
        }
    }

    fn heading(&mut self, level: u8, text: &str) {
        // A heading that says nothing is none, and not allowed.
        let text = self.fonts.drawable(&text.replace('\n', " "));
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let style = style::heading(level);
        let lines = set(self.fonts, text, style, self.width);
        // A heading is not left alone at the end of a page.
        let needed = lines.iter().map(|line| line.height).sum::<f32>() + style.before + 48.0;
        if needed > self.room() && !self.is_at_top() {
            self.turn();
        }
        self.space(style.before);
        let mark = Mark {
            level,
            text: text.to_owned(),
            page: self.out.pages.len() - 1,
            y: (self.y - 12.0).max(0.0),
        };
        self.out.headings.push(mark);
        let leaf = self.leaf();
        self.lines(style::SIDE, lines, leaf, false);
        if level == 2 {
            self.rule(self.y + 1.0);
            self.y += 3.0;
        }
        self.y += style.after;
        self.out.tree.push(Part::Heading(level, text.to_owned(), leaf));
    }

    fn paragraph(&mut self, text: &str, style: Style) {
        let lines = set(self.fonts, text, style, self.width);
        let leaf = self.leaf();
        self.space(style.before);
        self.lines(style::SIDE, lines, leaf, false);
        self.y += style.after;
        self.out.tree.push(Part::Paragraph(leaf));
    }

    fn notice(&mut self, text: &str) {
        let style = style::NOTICE;
        let lines = set(self.fonts, text, style, self.width - style::INDENT);
        let leaf = self.leaf();
        self.space(style.before);
        self.lines(style::SIDE + style::INDENT, lines, leaf, true);
        self.y += style.after;
        self.out.tree.push(Part::Paragraph(leaf));
    }

    fn list(&mut self, items: &[String]) {
        let mut parts = Vec::new();
        for item in items {
            let lines = set(self.fonts, item, style::BODY, self.width - 2.0 * style::INDENT);
            let Some(first) = lines.first() else { continue };
            let (height, is_rtl) = (first.height, first.is_rtl);
            if height > self.room() && !self.is_at_top() {
                self.turn();
            }
            let (mark, body) = (self.leaf(), self.leaf());
            let across = self.width - style::INDENT;
            for dot in set(self.fonts, "•", style::BODY, style::INDENT) {
                let x =
                    if is_rtl { style::SIDE + across + style::INDENT / 2.0 } else { style::SIDE };
                self.place(x, self.y, Shape::Line(dot), Some(mark));
            }
            self.lines(style::SIDE + style::INDENT, lines, body, false);
            self.y += 1.5;
            parts.push((mark, body));
        }
        self.y += style::BODY.after;
        if !parts.is_empty() {
            self.out.tree.push(Part::List(parts));
        }
    }

    fn table(&mut self, table: &Table) {
        let places = self.places(table);
        if self.room() < 64.0 {
            self.turn();
        }
        let caption = (!table.caption.is_empty()).then(|| self.leaf());
        if let Some(leaf) = caption {
            let style = style::CAPTION;
            self.space(style.before);
            let lines = set(self.fonts, &table.caption, style, self.width);
            self.lines(style::SIDE, lines, leaf, false);
            self.y += style.after;
        }
        let titles: Vec<usize> = if table.has_titles() {
            table.columns.iter().map(|_| self.leaf()).collect()
        } else {
            Vec::new()
        };
        self.titles(table, &places, Some(&titles));
        let mut rows = Vec::new();
        for row in &table.rows {
            let cells = row.iter().zip(&places).enumerate();
            let cells: Vec<Vec<Line>> = cells
                .map(|(column, (cell, (_, width)))| {
                    let style = if column == 0 { style::ROW_HEADER } else { style::CELL };
                    set(self.fonts, cell, style, *width)
                })
                .collect();
            let leaves: Vec<usize> = cells.iter().map(|_| self.leaf()).collect();
            self.row(table, &places, cells, &leaves);
            rows.push(leaves);
        }
        self.y += style::BODY.after + 2.0;
        self.out.tree.push(Part::Table { caption, titles, rows });
    }

    /// Where each column begins, and how wide it is.
    fn places(&self, table: &Table) -> Vec<(f32, f32)> {
        let shares: f32 = table.columns.iter().map(|column| f32::from(column.share)).sum();
        let mut x = style::SIDE;
        let place = |share: u8| {
            let width = self.width * f32::from(share) / shares.max(1.0);
            let place = (x, width - style::GUTTER);
            x += width;
            place
        };
        table.columns.iter().map(|column| column.share).map(place).collect()
    }

    /// The row of titles; without leaves it repeats one that was on an earlier page.
    fn titles(&mut self, table: &Table, places: &[(f32, f32)], leaves: Option<&[usize]>) {
        if !table.has_titles() {
            return;
        }
        let mut height: f32 = 0.0;
        for (number, (column, (x, width))) in table.columns.iter().zip(places).enumerate() {
            let lines = set(self.fonts, &column.title, style::TITLES, *width);
            let leaf = leaves.and_then(|leaves| leaves.get(number).copied());
            height = height.max(self.cell(*x, self.y, lines, leaf));
        }
        self.y += height + 2.0;
        self.rule(self.y);
        self.y += style::ROW_SPACE;
    }

    fn cell(&mut self, x: f32, top: f32, lines: Vec<Line>, leaf: Option<usize>) -> f32 {
        let mut y = top;
        for line in lines {
            let height = line.height;
            self.place(x, y, Shape::Line(line), leaf);
            y += height;
        }
        y - top
    }

    /// A row; one that is longer than what is left of the page goes on on the next.
    fn row(
        &mut self,
        table: &Table,
        places: &[(f32, f32)],
        mut cells: Vec<Vec<Line>>,
        leaves: &[usize],
    ) {
        let high = |cells: &[Vec<Line>]| {
            let heights = cells.iter().map(|cell| cell.iter().map(|line| line.height).sum::<f32>());
            heights.fold(0.0_f32, f32::max)
        };
        let page = self.height - style::TOP - style::BOTTOM;
        if high(&cells) > self.room() && high(&cells) < page / 2.0 {
            self.turn();
            self.titles(table, places, None);
        }
        loop {
            let (room, top) = (self.room(), self.y);
            let mut tallest: f32 = 0.0;
            for ((cell, (x, _)), leaf) in cells.iter_mut().zip(places).zip(leaves) {
                let mut height = 0.0;
                let fitting = cell.iter().take_while(|line| {
                    height += line.height;
                    height <= room
                });
                let fitting = fitting.count();
                let rest = cell.split_off(fitting);
                let lines = std::mem::replace(cell, rest);
                tallest = tallest.max(self.cell(*x, top, lines, Some(*leaf)));
            }
            self.y = top + tallest + style::ROW_SPACE;
            if cells.iter().all(Vec::is_empty) {
                break;
            }
            self.turn();
            self.titles(table, places, None);
        }
        self.rule(self.y - style::ROW_SPACE / 2.0);
        self.y += style::ROW_SPACE / 2.0;
    }

    /// The foot of each page.
    fn feet(&mut self, document: &Document) {
        let pages = self.out.pages.len();
        let style = style::SMALL;
        let y = self.height - style::FOOT - style.size;
        for number in 0..pages {
            let label = document.numbering.replace("{page}", &(number + 1).to_string());
            let label = label.replace("{pages}", &pages.to_string());
            // The footer's own direction is not the page's: it begins at the left.
            let feet = [format!("\u{200e}{}", document.footer), label];
            for (place, text) in feet.iter().enumerate() {
                let width = self.width * if place == 0 { 0.75 } else { 0.25 };
                let Some(line) = set(self.fonts, text, style, width).into_iter().next() else {
                    continue;
                };
                let shift = if place == 0 { 0.0 } else { self.width - line.width };
                if let Some(page) = self.out.pages.get_mut(number) {
                    let x = style::SIDE + shift;
                    page.push(Item { x, y, shape: Shape::Line(line), leaf: None });
                }
            }
        }
    }
}
