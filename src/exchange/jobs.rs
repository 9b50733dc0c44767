//! Work beside the requests: durable jobs, done by whichever replica has their lease.
//!
//! A job is a row, with the mandate of whoever asked for it. A worker holds its lease by a heartbeat,
//! and asks at each beat whether the mandate still stands: a job whose grant was taken back, or whose
//! client was disabled, ends. What a worker has finished is written down part by part with the place
//! where it goes on, so that after a crash nothing finished is done again. What may pass is tried
//! again after a pause that grows; a job that was begun too often without coming on is given up.

mod task;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;

pub use self::task::{Task, Trouble};
use super::pull::Pace;
use crate::auth;
use crate::clock::Clock;
use crate::config::JobSettings;
use crate::error::{Error, Result};
use crate::policy::Mandate;
use crate::store::{Job, JobEnd, JobPart, JobState, Lease, NewJob, Store};

/// How many jobs are swept away at once.
const SWEPT: u32 = 100;
/// How often is swept.
const SWEEP: Duration = Duration::from_secs(30);
/// How long a job that failed is shown.
const FAILED_FOR: Duration = Duration::from_hours(24);

/// What is awaited.
pub type Doing<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// One kind of work.
pub trait Work: Send + Sync {
    /// Its name.
    fn kind(&self) -> &'static str;
    /// Works on a job to its end, from where the job says it is. Whatever waits runs elsewhere.
    fn work(self: Arc<Self>, task: Task) -> Doing<std::result::Result<(), Trouble>>;
    /// How long a job that is done is kept, from then on.
    fn kept(&self) -> Duration;
    /// Takes away what the parts of a job that is forgotten have left elsewhere.
    fn clear(self: Arc<Self>, job: Job, parts: Vec<JobPart>) -> Doing<Result<()>>;
}

/// Tells whether a mandate still stands.
pub trait Mandates: Send + Sync {
    /// Whether neither its token, nor its grant, nor its client has been taken back.
    fn stands(&self, mandate: &Mandate, now: Timestamp) -> Result<bool>;
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// What kind of work it is.
    pub kind: &'a str,
    /// By whose authority.
    pub mandate: &'a Mandate,
    /// Whose records it is about.
    pub tenant: &'a crate::domain::TenantId,
    /// What is to be done.
    pub task: Vec<u8>,
    /// How many open jobs of the kind a client may have.
    pub most: u32,
    /// How long it may take.
    pub within: Duration,
}

/// Does the jobs.
pub struct Workshop {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    mandates: Arc<dyn Mandates>,
    works: Vec<(Arc<dyn Work>, Arc<Semaphore>)>,
    settings: JobSettings,
    news: Notify,
    /// The jobs that are worked on here, each with its lease's holder.
    at_work: Mutex<HashMap<String, Task>>,
}

