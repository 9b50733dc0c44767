//! Narrative: XHTML made of escaped text only.
//!
//! FHIR R4, Narrative (txt-1, txt-2): basic formatting elements, never empty. Whatever a record
//! holds becomes text in it; no element or attribute ever comes from a record. `dir="auto"` lets
//! each paragraph run in the direction of its own script.

/// A narrative, being put together.
pub(super) struct Narrative(String);

impl Narrative {
    /// Starts a narrative under a title.
    pub(super) fn new(title: &str) -> Self {
        let mut narrative = Self("<div xmlns=\"http://www.w3.org/1999/xhtml\">".to_owned());
        narrative.element("h2", title);
        narrative
    }

    /// Adds a heading.
    pub(super) fn heading(&mut self, text: &str) {
        self.element("h3", text);
    }

    /// Adds a paragraph, if there is text for one.
    pub(super) fn paragraph(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.element("p", text);
        }
    }

    /// Adds a list, if there is anything in it.
    pub(super) fn list(&mut self, items: &[String]) {
        if !items.is_empty() {
            self.0.push_str("<ul>");
            for item in items {
                self.element("li", item);
            }
            self.0.push_str("</ul>");
        }
    }

    /// The finished `div`.
    pub(super) fn div(mut self) -> String {
        self.0.push_str("</div>");
        self.0
    }

    fn element(&mut self, name: &str, text: &str) {
        self.0.extend(["<", name, " dir=\"auto\">"]);
        self.0.extend(text.chars().map(escaped));
        self.0.extend(["</", name, ">"]);
    }
}

/// A character as text of XHTML; one that XML cannot hold becomes the replacement character.
fn escaped(c: char) -> std::borrow::Cow<'static, str> {
    match c {
        '&' => "&amp;".into(),
        '<' => "&lt;".into(),
        '>' => "&gt;".into(),
        '"' => "&quot;".into(),
        '\'' => "&#39;".into(),
        '\t' | '\n' | '\r' => " ".into(),
        '\u{fffe}' | '\u{ffff}' => "\u{fffd}".into(),
        c if c.is_control() => "\u{fffd}".into(),
        c => c.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_becomes_text() {
        let mut narrative = Narrative::new("Plan");
        narrative.paragraph("<script>alert(1)</script> ]]> <svg/onload=x> &lol; \u{fffe}\u{0}");
        narrative.paragraph("  ");
        let div = narrative.div();
        assert_eq!(div.matches('<').count(), 6);
        assert!(!div.contains("<script") && !div.contains("]]>") && !div.contains("&lol"));
        assert!(!div.contains('\u{fffe}') && !div.contains('\u{0}'));
    }
}
