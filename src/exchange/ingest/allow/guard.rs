//! What the rules turn on, of a record's resources.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::instant;
use crate::domain::{Coding, Kind, Op, Record};
use crate::policy::{
    Asker, Ground, Item, Labels, NoteClass, Status, Withheld, requested_by, transfer_to,
};
use crate::store::Guard;

fn text<'a>(data: &'a Value, name: &str) -> Option<&'a str> {
    data.get(name).and_then(Value::as_str)
}

/// The guard of a resource that is made from a record and carries these labels.
pub(crate) fn guard(record: &Record, labels: &[Coding], zone: &TimeZone) -> Guard {
    let data = &record.data;
    let mut item = Item::new(record.kind, Labels::read(labels));
    item.status = status(record);
    if record.kind == Kind::SessionNote {
        let class = text(data, "class").and_then(|class| class.parse().ok());
        item.note = Some(class.unwrap_or(NoteClass::Unknown));
    }
    let visibility = data.get("visibility").unwrap_or(&Value::Null);
    item.withheld = withheld(visibility, zone);
    item.withheld_from_proxies = text(visibility, "proxies").is_some_and(|word| word != "inherit");
    item.of_record = data.get("clinical").and_then(Value::as_bool) != Some(false);
    item.redacted = has_others(data);
    item.for_emergencies = record.kind == Kind::Diagnosis
        && matches!(text(data, "status"), Some("confirmed" | "provisional"));
    let dated = dated(record).and_then(|text| instant(text, zone));
    Guard {
        class: item.class(),
        related: related(record),
        dated: dated.map_or(Guard::UNDATED, Timestamp::as_microsecond),
    }
}

fn status(record: &Record) -> Status {
    let stated = text(&record.data, "status");
    match (record.op, record.kind, stated) {
        (Op::Void | Op::Merge, ..)
        | (_, Kind::SessionNote | Kind::Message, Some("retracted"))
        | (_, Kind::Appointment, Some("entered_in_error")) => Status::Void,
        (_, Kind::SessionNote, Some("signed" | "locked" | "amended" | "addendum")) => Status::Final,
        (_, Kind::SessionNote, Some("draft" | "cosign_pending"))
        | (_, Kind::Message, Some("draft" | "queued" | "scheduled" | "failed"))
        | (_, Kind::TreatmentPlan | Kind::Transfer, Some("draft")) => Status::Draft,
        (_, Kind::SessionNote, _) | (_, Kind::Message, Some("other")) => Status::Unknown,
        _ => Status::Final,
    }
}

/// A decision to withhold from the patient. What is released as a summary only is withheld as it
/// is; a ground that is not known is one.
fn withheld(visibility: &Value, zone: &TimeZone) -> Option<Withheld> {
    let word = text(visibility, "client").filter(|word| *word != "full")?;
    let stated = text(visibility, "reason_code").and_then(|ground| ground.parse().ok());
    let until = text(visibility, "until").filter(|_| word == "withheld");
    Some(Withheld {
        ground: stated.unwrap_or(Ground::Unstated),
        until: until.and_then(|until| instant(until, zone)),
    })
}

/// Whether there are stretches about others, which are blotted out.
fn has_others(data: &Value) -> bool {
    let spans = data.get("third_party_spans").and_then(Value::as_array);
    spans.is_some_and(|spans| !spans.is_empty())
}

/// When what it says was done or observed.
pub(crate) fn dated(record: &Record) -> Option<&str> {
    let data = &record.data;
    let fields: &[&str] = match record.kind {
        Kind::SessionLog => &["started_at", "scheduled_start"],
        Kind::Appointment => &["starts_at"],
        Kind::SessionNote => &["service_date"],
        Kind::Message => &["sent_at"],
        Kind::Diagnosis => &["recorded_on"],
        Kind::Assessment => &["administered_at"],
        Kind::Consent => &["signed_at"],
        _ => &[],
    };
    // A plan is about the time from which it is followed.
    let from = data.get("effective").filter(|_| record.kind == Kind::TreatmentPlan);
    let stated = fields.iter().find_map(|field| text(data, field));
    let stated = stated.or_else(|| text(from?, "from"));
    stated.or(record.occurred_at.as_deref())
}

/// The session or plan that it belongs to, whom it goes to, who asks, or itself.
fn related(record: &Record) -> String {
    if record.kind == Kind::Transfer {
        let to = record.data.get("to").and_then(|to| text(to, "fhir_client_id"));
        return transfer_to(to.unwrap_or_default());
    }
    if record.kind == Kind::RecordRequest {
        let requester = record.data.get("requester").unwrap_or(&Value::Null);
        let who = match (text(requester, "kind"), text(requester, "id")) {
            (Some("client"), _) => Asker::Patient,
            (Some(_), Some(id)) => Asker::Party(id),
            _ => Asker::Another,
        };
        return requested_by(who);
    }
    let session = text(&record.data, "session_id");
    match (record.kind, session) {
        (Kind::SessionLog | Kind::TreatmentPlan | Kind::Consent | Kind::Attachment, _)
        | (_, None) => format!("{}/{}", record.kind, record.id),
        (_, Some(session)) => format!("{}/{session}", Kind::SessionLog),
    }
}
