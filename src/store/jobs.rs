//! Durable jobs: what is to be done beside the requests, who is at it, how far it has come, and the
//! parts that are finished.
//!
//! A job is worked on by whoever has its lease. Whatever a worker writes names the lease's holder, so
//! that one that was overtaken, or whose job was cancelled, writes nothing any more. Each method is
//! one short transaction of its own.

use jiff::Timestamp;

use super::Lease;
use crate::domain::TenantId;
use crate::error::Result;

/// The columns of a job, from a table or alias named `j`.
pub(super) const JOB: &str = "j.id, j.tenant, j.kind, j.client, j.mandate, j.task, j.place, \
                              j.progress, j.state, j.attempts, j.trouble, j.made, j.due, j.ended, \
                              j.expires, j.holder, j.held";

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// It waits, or somebody is at it.
    Open,
    /// It has done what it was to do.
    Done,
    /// It has not, and will not.
    Failed,
    /// Somebody has stopped it.
    Cancelled,
}

impl JobState {
    /// All of them.
    const ALL: [Self; 4] = [Self::Open, Self::Done, Self::Failed, Self::Cancelled];

    /// Its name in the tables and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::str::FromStr for JobState {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

/// A job that is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Its name: nobody can guess it.
    pub id: String,
    /// Whose records it is about.
    pub tenant: TenantId,
    /// What kind of work it is.
    pub kind: String,
    /// The client that asked for it.
    pub client: String,
    /// By whose authority it is done ([`crate::policy::Mandate`]), as JSON.
    pub mandate: Vec<u8>,
    /// What is to be done, as its kind writes it.
    pub task: Vec<u8>,
    /// When it was asked for.
    pub made: Timestamp,
    /// From when on it may be begun.
    pub due: Timestamp,
    /// When it is forgotten, whether it is done or not.
    pub expires: Timestamp,
}

/// A job as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What it is.
    pub new: NewJob,
    /// How it stands.
    pub state: JobState,
    /// How far it has come, as its kind writes it; empty before the first step.
    pub place: Vec<u8>,
    /// The same for people: words and numbers, never content.
    pub progress: String,
    /// How often it was begun since it last came on.
    pub attempts: u32,
    /// What went wrong last: a stable name, such as `unavailable`.
    pub trouble: Option<String>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Who is at it, or last was.
    pub lease: Option<Lease>,
}

/// A finished part of a job, which is not done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPart {
    /// Its number among the job's, from 0.
    pub number: u32,
    /// What it is, as the job's kind writes it.
    pub body: Vec<u8>,
}

/// How far a job has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobStep {
    /// The parts that are finished now.
    pub parts: Vec<JobPart>,
    /// Where it goes on.
    pub place: Vec<u8>,
    /// The same for people.
    pub progress: String,
}

/// Which jobs are wanted.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Of this kind alone.
    pub kind: Option<String>,
    /// That stand so alone.
    pub state: Option<JobState>,
    /// How many at most.
    pub limit: u32,
}

/// The jobs.
pub trait Jobs {
    /// Keeps a job, unless its client has `most` open ones of its kind; answers whether it did.
    fn put_job(&self, job: &NewJob, most: u32) -> Result<bool>;
    /// The job of that name, until it is forgotten.
    fn job(&self, id: &str) -> Result<Option<Job>>;
    /// Jobs, newest first.
    fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>>;
    /// Takes the open job of a kind that has been due longest and that nobody is at, and counts an
    /// attempt.
    fn lease_job(&self, kind: &str, lease: &Lease, now: Timestamp) -> Result<Option<Job>>;
    /// Renews the lease of a job; answers whether `lease.holder` has it still and the job is open.
    fn hold_job(&self, id: &str, lease: &Lease) -> Result<bool>;
    /// Says how far a job has come, all or nothing, if `holder` has its lease and it is open; answers
    /// whether. The attempts are counted anew from there.
    fn move_job(&self, id: &str, holder: &str, step: &JobStep) -> Result<bool>;
    /// Leaves a job to be begun again at `due`, if `holder` has its lease; answers whether.
    fn retry_job(&self, id: &str, holder: &str, due: Timestamp, trouble: &str) -> Result<bool>;
    /// Ends a job, if `holder` has its lease and it is open; answers whether.
    fn end_job(&self, id: &str, holder: &str, end: &JobEnd) -> Result<bool>;
    /// Gives the lease of a job back, however it stands, if `holder` has it.
    fn free_job(&self, id: &str, holder: &str) -> Result<()>;
    /// Stops a job, or takes back what it did, and has it forgotten; answers whether there was one
    /// that was not stopped yet.
    fn cancel_job(&self, id: &str, now: Timestamp) -> Result<bool>;
    /// The finished parts of a job, in order.
    fn job_parts(&self, id: &str) -> Result<Vec<JobPart>>;
    /// Jobs that are over and that nobody is at.
    fn over_jobs(&self, now: Timestamp, limit: u32) -> Result<Vec<Job>>;
    /// Forgets a job and its parts.
    fn drop_job(&self, id: &str) -> Result<()>;
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEnd {
    /// How it stands now.
    pub state: JobState,
    /// Why, where it failed: a stable name.
    pub trouble: Option<String>,
    /// When.
    pub at: Timestamp,
    /// When it is forgotten.
    pub expires: Timestamp,
}
