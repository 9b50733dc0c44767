//! Signed pushes: who may send, how many at once, and what a delivery is answered.
//!
//! A delivery is verified in two steps. The signature covers the SHA-256 of the body, so that a
//! stranger is refused before a byte of the body is read; the body is kept aside until its hash is
//! known, so that nothing unverified is ever taken in. What was answered is kept in the store: a
//! delivery that comes again is answered the same, and one that failed halfway can be sent again.

mod answer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::answer::Answer;
use super::ingest::Layout;
use super::reception::{Parcel, Reception};
use crate::clock::Clock;
use crate::domain::{SourceId, SourceName, TenantId};
use crate::error::{Error, Result};
use crate::platform::{Body, Coding, Limits, Message, SKEW, Secret, Spool};
use crate::store::{Delivery, Store};

/// The most records of one delivery.
pub const MOST_RECORDS: u64 = 10_000;
/// How many times larger than it was sent a body may become when it is unpacked.
const UNPACKED: u64 = 8;
/// Deliveries at once, of all sources.
const AT_ONCE: usize = 16;
/// How long a delivery waits for its place before it is sent away.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a delivery is remembered: longer than its signature holds.
const REMEMBERED: Duration = Duration::from_hours(1);

/// A source that may push.
pub struct Sender {
    /// The source and its tenant.
    pub id: SourceId,
    /// Its secrets; any of them is good.
    pub secrets: Vec<Secret>,
    /// Its deliveries at once.
    pub at_once: usize,
    /// The most bytes of a body, as it is sent.
    pub max_body: u64,
}

/// What the header fields of a push claim.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// What was signed.
    pub message: Message<'a>,
    /// The signature.
    pub signature: &'a str,
}

/// A push whose signature is good.
#[derive(Clone)]
pub struct Signed {
    desk: Arc<Desk>,
    delivery: String,
    coding: Coding,
    digest: [u8; 32],
}

impl Signed {
    /// Whose records the source may speak of.
    pub fn tenant(&self) -> &TenantId {
        &self.desk.sender.id.tenant
    }

    /// SHA-256 of the body, as it is signed.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Who sent it.
    pub fn source(&self) -> &SourceId {
        &self.desk.sender.id
    }

    /// The sender's id of it.
    pub fn delivery(&self) -> &str {
        &self.delivery
    }
}

/// A place among those that are taken in at once; free again when dropped.
pub struct Place {
    _of_source: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

/// Who is in the way of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowd {
    /// Other deliveries of the same source.
    Source,
    /// Those of all sources together.
    All,
}

/// Who may send, and where it goes.
pub struct Pushes {
    desks: BTreeMap<SourceName, Arc<Desk>>,
    stand_in: Secret,
    all: Arc<Semaphore>,
    reception: Arc<Reception>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    spool: PathBuf,
}

struct Desk {
    sender: Sender,
    places: Arc<Semaphore>,
}

impl Pushes {
    /// What these sources send goes to `reception`; large bodies wait in the folder `spool`.
    pub fn new(
        senders: Vec<Sender>,
        reception: Arc<Reception>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        spool: PathBuf,
    ) -> Result<Self> {
        let desk = |sender: Sender| {
            let places = Arc::new(Semaphore::new(sender.at_once));
            (sender.id.name.clone(), Arc::new(Desk { sender, places }))
        };
        Ok(Self {
            desks: senders.into_iter().map(desk).collect(),
            stand_in: Secret::unknown()?,
            all: Arc::new(Semaphore::new(AT_ONCE)),
            reception,
            store,
            clock,
            spool,
        })
    }

