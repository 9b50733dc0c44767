//! Derives the views of a `message` record: one Communication for each client who took part.
//!
//! A client sees the messages that they wrote or got, and in them only themselves and the staff:
//! another client of the thread, blind copies and strangers are never named.

use serde_json::{Value, json};

use super::field::{flag, list, text, texts};
use super::input::Input;
use super::plain_text::plain;
use super::{Derivation, View, Warning, attachment, local_time, reference};
use crate::domain::{Kind, Op, Record};

/// Whether the record becomes a resource for this client.
pub(super) fn is_mapped(record: &Record, d: &Derivation, client: &str) -> bool {
    concerns(record, client) && reference::patient(d, client).is_some()
}

/// Whether this client wrote or got the message.
pub(super) fn concerns(record: &Record, client: &str) -> bool {
    let data = &record.data;
    if !data.is_object() || !record.client_ids.iter().any(|id| id == client) {
        return false;
    }
    let is_client = |who: &&Value| text(who, "kind") == Some("client");
    let is_own = |who: &Value| text(who, "id") == Some(client);
    if let Some(sender) = data.get("sender").filter(is_client) {
        return is_own(sender);
    }
    let mut clients =
        list(data, "recipients").iter().chain(list(data, "cc")).filter(is_client).peekable();
    clients.peek().is_none() || clients.any(is_own)
}

/// What has become of the message, in the platform's words.
pub(super) fn status(record: &Record) -> &str {
    let stated = text(&record.data, "status").unwrap_or_default();
    if record.op == Op::Void {
        "void"
    } else if record.data.get("retracted").is_some_and(Value::is_object) {
        "retracted"
    } else {
        stated
    }
}

/// Whether anybody was ever meant to read it: not a draft, not scheduled, not taken back.
pub(super) fn is_out(record: &Record) -> bool {
    !matches!(status(record), "draft" | "scheduled" | "retracted" | "void")
}

/// The body as plain text.
pub(super) fn body(record: &Record) -> Option<String> {
    let body = record.data.get("body")?;
    let body = plain(text(body, "text")?, text(body, "format"));
    (!body.trim().is_empty()).then_some(body)
}

pub(super) fn views(record: &Record, d: &Derivation, warnings: &mut Vec<Warning>) -> Vec<View> {
    warn(record, warnings);
    let clients = record.client_ids.iter().filter(|client| is_mapped(record, d, client));
    clients.filter_map(|client| view(record, d, client)).collect()
}

fn view(record: &Record, d: &Derivation, client: &String) -> Option<View> {
    let data = &record.data;
    let id = d.ids.part(Kind::Message, &record.id, client);
    let mut input = Input::new(record, d, id).for_client(client);
    keep_own_parties(input.data(), client);
    input.fact("subject", reference::patient(d, client)?);
    input.fact("status", status(record));
    input.fact("category", category(data));
    let thread = text(data, "thread_id").and_then(|id| d.neighbours.get(Kind::Thread, id));
    if let Some(thread) = &thread {
        input.fact_if_any("header", reference::thread(d, &thread.id, client));
        input.fact_if_any("channel", text(&thread.data, "channel"));
        if text(&thread.data, "kind") == Some("crisis") {
            input.fact("urgent", true);
        }
    }
    let sender = data.get("sender").and_then(|who| party(d, who, client));
    input.fact_if_any("sender", sender);
    let recipients = list(data, "recipients").iter().chain(list(data, "cc"));
    let recipients: Vec<String> = recipients.filter_map(|who| party(d, who, client)).collect();
    input.fact("recipients", recipients);
    if !is_out(record) {
        return Some(input.view("message-communication"));
    }
    let answered = text(data, "in_reply_to");
    input.fact_if_any("in_reply_to", answered.and_then(|id| reference::message(d, id, client)));
    let live = thread.is_some_and(|thread| text(&thread.data, "channel") == Some("live_chat"));
    let session = text(data, "session_id").filter(|_| live);
    input.fact_if_any("encounter", session.and_then(|id| reference::encounter(d, id, client)));
    let time = |name: &str| local_time::on_clock(record, text(data, name)?);
    input.fact_if_any("sent", time("sent_at"));
    input.fact_if_any("received", time("delivered_at"));
    input.fact_if_any("text", body(record));
    let files = texts(data, "attachment_ids").filter_map(|id| attachment::file(d, id, client));
    input.fact("attachments", files.collect::<Vec<_>>());
    input.fact("edits", edits(record, d, client));
    Some(input.view("message-communication"))
}

/// Takes away everybody but this client and the staff.
fn keep_own_parties(data: &mut Value, client: &str) {
    let own = |who: &Value| text(who, "kind") != Some("client") || text(who, "id") == Some(client);
    for name in ["recipients", "cc"] {
        if let Some(people) = data.get_mut(name).and_then(Value::as_array_mut) {
            people.retain(own);
        }
    }
    if let Some(data) = data.as_object_mut() {
        data.remove("bcc");
        data.remove("read_at");
    }
}

fn party(d: &Derivation, who: &Value, client: &str) -> Option<String> {
    match text(who, "kind") {
        Some("organization") => reference::practice(d),
        _ => reference::party(d, who, client),
    }
}

fn category(data: &Value) -> &str {
    if flag(data, "automated") {
        text(data, "category").unwrap_or("notification")
    } else {
        "secure-message"
    }
}

/// That the message was edited and by whom, never what it said before.
fn edits(record: &Record, d: &Derivation, client: &str) -> Vec<Value> {
    let edit = |edit: &Value| {
        let at = local_time::on_clock(record, text(edit, "at")?)?;
        let day = at.get(..10).unwrap_or_default();
        let by = text(edit, "by").and_then(|by| {
            reference::practitioner(d, by)
                .or_else(|| (by == client).then(|| reference::patient(d, by)).flatten())
        });
        let mut row = json!({ "at": at, "text": format!("Edited {day}") });
        if let (Some(by), Some(row)) = (by, row.as_object_mut()) {
            row.insert("by".to_owned(), by.into());
        }
        Some(row)
    };
    list(&record.data, "edited").iter().filter_map(edit).collect()
}

fn warn(record: &Record, warnings: &mut Vec<Warning>) {
    let sent = text(&record.data, "sent_at").and_then(local_time::instant);
    // Nobody can have stored a message before it was sent: the sender's clock is wrong.
    let out = matches!(status(record), "sent" | "delivered" | "read");
    if out && sent.is_some_and(|sent| sent.as_second() - record.updated_at.as_second() > 3600) {
        warnings.push(Warning { code: "clock_skew", pointer: "/data/sent_at".to_owned() });
    }
}
