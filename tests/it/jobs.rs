//! Work beside the requests: by whom, how often, and when it ends.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use throughline::clock::SystemClock;
use throughline::config::JobSettings;
use throughline::domain::TenantId;
use throughline::exchange::jobs::{Doing, Mandates, Order, Task, Trouble, Work, Workshop};
use throughline::policy::{Mandate, Principal};
use throughline::store::{Job, JobPart, JobState, JobStep, SqliteStore, Store};
use throughline::{Error, Result};

/// Ten parts, each written down; it may be told to fail, or to take its time.
#[derive(Default)]
struct Counting {
    done: Mutex<Vec<u32>>,
    cleared: Mutex<Vec<usize>>,
    /// Before which part it fails, and how often.
    fails: Mutex<Vec<u32>>,
    slow: bool,
}

const PARTS: u32 = 10;

impl Work for Counting {
    fn kind(&self) -> &'static str {
        "count"
    }

    fn work(self: Arc<Self>, task: Task) -> Doing<std::result::Result<(), Trouble>> {
        let this = self;
        Box::pin(async move {
            let begin = u32::try_from(task.job().place.len()).unwrap();
            for number in begin..PARTS {
                let fails = {
                    let mut fails = this.fails.lock().unwrap();
                    let found = fails.iter().position(|part| *part == number);
                    found.map(|found| fails.remove(found))
                };
                if fails.is_some() {
                    return Err(Error::unavailable("it is away").into());
                }
                if this.slow {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                let step = JobStep {
                    parts: vec![JobPart { number, body: vec![1] }],
                    place: vec![0; usize::try_from(number).unwrap() + 1],
                    progress: format!("{} of {PARTS}", number + 1),
                };
                task.aside(move |task| task.keep(&step)).await?;
                this.done.lock().unwrap().push(number);
            }
            Ok(())
        })
    }

    fn kept(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn clear(self: Arc<Self>, _: Job, parts: Vec<JobPart>) -> Doing<Result<()>> {
        self.cleared.lock().unwrap().push(parts.len());
        Box::pin(async { Ok(()) })
    }
}

/// Mandates that stand until they are asked so often.
struct Standing(AtomicU32);

impl Mandates for Standing {
    fn stands(&self, _: &Mandate, _: Timestamp) -> Result<bool> {
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(left.saturating_sub(1), Ordering::Relaxed);
        Ok(left > 0)
    }
}

const FOR_EVER: u32 = u32::MAX;

fn shop(store: &Arc<dyn Store>, work: &Arc<Counting>, stands: u32) -> Arc<Workshop> {
    let settings = JobSettings { lease_s: 1, look_s: 1, ..JobSettings::default() };
    Arc::new(Workshop::new(
        Arc::clone(store),
        Arc::new(SystemClock),
        Arc::new(Standing(AtomicU32::new(stands))),
        vec![Arc::clone(work) as Arc<dyn Work>],
        settings,
    ))
}

fn store() -> Arc<dyn Store> {
    Arc::new(SqliteStore::in_memory().unwrap())
}

async fn order(shop: &Workshop) -> String {
    let tenant: TenantId = "hv".parse().unwrap();
    let mandate = Mandate::of(&Principal::new(tenant.clone(), "ops", "system/*.rs"), "jti", None);
    let within = Duration::from_mins(5);
    let order =
        Order { kind: "count", mandate: &mandate, tenant: &tenant, task: vec![], most: 1, within };
    shop.order(order).await.unwrap().unwrap()
}

/// The job, once it is so.
async fn once(store: &Arc<dyn Store>, id: &str, is_so: impl Fn(&Job) -> bool) -> Job {
    for _ in 0..400 {
        if let Some(job) = store.job(id).unwrap().filter(&is_so) {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    unreachable!("{:?}", store.job(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_done_kept_for_a_while_and_forgotten_with_what_it_left() {
    let (store, work) = (store(), Arc::new(Counting::default()));
    let shop = shop(&store, &work, FOR_EVER);
    let running = tokio::spawn(Arc::clone(&shop).run());
    let id = order(&shop).await;
    let job = once(&store, &id, |job| job.state == JobState::Done).await;
    assert_eq!(job.progress, "10 of 10");
    assert_eq!(*work.done.lock().unwrap(), (0..PARTS).collect::<Vec<_>>());
    assert_eq!(shop.find("count", &id).await.unwrap().unwrap().1.len(), 10);
    assert!(shop.find("other", &id).await.unwrap().is_none());
    tokio::time::sleep(Duration::from_secs(2)).await;
    shop.sweep().await.unwrap();
    assert!(store.job(&id).unwrap().is_none());
    assert_eq!(*work.cleared.lock().unwrap(), [10]);
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_is_tried_again_from_where_it_was() {
    let store = store();
    let work = Arc::new(Counting { fails: Mutex::new(vec![4, 4]), ..Counting::default() });
    let shop = shop(&store, &work, FOR_EVER);
    let running = tokio::spawn(Arc::clone(&shop).run());
    let id = order(&shop).await;
    once(&store, &id, |job| job.state == JobState::Done).await;
    assert_eq!(*work.done.lock().unwrap(), (0..PARTS).collect::<Vec<_>>(), "nothing twice");
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_never_comes_on_is_given_up() {
    let store = store();
    let work = Arc::new(Counting { fails: Mutex::new(vec![0; 99]), ..Counting::default() });
    let shop = shop(&store, &work, FOR_EVER);
    let id = order(&shop).await;
    let running = tokio::spawn(Arc::clone(&shop).run());
    // What it waits between two attempts is not waited for here.
    let job = loop {
        let job = store.job(&id).unwrap().unwrap();
        if job.state != JobState::Open {
            break job;
        }
        if job.trouble.is_some() {
            let holder = job.lease.unwrap().holder;
            store.retry_job(&id, &holder, Timestamp::UNIX_EPOCH, "unavailable").unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((job.state, job.trouble.as_deref()), (JobState::Failed, Some("given_up")));
    assert!(work.done.lock().unwrap().is_empty());
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_dies_leaves_its_job_to_another_and_nothing_is_done_twice() {
    let store = store();
    let work = Arc::new(Counting { slow: true, ..Counting::default() });
    let first = shop(&store, &work, FOR_EVER);
    let id = order(&first).await;
    let dying = tokio::spawn(Arc::clone(&first).run());
    once(&store, &id, |job| job.place.len() >= 3).await;
    dying.abort();
    let second = shop(&store, &work, FOR_EVER);
    let running = tokio::spawn(Arc::clone(&second).run());
    once(&store, &id, |job| job.state == JobState::Done).await;
    let mut done = work.done.lock().unwrap().clone();
    assert_eq!(store.job_parts(&id).unwrap().len(), 10);
    done.dedup();
    assert_eq!(done, (0..PARTS).collect::<Vec<_>>());
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_outlives_its_authority() {
    let store = store();
    let work = Arc::new(Counting { slow: true, ..Counting::default() });
    let shop = shop(&store, &work, 2);
    let running = tokio::spawn(Arc::clone(&shop).run());
    let id = order(&shop).await;
    let job = once(&store, &id, |job| job.state == JobState::Failed).await;
    assert_eq!(job.trouble.as_deref(), Some("not_authorized"));
    let done = work.done.lock().unwrap().len();
    assert!((1..10).contains(&done), "{done}");
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(work.done.lock().unwrap().len(), done, "it has stopped");
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_stopped_stops_and_is_cleared() {
    let store = store();
    let work = Arc::new(Counting { slow: true, ..Counting::default() });
    let shop = shop(&store, &work, FOR_EVER);
    let running = tokio::spawn(Arc::clone(&shop).run());
    let id = order(&shop).await;
    once(&store, &id, |job| job.place.len() >= 2).await;
    assert!(shop.cancel(&id).await.unwrap());
    assert!(!shop.cancel(&id).await.unwrap());
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let done = work.done.lock().unwrap().len();
    assert!(done < 6, "{done}");
    shop.sweep().await.unwrap();
    assert!(store.job(&id).unwrap().is_none());
    assert_eq!(work.cleared.lock().unwrap().len(), 1);
    running.abort();
}
