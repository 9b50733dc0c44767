//! A therapy group of the eight clients before: four evenings, attended more or less.

use std::io;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::GROUP_SIZE;
use super::calendar::{after, day};
use super::client::id;
use super::dice::Dice;
use super::sink::{Sink, Stamp};
use crate::domain::Kind;

/// How long an evening is, in seconds.
const LENGTH: i64 = 90 * 60;
const LEADER: &str = "sy-st-2";

/// Writes the group whose last member is client `last`.
pub(super) fn write(sink: &mut Sink<'_>, dice: &mut Dice, last: u64) -> io::Result<()> {
    let calendar = sink.calendar();
    let members: Vec<String> =
        ((last + 1).saturating_sub(GROUP_SIZE)..=last).map(|number| id("cl", number)).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    // By then even the last of them has started.
    let first = dice.between(81, 90) * 7 + 2;
    for evening in 0..4 {
        let start = calendar.at(day(first + 7 * evening), 19, 0);
        let end = after(start, LENGTH);
        let session = format!("{}-{evening}", id("gses", last));
        let appointment = format!("{}-{evening}", id("gap", last));
        let planned = json!({
            "client_ids": members, "staff_ids": [LEADER], "starts_at": calendar.local(start),
            "ends_at": calendar.local(end), "wall_start": calendar.wall(start),
            "modality": "video", "type": "group", "status": "fulfilled", "session_id": session,
            "join_url": format!("https://meet.example/{session}"),
        });
        let stamp = Stamp::happened(start, after(end, 300)).version(2);
        sink.put(Kind::Appointment, &appointment, stamp, &members, &planned)?;
        let (presence, attendance) = attend(dice, &members, start, end);
        let log = json!({
            "appointment_id": appointment, "format": "group", "modality": "video",
            "status": "completed", "scheduled_start": calendar.local(start),
            "scheduled_end": calendar.local(end), "presence": presence, "attendance": attendance,
            "billing": {"cpt": "90853", "modifiers": ["95"], "pos": "10", "units": 1},
        });
        let stamp = Stamp::happened(start, after(end, 600)).version(2);
        sink.put(Kind::SessionLog, &session, stamp, &members, &log)?;
    }
    Ok(())
}

fn attend(
    dice: &mut Dice,
    members: &[&str],
    start: Timestamp,
    end: Timestamp,
) -> (Vec<Value>, Vec<Value>) {
    let interval = |kind: &str, id: &str, from: Timestamp, to: Timestamp| {
        json!({"who": {"kind": kind, "id": id}, "device": "video",
            "joined_at": from.to_string(), "left_at": to.to_string()})
    };
    let mut presence = vec![interval("staff", LEADER, after(start, -60), after(end, 60))];
    let mut attendance = Vec::new();
    for (at, member) in members.iter().enumerate() {
        // The first two always come, so that an evening is a group.
        let (status, from, to) = match dice.between(0, 99) {
            0..=9 if at > 1 => ("no_show", None, None),
            10..=14 if at > 1 => ("excused", None, None),
            15..=24 => ("late", Some(after(start, 900)), Some(end)),
            25..=29 => ("left_early", Some(start), Some(after(end, -1200))),
            _ => ("attended", Some(after(start, dice.between(0, 120))), Some(end)),
        };
        if let (Some(from), Some(to)) = (from, to) {
            presence.push(interval("client", member, from, to));
        }
        attendance.push(json!({"client_id": member, "status": status}));
    }
    (presence, attendance)
}
