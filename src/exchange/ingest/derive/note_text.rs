//! A note as plain text: its sections, and what it states in structured form.
//!
//! Stretches about other people are taken out first, from the text as it was written, so that
//! nothing made from it later can bring them back.

use serde_json::Value;

use super::field::{list, text, texts};
use super::plain_text::plain;
use super::redaction::{REDACTED, redact};
use super::tables::NoteClasses;

/// The note's text.
pub(super) fn of(data: &Value, title: &str, table: &NoteClasses) -> String {
    let mut out = String::new();
    push(&mut out, title, "");
    let titles = table.sections.get(text(data, "format").unwrap_or_default());
    let spans = list(data, "third_party_spans");
    for section in list(data, "sections") {
        let key = text(section, "key").unwrap_or_default();
        let known = titles.and_then(|titles| titles.get(key)).map(String::as_str);
        let heading = text(section, "title").or(known).unwrap_or(key);
        let body = text(section, "text").unwrap_or_default();
        let body = without_third_parties(body, section, data, spans);
        push(&mut out, heading, &plain(&body, text(section, "text_format")));
    }
    let structured = data.get("structured").unwrap_or(&Value::Null);
    for (name, heading) in [
        ("topics", "Topics"),
        ("interventions", "Interventions"),
        ("response", "Response"),
        ("progress", "Progress"),
        ("homework", "Homework"),
        ("next_session", "Next session"),
    ] {
        push_if_any(&mut out, heading, &stated(structured, name));
    }
    for finding in list(structured, "mental_status") {
        if let (Some(key), Some(finding)) = (text(finding, "key"), text(finding, "text")) {
            push_if_any(&mut out, &format!("Mental status, {}", key.replace('_', " ")), finding);
        }
    }
    out
}

/// A section's text without the stretches about others. A stretch of a section that the note
/// does not have hides every section: nobody can say where it belongs.
fn without_third_parties(body: &str, section: &Value, data: &Value, spans: &[Value]) -> String {
    let is_in = |span: &Value, section: &Value| {
        let name = text(span, "section");
        name.is_some() && (name == text(section, "key") || name == text(section, "title"))
    };
    let lost = |span: &Value| !list(data, "sections").iter().any(|section| is_in(span, section));
    if spans.iter().any(lost) {
        return REDACTED.to_owned();
    }
    let at = |span: &Value, name: &str| {
        span.get(name).and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok())
    };
    let spans: Vec<(usize, usize)> = spans
        .iter()
        .filter(|span| is_in(span, section))
        .map(|span| (at(span, "start").unwrap_or(0), at(span, "end").unwrap_or(usize::MAX)))
        .collect();
    redact(body, &spans)
}

fn stated(structured: &Value, name: &str) -> String {
    let words = |text: &str| text.replace('_', " ");
    match structured.get(name) {
        Some(Value::String(text)) => words(text),
        Some(Value::Array(_)) => texts(structured, name).map(words).collect::<Vec<_>>().join(", "),
        _ => String::new(),
    }
}

fn push_if_any(out: &mut String, heading: &str, body: &str) {
    if !body.is_empty() {
        push(out, heading, body);
    }
}

fn push(out: &mut String, heading: &str, body: &str) {
    if !out.is_empty() {
        out.push('\n');
    }
    for line in [heading, body] {
        if !line.is_empty() {
            out.push_str(line);
            out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tables::Tables;
    use super::*;

    fn render(data: &Value) -> String {
        of(data, "Progress note 2026-11-01", &Tables::shipped().notes)
    }

    #[test]
    fn sections_have_the_titles_of_their_format() {
        let text = render(&json!({"format": "dap", "sections": [
            {"key": "d", "text": "Three panic episodes."},
            {"key": "p", "title": "Next", "text": "<b>Weekly</b>", "text_format": "html"},
        ], "structured": {"topics": ["panic", "sleep"], "interventions": ["cbt_psychoeducation"]}}));
        assert_eq!(
            text,
            "Progress note 2026-11-01\n\nData\nThree panic episodes.\n\nNext\nWeekly\n\n\
             Topics\npanic, sleep\n\nInterventions\ncbt psychoeducation\n"
        );
    }

    #[test]
    fn what_is_about_another_person_is_taken_out_before_markup_is() {
        let text = render(&json!({"format": "dap", "sections": [
            {"key": "d", "text": "<p>ok 👩‍👩‍👧 ZZPARTNERB said</p>", "text_format": "html"},
        ], "third_party_spans": [{"section": "d", "start": 12, "end": 22, "kind": "partner"}]}));
        assert!(!text.contains("ZZPARTNERB"), "{text}");
        assert!(text.contains(&format!("ok 👩‍👩‍👧 {REDACTED} said")), "{text}");
    }

    #[test]
    fn a_stretch_of_an_unknown_section_hides_every_section() {
        let text = render(&json!({"sections": [{"key": "d", "text": "ZZPARTNERB"}],
            "third_party_spans": [{"section": "x", "start": 0, "end": 1}]}));
        assert!(!text.contains("ZZPARTNERB"));
    }
}
