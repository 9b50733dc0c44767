//! The contract of every store for what the authorization server keeps.

use jiff::Timestamp;
use throughline::domain::TenantId;
use throughline::store::{
    ClientRow, GrantRow, Handle, RefreshRow, Rotation, SqliteStore, Store, TokenName,
};

use crate::support::postgres;

fn every_store(test: impl Fn(&dyn Store)) {
    test(&SqliteStore::in_memory().unwrap());
    if let Some(store) = postgres::store() {
        test(&store);
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn tenant() -> TenantId {
    "hv".parse().unwrap()
}

fn handle(kind: &str, digest: u8, subject: &str, expires: i64) -> Handle {
    Handle {
        kind: kind.into(),
        digest: [digest; 32],
        tenant: Some(tenant()),
        subject: subject.into(),
        body: vec![digest, 0, 255],
        expires: at(expires),
    }
}

#[test]
fn a_handle_is_found_until_it_is_over_taken_or_dropped() {
    every_store(|store| {
        let first = handle("session", 1, "ann", 100);
        store.put_handle(&first, at(0)).unwrap();
        assert_eq!(store.handle("session", &[1; 32], at(99)).unwrap(), Some(first.clone()));
        assert_eq!(store.handle("session", &[1; 32], at(100)).unwrap(), None);
        assert_eq!(store.handle("code", &[1; 32], at(0)).unwrap(), None);
        let nobody = Handle { tenant: None, body: vec![7], ..first };
        store.put_handle(&nobody, at(0)).unwrap();
        assert_eq!(store.handle("session", &[1; 32], at(0)).unwrap(), Some(nobody));
        store.drop_handle("session", &[1; 32]).unwrap();
        assert_eq!(store.handle("session", &[1; 32], at(0)).unwrap(), None);
    });
}

#[test]
fn a_handle_is_taken_first_once() {
    every_store(|store| {
        store.put_handle(&handle("code", 1, "", 100), at(0)).unwrap();
        let take = |now| store.take_handle("code", &[1; 32], at(now)).unwrap();
        assert!(take(10).unwrap().is_first);
        assert!(!take(11).unwrap().is_first);
        assert!(!take(12).unwrap().is_first);
        assert_eq!(store.handle("code", &[1; 32], at(12)).unwrap(), None);
        assert_eq!(take(100), None, "it is over");
        store.put_handle(&handle("other", 2, "", 300), at(200)).unwrap();
        assert_eq!(take(12), None, "what is over is forgotten");
    });
}

#[test]
fn the_handles_of_somebody_are_found_and_dropped_together() {
    every_store(|store| {
        for (digest, subject, expires) in [(1, "ann", 100), (2, "ann", 90), (3, "bo", 100)] {
            store.put_handle(&handle("session", digest, subject, expires), at(0)).unwrap();
        }
        let of = |subject, now| {
            let found = store.handles_of("session", subject, at(now)).unwrap();
            found.iter().map(|handle| handle.digest[0]).collect::<Vec<_>>()
        };
        assert_eq!(of("ann", 0), [2, 1]);
        assert_eq!(of("ann", 95), [1]);
        store.drop_handles_of("session", "ann").unwrap();
        assert!(of("ann", 0).is_empty());
        assert_eq!(of("bo", 0), [3]);
    });
}

#[test]
fn a_clients_id_is_its_own_in_all_tenants() {
    every_store(|store| {
        let client = |id: &str, tenant: &str, body: u8| ClientRow {
            id: id.into(),
            tenant: tenant.parse().unwrap(),
            is_disabled: false,
            body: vec![body],
        };
        assert!(store.put_client(&client("b", "hv", 1)).unwrap());
        assert!(store.put_client(&client("a", "hv", 1)).unwrap());
        assert!(!store.put_client(&client("b", "xx", 2)).unwrap());
        let disabled = ClientRow { is_disabled: true, ..client("b", "hv", 3) };
        assert!(store.put_client(&disabled).unwrap());
        assert_eq!(store.client("b").unwrap(), Some(disabled.clone()));
        assert_eq!(store.client("c").unwrap(), None);
        assert_eq!(store.clients().unwrap(), [client("a", "hv", 1), disabled]);
    });
}

fn grant(id: &str, subject: &str, patient: &str, made: i64) -> GrantRow {
    GrantRow {
        id: id.into(),
        tenant: tenant(),
        client: "app".into(),
        subject: subject.into(),
        patient: patient.into(),
        body: b"{}".to_vec(),
        made: at(made),
        used: None,
        expires: at(1_000),
        revoked: None,
    }
}

fn refresh(digest: u8, grant: &str, expires: i64) -> RefreshRow {
    RefreshRow { digest: [digest; 32], grant: grant.into(), expires: at(expires) }
}

#[test]
fn grants_are_listed_by_person_and_patient_until_they_are_over() {
    every_store(|store| {
        for (id, subject, patient, made) in
            [("g1", "ann", "p1", 1), ("g2", "proxy", "p1", 2), ("g3", "bo", "p2", 3)]
        {
            store.put_grant(&grant(id, subject, patient, made)).unwrap();
        }
        let of = |subject, patient, now| {
            let found = store.grants_of(&tenant(), subject, patient, at(now)).unwrap();
            found.into_iter().map(|grant| grant.id).collect::<Vec<_>>()
        };
        assert_eq!(of("ann", Some("p1"), 10), ["g2", "g1"]);
        assert_eq!(of("ann", None, 10), ["g1"]);
        assert!(store.grants_of(&"xx".parse().unwrap(), "ann", None, at(10)).unwrap().is_empty());
        assert!(of("ann", None, 1_000).is_empty());
        store.use_grant("g1", at(20)).unwrap();
        assert_eq!(store.grant("g1").unwrap().unwrap().used, Some(at(20)));
        assert!(!store.revoke_grant(&"xx".parse().unwrap(), "g1", at(30)).unwrap());
        assert!(store.revoke_grant(&tenant(), "g1", at(30)).unwrap());
        assert!(!store.revoke_grant(&tenant(), "g1", at(31)).unwrap());
        assert_eq!(store.grant("g1").unwrap().unwrap().revoked, Some(at(30)));
        assert_eq!(of("ann", Some("p1"), 40), ["g2"]);
    });
}

#[test]
fn a_refresh_token_is_rotated_once_and_its_reuse_takes_the_grant_back() {
    every_store(|store| {
        store.put_grant(&grant("g", "ann", "p1", 1)).unwrap();
        store.put_refresh(&refresh(1, "g", 500)).unwrap();
        let found = store.refresh(&[1; 32], at(10)).unwrap().unwrap();
        assert_eq!((found.grant.id.as_str(), found.is_good), ("g", true));
        assert_eq!(found.expires, at(500));
        let rotate = |from: u8, to: u8, now| {
            store.rotate(&[from; 32], &refresh(to, "x", 600), at(now)).unwrap()
        };
        assert_eq!(rotate(9, 2, 10), Rotation::Unknown);
        assert!(matches!(rotate(1, 2, 10), Rotation::Rotated(grant) if grant.id == "g"));
        assert_eq!(store.grant("g").unwrap().unwrap().used, Some(at(10)));
        assert!(!store.refresh(&[1; 32], at(11)).unwrap().unwrap().is_good);
        assert!(matches!(rotate(2, 3, 11), Rotation::Rotated(_)));
        assert!(matches!(rotate(1, 4, 12), Rotation::Reused(grant) if grant.id == "g"));
        assert_eq!(store.grant("g").unwrap().unwrap().revoked, Some(at(12)));
        assert_eq!(rotate(3, 5, 13), Rotation::Unknown, "the whole family is gone");
        store.put_grant(&grant("h", "ann", "p1", 1)).unwrap();
        store.put_refresh(&refresh(6, "h", 500)).unwrap();
        assert_eq!(rotate(6, 7, 500), Rotation::Unknown, "it is over");
    });
}

#[test]
fn of_many_that_rotate_at_once_one_does() {
    every_store(|store| {
        store.put_grant(&grant("g", "ann", "p1", 1)).unwrap();
        store.put_refresh(&refresh(1, "g", 500)).unwrap();
        let rotate = |to: u8| store.rotate(&[1; 32], &refresh(to, "g", 600), at(10)).unwrap();
        let rotated = std::thread::scope(|scope| {
            let threads: Vec<_> = (2..10).map(|to| scope.spawn(move || rotate(to))).collect();
            let done = threads.into_iter().map(|thread| thread.join().unwrap());
            done.filter(|rotation| matches!(rotation, Rotation::Rotated(_))).count()
        });
        assert_eq!(rotated, 1);
    });
}

#[test]
fn a_token_lives_until_it_its_grant_or_its_client_is_taken_back() {
    every_store(|store| {
        store.put_grant(&grant("g", "ann", "p1", 1)).unwrap();
        let token = |jti, grant| TokenName { jti, grant, client: "app" };
        let live = |name, now| store.is_live(name, at(now)).unwrap();
        assert!(live(token("t1", None), 10));
        assert!(live(token("t1", Some("g")), 10));
        assert!(!live(token("t1", Some("nobody")), 10));
        assert!(!live(token("t1", Some("g")), 1_000), "the grant is over");
        store.revoke_token("t1", at(100), at(10)).unwrap();
        assert!(!live(token("t1", Some("g")), 10));
        assert!(live(token("t2", Some("g")), 10));
        store.revoke_token("t3", at(300), at(200)).unwrap();
        assert!(live(token("t1", Some("g")), 200), "it is over by itself");
        store.revoke_grant(&tenant(), "g", at(20)).unwrap();
        assert!(!live(token("t2", Some("g")), 20));
        assert!(live(token("t2", None), 20));
        let client =
            ClientRow { id: "app".into(), tenant: tenant(), is_disabled: true, body: Vec::new() };
        store.put_client(&client).unwrap();
        assert!(!live(token("t2", None), 20));
    });
}

#[test]
fn a_key_is_first_once_until_it_is_forgotten() {
    every_store(|store| {
        assert!(store.is_first(&[1; 32], at(100), at(10)).unwrap());
        assert!(!store.is_first(&[1; 32], at(100), at(20)).unwrap());
        assert!(store.is_first(&[2; 32], at(100), at(20)).unwrap());
        assert!(store.is_first(&[1; 32], at(200), at(100)).unwrap());
    });
}
