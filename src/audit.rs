//! The audit: one event for each action, on the disk before its answer leaves.
//!
//! An event says who did what, when, by which client and for what purpose, and which resources were
//! shown; it holds references and the names of search parameters, never content, tokens or values.
//! Events are chained by hashes, one chain for each tenant, and the ends of the chains are signed
//! from time to time (`verify`).

mod action;
mod actor;
pub mod disclosures;
pub mod emergencies;
mod event;
pub mod fhir;
mod meter;
mod reading;
mod statement;
mod strangers;
pub mod verify;
mod writer;

use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::sync::oneshot;

use crate::auth::Notary;
use crate::clock::Clock;
use crate::config::AuditMode;
use crate::error::{Error, Result};
use crate::policy::Obligations;
use crate::store::Ledger;

pub use self::action::Action;
pub use self::actor::Actor;
pub use self::event::{Asked, Event, Shown};
use self::meter::Meter;
pub use self::reading::{Found, Question, read, search};
pub use self::statement::Statement;
use self::strangers::Strangers;
use self::writer::{Waiting, Writer};

/// How long an answer waits for its event where it may not leave without.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it waits where it may.
const HASTE: Duration = Duration::from_millis(250);

/// Takes events, and writes those of many requests at once.
pub struct Audit {
    mode: AuditMode,
    queue: Option<Sender<Waiting>>,
    thread: Option<JoinHandle<()>>,
    ledger: Arc<dyn Ledger>,
    notary: Arc<Notary>,
    strangers: Strangers,
    meter: Meter,
}

impl Audit {
    /// Starts the writer.
    pub fn start(
        ledger: Arc<dyn Ledger>,
        notary: Notary,
        clock: Arc<dyn Clock>,
        mode: AuditMode,
    ) -> Result<Self> {
        let (meter, notary) = (Meter::default(), Arc::new(notary));
        let (mut queue, mut thread) = (None, None);
        if mode != AuditMode::Off {
            let (sender, waiting) = mpsc::channel();
            let desk = writer::Desk {
                ledger: Arc::clone(&ledger),
                notary: Arc::clone(&notary),
                clock: Arc::clone(&clock),
                meter: meter.clone(),
            };
            let writer = Writer::new(desk, waiting, mode == AuditMode::Open);
            let builder = thread::Builder::new().name("audit".to_owned());
            thread = Some(builder.spawn(move || writer.run()).map_err(Error::internal)?);
            queue = Some(sender);
        }
        Ok(Self { mode, queue, thread, ledger, notary, strangers: Strangers::new(clock), meter })
    }

    /// Whether anything is written.
    pub fn is_on(&self) -> bool {
        self.mode != AuditMode::Off
    }

    /// Which conditions FHIR can meet that leaves: an accounting is had only where something is written.
    pub fn able(&self) -> Obligations {
        Obligations::OF_FHIR.and(Obligations::ACCOUNT.when(self.is_on()))
    }

    /// Writes an event; it is on the disk once this is `Ok`, unless the audit is configured to let
    /// answers leave without.
    ///
    /// # Errors
    ///
    /// `Unavailable`: the answer that the event is about must not leave.
    pub async fn record(&self, event: Event) -> Result<()> {
        let Some(told) = self.send(&event)? else { return Ok(()) };
        let patience = if self.mode == AuditMode::Open { HASTE } else { PATIENCE };
        let written = tokio::time::timeout(patience, told).await;
        self.judge(matches!(written, Ok(Ok(true))))
    }

    /// The same for a thread that may block.
    pub fn record_blocking(&self, event: &Event) -> Result<()> {
        let Some(told) = self.send(event)? else { return Ok(()) };
        self.judge(told.blocking_recv().unwrap_or(false))
    }

    /// Writes that somebody without a good token or signature was refused. Nobody waits for it,
    /// and of very many in a second only their number is kept.
    pub fn note_stranger(&self, mut event: Event) {
        let Some(passed_over) = self.strangers.admit() else { return };
        if passed_over > 0 {
            event.note("others", passed_over.to_string());
        }
        let sent = self.send(&event);
        // Whether it was written is of no concern to the answer, which says nothing.
        drop(sent);
    }

    fn send(&self, event: &Event) -> Result<Option<oneshot::Receiver<bool>>> {
        let Some(queue) = &self.queue else { return Ok(None) };
        let (done, told) = oneshot::channel();
        let waiting = Waiting { entry: event.entry()?, done };
        queue.send(waiting).map_err(|_ended| unwritten())?;
        Ok(Some(told))
    }

    fn judge(&self, is_written: bool) -> Result<()> {
        if is_written || self.mode == AuditMode::Open { Ok(()) } else { Err(unwritten()) }
    }

    /// Where the events are.
    pub fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.ledger
    }

    /// What signs the checkpoints.
    pub fn notary(&self) -> &Notary {
        &self.notary
    }

    /// Names the counters to a registry.
    pub fn register(&self, registry: &mut Registry) {
        self.meter.register(registry);
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        // The writer writes what is waiting, signs the ends of the chains, and is done.
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            drop(ended);
        }
    }
}

fn unwritten() -> Error {
    Error::unavailable("the audit cannot be written, so nothing is answered")
}
