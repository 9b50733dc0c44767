//! From a record's bytes to a record that may be stored, or the reason why not. Pure.

use serde_json::Value;

use super::envelope::{self, Opened};
use super::lines::{Content, LONGEST};
use super::reject::Reject;
use super::{canonical, check, derive, json, plane, schema, spans, text};
use crate::domain::{Kind, Op, Record, TenantId};
use crate::mapping::Model;

/// The schemas by kind.
pub(crate) trait Schemas: Sync {
    /// What a record of `kind` has to look like, if anything is said about it.
    fn model(&self, kind: Kind) -> Option<&Model>;
}

/// A record that may be stored.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// The record, its text and times in form.
    pub record: Record,
    /// SHA-256 over all of it.
    pub hash: [u8; 32],
    /// The records that it refers to.
    pub links: Vec<(Kind, String)>,
    /// Whether it belongs to the isolated plane.
    pub isolated: bool,
    /// What is worth telling, by code and pointer.
    pub warnings: Vec<(&'static str, String)>,
    /// Fields that nobody knows.
    pub unknown: Vec<String>,
}

/// A record that may not be stored.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Why.
    pub reject: Reject,
    /// Its tenant, if that can be read.
    pub tenant: Option<TenantId>,
    /// Its kind, as sent.
    pub kind: Option<String>,
    /// Its id, as sent.
    pub id: Option<String>,
    /// Whether it may be an isolated note.
    pub isolated: bool,
    /// Its bytes, or what identifies them.
    pub body: Vec<u8>,
}

/// Reads and checks one record.
pub(crate) fn accept(
    content: Content,
    schemas: &dyn Schemas,
) -> Result<Box<Incoming>, Box<Refused>> {
    match content {
        Content::Whole(body) => {
            let read = json::read(&body).and_then(|document| record(document, schemas));
            read.map(Box::new).map_err(|reject| Box::new(refused(reject, body)))
        }
        Content::TooLong { length, hash } => {
            let detail = format!(
                "the record has {length} bytes, more than the {LONGEST} that are taken; split it, \
                 or send long text as an attachment"
            );
            let reject = Reject::new("line_too_long", "", detail);
            let body = format!("{length} bytes, sha256:{}", hex::encode(hash)).into_bytes();
            let (tenant, kind, id) = (None, None, None);
            Err(Box::new(Refused { reject, tenant, kind, id, isolated: true, body }))
        }
    }
}

fn record(document: json::Document, schemas: &dyn Schemas) -> Result<Incoming, Reject> {
    let json::Document { mut value, has_special_text } = document;
    let mut removed = Vec::new();
    if has_special_text {
        envelope::verify_hash(&value)?;
        spans::follow(&mut value);
        removed = text::clean(&mut value);
    }
    let mut opened = envelope::open(value, !has_special_text)?;
    let cleaned = removed.into_iter().map(|pointer| ("characters_removed", pointer));
    opened.warnings.extend(cleaned);
    check_data(&mut opened, schemas)?;
    check::check(&mut opened)?;
    if let Some(found) = derive::rejection(&opened.record) {
        return Err(Reject::new(found.reason, found.pointer, found.detail));
    }
    let Opened { record, unknown, warnings, .. } = opened;
    let hash = canonical::sha256(&line(&record));
    let isolated = check::is_isolated(&record);
    let links = if isolated { Vec::new() } else { derive::links(&record) };
    Ok(Incoming { record, hash, links, isolated, warnings, unknown })
}

fn check_data(opened: &mut Opened, schemas: &dyn Schemas) -> Result<(), Reject> {
    check::adopt_zone(opened)?;
    let Some(model) = schemas.model(opened.record.kind) else { return Ok(()) };
    if opened.record.data.is_null() && opened.record.op == Op::Void {
        return Ok(());
    }
    let findings = schema::check(model, &mut opened.record.data, opened.zone.as_ref())?;
    opened.warnings.extend(findings.warnings);
    opened.unknown.extend(findings.unknown);
    Ok(())
}

