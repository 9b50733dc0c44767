//! The contract of every store for the source records of people.

use jiff::Timestamp;
use serde_json::{Value, json};
use throughline::domain::{Kind, Op, Record, TenantId};
use throughline::store::{Offer, SqliteStore, Store};

use crate::support::postgres;

fn every_store(test: impl Fn(&dyn Store)) {
    test(&SqliteStore::in_memory().unwrap());
    test(&postgres::store());
}

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn record(of: &str, kind: Kind, id: &str, version: u64, data: Value) -> Record {
    Record {
        tenant: tenant(of),
        kind,
        id: id.into(),
        version,
        op: Op::Upsert,
        occurred_at: None,
        recorded_at: None,
        updated_at: Timestamp::from_second(1_800_000_000).unwrap(),
        tz: None,
        client_ids: Vec::new(),
        labels: Vec::new(),
        part2: None,
        data,
    }
}

fn put(store: &dyn Store, records: &[(Record, &[(Kind, &str)])]) {
    let mut write = store.write().unwrap();
    for (record, links) in records {
        let mut hash = [0; 32];
        hash[0] = u8::try_from(record.version).unwrap();
        let links: Vec<_> = links.iter().map(|(kind, id)| (*kind, (*id).to_owned())).collect();
        let offer = Offer { record, content_hash: &hash, links: &links, origin: "file:1" };
        write.put_record(&offer).unwrap();
    }
    write.commit().unwrap();
}

fn ids(records: &[std::sync::Arc<Record>]) -> Vec<(&str, u64)> {
    records.iter().map(|record| (record.id.as_str(), record.version)).collect()
}

#[test]
fn people_are_found_by_their_login_in_their_tenant_and_as_they_are_now() {
    every_store(|store| {
        let staff = |of, id, version, login: &str| {
            record(of, Kind::Staff, id, version, json!({ "login_sub": login, "name": "Ñ \" \\" }))
        };
        let party = record("hv", Kind::RelatedParty, "rp_1", 1, json!({ "portal_sub": "oidc|a" }));
        put(
            store,
            &[
                (staff("hv", "st_2", 1, "oidc|a"), &[]),
                (staff("hv", "st_1", 1, "oidc|a"), &[]),
                (staff("hv", "st_1", 2, "oidc|b"), &[]),
                (staff("hw", "st_3", 1, "oidc|a"), &[]),
                (party, &[]),
                (record("hv", Kind::Client, "cl_1", 1, json!({ "login_sub": "oidc|a" })), &[]),
            ],
        );
        let found =
            |of: &str, kind, login| store.sources_of_login(&tenant(of), kind, login).unwrap();
        let a = found("hv", Kind::Staff, "oidc|a");
        assert_eq!(ids(&a), [("st_1", 2), ("st_2", 1)], "also by what a version said before");
        assert_eq!(ids(&found("hv", Kind::Staff, "oidc|b")), [("st_1", 2)]);
        assert_eq!(ids(&found("hw", Kind::Staff, "oidc|a")), [("st_3", 1)]);
        assert_eq!(ids(&found("hv", Kind::RelatedParty, "oidc|a")), [("rp_1", 1)]);
        assert!(found("hv", Kind::Staff, "oidc|").is_empty());
        assert!(
            found("hv", Kind::Client, "oidc|a").is_empty(),
            "a client has no login of this kind"
        );
    });
}

#[test]
fn a_record_is_read_as_it_is_now_and_by_what_it_refers_to() {
    every_store(|store| {
        let client = |version| record("hv", Kind::Client, "cl_1", version, json!({ "v": version }));
        let assigned = |id, version| {
            record("hv", Kind::Assignment, id, version, json!({ "client_id": "cl_1" }))
        };
        let to_staff: &[(Kind, &str)] = &[(Kind::Staff, "st_1")];
        put(
            store,
            &[
                (client(2), &[]),
                (client(1), &[]),
                (assigned("as_2", 1), to_staff),
                (assigned("as_1", 1), to_staff),
                (assigned("as_1", 2), &[]),
            ],
        );
        let source = |kind, id| store.source(&tenant("hv"), kind, id).unwrap();
        assert_eq!(source(Kind::Client, "cl_1").unwrap().data, json!({ "v": 2 }));
        assert!(source(Kind::Client, "cl_2").is_none());
        assert!(store.source(&tenant("hw"), Kind::Client, "cl_1").unwrap().is_none());
        let mut void = client(3);
        (void.op, void.data) = (Op::Void, Value::Null);
        put(store, &[(void, &[])]);
        let state = source(Kind::Client, "cl_1").unwrap();
        assert_eq!((state.op, &state.data), (Op::Void, &json!({ "v": 2 })), "it keeps its data");
        let all = |of: &str| store.sources(&tenant(of), Kind::Assignment).unwrap();
        assert_eq!(ids(&all("hv")), [("as_1", 2), ("as_2", 1)], "all of a kind, by id");
        assert!(all("hw").is_empty());
        let referring =
            store.sources_referring(&tenant("hv"), Kind::Assignment, Kind::Staff, "st_1").unwrap();
        assert_eq!(ids(&referring), [("as_1", 2), ("as_2", 1)]);
        let none = store.sources_referring(&tenant("hw"), Kind::Assignment, Kind::Staff, "st_1");
        assert!(none.unwrap().is_empty());
    });
}
