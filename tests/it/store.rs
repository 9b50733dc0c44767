//! The contract of every store: each test runs over all adapters, through the port only.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use throughline::domain::{Coding, FhirId, Kind, Op, Record, SourceId, TenantId};
use throughline::fhir::search::param::search_type;
use throughline::fhir::search::{
    Condition, Cursor, Direction, Include, IndexRow, Operand, Prefix, Query, SortValue, Test,
    TextMatch,
};
use throughline::policy::{Action, Permit, Principal};
use throughline::store::{
    Accepted, Delivery, Doomed, Durability, Export, Feed, Guard, Lease, NewResource, Offer, Page,
    Purge, Quarantined, SqliteStore, Store, StoredResource, Survivor, Whose,
};
use throughline::{Error, Result};

use crate::support::postgres;

/// Runs a test over a new store of every adapter.
fn every_store(test: impl Fn(&dyn Store)) {
    test(&SqliteStore::in_memory().unwrap());
    let folder = tempfile::tempdir().unwrap();
    test(&SqliteStore::open(&folder.path().join("throughline.db")).unwrap());
    test(&postgres::store());
}

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn permit_in(practice: &str, resource_type: &str) -> Permit {
    let principal = Principal::new(tenant(practice), "ehr", "system/*.rs");
    Permit::decide(&Arc::new(principal), Action::Search, resource_type.to_owned()).unwrap()
}

fn permit(resource_type: &str) -> Permit {
    permit_in("hv", resource_type)
}

fn fhir_id(id: &str) -> FhirId {
    id.parse().unwrap()
}

fn record(id: &str, version: u64, data: Value) -> Record {
    Record {
        tenant: tenant("hv"),
        kind: Kind::SessionLog,
        id: id.into(),
        version,
        op: if data.is_null() { Op::Void } else { Op::Upsert },
        occurred_at: (!data.is_null()).then(|| "2026-11-01T10:00:00-07:00".into()),
        recorded_at: None,
        updated_at: Timestamp::from_second(1_800_000_000 + version.cast_signed()).unwrap(),
        tz: (!data.is_null()).then(|| "America/Denver".into()),
        client_ids: if data.is_null() { vec![] } else { vec!["cl_7".into()] },
        labels: vec![Coding { system: "s".into(), code: format!("v{version}") }],
        part2: None,
        data,
    }
}

/// A hash as a test names it.
fn hash(name: u8) -> [u8; 32] {
    [name; 32]
}

fn offer<'a>(
    record: &'a Record,
    content_hash: &'a [u8; 32],
    links: &'a [(Kind, String)],
) -> Offer<'a> {
    Offer { record, content_hash, links, origin: "file:1" }
}

fn put(store: &dyn Store, record: &Record, hash_name: u8, links: &[(Kind, &str)]) -> Accepted {
    let links: Vec<_> = links.iter().map(|(kind, id)| (*kind, (*id).to_owned())).collect();
    let mut write = store.write().unwrap();
    let accepted = write.put_record(&offer(record, &hash(hash_name), &links)).unwrap();
    write.commit().unwrap();
    accepted
}

fn state(store: &dyn Store, id: &str) -> Option<Arc<Record>> {
    store.write().unwrap().record(&tenant("hv"), Kind::SessionLog, id).unwrap()
}

