//! Derives the views of a `session_note` record: its DocumentReference and the Binary of its text.
//!
//! Only what a clinician has signed is shown. Notes of the isolated plane never come here, and
//! their classes are not in the table of classes, so they would make nothing if they did.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::field::{list, text};
use super::input::Input;
use super::tables::NoteClass;
use super::{Derivation, View, Warning, local_time, note_text, reference, session_log};
use crate::domain::{Kind, Op, Record, fill};

/// Whether the record becomes a resource for this client.
pub(super) fn is_mapped(record: &Record, d: &Derivation, client: &str) -> bool {
    let status = text(&record.data, "status").unwrap_or_default();
    matches!(status, "signed" | "locked" | "amended" | "addendum" | "retracted")
        && class(record, d).is_some()
        && is_attested(record)
        && record.data.get("signed").is_some_and(Value::is_object)
        && record.client_ids.as_slice() == [client]
        && reference::patient(d, client).is_some()
}

/// Whether a human stands by the text. An origin that nobody knows may be a machine's draft.
fn is_attested(record: &Record) -> bool {
    matches!(text(&record.data, "origin"), None | Some("human" | "ai_draft_reviewed"))
}

/// Whether its content is shown to anybody.
pub(super) fn is_shown(record: &Record, d: &Derivation, client: &str) -> bool {
    is_mapped(record, d, client) && !is_erased(record)
}

fn is_erased(record: &Record) -> bool {
    record.op == Op::Void || text(&record.data, "status") == Some("retracted")
}

/// An intern's note counts once a supervisor has countersigned it.
fn is_countersigned(record: &Record, d: &Derivation) -> bool {
    let author = text(&record.data, "author_id").and_then(|id| d.neighbours.get(Kind::Staff, id));
    let licences = author.as_deref().map_or(&[][..], |staff| list(&staff.data, "licenses"));
    let mut types = licences.iter().filter_map(|licence| text(licence, "type")).peekable();
    let is_intern = types.peek().is_some() && types.all(|name| name == "intern");
    !is_intern || cosigner(record).is_some()
}

fn cosigner(record: &Record) -> Option<&str> {
    let first = list(&record.data, "cosigners").first();
    first.and_then(|by| text(by, "by")).or_else(|| text(&record.data, "cosigned_by"))
}

/// What a person's request has left in the record, of a note that is such a paper.
fn paper(record: &Record) -> Option<&str> {
    record.data.get("amendment").and_then(|amendment| text(amendment, "paper"))
}

/// The entry that such a paper is appended to, which it is guarded alike with.
pub(super) fn appended_to(record: &Record, d: &Derivation) -> Option<std::sync::Arc<Record>> {
    let is_paper = record.kind == Kind::SessionNote && paper(record).is_some();
    let entry = text(&record.data, "amends").filter(|_| is_paper)?;
    d.neighbours.get(Kind::SessionNote, entry)
}

/// What such a paper is called, in the client's language.
fn appended_title(
    record: &Record,
    d: &Derivation,
    client: &str,
    class: &NoteClass,
    day: &str,
) -> Option<String> {
    let what = paper(record)?;
    let client = d.neighbours.get(Kind::Client, client);
    let tag = client.as_ref().and_then(|client| text(&client.data, "language"));
    let primary = tag.and_then(|tag| tag.split('-').next()).unwrap_or_default();
    let all = &d.tables.notes.appended;
    let spoken = all.iter().find(|one| one.language.eq_ignore_ascii_case(primary));
    let words = spoken.or_else(|| all.first())?;
    let title = words.titles.get(&class.class).unwrap_or(&class.title);
    let frame = if what == "correction" { &words.correction } else { &words.disagreement };
    Some(fill(frame, &[("title", title), ("day", day)]))
}

fn class<'a>(record: &Record, d: &Derivation<'a>) -> Option<&'a NoteClass> {
    let name = text(&record.data, "class")?;
    d.tables.notes.class.iter().find(|class| class.class == name)
}

