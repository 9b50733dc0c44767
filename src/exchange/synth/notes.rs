//! The notes of a session: one of record, and now and then one that is kept apart.

use std::io;

use serde_json::{Value, json};

use super::calendar::after;
use super::client::Client;
use super::dice::Dice;
use super::session::Slot;
use super::sink::{Sink, Stamp};
use super::words::{INTERVENTIONS, TOPICS};
use crate::domain::Kind;

/// Writes the session's note, and for one session in twenty a psychotherapy note.
pub(super) fn write(
    sink: &mut Sink<'_>,
    dice: &mut Dice,
    client: &Client,
    slot: &Slot,
) -> io::Result<()> {
    let clients = &[client.id.as_str()];
    let signed = after(slot.end(), dice.between(900, 7200));
    let stamp = Stamp::happened(slot.start, after(signed, 60)).version(2);
    let class = if slot.week == 0 { "intake_evaluation" } else { "progress" };
    let (topic, heard) = dice.one(TOPICS).copied().unwrap_or_default();
    let (_, _, presenting, method) = client.problem;
    let mut data = signed_note(client, slot, class, signed);
    let (format, sections) = if slot.week == 0 {
        let plan = format!("{method}, one session a week.");
        let sections =
            sections(&[("presenting", "Presenting problem", presenting), ("plan", "Plan", &plan)]);
        ("narrative", sections)
    } else {
        let sections = sections(&[
            ("d", "Data", heard),
            ("a", "Assessment", "In line with the plan."),
            ("p", "Plan", "Next session as scheduled."),
        ]);
        ("dap", sections)
    };
    if let Some(object) = data.as_object_mut() {
        object.insert("format".to_owned(), json!(format));
        object.insert("sections".to_owned(), sections);
        let structured = json!({"topics": [topic], "interventions": [dice.pick(INTERVENTIONS)],
            "goal_refs": [client.only("goal")], "dx_refs": [client.only("dx")]});
        object.insert("structured".to_owned(), structured);
    }
    sink.put(Kind::SessionNote, &slot.note, stamp, clients, &data)?;
    if dice.chance(5) { kept_apart(sink, client, slot) } else { Ok(()) }
}

fn kept_apart(sink: &mut Sink<'_>, client: &Client, slot: &Slot) -> io::Result<()> {
    let signed = after(slot.end(), 8000);
    let mut data = signed_note(client, slot, "psychotherapy", signed);
    if let Some(object) = data.as_object_mut() {
        object.insert("format".to_owned(), json!("narrative"));
        let text = "Impressions of the conversation, for the therapist alone.";
        object.insert("sections".to_owned(), sections(&[("n", "Note", text)]));
        object.insert("separated".to_owned(), json!(true));
        object
            .insert("visibility".to_owned(), json!({"client": "withheld", "proxies": "withheld"}));
    }
    let stamp = Stamp::happened(slot.start, after(signed, 60));
    sink.put(Kind::SessionNote, &client.part("psy", slot.week), stamp, &[&client.id], &data)
}

fn signed_note(client: &Client, slot: &Slot, class: &str, signed: jiff::Timestamp) -> Value {
    json!({
        "class": class, "session_id": slot.session, "service_date": slot.day.to_string(),
        "author_id": client.therapist, "status": "locked",
        "signed": {"by": client.therapist, "at": signed.to_string()},
        "locked_at": after(signed, 30).to_string(),
        "visibility": {"client": "full", "proxies": "withheld"}, "origin": "human",
    })
}

/// The sections of a note: key, title and text of each.
pub(super) fn sections(of: &[(&str, &str, &str)]) -> Value {
    of.iter()
        .map(|(key, title, text)| {
            json!({"key": key, "title": title, "text": text, "text_format": "text"})
        })
        .collect()
}
