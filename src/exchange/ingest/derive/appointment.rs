//! Derives an Appointment for each client of an `appointment` record.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::field::{list, text, texts};
use super::input::Input;
use super::{Derivation, View, Warning, reference, wall};
use crate::domain::{Kind, Op, Record};

/// Whether the record becomes a resource for this client.
pub(super) fn is_mapped(record: &Record, client: &str) -> bool {
    record.data.is_object() && record.client_ids.iter().any(|id| id == client)
}

pub(super) fn views(record: &Record, d: &Derivation, warnings: &mut Vec<Warning>) -> Vec<View> {
    let times = Times::of(record, warnings);
    record
        .client_ids
        .iter()
        .enumerate()
        .filter_map(|(place, client)| {
            let pointer = format!("/client_ids/{place}");
            let patient = reference::subject(d, client, &pointer, warnings)?;
            Some(view(record, d, client, &patient, &times))
        })
        .collect()
}

fn view(record: &Record, d: &Derivation, client: &String, patient: &str, times: &Times) -> View {
    let data = &record.data;
    let id = d.ids.part(Kind::Appointment, &record.id, client);
    let mut input = Input::new(record, d, id).for_client(client);
    let status = status(record, d, client, &mut input);
    let cancelled = matches!(status.as_str(), "cancelled" | "late_cancelled" | "rescheduled");
    if cancelled {
        let by = data.get("cancel").and_then(|cancel| text(cancel, "by"));
        input.fact_if_any("cancelled_by", by);
        let next = text(data, "rescheduled_to");
        let next = next.and_then(|next| reference::appointment(d, next, client));
        input.fact_if_any("rescheduled_to", next);
    }
    input.fact("participants", participants(data, d, patient, &status));
    input.fact("status", status);
    let kind = text(data, "type").unwrap_or_default();
    let service = text(data, "type_text").filter(|_| kind == "other").unwrap_or(kind);
    input.fact("service", format!("Therapy: {}", service.replace('_', " ")));
    input.fact_if_any("start", times.start.clone());
    input.fact_if_any("end", times.end.clone());
    input.fact_if_any("minutes", times.minutes);
    input.view("appointment-appointment")
}

/// The status for one client: in a group, whoever stayed away did not show up, whatever the
/// appointment as a whole became.
fn status(record: &Record, d: &Derivation, client: &str, input: &mut Input) -> String {
    if record.op == Op::Void {
        return "void".to_owned();
    }
    let data = &record.data;
    let whole = text(data, "status").unwrap_or_default();
    let session = text(data, "session_id").and_then(|id| d.neighbours.get(Kind::SessionLog, id));
    let attendance = session.as_ref().and_then(|session| {
        let mut rows = list(&session.data, "attendance").iter();
        rows.find(|row| text(row, "client_id") == Some(client)).and_then(|row| text(row, "status"))
    });
    let (Some(session), "fulfilled") = (&session, whole) else {
        return whole.to_owned();
    };
    let own = match attendance {
        Some("no_show") => "no_show",
        Some("excused") => "cancelled",
        _ => whole,
    };
    if own != whole {
        input.uses(session);
    }
    own.to_owned()
}

fn participants(data: &Value, d: &Derivation, patient: &str, status: &str) -> Vec<Value> {
    let by = data.get("cancel").and_then(|cancel| text(cancel, "by"));
    let coming = |who: &str| match status {
        "proposed" => "needs-action",
        "cancelled" | "late_cancelled" if by == Some(who) => "declined",
        _ => "accepted",
    };
    let mut participants = vec![json!({ "actor": patient, "status": coming("client") })];
    for staff in texts(data, "staff_ids").filter_map(|staff| reference::practitioner(d, staff)) {
        participants.push(json!({ "actor": staff, "status": coming("therapist") }));
    }
    // Where a client will be for a video session nobody knows beforehand.
    if text(data, "modality") == Some("in_person")
        && let Some(office) = reference::location(d, "11")
    {
        participants.push(json!({ "actor": office, "status": "accepted" }));
    }
    participants
}

/// When an appointment is, as FHIR writes it.
#[derive(Default)]
struct Times {
    start: Option<String>,
    end: Option<String>,
    minutes: Option<i64>,
}

impl Times {
    /// For an appointment that has not been kept yet, the wall time and the zone decide.
    fn of(record: &Record, warnings: &mut Vec<Warning>) -> Self {
        let data = &record.data;
        let sent = |name| text(data, name).and_then(|at| Some((at, at.parse::<Timestamp>().ok()?)));
        let (Some((start_text, start)), Some((end_text, end))) =
            (sent("starts_at"), sent("ends_at"))
        else {
            return Self::default();
        };
        let seconds = end.duration_since(start).as_secs();
        if seconds < 0 {
            warnings.push(warning("implausible_duration", "/data/ends_at"));
            return Self { start: Some(start_text.to_owned()), ..Self::default() };
        }
        let minutes = Some(seconds / 60).filter(|minutes| *minutes > 0);
        let zone = text(data, "tz").or(record.tz.as_deref());
        let moved = zone.zip(text(data, "wall_start")).and_then(|(zone, wall)| {
            let (moved, text) = wall::instant(wall, zone, start)?;
            let end = wall::local(moved.checked_add(end.duration_since(start)).ok()?, zone)?;
            (moved != start).then_some((text, end))
        });
        if moved.is_some() {
            warnings.push(warning("tz_offset_mismatch", "/data/starts_at"));
        }
        let to_come = matches!(text(data, "status"), Some("proposed" | "booked" | "confirmed"));
        let (start, end) = moved
            .filter(|_| to_come)
            .unwrap_or_else(|| (start_text.to_owned(), end_text.to_owned()));
        Self { start: Some(start), end: Some(end), minutes }
    }
}

fn warning(code: &'static str, pointer: &str) -> Warning {
    Warning { code, pointer: pointer.to_owned() }
}
