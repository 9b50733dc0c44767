//! Derives the views of a `session_log` record: one Encounter for each client who attended.
//!
//! No roster leaves: each view holds the rows of its own client, of the staff, and of whoever acts
//! for this client and was there, and an identifier of its own.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::field::{flag, list, text};
use super::input::Input;
use super::window::{self, Presence, Window};
use super::{Derivation, View, Warning, cpt, labels, local_time, reference, related_party};
use crate::domain::{Kind, Op, Record};
use crate::exchange::ingest::term::clock;

/// Seconds by which two statements about the same time may differ.
const TOLERANCE: i64 = 120;

/// A longer stretch is taken for one that somebody forgot to end.
const LONGEST: i64 = 12 * 3600;

/// Whether the record becomes a resource for this client.
pub(super) fn is_mapped(record: &Record, d: &Derivation, client: &str) -> bool {
    reference::patient(d, client).is_some() && status(record, client).is_some()
}

/// When the session took place for this client, on the session's clock.
///
/// Like the status, it counts any staff as a therapist, so that what refers to the session needs
/// to know nothing about the staff's roles.
pub(super) fn period(record: &Record, client: &str) -> [Option<String>; 2] {
    let zone = local_time::zone(record);
    let window = window::of(record, client, |_| false);
    [window.start, window.end].map(|at| at.map(|at| local_time::shown(at, &zone)))
}

pub(super) fn views(record: &Record, d: &Derivation, warnings: &mut Vec<Warning>) -> Vec<View> {
    let mut views = Vec::new();
    let mut longest = None;
    for client in &record.client_ids {
        let window = window::of(record, client, |staff| interprets(staff, d));
        longest = longest.max(window.face_to_face);
        if let Some(status) = status(record, client)
            && let Some(view) = view(record, d, client, status, &window)
        {
            views.push(view);
        }
    }
    warn(record, d, longest, views.len(), warnings);
    views
}

/// The session's status for this client, in the platform's words; nothing where it makes no
/// Encounter.
fn status(record: &Record, client: &str) -> Option<String> {
    let window = window::of(record, client, |_| false);
    let data = &record.data;
    if !record.client_ids.iter().any(|id| id == client) {
        return None;
    }
    let stated = text(data, "status")?;
    let row = list(data, "attendance").iter().find(|row| text(row, "client_id") == Some(client));
    let attendance = row.and_then(|row| text(row, "status"));
    let attended = match attendance {
        Some("attended" | "late" | "left_early") => true,
        Some(_) => false,
        None => window.client_seen || (!window.recorded && record.client_ids.len() == 1),
    };
    let never_began = matches!(stated, "scheduled" | "no_show" | "cancelled");
    if never_began {
        return None;
    }
    if record.op == Op::Void || stated == "void" {
        return attended.then(|| "void".to_owned());
    }
    match stated {
        "waiting" => Some(stated.to_owned()),
        "completed" if !attended => None,
        "completed" if window.open => Some("in_progress".to_owned()),
        "completed" if window.face_to_face == Some(0) && attendance.is_none() => None,
        "aborted_technical" if window.face_to_face.is_none_or(|s| s < 60) => None,
        _ => attended.then(|| stated.to_owned()),
    }
}

