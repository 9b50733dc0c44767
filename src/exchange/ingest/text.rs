//! Text as FHIR can carry it: Unicode NFC, without control characters, of bounded length.

use serde_json::Value;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::reject::{Reject, token};

/// The longest text of one field, in bytes.
pub(crate) const LONGEST: usize = 1024 * 1024;

/// Brings every text below `value` into form, and answers the pointers where characters had to be
/// removed.
pub(crate) fn clean(value: &mut Value) -> Vec<String> {
    let mut removed = Vec::new();
    walk(value, &mut |text| removed.push(text), "");
    removed
}

/// A text in form, where it is not yet.
pub(super) fn form(text: &str) -> Option<String> {
    let barred = text.chars().any(is_barred);
    let composed = text.is_ascii() || is_nfc(text);
    let kept = || text.chars().filter(|c| !is_barred(*c));
    (barred || !composed).then(|| kept().nfc().collect())
}

fn walk(value: &mut Value, removed: &mut dyn FnMut(String), pointer: &str) {
    match value {
        Value::String(text) => {
            if text.chars().any(is_barred) {
                removed(pointer.to_owned());
            }
            if let Some(formed) = form(text) {
                *text = formed;
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                walk(item, removed, &format!("{pointer}/{i}"));
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                walk(item, removed, &(pointer.to_owned() + &token(key)));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// C0 controls but tab and line ends, DEL, and what XML 1.0 calls no character.
fn is_barred(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{fffe}' | '\u{ffff}')
}

/// Refuses text that is longer than [`LONGEST`].
pub(crate) fn check_length(text: &str) -> Result<(), Reject> {
    if text.len() <= LONGEST {
        return Ok(());
    }
    let detail = format!("the text has more than {LONGEST} bytes; send it as an attachment");
    Err(Reject::new("text_too_long", "", detail))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn controls_go_and_are_reported_and_accents_are_composed() {
        let mut value =
            json!({"a": ["x\u{1}y", "e\u{301}"], "b": "tab\tline\n\r", "c/d": "\u{fffe}"});
        let removed = clean(&mut value);
        assert_eq!(value, json!({"a": ["xy", "é"], "b": "tab\tline\n\r", "c/d": ""}));
        assert_eq!(removed, ["/a/0", "/c~1d"]);
    }
}
