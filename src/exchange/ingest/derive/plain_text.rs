//! Text as people read it: markup taken off, never interpreted.
//!
//! What comes out is plain text and stays plain text: it is only ever put where FHIR holds a
//! string, or escaped into a narrative.

/// Text in one of the platform's formats, as plain text.
pub(super) fn plain(text: &str, format: Option<&str>) -> String {
    match format {
        Some("html") => from_html(text),
        Some("markdown") => from_markdown(text),
        _ => text.to_owned(),
    }
}

/// Elements whose content is not text for a reader.
const SILENT: [&str; 4] = ["script", "style", "head", "template"];

/// Elements after which a reader sees a new line.
const LINES: [&str; 14] =
    ["br", "p", "div", "li", "ul", "ol", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote"];

fn from_html(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    let mut silent: Option<&str> = None;
    while let Some((before, tag)) = rest.split_once('<') {
        if silent.is_none() {
            out.push_str(&entities(before));
        }
        if let Some(comment) = tag.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        if !tag.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!') {
            if silent.is_none() {
                out.push('<');
            }
            rest = tag;
            continue;
        }
        let (inside, after) = tag.split_once('>').unwrap_or((tag, ""));
        let closing = inside.starts_with('/');
        let name = inside.trim_start_matches('/');
        let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        match silent {
            Some(open) if closing && open == name => silent = None,
            Some(_) => {}
            None => silent = SILENT.into_iter().find(|s| !closing && *s == name),
        }
        if silent.is_none() && LINES.contains(&name.as_str()) && !out.ends_with('\n') {
            out.push('\n');
        }
        rest = after;
    }
    if silent.is_none() {
        out.push_str(&entities(rest));
    }
    out.trim().to_owned()
}

/// Replaces the five entities of XML, the no-break space and numeric references; others stay.
fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once('&') {
        out.push_str(before);
        let named = reference.split_once(';').filter(|(name, _)| name.len() <= 8);
        if let Some((character, after)) =
            named.and_then(|(name, after)| entity(name).map(|character| (character, after)))
        {
            out.push(character);
            rest = after;
        } else {
            out.push('&');
            rest = reference;
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    let numeric =
        |text: &str, radix| u32::from_str_radix(text, radix).ok().and_then(char::from_u32);
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => {
            let digits = name.strip_prefix('#')?;
            match digits.strip_prefix(['x', 'X']) {
                Some(hex) => numeric(hex, 16)?,
                None => numeric(digits, 10)?,
            }
        }
    };
    (!character.is_control() || matches!(character, '\n' | '\t')).then_some(character)
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
    fn html_becomes_what_a_reader_would_see() {
        let html = "<p>Fine &amp; <b>well</b>,<br/>5 &lt; 6 &#x1F600;</p><ul><li>one</li><li>two</li></ul>";
        assert_eq!(plain(html, Some("html")), "Fine & well,\n5 < 6 😀\none\ntwo");
    }

    #[test]
    fn scripts_styles_and_comments_of_html_are_not_text() {
        let html =
            "a<script>alert('x')</script>b<style>p{}</style>c<!-- d --><img src=x onerror=y>e";
        assert_eq!(plain(html, Some("html")), "abce");
        assert_eq!(plain("1 < 2 && 3 > 2", Some("html")), "1 < 2 && 3 > 2");
        assert_eq!(plain("<script>never closed", Some("html")), "");
    }

    #[test]
    fn markdown_keeps_words_and_shows_targets() {
        let markdown = "# Plan\n**Walk** daily, see [this](https://example.org) ![x](y.png)";
        let expected = "Plan\nWalk daily, see this (https://example.org) x (y.png)";
        assert_eq!(plain(markdown, Some("markdown")), expected);
        assert_eq!(plain("a [b] c", Some("markdown")), "a [b] c");
    }
}