fn encounter(id: &str, version_id: &str, updated: i64) -> NewResource {
    NewResource {
        resource: StoredResource {
            resource_type: "Encounter".into(),
            id: fhir_id(id),
            version_id: version_id.into(),
            last_updated: Timestamp::from_millisecond(updated).unwrap(),
            body: Arc::from(format!(r#"{{"id":"{id}","v":"{version_id}"}}"#).as_bytes()),
            shown: throughline::store::Shown::default(),
        },
        patient: Some(fhir_id("amara")),
        index: vec![
            IndexRow::Reference { param: number("patient"), target: "Patient/amara".into() },
            token("status", "http://hl7.org/fhir/encounter-status", "finished"),
        ],
        guard: Guard::default(),
    }
}

/// The number of one of Encounter's search parameters.
fn number(name: &str) -> u16 {
    search_type("Encounter").unwrap().param(name).unwrap().0
}

fn token(param: &str, system: &str, code: &str) -> IndexRow {
    IndexRow::Token { param: number(param), system: system.into(), code: code.into() }
}

fn project(store: &dyn Store, practice: &str, origin: &str, resources: Vec<NewResource>) {
    let mut write = store.write().unwrap();
    write.put_projection(&tenant(practice), Kind::SessionLog, origin, resources).unwrap();
    write.commit().unwrap();
}

fn search(store: &dyn Store, conditions: Vec<Condition>) -> Page {
    let query = Query { conditions, count: 100, ..Query::default() };
    store.search(&permit("Encounter"), &query).unwrap()
}

fn ids(page: &Page) -> Vec<&str> {
    page.matches.iter().map(|found| found.id.as_str()).collect()
}

/// The Provenance of each match.
fn provenance_of_matches() -> Include {
    let (target, _) = search_type("Provenance").unwrap().param("target").unwrap();
    Include {
        direction: Direction::Reverse,
        source: "Provenance",
        params: vec![target],
        target: None,
        iterate: false,
    }
}

fn is(param: u16, any_of: Vec<Operand>) -> Condition {
    Condition::Param { param, test: Test::Any(any_of) }
}

fn by(param: &str, operand: Operand) -> Condition {
    is(number(param), vec![operand])
}

fn is_code(system: Option<&str>, code: Option<&str>) -> Operand {
    Operand::Token { system: system.map(Into::into), code: code.map(Into::into) }
}

fn of_patient(id: &str) -> Condition {
    by("patient", Operand::Reference { targets: vec![format!("Patient/{id}")] })
}

/// Every order of `items`.
fn orders<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    for (position, first) in items.iter().enumerate() {
        let mut rest = items.to_vec();
        rest.remove(position);
        all.extend(orders(&rest).into_iter().map(|mut order| {
            order.insert(0, first.clone());
            order
        }));
    }
    all
}

#[test]
fn versions_in_any_order_and_repeated_make_the_same_state() {
    let versions = [
        (record("s", 1, json!({"a": 1})), 1),
        (record("s", 2, json!({"a": 2})), 2),
        (record("s", 2, json!({"a": 9})), 3),
        (record("s", 3, Value::Null), 4),
    ];
    every_store(|store| {
        for (number, order) in orders(&versions).into_iter().enumerate() {
            let id = format!("s{number}");
            for (version, name) in order.iter().chain(&order) {
                put(store, &Record { id: id.clone(), ..version.clone() }, *name, &[]);
            }
            let state = state(store, &id).unwrap();
            assert_eq!((state.version, state.op), (3, Op::Void), "{number}");
            assert_eq!(state.data, json!({"a": 1}), "the disputed version's data does not count");
            assert_eq!(state.client_ids, ["cl_7"]);
            assert_eq!(state.tz.as_deref(), Some("America/Denver"));
            assert_eq!(state.updated_at, versions[3].0.updated_at);
        }
    });
}

#[test]
fn an_offer_says_what_it_did() {
    every_store(|store| {
        let first = record("s", 2, json!({"a": 2}));
        assert_eq!(put(store, &first, 2, &[]), Accepted::Stored { before: None });
        assert_eq!(put(store, &first, 2, &[]), Accepted::Unchanged);
        assert_eq!(put(store, &record("s", 1, json!({"a": 1})), 1, &[]), Accepted::Older);
        let next = put(store, &record("s", 3, json!({"a": 3})), 3, &[]);
        assert_eq!(next, Accepted::Stored { before: Some(Arc::new(first)) });
        let rival = record("s", 3, json!({"a": 3}));
        let conflict = put(store, &record("s", 3, json!({"a": 4})), 4, &[]);
        let expected = Accepted::Conflict {
            before: Some(Arc::new(rival.clone())),
            rival: Arc::new(rival),
            origin: Some("file:1".to_owned()),
        };
        assert_eq!(conflict, expected);
    });
}

#[test]
fn after_a_conflict_the_last_good_version_serves() {
    every_store(|store| {
        put(store, &record("s", 1, json!({"a": 1})), 9, &[]);
        put(store, &record("s", 2, json!({"a": 2})), 5, &[]);
        put(store, &record("s", 2, json!({"a": 3})), 4, &[]);
        assert_eq!(state(store, "s").unwrap().data, json!({"a": 1}));
        put(store, &record("s", 3, json!({"a": 4})), 8, &[]);
        assert_eq!(state(store, "s").unwrap().data, json!({"a": 4}));
    });
}

#[test]
fn a_void_of_which_nothing_was_ever_seen_has_no_data() {
    every_store(|store| {
        put(store, &record("s", 2, Value::Null), 1, &[]);
        assert_eq!(state(store, "s").unwrap().data, Value::Null);
        let late = put(store, &record("s", 1, json!({"a": 1})), 2, &[]);
        assert!(matches!(late, Accepted::Stored { .. }), "it changed the state");
        let state = state(store, "s").unwrap();
        assert_eq!((state.op, &state.data), (Op::Void, &json!({"a": 1})));
    });
}

#[test]
fn a_record_comes_back_as_it_was() {
    every_store(|store| {
        let all =
            json!({"n": 1.5, "t": "é\u{1f600}\u{0}", "l": [null, true], "o": {"z": 1, "a": 2}});
        let whole = Record {
            op: Op::Merge,
            recorded_at: Some("2026-11-01T17:00:00Z".into()),
            part2: Some(true),
            updated_at: "2026-11-01T17:00:00.123Z".parse().unwrap(),
            ..record("s/ü\u{1f}", u64::from(u32::MAX) + 7, all)
        };
        put(store, &whole, 1, &[]);
        assert_eq!(*state(store, "s/ü\u{1f}").unwrap(), whole);
    });
}

#[test]
fn links_are_those_of_the_state() {
    every_store(|store| {
        put(store, &record("b", 1, json!({})), 1, &[(Kind::Client, "cl_1")]);
        put(store, &record("a", 1, json!({})), 2, &[(Kind::Client, "cl_1")]);
        put(store, &record("b", 2, json!({})), 3, &[(Kind::Client, "cl_2")]);
        put(store, &record("a", 2, Value::Null), 4, &[]);
        let write = store.write().unwrap();
        let referring = |client: &str| -> Vec<String> {
            let found = write.referring(&tenant("hv"), Kind::SessionLog, Kind::Client, client);
            found.unwrap().iter().map(|record| record.id.clone()).collect()
        };
        assert_eq!(referring("cl_1"), ["a"], "a void keeps the links of the data it keeps");
        assert_eq!(referring("cl_2"), ["b"]);
        let all = write.records(&tenant("hv"), Kind::SessionLog).unwrap();
        assert_eq!(all.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    });
}

#[test]
fn marks_last_until_the_record_is_projected() {
    every_store(|store| {
        put(store, &record("a", 1, json!({})), 1, &[(Kind::Client, "cl_1")]);
        put(store, &record("b", 1, json!({})), 2, &[]);
        let mut write = store.write().unwrap();
        write
            .mark_referring_dirty(&tenant("hv"), &[Kind::SessionLog], Kind::Client, "cl_1")
            .unwrap();
        let marked = |id: &str| (tenant("hv"), Kind::SessionLog, id.to_owned());
        assert_eq!(write.dirty(9).unwrap(), [marked("a")]);
        write.mark_kinds_dirty(&[Kind::SessionLog, Kind::Client]).unwrap();
        write.mark_dirty(&tenant("hv"), Kind::SessionLog, "c").unwrap();
        assert_eq!(write.dirty(2).unwrap(), [marked("a"), marked("b")]);
        write.put_projection(&tenant("hv"), Kind::SessionLog, "a", vec![]).unwrap();
        assert_eq!(write.dirty(9).unwrap(), [marked("b"), marked("c")]);
    });
}

#[test]
fn what_is_not_committed_never_was() {
    every_store(|store| {
        let mut write = store.write().unwrap();
        write.put_record(&offer(&record("s", 1, json!({})), &hash(1), &[])).unwrap();
        write
            .put_projection(&tenant("hv"), Kind::SessionLog, "s", vec![encounter("e", "1", 0)])
            .unwrap();
        assert!(write.record(&tenant("hv"), Kind::SessionLog, "s").unwrap().is_some());
        drop(write);
        assert_eq!(state(store, "s"), None);
        assert_eq!(store.read(&permit("Encounter"), &fhir_id("e")).unwrap(), None);
        assert!(store.record_counts().unwrap().is_empty());
    });
}

#[test]
fn a_projection_replaces_what_the_record_made_before() {
    every_store(|store| {
        project(store, "hv", "s", vec![encounter("e1", "1", 0), encounter("e2", "1", 0)]);
        project(store, "hv", "t", vec![encounter("e3", "1", 0)]);
        project(store, "hv", "s", vec![encounter("e2", "2", 5), encounter("e4", "2", 5)]);
        let found = search(store, vec![of_patient("amara")]);
        assert_eq!(ids(&found), ["e2", "e4", "e3"]);
        assert_eq!(found.total, Some(3));
        let permit = permit("Encounter");
        assert_eq!(store.read(&permit, &fhir_id("e1")).unwrap(), None, "it is no longer made");
        assert_eq!(store.history(&permit, &fhir_id("e1")).unwrap(), []);
        assert_eq!(store.version(&permit, &fhir_id("e1"), "1").unwrap(), None);
        let head = store.head(&permit, &fhir_id("e2")).unwrap().unwrap();
        assert_eq!(
            (head.version_id.as_str(), head.last_updated.unwrap().as_millisecond()),
            ("2", 5)
        );
        assert_eq!(store.resource_counts().unwrap(), [("Encounter".to_owned(), 3)]);
    });
}

#[test]
fn history_has_every_version_newest_first_with_its_bytes() {
    every_store(|store| {
        let versions: Vec<_> = ["1-a", "2-b", "3-c"].map(|v| encounter("e", v, 0)).into();
        for version in [0, 1, 1, 2, 0] {
            project(store, "hv", "s", vec![versions[version].clone()]);
        }
        let permit = permit("Encounter");
        let history = store.history(&permit, &fhir_id("e")).unwrap();
        let seen: Vec<_> = history.iter().map(|version| version.version_id.as_str()).collect();
        assert_eq!(seen, ["1-a", "3-c", "2-b"], "a version that comes back is listed once");
        for version in &versions {
            let stored = store.version(&permit, &fhir_id("e"), &version.resource.version_id);
            assert_eq!(stored.unwrap().as_ref(), Some(&version.resource));
        }
        assert_eq!(store.read(&permit, &fhir_id("e")).unwrap().unwrap(), versions[0].resource);
    });
}

#[test]
fn a_permit_of_another_tenant_or_type_sees_nothing() {
    every_store(|store| {
        project(store, "hv", "s", vec![encounter("e", "1", 0)]);
        project(store, "other", "s", vec![encounter("mine", "1", 0)]);
        let query = |conditions| Query {
            conditions,
            count: 10,
            includes: vec![provenance_of_matches()],
            ..Query::default()
        };
        for stranger in [permit_in("other", "Encounter"), permit("Patient")] {
            assert_eq!(store.read(&stranger, &fhir_id("e")).unwrap(), None);
            assert_eq!(store.head(&stranger, &fhir_id("e")).unwrap(), None);
            assert_eq!(store.version(&stranger, &fhir_id("e"), "1").unwrap(), None);
            assert_eq!(store.history(&stranger, &fhir_id("e")).unwrap(), []);
            for conditions in [
                vec![],
                vec![of_patient("amara")],
                vec![by("status", is_code(None, Some("finished")))],
                vec![by("status", is_code(Some("http://hl7.org/fhir/encounter-status"), None))],
            ] {
                let page = store.search(&stranger, &query(conditions)).unwrap();
                assert!(!ids(&page).contains(&"e"));
                assert!(page.total <= Some(1));
            }
            let by_id = query(vec![Condition::Id(vec!["e".into()])]);
            assert_eq!(store.search(&stranger, &by_id).unwrap().total, Some(0));
        }
    });
}

#[test]
fn a_search_finds_by_token_with_and_without_system() {
    every_store(|store| {
        let with = |id: &str, rows: &[(&str, &str)]| {
            let mut new = encounter(id, "1", 0);
            new.index = rows.iter().map(|(system, code)| token("type", system, code)).collect();
            project(store, "hv", id, vec![new]);
        };
        with("e1", &[("cpt", "90837"), ("snomed", "90837")]);
        with("e2", &[("cpt", "90834"), ("", "90837")]);
        with("e3", &[("cpt", "90834")]);
        let found = |any_of: Vec<Operand>| {
            let page = search(store, vec![is(number("type"), any_of)]);
            assert_eq!(page.total, Some(page.matches.len() as u64));
            page.matches.iter().map(|found| found.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found(vec![is_code(None, Some("90837"))]), ["e1", "e2"]);
        assert_eq!(found(vec![is_code(Some("cpt"), Some("90837"))]), ["e1"]);
        assert_eq!(found(vec![is_code(Some(""), Some("90837"))]), ["e2"]);
        assert_eq!(found(vec![is_code(Some("cpt"), None)]), ["e1", "e2", "e3"]);
        let either = vec![is_code(Some("snomed"), None), is_code(None, Some("90834"))];
        assert_eq!(found(either), ["e1", "e2", "e3"]);
        assert!(found(vec![]).is_empty());
    });
}

#[test]
fn a_search_compares_ranges_as_the_prefix_says() {
    every_store(|store| {
        for (id, low, high) in [("early", 0, 9), ("over", 5, 15), ("in", 12, 18), ("late", 30, 40)]
        {
            let mut new = encounter(id, "1", 0);
            new.index.push(IndexRow::Date { param: number("date"), low, high });
            project(store, "hv", id, vec![new]);
        }
        let found = |prefix| {
            let date = by("date", Operand::Date { prefix, low: 10, high: 20 });
            let alone = search(store, vec![date.clone()]);
            let page = search(store, vec![of_patient("amara"), date]);
            assert_eq!(page.matches, alone.matches, "whichever index it is read along");
            let mut found: Vec<_> = ids(&page);
            found.sort_unstable();
            found.join(" ")
        };
        assert_eq!(found(Prefix::Eq), "in");
        assert_eq!(found(Prefix::Ne), "early late over");
        assert_eq!(found(Prefix::Gt), "late");
        assert_eq!(found(Prefix::Ge), "in late");
        assert_eq!(found(Prefix::Lt), "early over");
        assert_eq!(found(Prefix::Le), "early in over");
        assert_eq!(found(Prefix::Sa), "late");
        assert_eq!(found(Prefix::Eb), "early");
        assert_eq!(found(Prefix::Ap), "in over");
    });
}

#[test]
fn a_search_joins_its_conditions_by_and() {
    every_store(|store| {
        for (id, client, code) in [("a", "amara", "x"), ("b", "amara", "y"), ("c", "ben", "x")] {
            let mut new = encounter(id, "1", 0);
            let patient = format!("Patient/{client}");
            new.index = vec![
                IndexRow::Reference { param: number("patient"), target: patient },
                token("type", "cpt", code),
            ];
            project(store, "hv", id, vec![new]);
        }
        let x = by("type", is_code(None, Some("x")));
        assert_eq!(ids(&search(store, vec![of_patient("amara"), x.clone()])), ["a"]);
        assert_eq!(ids(&search(store, vec![x.clone(), of_patient("ben")])), ["c"]);
        let both =
            Operand::Reference { targets: vec!["Patient/ben".into(), "Patient/amara".into()] };
        assert_eq!(ids(&search(store, vec![by("patient", both)])), ["a", "b", "c"]);
        let query = Query {
            conditions: vec![
                Condition::Id(vec!["a".into(), "c".into(), "nobody".into()]),
                of_patient("amara"),
            ],
            count: 5,
            ..Query::default()
        };
        assert_eq!(ids(&store.search(&permit("Encounter"), &query).unwrap()), ["a"]);
    });
}

#[test]
fn a_search_finds_by_the_start_of_text() {
    every_store(|store| {
        let name = search_type("Patient").unwrap().param("family").unwrap().0;
        for (id, value) in [("p1", "okafor"), ("p2", "okada"), ("p3", "o_k")] {
            let mut new = encounter(id, "1", 0);
            new.resource.resource_type = "Patient".into();
            new.index =
                vec![IndexRow::Text { param: name, value: value.into(), exact: value.into() }];
            project(store, "hv", id, vec![new]);
        }
        let found = |prefix: &str| {
            let operand = Operand::Text { how: TextMatch::Starts, value: prefix.into() };
            let conditions = vec![is(name, vec![operand])];
            let query = Query { conditions, count: 10, ..Query::default() };
            let page = store.search(&permit("Patient"), &query).unwrap();
            page.matches.iter().map(|found| found.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found("oka"), ["p1", "p2"]);
        assert_eq!(found("o_"), ["p3"], "no character is a wildcard");
        assert_eq!(found("%"), [""; 0]);
        assert_eq!(found(""), ["p1", "p2", "p3"]);
    });
}

#[test]
fn last_update_narrows_and_orders() {
    every_store(|store| {
        for (id, updated) in [("c", 1_000), ("a", 3_000), ("b", 3_000), ("d", 2_000)] {
            project(store, "hv", id, vec![encounter(id, "1", updated)]);
        }
        let query = |updated: Vec<Operand>| Query {
            conditions: updated.into_iter().map(|one| Condition::Updated(vec![one])).collect(),
            count: 10,
            ..Query::default()
        };
        let found = |updated| {
            let page = store.search(&permit("Encounter"), &query(updated)).unwrap();
            ids(&page).join(" ")
        };
        let date = |prefix, low, high| Operand::Date { prefix, low, high };
        assert_eq!(found(vec![]), "a b d c");
        assert_eq!(found(vec![date(Prefix::Gt, 0, 1_000_000)]), "a b d");
        assert_eq!(found(vec![date(Prefix::Ge, 1_000_000, 1_000_000)]), "a b d c");
        let range = vec![date(Prefix::Ge, 2_000_000, 2_999_999), date(Prefix::Lt, 3_000_000, 0)];
        assert_eq!(found(range), "d");
    });
}

/// Walks all pages; `between` runs after each.
fn walk(store: &dyn Store, query: &Query, mut between: impl FnMut(usize)) -> Vec<String> {
    let mut query = query.clone();
    let mut seen = Vec::new();
    for page_number in 0.. {
        let page = store.search(&permit("Encounter"), &query).unwrap();
        assert!(page.matches.len() <= query.count);
        seen.extend(page.matches.iter().map(|found| found.id.to_string()));
        between(page_number);
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    seen
}

#[test]
fn pages_have_no_gap_and_no_repeat_while_rows_are_added() {
    every_store(|store| {
        for number in 0..50 {
            // Ties in the time are broken by the id.
            let id = format!("e{number:02}");
            project(store, "hv", &id, vec![encounter(&id, "1", 1_000 * (number / 7))]);
        }
        let all = Query { count: 100, ..Query::default() };
        let expected = walk(store, &all, |_| ());
        assert_eq!(expected.len(), 50);
        let codes = |codes: &[&str]| {
            is(number("status"), codes.iter().map(|code| is_code(None, Some(code))).collect())
        };
        for (round, conditions) in [
            vec![],
            vec![of_patient("amara")],
            vec![codes(&["finished"])],
            vec![codes(&["finished", "planned"])],
            vec![of_patient("amara"), codes(&["finished"])],
        ]
        .into_iter()
        .enumerate()
        {
            let query = Query { count: 7, conditions, ..Query::default() };
            let seen = walk(store, &query, |page| {
                let id = format!("new-{round}-{page}");
                project(store, "hv", &id, vec![encounter(&id, "1", 900_000)]);
                let page = store.search(&permit("Encounter"), &query).unwrap();
                assert!(page.total > Some(50), "the total counts the whole result");
            });
            let old: Vec<_> = seen.into_iter().filter(|id| !id.starts_with("new")).collect();
            assert_eq!(old, expected, "round {round}");
        }
    });
}

#[test]
fn a_page_of_nothing_still_counts() {
    every_store(|store| {
        project(store, "hv", "s", vec![encounter("e1", "1", 0), encounter("e2", "1", 0)]);
        let page = store.search(&permit("Encounter"), &Query::default()).unwrap();
        assert_eq!((page.matches.len(), page.total, page.next), (0, Some(2), None));
        let past = Cursor { keys: vec![SortValue::Instant(0)], id: "e2".into() };
        let query = Query { count: 5, after: Some(past), ..Query::default() };
        let page = store.search(&permit("Encounter"), &query).unwrap();
        assert_eq!((page.matches.len(), page.total, page.next), (0, Some(2), None));
    });
}

#[test]
fn the_provenance_of_each_match_comes_along_once() {
    every_store(|store| {
        let provenance = |id: &str, targets: &[&str], patient: &str| {
            let known = search_type("Provenance").unwrap();
            let row = |name, target: &str| IndexRow::Reference {
                param: known.param(name).unwrap().0,
                target: target.into(),
            };
            let mut new = encounter(id, "1", 0);
            new.resource.resource_type = "Provenance".into();
            new.index = targets.iter().map(|target| row("target", target)).collect();
            new.index.push(row("patient", patient));
            new
        };
        let made = vec![
            encounter("e1", "1", 0),
            encounter("e2", "1", 0),
            provenance("p1", &["Encounter/e1", "Encounter/e2"], "Patient/amara"),
            provenance("p2", &["Encounter/e3"], "Encounter/e1"),
        ];
        project(store, "hv", "s", made.clone());
        project(store, "other", "s", made);
        let query =
            Query { count: 10, includes: vec![provenance_of_matches()], ..Query::default() };
        let page = store.search(&permit("Encounter"), &query).unwrap();
        let included: Vec<_> = page.included.iter().map(|found| found.id.as_str()).collect();
        assert_eq!(included, ["p1"]);
        assert_eq!((page.matches.len(), page.total), (2, Some(2)));
    });
}

fn note(version: u64) -> Record {
    Record { kind: Kind::SessionNote, ..record("n", version, json!({"text": "SENTINEL"})) }
}

fn isolate(store: &dyn Store, version: u64) -> Accepted {
    let mut write = store.write().unwrap();
    let accepted = write.put_isolated(&note(version), &hash(1)).unwrap();
    write.commit().unwrap();
    accepted
}

#[test]
fn isolated_notes_are_reached_by_nothing() {
    every_store(|store| {
        assert_eq!(isolate(store, 1), Accepted::Stored { before: None });
        assert_eq!(isolate(store, 1), Accepted::Unchanged);
        assert!(store.record_counts().unwrap().is_empty());
        assert!(store.quarantine().unwrap().is_empty());
        let mut write = store.write().unwrap();
        write.mark_kinds_dirty(Kind::ALL).unwrap();
        assert!(write.dirty(9).unwrap().is_empty());
        assert_eq!(write.record(&tenant("hv"), Kind::SessionNote, "n").unwrap(), None);
        assert!(write.records(&tenant("hv"), Kind::SessionNote).unwrap().is_empty());
    });
}

#[test]
fn a_note_that_becomes_isolated_leaves_the_general_plane_with_all_it_made() {
    every_store(|store| {
        let versions: [(u64, bool); 3] = [(1, false), (2, true), (3, false)];
        for order in orders(&versions) {
            for (version, isolated) in order {
                let client = [(Kind::Client, "cl_7".to_owned())];
                let mut write = store.write().unwrap();
                if isolated {
                    write.put_isolated(&note(version), &hash(2)).unwrap();
                } else {
                    write.put_record(&offer(&note(version), &hash(2), &client)).unwrap();
                }
                write.commit().unwrap();
            }
            let write = store.write().unwrap();
            let state = write.record(&tenant("hv"), Kind::SessionNote, "n").unwrap().unwrap();
            assert_eq!(state.version, 3);
        }
    });
    every_store(|store| {
        let mut write = store.write().unwrap();
        let client = [(Kind::Client, "cl_7".to_owned())];
        write.put_record(&offer(&note(1), &hash(1), &client)).unwrap();
        for version in ["1", "2"] {
            let made = vec![encounter("e", version, 0)];
            write.put_projection(&tenant("hv"), Kind::SessionNote, "n", made).unwrap();
        }
        write.put_isolated(&note(2), &hash(2)).unwrap();
        let of_client = write.referring(&tenant("hv"), Kind::SessionNote, Kind::Client, "cl_7");
        assert!(of_client.unwrap().is_empty());
        assert_eq!(write.dirty(9).unwrap().len(), 1, "what depends on it is to be mapped again");
        let late = write.put_record(&offer(&note(1), &hash(7), &client)).unwrap();
        assert_eq!(late, Accepted::Older);
        write.put_projection(&tenant("hv"), Kind::SessionNote, "n", vec![]).unwrap();
        write.commit().unwrap();
        assert!(store.record_counts().unwrap().is_empty());
        assert_eq!(store.read(&permit("Encounter"), &fhir_id("e")).unwrap(), None);
        project(store, "hv", "n", vec![encounter("e", "3", 0)]);
        let history = store.history(&permit("Encounter"), &fhir_id("e")).unwrap();
        assert_eq!(history.len(), 1, "the earlier versions are gone too");
    });
}

fn entry(reason: &str, body: &str) -> Quarantined {
    Quarantined {
        number: 0,
        tenant: Some(tenant("hv")),
        kind: Some("session_log".into()),
        id: Some("s".into()),
        reason: reason.into(),
        detail: "what to do".into(),
        pointer: "/data/status".into(),
        origin: "a.ndjson:7".into(),
        received: Timestamp::from_second(1_800_000_000).unwrap(),
        isolated: false,
        body: body.as_bytes().to_vec(),
    }
}

fn quarantine(store: &dyn Store, entries: &[Quarantined]) {
    let mut write = store.write().unwrap();
    for entry in entries {
        write.quarantine(entry).unwrap();
    }
    write.commit().unwrap();
}

#[test]
fn quarantine_holds_each_content_once_per_reason() {
    every_store(|store| {
        let unknown = Quarantined { tenant: None, kind: None, id: None, ..entry("x", "{") };
        let moved = Quarantined { origin: "b.ndjson:1".into(), ..entry("a", "1") };
        quarantine(store, &[entry("a", "1"), moved, entry("b", "1"), entry("a", "2"), unknown]);
        quarantine(store, &[entry("a", "1"), entry("b", "1")]);
        let list = store.quarantine().unwrap();
        let reasons: Vec<_> = list.iter().map(|entry| entry.reason.as_str()).collect();
        assert_eq!(reasons, ["a", "b", "a", "x"]);
        assert!(list.iter().all(|entry| entry.body.is_empty()));
        let whole = store.quarantined(list[0].number).unwrap().unwrap();
        assert_eq!(whole, Quarantined { number: list[0].number, ..entry("a", "1") });
        let mut write = store.write().unwrap();
        write.release(list[0].number).unwrap();
        write.release_refused(&tenant("hv"), Kind::SessionLog, "s", "b").unwrap();
        write.commit().unwrap();
        assert_eq!(store.quarantined(list[0].number).unwrap(), None);
        assert_eq!(store.quarantine().unwrap().len(), 2);
        quarantine(store, &[entry("a", "1")]);
        let again = store.quarantine().unwrap().pop().unwrap();
        assert!(again.number > list[3].number, "a number is never given again");
    });
}

#[test]
fn an_isolated_entry_shows_no_body_and_can_still_be_replayed() {
    every_store(|store| {
        quarantine(store, &[Quarantined { isolated: true, ..entry("a", "SENTINEL") }]);
        let number = store.quarantine().unwrap()[0].number;
        let shown = store.quarantined(number).unwrap().unwrap();
        assert!(shown.isolated && shown.body.is_empty());
        let mut write = store.write().unwrap();
        assert_eq!(write.isolated_body(number).unwrap().as_deref(), Some(&b"SENTINEL"[..]));
        write.release(number).unwrap();
        assert_eq!(write.isolated_body(number).unwrap(), None);
    });
}

#[test]
fn readers_see_the_last_commit_while_a_write_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("throughline.db")).unwrap();
    project(&store, "hv", "s", vec![encounter("e", "1", 0)]);
    let mut write = store.write().unwrap();
    let made = vec![encounter("e", "2", 1)];
    write.put_projection(&tenant("hv"), Kind::SessionLog, "s", made).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let seen = store.read(&permit("Encounter"), &fhir_id("e")).unwrap().unwrap();
                assert_eq!(seen.version_id, "1");
            });
        }
    });
    write.commit().unwrap();
    let seen = store.read(&permit("Encounter"), &fhir_id("e")).unwrap().unwrap();
    assert_eq!(seen.version_id, "2");
}

