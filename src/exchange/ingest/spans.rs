//! Keeps the stretches about other people where they are meant, when a note's text is brought into
//! form: they are counted in Unicode scalars of the text as sent, and NFC or a character taken out
//! moves what comes after.

use serde_json::{Value, json};

use super::text::form;

/// Past the end of every text, as far as a whole number of FHIR goes.
const END: usize = i32::MAX as usize;

/// More stretches in a text that changes hide all of it.
const MOST: usize = 256;

/// Moves the stretches of a note whose text will change; where one begins or ends inside of what
/// becomes one character, or nobody can say which text it is in, all of the text is hidden.
pub(super) fn follow(record: &mut Value) {
    if record.get("kind").and_then(Value::as_str) != Some("session_note") {
        return;
    }
    let Some(data) = record.get_mut("data") else { return };
    let sections: Vec<Section> = list(data, "sections").iter().map(Section::of).collect();
    if sections.iter().all(|section| section.after.is_none()) {
        return;
    }
    let Some(Value::Array(spans)) = data.get_mut("third_party_spans") else { return };
    let many = spans.len() > MOST;
    for span in spans {
        let Some(name) = text(span, "section").map(|name| form(name).unwrap_or(name.to_owned()))
        else {
            continue;
        };
        let mut named = sections.iter().filter(|section| section.names.contains(&name));
        let ends = match (named.next(), named.next()) {
            (None, _) => continue,
            (Some(section), None) if section.after.is_none() => continue,
            (Some(section), None) if !many => section.moved(span),
            _ => None,
        };
        let (start, end) = ends.unwrap_or((0, END));
        if let Some(span) = span.as_object_mut() {
            span.insert("start".to_owned(), json!(start));
            span.insert("end".to_owned(), json!(end));
        }
    }
}

/// A section of a note, as it is found by a stretch.
struct Section {
    names: Vec<String>,
    before: String,
    /// The text in form, where that is another.
    after: Option<String>,
}

impl Section {
    fn of(section: &Value) -> Self {
        let names = ["key", "title"].iter().filter_map(|name| text(section, name));
        let before = text(section, "text").unwrap_or_default().to_owned();
        let names = names.map(|name| form(name).unwrap_or(name.to_owned())).collect();
        Self { names, after: form(&before), before }
    }

    /// Where a stretch is in the text in form; nothing where that cannot be said.
    fn moved(&self, span: &Value) -> Option<(usize, usize)> {
        let at = |name: &str| {
            let at = span.get(name).and_then(Value::as_u64)?;
            usize::try_from(at).ok()
        };
        let (start, end) = (at("start")?, at("end")?);
        let last = self.before.chars().count();
        let end = if end >= last || end <= start { END } else { self.place(end)? };
        Some((self.place(start.min(last))?, end))
    }

    /// Where a place of the text as sent is in the text in form: what stands before it and what
    /// stands after it come into form each for itself, or the place is in neither.
    fn place(&self, at: usize) -> Option<usize> {
        let after = self.after.as_deref()?;
        let byte = self.before.char_indices().nth(at).map_or(self.before.len(), |(byte, _)| byte);
        let (left, right) = self.before.split_at_checked(byte)?;
        let formed = |part: &str| form(part).unwrap_or(part.to_owned());
        let (left, right) = (formed(left), formed(right));
        let apart = after.strip_prefix(left.as_str()) == Some(right.as_str());
        apart.then(|| left.chars().count())
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::text::clean;
    use super::*;

    /// The text in form, and the stretch as it is after that.
    fn followed(sent: &str, start: usize, end: usize) -> (String, usize, usize) {
        let mut note = json!({"kind": "session_note", "data": {
            "sections": [{"key": "d", "text": sent}],
            "third_party_spans": [{"section": "d", "start": start, "end": end}]}});
        follow(&mut note);
        clean(&mut note);
        let at = |name: &str| {
            usize::try_from(note["data"]["third_party_spans"][0][name].as_u64().unwrap()).unwrap()
        };
        (note["data"]["sections"][0]["text"].as_str().unwrap().to_owned(), at("start"), at("end"))
    }

    #[test]
    fn a_stretch_stays_on_its_words_when_accents_are_composed_and_controls_go() {
        let sent = "e\u{301}te\u{301}\u{0}\u{1} Jonas was here";
        let start = sent.chars().position(|c| c == 'J').unwrap();
        let (text, start, end) = followed(sent, start, start + 5);
        assert_eq!(text.chars().skip(start).take(end - start).collect::<String>(), "Jonas");
    }

    #[test]
    fn a_stretch_that_cuts_a_character_hides_the_text() {
        assert_eq!(followed("xe\u{301} y", 2, 4), ("xé y".to_owned(), 0, END));
        assert_eq!(followed("xe\u{301} y", 0, 2), ("xé y".to_owned(), 0, END));
    }

    #[test]
    fn a_text_in_form_and_a_section_with_two_names_are_left_or_hidden() {
        assert_eq!(followed("été Jonas", 4, 9), ("été Jonas".to_owned(), 4, 9));
        let section = json!({"key": "d", "text": "e\u{301} Jonas"});
        let mut note = json!({"kind": "session_note", "data": {"sections": [section, section],
            "third_party_spans": [{"section": "d", "start": 3, "end": 8}]}});
        follow(&mut note);
        assert_eq!(note["data"]["third_party_spans"][0]["end"], json!(END));
    }

    proptest! {
        #[test]
        fn no_word_of_a_stretch_is_left_outside_of_it(
            before in "[aeo\u{301}\u{308}\u{0} ]{0,12}", after in "[aeo\u{301}\u{308} ]{0,12}"
        ) {
            let sent = format!("{before}SECRET{after}");
            let start = before.chars().count();
            let (text, start, end) = followed(&sent, start, start + 6);
            let left: String = text.chars().take(start).chain(text.chars().skip(end)).collect();
            prop_assert!(!left.contains(|c: char| "SECRT".contains(c)), "{left:?}");
        }
    }
}
