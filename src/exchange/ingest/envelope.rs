//! The envelope: what every record has to say about itself before its data is looked at.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::canonical;
use super::reject::Reject;
use super::time;
use crate::domain::{Coding, Kind, Op, Record, TenantId};

/// The schema that this version reads.
pub(crate) const SCHEMA: &str = "tp.record/1";

/// The names of the envelope.
const NAMES: &[&str] = &[
    "client_ids",
    "content_hash",
    "data",
    "id",
    "kind",
    "labels",
    "occurred_at",
    "op",
    "part2",
    "recorded_at",
    "schema",
    "tenant_id",
    "tz",
    "updated_at",
    "version",
];

/// A record whose envelope is in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Opened {
    /// The record; its data is not checked yet.
    pub record: Record,
    /// The zone of `tz`.
    pub zone: Option<TimeZone>,
    /// Envelope fields that nobody knows.
    pub unknown: Vec<String>,
    /// What is worth telling, by code and pointer.
    pub warnings: Vec<(&'static str, String)>,
}

/// Reads the envelope of a record, and checks the data's hash if that was not done before.
pub(crate) fn open(value: Value, with_hash: bool) -> Result<Opened, Reject> {
    if with_hash {
        verify_hash(&value)?;
    }
    let Value::Object(map) = value else {
        return Err(Reject::schema("", "a record is a JSON object; send one per line"));
    };
    let mut fields = Fields { map, warnings: Vec::new() };
    if fields.map.get("schema").and_then(Value::as_str) != Some(SCHEMA) {
        let detail =
            format!("the schema is not {SCHEMA}, the one that is read here; convert the record");
        return Err(Reject::new("unknown_schema", "/schema", detail));
    }
    let kind = fields.kind()?;
    let tenant = fields.tenant()?;
    let id = fields.id()?;
    let version = fields.version()?;
    let op = fields.op()?;
    let zone = fields.zone()?;
    let occurred_at = fields.time("occurred_at", zone.as_ref().map(|(_, zone)| zone))?;
    let recorded_at = fields.time("recorded_at", None)?;
    let updated_at = fields.updated_at()?;
    let client_ids = fields.client_ids()?;
    let labels = fields.labels()?;
    let part2 = fields.part2()?;
    let data = fields.data(op)?;
    let (tz, zone) = zone.unzip();
    let record = Record {
        tenant,
        kind,
        id,
        version,
        op,
        occurred_at: occurred_at.map(|(text, _)| text),
        recorded_at: recorded_at.map(|(text, _)| text),
        updated_at,
        tz,
        client_ids,
        labels,
        part2,
        data,
    };
    let unknown = fields.unknown()?;
    Ok(Opened { record, zone, unknown, warnings: fields.warnings })
}