fn refused(reject: Reject, body: Vec<u8>) -> Refused {
    const SHOWN: usize = 128;
    let value = json::read(&body).map(|document| document.value).unwrap_or_default();
    let text = |name| {
        let text = value.get(name).and_then(Value::as_str)?;
        Some(text.chars().filter(|c| !c.is_control()).take(SHOWN).collect::<String>())
    };
    let (tenant, kind, id) = (text("tenant_id"), text("kind"), text("id"));
    let isolated = if value.is_null() { plane::of_bytes(&body) } else { plane::of_value(&value) };
    Refused { reject, tenant: tenant.and_then(|name| name.parse().ok()), kind, id, isolated, body }
}

/// A record as one line of canonical JSON, in the form in which the platform could send it again.
pub(crate) fn line(record: &Record) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let mut member = |name: &str, value: &dyn Fn(&mut Vec<u8>)| {
        out.push(if out.is_empty() { b'{' } else { b',' });
        canonical::write_text(name, &mut out);
        out.push(b':');
        value(&mut out);
    };
    let text = |text: &Option<String>| {
        let text = text.clone();
        move |out: &mut Vec<u8>| match &text {
            Some(text) => canonical::write_text(text, out),
            None => out.extend_from_slice(b"null"),
        }
    };
    member("client_ids", &|out| {
        canonical::write(&record.client_ids.iter().map(String::as_str).collect(), out);
    });
    if !record.data.is_null() {
        member("data", &|out| canonical::write(&record.data, out));
    }
    member("id", &|out| canonical::write_text(&record.id, out));
    member("kind", &|out| canonical::write_text(record.kind.as_str(), out));
    member("labels", &|out| {
        let labels = record.labels.iter();
        let label =
            |l: &crate::domain::Coding| serde_json::json!({"system": l.system, "code": l.code});
        canonical::write(&labels.map(label).collect(), out);
    });
    member("occurred_at", &text(&record.occurred_at));
    member("op", &|out| canonical::write_text(op(record.op), out));
    member("part2", &|out| canonical::write(&Value::from(record.part2), out));
    member("recorded_at", &text(&record.recorded_at));
    member("schema", &|out| canonical::write_text(envelope::SCHEMA, out));
    member("tenant_id", &|out| canonical::write_text(record.tenant.as_str(), out));
    member("tz", &text(&record.tz));
    member("updated_at", &|out| canonical::write_text(&format!("{:.3}", record.updated_at), out));
    member("version", &|out| canonical::write(&Value::from(record.version), out));
    out.push(b'}');
    out
}

