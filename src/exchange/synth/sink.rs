//! Puts a record into its envelope and writes it as one line.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::calendar::Calendar;
use crate::domain::Kind;

/// Where records go.
pub(super) struct Sink<'a> {
    tenant: &'a str,
    calendar: &'a Calendar,
    out: &'a mut dyn Write,
    written: u64,
}

/// When something happened, and when the platform wrote it down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    occurred: Option<Timestamp>,
    updated: Timestamp,
    version: u64,
}

impl Stamp {
    /// Something without a time of its own, written down at `updated`.
    pub(super) fn noted(updated: Timestamp) -> Self {
        Self { occurred: None, updated, version: 1 }
    }

    /// Something that happened at `occurred`, last changed at `updated`.
    pub(super) fn happened(occurred: Timestamp, updated: Timestamp) -> Self {
        Self { occurred: Some(occurred), updated, version: 1 }
    }

    /// As version `version`.
    pub(super) fn version(self, version: u64) -> Self {
        Self { version, ..self }
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    schema: &'static str,
    kind: &'static str,
    tenant_id: &'a str,
    id: &'a str,
    version: u64,
    op: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<String>,
    recorded_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tz: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    client_ids: &'a [&'a str],
    data: &'a Value,
}

impl<'a> Sink<'a> {
    /// Writes the records of one tenant to `out`.
    pub(super) fn new(tenant: &'a str, calendar: &'a Calendar, out: &'a mut dyn Write) -> Self {
        Self { tenant, calendar, out, written: 0 }
    }

    /// How many records were written.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// The practice's clock.
    pub(super) fn calendar(&self) -> &'a Calendar {
        self.calendar
    }

    /// Writes one record.
    pub(super) fn put(
        &mut self,
        kind: Kind,
        id: &str,
        stamp: Stamp,
        clients: &[&str],
        data: &Value,
    ) -> io::Result<()> {
        let updated = format!("{:.3}", stamp.updated);
        let envelope = Envelope {
            schema: "tp.record/1",
            kind: kind.as_str(),
            tenant_id: self.tenant,
            id,
            version: stamp.version,
            op: "upsert",
            occurred_at: stamp.occurred.map(|instant| self.calendar.local(instant)),
            recorded_at: updated.clone(),
            updated_at: updated,
            tz: stamp.occurred.map(|_| self.calendar.name()),
            client_ids: clients,
            data,
        };
        serde_json::to_writer(&mut *self.out, &envelope)?;
        self.out.write_all(b"\n")?;
        self.written += 1;
        Ok(())
    }
}
