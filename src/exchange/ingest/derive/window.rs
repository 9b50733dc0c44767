//! When a session really took place for one client, and who of the staff was there.
//!
//! Face to face is the time in which a therapist *and* this client are present, whatever the
//! number of reconnects; gaps do not count (`Encounter.length` may be less than its period).
//! Other clients' presence is never looked at, so nothing of it can show.

use jiff::Timestamp;
use serde_json::Value;

use super::field::{list, text};
use super::local_time;
use super::presence::{Interval, intersection, seconds, union};
use crate::domain::Record;

/// Somebody in a session beside the clients.
pub(super) struct Presence {
    /// The member of staff, or somebody related.
    pub(super) who: String,
    /// Whether as an interpreter.
    pub(super) interprets: bool,
    /// When the person first came.
    pub(super) joined: Timestamp,
    /// When the person last left; nothing while still there.
    pub(super) left: Option<Timestamp>,
}

/// A session as one client had it.
pub(super) struct Window {
    /// Whether somebody is still there: a therapist or this client.
    pub(super) open: bool,
    /// Whether this client was ever seen.
    pub(super) client_seen: bool,
    /// Whether there are rows of presence at all.
    pub(super) recorded: bool,
    /// First instant face to face, or else the session's start.
    pub(super) start: Option<Timestamp>,
    /// Last instant face to face, or else the session's end; nothing while open.
    pub(super) end: Option<Timestamp>,
    /// Seconds face to face; nothing where presence was not recorded, or is still open.
    pub(super) face_to_face: Option<i64>,
    /// The staff, in the order in which they came.
    pub(super) staff: Vec<Presence>,
    /// People related to a client, in the order in which they came. Their time does not count.
    pub(super) related: Vec<Presence>,
}

/// The session as this client had it; who of the staff only interprets is for the caller to say.
pub(super) fn of(record: &Record, client: &str, interprets: impl Fn(&str) -> bool) -> Window {
    let rows = list(&record.data, "presence");
    let staff = people(rows, "staff", interprets);
    let is_client = |row: &Value| is(row, "client", Some(client));
    let is_therapist =
        |row: &Value| staff.iter().any(|p| !p.interprets && is(row, "staff", Some(p.who.as_str())));
    let client_stays = Stays::of(rows, is_client);
    let therapist_stays = Stays::of(rows, is_therapist);
    let open = client_stays.open || therapist_stays.open;
    let both = intersection(&therapist_stays.closed, &client_stays.closed);
    let given = |name: &str| text(&record.data, name).and_then(local_time::instant);
    // Who is still there met the other one as soon as both had come.
    let met = intersection(&therapist_stays.all, &client_stays.all);
    let first_meeting = met.first().map(|i| i.start);
    Window {
        open,
        client_seen: client_stays.open || !client_stays.closed.is_empty(),
        recorded: !rows.is_empty(),
        start: first_meeting.or_else(|| given("started_at")),
        end: if open { None } else { both.last().map(|i| i.end).or_else(|| given("ended_at")) },
        face_to_face: (!open && !rows.is_empty()).then(|| seconds(&both)),
        staff,
        related: people(rows, "related", |_| false),
    }
}

/// The stretches of some people, and whether one has no end yet.
struct Stays {
    closed: Vec<Interval>,
    /// The closed ones, and those without an end as if they had none.
    all: Vec<Interval>,
    open: bool,
}

impl Stays {
    fn of(rows: &[Value], wanted: impl Fn(&Value) -> bool) -> Self {
        let mut stays = Self { closed: Vec::new(), all: Vec::new(), open: false };
        for row in rows.iter().filter(|row| wanted(row)) {
            let at = |name| text(row, name).and_then(local_time::instant);
            match (at("joined_at"), at("left_at")) {
                (Some(start), Some(end)) => stays.closed.push(Interval { start, end }),
                (Some(start), None) => {
                    stays.open = true;
                    stays.all.push(Interval { start, end: Timestamp::MAX });
                }
                (None, _) => {}
            }
        }
        stays.all.extend_from_slice(&stays.closed);
        stays.all = union(stays.all);
        stays.closed = union(stays.closed);
        stays
    }
}

