//! The conversation beside a course: questions, answers, and reminders that nobody wrote.

use std::io;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::calendar::after;
use super::client::Client;
use super::dice::Dice;
use super::sink::{Sink, Stamp};
use super::words::EXCHANGES;
use crate::domain::Kind;

const DAY: i64 = 24 * 3600;

/// Writes one thread of a few questions, each answered a few hours later, and a reminder.
pub(super) fn write(sink: &mut Sink<'_>, dice: &mut Dice, client: &Client) -> io::Result<()> {
    let thread = client.only("th");
    let opened = sink.calendar().at(client.first, 20, 30);
    let data = json!({
        "client_ids": [client.id], "staff_ids": [client.therapist], "subject": "Between sessions",
        "channel": "secure_message", "status": "open", "kind": "clinical",
        "opened_at": sink.calendar().local(opened),
    });
    sink.put(Kind::Thread, &thread, Stamp::happened(opened, opened), &[&client.id], &data)?;
    let me = json!({"kind": "client", "id": client.id});
    let therapist = json!({"kind": "staff", "id": client.therapist});
    let platform = json!({"kind": "system", "id": "reminders"});
    let mut at = opened;
    let mut seq = 0;
    for _ in 0..dice.between(3, 6) {
        at = after(at, dice.between(DAY, 14 * DAY));
        let (question, answer) = dice.one(EXCHANGES).copied().unwrap_or_default();
        seq += 1;
        put(sink, client, seq, at, &Line::written(&me, &therapist, question))?;
        let answered = after(at, dice.between(600, 8 * 3600));
        seq += 1;
        put(sink, client, seq, answered, &Line::written(&therapist, &me, answer))?;
        at = answered;
    }
    let text = "Your next session is tomorrow at the usual time.";
    put(sink, client, seq + 1, after(at, DAY), &Line::automated(&platform, &me, text))
}

struct Line<'a> {
    from: &'a Value,
    to: &'a Value,
    text: &'a str,
    automated: bool,
}

impl<'a> Line<'a> {
    fn written(from: &'a Value, to: &'a Value, text: &'a str) -> Self {
        Self { from, to, text, automated: false }
    }

    fn automated(from: &'a Value, to: &'a Value, text: &'a str) -> Self {
        Self { from, to, text, automated: true }
    }
}

fn put(
    sink: &mut Sink<'_>,
    client: &Client,
    seq: i64,
    at: Timestamp,
    line: &Line<'_>,
) -> io::Result<()> {
    let data = json!({
        "thread_id": client.only("th"), "seq": seq, "sender": line.from, "recipients": [line.to],
        "sent_at": sink.calendar().local(at), "delivered_at": after(at, 2).to_string(),
        "status": "delivered", "body": {"format": "text", "text": line.text},
        "automated": line.automated, "clinical": !line.automated,
    });
    let stamp = Stamp::happened(at, after(at, 3));
    sink.put(Kind::Message, &client.part("msg", seq), stamp, &[&client.id], &data)
}
