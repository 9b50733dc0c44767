//! A source record as the tables hold it: its key, its bytes, and what a `void` keeps. Shared by all
//! stores.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{Coding, Kind, Op, Record, TenantId};
use crate::error::{Error, Result};

/// What a record is stored as, beside its key.
#[derive(Serialize, Deserialize)]
struct Body<'a> {
    op: Cow<'a, str>,
    occurred_at: Option<Cow<'a, str>>,
    recorded_at: Option<Cow<'a, str>>,
    updated_at: Timestamp,
    tz: Option<Cow<'a, str>>,
    client_ids: Cow<'a, [String]>,
    labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    part2: Option<bool>,
    data: Cow<'a, Value>,
    /// Where it came from; of those that earlier versions of the product took in nobody noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Cow<'a, str>>,
}

/// A record's key.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) kind: Kind,
    pub(super) id: &'a str,
}

impl<'a> Key<'a> {
    pub(super) fn of(record: &'a Record) -> Self {
        Self { tenant: &record.tenant, kind: record.kind, id: &record.id }
    }

    pub(super) fn columns(&self) -> [&'a str; 3] {
        [self.tenant.as_str(), self.kind.as_str(), self.id]
    }
}

/// A record as the tables hold it, with where it came from.
pub(super) fn encode(record: &Record, origin: Option<&str>) -> Result<Vec<u8>> {
    let text = |field: &'_ Option<String>| field.clone().map(Cow::Owned);
    let body = Body {
        op: match record.op {
            Op::Upsert => "upsert",
            Op::Void => "void",
            Op::Merge => "merge",
        }
        .into(),
        occurred_at: text(&record.occurred_at),
        recorded_at: text(&record.recorded_at),
        updated_at: record.updated_at,
        tz: text(&record.tz),
        client_ids: Cow::Borrowed(&record.client_ids),
        labels: record
            .labels
            .iter()
            .map(|label| (label.system.as_str().into(), label.code.as_str().into()))
            .collect(),
        part2: record.part2,
        data: Cow::Borrowed(&record.data),
        origin: origin.map(Cow::Borrowed),
    };
    serde_json::to_vec(&body).map_err(Error::internal)
}

/// A record from the table's bytes.
pub(super) fn decode(key: Key<'_>, number: u64, body: &[u8]) -> Result<Record> {
    let body: Body<'_> = serde_json::from_slice(body).map_err(Error::internal)?;
    let label = |(system, code): (Cow<'_, str>, Cow<'_, str>)| Coding {
        system: system.into_owned(),
        code: code.into_owned(),
    };
    Ok(Record {
        tenant: key.tenant.clone(),
        kind: key.kind,
        id: key.id.to_owned(),
        version: number,
        op: match body.op.as_ref() {
            "void" => Op::Void,
            "merge" => Op::Merge,
            _ => Op::Upsert,
        },
        occurred_at: body.occurred_at.map(Cow::into_owned),
        recorded_at: body.recorded_at.map(Cow::into_owned),
        updated_at: body.updated_at,
        tz: body.tz.map(Cow::into_owned),
        client_ids: body.client_ids.into_owned(),
        labels: body.labels.into_iter().map(label).collect(),
        part2: body.part2,
        data: body.data.into_owned(),
    })
}

/// Where the record of the table's bytes came from, if that was noted.
pub(super) fn origin(body: &[u8]) -> Result<Option<String>> {
    let body: Body<'_> = serde_json::from_slice(body).map_err(Error::internal)?;
    Ok(body.origin.map(Cow::into_owned))
}

/// The platform's version as the tables hold it.
pub(super) fn number(version: u64) -> Result<i64> {
    i64::try_from(version)
        .map_err(|_too_high| Error::invalid("version", "the version is higher than 2^63 - 1"))
}

/// Completes a `void` without data from the version whose data it keeps. Labels only ever add up.
pub(super) fn inherit(void: &mut Record, earlier: Record) {
    void.data = earlier.data;
    void.occurred_at = void.occurred_at.take().or(earlier.occurred_at);
    void.recorded_at = void.recorded_at.take().or(earlier.recorded_at);
    void.tz = void.tz.take().or(earlier.tz);
    void.part2 = void.part2.or(earlier.part2);
    if void.client_ids.is_empty() {
        void.client_ids = earlier.client_ids;
    }
    for label in earlier.labels {
        if !void.labels.contains(&label) {
            void.labels.push(label);
        }
    }
}