fn view(
    record: &Record,
    d: &Derivation,
    client: &String,
    status: String,
    window: &Window,
) -> Option<View> {
    let data = &record.data;
    let id = d.ids.part(Kind::SessionLog, &record.id, client);
    let mut input = Input::new(record, d, id).for_client(client);
    keep_own_rows(input.data(), client);
    input.fact("subject", reference::patient(d, client)?);
    let code = data.get("billing").and_then(|billing| text(billing, "cpt"));
    let code = code.filter(|code| cpt::is_well_formed(code));
    let format = text(data, "format").unwrap_or_default();
    let words = &d.tables.sessions;
    input.fact_if_any("cpt", code);
    let known = code.and_then(|code| cpt::known(code, words)).map(|cpt| cpt.text.clone());
    input.fact_if_any("cpt_text", known);
    let format = words.formats.get(format).or(words.formats.get("other"));
    input.fact_if_any("format_text", format.cloned());
    input.fact_if_any("service_provider", reference::practice(d));
    let erased = status == "void";
    input.fact("status", status);
    if erased {
        return Some(input.view("session-log-encounter"));
    }
    let appointment = text(data, "appointment_id");
    input
        .fact_if_any("appointment", appointment.and_then(|a| reference::appointment(d, a, client)));
    let episode = text(data, "episode_id");
    input.fact_if_any("episode", episode.and_then(|e| reference::episode_of_care(d, e, client)));
    input.fact_if_any("location", place(data).and_then(|pos| reference::location(d, pos)));
    let zone = local_time::zone(record);
    input.fact_if_any("start", window.start.map(|at| local_time::shown(at, &zone)));
    input.fact_if_any("end", window.end.map(|at| local_time::shown(at, &zone)));
    input.fact_if_any("minutes", minutes(record, window).filter(|m| *m > 0));
    let mut rows = participants(d, appointment, window, &zone);
    for guardian in guardians(record, d, client, window) {
        input.uses(&guardian.record);
        rows.push(row(guardian.presence, "guardian", &guardian.reference, &zone));
    }
    input.fact("participants", rows);
    let diagnoses = d.neighbours.referring(Kind::Diagnosis, Kind::SessionLog, &record.id);
    let own = |dx: &&Arc<Record>| reference::condition(d, &dx.id, client).is_some();
    let own: Vec<&Arc<Record>> = diagnoses.iter().filter(own).collect();
    input.labels(&labels::of_diagnosed(record, d, own.iter().map(AsRef::as_ref)));
    let reasons = own.iter().filter_map(|dx| reference::condition(d, &dx.id, client));
    input.fact("reasons", reasons.collect::<Vec<_>>());
    Some(input.view("session-log-encounter"))
}

/// Whether somebody has no other role in the practice than to interpret.
fn interprets(staff: &str, d: &Derivation) -> bool {
    let Some(record) = d.neighbours.get(Kind::Staff, staff) else { return false };
    let mut roles = list(&record.data, "roles").iter().filter_map(|role| text(role, "role"));
    let mut any = false;
    roles.all(|role| {
        any = true;
        role == "interpreter"
    }) && any
}

/// Takes away what is about other clients.
fn keep_own_rows(data: &mut Value, client: &str) {
    let own = |who: &Value| text(who, "kind") == Some("staff") || text(who, "id") == Some(client);
    if let Some(rows) = data.get_mut("presence").and_then(Value::as_array_mut) {
        rows.retain(|row| row.get("who").is_some_and(own));
    }
    if let Some(rows) = data.get_mut("attendance").and_then(Value::as_array_mut) {
        rows.retain(|row| text(row, "client_id") == Some(client));
    }
}

/// The CMS place of service, as billed, or as the client's location says for a remote session.
fn place(data: &Value) -> Option<&str> {
    let billed = data.get("billing").and_then(|billing| text(billing, "pos"));
    let at = || data.get("client_location").and_then(|location| text(location, "at"));
    let remote = matches!(text(data, "modality"), Some("video" | "phone" | "chat"));
    billed.or_else(|| match at().filter(|_| remote) {
        Some("home") => Some("10"),
        Some(_) => Some("02"),
        None => None,
    })
}

/// Whole minutes face to face: measured, or else as the platform counted them for one client.
fn minutes(record: &Record, window: &Window) -> Option<i64> {
    let counted = || {
        let alone = record.client_ids.len() == 1 && !window.recorded;
        record.data.get("face_to_face_s").and_then(Value::as_i64).filter(|_| alone)
    };
    window.face_to_face.or_else(counted).map(|seconds| seconds / 60)
}

/// The staff. The lead is who was booked first, or else who came first.
fn participants(
    d: &Derivation,
    appointment: Option<&str>,
    window: &Window,
    zone: &TimeZone,
) -> Vec<Value> {
    let booked = appointment.and_then(|id| d.neighbours.get(Kind::Appointment, id));
    let booked: Vec<&str> = booked.as_deref().map_or_else(Vec::new, |appointment| {
        super::field::texts(&appointment.data, "staff_ids").collect()
    });
    let therapists = || window.staff.iter().filter(|p| !p.interprets).map(|p| p.who.as_str());
    let lead = booked.iter().copied().find(|id| therapists().any(|staff| staff == *id));
    let lead = lead.or_else(|| therapists().next());
    let staff = |p: &Presence| {
        let function = match p {
            p if p.interprets => "interpreter",
            p if Some(p.who.as_str()) == lead => "lead",
            _ => "co",
        };
        Some(row(p, function, &reference::practitioner(d, &p.who)?, zone))
    };
    let mut rows: Vec<Value> = window.staff.iter().filter_map(staff).collect();
    rows.sort_by_key(|row| text(row, "function") != Some("lead"));
    rows
}

