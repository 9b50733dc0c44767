//! The one thread that writes events: those of many requests in one commit.
//!
//! While a commit waits for the disk, the next events gather; nobody waits for others to come.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::meter::Meter;
use super::{Action, Actor, Event, Statement};
use crate::auth::Notary;
use crate::clock::Clock;
use crate::store::Ledger;
use crate::store::ledger::{Entry, Tip};

/// The most events of one commit.
const BATCH: usize = 512;
/// After how many events the end of a chain is signed.
const SEAL_AFTER: u64 = 10_000;
/// After how long without events it is.
const SEAL_IDLE: Duration = Duration::from_secs(30);
/// How many unwritten events are kept where answers may leave without.
const BACKLOG: usize = 10_000;

/// An event that somebody waits for.
pub(super) struct Waiting {
    pub(super) entry: Entry,
    /// Told whether it was written.
    pub(super) done: oneshot::Sender<bool>,
}

/// What the writer works with.
pub(super) struct Desk {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) notary: Arc<Notary>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) meter: Meter,
}

/// Writes events until nobody can send any more.
pub(super) struct Writer {
    desk: Desk,
    waiting: Receiver<Waiting>,
    /// Whether answers leave without their events, which are then kept for later.
    keeps: bool,
    backlog: VecDeque<Entry>,
    lost: u64,
    /// Ends of chains that are not signed.
    unsealed: BTreeMap<String, Tip>,
}

impl Writer {
    pub(super) fn new(desk: Desk, waiting: Receiver<Waiting>, keeps: bool) -> Self {
        let (backlog, unsealed) = (VecDeque::new(), BTreeMap::new());
        Self { desk, waiting, keeps, backlog, lost: 0, unsealed }
    }

    pub(super) fn run(mut self) {
        loop {
            match self.waiting.recv_timeout(SEAL_IDLE) {
                Ok(first) => {
                    let rest = self.waiting.try_iter().take(BATCH - 1);
                    let batch = std::iter::once(first).chain(rest).collect();
                    self.write(batch);
                    self.seal(SEAL_AFTER);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.write(Vec::new());
                    self.seal(1);
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.write(Vec::new());
        self.seal(1);
    }

    fn write(&mut self, batch: Vec<Waiting>) {
        let mut entries: Vec<Entry> = self.backlog.drain(..).collect();
        entries.extend(self.gap());
        let (new, done): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.entry, waiting.done)).unzip();
        entries.extend(new);
        if entries.is_empty() {
            return;
        }
        let written = self.desk.ledger.append(&entries);
        let is_written = written.is_ok();
        match written {
            Ok(tips) => self.note(tips, entries.len()),
            Err(cause) => self.fail(&cause, entries),
        }
        for told in done {
            // Whoever has stopped waiting needs no answer.
            let _gone = told.send(is_written);
        }
    }

    fn note(&mut self, tips: Vec<Tip>, count: usize) {
        self.desk.meter.commits.inc();
        self.desk.meter.written.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
        self.lost = 0;
        self.unsealed.extend(tips.into_iter().map(|tip| (tip.tenant.clone(), tip)));
    }

    fn fail(&mut self, cause: &crate::Error, entries: Vec<Entry>) {
        self.desk.meter.failures.inc();
        let why = std::error::Error::source(cause).map(ToString::to_string).unwrap_or_default();
        tracing::error!(cause = %cause, why, "audit events cannot be written");
        if self.keeps {
            let kept = entries.into_iter().filter(|entry| entry.action != Action::Gap.name());
            self.backlog.extend(kept);
            let over = self.backlog.len().saturating_sub(BACKLOG);
            self.backlog.truncate(BACKLOG);
            let over = u64::try_from(over).unwrap_or(u64::MAX);
            self.lost += over;
            self.desk.meter.lost.inc_by(over);
        }
    }

    /// An event that says how many were lost, if any were.
    fn gap(&self) -> Option<Entry> {
        let lost = (self.lost > 0).then_some(self.lost)?;
        let mut event = Event::new(Action::Gap, self.desk.clock.now(), None, Actor::default());
        event.note("lost", lost.to_string());
        event.entry().ok()
    }

    /// Signs the ends of the chains that have so many entries which are not covered by a signature.
    fn seal(&mut self, after: u64) {
        let Desk { ledger, notary, clock, .. } = &self.desk;
        self.unsealed.retain(|_, tip| {
            if tip.number - tip.sealed.min(tip.number) < after {
                return tip.number > tip.sealed;
            }
            let sealed = Statement::sign(tip, notary, &**clock)
                .and_then(|checkpoint| ledger.seal(&checkpoint).map(|()| checkpoint));
            match sealed {
                // For whoever keeps the log elsewhere: what is cut off here is missing there.
                Ok(checkpoint) => {
                    tracing::info!(checkpoint = checkpoint.statement, "audit checkpoint");
                    false
                }
                Err(cause) => {
                    tracing::error!(cause = %cause, "an audit checkpoint cannot be kept");
                    true
                }
            }
        });
    }
}
