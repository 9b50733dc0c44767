//! The record as a page that opens from the disk: one file without scripts, that asks for nothing
//! over the network.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use paper::{Block, Table};

use super::Copy;
use super::readable::Readable;
use super::texts::fill;

const STYLE: &str = include_str!("page/style.css");
/// Nothing but the style within may be used.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The page's style as a source of a Content Security Policy: its hash.
pub fn style_hash() -> String {
    format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, STYLE.as_bytes())))
}

/// The page of what is readable.
pub(super) fn html(copy: &Copy<'_>, readable: &Readable) -> Vec<u8> {
    let frame = &copy.texts.frame;
    let name = copy.name();
    let title = fill(&frame.footer, &[("title", &readable.title), ("name", &name)]);
    let (whom, others) =
        readable.lede.split_first().map_or(("", &[][..]), |(a, b)| (a.as_str(), b));
    let page = html! {
        (DOCTYPE)
        html lang=(copy.options.language.tag()) dir="ltr" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (readable.title) }
                    p.whom dir="auto" { (whom) }
                    @for line in others { p.quiet dir="auto" { (line) } }
                }
                @if let Some((title, text)) = &readable.notice {
                    aside aria-labelledby="notice" {
                        h2 #notice { (title) }
                        p lang="en" { (text) }
                    }
                }
                nav aria-labelledby="contents" {
                    h2 #contents { (frame.contents) }
                    ol { @for section in &readable.sections {
                        li { a href={ "#" (section.anchor) } { (section.title) } }
                    } }
                }
                main { @for section in &readable.sections {
                    section aria-labelledby=(section.anchor) {
                        h2 id=(section.anchor) { (section.title) }
                        @for block in &section.blocks { (part(block, &section.title)) }
                    }
                } }
            }
        }
    };
    page.into_string().into_bytes()
}

fn part(block: &Block, title: &str) -> Markup {
    html! {
        @match block {
            Block::Heading { text, .. } => h3 dir="auto" { (text) },
            Block::Paragraph(text) => p.text dir="auto" { (text) },
            Block::Quiet(text) => p.quiet dir="auto" { (text) },
            Block::Notice(text) => p.notice dir="auto" { (text) },
            Block::List(items) => ul { @for item in items { li dir="auto" { (item) } } },
            Block::Table(table) => (rows(table, title)),
        }
    }
}

fn rows(table: &Table, title: &str) -> Markup {
    let label = if table.caption.is_empty() { title } else { &table.caption };
    html! {
        div.wide role="group" aria-label=(label) tabindex="0" {
            table {
                @if !table.caption.is_empty() { caption dir="auto" { (table.caption) } }
                @if table.has_titles() {
                    thead { tr { @for column in &table.columns {
                        th scope="col" dir="auto" { (column.title) }
                    } } }
                }
                tbody { @for row in &table.rows { tr {
                    @for (column, cell) in row.iter().enumerate() {
                        @if column == 0 { th scope="row" dir="auto" { (cell) } }
                        @else { td dir="auto" { (cell) } }
                    }
                } } }
            }
        }
    }
}
