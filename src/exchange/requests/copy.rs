//! Making the copy that somebody asked for, as a durable job, and giving it.
//!
//! What goes in is read at one moment under what the person may have, with everything as it was
//! decided; if an entry has changed since somebody looked at it, nothing is made, and they look again.
//! The copy lies encrypted in `blobs` until its time is over; that it was made, and what is in it, is
//! in the audit before it can be taken.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use futures_util::TryStreamExt;
use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::Requests;
use super::answer::{DESK, kept_until, practice_principal};
use super::kept::Fulfilment;
use super::request::Request;
use super::step::{By, Step};
use crate::audit::disclosures::{Period, events, sum_up};
use crate::audit::{Action, Actor, Audit, Event as Written};
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::domain::TenantId;
use crate::error::{Error, Result};
use crate::exchange::ingest::BASE;
use crate::exchange::jobs::{Doing, Order, Task, Trouble, Work, Workshop};
use crate::package::{self, Beside, Log, Options, Piece, Purpose, Sheet};
use crate::policy::request::{Event, State};
use crate::policy::{AuditPermit, Basis, Mandate, Purpose as PurposeOfUse};
use crate::store::{Job, JobPart, JobState, JobStep};

/// The name of this kind of work.
pub(super) const KIND: &str = "copy";
/// How long a copy is kept once it is made.
const KEPT: Duration = Duration::from_hours(30 * 24);
/// How long it may take to make one.
const WITHIN: Duration = Duration::from_hours(6);
/// How many may be open at once.
const MOST: u32 = 10_000;

/// What is to be made.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    request: String,
    /// Who finished the review: a `staff` record, or nobody where nothing had to be decided.
    by: Option<String>,
}

/// A copy that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The name of its bytes.
    blob: String,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// The hash of its bytes.
    pub sha256: String,
    /// Until when it is kept.
    pub until: Timestamp,
    /// Whether something was withheld.
    withheld: bool,
}

/// Makes copies.
pub struct Copying {
    /// The requests that they are for.
    pub requests: Arc<Requests>,
    /// Where they go.
    pub blobs: Blobs,
    /// Where it is written down.
    pub audit: Arc<Audit>,
}

impl Work for Copying {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn work(self: Arc<Self>, task: Task) -> Doing<std::result::Result<(), Trouble>> {
        let handle = Handle::current();
        Box::pin(async move { task.aside(move |task| self.run(task, &handle)).await })
    }

    fn kept(&self) -> Duration {
        KEPT
    }

    fn clear(self: Arc<Self>, _: Job, parts: Vec<JobPart>) -> Doing<Result<()>> {
        let blobs = self.blobs.clone();
        Box::pin(async move {
            for part in parts {
                let made: Made = serde_json::from_slice(&part.body).map_err(Error::internal)?;
                blobs.delete(&made.blob).await?;
            }
            Ok(())
        })
    }
}

impl Copying {
    fn run(&self, task: &Task, handle: &Handle) -> std::result::Result<(), Trouble> {
        let job = task.job();
        let asked: Asked = serde_json::from_slice(&job.new.task).map_err(Error::internal)?;
        let tenant = &job.new.tenant;
        let request = self.requests.request(tenant, &asked.request)?;
        let request = request.ok_or(Trouble::Final("no_request"))?;
        // After a crash between the last two steps.
        let given = request.fulfilment.as_ref().is_some_and(|one| one.package_id == job.new.id);
        if given {
            return Ok(());
        }
        if !matches!(request.state, State::InReview | State::Extended) {
            return Err(Trouble::Final("not_in_review"));
        }
        let made = match job.place.as_slice() {
            [] => self.make(task, handle, &request)?,
            known => serde_json::from_slice(known).map_err(Error::internal)?,
        };
        task.go_on()?;
        let by = asked.by.map_or(By::Gateway, By::Staff);
        match self.requests.give(tenant, &request.id, (&job.new.id, &made), &by) {
            Ok(_) => Ok(()),
            Err(Error::Conflict { .. }) => Err(Trouble::Final("not_in_review")),
            Err(error) => Err(error.into()),
        }
    }

