//! Pulls: asks a source for its records page by page, and remembers how far it has come.
//!
//! The cursor moves after the records of a page are stored, so that a crash in between asks for the
//! same page again, which changes nothing. Of several replicas the one with the lease asks. A source
//! in trouble is asked again after a pause that grows; the others do not notice.

mod pause;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use self::pause::Pace;
use super::ingest::{Layout, Told, Verdict};
use super::reception::{Cause, Parcel, Reception};
use crate::clock::Clock;
use crate::domain::SourceId;
use crate::error::{Error, Result};
use crate::platform::{Page, Source, Trouble};
use crate::store::{Feed, Lease, Store};

/// How much longer than its pause a lease holds: time for a page.
const SLACK: Duration = Duration::from_secs(90);
/// Pages in a row without anything new after which a source is asked no faster than its interval.
const BARREN: u32 = 1_000;
/// Cursors that are remembered to see one come back.
const REMEMBERED: usize = 100_000;

/// What a puller works with.
#[derive(Clone)]
pub struct Pull {
    /// The source and its tenant.
    pub id: SourceId,
    /// Where its records are.
    pub source: Arc<dyn Source>,
    /// Where they go.
    pub reception: Arc<Reception>,
    /// Where cursors and leases are.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How often it is asked.
    pub pace: Pace,
    /// How many records it is asked for.
    pub limit: u32,
    /// An opaque id of this process.
    pub holder: String,
}

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// Everything that is there was read.
    Done,
    /// Another process has the lease.
    Elsewhere,
    /// The source did not answer as it should.
    Trouble(Trouble),
    /// What it answered could not be stored.
    Unstored,
}

/// Asks one source, as long as it is polled.
pub struct Puller {
    pull: Pull,
    limit: u32,
    /// The cursors that were left behind since everything was read.
    behind: HashSet<u64>,
    barren: u32,
    failures: u32,
}

/// What a page brought.
enum Step {
    More,
    Done,
}

impl Puller {
    /// A puller that has not asked yet.
    pub fn new(pull: Pull) -> Self {
        let limit = pull.limit;
        Self { pull, limit, behind: HashSet::new(), barren: 0, failures: 0 }
    }

    /// Asks for ever, with pauses.
    pub async fn run(mut self) {
        loop {
            let (_, pause) = self.round().await;
            tokio::time::sleep(pause).await;
        }
    }

    /// Asks until everything is read or something is wrong; says how long to wait then.
    pub async fn round(&mut self) -> (Round, Duration) {
        loop {
            let step = match self.hold(self.pull.pace.every).await {
                Ok(true) => self.step().await,
                Ok(false) => return (Round::Elsewhere, self.pull.pace.every),
                Err(error) => Err(error),
            };
            match step {
                Ok(Ok(Step::More)) => {}
                Ok(Ok(Step::Done)) => return (Round::Done, self.pull.pace.every),
                Ok(Err(trouble)) => return (Round::Trouble(trouble), self.pause(trouble).await),
                Err(error) => {
                    let source = self.pull.id.name.as_str();
                    tracing::error!(source, cause = %Cause(&error), "a page cannot be stored");
                    self.failures = self.failures.saturating_add(1);
                    return (Round::Unstored, self.pull.pace.pause(self.failures, None));
                }
            }
        }
    }

    /// Gives the lease back.
    pub async fn release(&self) -> Result<()> {
        let holder = self.pull.holder.clone();
        self.aside(move |store, id| store.free_lease(id, &holder)).await
    }

    /// Asks for one page and takes it in.
    async fn step(&mut self) -> Result<std::result::Result<Step, Trouble>> {
        let feed = self.aside(|store, id| store.feed(id)).await?;
        let page = match self.pull.source.page(feed.cursor.as_deref(), self.limit).await {
            Ok(page) => page,
            Err(trouble) => return self.troubled(feed, trouble).await.map(Err),
        };
        let Page { body, is_array, next } = page;
        let told = match body {
            Some(body) => {
                let layout = if is_array { Layout::Array } else { Layout::Lines };
                let origin = format!("pull {}", self.pull.id.name);
                let source = self.pull.id.clone();
                let parcel = Parcel { body, layout, source, origin };
                self.pull.reception.take_in(parcel).await?
            }
            None => Vec::new(),
        };
        let next = next.or_else(|| feed.cursor.clone());
        let stays = next == feed.cursor;
        let returns = next.as_ref().is_some_and(|next| self.behind.contains(&digest(next)));
        if !told.is_empty() && (stays || returns) {
            return self.troubled(feed, Trouble::SameCursor).await.map(Err);
        }
        let step = self.weigh(&told);
        self.advance(feed, next, stays, matches!(step, Step::Done)).await?;
        Ok(Ok(step))
    }

