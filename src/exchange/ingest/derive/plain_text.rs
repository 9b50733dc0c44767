//! Text as people read it: markup taken off, never interpreted.
//!
//! What comes out is plain text and stays plain text: it is only ever put where FHIR holds a
//! string, or escaped into a narrative.

use super::markup::{self, Dialect};

/// Text in one of the platform's formats, as plain text.
pub(super) fn plain(text: &str, format: Option<&str>) -> String {
    match format {
        Some("html") => markup::text(text, Dialect::Html),
        Some("xhtml") => markup::text(text, Dialect::Xhtml),
        Some("markdown") => from_markdown(text),
        _ => text.to_owned(),
    }
}

fn from_markdown(markdown: &str) -> String {
    let lines: Vec<String> = markdown.lines().map(markdown_line).collect();
    lines.join("\n").trim().to_owned()
}

fn markdown_line(line: &str) -> String {
    let heading = line.trim_start_matches('#');
    let line = if heading.len() < line.len() && heading.starts_with(' ') {
        heading.trim_start()
    } else {
        line
    };
    let line = line.replace("**", "").replace("__", "").replace('`', "");
    links(&line)
}

/// Shows a link as its words followed by its target, which is text and not a link any more.
fn links(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, link)) = rest.split_once('[') {
        let parts = link.split_once("](").and_then(|(words, after)| {
            let (target, after) = after.split_once(')')?;
            (!words.contains(['[', ']'])).then_some((words, target, after))
        });
        if let Some((words, target, after)) = parts {
            out.push_str(before.strip_suffix('!').unwrap_or(before));
            out.push_str(words);
            out.push_str(" (");
            out.push_str(target);
            out.push(')');
            rest = after;
        } else {
            out.push_str(before);
            out.push('[');
            rest = link;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_characters_of_plain_text_are_kept_literally() {
        let text = "I tried the breathing 🫁 … مرحبا <b>ok?</b>";
        assert_eq!(plain(text, Some("text")), text);
        assert_eq!(plain(text, None), text);
    }

    #[test]
    fn markdown_keeps_words_and_shows_targets() {
        let markdown = "# Plan\n**Walk** daily, see [this](https://example.org) ![x](y.png)";
        let expected = "Plan\nWalk daily, see this (https://example.org) x (y.png)";
        assert_eq!(plain(markdown, Some("markdown")), expected);
        assert_eq!(plain("a [b] c", Some("markdown")), "a [b] c");
    }
}