fn source(practice: &str, name: &str) -> SourceId {
    SourceId { tenant: tenant(practice), name: name.parse().unwrap() }
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn delivery(id: &str, received: i64, answer: &str) -> Delivery {
    Delivery {
        id: id.into(),
        digest: hash(7),
        received: second(received),
        answer: answer.as_bytes().to_vec(),
    }
}

#[test]
fn a_delivery_is_kept_once_until_it_is_forgotten() {
    every_store(|store| {
        let (ours, other) = (source("hv", "app"), source("hv", "web"));
        assert_eq!(store.delivery(&ours, "d1").unwrap(), None);
        store.keep_delivery(&ours, &delivery("d1", 100, "first"), second(0)).unwrap();
        store.keep_delivery(&ours, &delivery("d1", 101, "second"), second(0)).unwrap();
        assert_eq!(store.delivery(&ours, "d1").unwrap(), Some(delivery("d1", 100, "first")));
        assert_eq!(store.delivery(&other, "d1").unwrap(), None);
        assert_eq!(store.delivery(&source("xx", "app"), "d1").unwrap(), None);
        store.keep_delivery(&other, &delivery("d2", 200, "third"), second(101)).unwrap();
        assert_eq!(store.delivery(&ours, "d1").unwrap(), None, "it is too old now");
        assert_eq!(store.last_delivery(&other).unwrap(), Some(second(200)));
        assert_eq!(store.last_delivery(&ours).unwrap(), None);
    });
}

#[test]
fn a_lease_has_one_holder_until_it_ends_or_is_given_back() {
    every_store(|store| {
        let (ours, other) = (source("hv", "app"), source("xx", "app"));
        let lease = |holder: &str, ends| Lease { holder: holder.into(), ends: second(ends) };
        assert!(store.take_lease(&ours, &lease("a", 100), second(50)).unwrap());
        assert!(!store.take_lease(&ours, &lease("b", 150), second(99)).unwrap());
        assert!(store.take_lease(&other, &lease("b", 150), second(99)).unwrap());
        assert!(store.take_lease(&ours, &lease("a", 110), second(99)).unwrap(), "renewed");
        assert!(!store.take_lease(&ours, &lease("b", 160), second(109)).unwrap());
        assert!(store.take_lease(&ours, &lease("b", 160), second(110)).unwrap(), "ended");
        store.free_lease(&ours, "a").unwrap();
        assert_eq!(store.lease(&ours).unwrap(), Some(lease("b", 160)), "not a's to give back");
        store.free_lease(&ours, "b").unwrap();
        assert_eq!(store.lease(&ours).unwrap(), None);
        assert!(store.take_lease(&ours, &lease("a", 170), second(120)).unwrap());
    });
}

#[test]
fn only_the_holder_of_the_lease_moves_a_cursor() {
    every_store(|store| {
        let ours = source("hv", "app");
        assert_eq!(store.feed(&ours).unwrap(), Feed::default());
        let read = Feed {
            cursor: Some("c1".into()),
            moved: Some(second(10)),
            answered: Some(second(11)),
            failures: 0,
            trouble: None,
        };
        assert!(!store.put_feed(&ours, "a", &read).unwrap(), "nobody has the lease");
        let lease = |holder: &str| Lease { holder: holder.into(), ends: second(100) };
        assert!(store.take_lease(&ours, &lease("a"), second(0)).unwrap());
        assert!(store.put_feed(&ours, "a", &read).unwrap());
        let troubled = Feed { failures: 3, trouble: Some("unreachable".into()), ..read.clone() };
        assert!(!store.put_feed(&ours, "b", &troubled).unwrap());
        assert_eq!(store.feed(&ours).unwrap(), read);
        assert!(store.put_feed(&ours, "a", &troubled).unwrap());
        assert_eq!(store.feed(&ours).unwrap(), troubled);
        assert_eq!(store.feed(&source("xx", "app")).unwrap(), Feed::default());
    });
}

#[test]
fn a_file_is_found_again_with_everything_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("throughline.db");
    for durability in [Durability::Process, Durability::Power] {
        let store = SqliteStore::open_with(&path, durability).unwrap();
        put(&store, &record("s", 1, json!({})), 1, &[]);
        project(&store, "hv", "s", vec![encounter("e", "1", 0)]);
    }
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.record_counts().unwrap(), [(Kind::SessionLog, 1)]);
    assert!(store.read(&permit("Encounter"), &fhir_id("e")).unwrap().is_some());
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("throughline.db")).unwrap();
    put(&store, &record("s", 1, json!({})), 1, &[]);
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().collect();
    assert!(files.len() >= 2, "the file and its log");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

