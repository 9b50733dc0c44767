//! Records and neighbours for the tests of the pre-steps.

use std::sync::Arc;

use serde_json::Value;

use super::{Derivation, Neighbours, Tables, View, Warning, links};
use crate::domain::{IdKey, Kind, Op, Record, TenantId, TenantIds};

/// A record of `kind` about client `cl_7`, last changed at a fixed instant.
pub(in crate::exchange::ingest) fn record(kind: Kind, id: &str, data: Value) -> Record {
    Record {
        tenant: "hv".parse().unwrap(),
        kind,
        id: id.to_owned(),
        version: 1,
        op: Op::Upsert,
        occurred_at: None,
        recorded_at: None,
        updated_at: "2026-11-05T10:00:00.000Z".parse().unwrap(),
        tz: Some("America/Denver".to_owned()),
        client_ids: vec!["cl_7".to_owned()],
        labels: Vec::new(),
        part2: None,
        data,
    }
}

/// A practice with some records.
pub(super) struct Practice {
    records: Vec<Arc<Record>>,
    ids: TenantIds,
    tables: Tables,
}

impl Practice {
    /// A practice that knows its clients `cl_7` and `cl_8`, its therapist `st_2` and itself.
    pub(super) fn with(records: impl IntoIterator<Item = Record>) -> Self {
        let tenant: TenantId = "hv".parse().unwrap();
        let known = |kind, id: &str, data| record(kind, id, data);
        let own = [
            known(
                Kind::Organization,
                "org_1",
                serde_json::json!({
                "name": "Harborview", "tz": "America/Denver", "active": true}),
            ),
            known(Kind::Client, "cl_7", serde_json::json!({"status": "active"})),
            known(Kind::Client, "cl_8", serde_json::json!({"status": "active"})),
            known(
                Kind::Staff,
                "st_2",
                serde_json::json!({
                "name": {"family": "Ruiz", "given": ["Marisol"]},
                "licenses": [{"type": "LPC", "number": "1"}], "roles": [{"role": "therapist"}]}),
            ),
        ];
        Self {
            records: records.into_iter().chain(own).map(Arc::new).collect(),
            ids: IdKey::new(&[7; 32]).tenant(&tenant),
            tables: Tables::shipped(),
        }
    }

    /// The views of one of its records.
    pub(super) fn views(&self, kind: Kind, id: &str) -> (Vec<(View, Value)>, Vec<Warning>) {
        let d = Derivation {
            neighbours: self,
            ids: &self.ids,
            base: "https://gw.example",
            tables: &self.tables,
        };
        let record = self.get(kind, id).unwrap();
        let (views, warnings) = super::views(&record, &d);
        let parsed = |view: View| {
            let input = serde_json::from_slice(&view.input).unwrap();
            (view, input)
        };
        (views.into_iter().map(parsed).collect(), warnings)
    }

    /// The inputs for one map.
    pub(super) fn inputs(&self, kind: Kind, id: &str, map: &str) -> Vec<Value> {
        let views = self.views(kind, id).0.into_iter();
        views.filter(|(view, _)| view.map == map).map(|(_, input)| input).collect()
    }
}

impl Neighbours for Practice {
    fn get(&self, kind: Kind, id: &str) -> Option<Arc<Record>> {
        self.records.iter().find(|r| r.kind == kind && r.id == id).cloned()
    }

    fn referring(&self, kind: Kind, to: Kind, id: &str) -> Vec<Arc<Record>> {
        let target = (to, id.to_owned());
        let mut found: Vec<Arc<Record>> = self
            .records
            .iter()
            .filter(|r| r.kind == kind && links(r).contains(&target))
            .cloned()
            .collect();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found
    }

    fn organization(&self) -> Option<Arc<Record>> {
        self.get(Kind::Organization, "org_1")
    }
}
