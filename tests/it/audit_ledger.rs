//! The contract of every ledger: each test runs over all adapters, through the port only.

use std::sync::Arc;

use jiff::Timestamp;
use throughline::domain::FhirId;
use throughline::store::ledger::{Checkpoint, Entry, Wanted, link};
use throughline::store::{Ledger, PostgresLedger, SqliteLedger};

use crate::support::postgres;

/// Runs a test over a new ledger of every adapter, opened twice as by two replicas.
fn every_ledger(test: impl Fn(&dyn Ledger, &dyn Ledger)) {
    let folder = tempfile::tempdir().unwrap();
    let open = || SqliteLedger::open(&folder.path().join("audit.sqlite")).unwrap();
    test(&open(), &open());
    let server = postgres::shared();
    let url = server.migrated();
    let open = || PostgresLedger::open(&postgres::settings(&url)).unwrap();
    test(&open(), &open());
}

fn fhir_id(id: &str) -> FhirId {
    id.parse().unwrap()
}

fn entry(tenant: &str, second: i64, actor: &str, patients: &[&str]) -> Entry {
    Entry {
        tenant: tenant.into(),
        at: Timestamp::from_second(second).unwrap(),
        actor: actor.into(),
        action: "read".into(),
        outcome: if actor == "refused" { 4 } else { 0 },
        patients: patients.iter().map(|id| fhir_id(id)).collect(),
        body: format!(r#"{{"{tenant}":{second}}}"#).into_bytes(),
    }
}

#[test]
fn chains_go_on_apart_and_each_entry_hangs_on_the_one_before() {
    every_ledger(|ledger, other| {
        let first = [entry("hv", 1, "a", &[]), entry("", 2, "a", &[]), entry("hv", 3, "a", &[])];
        let tips = ledger.append(&first).unwrap();
        assert_eq!(tips.iter().map(|tip| tip.number).collect::<Vec<_>>(), [1, 2]);
        let tips = other.append(&[entry("hv", 4, "a", &[])]).unwrap();
        assert_eq!((tips.len(), tips[0].number), (1, 3));
        let kept = ledger.entries("hv", 0, 10).unwrap();
        let mut hash = [0; 32];
        for (number, kept) in (1..).zip(&kept) {
            hash = link(&hash, "hv", number, &kept.body);
            assert_eq!((kept.number, kept.hash), (number, hash));
        }
        assert_eq!((kept.len(), tips[0].hash), (3, hash));
        assert_eq!(ledger.entries("hv", 1, 1).unwrap()[0].number, 2);
        let ends: Vec<_> =
            other.tips().unwrap().into_iter().map(|tip| (tip.tenant, tip.number)).collect();
        assert_eq!(ends, [(String::new(), 1), ("hv".to_owned(), 3)]);
    });
}

#[test]
fn entries_are_found_by_what_they_say_newest_first() {
    every_ledger(|ledger, _| {
        let entries = [
            entry("hv", 1, "a", &["p1"]),
            entry("hv", 2, "b", &["p1", "p2"]),
            entry("hv", 3, "refused", &[]),
            entry("other", 4, "a", &["p1"]),
        ];
        ledger.append(&entries).unwrap();
        let find = |change: &dyn Fn(&mut Wanted)| {
            let mut wanted = Wanted { tenant: "hv".into(), limit: 10, ..Wanted::default() };
            change(&mut wanted);
            let found = ledger.find(&wanted).unwrap();
            found.iter().map(|kept| kept.number).collect::<Vec<_>>()
        };
        let second = |second| Some(Timestamp::from_second(second).unwrap());
        assert_eq!(find(&|_| ()), [3, 2, 1]);
        assert_eq!(find(&|wanted| wanted.limit = 2), [3, 2]);
        assert_eq!(find(&|wanted| wanted.before = Some(2)), [1]);
        assert_eq!(find(&|wanted| wanted.patient = Some(fhir_id("p1"))), [2, 1]);
        assert_eq!(find(&|wanted| wanted.patient = Some(fhir_id("p3"))), [0_u64; 0]);
        assert_eq!(find(&|wanted| wanted.actor = Some("b".into())), [2]);
        assert_eq!(find(&|wanted| wanted.action = Some("vread".into())), [0_u64; 0]);
        assert_eq!(find(&|wanted| wanted.outcome = Some(4)), [3]);
        assert_eq!(find(&|wanted| wanted.since = second(2)), [3, 2]);
        assert_eq!(find(&|wanted| wanted.until = second(2)), [1]);
        let narrow = |wanted: &mut Wanted| {
            wanted.patient = Some(fhir_id("p1"));
            wanted.since = second(2);
            wanted.actor = Some("b".into());
            wanted.before = Some(3);
        };
        assert_eq!(find(&narrow), [2]);
        let pairs = [(1, fhir_id("p1")), (2, fhir_id("p2")), (3, fhir_id("p1"))];
        assert_eq!(ledger.filed("hv", &pairs).unwrap(), 2);
    });
}

#[test]
fn a_checkpoint_is_kept_once() {
    every_ledger(|ledger, other| {
        ledger.append(&[entry("hv", 1, "a", &[]), entry("hv", 2, "a", &[])]).unwrap();
        let made = |number, statement: &str| Checkpoint {
            tenant: "hv".into(),
            number,
            statement: statement.into(),
        };
        ledger.seal(&made(2, "first")).unwrap();
        other.seal(&made(2, "second")).unwrap();
        other.seal(&made(1, "late")).unwrap();
        assert_eq!(ledger.checkpoints("hv").unwrap(), [made(1, "late"), made(2, "first")]);
        assert_eq!(ledger.tips().unwrap()[0].sealed, 2);
    });
}

#[test]
fn replicas_that_write_at_the_same_time_leave_no_gap_and_no_fork() {
    every_ledger(|ledger, other| {
        std::thread::scope(|scope| {
            for (name, ledger) in [("a", ledger), ("b", other)] {
                scope.spawn(move || {
                    for second in 0..40 {
                        let two =
                            [entry("hv", second, name, &["p1"]), entry("x", second, name, &[])];
                        ledger.append(&two).unwrap();
                    }
                });
            }
        });
        for tenant in ["hv", "x"] {
            let kept = ledger.entries(tenant, 0, 100).unwrap();
            let mut hash = [0; 32];
            for (number, kept) in (1..).zip(&kept) {
                hash = link(&hash, tenant, number, &kept.body);
                assert_eq!((kept.number, kept.hash), (number, hash), "{tenant}");
            }
            assert_eq!(kept.len(), 80);
        }
    });
}

#[test]
fn a_ledger_in_memory_is_one_too() {
    let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::in_memory().unwrap());
    ledger.append(&[entry("hv", 1, "a", &[])]).unwrap();
    assert_eq!(ledger.entries("hv", 0, 10).unwrap().len(), 1);
}