fn advice(opened: Result<SqliteStore>) -> String {
    let Some(Error::Setup(advice)) = opened.err() else { return "no advice".into() };
    advice
}

#[test]
fn a_file_that_is_not_ours_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing/throughline.db");
    assert!(advice(SqliteStore::open(&missing)).contains("does not exist; create it"));
    let text = folder.path().join("text.db");
    std::fs::write(&text, "no database at all, but long enough to be looked at".repeat(99))
        .unwrap();
    assert!(advice(SqliteStore::open(&text)).contains("is not a database"));
    let path = folder.path().join("throughline.db");
    drop(SqliteStore::open(&path).unwrap());
    let change = |sql: &str| {
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    };
    change("PRAGMA user_version = 99");
    assert!(advice(SqliteStore::open(&path)).contains("newer throughline (schema 99"));
    change("PRAGMA application_id = 5; PRAGMA journal_mode = DELETE");
    let untouched = std::fs::read(&path).unwrap();
    assert!(advice(SqliteStore::open(&path)).contains("another program"));
    assert_eq!(std::fs::read(&path).unwrap(), untouched);
    assert!(advice(SqliteStore::open(folder.path())).contains("cannot be written"));
}

#[test]
fn what_came_and_what_is_gone_is_known_by_when_it_was_here() {
    every_store(|store| {
        let now = Timestamp::from_second(crate::support::platform::now()).unwrap();
        let hour = jiff::ToSpan::hours(1);
        let (before, after) = (now.checked_sub(hour).unwrap(), now.checked_add(hour).unwrap());
        let scope = |since, until| Export {
            types: vec!["Encounter"],
            whose: Whose::Everybody,
            since,
            until,
            filters: Vec::new(),
        };
        // Both are old by what the platform says.
        project(store, "hv", "a", vec![encounter("e1", "1", 0), encounter("e2", "1", 0)]);
        project(store, "other", "a", vec![encounter("e1", "1", 0)]);
        let came =
            |since, until| store.export(&permit("Encounter"), &scope(since, until)).unwrap().len();
        assert_eq!((came(Some(before), None), came(Some(after), None)), (2, 0));
        assert_eq!((came(None, Some(before)), came(None, Some(after))), (0, 2));
        let gone = |practice: &str, since| -> Vec<String> {
            let found = store.removed(&permit_in(practice, "Encounter"), &scope(since, None));
            found.unwrap().into_iter().map(|one| format!("{} {}", one.id, one.patient)).collect()
        };
        project(store, "hv", "a", vec![encounter("e1", "2", 0)]);
        assert_eq!(gone("hv", Some(before)), ["e2 amara"], "e1 has only changed");
        assert!(gone("hv", Some(after)).is_empty());
        assert!(gone("other", Some(before)).is_empty());
        let partly = Principal::new(tenant("hv"), "ehr", "system/Encounter.rs?status=finished");
        let partly = Permit::decide(&Arc::new(partly), Action::Search, "Encounter").unwrap();
        assert!(store.removed(&partly, &scope(Some(before), None)).unwrap().is_empty());
        project(store, "hv", "a", vec![encounter("e1", "2", 0), encounter("e2", "3", 0)]);
        assert!(gone("hv", Some(before)).is_empty(), "it is there again");
    });
}