    fn make(
        &self,
        task: &Task,
        handle: &Handle,
        request: &Request,
    ) -> std::result::Result<Made, Trouble> {
        let tenant = &task.job().new.tenant;
        let patient = self.requests.patient(tenant, request);
        let language = self.requests.language(tenant, &request.client)?;
        let answer =
            self.requests.answer(tenant, request, language).map_err(|error| match error {
                Error::Conflict { .. } => Trouble::Final("not_decided"),
                Error::NotFound => Trouble::Final("denied"),
                other => other.into(),
            })?;
        let log = (!request.is_by_another()).then(|| self.log(tenant, request)).transpose()?;
        let at = task.now().round(Unit::Second).map_err(Error::internal)?;
        let options = Options {
            purpose: Purpose::Access,
            language,
            sheet: Sheet::default(),
            at,
            base: BASE.to_owned(),
            reason: None,
        };
        let event = self.event(task, request, &answer.pieces);
        let outside = self.requests.outside(tenant, request)?;
        let beside = Beside { log: log.as_deref(), held: &answer.held, outside: &outside };
        let copy = package::build(&patient, answer.pieces, &beside, &options)?;
        let zip = copy.zip()?;
        task.go_on()?;
        self.audit.record_blocking(&event)?;
        let until = kept_until(task.now(), KEPT);
        let blob = handle.block_on(async {
            let mut writer = self.blobs.create(until).await?;
            writer.write(&zip).await?;
            writer.finish().await
        });
        let (blob, bytes) = blob?;
        let sha256 = hex::encode(digest(&SHA256, &zip));
        let made = Made { blob, bytes, sha256, until, withheld: !beside.held.is_empty() };
        let body = serde_json::to_vec(&made).map_err(Error::internal)?;
        let parts = vec![JobPart { number: 0, body: body.clone() }];
        task.keep(&JobStep { parts, place: body, progress: "made".to_owned() })?;
        Ok(made)
    }

    /// What others have received of the record.
    fn log(&self, tenant: &TenantId, request: &Request) -> Result<Vec<Log>> {
        let patient = self.requests.patient(tenant, request);
        let permit = AuditPermit::operator(tenant.clone());
        let period = Period { patient: patient.clone(), since: None, until: None };
        let events = events(&**self.audit.ledger(), &permit, &period)?;
        let others = sum_up(&events, &patient).into_iter();
        let others = others.filter(|sum| sum.basis != Basis::PatientAccess);
        Ok(others
            .map(|sum| Log {
                when: sum.last.strftime("%Y-%m-%d").to_string(),
                who: sum.recipient.clone(),
                what: sum.what(),
                why: sum.what_for().to_owned(),
            })
            .collect())
    }

    /// What is written down of it.
    fn event(&self, task: &Task, request: &Request, pieces: &[Piece]) -> Written {
        let tenant = &task.job().new.tenant;
        let purpose = if request.is_by_another() {
            PurposeOfUse::FamilyRequest
        } else {
            PurposeOfUse::PatientRequest
        };
        let actor = Actor {
            subject: DESK.to_owned(),
            purpose: Some(purpose.as_str().to_owned()),
            ..Actor::default()
        };
        let mut event = Written::new(Action::Released, task.now(), Some(tenant), actor);
        event.note("command", KIND);
        event.note("basis", Basis::PatientAccess.as_str());
        let patient = self.requests.patient(tenant, request);
        for piece in pieces {
            event.show(&piece.resource_type, &piece.id, &piece.version, Some(&patient));
        }
        event
    }
}

impl Requests {
    /// Grants what was made, and gives it: a letter, and the way to the copy.
    fn give(
        &self,
        tenant: &TenantId,
        id: &str,
        (package, made): (&str, &Made),
        by: &By,
    ) -> Result<Request> {
        let event = if made.withheld { Event::DenyInPart } else { Event::Approve };
        self.change(tenant, id, |at, kept| {
            let reason = at.ground_words()?.filter(|_| made.withheld);
            at.take(Step { reason, ..Step::new(event, by.clone()) }, kept)?;
            let after = State::after(at.request.state, event).ok_or(Error::NotFound)?;
            kept.fulfilment = Some(Fulfilment {
                package_id: package.to_owned(),
                sha256: made.sha256.clone(),
                delivered_at: at.practice.moment(at.now),
                method: "portal".to_owned(),
                until: Some(at.practice.moment(made.until)),
                opened_at: None,
            });
            at.then(after, Step::new(Event::Fulfil, By::Gateway), kept)
        })
    }

    /// Notes that a copy was taken for the first time.
    fn opened(&self, tenant: &TenantId, id: &str) -> Result<()> {
        let opened = self.change(tenant, id, |at, kept| {
            let fulfilment = kept.fulfilment.as_mut().ok_or(Error::NotFound)?;
            fulfilment.opened_at.get_or_insert_with(|| at.practice.moment(at.now));
            Ok(())
        });
        opened.map(|_| ())
    }
}

/// How the making of a copy stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Making {
    /// It waits, or somebody is at it.
    Open,
    /// It could not be made; a stable name says why.
    Failed(String),
}

