//! The text of HTML and XHTML: what a reader would see, and nothing that could run, load or expand.
//!
//! Nothing is fetched and no entity of a document's own is known, so a reference to a file, or one
//! that holds a thousand others, stays the characters that it is written with.

/// How markup is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// HTML: a script that closes itself does not.
    Html,
    /// XHTML: every element may close itself.
    Xhtml,
}

/// Elements whose content is not text for a reader.
const SILENT: [&str; 6] = ["script", "style", "head", "template", "iframe", "object"];

/// Elements after which a reader sees a new line.
const LINES: [&str; 14] =
    ["br", "p", "div", "li", "ul", "ol", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote"];

/// The text for a reader.
pub(super) fn text(markup: &str, dialect: Dialect) -> String {
    let mut reader = Reader { dialect, out: String::with_capacity(markup.len()), silent: None };
    let mut rest = markup;
    while let Some((before, after)) = rest.split_once('<') {
        reader.text(&entities(before));
        rest = reader.markup(after);
    }
    reader.text(&entities(rest));
    reader.out.trim().to_owned()
}

struct Reader {
    dialect: Dialect,
    out: String,
    /// The element whose content is not read.
    silent: Option<&'static str>,
}

impl Reader {
    fn text(&mut self, text: &str) {
        if self.silent.is_none() {
            self.out.push_str(text);
        }
    }

    /// Reads what follows a `<`; answers what comes after it.
    fn markup<'a>(&mut self, after: &'a str) -> &'a str {
        // What is not read has no markup but its end: a script compares, too.
        if self.silent.is_some() && !after.starts_with('/') {
            return after;
        }
        if let Some(comment) = after.strip_prefix("!--") {
            return past(comment, "-->").unwrap_or_default();
        }
        if let Some(data) = after.strip_prefix("![CDATA[") {
            let (data, rest) = data.split_once("]]>").unwrap_or((data, ""));
            self.text(data);
            return rest;
        }
        if after.starts_with('?') {
            return past(after, "?>").or_else(|| past(after, ">")).unwrap_or_default();
        }
        let is_name = |c: char| c.is_ascii_alphabetic();
        let opens = after.strip_prefix('/').unwrap_or(after);
        if !after.starts_with('!') && !opens.starts_with(is_name) {
            self.text("<");
            return after;
        }
        let Some((inside, rest)) = tag(after) else {
            self.text("<");
            return after;
        };
        self.tag(inside);
        rest
    }

    fn tag(&mut self, inside: &str) {
        let closing = inside.starts_with('/');
        let empty = self.dialect == Dialect::Xhtml && inside.ends_with('/');
        let name = inside.trim_start_matches('/');
        let name = name.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
        let name = name.rsplit(':').next().unwrap_or_default().to_ascii_lowercase();
        match self.silent {
            Some(open) if closing && open == name => self.silent = None,
            Some(_) => {}
            None if closing || empty => {}
            None => self.silent = SILENT.into_iter().find(|silent| *silent == name),
        }
        if self.silent.is_none() && LINES.contains(&name.as_str()) && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }
}

/// What comes after an end.
fn past<'a>(text: &'a str, end: &str) -> Option<&'a str> {
    text.split_once(end).map(|(_, after)| after)
}

/// The inside of a tag or declaration, and what comes after its `>`: one that stands in quotes or in
/// the brackets of a declaration does not end it, unless nothing else does.
fn tag(after: &str) -> Option<(&str, &str)> {
    let declares = after.starts_with('!');
    let (mut quote, mut brackets) = (None, 0_usize);
    for (at, c) in after.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '[') if declares => brackets += 1,
            (None, ']') if declares => brackets = brackets.saturating_sub(1),
            (None, '>') if brackets == 0 => return Some((after.get(..at)?, after.get(at + 1..)?)),
            _ => {}
        }
    }
    after.split_once('>')
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_what_a_reader_would_see() {
        let html = "<p>Fine &amp; <b>well</b>,<br/>5 &lt; 6 &#x1F600;</p><ul><li>one</li><li>two</li></ul>";
        assert_eq!(text(html, Dialect::Html), "Fine & well,\n5 < 6 😀\none\ntwo");
    }

    #[test]
    fn scripts_styles_and_comments_of_html_are_not_text() {
        let html =
            "a<script>alert('x')</script>b<style>p{}</style>c<!-- d --><img src=x onerror=y>e";
        assert_eq!(text(html, Dialect::Html), "abce");
        assert_eq!(text("1 < 2 && 3 > 2", Dialect::Html), "1 < 2 && 3 > 2");
        assert_eq!(text("<script>never closed", Dialect::Html), "");
    }

    #[test]
    fn nothing_of_hostile_xhtml_is_left_but_its_words() {
        for (markup, expected) in [
            ("<p onclick=\"alert('a > b')\">Fine</p>", "Fine"),
            ("<p title='a > b'>Fine</p>", "Fine"),
            ("<html:script>alert(1)</html:script>Fine", "Fine"),
            ("<SCRIPT SRC=//x.example/a.js>alert(1)</SCRIPT>Fine", "Fine"),
            ("<script/>Fine", "Fine"),
            ("<script>if (a<b) { c('</p>') }</script>Fine", "Fine"),
            ("<iframe src=\"//x.example\">no frames</iframe>Fine", "Fine"),
            ("<object data=\"x.swf\">none</object>Fine", "Fine"),
            ("<img src=\"//x.example/p.png\" alt=\"x\"/>Fine", "Fine"),
            ("<a href=\"javascript:alert(1)\">Fine</a>", "Fine"),
            ("<?xml-stylesheet href=\"//x.example/s.xsl\"?>Fine", "Fine"),
            ("<!DOCTYPE p [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><p>Fine &a;</p>", "Fine &a;"),
            ("<!DOCTYPE p [<!ENTITY b \"&a;&a;\"><!ENTITY a \"]>\">]>Fine &b;", "Fine &b;"),
            ("<![CDATA[1 < 2 & <b>]]> Fine", "1 < 2 & <b> Fine"),
            ("<svg onload=alert(1)><text>Fine</text></svg>", "Fine"),
            ("&#60;script&#62;Fine", "<script>Fine"),
        ] {
            assert_eq!(text(markup, Dialect::Xhtml), expected, "{markup}");
        }
    }

    #[test]
    fn a_tag_that_was_cut_loses_no_words_after_it() {
        assert_eq!(text("<p title=\"Jo> and then</p>", Dialect::Xhtml), "and then");
        assert_eq!(text("a <b and then", Dialect::Xhtml), "a <b and then");
    }
}
