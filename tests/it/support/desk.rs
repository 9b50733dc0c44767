//! An ingest use case over a store of its own, and everything that can be seen in a store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use throughline::clock::FixedClock;
use throughline::domain::IdKey;
use throughline::exchange::ingest::{BASE, Ingest, Report, Rules};
use throughline::fhir::search::{Query, param};
use throughline::policy::{Action, Permit, Principal};
use throughline::store::{Quarantined, SqliteStore, Store};

/// The maps, schemas and tables that ship with the product.
pub(crate) fn rules() -> Rules {
    Rules::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings")).unwrap()
}

/// A store in memory and what ingest needs beside it.
pub(crate) struct Desk<'a> {
    pub(crate) store: SqliteStore,
    rules: &'a Rules,
    ids: IdKey,
    clock: FixedClock,
    folder: tempfile::TempDir,
}

impl<'a> Desk<'a> {
    pub(crate) fn new(rules: &'a Rules) -> Self {
        Self {
            store: SqliteStore::in_memory().unwrap(),
            rules,
            ids: IdKey::new(&[7; 32]),
            clock: FixedClock(jiff::Timestamp::UNIX_EPOCH),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn ingest(&self) -> Ingest<'_> {
        let (store, rules, ids) = (&self.store, self.rules, &self.ids);
        Ingest { store, rules, ids, base: BASE, clock: &self.clock }
    }

    /// Takes in a file with this name and content.
    pub(crate) fn take(&self, name: &str, content: impl AsRef<[u8]>) -> Report {
        let path = self.file(name, content);
        self.ingest().files(&[path], &mut |_| {}).unwrap()
    }

    /// Takes in records, one a line.
    pub(crate) fn records(&self, records: &[Value]) -> Report {
        let lines: Vec<String> = records.iter().map(Value::to_string).collect();
        self.take("records.ndjson", lines.join("\n") + "\n")
    }

    /// Writes a file into this desk's folder.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn quarantine(&self) -> Vec<Quarantined> {
        self.store.quarantine().unwrap()
    }
}

/// Every current resource of the tenants, byte for byte, by type and id.
pub(crate) fn resources(store: &dyn Store, tenants: &[&str]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for tenant in tenants {
        for name in param::served() {
            let principal =
                Arc::new(Principal::new(tenant.parse().unwrap(), "test", "system/*.rs"));
            let permit = Permit::decide(&principal, Action::Search, name).unwrap();
            let query = Query { count: 1_000_000, ..Query::default() };
            for found in store.search(&permit, &query).unwrap().matches {
                let key = format!("{tenant} {name}/{}", found.id);
                all.insert(key, String::from_utf8(found.body.to_vec()).unwrap());
            }
        }
    }
    all
}

/// A record of the practice `hv` with an envelope in order.
#[expect(clippy::needless_pass_by_value, reason = "a literal reads better without a borrow")]
pub(crate) fn record(kind: &str, id: &str, version: u64, data: Value) -> Value {
    json!({
        "schema": "tp.record/1", "kind": kind, "tenant_id": "hv", "id": id, "version": version,
        "op": "upsert", "updated_at": format!("2026-10-0{version}T17:03:11.004Z"),
        "tz": "America/Denver", "data": data
    })
}

/// The same about one client.
pub(crate) fn about(client: &str, mut record: Value) -> Value {
    record["client_ids"] = json!([client]);
    record
}

/// A practice, a therapist and a client.
pub(crate) fn practice() -> Vec<Value> {
    vec![
        record(
            "organization",
            "org_1",
            1,
            json!({
                "name": "Harborview Teletherapy", "tz": "America/Denver", "part2_program": false,
                "jurisdiction": "US-CO", "active": true
            }),
        ),
        record(
            "staff",
            "st_2",
            1,
            json!({
                "name": {"family": "Ruiz", "given": ["Marisol"]}, "active": true,
                "roles": [{"role": "therapist", "org_id": "org_1", "from": "2021-01-04"}]
            }),
        ),
        client(1, "Okafor"),
    ]
}

/// A version of the client.
pub(crate) fn client(version: u64, family: &str) -> Value {
    record(
        "client",
        "cl_7",
        version,
        json!({
            "names": [{"use": "official", "family": family, "given": ["Adaeze"]}],
            "birth_date": "1999-03-08", "administrative_gender": "female", "status": "active"
        }),
    )
}

/// A version of the client's appointment.
pub(crate) fn appointment(version: u64, status: &str) -> Value {
    about(
        "cl_7",
        record(
            "appointment",
            "ap_90",
            version,
            json!({
                "client_ids": ["cl_7"], "staff_ids": ["st_2"], "modality": "video", "type": "individual",
                "starts_at": "2026-10-25T17:00:00-06:00", "ends_at": "2026-10-25T17:50:00-06:00",
                "wall_start": "2026-10-25T17:00", "status": status
            }),
        ),
    )
}

/// A version of the client's diagnosis.
pub(crate) fn diagnosis(version: u64, text: &str) -> Value {
    about(
        "cl_7",
        record(
            "diagnosis",
            "dx_1",
            version,
            json!({
                "client_id": "cl_7", "code": {"system": "icd10cm", "code": "F41.0", "text": text},
                "status": "confirmed", "role": "primary", "recorded_on": "2026-06-16", "recorded_by": "st_2"
            }),
        ),
    )
}

/// A version of a note.
pub(crate) fn note(version: u64, class: &str, text: &str) -> Value {
    about(
        "cl_7",
        record(
            "session_note",
            "note_1",
            version,
            json!({
                "class": class, "format": "narrative", "separated": class == "psychotherapy",
                "service_date": "2026-10-01", "author_id": "st_2", "status": "locked",
                "signed": {"by": "st_2", "at": "2026-10-01T17:05:00Z"},
                "sections": [{"key": "n", "title": "Note", "text": text}]
            }),
        ),
    )
}

/// The void of a record, without data.
pub(crate) fn void(record: &Value, version: u64) -> Value {
    let mut void = record.clone();
    void["op"] = json!("void");
    void["version"] = json!(version);
    if let Some(fields) = void.as_object_mut() {
        fields.remove("data");
        fields.remove("client_ids");
    }
    void
}