fn people(rows: &[Value], kind: &str, interprets: impl Fn(&str) -> bool) -> Vec<Presence> {
    let mut found: Vec<Presence> = Vec::new();
    for row in rows.iter().filter(|row| is(row, kind, None)) {
        let at = |name| text(row, name).and_then(local_time::instant);
        let id = row.get("who").and_then(|who| text(who, "id"));
        let (Some(who), Some(joined)) = (id, at("joined_at")) else { continue };
        let left = at("left_at");
        if let Some(known) = found.iter_mut().find(|p| p.who == who) {
            known.joined = known.joined.min(joined);
            known.left = known.left.zip(left).map(|(a, b)| a.max(b));
        } else {
            let interprets = interprets(who);
            found.push(Presence { who: who.to_owned(), interprets, joined, left });
        }
    }
    found.sort_by(|a, b| (a.joined, &a.who).cmp(&(b.joined, &b.who)));
    found
}

fn is(row: &Value, kind: &str, id: Option<&str>) -> bool {
    row.get("who").is_some_and(|who| {
        text(who, "kind") == Some(kind) && id.is_none_or(|id| text(who, "id") == Some(id))
    })
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::super::fixture::record;
    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a literal reads better without a borrow")]
    fn session(presence: Value) -> Record {
        let mut record = record(crate::domain::Kind::SessionLog, "ses_91", json!({}));
        record.tz = Some("America/Denver".to_owned());
        record.data = json!({ "presence": presence });
        record
    }

    fn row(kind: &str, id: &str, joined: &str, left: Option<&str>) -> Value {
        json!({"who": {"kind": kind, "id": id}, "joined_at": joined, "left_at": left})
    }

    fn seconds_of(presence: Value) -> Option<i64> {
        of(&session(presence), "cl_7", |staff| staff == "st_interpreter").face_to_face
    }

    #[test]
    fn a_night_with_two_one_o_clocks_has_its_real_length() {
        let window = of(
            &session(json!([
                row("staff", "st_2", "2026-11-01T07:29:40Z", Some("2026-11-01T08:26:05Z")),
                row("client", "cl_7", "2026-11-01T07:31:02Z", Some("2026-11-01T07:58:30Z")),
                row("client", "cl_7", "2026-11-01T08:00:10Z", Some("2026-11-01T08:25:50Z")),
            ])),
            "cl_7",
            |_| false,
        );
        assert_eq!(window.face_to_face, Some(1648 + 1540));
        let zone = TimeZone::get("America/Denver").unwrap();
        let shown = |at: Option<Timestamp>| local_time::shown(at.unwrap(), &zone);
        assert_eq!(shown(window.start), "2026-11-01T01:31:02-06:00");
        assert_eq!(shown(window.end), "2026-11-01T01:25:50-07:00");
    }

    #[test]
    fn another_clients_presence_an_interpreters_and_a_therapists_alone_do_not_count() {
        let hour = |kind, id| row(kind, id, "2026-09-01T10:00:00Z", Some("2026-09-01T11:00:00Z"));
        assert_eq!(seconds_of(json!([hour("staff", "st_2"), hour("client", "cl_8")])), Some(0));
        let interpreted = json!([hour("staff", "st_interpreter"), hour("client", "cl_7")]);
        assert_eq!(seconds_of(interpreted), Some(0));
        assert_eq!(seconds_of(json!([hour("staff", "st_2"), hour("client", "cl_7")])), Some(3600));
        assert_eq!(seconds_of(json!([])), None);
    }

    #[test]
    fn somebody_who_is_still_there_leaves_the_end_open() {
        let window = of(
            &session(json!([
                row("staff", "st_2", "2026-09-01T10:00:00Z", None),
                row("client", "cl_7", "2026-09-01T10:00:00Z", Some("2026-09-01T11:00:00Z")),
            ])),
            "cl_7",
            |_| false,
        );
        assert!(window.open && window.end.is_none() && window.face_to_face.is_none());
    }
}