/// Orders copies, and gives them.
pub struct Copies {
    /// The requests that they are for.
    pub requests: Arc<Requests>,
    /// What makes them.
    pub workshop: Arc<Workshop>,
    /// Where they are.
    pub blobs: Blobs,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Copies {
    /// Has a copy made for a request on which everything is decided.
    ///
    /// # Errors
    ///
    /// `Conflict` where it is not in review, or something is not decided yet.
    pub async fn order(&self, tenant: &TenantId, id: &str, by: Option<String>) -> Result<()> {
        let (requests, of, name) = (Arc::clone(&self.requests), tenant.clone(), id.to_owned());
        let ready = tokio::task::spawn_blocking(move || {
            let request = requests.request(&of, &name)?.ok_or(Error::NotFound)?;
            let is_open = matches!(request.state, State::InReview | State::Extended);
            Ok::<_, Error>(
                is_open && request.is_for_a_copy() && requests.is_decided(&of, &request)?,
            )
        });
        if !ready.await.map_err(Error::internal)?? {
            let hint =
                "not everything is decided, or the request is not in review: look at it again";
            return Err(Error::Conflict { hint: hint.to_owned() });
        }
        let mandate = Mandate::of(&practice_principal(tenant), DESK, None);
        let task = Asked { request: id.to_owned(), by };
        let order = Order {
            kind: KIND,
            mandate: &mandate,
            tenant,
            task: serde_json::to_vec(&task).map_err(Error::internal)?,
            most: MOST,
            within: WITHIN,
        };
        let taken = self.workshop.order(order).await?;
        let name = taken.ok_or_else(|| Error::Conflict {
            hint: "too many copies are being made: try again later".to_owned(),
        })?;
        let (requests, of, id) = (Arc::clone(&self.requests), tenant.clone(), id.to_owned());
        let noted = tokio::task::spawn_blocking(move || requests.ordered(&of, &id, &name));
        noted.await.map_err(Error::internal)?
    }

    /// Has a copy made of a record in which there is nothing to be decided, as soon as it is known
    /// who asks; answers whether.
    pub async fn order_if_free(&self, tenant: &TenantId, id: &str) -> Result<bool> {
        let (requests, of, name) = (Arc::clone(&self.requests), tenant.clone(), id.to_owned());
        let free = tokio::task::spawn_blocking(move || {
            let request = requests.request(&of, &name)?.ok_or(Error::NotFound)?;
            let is_free = request.is_for_a_copy()
                && request.is_proven
                && request.is_electronic()
                && request.state == State::Received
                && requests.entries(&of, &request)?.is_empty();
            if is_free {
                requests.step(&of, &name, Step::new(Event::ReviewStarted, By::Gateway))?;
            }
            Ok::<_, Error>(is_free)
        });
        let is_free = free.await.map_err(Error::internal)??;
        if is_free {
            self.order(tenant, id, None).await?;
        }
        Ok(is_free)
    }

    /// How the making of a request's copy stands; nothing where none was ordered, or it was made.
    pub async fn making(&self, request: &Request) -> Result<Option<Making>> {
        let Some(name) = &request.ordered else { return Ok(None) };
        let Some((job, _)) = self.workshop.find(KIND, name).await? else { return Ok(None) };
        Ok(match job.state {
            JobState::Open => Some(Making::Open),
            JobState::Failed | JobState::Cancelled => {
                Some(Making::Failed(job.trouble.unwrap_or_else(|| "stopped".to_owned())))
            }
            JobState::Done => None,
        })
    }

    /// The copy of a request, while it is kept.
    pub async fn made(&self, request: &Request) -> Result<Option<Made>> {
        let Some(given) = &request.fulfilment else { return Ok(None) };
        let found = self.workshop.find(KIND, &given.package_id).await?;
        let part = found.and_then(|(_, parts)| parts.into_iter().next());
        let made = part.map(|part| serde_json::from_slice::<Made>(&part.body));
        let made = made.transpose().map_err(Error::internal)?;
        Ok(made.filter(|made| made.until > self.clock.now() && made.sha256 == given.sha256))
    }

    /// The bytes of a copy that somebody takes, locked with a password where they choose one.
    pub async fn take(
        &self,
        tenant: &TenantId,
        request: &Request,
        password: Option<String>,
    ) -> Result<Option<Vec<u8>>> {
        let Some(made) = self.made(request).await? else { return Ok(None) };
        let Some(stream) = self.blobs.read(&made.blob, self.clock.now()).await? else {
            return Ok(None);
        };
        let pieces: Vec<_> = stream.try_collect().await?;
        let zip = pieces.concat();
        let (requests, of, id) = (Arc::clone(&self.requests), tenant.clone(), request.id.clone());
        let taken = tokio::task::spawn_blocking(move || {
            if hex::encode(digest(&SHA256, &zip)) != made.sha256 {
                return Err(Error::broken("a copy is not what was made"));
            }
            requests.opened(&of, &id)?;
            match password {
                Some(password) => package::locked(&zip, &password),
                None => Ok(zip),
            }
        });
        taken.await.map_err(Error::internal)?.map(Some)
    }
}

impl Requests {
    /// Remembers the job that makes the copy.
    fn ordered(&self, tenant: &TenantId, id: &str, job: &str) -> Result<()> {
        let noted = self.change(tenant, id, |_, kept| {
            kept.ordered = Some(job.to_owned());
            Ok(())
        });
        // The job may have been done in the meantime, and says so itself.
        noted.map(|_| ())
    }
}
