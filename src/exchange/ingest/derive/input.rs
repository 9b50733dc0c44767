//! Builds the input of one map run: the envelope and data as sent, and `derived` beside them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Derivation, View, labels};
use crate::domain::{Coding, FhirId, Op, Record};

/// The input of one map run, being put together.
pub(super) struct Input<'a> {
    record: &'a Record,
    resource_id: FhirId,
    clients: &'a [String],
    data: Value,
    derived: Map<String, Value>,
    last_updated: Timestamp,
}

impl<'a> Input<'a> {
    /// Starts an input with the facts that every map reads.
    pub(super) fn new(record: &'a Record, derivation: &Derivation, resource_id: FhirId) -> Self {
        let (base, tenant) = (derivation.base, &record.tenant);
        let mut input = Self {
            record,
            clients: &record.client_ids,
            data: record.data.clone(),
            derived: Map::new(),
            last_updated: record.updated_at,
            resource_id,
        };
        input.fact("resource_id", input.resource_id.as_str().to_owned());
        input.fact("identifier_system", format!("{base}/ids/{tenant}/{}", record.kind));
        input.fact("identifier_value", record.id.clone());
        input.fact("source", format!("{base}/platform/{tenant}"));
        input.labels(&labels::of(record, derivation));
        if record.op == Op::Void {
            input.fact("void", true);
        }
        input
    }

    /// Narrows the input to one of the record's clients. Where there are several, the identifier
    /// becomes the FHIR id, so that two clients' resources share none.
    pub(super) fn for_client(mut self, client: &'a String) -> Self {
        if self.record.client_ids.len() > 1 {
            self.fact("identifier_value", self.resource_id.as_str().to_owned());
        }
        self.clients = std::slice::from_ref(client);
        if let Some(clients) = self.data.get_mut("client_ids") {
            *clients = json!([client]);
        }
        self
    }

    /// Sets a derived fact.
    pub(super) fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.derived.insert(name.to_owned(), value.into());
    }

    /// Sets a derived fact, if there is one.
    pub(super) fn fact_if_any(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.fact(name, value);
        }
    }

    /// Replaces the labels.
    pub(super) fn labels(&mut self, labels: &[Coding]) {
        let label = |label: &Coding| json!({ "system": label.system, "code": label.code });
        self.fact("labels", labels.iter().map(label).collect::<Vec<_>>());
    }

    /// The data, to normalise it in place.
    pub(super) fn data(&mut self) -> &mut Value {
        &mut self.data
    }

    /// Notes that facts of another record went into this input.
    pub(super) fn uses(&mut self, other: &Record) {
        self.last_updated = self.last_updated.max(other.updated_at);
    }

    /// The finished view.
    pub(super) fn view(mut self, map: &'static str) -> View {
        self.fact("last_updated", instant(self.last_updated));
        let record = self.record;
        let mut input = Map::new();
        let mut set = |name: &str, value: Value| {
            if !value.is_null() {
                input.insert(name.to_owned(), value);
            }
        };
        set("schema", "tp.record/1".into());
        set("kind", record.kind.as_str().into());
        set("tenant_id", record.tenant.as_str().into());
        set("id", record.id.clone().into());
        set("version", record.version.into());
        set("op", op(record.op).into());
        set("occurred_at", record.occurred_at.clone().into());
        set("recorded_at", record.recorded_at.clone().into());
        set("updated_at", instant(record.updated_at).into());
        set("tz", record.tz.clone().into());
        set("client_ids", self.clients.into());
        set("part2", record.part2.into());
        set("data", self.data);
        set("derived", self.derived.into());
        View {
            map,
            resource_id: self.resource_id,
            input: Value::Object(input).to_string().into_bytes(),
            last_updated: self.last_updated,
        }
    }
}

/// An instant as FHIR writes it: UTC, with milliseconds.
pub(super) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn op(op: Op) -> &'static str {
    match op {
        Op::Upsert => "upsert",
        Op::Void => "void",
        Op::Merge => "merge",
    }
}