    /// Checks a signature, before the body is read.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, without a word about why; `Invalid` for a good signature whose time is
    /// too far from this machine's.
    pub fn verify(&self, claim: &Claim<'_>) -> Result<Signed> {
        let desk =
            claim.message.source.parse().ok().and_then(|name: SourceName| self.desks.get(&name));
        let secrets = desk
            .map_or(std::slice::from_ref(&self.stand_in), |desk| desk.sender.secrets.as_slice());
        let is_good = claim.message.verify(secrets, claim.signature);
        let desk = desk.filter(|_| is_good).ok_or(Error::Unauthenticated)?;
        let off = self.clock.now().as_second().abs_diff(claim.message.timestamp);
        if off > SKEW.as_secs() {
            let hint = "the timestamp is more than 5 minutes off: set the sender's clock, and sign \
                        each attempt anew";
            return Err(Error::invalid("Throughline-Timestamp", hint));
        }
        Ok(Signed {
            desk: Arc::clone(desk),
            delivery: claim.message.delivery.to_owned(),
            coding: claim.message.coding,
            digest: *claim.message.digest,
        })
    }

    /// Waits a moment for a place; says who is in the way if there is none.
    pub async fn place(&self, signed: &Signed) -> std::result::Result<Place, Crowd> {
        let of_source = seat(&signed.desk.places).await.ok_or(Crowd::Source)?;
        let of_all = seat(&self.all).await.ok_or(Crowd::All)?;
        Ok(Place { _of_source: of_source, _of_all: of_all })
    }

    /// Where the body of a delivery is kept until all of it is there.
    pub fn spool(&self, signed: &Signed) -> Spool {
        let sent = signed.desk.sender.max_body;
        let limits = Limits { sent, plain: sent.saturating_mul(UNPACKED), lines: MOST_RECORDS };
        Spool::new(&self.spool, signed.coding, limits)
    }

    /// Takes in a delivery whose body is there.
    ///
    /// # Errors
    ///
    /// `Invalid` if the body is not the one that was signed; `Conflict` if the delivery's id was
    /// used for another body; or the store failed, and the delivery has to be sent again.
    pub async fn take_in(&self, signed: &Signed, body: Body) -> Result<Answer> {
        if body.digest != signed.digest {
            let hint = "the body does not have the SHA-256 that was signed: sign the bytes as they \
                        are sent, after compression";
            return Err(Error::invalid("Throughline-Content-Sha256", hint));
        }
        if let Some(answer) = self.earlier(signed)? {
            return Ok(answer);
        }
        let source = signed.desk.sender.id.clone();
        let origin = format!("push {} {}", source.name, signed.delivery);
        let parcel = Parcel { body, layout: Layout::Lines, source, origin };
        let told = self.reception.take_in(parcel).await?;
        let answer = Answer::new(&signed.delivery, &told)?;
        self.keep(signed, answer.body.clone()).await?;
        Ok(answer)
    }

    /// Keeps an answer for whoever sends the same delivery again.
    async fn keep(&self, signed: &Signed, answer: Vec<u8>) -> Result<()> {
        let now = self.clock.now();
        let forget = now.checked_sub(REMEMBERED).map_err(Error::internal)?;
        let (id, digest) = (signed.delivery.clone(), signed.digest);
        let delivery = Delivery { id, digest, received: now, answer };
        let (store, desk) = (Arc::clone(&self.store), Arc::clone(&signed.desk));
        let task = move || store.keep_delivery(&desk.sender.id, &delivery, forget);
        tokio::task::spawn_blocking(task).await.map_err(Error::internal)?
    }

    /// The answer that the same delivery got before.
    fn earlier(&self, signed: &Signed) -> Result<Option<Answer>> {
        let Some(earlier) = self.store.delivery(&signed.desk.sender.id, &signed.delivery)? else {
            return Ok(None);
        };
        if earlier.digest != signed.digest {
            let hint = "this delivery's id was used for another body: give each body its own";
            return Err(Error::Conflict { hint: hint.to_owned() });
        }
        Answer::again(earlier.answer).map(Some)
    }
}

async fn seat(places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    tokio::time::timeout(PATIENCE, Arc::clone(places).acquire_owned()).await.ok()?.ok()
}
