//! One weekly slot: its appointment, and the session if one took place.

use std::io;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::calendar::{Calendar, after};
use super::client::Client;
use super::dice::Dice;
use super::sink::{Sink, Stamp};
use crate::domain::Kind;

/// How long a slot is, in seconds.
const LENGTH: i64 = 50 * 60;

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Therapist and client met.
    Held,
    /// The therapist waited.
    NoShow,
    /// Somebody cancelled in time.
    Cancelled,
    /// The client cancelled on the day.
    LateCancelled,
}

/// One slot of a course.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    /// The week of the course, from 0.
    pub(super) week: i64,
    /// How many sessions there were before, from 0.
    pub(super) held: i64,
    /// The day.
    pub(super) day: Date,
    /// When it starts.
    pub(super) start: Timestamp,
    /// The session's id.
    pub(super) session: String,
    /// The note's id.
    pub(super) note: String,
    appointment: String,
    fate: Fate,
}

impl Slot {
    /// The slot of one week.
    pub(super) fn new(
        client: &Client,
        week: i64,
        held: i64,
        day: Date,
        fate: Fate,
        calendar: &Calendar,
    ) -> Self {
        Self {
            week,
            held,
            day,
            start: calendar.at(day, client.hour, 0),
            session: client.part("ses", week),
            note: client.part("note", week),
            appointment: client.part("ap", week),
            fate,
        }
    }

    /// When it is over.
    pub(super) fn end(&self) -> Timestamp {
        after(self.start, LENGTH)
    }
}

/// Writes the appointment, and the session's log where somebody came.
pub(super) fn write(
    sink: &mut Sink<'_>,
    dice: &mut Dice,
    client: &Client,
    slot: &Slot,
) -> io::Result<()> {
    let calendar = sink.calendar();
    let modality = if dice.chance(85) { "video" } else { "phone" };
    let clients = &[client.id.as_str()];
    let stamp = Stamp::happened(slot.start, after(slot.end(), 300)).version(2);
    let appointment = appointment(client, slot, modality, calendar);
    sink.put(Kind::Appointment, &slot.appointment, stamp, clients, &appointment)?;
    if matches!(slot.fate, Fate::Cancelled | Fate::LateCancelled) {
        return Ok(());
    }
    let stamp = Stamp::happened(slot.start, after(slot.end(), 600)).version(2);
    let log = log(dice, client, slot, modality, calendar);
    sink.put(Kind::SessionLog, &slot.session, stamp, clients, &log)
}

fn appointment(client: &Client, slot: &Slot, modality: &str, calendar: &Calendar) -> Value {
    let mut data = json!({
        "client_ids": [client.id], "staff_ids": [client.therapist],
        "starts_at": calendar.local(slot.start), "ends_at": calendar.local(slot.end()),
        "wall_start": calendar.wall(slot.start), "modality": modality,
        "type": if slot.week == 0 { "intake" } else { "individual" },
        "status": match slot.fate {
            Fate::Held => "fulfilled",
            Fate::NoShow => "no_show",
            Fate::Cancelled => "cancelled",
            Fate::LateCancelled => "late_cancelled",
        },
        "series_id": client.only("ser"),
        "join_url": format!("https://meet.example/{}", slot.session),
    });
    let late = slot.fate == Fate::LateCancelled;
    match slot.fate {
        Fate::Held | Fate::NoShow => set(&mut data, "session_id", json!(slot.session)),
        Fate::Cancelled | Fate::LateCancelled => {
            let notice = if late { -3 * 3600 } else { -50 * 3600 };
            let cancel = json!({
                "by": if late || slot.week % 2 == 0 { "client" } else { "therapist" },
                "at": calendar.local(after(slot.start, notice)),
                "reason": "Ill", "late": late, "fee_charged": late,
            });
            set(&mut data, "cancel", cancel);
        }
    }
    data
}

fn log(
    dice: &mut Dice,
    client: &Client,
    slot: &Slot,
    modality: &str,
    calendar: &Calendar,
) -> Value {
    let device = if modality == "video" { "video" } else { "audio" };
    let presence = |kind: &str, id: &str, from: Timestamp, to: Timestamp| {
        json!({"who": {"kind": kind, "id": id}, "device": device,
            "joined_at": from.to_string(), "left_at": to.to_string()})
    };
    let staff_in = after(slot.start, -dice.between(5, 90));
    let mut data = json!({
        "appointment_id": slot.appointment, "episode_id": client.only("ep"),
        "format": if slot.week == 0 { "consult" } else { "individual" }, "modality": modality,
        "scheduled_start": calendar.local(slot.start), "scheduled_end": calendar.local(slot.end()),
        "client_location": {"at": "home", "state": "US-CO"},
    });
    if slot.fate == Fate::NoShow {
        let waited = after(slot.start, 20 * 60);
        set(&mut data, "status", json!("no_show"));
        set(&mut data, "presence", json!([presence("staff", client.therapist, staff_in, waited)]));
        set(&mut data, "attendance", json!([{"client_id": client.id, "status": "no_show"}]));
        return data;
    }
    let client_in = after(slot.start, dice.between(-30, 180));
    let minutes = dice.between(39, 59);
    let end = after(client_in, minutes * 60 + dice.between(0, 20));
    let mut intervals = vec![presence("staff", client.therapist, staff_in, after(end, 15))];
    let mut seconds = end.duration_since(client_in.max(staff_in)).as_secs();
    if dice.chance(15) {
        let lost = after(client_in, dice.between(5, 30) * 60);
        let gap = dice.between(10, 120);
        intervals.push(presence("client", &client.id, client_in, lost));
        intervals.push(presence("client", &client.id, after(lost, gap), end));
        seconds -= gap;
    } else {
        intervals.push(presence("client", &client.id, client_in, end));
    }
    set(&mut data, "status", json!("completed"));
    set(&mut data, "presence", json!(intervals));
    set(&mut data, "face_to_face_s", json!(seconds));
    set(&mut data, "attendance", json!([{"client_id": client.id, "status": "attended"}]));
    set(&mut data, "note_ids", json!([slot.note]));
    set(&mut data, "billing", billing(slot, seconds, modality));
    data
}

fn billing(slot: &Slot, seconds: i64, modality: &str) -> Value {
    let cpt = match seconds / 60 {
        _ if slot.week == 0 => "90791",
        ..=37 => "90832",
        38..=52 => "90834",
        _ => "90837",
    };
    json!({"cpt": cpt, "pos": "10", "units": 1,
        "modifiers": [if modality == "video" { "95" } else { "93" }]})
}

/// Sets a member of an object.
fn set(data: &mut Value, name: &str, value: Value) {
    if let Some(object) = data.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}