/// The fields that are still to be read.
struct Fields {
    map: Map<String, Value>,
    warnings: Vec<(&'static str, String)>,
}

impl Fields {
    /// Takes a field that is text; absent and null are one.
    fn text(&mut self, name: &str) -> Result<Option<String>, Reject> {
        match self.map.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Reject::schema("", "this has to be text").under(name)),
        }
    }

    fn required(&mut self, name: &str) -> Result<String, Reject> {
        self.text(name)?
            .ok_or_else(|| Reject::schema("", "the field is required; send it").under(name))
    }

    fn kind(&mut self) -> Result<Kind, Reject> {
        self.required("kind")?.parse().map_err(|()| {
            let detail = "no such kind of record is known; correct it, or upgrade throughline";
            Reject::new("unknown_kind", "/kind", detail)
        })
    }

    fn tenant(&mut self) -> Result<TenantId, Reject> {
        let detail = "a tenant has 1 to 64 letters, digits, dots, underscores and hyphens";
        self.required("tenant_id")?.parse().map_err(|()| Reject::schema("/tenant_id", detail))
    }

    fn id(&mut self) -> Result<String, Reject> {
        let id = self.required("id")?;
        if (1..=128).contains(&id.chars().count()) {
            return Ok(id);
        }
        Err(Reject::schema("/id", "an id has 1 to 128 characters"))
    }

    fn version(&mut self) -> Result<u64, Reject> {
        let version = self.map.remove("version").as_ref().and_then(Value::as_u64);
        version.filter(|version| (1..=i64::MAX.unsigned_abs()).contains(version)).ok_or_else(|| {
            Reject::schema("/version", "the version is a whole number from 1 upwards; send it")
        })
    }

    fn op(&mut self) -> Result<Op, Reject> {
        match self.required("op")?.as_str() {
            "upsert" => Ok(Op::Upsert),
            "void" => Ok(Op::Void),
            "merge" => Ok(Op::Merge),
            _ => Err(Reject::schema("/op", "the op is one of upsert, void and merge")),
        }
    }

    fn zone(&mut self) -> Result<Option<(String, TimeZone)>, Reject> {
        let Some(name) = self.text("tz")? else { return Ok(None) };
        let zone = time::zone(&name).map_err(|reject| reject.at("/tz"))?;
        Ok(Some((name, zone)))
    }

    fn time(
        &mut self,
        name: &str,
        zone: Option<&TimeZone>,
    ) -> Result<Option<(String, Timestamp)>, Reject> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let time = time::read(&text, zone).map_err(|reject| reject.under(name))?;
        let remark = time.remark.map(|remark| (remark, format!("/{name}")));
        self.warnings.extend(remark);
        Ok(Some((time.changed.unwrap_or(text), time.instant)))
    }

    /// `updated_at`, to the millisecond.
    fn updated_at(&mut self) -> Result<Timestamp, Reject> {
        let missing = || Reject::schema("/updated_at", "the field is required; send it");
        let (_, instant) = self.time("updated_at", None)?.ok_or_else(missing)?;
        Timestamp::from_millisecond(instant.as_millisecond()).map_err(|_range| missing())
    }

    fn client_ids(&mut self) -> Result<Vec<String>, Reject> {
        let detail = "client_ids is a list of ids";
        let mut ids = Vec::new();
        for (i, id) in self.list("client_ids", detail)?.into_iter().enumerate() {
            match id {
                Value::String(id) if (1..=128).contains(&id.chars().count()) => {
                    if !ids.contains(&id) {
                        ids.push(id);
                    }
                }
                _ => return Err(Reject::schema(format!("/client_ids/{i}"), detail)),
            }
        }
        Ok(ids)
    }

    fn labels(&mut self) -> Result<Vec<Coding>, Reject> {
        let detail = "labels is a list of objects with system and code";
        let read = |(i, label): (usize, Value)| {
            let text = |name| label.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
            match (text("system"), text("code")) {
                (Some(system), Some(code)) => {
                    Ok(Coding { system: system.to_owned(), code: code.to_owned() })
                }
                _ => Err(Reject::schema(format!("/labels/{i}"), detail)),
            }
        };
        self.list("labels", detail)?.into_iter().enumerate().map(read).collect()
    }

    fn list(&mut self, name: &str, detail: &str) -> Result<Vec<Value>, Reject> {
        match self.map.remove(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(Reject::schema("", detail).under(name)),
        }
    }

    fn part2(&mut self) -> Result<Option<bool>, Reject> {
        match self.map.remove("part2") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(part2)) => Ok(Some(part2)),
            Some(_) => Err(Reject::schema("/part2", "part2 is true, false or left out")),
        }
    }

    /// The data; only a void may have none.
    fn data(&mut self, op: Op) -> Result<Value, Reject> {
        let data = self.map.remove("data").unwrap_or_default();
        self.map.remove("content_hash");
        let without_data = data.is_null() && op == Op::Void;
        if !(data.is_object() || without_data) {
            return Err(Reject::schema("/data", "data has to be an object"));
        }
        Ok(data)
    }

    /// What is left over. `derived` is the gateway's own, and nobody else may fill it.
    fn unknown(&self) -> Result<Vec<String>, Reject> {
        if self.map.contains_key("derived") {
            let detail = "derived holds facts that the gateway works out; leave it out";
            return Err(Reject::schema("/derived", detail));
        }
        let names = self.map.keys().filter(|name| !NAMES.contains(&name.as_str()));
        Ok(names.map(|name| super::reject::token(name)).collect())
    }
}

/// Checks that the hash that the platform sent along is that of the data as it was sent.
pub(crate) fn verify_hash(record: &Value) -> Result<(), Reject> {
    let claimed = match record.get("content_hash") {
        None | Some(Value::Null) => return Ok(()),
        Some(claimed) => claimed.as_str().unwrap_or_default(),
    };
    let mut bytes = Vec::new();
    canonical::write(record.get("data").unwrap_or(&Value::Null), &mut bytes);
    let found = format!("sha256:{}", hex::encode(canonical::sha256(&bytes)));
    if claimed.eq_ignore_ascii_case(&found) {
        return Ok(());
    }
    let detail = "the hash is not that of the data (sha256: over RFC 8785); send the record again";
    Err(Reject::new("hash_mismatch", "/content_hash", detail))
}
