//! The order in which records come, and how often, does not show in the FHIR that is made of them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use throughline::exchange::ingest::Rules;

use crate::support::desk::{
    Desk, about, appointment, client, diagnosis, note, practice, record, resources, rules, void,
};

/// A practice whose records change, refer to each other, conflict and are voided.
fn history() -> Vec<Value> {
    let mut records = practice();
    records.extend([
        client(2, "Okafor-Lind"),
        about(
            "cl_7",
            record(
                "assignment",
                "as_1",
                1,
                json!({
                    "client_id": "cl_7", "staff_id": "st_2", "role": "primary", "from": "2026-06-02"
                }),
            ),
        ),
        about(
            "cl_7",
            record(
                "episode",
                "ep_1",
                1,
                json!({
                    "client_id": "cl_7", "from": "2026-06-02", "status": "active"
                }),
            ),
        ),
        appointment(1, "booked"),
        appointment(3, "no_show"),
        appointment(2, "confirmed"),
        diagnosis(1, "Panic disorder"),
        diagnosis(2, "Panic disorder, mild"),
        diagnosis(2, "Panic disorder, severe"),
        note(1, "progress", "First wording"),
        void(&note(1, "progress", ""), 2),
    ]);
    records
}

fn shared_rules() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    RULES.get_or_init(rules)
}

/// What is served after these runs.
fn outcome(runs: &[Vec<Value>]) -> BTreeMap<String, String> {
    let desk = Desk::new(shared_rules());
    for records in runs {
        desk.records(records);
    }
    resources(&desk.store, &["hv"])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_order_and_repetition_gives_the_same_bytes(
        order in Just((0..history().len()).collect::<Vec<_>>()).prop_shuffle(),
        again in proptest::collection::vec(0..history().len(), 0..6),
        cuts in proptest::collection::vec(0_usize..20, 0..4),
    ) {
        let records = history();
        let expected = outcome(std::slice::from_ref(&records));
        prop_assert!(expected.len() > 5, "the history makes resources");
        let mut runs = vec![Vec::new()];
        for (position, index) in order.iter().chain(&again).enumerate() {
            if cuts.contains(&position) {
                runs.push(Vec::new());
            }
            runs.last_mut().unwrap().push(records[*index].clone());
        }
        let mut found = outcome(&runs);
        found.retain(|key, body| expected.get(key) != Some(body));
        prop_assert_eq!(found, BTreeMap::new(), "these differ");
        prop_assert_eq!(outcome(&runs).len(), expected.len());
    }
}
