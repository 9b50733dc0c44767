//! A conversation in one client's view, as text, month by month.
//!
//! What was never sent, or was taken back, is not in it, and neither are automated reminders.
//! Messages stand in the order in which the platform numbered them, whatever clocks said.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::field::{flag, list, text, texts};
use super::{Derivation, local_time, message, reference};
use crate::domain::{Kind, Record};

/// The most messages in one part.
const LONGEST: usize = 500;

/// One month of a conversation, or a part of a long month.
pub(super) struct Part {
    /// The calendar month in the practice's zone, `2026-11`.
    pub(super) month: String,
    /// The part's number in its month, from 1.
    pub(super) number: usize,
    /// When the first message was sent.
    pub(super) start: String,
    /// When the last message was sent.
    pub(super) end: String,
    /// Whether any of it belongs to the designated record set.
    pub(super) clinical: bool,
    /// References to those who wrote.
    pub(super) authors: Vec<String>,
    /// The messages in it.
    pub(super) messages: Vec<Arc<Record>>,
    /// The text.
    pub(super) text: String,
}

struct Line {
    sent: jiff::Timestamp,
    month: String,
    message: Arc<Record>,
}

/// The parts of a conversation that this client sees, in order.
pub(super) fn parts(thread: &Record, d: &Derivation, client: &str) -> Vec<Part> {
    let messages = d.neighbours.referring(Kind::Message, Kind::Thread, &thread.id);
    let zone = practice_zone(d);
    let mut lines: Vec<Line> =
        messages.iter().filter_map(|message| line(message, &zone, client)).collect();
    let seq = |line: &Line| line.message.data.get("seq").and_then(Value::as_u64);
    lines.sort_by(|a, b| (&a.month, seq(a), &a.message.id).cmp(&(&b.month, seq(b), &b.message.id)));
    lines
        .chunk_by(|a, b| a.month == b.month)
        .flat_map(|month| month.chunks(LONGEST).enumerate())
        .filter_map(|(i, lines)| part(i + 1, lines, thread, d, client))
        .collect()
}

/// The clock of the practice, by which months are counted.
fn practice_zone(d: &Derivation) -> TimeZone {
    let practice = d.neighbours.organization();
    let name = practice.as_deref().and_then(|practice| text(&practice.data, "tz"));
    name.and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC)
}

fn line(message: &Arc<Record>, zone: &TimeZone, client: &str) -> Option<Line> {
    let data = &message.data;
    let sent = matches!(message::status(message), "sent" | "delivered" | "read");
    if !sent || flag(data, "automated") || !message::concerns(message, client) {
        return None;
    }
    let sent = local_time::instant(text(data, "sent_at")?)?;
    let month = sent.to_zoned(zone.clone()).strftime("%Y-%m").to_string();
    Some(Line { sent, month, message: Arc::clone(message) })
}

fn part(
    number: usize,
    lines: &[Line],
    thread: &Record,
    d: &Derivation,
    client: &str,
) -> Option<Part> {
    let zone = &practice_zone(d);
    let sent = || lines.iter().map(|line| line.sent);
    let mut part = Part {
        month: lines.first()?.month.clone(),
        number,
        start: local_time::shown(sent().min()?, zone),
        end: local_time::shown(sent().max()?, zone),
        clinical: false,
        authors: Vec::new(),
        messages: Vec::new(),
        text: String::new(),
    };
    for line in lines {
        let data = &line.message.data;
        part.clinical |= data.get("clinical").and_then(Value::as_bool).unwrap_or(true);
        let sender = data.get("sender");
        let author = sender.and_then(|who| author(who, thread, d, client));
        if let Some(author) = author
            && !part.authors.contains(&author)
        {
            part.authors.push(author);
        }
        let at = line.sent.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %:z").to_string();
        let name = sender.map_or_else(|| "Unknown".to_owned(), |who| name(who, thread, d));
        let body = message::body(&line.message).unwrap_or_default();
        let written = writeln!(part.text, "{at}  {name}\n{body}");
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
        for _ in texts(data, "attachment_ids") {
            part.text.push_str("[Attachment]\n");
        }
        part.text.push('\n');
        part.messages.push(Arc::clone(&line.message));
    }
    Some(part)
}

/// Who wrote, if that is the client or one of the thread's staff.
fn author(who: &Value, thread: &Record, d: &Derivation, client: &str) -> Option<String> {
    let of_thread = text(who, "kind") == Some("client") || is_staff_of(thread, who);
    of_thread.then(|| reference::party(d, who, client)).flatten()
}

/// Only the thread's own staff are named: its record refers to them, so it knows when they change.
fn is_staff_of(thread: &Record, who: &Value) -> bool {
    let id = text(who, "id");
    text(who, "kind") == Some("staff") && texts(&thread.data, "staff_ids").any(|s| Some(s) == id)
}

/// Who speaks: staff by name, the client as such, anybody else by what they are.
fn name(who: &Value, thread: &Record, d: &Derivation) -> String {
    let staff = || {
        let staff = d.neighbours.get(Kind::Staff, text(who, "id")?)?;
        let name = staff.data.get("name")?;
        let given = list(name, "given").iter().filter_map(Value::as_str);
        let parts: Vec<&str> = given.chain(text(name, "family")).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    };
    match text(who, "kind").unwrap_or_default() {
        "client" => "Client".to_owned(),
        "staff" if is_staff_of(thread, who) => staff().unwrap_or_else(|| "Staff".to_owned()),
        "staff" => "Staff".to_owned(),
        "related" => "Related person".to_owned(),
        "organization" | "system" => "Practice".to_owned(),
        _ => "Unknown".to_owned(),
    }
}
