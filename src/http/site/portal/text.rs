//! Looking into a resource's JSON.

use serde_json::Value;

/// An element.
pub(super) fn at<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name)
}

/// An element that is text.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// An element that is a list.
pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The reference in an element.
pub(super) fn reference<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    text(value.get(name)?, "reference")
}

/// The words of a concept.
pub(super) fn concept(value: &Value) -> Option<&str> {
    let display = || list(value, "coding").iter().find_map(|coding| text(coding, "display"));
    text(value, "text").or_else(display)
}

/// Whether a concept has a code.
pub(super) fn is_coded(value: &Value, codes: &[&str]) -> bool {
    let mut own = list(value, "coding").iter().filter_map(|coding| text(coding, "code"));
    own.any(|code| codes.contains(&code))
}

/// The day of a date or an instant, as it was written there.
pub(super) fn day(moment: &str) -> &str {
    moment.split('T').next().unwrap_or(moment)
}

/// The clock of an instant, as it was read there: `17:05`.
pub(super) fn clock(moment: &str) -> Option<&str> {
    moment.split_once('T').and_then(|(_, time)| time.get(..5))
}

/// The beginning of a text, and whether that is not all of it. It ends with a whole word.
pub(super) fn beginning(text: &str, most: usize) -> (String, bool) {
    let mut cut: String = text.chars().take(most).collect();
    let is_cut = cut.len() < text.len();
    if is_cut && let Some(space) = cut.rfind(char::is_whitespace) {
        cut.truncate(space);
    }
    (cut, is_cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_words_and_never_within_a_character() {
        assert_eq!(beginning("one two", 40), ("one two".to_owned(), false));
        assert_eq!(beginning("one two three", 9), ("one two".to_owned(), true));
        assert_eq!(beginning("ééééé", 3), ("ééé".to_owned(), true));
    }

    #[test]
    fn a_moment_is_told_as_it_was_read_where_it_was() {
        assert_eq!(day("2026-11-01T01:31:02-06:00"), "2026-11-01");
        assert_eq!(clock("2026-11-01T01:31:02-06:00"), Some("01:31"));
        assert_eq!((day("2026-11"), clock("2026-11")), ("2026-11", None));
    }
}
