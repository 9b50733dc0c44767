//! A job in the hands of a worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::error::Error;
use crate::store::{Job, JobStep, Store};

/// Why a job does not come to its end now.
#[derive(Debug)]
pub enum Trouble {
    /// Somebody has stopped it, or another replica is at it: there is nothing to be written down.
    Stopped,
    /// It never will; a stable name says why.
    Final(&'static str),
    /// It may, later.
    Passing(Error),
    /// It is to be begun again after this pause; a stable name says why. What was done is kept.
    Later(Duration, &'static str),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied => Self::Final("denied"),
            other => Self::Passing(other),
        }
    }
}

/// A job in the hands of a worker; clones are the same.
#[derive(Clone)]
pub struct Task {
    job: Arc<Job>,
    holder: Arc<str>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    stopped: Arc<AtomicBool>,
}

impl Task {
    pub(super) fn new(
        job: Job,
        holder: String,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        Self { job: Arc::new(job), holder: holder.into(), store, clock, stopped }
    }

    /// The job, as it was when it was begun.
    pub fn job(&self) -> &Job {
        &self.job
    }

    pub(super) fn holder(&self) -> &str {
        &self.holder
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Goes on, unless somebody has stopped the job or its time is over; to be asked between steps.
    pub fn go_on(&self) -> std::result::Result<(), Trouble> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(Trouble::Stopped);
        }
        if self.job.new.expires <= self.now() {
            return Err(Trouble::Final("took_too_long"));
        }
        Ok(())
    }

    /// Writes down how far the job has come; waits for the store.
    pub fn keep(&self, step: &JobStep) -> std::result::Result<(), Trouble> {
        self.go_on()?;
        let moved = self.store.move_job(&self.job.new.id, &self.holder, step)?;
        if moved { Ok(()) } else { Err(Trouble::Stopped) }
    }

    /// Runs something that waits where waiting holds nobody up.
    pub async fn aside<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Self) -> std::result::Result<T, Trouble> + Send + 'static,
    ) -> std::result::Result<T, Trouble> {
        let task = self.clone();
        let done = tokio::task::spawn_blocking(move || run(&task)).await;
        done.map_err(|cause| Trouble::Passing(Error::internal(cause)))?
    }
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").field("job", &self.job.new.id).finish_non_exhaustive()
    }
}