impl Workshop {
    /// A workshop for these kinds of work.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        mandates: Arc<dyn Mandates>,
        works: Vec<Arc<dyn Work>>,
        settings: JobSettings,
    ) -> Self {
        let places = usize::try_from(settings.at_once).unwrap_or(usize::MAX);
        let works = works.into_iter().map(|work| (work, Arc::new(Semaphore::new(places))));
        let (news, at_work) = (Notify::new(), Mutex::default());
        Self { store, clock, mandates, works: works.collect(), settings, news, at_work }
    }

    /// Takes an order; answers the job's name, or nothing where the client has enough open ones.
    pub async fn order(&self, order: Order<'_>) -> Result<Option<String>> {
        let now = self.clock.now();
        let job = NewJob {
            id: auth::name()?,
            tenant: order.tenant.clone(),
            kind: order.kind.to_owned(),
            client: order.mandate.client.clone(),
            mandate: order.mandate.write()?,
            task: order.task,
            made: now,
            due: now,
            expires: later(now, order.within),
        };
        let (id, most) = (job.id.clone(), order.most);
        let taken = self.aside(move |store| store.put_job(&job, most)).await?;
        self.news.notify_one();
        Ok(taken.then_some(id))
    }

    /// The job of that name and kind, with its finished parts.
    pub async fn find(&self, kind: &str, id: &str) -> Result<Option<(Job, Vec<JobPart>)>> {
        let (kind, id) = (kind.to_owned(), id.to_owned());
        self.aside(move |store| {
            let job = store.job(&id)?.filter(|job| job.new.kind == kind);
            let parts = job.as_ref().map(|_| store.job_parts(&id)).transpose()?;
            Ok(job.zip(parts))
        })
        .await
    }

    /// Stops a job, or takes back what it did; answers whether there was one.
    pub async fn cancel(&self, id: &str) -> Result<bool> {
        let (id, now) = (id.to_owned(), self.clock.now());
        if let Some(task) = self.at_work().get(&id) {
            task.stop();
        }
        self.aside(move |store| store.cancel_job(&id, now)).await
    }

    /// Whether a mandate still stands.
    pub async fn stands(&self, mandate: &Mandate) -> Result<bool> {
        let (mandates, mandate) = (Arc::clone(&self.mandates), mandate.clone());
        let now = self.clock.now();
        let asked = tokio::task::spawn_blocking(move || mandates.stands(&mandate, now));
        asked.await.map_err(Error::internal)?
    }

    /// Works for ever.
    pub async fn run(self: Arc<Self>) {
        let mut open = JoinSet::new();
        let mut swept = None;
        loop {
            if let Err(error) = self.begin(&mut open).await {
                tracing::warn!(cause = %Told(&error), "jobs cannot be looked for");
            }
            let now = self.clock.now();
            if swept.is_none_or(|at| later(at, SWEEP) <= now) {
                swept = Some(now);
                if let Err(error) = self.sweep().await {
                    tracing::warn!(cause = %Told(&error), "old jobs cannot be taken away");
                }
            }
            tokio::select! {
                () = sleep(self.settings.look()) => {}
                () = self.news.notified() => {}
                Some(_) = open.join_next() => {}
            }
        }
    }

    /// Takes jobs as long as there are some and room for them.
    async fn begin(self: &Arc<Self>, open: &mut JoinSet<()>) -> Result<()> {
        for (work, places) in &self.works {
            while let Ok(place) = Arc::clone(places).try_acquire_owned() {
                let Some((job, holder)) = self.lease(work.kind()).await? else { break };
                let (shop, work) = (Arc::clone(self), Arc::clone(work));
                open.spawn(async move {
                    shop.attend(work, job, holder).await;
                    drop(place);
                });
            }
        }
        Ok(())
    }

    async fn lease(&self, kind: &'static str) -> Result<Option<(Job, String)>> {
        let (holder, now) = (auth::name()?, self.clock.now());
        let lease = Lease { holder: holder.clone(), ends: later(now, self.settings.lease()) };
        let job = self.aside(move |store| store.lease_job(kind, &lease, now)).await?;
        Ok(job.map(|job| (job, holder)))
    }

    /// Works on a job, and writes down how it ended.
    async fn attend(&self, work: Arc<dyn Work>, job: Job, holder: String) {
        let id = job.new.id.clone();
        let task = Task::new(job, holder, Arc::clone(&self.store), Arc::clone(&self.clock));
        self.at_work().insert(id.clone(), task.clone());
        let outcome = self.watch(&work, &task).await;
        self.at_work().remove(&id);
        if let Err(error) = self.conclude(&*work, &task, outcome).await {
            tracing::warn!(job = id, cause = %Told(&error), "a job's end cannot be written down");
        }
    }

    /// Works, and renews the lease meanwhile.
    async fn watch(&self, work: &Arc<dyn Work>, task: &Task) -> std::result::Result<(), Trouble> {
        if task.job().attempts > self.settings.attempts {
            return Err(Trouble::Final("given_up"));
        }
        self.check(task).await?;
        let mut doing = Arc::clone(work).work(task.clone());
        let mut held_until = later(self.clock.now(), self.settings.lease());
        loop {
            let beat = sleep(self.settings.lease() / 3);
            tokio::select! {
                done = &mut doing => return done,
                () = beat => {}
            }
            match self.check(task).await {
                Ok(()) => held_until = later(self.clock.now(), self.settings.lease()),
                // While the lease holds, the next beat may do better.
                Err(Trouble::Passing(_)) if self.clock.now() < held_until => {}
                Err(trouble) => {
                    task.stop();
                    return Err(trouble);
                }
            }
        }
    }

    /// Renews the lease, if the mandate stands.
    async fn check(&self, task: &Task) -> std::result::Result<(), Trouble> {
        if !self.stands(&Mandate::read(&task.job().new.mandate)?).await? {
            return Err(Trouble::Final("not_authorized"));
        }
        let ends = later(self.clock.now(), self.settings.lease());
        let lease = Lease { holder: task.holder().to_owned(), ends };
        let id = task.job().new.id.clone();
        let held = self.aside(move |store| store.hold_job(&id, &lease)).await?;
        if held { Ok(()) } else { Err(Trouble::Stopped) }
    }

    async fn conclude(
        &self,
        work: &dyn Work,
        task: &Task,
        outcome: std::result::Result<(), Trouble>,
    ) -> Result<()> {
        let (job, holder, now) = (task.job(), task.holder().to_owned(), self.clock.now());
        let (id, kind, attempts) = (job.new.id.clone(), job.new.kind.clone(), job.attempts);
        let end = |state, trouble: Option<&str>, kept| {
            let trouble = trouble.map(str::to_owned);
            JobEnd { state, trouble, at: now, expires: later(now, kept) }
        };
        match outcome {
            Ok(()) => {
                let end = end(JobState::Done, None, work.kept());
                self.aside(move |store| store.end_job(&id, &holder, &end)).await?;
            }
            Err(Trouble::Final(code)) => {
                tracing::warn!(job = id, kind, trouble = code, "a job has failed");
                let end = end(JobState::Failed, Some(code), FAILED_FOR);
                self.aside(move |store| store.end_job(&id, &holder, &end)).await?;
            }
            Err(Trouble::Stopped) => {
                self.aside(move |store| store.free_job(&id, &holder)).await?;
            }
            Err(Trouble::Later(pause, why)) => {
                let due = later(now, pause);
                self.aside(move |store| store.retry_job(&id, &holder, due, why)).await?;
            }
            Err(Trouble::Passing(error)) => {
                let trouble = name(&error);
                tracing::warn!(job = id, kind, cause = %Told(&error), "a job will be tried again");
                let pause = Pace::every(Duration::ZERO).pause(attempts, None);
                let due = later(now, pause);
                self.aside(move |store| store.retry_job(&id, &holder, due, trouble)).await?;
            }
        }
        Ok(())
    }

    /// Forgets the jobs that are over, with what they left.
    pub async fn sweep(&self) -> Result<()> {
        let now = self.clock.now();
        for job in self.aside(move |store| store.over_jobs(now, SWEPT)).await? {
            let id = job.new.id.clone();
            // One whose kind is not known here may be of a newer replica.
            let known = self.works.iter().find(|(work, _)| work.kind() == job.new.kind);
            let Some((work, _)) = known else { continue };
            let of = id.clone();
            let parts = self.aside(move |store| store.job_parts(&of)).await?;
            Arc::clone(work).clear(job, parts).await?;
            self.aside(move |store| store.drop_job(&id)).await?;
        }
        Ok(())
    }

    /// Leaves the jobs that are worked on here to other replicas.
    pub fn retire(&self) -> Result<()> {
        let left: Vec<Task> = self.at_work().drain().map(|(_, task)| task).collect();
        left.iter().try_for_each(|task| {
            task.stop();
            self.store.free_job(&task.job().new.id, task.holder())
        })
    }

    fn at_work(&self) -> std::sync::MutexGuard<'_, HashMap<String, Task>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the store where waiting holds nobody up.
    async fn aside<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || question(&*store)).await.map_err(Error::internal)?
    }
}

/// What of an error goes to the log: causes of ours, which hold no content.
struct Told<'a>(&'a Error);

impl std::fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Error::Internal(cause) | Error::Unavailable(cause) => cause.fmt(f),
            other => other.fmt(f),
        }
    }
}

/// The stable name of what may pass.
fn name(error: &Error) -> &'static str {
    match error {
        Error::Unavailable(_) => "unavailable",
        Error::Setup(_) => "setup",
        _ => "internal",
    }
}

fn later(at: Timestamp, after: Duration) -> Timestamp {
    at.saturating_add(after).unwrap_or(Timestamp::MAX)
}