    /// Whether there may be more: not after an empty page, nor after a short one that was known.
    fn weigh(&mut self, told: &[Told]) -> Step {
        let known = |told: &Told| matches!(told.outcome, Verdict::Unchanged | Verdict::Older);
        let is_new = !told.iter().all(known);
        self.barren = if is_new { 0 } else { self.barren.saturating_add(1) };
        let is_full = told.len() >= usize::try_from(self.limit).unwrap_or(usize::MAX);
        if is_new || (is_full && self.barren < BARREN) { Step::More } else { Step::Done }
    }

    /// Notes that a page was taken in.
    async fn advance(
        &mut self,
        feed: Feed,
        next: Option<String>,
        stays: bool,
        is_done: bool,
    ) -> Result<()> {
        let now = self.pull.clock.now();
        if is_done || self.behind.len() >= REMEMBERED {
            self.behind.clear();
        }
        if let Some(left) = feed.cursor.filter(|_| !stays) {
            self.behind.insert(digest(&left));
        }
        if feed.trouble.is_some() {
            tracing::info!(source = self.pull.id.name.as_str(), "a source answers again");
        }
        (self.failures, self.limit) = (0, self.pull.limit);
        let moved = if stays { feed.moved } else { Some(now) };
        let feed = Feed { cursor: next, moved, answered: Some(now), failures: 0, trouble: None };
        self.put(feed).await
    }

    /// Notes that a source did not answer as it should, and does what can be done about it.
    async fn troubled(&mut self, feed: Feed, trouble: Trouble) -> Result<Trouble> {
        let (mut cursor, mut moved) = (feed.cursor, feed.moved);
        match trouble {
            Trouble::TooLarge => self.limit = (self.limit / 2).max(1),
            // What is read again changes nothing.
            Trouble::Forgotten if cursor.is_some() => {
                (cursor, moved) = (None, Some(self.pull.clock.now()));
                self.behind.clear();
            }
            _ => {}
        }
        self.failures = feed.failures.saturating_add(1);
        let (source, failures) = (self.pull.id.name.as_str(), self.failures);
        tracing::warn!(source, failures, trouble = trouble.code(), "a source is in trouble");
        let trouble_code = Some(trouble.code().to_owned());
        let answered = feed.answered;
        self.put(Feed { cursor, moved, answered, failures, trouble: trouble_code }).await?;
        Ok(trouble)
    }

    /// How long to wait after trouble; the lease is held meanwhile, so that nobody else asks.
    async fn pause(&self, trouble: Trouble) -> Duration {
        let asked_for = if let Trouble::Busy(pause) = trouble { pause } else { None };
        let pause = self.pull.pace.pause(self.failures, asked_for);
        if let Err(error) = self.hold(pause).await {
            let source = self.pull.id.name.as_str();
            tracing::error!(source, cause = %Cause(&error), "a lease cannot be renewed");
        }
        pause
    }

    /// Takes or renews the lease for a pause and a page.
    async fn hold(&self, pause: Duration) -> Result<bool> {
        let now = self.pull.clock.now();
        let lease = Lease { holder: self.pull.holder.clone(), ends: later(now, pause + SLACK)? };
        self.aside(move |store, id| store.take_lease(id, &lease, now)).await
    }

    async fn put(&self, feed: Feed) -> Result<()> {
        let holder = self.pull.holder.clone();
        // Somebody else has the lease if this says no, and knows better how far it is.
        self.aside(move |store, id| store.put_feed(id, &holder, &feed)).await.map(drop)
    }

    /// Asks the store on a thread that may block.
    async fn aside<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Store, &SourceId) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (store, id) = (Arc::clone(&self.pull.store), self.pull.id.clone());
        tokio::task::spawn_blocking(move || ask(&*store, &id)).await.map_err(Error::internal)?
    }
}

fn later(now: Timestamp, by: Duration) -> Result<Timestamp> {
    let by = SignedDuration::try_from(by).map_err(Error::internal)?;
    now.checked_add(by).map_err(Error::internal)
}

fn digest(cursor: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    cursor.hash(&mut hasher);
    hasher.finish()
}
