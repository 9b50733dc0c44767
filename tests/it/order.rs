//! The order in which records come, and how often, does not show in the FHIR that is made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use throughline::domain::Kind;
use throughline::exchange::ingest::Rules;
use throughline::fhir::search::param;

use crate::support::desk::{Desk, resources, rules, void};

/// Families of the fixtures that together have every kind of record: a minor with a guardian, a
/// couple whose records are about both, a client whose care was transferred, and one who asks for a copy.
const FAMILIES: &[&str] = &["practice", "minor", "couple", "revocation", "gdpr"];

/// What another version of a record says: by kind, an element and its new value, or for `/data` the
/// members that are new. A change of text
/// shows in the record's own resource; one of a reference, a status or a time in others too.
const CHANGES: &[(Kind, &str, &str)] = &[
    (Kind::Organization, "/data/name", r#""Harborview at the Lake""#),
    (Kind::Organization, "/data/active", "false"),
    (Kind::Staff, "/data/name/family", r#""Ruiz-Lindqvist""#),
    (Kind::Staff, "/data/active", "false"),
    (Kind::Client, "/data/names/0/family", r#""Okafor-Lind""#),
    (Kind::Client, "/data/birth_date", r#""1971-02-03""#),
    (Kind::RelatedParty, "/data/name/family", r#""Lindqvist""#),
    (Kind::RelatedParty, "/data/authority", r#"[{"type": "none"}]"#),
    (Kind::Assignment, "/data/to", r#""2026-12-01""#),
    (Kind::Assignment, "/data/staff_id", r#""st_4""#),
    (Kind::Episode, "/data/status", r#""finished""#),
    (Kind::Episode, "/data/from", r#""2025-12-30""#),
    (Kind::Appointment, "/data/status", r#""no_show""#),
    (Kind::Appointment, "/data/staff_ids", r#"["st_4"]"#),
    (Kind::SessionLog, "/data/status", r#""cancelled""#),
    (Kind::SessionLog, "/data/appointment_id", r#""ap_elsewhere""#),
    (Kind::Thread, "/data/subject", r#""Another subject""#),
    (Kind::Thread, "/data/status", r#""closed""#),
    (Kind::Message, "/data/body", r#"{"format": "text", "text": "Other words"}"#),
    (Kind::Message, "/data/status", r#""draft""#),
    (Kind::Attachment, "/data/filename", r#""other-name.pdf""#),
    (Kind::Attachment, "/data/av_scan", r#""infected""#),
    (Kind::SessionNote, "/data/sections/0/text", r#""Other words""#),
    (Kind::SessionNote, "/data/session_id", r#""ses_elsewhere""#),
    (Kind::SessionNote, "/data", r#"{"class": "psychotherapy", "separated": true}"#),
    (Kind::TreatmentPlan, "/data/goals/0/text", r#""Another goal""#),
    (Kind::TreatmentPlan, "/data/problem_refs", "[]"),
    (Kind::Diagnosis, "/data/code/text", r#""Panic disorder, severe""#),
    (Kind::Diagnosis, "/data/status", r#""refuted""#),
    (Kind::Assessment, "/data/severity_text", r#""severe""#),
    (Kind::Assessment, "/data/completed", "false"),
    (Kind::Consent, "/data/status", r#""revoked""#),
    (Kind::Consent, "/data/decision", r#""deny""#),
    (Kind::RecordRequest, "/data/status", r#""withdrawn""#),
    (Kind::RecordRequest, "/data/type", r#""access""#),
    (Kind::Transfer, "/data/status", r#""cancelled""#),
    (Kind::Transfer, "/data/reason", r#""Another reason""#),
];

/// What happens to a record of the fixtures.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// It stays as it is.
    Kept,
    /// A later version says something else.
    Changed(usize),
    /// A later version says something else, and one after it takes the record back.
    Voided(usize),
    /// Its version comes with another content too.
    Disputed(usize),
    /// A later version comes with two contents.
    DisputedLater(usize, usize),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Kept),
        3 => (0..4_usize).prop_map(Fate::Changed),
        1 => (0..4_usize).prop_map(Fate::Voided),
        1 => (0..4_usize).prop_map(Fate::Disputed),
        1 => (0..4_usize, 0..4_usize).prop_map(|(one, other)| Fate::DisputedLater(one, other)),
    ]
}

/// The records of the families, as they are in the files.
fn fixtures() -> &'static [Value] {
    static RECORDS: OnceLock<Vec<Value>> = OnceLock::new();
    RECORDS.get_or_init(|| {
        let mut files = Vec::new();
        for family in FAMILIES {
            let family = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(family);
            files.extend(family.read_dir().unwrap().map(|entry| entry.unwrap().path()));
        }
        files.sort();
        let texts = files.iter().map(|file| std::fs::read_to_string(file).unwrap());
        let lines: Vec<String> =
            texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    })
}

fn kind(record: &Value) -> Kind {
    record["kind"].as_str().unwrap().parse().unwrap()
}

/// The record in a version of its own, saying something else.
fn changed(record: &Value, version: u64, which: usize) -> Value {
    let mut changed = record.clone();
    changed["version"] = json!(version);
    changed["updated_at"] = json!(format!("2026-11-{:02}T09:00:00.000Z", 10 + version % 10));
    let of_kind: Vec<_> = CHANGES.iter().filter(|(of, ..)| *of == kind(record)).collect();
    if let Some((_, pointer, value)) = of_kind.get(which % of_kind.len().max(1)) {
        put(&mut changed, pointer, serde_json::from_str(value).unwrap());
    }
    if let Some(fields) = changed.as_object_mut() {
        fields.remove("content_hash");
    }
    changed
}

fn put(record: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    if let (None, Value::Object(members)) = (pointer.strip_prefix("/data/"), &value) {
        record["data"].as_object_mut().unwrap().extend(members.clone());
    } else if let Some(parent) = record.pointer_mut(parent) {
        parent[name] = value;
    }
}

/// The records with what happens to them.
fn history(fates: &[Fate]) -> Vec<Value> {
    let mut records = fixtures().to_vec();
    for (record, fate) in fixtures().iter().zip(fates) {
        let version = record["version"].as_u64().unwrap();
        match *fate {
            Fate::Kept => {}
            Fate::Changed(which) => records.push(changed(record, version + 1, which)),
            Fate::Voided(which) => {
                records.push(changed(record, version + 1, which));
                records.push(void(record, version + 2));
            }
            Fate::Disputed(which) => records.push(changed(record, version, which)),
            Fate::DisputedLater(one, other) => {
                records.push(changed(record, version + 1, one));
                let mut rival = changed(record, version + 1, other);
                rival["updated_at"] = json!("2026-11-25T09:00:00.000Z");
                records.push(rival);
            }
        }
    }
    records
}

fn shared_rules() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    RULES.get_or_init(rules)
}

/// What is served after these runs, and why something was not taken in.
fn outcome(runs: &[Vec<Value>]) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let desk = Desk::new(shared_rules());
    for records in runs {
        desk.records(records);
    }
    let reasons = desk.quarantine().into_iter().map(|entry| {
        let (kind, id) = (entry.kind.unwrap_or_default(), entry.id.unwrap_or_default());
        format!("{kind} {id} {} {}", entry.reason, entry.pointer)
    });
    (resources(&desk.store, &["hv"]), reasons.collect())
}

#[test]
fn the_records_have_every_kind_that_is_mapped_and_make_every_type() {
    let kinds: BTreeSet<&str> = fixtures().iter().map(|record| kind(record).as_str()).collect();
    for kind in Kind::ALL.iter().filter(|kind| kind.is_mapped()) {
        assert!(kinds.contains(kind.as_str()), "{} is not among them", kind.as_str());
        let changes = CHANGES.iter().filter(|(of, ..)| of == kind).count();
        assert!(changes > 1, "{} has no changes", kind.as_str());
    }
    let (made, refused) = outcome(&[fixtures().to_vec()]);
    for name in param::served() {
        let start = format!("hv {name}/");
        assert!(made.keys().any(|key| key.starts_with(&start)), "no {name} is made");
    }
    assert_eq!(refused, BTreeSet::new());
}

#[test]
fn the_changes_are_taken_in_and_show() {
    let (before, _) = outcome(&[fixtures().to_vec()]);
    for which in 0..3 {
        let next = |record: &Value| {
            let mut next = changed(record, record["version"].as_u64().unwrap() + 10, which);
            next["updated_at"] = record["updated_at"].clone();
            next
        };
        let (after, refused) =
            outcome(&[fixtures().to_vec(), fixtures().iter().map(next).collect()]);
        assert_eq!(refused, BTreeSet::new());
        let same = before.iter().filter(|(key, body)| after.get(*key) == Some(*body)).count();
        assert!(same < before.len() / 4, "{same} of {} are as they were", before.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn every_order_and_repetition_gives_the_same_bytes(
        fates in proptest::collection::vec(fate(), fixtures().len()),
        keys in proptest::collection::vec(any::<u32>(), 4 * fixtures().len()),
        again in proptest::collection::vec(any::<Index>(), 0..12),
        cuts in proptest::collection::vec(any::<Index>(), 0..4),
    ) {
        let records = history(&fates);
        let expected = outcome(std::slice::from_ref(&records));
        let mut order: Vec<usize> = (0..records.len()).collect();
        order.sort_by_key(|place| keys[*place]);
        order.extend(again.iter().map(|place| place.index(records.len())));
        let cuts: BTreeSet<usize> = cuts.iter().map(|place| place.index(order.len())).collect();
        let mut runs = vec![Vec::new()];
        for (position, place) in order.iter().enumerate() {
            if cuts.contains(&position) {
                runs.push(Vec::new());
            }
            runs.last_mut().unwrap().push(records[*place].clone());
        }
        let found = outcome(&runs);
        prop_assert_eq!(&found.1, &expected.1, "what was not taken in");
        let differing = |(key, body): &(&String, &String)| expected.0.get(*key) != Some(*body);
        let differing: BTreeMap<_, _> = found.0.iter().filter(differing).collect();
        prop_assert_eq!(differing, BTreeMap::new(), "these differ");
        prop_assert_eq!(found.0.len(), expected.0.len());
    }
}