pub(super) fn views(record: &Record, d: &Derivation, warnings: &mut Vec<Warning>) -> Vec<View> {
    if record.client_ids.len() != 1 {
        warnings.push(Warning { code: "several_subjects", pointer: "/client_ids".to_owned() });
    }
    let client = record.client_ids.iter().find(|client| is_mapped(record, d, client));
    let (Some(client), Some(class)) = (client, class(record, d)) else { return Vec::new() };
    if !is_countersigned(record, d) {
        warnings.push(Warning { code: "cosigner_missing", pointer: "/data/cosigners".to_owned() });
        return Vec::new();
    }
    let day = text(&record.data, "service_date").unwrap_or_default();
    let title = appended_title(record, d, client, class, day);
    let title = title.unwrap_or_else(|| format!("{} {day}", class.title));
    let note = note_text::of(&record.data, &title, &d.tables.notes);
    let mut views = vec![document(record, d, client, class, &title, note.len())];
    if !is_erased(record) {
        let id = d.ids.part(Kind::SessionNote, &record.id, "text");
        let mut input = Input::new(record, d, id);
        let document = d.ids.id(Kind::SessionNote, &record.id);
        input.fact("document", format!("DocumentReference/{document}"));
        input.fact("text_data", STANDARD.encode(&note));
        views.push(input.view("session-note-text"));
    }
    views
}

fn document(
    record: &Record,
    d: &Derivation,
    client: &str,
    class: &NoteClass,
    title: &str,
    size: usize,
) -> View {
    let data = &record.data;
    let mut input = Input::new(record, d, d.ids.id(Kind::SessionNote, &record.id));
    let erased = is_erased(record);
    let standing = match () {
        () if erased => "void",
        () if is_replaced(record, d, client) => "superseded",
        () => "current",
    };
    input.fact("standing", standing);
    input.fact("status", if erased { "void" } else { text(data, "status").unwrap_or_default() });
    input.fact("note_type", note_type(record, d, class));
    input.fact("note_class", class.class.as_str());
    input.fact("type_text", class.title.as_str());
    input.fact_if_any("subject", reference::patient(d, client));
    let author = text(data, "author_id").and_then(|id| reference::practitioner(d, id));
    input.fact("authors", author.into_iter().collect::<Vec<_>>());
    input.fact_if_any("custodian", reference::practice(d));
    if class.clinical {
        input.fact("clinical", true);
    }
    if erased {
        return input.view("session-note-document-reference");
    }
    input.fact("title", title);
    let signed = data.get("signed").and_then(|signed| text(signed, "at"));
    input.fact_if_any("date", signed.and_then(|at| local_time::on_clock(record, at)));
    let cosigner = cosigner(record).and_then(|id| reference::practitioner(d, id));
    input.fact_if_any("authenticator", cosigner);
    if let Some(session) = text(data, "session_id") {
        input.fact_if_any("encounter", reference::encounter(d, session, client));
        let session = d.neighbours.get(Kind::SessionLog, session);
        if let Some(session) = session.filter(|s| session_log::is_mapped(s, d, client)) {
            let [start, end] = session_log::period(&session, client);
            input.fact_if_any("start", start);
            input.fact_if_any("end", end);
            input.uses(&session);
        }
    }
    if let Some(amended) = text(data, "amends").and_then(|id| reference::note(d, id, client)) {
        let code = if text(data, "status") == Some("addendum") { "appends" } else { "replaces" };
        input.fact("relates", json!([{ "code": code, "target": amended }]));
    }
    let binary = d.ids.part(Kind::SessionNote, &record.id, "text");
    input.fact("url", format!("Binary/{binary}"));
    input.fact("size", size);
    input.view("session-note-document-reference")
}

/// Whether another note, itself standing, takes this one's place. An addendum does not.
fn is_replaced(record: &Record, d: &Derivation, client: &str) -> bool {
    let notes = d.neighbours.referring(Kind::SessionNote, Kind::SessionNote, &record.id);
    notes.iter().any(|note| {
        text(&note.data, "amends") == Some(record.id.as_str())
            && text(&note.data, "status") != Some("addendum")
            && is_shown(note, d, client)
    })
}

/// A key of `codes/note-type.json`: the class, and for progress notes the author's discipline.
fn note_type(record: &Record, d: &Derivation, class: &NoteClass) -> String {
    if !class.by_discipline {
        return class.class.clone();
    }
    let author = text(&record.data, "author_id").and_then(|id| d.neighbours.get(Kind::Staff, id));
    let licences = author.as_deref().map_or(&[][..], |staff| list(&staff.data, "licenses"));
    let disciplines = &d.tables.notes.disciplines;
    let discipline = licences
        .iter()
        .filter_map(|licence| text(licence, "type"))
        .find_map(|licence| disciplines.get(licence))
        .map_or("mental_health", String::as_str);
    format!("{}_{discipline}", class.class)
}