fn row(presence: &Presence, function: &str, reference: &str, zone: &TimeZone) -> Value {
    let mut row = json!({
        "function": function,
        "reference": reference,
        "start": local_time::shown(presence.joined, zone),
    });
    if let (Some(left), Some(row)) = (presence.left, row.as_object_mut()) {
        row.insert("end".to_owned(), local_time::shown(left, zone).into());
    }
    row
}

/// Somebody who acts for the client, and was there.
struct Guardian<'a> {
    presence: &'a Presence,
    record: Arc<Record>,
    reference: String,
}

/// Who was there and acted for *this* client then. Nobody else who came along is named: not another
/// client's guardian, nor a partner or friend.
fn guardians<'a>(
    record: &'a Record,
    d: &'a Derivation,
    client: &'a str,
    window: &'a Window,
) -> impl Iterator<Item = Guardian<'a>> {
    let practice = d.neighbours.organization();
    let clock = clock(record, practice.as_deref());
    window.related.iter().filter_map(move |presence| {
        let reference = reference::related_person(d, &presence.who, client)?;
        let record = d.neighbours.get(Kind::RelatedParty, &presence.who)?;
        let acts = related_party::acted_at(&record, presence.joined, clock.as_ref()?);
        acts.then_some(Guardian { presence, record, reference })
    })
}

fn warn(
    record: &Record,
    d: &Derivation,
    face_to_face: Option<i64>,
    attending: usize,
    warnings: &mut Vec<Warning>,
) {
    let data = &record.data;
    let mut warn = |code, pointer: &str| {
        warnings.push(Warning { code, pointer: pointer.to_owned() });
    };
    if !matches!(text(data, "status"), Some("completed")) || record.op == Op::Void {
        return;
    }
    for pointer in cpt::doubts(data, face_to_face.map(|s| s / 60), attending, &d.tables.sessions) {
        warn("cpt_time_mismatch", pointer);
    }
    if face_to_face.is_some_and(|s| s > LONGEST) {
        warn("implausible_duration", "/data/presence");
    }
    let counted = data.get("face_to_face_s").and_then(Value::as_i64);
    if face_to_face.zip(counted).is_some_and(|(a, b)| (a - b).abs() > TOLERANCE) {
        warn("session_time_mismatch", "/data/face_to_face_s");
    }
    let given = |name: &str| text(data, name).and_then(local_time::instant);
    let measured = measured(record, d);
    for (name, at) in [("started_at", measured[0]), ("ended_at", measured[1])] {
        let apart = given(name).zip(at).map(|(a, b)| (a.as_second() - b.as_second()).abs());
        if apart.is_some_and(|seconds| seconds > TOLERANCE) {
            warn("session_time_mismatch", &format!("/data/{name}"));
        }
    }
    let recorded = data.get("recording").filter(|recording| flag(recording, "made"));
    if recorded.is_some_and(|recording| !consented(d, recording)) {
        warn("policy_violation", "/data/recording");
    }
}

/// First and last instant that any client had face to face.
fn measured(record: &Record, d: &Derivation) -> [Option<jiff::Timestamp>; 2] {
    let of = |client: &String| window::of(record, client, |staff| interprets(staff, d));
    let windows = record.client_ids.iter().map(of);
    let met: Vec<Window> = windows.filter(|w| w.face_to_face.is_some_and(|s| s > 0)).collect();
    [met.iter().filter_map(|w| w.start).min(), met.iter().filter_map(|w| w.end).max()]
}

fn consented(d: &Derivation, recording: &Value) -> bool {
    let consent = text(recording, "consent_id").and_then(|id| d.neighbours.get(Kind::Consent, id));
    consent.is_some_and(|consent| {
        consent.op == Op::Upsert
            && text(&consent.data, "status") == Some("active")
            && text(&consent.data, "decision") == Some("permit")
    })
}
