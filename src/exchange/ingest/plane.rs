//! Which bytes may belong to the isolated plane, so that nobody is ever shown them.
//!
//! Psychotherapy notes, SUD counselling notes and supervision are kept apart even when they arrive
//! broken. Where it cannot be told, the answer is yes.

use serde_json::Value;

use super::check::{CLASSES, ISOLATED};
use crate::domain::Kind;

/// Whether a record that could be read, but not taken in, may be an isolated note.
pub(crate) fn of_value(value: &Value) -> bool {
    let kind = value.get("kind").and_then(Value::as_str).map(str::parse::<Kind>);
    match kind {
        Some(Ok(Kind::SessionNote)) => {
            let class = value.pointer("/data/class").and_then(Value::as_str);
            class.is_none_or(|class| ISOLATED.contains(&class) || !CLASSES.contains(&class))
        }
        Some(Ok(_)) => false,
        _ => names_isolated(value.to_string().as_bytes()) || value.pointer("/data/class").is_some(),
    }
}

/// Whether bytes that could not be read may be an isolated note. They are not if the first kind
/// that they name is known and another, and they name no class of a note.
pub(crate) fn of_bytes(bytes: &[u8]) -> bool {
    let kind = first_kind(bytes).and_then(|kind| kind.parse::<Kind>().ok());
    kind.is_none_or(|kind| kind == Kind::SessionNote)
        || contains(bytes, b"\"class\"")
        || contains(bytes, b"session_note")
        || names_isolated(bytes)
}

fn names_isolated(bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    [b"psychotherapy".as_slice(), b"sud_counsel", b"supervision"]
        .iter()
        .any(|word| contains(&lower, word))
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

/// The text after the first `"kind":`.
fn first_kind(bytes: &[u8]) -> Option<&str> {
    const KEY: &[u8] = b"\"kind\"";
    let at = bytes.windows(KEY.len()).position(|window| window == KEY)?;
    let rest = bytes.get(at + KEY.len()..)?.trim_ascii_start();
    let rest = rest.strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(rest.get(..end)?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_broken_line_is_shown_only_if_it_is_clearly_something_else() {
        assert!(!of_bytes(br#"{"kind":"message","data":{"body":"#));
        assert!(of_bytes(br#"{"kind":"session_note","data":{"cl"#));
        assert!(of_bytes(br#"{"data":{"sections":[{"text":"..."#));
        assert!(of_bytes(br#"{"data":{"by":{"kind":"staff"},"class":"psych"#));
        assert!(of_bytes(br#"{"data":{"by":{"kind":"staff"},"class":"#));
    }

    #[test]
    fn a_note_is_shown_only_if_its_class_is_known_and_open() {
        let note =
            |class: Value| of_value(&json!({"kind": "session_note", "data": {"class": class}}));
        assert!(!note(json!("progress")));
        assert!(note(json!("psychotherapy")) && note(json!("Psychotherapy")) && note(json!(3)));
        assert!(!of_value(&json!({"kind": "client", "data": {"class": "x"}})));
        assert!(of_value(&json!({"kind": "psychotherapy_note", "data": {}})));
        assert!(!of_value(&json!({"kind": "invoice", "data": {}})));
    }
}
