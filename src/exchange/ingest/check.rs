//! What a schema cannot say: checks over a whole record of one kind.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::envelope::Opened;
use super::reject::Reject;
use super::time;
use crate::domain::{Kind, Op, Record};

/// What is worth telling about a record that is taken in, by code and pointer.
pub(crate) type Warnings = Vec<(&'static str, String)>;

/// Checks a record whose data fits its model.
pub(crate) fn check(opened: &mut Opened) -> Result<(), Reject> {
    subjects(&mut opened.record)?;
    let (record, warnings) = (&opened.record, &mut opened.warnings);
    if record.op == Op::Void && record.data.is_null() {
        return Ok(());
    }
    match record.kind {
        Kind::Client | Kind::RelatedParty => no_ssn(&record.data)?,
        Kind::Appointment => in_order(&record.data, "/data", "starts_at", "ends_at")?,
        Kind::SessionLog => session(record)?,
        Kind::SessionNote => note(record, warnings)?,
        Kind::Message => message(record, warnings),
        Kind::Thread => in_order(&record.data, "/data", "opened_at", "closed_at")?,
        _ => {}
    }
    Ok(())
}

/// The kinds of which one record may be about several clients.
fn may_have_several(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Appointment | Kind::SessionLog | Kind::Thread | Kind::Message | Kind::Attachment
    ) || !kind.is_mapped()
}

/// Sees to it that `client_ids` names everybody whom the record is about.
fn subjects(record: &mut Record) -> Result<(), Reject> {
    if matches!(record.kind, Kind::Organization | Kind::Staff | Kind::Client) {
        return Ok(());
    }
    let named = record.data.get("client_id").and_then(Value::as_str);
    if let Some(client) = named {
        if record.client_ids.is_empty() {
            record.client_ids.push(client.to_owned());
        } else if !record.client_ids.iter().any(|id| id == client) {
            let detail = "the client is not among client_ids; correct one of the two";
            return Err(Reject::new("client_mismatch", "/data/client_id", detail));
        }
    } else if record.client_ids.is_empty() {
        let ids = record.data.get("client_ids").and_then(Value::as_array).into_iter().flatten();
        record.client_ids = ids.filter_map(Value::as_str).map(str::to_owned).collect();
        record.client_ids.dedup();
    }
    if record.client_ids.len() > 1 && !may_have_several(record.kind) {
        let detail = "a record of this kind is about one client; send one record for each";
        return Err(Reject::schema("/client_ids", detail));
    }
    let required = record.kind.is_mapped() && record.op != Op::Void;
    if required && record.client_ids.is_empty() {
        let detail = "nobody is named whom the record is about; send client_ids";
        return Err(Reject::schema("/client_ids", detail));
    }
    Ok(())
}

/// Sees to it that a session or appointment has a clock on the wall: that of its envelope, or the
/// one in its data.
pub(crate) fn adopt_zone(opened: &mut Opened) -> Result<(), Reject> {
    let record = &mut opened.record;
    let required = matches!(record.kind, Kind::Appointment | Kind::SessionLog);
    if !required || record.tz.is_some() || record.data.is_null() {
        return Ok(());
    }
    let Some(name) = record.data.get("tz").and_then(Value::as_str) else {
        let detail = "a session or appointment needs its time zone; send an IANA name";
        return Err(Reject::schema("/tz", detail));
    };
    opened.zone = Some(time::zone(name).map_err(|reject| reject.at("/data/tz"))?);
    record.tz = Some(name.to_owned());
    Ok(())
}

/// Refuses a pair of times whose end lies before its start.
fn in_order(object: &Value, at: &str, start: &str, end: &str) -> Result<(), Reject> {
    let instant = |name| {
        let text = object.get(name).and_then(Value::as_str)?;
        time::read(text, None).ok().map(|time| time.instant)
    };
    match (instant(start), instant(end)) {
        (Some(first), Some(last)) if last < first => {
            let detail = format!("the end lies before {start}; send the times that were meant");
            Err(Reject::new("implausible_time", format!("{at}/{end}"), detail))
        }
        _ => Ok(()),
    }
}

fn session(record: &Record) -> Result<(), Reject> {
    in_order(&record.data, "/data", "scheduled_start", "scheduled_end")?;
    in_order(&record.data, "/data", "started_at", "ended_at")?;
    let presence = record.data.get("presence").and_then(Value::as_array).into_iter().flatten();
    for (i, interval) in presence.enumerate() {
        in_order(interval, &format!("/data/presence/{i}"), "joined_at", "left_at")?;
    }
    Ok(())
}

