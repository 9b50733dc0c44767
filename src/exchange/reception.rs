//! Where the bodies of live sources are taken in: batch by batch and by turns, so that neither a
//! long body nor many senders keep a short one, or the readers, waiting.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, Semaphore};

use super::ingest::{BASE, Ingest, LIVE_BATCH, Layout, Rules, Sent, Told};
use crate::clock::Clock;
use crate::domain::{IdKey, SourceId};
use crate::error::{Error, Result};
use crate::platform::Body;
use crate::store::{Store, Write};

/// Batches of dependents that are mapped before a body is answered; whatever is still due then is
/// mapped by [`Reception::map_due`].
const AT_ONCE: usize = 5;
/// How often it is looked whether another replica has left something.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Takes in bodies of records.
pub struct Reception {
    store: Arc<dyn Store>,
    rules: Arc<ArcSwap<Rules>>,
    ids: IdKey,
    clock: Arc<dyn Clock>,
    /// As many batches are worked on at once.
    hands: Semaphore,
    due: Notify,
}

/// A body, and where it came from.
pub struct Parcel {
    /// The body.
    pub body: Body,
    /// How its records follow each other.
    pub layout: Layout,
    /// Who sent it.
    pub source: SourceId,
    /// What quarantine says of where it came from; the line is added to it.
    pub origin: String,
}

impl Reception {
    /// A reception in which `hands` batches are worked on at once.
    pub fn new(
        store: Arc<dyn Store>,
        rules: Arc<ArcSwap<Rules>>,
        ids: IdKey,
        clock: Arc<dyn Clock>,
        hands: usize,
    ) -> Self {
        Self { store, rules, ids, clock, hands: Semaphore::new(hands), due: Notify::new() }
    }

    /// Takes in a whole body. What is told of a record holds once this returns: it is stored and
    /// can be read, or waits in quarantine.
    ///
    /// # Errors
    ///
    /// The store failed; the records up to some point are taken in, and taking in the same body
    /// again takes in the rest.
    pub async fn take_in(self: &Arc<Self>, parcel: Parcel) -> Result<Vec<Told>> {
        let Parcel { body, layout, source, origin } = parcel;
        let mut sent = Sent::new(body.reader, layout, source, origin);
        let mut told = Vec::new();
        let mut more = true;
        while more {
            let batch = move |this: &Self| {
                let more = this.batch(&mut sent, &mut told)?;
                Ok((sent, told, more))
            };
            (sent, told, more) = self.by_turns(batch).await?;
        }
        for _ in 0..AT_ONCE {
            if self.by_turns(Self::map_batch).await? < LIVE_BATCH {
                return Ok(told);
            }
        }
        self.due.notify_one();
        Ok(told)
    }

    /// Maps whatever is due, and then whatever becomes due and is nobody else's work, for ever.
    pub async fn map_due(self: Arc<Self>) {
        loop {
            match self.by_turns(Self::map_batch).await {
                Ok(count) if count == LIVE_BATCH => {}
                // A replica with other maps may have left something.
                Ok(_) => drop(tokio::time::timeout(LOOK_EVERY, self.due.notified()).await),
                Err(cause) => {
                    tracing::error!(cause = %Cause(&cause), "records that are due are not mapped");
                    self.due.notified().await;
                }
            }
        }
    }

    /// Runs a piece of work on a thread that may block, when it is its turn.
    async fn by_turns<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let _turn = self.hands.acquire().await.map_err(Error::internal)?;
        let this = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&this)).await.map_err(Error::internal)?
    }

    fn batch<R: std::io::BufRead>(&self, sent: &mut Sent<R>, told: &mut Vec<Told>) -> Result<bool> {
        let rules = self.rules.load_full();
        let batch = self.ingest(&rules).read(sent)?;
        if batch.is_empty() {
            return Ok(false);
        }
        self.write(|ingest, write| ingest.put(write, batch, told))?;
        Ok(true)
    }

    fn map_batch(&self) -> Result<usize> {
        self.write(|ingest, write| ingest.map_some(write, LIVE_BATCH))
    }

    /// Runs one transaction. The rules are looked up inside it: a change of the maps puts the new
    /// ones in place before it marks every record, so that whatever the old ones made is marked.
    fn write<T>(&self, work: impl FnOnce(&Ingest<'_>, &mut dyn Write) -> Result<T>) -> Result<T> {
        let mut write = self.store.write()?;
        let rules = self.rules.load_full();
        let done = work(&self.ingest(&rules), &mut *write)?;
        write.commit()?;
        Ok(done)
    }

    fn ingest<'a>(&'a self, rules: &'a Rules) -> Ingest<'a> {
        let (store, ids, clock) = (&*self.store, &self.ids, &*self.clock);
        Ingest { store, rules, ids, base: BASE, clock }
    }
}

/// An error for the operator, with what it hides from callers.
pub(super) struct Cause<'a>(pub(super) &'a Error);

impl std::fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Error::Internal(cause) => cause.fmt(f),
            other => other.fmt(f),
        }
    }
}