fn doomed(kind: Kind, id: &str) -> Doomed {
    Doomed { kind, id: id.to_owned() }
}

fn purge(records: Vec<Doomed>, is_whole: bool) -> Purge {
    Purge {
        name: format!("purge-{}", records.len()),
        tenant: tenant("hv"),
        client: "cl_7".into(),
        patient: fhir_id("amara"),
        authority: "a schedule".into(),
        at: Timestamp::from_second(1_800_000_000).unwrap(),
        survivors: vec![Survivor {
            client: "cl_7".into(),
            kind: Kind::Consent,
            id: "c_1".into(),
            version: 3,
            until: Timestamp::from_second(1_900_000_000).unwrap(),
            body: b"signed".to_vec(),
        }],
        records,
        is_whole,
    }
}

#[test]
fn what_is_taken_away_for_good_does_not_come_back_by_itself() {
    every_store(|store| {
        put(store, &record("s", 1, json!({"a": 1})), 1, &[(Kind::Client, "cl_7")]);
        put(store, &record("s", 2, json!({"a": 2})), 2, &[(Kind::Client, "cl_7")]);
        put(store, &record("other", 1, json!({"a": 3})), 3, &[(Kind::SessionLog, "s")]);
        let note = Record { kind: Kind::SessionNote, ..record("n", 4, json!({"a": 4})) };
        let mut write = store.write().unwrap();
        write.put_isolated(&note, &hash(4)).unwrap();
        write.commit().unwrap();
        project(store, "hv", "s", vec![encounter("e", "1-a", 1_000)]);
        project(store, "hv", "s", vec![encounter("e", "2-b", 2_000)]);
        let gone = || store.is_gone(&permit("Encounter"), &fhir_id("e")).unwrap();
        assert!(!gone());

        let mut write = store.write().unwrap();
        let apart = write.apart_of(&tenant("hv"), "cl_7").unwrap();
        assert_eq!(apart.iter().map(|one| one.note.id.as_str()).collect::<Vec<_>>(), ["n"]);
        let all = vec![doomed(Kind::SessionLog, "s"), doomed(Kind::SessionNote, "n")];
        let done = write.purge(&purge(all.clone(), false)).unwrap();
        assert_eq!((done.records, done.resources), (2, 1));
        drop(write);
        assert!(state(store, "s").is_some() && !gone(), "what is not committed was not done");

        let mut write = store.write().unwrap();
        write.purge(&purge(all, true)).unwrap();
        assert!(write.was_purged(&tenant("hv"), Kind::SessionLog, "s").unwrap());
        assert!(write.apart_of(&tenant("hv"), "cl_7").unwrap().is_empty());
        write.commit().unwrap();
        assert!(state(store, "s").is_none() && gone());
        assert!(store.history(&permit("Encounter"), &fhir_id("e")).unwrap().is_empty());
        let due = store.write().unwrap().dirty(10).unwrap();
        assert_eq!(
            due,
            [(tenant("hv"), Kind::SessionLog, "other".to_owned())],
            "it used the session"
        );
        assert_eq!(store.unnoted(&tenant("hv")).unwrap().len(), 1);
        store.note_purge("purge-2").unwrap();
        assert!(store.unnoted(&tenant("hv")).unwrap().is_empty());
        assert_eq!(store.survivors(&tenant("hv"), Some("cl_7")).unwrap()[0].body, b"signed");
        assert!(store.survivors(&tenant("hv"), Some("cl_8")).unwrap().is_empty());

        for (version, name) in [(1, 1), (2, 2), (2, 9)] {
            let accepted = put(store, &record("s", version, json!({"a": name})), name, &[]);
            assert!(matches!(accepted, Accepted::Older), "{version} {accepted:?}");
        }
        let mut write = store.write().unwrap();
        assert_eq!(write.put_isolated(&note, &hash(4)).unwrap(), Accepted::Older);
        write.commit().unwrap();
        assert!(state(store, "s").is_none());
        let accepted = put(store, &record("s", 3, json!({"a": 5})), 5, &[]);
        assert!(matches!(accepted, Accepted::Stored { before: None }), "{accepted:?}");
        project(store, "hv", "s", vec![encounter("e", "3-c", 3_000)]);
        assert!(!gone(), "it is there again");
        let later = Timestamp::from_second(1_900_000_000).unwrap();
        assert_eq!(store.drop_survivors(&tenant("hv"), later).unwrap(), 1);
        store.scrub().unwrap();
    });
}

#[test]
fn only_who_may_see_everything_is_told_what_is_gone() {
    every_store(|store| {
        put(store, &record("s", 1, json!({"a": 1})), 1, &[]);
        project(store, "hv", "s", vec![encounter("e", "1-a", 1_000)]);
        let mut write = store.write().unwrap();
        write.purge(&purge(vec![doomed(Kind::SessionLog, "s")], true)).unwrap();
        write.commit().unwrap();
        let told = |principal: Principal| {
            let permit =
                Permit::decide(&Arc::new(principal), Action::Read, "Encounter".to_owned()).unwrap();
            store.is_gone(&permit, &fhir_id("e")).unwrap()
        };
        let of = |scopes: &str| Principal::new(tenant("hv"), "ehr", scopes);
        assert!(told(of("system/*.rs")));
        assert!(!told(of("system/Encounter.rs?status=finished")));
        assert!(!told(Principal { patient: Some(fhir_id("amara")), ..of("patient/*.rs") }));
        assert!(!told(Principal::new(tenant("hw"), "ehr", "system/*.rs")));
    });
}
