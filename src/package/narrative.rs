//! What people read, as the XHTML that FHIR allows in a narrative
//! (<https://hl7.org/fhir/R4/narrative.html>): no styles, no scripts, no links, everything escaped.

use paper::{Block, Table};

/// The narrative of some blocks; it is never empty.
pub(super) fn div(blocks: &[Block], otherwise: &str) -> String {
    let mut out = r#"<div xmlns="http://www.w3.org/1999/xhtml">"#.to_owned();
    let before = out.len();
    for block in blocks {
        write(&mut out, block);
    }
    if out.len() == before {
        element(&mut out, "p", otherwise);
    }
    out.push_str("</div>");
    out
}

fn write(out: &mut String, block: &Block) {
    match block {
        Block::Heading { text, .. } => element(out, "h3", text),
        Block::Paragraph(text) | Block::Notice(text) => element(out, "p", text),
        Block::Quiet(text) => {
            out.push_str("<p dir=\"auto\"><small>");
            escape(out, text);
            out.push_str("</small></p>");
        }
        Block::List(items) => {
            out.push_str("<ul>");
            for item in items {
                element(out, "li", item);
            }
            out.push_str("</ul>");
        }
        Block::Table(table) => write_table(out, table),
    }
}

fn write_table(out: &mut String, table: &Table) {
    out.push_str("<table>");
    if !table.caption.is_empty() {
        element(out, "caption", &table.caption);
    }
    if table.has_titles() {
        out.push_str("<thead><tr>");
        for column in &table.columns {
            element(out, "th", &column.title);
        }
        out.push_str("</tr></thead>");
    }
    out.push_str("<tbody>");
    for row in &table.rows {
        out.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            element(out, if column == 0 { "th" } else { "td" }, cell);
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table>");
}

fn element(out: &mut String, name: &str, text: &str) {
    out.push('<');
    out.push_str(name);
    out.push_str(r#" dir="auto">"#);
    escape(out, text);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// The text with what XML treats otherwise escaped, line ends as breaks, and nothing that XML 1.0
/// does not allow.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("<br/>"),
            '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_escaped() {
        let blocks = [Block::Paragraph("<script>alert(1)</script> ]]> &amp;\n\u{0}\"".to_owned())];
        let expected = "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p dir=\"auto\">&lt;script&gt;alert(1)\
            &lt;/script&gt; ]]&gt; &amp;amp;<br/>&quot;</p></div>";
        assert_eq!(div(&blocks, ""), expected);
    }

    #[test]
    fn nothing_is_said_in_words() {
        assert!(div(&[], "Nothing.").contains(">Nothing.<"));
    }
}
