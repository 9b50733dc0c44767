//! The contract of every store for links: what is counted is counted once, and what is over is over.

use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use throughline::store::{Link, LinkState, SqliteStore, Store};

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

fn link(number: u8, name: &str) -> Link {
    Link {
        digest: [number; 32],
        name: name.into(),
        tenant: "hv".parse().unwrap(),
        patient: "p1".parse().unwrap(),
        client: "ehr".into(),
        mandate: vec![1, 0, 255],
        files: b"[]".to_vec(),
        passcode: Some("hash".into()),
        tries: 2,
        views: Some(2),
        opened: 0,
        last: None,
        opener: None,
        made: at(10),
        expires: at(100),
        revoked: None,
    }
}

#[test]
fn a_link_is_found_by_its_digest_and_by_its_name_in_its_practice_alone() {
    every_store(|store| {
        let (hv, other) = ("hv".parse().unwrap(), "other".parse().unwrap());
        store.put_link(&link(1, "a"), at(0)).unwrap();
        assert_eq!(store.link(&[1; 32]).unwrap(), Some(link(1, "a")));
        assert_eq!(store.link(&[2; 32]).unwrap(), None);
        assert_eq!(store.link_named(&hv, "a").unwrap(), Some(link(1, "a")));
        assert_eq!(store.link_named(&other, "a").unwrap(), None);
        store.put_link(&Link { made: at(11), ..link(2, "b") }, at(0)).unwrap();
        let names = |patient: Option<&str>, limit| {
            let patient = patient.map(|id| id.parse().unwrap());
            let found = store.links(&hv, patient.as_ref(), limit).unwrap();
            found.into_iter().map(|one| one.name).collect::<Vec<_>>()
        };
        assert_eq!(names(None, 9), ["b", "a"], "newest first");
        assert_eq!(names(Some("p1"), 1), ["b"]);
        assert!(names(Some("p2"), 9).is_empty());
        // What was over before is forgotten when another comes.
        store.put_link(&Link { made: at(500), expires: at(600), ..link(3, "c") }, at(101)).unwrap();
        assert_eq!(names(None, 9), ["c"]);
    });
}

#[test]
fn wrong_passcodes_are_counted_down_and_a_right_one_costs_nothing() {
    every_store(|store| {
        store.put_link(&link(1, "a"), at(0)).unwrap();
        assert_eq!(store.try_link(&[1; 32], at(20)).unwrap(), Some(1));
        store.spare_link(&[1; 32]).unwrap();
        assert_eq!(store.try_link(&[1; 32], at(20)).unwrap(), Some(1));
        assert_eq!(store.try_link(&[1; 32], at(20)).unwrap(), Some(0));
        assert_eq!(store.try_link(&[1; 32], at(20)).unwrap(), None, "locked");
        assert!(!store.open_link(&[1; 32], "somebody", at(20)).unwrap());
        let locked = store.link(&[1; 32]).unwrap().unwrap();
        assert_eq!(locked.state(at(20)), LinkState::Locked);
    });
}

#[test]
fn a_link_is_opened_as_often_as_it_may_be_until_it_is_over_or_taken_back() {
    every_store(|store| {
        let hv = "hv".parse().unwrap();
        store.put_link(&link(1, "a"), at(0)).unwrap();
        assert!(store.open_link(&[1; 32], "Dr. Ólafs", at(20)).unwrap());
        let opened = store.link(&[1; 32]).unwrap().unwrap();
        assert_eq!((opened.opened, opened.last), (1, Some(at(20))));
        assert_eq!(opened.opener.as_deref(), Some("Dr. Ólafs"));
        assert!(store.open_link(&[1; 32], "another", at(21)).unwrap());
        assert!(!store.open_link(&[1; 32], "a third", at(22)).unwrap(), "spent");
        store.put_link(&link(2, "b"), at(0)).unwrap();
        assert!(!store.open_link(&[2; 32], "late", at(100)).unwrap(), "over");
        assert!(store.revoke_link(&hv, "b", at(30)).unwrap());
        assert!(!store.revoke_link(&hv, "b", at(31)).unwrap(), "once");
        assert!(!store.open_link(&[2; 32], "somebody", at(32)).unwrap());
        assert_eq!(store.try_link(&[2; 32], at(32)).unwrap(), None);
        let revoked = store.link(&[2; 32]).unwrap().unwrap();
        assert_eq!(revoked.state(at(32)), LinkState::Revoked);
    });
}

#[test]
fn of_many_who_open_a_link_at_once_as_many_get_in_as_it_says() {
    every_store(|store| {
        let views = Some(3);
        store.put_link(&Link { views, ..link(1, "a") }, at(0)).unwrap();
        let opened = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    if store.open_link(&[1; 32], "one of many", at(20)).unwrap() {
                        opened.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(opened.into_inner(), 3);
    });
}
