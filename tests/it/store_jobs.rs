//! The contract of every store for durable jobs.

use jiff::Timestamp;
use throughline::store::{
    Job, JobEnd, JobFilter, JobPart, JobState, JobStep, Lease, NewJob, SqliteStore, Store,
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

fn new(id: &str, made: i64) -> NewJob {
    NewJob {
        id: id.into(),
        tenant: "hv".parse().unwrap(),
        kind: "export".into(),
        client: "ehr".into(),
        mandate: vec![1, 0, 255],
        task: b"{}".to_vec(),
        made: at(made),
        due: at(made),
        expires: at(1_000),
    }
}

fn lease(holder: &str, ends: i64) -> Lease {
    Lease { holder: holder.into(), ends: at(ends) }
}

fn take(store: &dyn Store, holder: &str, now: i64) -> Option<Job> {
    store.lease_job("export", &lease(holder, now + 30), at(now)).unwrap()
}

fn part(number: u32, body: &[u8]) -> JobPart {
    JobPart { number, body: body.to_vec() }
}

fn step(parts: &[JobPart], place: &[u8]) -> JobStep {
    JobStep { parts: parts.to_vec(), place: place.to_vec(), progress: "half".into() }
}

fn end(state: JobState) -> JobEnd {
    JobEnd { state, trouble: Some("why".into()), at: at(50), expires: at(60) }
}

#[test]
fn a_job_is_kept_as_it_was_asked_for() {
    every_store(|store| {
        assert!(store.put_job(&new("a", 1), 9).unwrap());
        let job = store.job("a").unwrap().unwrap();
        assert_eq!(job.new, new("a", 1));
        assert_eq!((job.state, job.attempts, job.lease), (JobState::Open, 0, None));
        assert_eq!((job.place.as_slice(), job.progress.as_str()), (&[][..], ""));
        assert_eq!(store.job("b").unwrap(), None);
    });
}

#[test]
fn a_job_that_is_ordered_in_a_transaction_is_there_with_the_rest_or_not_at_all() {
    every_store(|store| {
        let mut write = store.write().unwrap();
        write.order_job(&new("a", 1)).unwrap();
        drop(write);
        assert_eq!(store.job("a").unwrap(), None, "nothing was committed");
        let mut write = store.write().unwrap();
        write.order_job(&new("a", 1)).unwrap();
        write.commit().unwrap();
        assert_eq!(store.job("a").unwrap().unwrap().new, new("a", 1));
    });
}

#[test]
fn a_client_has_so_many_open_jobs_and_no_more() {
    every_store(|store| {
        assert!(store.put_job(&new("a", 1), 2).unwrap());
        assert!(store.put_job(&new("b", 2), 2).unwrap());
        assert!(!store.put_job(&new("c", 3), 2).unwrap());
        assert_eq!(store.job("c").unwrap(), None);
        let other = NewJob { client: "lab".into(), ..new("d", 3) };
        assert!(store.put_job(&other, 2).unwrap());
        assert!(store.cancel_job("a", at(4)).unwrap());
        assert!(store.put_job(&new("c", 3), 2).unwrap());
    });
}

#[test]
fn the_job_that_is_due_longest_is_taken_once_until_its_lease_ends() {
    every_store(|store| {
        store.put_job(&new("b", 2), 9).unwrap();
        store.put_job(&new("a", 1), 9).unwrap();
        store.put_job(&new("later", 100), 9).unwrap();
        store.put_job(&NewJob { kind: "other".into(), ..new("x", 0) }, 9).unwrap();
        let first = take(store, "one", 10).unwrap();
        assert_eq!((first.new.id.as_str(), first.attempts), ("a", 1));
        assert_eq!(first.lease, Some(lease("one", 40)));
        assert_eq!(take(store, "two", 10).unwrap().new.id, "b");
        assert_eq!(take(store, "three", 39), None);
        let again = take(store, "three", 40).unwrap();
        assert_eq!((again.new.id.as_str(), again.attempts), ("a", 2));
    });
}

#[test]
fn a_job_that_is_over_is_not_begun() {
    every_store(|store| {
        store.put_job(&new("a", 1), 9).unwrap();
        assert_eq!(take(store, "one", 1_000), None);
        let over = store.over_jobs(at(1_000), 9).unwrap();
        assert_eq!(over.iter().map(|job| job.new.id.as_str()).collect::<Vec<_>>(), ["a"]);
        assert!(store.over_jobs(at(999), 9).unwrap().is_empty());
        store.drop_job("a").unwrap();
        assert_eq!(store.job("a").unwrap(), None);
    });
}

#[test]
fn only_the_holder_of_the_lease_writes() {
    every_store(|store| {
        store.put_job(&new("a", 1), 9).unwrap();
        take(store, "one", 10).unwrap();
        assert!(store.hold_job("a", &lease("one", 60)).unwrap());
        assert_eq!(take(store, "two", 59), None);
        take(store, "two", 60).unwrap();
        let step = step(&[part(0, b"p")], b"place");
        assert!(!store.hold_job("a", &lease("one", 90)).unwrap());
        assert!(!store.move_job("a", "one", &step).unwrap());
        assert!(!store.retry_job("a", "one", at(70), "why").unwrap());
        assert!(!store.end_job("a", "one", &end(JobState::Done)).unwrap());
        store.free_job("a", "one").unwrap();
        assert_eq!(take(store, "three", 61), None);
        assert!(store.job_parts("a").unwrap().is_empty());
        assert!(store.move_job("a", "two", &step).unwrap());
        store.free_job("a", "two").unwrap();
        assert_eq!(take(store, "three", 61).unwrap().place, b"place");
    });
}

#[test]
fn a_step_is_kept_with_its_parts_and_counts_the_attempts_anew() {
    every_store(|store| {
        store.put_job(&new("a", 1), 9).unwrap();
        take(store, "one", 10).unwrap();
        let first = step(&[part(1, b"second"), part(0, b"first")], b"1");
        assert!(store.move_job("a", "one", &first).unwrap());
        assert!(store.move_job("a", "one", &step(&[part(1, b"again")], b"2")).unwrap());
        assert_eq!(store.job_parts("a").unwrap(), [part(0, b"first"), part(1, b"again")]);
        let job = store.job("a").unwrap().unwrap();
        assert_eq!(
            (job.place.as_slice(), job.progress.as_str(), job.attempts),
            (&b"2"[..], "half", 0)
        );
        store.drop_job("a").unwrap();
        assert!(store.job_parts("a").unwrap().is_empty());
    });
}

#[test]
fn a_job_in_trouble_waits_until_it_is_due() {
    every_store(|store| {
        store.put_job(&new("a", 1), 9).unwrap();
        take(store, "one", 10).unwrap();
        assert!(store.retry_job("a", "one", at(20), "unavailable").unwrap());
        assert_eq!(store.job("a").unwrap().unwrap().trouble.as_deref(), Some("unavailable"));
        assert_eq!(take(store, "two", 19), None);
        assert_eq!(take(store, "two", 20).unwrap().attempts, 2);
    });
}

#[test]
fn a_job_ends_once_and_is_forgotten_when_it_said() {
    every_store(|store| {
        store.put_job(&new("a", 1), 9).unwrap();
        take(store, "one", 10).unwrap();
        assert!(store.end_job("a", "one", &end(JobState::Failed)).unwrap());
        assert!(!store.end_job("a", "one", &end(JobState::Done)).unwrap());
        let job = store.job("a").unwrap().unwrap();
        assert_eq!((job.state, job.trouble.as_deref()), (JobState::Failed, Some("why")));
        assert_eq!((job.ended, job.new.expires), (Some(at(50)), at(60)));
        assert_eq!(take(store, "two", 100), None);
        assert!(store.over_jobs(at(59), 9).unwrap().is_empty());
        assert_eq!(store.over_jobs(at(60), 9).unwrap().len(), 1);
    });
}

#[test]
fn a_job_that_is_stopped_lets_its_worker_write_nothing_and_is_forgotten_after_it() {
    every_store(|store| {
        store.put_job(&new("a", 1), 9).unwrap();
        take(store, "one", 10).unwrap();
        assert!(store.cancel_job("a", at(11)).unwrap());
        assert!(!store.cancel_job("a", at(12)).unwrap());
        assert!(!store.cancel_job("b", at(12)).unwrap());
        assert!(!store.hold_job("a", &lease("one", 60)).unwrap());
        assert!(!store.move_job("a", "one", &step(&[], b"")).unwrap());
        assert!(store.over_jobs(at(20), 9).unwrap().is_empty(), "somebody is at it");
        store.free_job("a", "one").unwrap();
        assert_eq!(store.over_jobs(at(20), 9).unwrap().len(), 1);
    });
}

#[test]
fn jobs_are_listed_newest_first_by_kind_and_state() {
    every_store(|store| {
        for (id, made) in [("a", 1), ("b", 2), ("c", 3)] {
            store.put_job(&new(id, made), 9).unwrap();
        }
        store.put_job(&NewJob { kind: "other".into(), ..new("x", 9) }, 9).unwrap();
        store.cancel_job("b", at(5)).unwrap();
        let ids = |filter: JobFilter| {
            let jobs = store.jobs(&filter).unwrap();
            jobs.into_iter().map(|job| job.new.id).collect::<Vec<_>>()
        };
        let all = JobFilter { limit: 9, ..JobFilter::default() };
        assert_eq!(ids(all.clone()), ["x", "c", "b", "a"]);
        assert_eq!(ids(JobFilter { limit: 2, ..all.clone() }), ["x", "c"]);
        let exports = JobFilter { kind: Some("export".into()), ..all };
        assert_eq!(ids(exports.clone()), ["c", "b", "a"]);
        assert_eq!(ids(JobFilter { state: Some(JobState::Open), ..exports }), ["c", "a"]);
    });
}
