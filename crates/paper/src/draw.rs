//! Writes what is laid out as a PDF.

use krilla::SerializeSettings;
use krilla::color::rgb;
use krilla::configure::{Accessibility, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::num::NormalizedF32;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule};
use krilla::surface::Surface;
use krilla::tagging::{Artifact, ArtifactType, ContentTag, Identifier, SpanTag};

use crate::Error;
use crate::document::{Document, Moment};
use crate::fonts::Fonts;
use crate::layout::{Item, LaidOut, Mark, Shape};
use crate::line::Line;
use crate::style::{self, Colour};
use crate::tags;

/// The document as a PDF.
pub(crate) fn draw(
    document: &Document,
    laid_out: &LaidOut,
    fonts: &Fonts,
) -> Result<Vec<u8>, Error> {
    let configuration = ConfigurationBuilder::new()
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|cause| Error::Pdf(format!("{cause:?}")))?;
    let settings = SerializeSettings { configuration, ..SerializeSettings::default() };
    let mut pdf = krilla::Document::new_with(settings);
    let (width, height) = document.size.points();
    let size = PageSettings::from_wh(width, height)
        .ok_or_else(|| Error::Pdf("a page without a size".to_owned()))?;
    let mut leaves: Vec<Vec<Identifier>> = (0..laid_out.leaves).map(|_| Vec::new()).collect();
    for items in &laid_out.pages {
        let mut page = pdf.start_page_with(size.clone());
        let mut surface = page.surface();
        for item in items {
            draw_item(&mut surface, item, fonts, &mut leaves);
        }
        surface.finish();
        page.finish();
    }
    pdf.set_outline(outline(&laid_out.headings));
    pdf.set_metadata(metadata(document));
    pdf.set_tag_tree(tags::tree(&laid_out.tree, leaves, &document.language));
    pdf.finish().map_err(|cause| Error::Pdf(format!("{cause:?}")))
}

fn draw_item(
    surface: &mut Surface<'_>,
    item: &Item,
    fonts: &Fonts,
    leaves: &mut [Vec<Identifier>],
) {
    if matches!(&item.shape, Shape::Line(line) if line.runs.is_empty()) {
        return;
    }
    let tag = match (item.leaf, &item.shape) {
        (Some(_), Shape::Line(line)) => {
            ContentTag::Span(SpanTag::empty().with_actual_text(line.says.as_deref()))
        }
        (Some(_), Shape::Box { .. }) => ContentTag::Other,
        (None, Shape::Line(_)) => ContentTag::Artifact(Artifact::with_kind(ArtifactType::Footer)),
        (None, Shape::Box { .. }) => {
            ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout))
        }
    };
    let drawn = surface.start_tagged(tag);
    match &item.shape {
        Shape::Line(line) => draw_line(surface, item, line, fonts),
        Shape::Box { width, height, colour } => {
            fill(surface, *colour);
            let mut path = PathBuilder::new();
            if let Some(rect) = Rect::from_xywh(item.x, item.y, *width, *height) {
                path.push_rect(rect);
            }
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
    }
    surface.end_tagged();
    if let Some(leaf) = item.leaf.and_then(|leaf| leaves.get_mut(leaf)) {
        leaf.push(drawn);
    }
}

fn draw_line(surface: &mut Surface<'_>, item: &Item, line: &Line, fonts: &Fonts) {
    fill(surface, line.colour);
    for run in &line.runs {
        let Some(font) = fonts.drawn(run.font) else { continue };
        let start = Point::from_xy(item.x + run.x, item.y + line.baseline);
        surface.draw_glyphs(start, &run.glyphs, font.clone(), &run.text, run.size, false);
    }
}

fn fill(surface: &mut Surface<'_>, (red, green, blue): Colour) {
    surface.set_fill(Some(Fill {
        paint: rgb::Color::new(red, green, blue).into(),
        opacity: NormalizedF32::ONE,
        rule: FillRule::default(),
    }));
}

fn metadata(document: &Document) -> Metadata {
    let Moment { year, month, day, hour, minute, second } = document.made;
    let made = DateTime::new(year).month(month).day(day).hour(hour).minute(minute).second(second);
    Metadata::new()
        .title(document.title.clone())
        .language(document.language.clone())
        .creator("throughline".to_owned())
        .producer("throughline".to_owned())
        .creation_date(made.utc_offset_hour(0).utc_offset_minute(0))
}

/// The headings, those of the third level below those of the second.
fn outline(marks: &[Mark]) -> Outline {
    let mut outline = Outline::new();
    let mut open: Option<OutlineNode> = None;
    for mark in marks {
        let place = XyzDestination::new(mark.page, Point::from_xy(style::SIDE, mark.y));
        let node = OutlineNode::new(mark.text.clone(), place);
        match &mut open {
            Some(parent) if mark.level > 2 => parent.push_child(node),
            _ => {
                if let Some(done) = open.replace(node) {
                    outline.push_child(done);
                }
            }
        }
    }
    if let Some(done) = open {
        outline.push_child(done);
    }
    outline
}