/// What a psychotherapy note does not contain by definition (45 CFR 164.501).
const NOT_PSYCHOTHERAPY: &[&str] = &[
    "dx_refs",
    "diagnosis",
    "plan",
    "symptoms",
    "prognosis",
    "progress",
    "test_results",
    "modalities",
    "frequency",
    "started_at",
    "ended_at",
];

fn note(record: &Record, warnings: &mut Warnings) -> Result<(), Reject> {
    let class = record.data.get("class").and_then(Value::as_str);
    if class.is_none_or(|class| !CLASSES.contains(&class)) {
        let detail = "the class of a note decides who may ever see it; send one that is known";
        return Err(Reject::schema("/data/class", detail));
    }
    if class != Some("psychotherapy") {
        return Ok(());
    }
    if record.data.get("separated") != Some(&Value::Bool(true)) {
        let detail = "a psychotherapy note has to be kept apart from the chart (45 CFR 164.501); \
                      send separated: true, or the class that it really has";
        return Err(Reject::new("psy_note_not_separated", "/data/separated", detail));
    }
    let structured = record.data.get("structured").and_then(Value::as_object);
    let foreign = structured.into_iter().flatten().filter(|(name, value)| {
        let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        !empty && NOT_PSYCHOTHERAPY.contains(&name.as_str())
    });
    for (name, _) in foreign {
        warnings.push(("misclassified_psychotherapy_note", format!("/data/structured/{name}")));
    }
    Ok(())
}

/// The classes of a note.
pub(crate) const CLASSES: &[&str] = &[
    "progress",
    "intake_evaluation",
    "psychotherapy",
    "sud_counseling",
    "consult",
    "discharge_summary",
    "contact",
    "supervision",
    "admin",
];

/// The classes that never leave the isolated plane.
pub(crate) const ISOLATED: &[&str] = &["psychotherapy", "sud_counseling", "supervision"];

/// Whether a record belongs to the isolated plane and nowhere else.
pub(crate) fn is_isolated(record: &Record) -> bool {
    let class = record.data.get("class").and_then(Value::as_str);
    record.kind == Kind::SessionNote && class.is_some_and(|class| ISOLATED.contains(&class))
}

/// How far a sender's clock may be ahead of the platform's.
const SKEW: SignedDuration = SignedDuration::from_mins(15);

fn message(record: &Record, warnings: &mut Warnings) {
    let sent = record.data.get("sent_at").and_then(Value::as_str);
    let sent = sent.and_then(|text| time::read(text, None).ok()).map(|time| time.instant);
    let latest: Option<Timestamp> = record.updated_at.checked_add(SKEW).ok();
    if sent.zip(latest).is_some_and(|(sent, latest)| sent > latest) {
        warnings.push(("clock_skew", "/data/sent_at".to_owned()));
    }
}

/// Systems and types that say an identifier is a social security number.
const SSN: &[&str] =
    &["http://hl7.org/fhir/sid/us-ssn", "urn:oid:2.16.840.1.113883.4.1", "SS", "SSN", "ssn"];

/// Field names under which a platform might send one outside of the identifiers.
const SSN_FIELDS: &[&str] = &["ssn", "social_security_number", "ssn_last4"];

fn no_ssn(data: &Value) -> Result<(), Reject> {
    let refuse = |pointer: String| {
        let detail = "social security numbers are not taken in (US Core: they should not be used \
                      as identifiers); remove it";
        Err(Reject::new("ssn_rejected", pointer, detail))
    };
    let identifiers = data.get("identifiers").and_then(Value::as_array).into_iter().flatten();
    for (i, identifier) in identifiers.enumerate() {
        let text = |name| identifier.get(name).and_then(Value::as_str).unwrap_or_default();
        let named = [text("system"), text("type")].iter().any(|name| SSN.contains(name));
        if named || looks_like_ssn(text("value")) {
            return refuse(format!("/data/identifiers/{i}"));
        }
    }
    match SSN_FIELDS.iter().find(|name| data.get(*name).is_some_and(|value| !value.is_null())) {
        Some(name) => refuse(format!("/data/{name}")),
        None => Ok(()),
    }
}

/// Three, two and four digits with hyphens between them.
fn looks_like_ssn(text: &str) -> bool {
    let mut groups = text
        .split('-')
        .map(|group| if group.bytes().all(|b| b.is_ascii_digit()) { group.len() } else { 0 });
    (groups.next(), groups.next(), groups.next(), groups.next())
        == (Some(3), Some(2), Some(4), None)
}