fn op(op: Op) -> &'static str {
    match op {
        Op::Upsert => "upsert",
        Op::Void => "void",
        Op::Merge => "merge",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct NoSchemas;

    impl Schemas for NoSchemas {
        fn model(&self, _kind: Kind) -> Option<&Model> {
            None
        }
    }

    fn envelope() -> Value {
        json!({
            "schema": "tp.record/1", "kind": "session_log", "tenant_id": "hv", "id": "ses_1",
            "version": 3, "op": "upsert", "updated_at": "2026-11-01T15:00:00.1239Z",
            "tz": "America/Denver", "client_ids": ["cl_7"],
            "data": {"status": "completed", "note": "e\u{301}"}
        })
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut record = envelope();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        record.pointer_mut(parent).unwrap()[name] = value;
        record
    }

    fn take(record: &Value) -> Result<Box<Incoming>, Box<Refused>> {
        accept(Content::Whole(record.to_string().into_bytes()), &NoSchemas)
    }

    fn refused(record: &Value) -> (&'static str, String) {
        let refused = take(record).unwrap_err();
        (refused.reject.reason, refused.reject.pointer)
    }

    #[test]
    fn a_record_in_order_is_taken_with_its_text_and_times_in_form() {
        let taken = take(&envelope()).unwrap();
        assert_eq!(taken.record.data["note"], "é");
        assert_eq!(taken.record.updated_at.to_string(), "2026-11-01T15:00:00.123Z");
        let again = accept(Content::Whole(line(&taken.record)), &NoSchemas).unwrap();
        assert_eq!((&again.record, again.hash), (&taken.record, taken.hash));
    }

    #[test]
    fn each_fault_of_the_envelope_has_its_reason_and_place() {
        let cases = [
            ("/schema", json!("tp.record/2"), "unknown_schema"),
            ("/kind", json!("invoice"), "unknown_kind"),
            ("/tenant_id", json!("a/b"), "schema_violation"),
            ("/id", json!(""), "schema_violation"),
            ("/version", json!(0), "schema_violation"),
            ("/op", json!("delete"), "schema_violation"),
            ("/updated_at", json!("yesterday"), "schema_violation"),
            ("/occurred_at", json!("2026-11-01T01:30:00"), "ambiguous_time"),
            ("/tz", json!("Mars/Olympus"), "unknown_time_zone"),
            ("/client_ids", json!("cl_7"), "schema_violation"),
            ("/data", json!([]), "schema_violation"),
            ("/derived", json!({}), "schema_violation"),
            ("/content_hash", json!("sha256:00"), "hash_mismatch"),
        ];
        for (pointer, value, reason) in cases {
            assert_eq!(refused(&with(pointer, value)), (reason, pointer.to_owned()));
        }
    }

    #[test]
    fn a_right_hash_is_that_of_the_data_as_it_was_sent() {
        let mut data = Vec::new();
        canonical::write(&envelope()["data"], &mut data);
        let hash = format!("sha256:{}", hex::encode(canonical::sha256(&data)));
        take(&with("/content_hash", json!(hash))).unwrap();
    }

    #[test]
    fn a_session_needs_a_zone_and_presence_that_runs_forward() {
        assert_eq!(refused(&with("/tz", Value::Null)), ("schema_violation", "/tz".into()));
        let presence = json!([{"joined_at": "2026-11-01T01:31:00-06:00", "left_at": "2026-11-01T01:25:00-06:00"}]);
        let pointer = "/data/presence/0/left_at".to_owned();
        assert_eq!(refused(&with("/data/presence", presence)), ("implausible_time", pointer));
        let presence = json!([{"joined_at": "2026-11-01T01:31:00-06:00", "left_at": "2026-11-01T01:25:00-07:00"}]);
        take(&with("/data/presence", presence)).unwrap();
    }

    #[test]
    fn a_psychotherapy_note_has_to_be_kept_apart() {
        let mut note = with("/kind", json!("session_note"));
        note["data"] = json!({"class": "psychotherapy", "separated": false});
        let entry = take(&note).unwrap_err();
        assert_eq!((entry.reject.reason, entry.isolated), ("psy_note_not_separated", true));
        note["data"] =
            json!({"class": "psychotherapy", "separated": true, "structured": {"prognosis": "x"}});
        let taken = take(&note).unwrap();
        assert!(taken.isolated && taken.links.is_empty());
        assert_eq!(
            taken.warnings,
            [("misclassified_psychotherapy_note", "/data/structured/prognosis".into())]
        );
        note["data"] = json!({"class": "therapy"});
        assert_eq!(refused(&note), ("schema_violation", "/data/class".into()));
    }

    #[test]
    fn a_social_security_number_is_not_taken_in() {
        let mut client = with("/kind", json!("client"));
        for identifier in [json!({"type": "SS", "value": "1"}), json!({"value": "123-45-6789"})] {
            client["data"] = json!({"identifiers": [identifier]});
            assert_eq!(refused(&client).0, "ssn_rejected");
        }
        client["data"] = json!({"identifiers": [{"type": "MR", "value": "123-456-789"}]});
        take(&client).unwrap();
    }

    #[test]
    fn a_void_needs_no_data_and_no_clients() {
        let mut void = with("/op", json!("void"));
        void["data"] = Value::Null;
        void["client_ids"] = json!([]);
        assert!(take(&void).unwrap().record.data.is_null());
        void["op"] = json!("upsert");
        assert_eq!(refused(&void), ("schema_violation", "/data".into()));
    }
}
