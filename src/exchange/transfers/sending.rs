//! Carrying a transfer to its receiver: a durable job.
//!
//! At every attempt consent is asked anew and the copy is made anew, of what the receiver may have
//! then; it is written down who gets what before anything leaves. What was sent before is known there
//! by the same identifiers, so that an attempt whose answer was lost leaves one copy. What may pass
//! is tried again for a day, with pauses that grow.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::kept::{Attempt, Package};
use super::transfer::Transfer;
use super::{NEW, PUSH, Step, Transfers, later, written};
use crate::audit::{Action, Actor, Audit, Event as Done};
use crate::config::{ReceiverSettings, Takes};
use crate::domain::{FhirId, TenantId};
use crate::error::{Error, Result};
use crate::exchange::jobs::{Doing, Task, Trouble, Work};
use crate::exchange::links::HealthLinks;
use crate::exchange::pull::Pace;
use crate::package::{Carried, Form, IDENTIFIERS, Piece, carry};
use crate::partner::{self, Found, Parcel, Partner, Taken};
use crate::policy::transfer::{Event, State, TRIED_FOR};
use crate::policy::{Basis, Purpose as PurposeOfUse};
use crate::store::{Job, JobPart, JobStep};

/// The name of this kind of work.
pub const KIND: &str = "transfer";
/// Who writes down what the gateway saw.
pub(super) const BY: &str = "gateway";
/// How long a job that is done is kept.
const KEPT: Duration = Duration::from_hours(24);
/// What a job waits for whose transfer was delivered.
const AWAITED: &str = "the receiver has it";
/// How long it is waited for an attempt of another job.
const SOON: Duration = Duration::from_secs(2);

/// Carries transfers.
pub struct Sending {
    /// The transfers.
    pub transfers: Transfers,
    /// The servers of the receivers.
    pub partners: Vec<Partner>,
    /// The links of those who are given one.
    pub links: HealthLinks,
    /// Where it is written down who gets what.
    pub audit: Arc<Audit>,
    /// How often it is looked whether consent to what a receiver has still stands.
    pub follow: Duration,
}

/// What is to be done.
pub(super) enum Next {
    /// Nothing more.
    Nothing,
    /// To take the copy behind this link away.
    Close(String),
    /// To send it.
    Send(Box<Begun>),
    /// Another job is at it: to look again soon.
    Wait,
    /// The receiver has it: to look again whether consent still stands.
    Follow,
}

/// What an attempt begins with.
pub(super) struct Begun {
    transfer: Transfer,
    partner: usize,
    pieces: Vec<Piece>,
    patient: FhirId,
    person: Vec<u8>,
}

/// How an attempt ended.
#[derive(Clone, Copy)]
enum Ended {
    Taken(Taken),
    Unsure,
    Trouble(partner::Trouble),
}

impl Work for Sending {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn work(self: Arc<Self>, task: Task) -> Doing<std::result::Result<(), Trouble>> {
        Box::pin(async move {
            let me = Arc::clone(&self);
            let begun = match task.aside(move |task| Ok(me.begin(task)?)).await? {
                Next::Nothing => return Ok(()),
                Next::Close(link) => {
                    self.links.revoke(&task.job().new.tenant, &link).await?;
                    return Ok(());
                }
                Next::Wait => {
                    return task.aside(|task| wait(task, "another attempt", SOON)).await;
                }
                Next::Follow => {
                    let follow = self.follow;
                    return task.aside(move |task| wait(task, AWAITED, follow)).await;
                }
                Next::Send(begun) => Arc::new(*begun),
            };
            let (ended, package) = self.attempt(&task, &begun).await?;
            let me = Arc::clone(&self);
            task.aside(move |task| me.end(task, &begun.transfer, ended, package)).await
        })
    }

    fn kept(&self) -> Duration {
        KEPT
    }

    fn clear(self: Arc<Self>, _: Job, _: Vec<JobPart>) -> Doing<Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

impl Sending {
    /// What is to be done now, with what the receiver may have now.
    fn begin(&self, task: &Task) -> Result<Next> {
        let (tenant, now) = (&task.job().new.tenant, task.now());
        let order = String::from_utf8_lossy(&task.job().new.task).into_owned();
        let (id, ready) = order.split_once(' ').unwrap_or_default();
        let Some(transfer) = self.transfers.transfer(tenant, id)? else { return Ok(Next::Nothing) };
        let is_last = transfer.ready.is_some_and(|at| written(at) == ready);
        if transfer.goes_by_link() {
            return self.watch(task, &transfer, is_last);
        }
        let say = |event, why: Option<&str>| -> Result<Next> {
            let step = Step { why: why.map(str::to_owned), ..Step::by(BY) };
            self.say(task, &transfer, event, step)?;
            Ok(Next::Nothing)
        };
        if is_last && transfer.state.is_awaited() {
            if self.transfers.may_have(tenant, &transfer, now)? {
                return Ok(Next::Follow);
            }
            return say(Event::EndedAfter, None);
        }
        if transfer.state != State::Ready || !is_last {
            return Ok(Next::Nothing);
        }
        if self.transfers.is_carried(&transfer.id, &task.job().new.id, now)? {
            return Ok(Next::Wait);
        }
        if transfer.expires.is_some_and(|expires| expires <= now) {
            return say(Event::Expire, None);
        }
        let name = transfer.receiver.as_deref().unwrap_or_default();
        let is_it = |partner: &Partner| {
            let settings = partner.settings();
            settings.name == name && settings.tenant == tenant.as_str()
        };
        let Some(place) = self.partners.iter().position(is_it) else {
            return say(Event::Fail, Some("receiver_unknown"));
        };
        let settings = self.partners.get(place).map(Partner::settings);
        let settings = settings.ok_or_else(|| Error::broken("a receiver that is none"))?;
        let patient = self.transfers.patient(tenant, &transfer.client);
        let Some(pieces) = self.transfers.selected(tenant, &transfer, settings, now)? else {
            return say(Event::ConsentEnded, None);
        };
        let person = pieces.iter().find(|piece| piece.id == patient);
        let person = person.map(|piece| piece.body.to_vec()).ok_or(Error::NotFound)?;
        self.account(tenant, &transfer, settings, (&patient, &pieces), now)?;
        Ok(Next::Send(Box::new(Begun { transfer, partner: place, pieces, patient, person })))
    }

    /// Writes down that the receiver gets this, before anything leaves.
    fn account(
        &self,
        tenant: &TenantId,
        transfer: &Transfer,
        settings: &ReceiverSettings,
        (patient, pieces): (&FhirId, &[Piece]),
        now: Timestamp,
    ) -> Result<()> {
        let actor = Actor {
            subject: BY.to_owned(),
            client: Some(settings.client.clone()),
            purpose: Some(PurposeOfUse::Treatment.as_str().to_owned()),
            ..Actor::default()
        };
        let mut event = Done::new(Action::Released, now, Some(tenant), actor);
        event.note("transfer", transfer.id.clone());
        event.note("receiver", settings.name.clone());
        event.note("attempt", (transfer.attempts.len() + 1).to_string());
        event.note("basis", Basis::Tpo.as_str());
        for piece in pieces {
            event.show(&piece.resource_type, &piece.id, &piece.version, Some(patient));
        }
        self.audit.record_blocking(&event)
    }

    /// Looks for the person there, and sends. The receiver may hold each answer for long, so that it is
    /// asked again before anything leaves whether all of it still may.
    async fn attempt(
        self: &Arc<Self>,
        task: &Task,
        begun: &Arc<Begun>,
    ) -> std::result::Result<(Ended, Option<Package>), Trouble> {
        let partner = self.partners.get(begun.partner);
        let partner = partner.ok_or_else(|| Error::broken("a receiver that is none"))?;
        let takes = partner.settings().takes;
        let still = || -> Pin<Box<dyn Future<Output = bool> + Send>> {
            let (me, task, begun) = (Arc::clone(self), task.clone(), Arc::clone(begun));
            Box::pin(async move {
                let asked = task.aside(move |task| Ok(me.still(task, &begun)?)).await;
                asked.unwrap_or(false)
            })
        };
        // A document has the person in it; whoever takes it looks for them.
        let is_about = matches!(takes, Takes::Transaction | Takes::Reference);
        let there = match begun.transfer.patient_there.as_deref() {
            _ if !is_about => None,
            Some(NEW) => None,
            Some(said) => Some(said.to_owned()),
            None => {
                let known = format!("{IDENTIFIERS}/Patient|{}", begun.patient);
                match partner.find(&begun.person, &known, &still).await {
                    Ok(Found::One(there)) => Some(there),
                    Ok(Found::Nobody) if takes == Takes::Transaction => None,
                    Ok(Found::Nobody | Found::Unsure) => return Ok((Ended::Unsure, None)),
                    Err(trouble) => return Ok((Ended::Trouble(trouble), None)),
                }
            }
        };
        if there.is_none() && takes == Takes::Reference {
            return Ok((Ended::Unsure, None));
        }
        let of = Arc::clone(begun);
        let carried =
            task.aside(move |task| Ok(of.carried(task, takes, there.as_deref())?)).await?;
        task.go_on()?;
        let package = Package::of(&carried.body, task.now());
        let parcel = Parcel { body: carried.body, identifier: carried.identifier };
        let ended = match partner.deliver(&parcel, &still).await {
            Ok(taken) => Ended::Taken(taken),
            Err(trouble) => Ended::Trouble(trouble),
        };
        Ok((ended, Some(package)))
    }

    /// Whether the transfer stands as it did when the attempt began, and all that it gathered may go.
    fn still(&self, task: &Task, begun: &Begun) -> Result<bool> {
        let tenant = &task.job().new.tenant;
        let now = self.transfers.transfer(tenant, &begun.transfer.id)?;
        let stands =
            now.is_some_and(|now| now.state == State::Ready && now.ready == begun.transfer.ready);
        let partner = self.partners.get(begun.partner).filter(|_| stands);
        let Some(settings) = partner.map(Partner::settings) else { return Ok(false) };
        let selected = self.transfers.selected(tenant, &begun.transfer, settings, task.now())?;
        let selected = selected.unwrap_or_default();
        let name =
            |piece: &Piece| (piece.resource_type.clone(), piece.id.clone(), piece.version.clone());
        let may_go: BTreeSet<_> = selected.iter().map(name).collect();
        Ok(begun.pieces.iter().all(|piece| may_go.contains(&name(piece))))
    }

    /// Writes down how an attempt ended, and whether there is another.
    fn end(
        &self,
        task: &Task,
        transfer: &Transfer,
        ended: Ended,
        package: Option<Package>,
    ) -> std::result::Result<(), Trouble> {
        let attempt = |status: Option<u16>, error: Option<&str>| Attempt {
            at: written(task.now()),
            channel: PUSH.to_owned(),
            http_status: status,
            error: error.map(str::to_owned),
        };
        let step = |attempt: Attempt| Step {
            why: attempt.error.clone(),
            attempt: Some(attempt),
            package,
            ..Step::by(BY)
        };
        match ended {
            Ended::Taken(taken) => {
                self.say(
                    task,
                    transfer,
                    Event::Delivered,
                    step(attempt(Some(taken.status), None)),
                )?;
                if taken.is_understood {
                    self.say(task, transfer, Event::Understood, Step::by(BY))?;
                }
                wait(task, AWAITED, self.follow)
            }
            Ended::Unsure => {
                let attempt = attempt(None, Some("who_is_it"));
                Ok(self.say(task, transfer, Event::Held, step(attempt))?)
            }
            // What has become of it is said when it is looked at anew.
            Ended::Trouble(partner::Trouble::Withdrawn) => wait(task, "it may not go", SOON),
            Ended::Trouble(trouble) => {
                let attempt = attempt(trouble.status(), Some(trouble.code()));
                let tried = u32::try_from(transfer.attempts.len()).unwrap_or(u32::MAX);
                let pause =
                    Pace::every(Duration::ZERO).pause(tried.saturating_add(1), trouble.pause());
                let begun = transfer.ready.unwrap_or_else(|| task.now());
                let is_over = later(task.now(), pause) > later(begun, TRIED_FOR);
                if !trouble.may_pass() || is_over {
                    return Ok(self.say(task, transfer, Event::Fail, step(attempt))?);
                }
                self.say(task, transfer, Event::Attempted, step(attempt))?;
                // What was done is written down: the attempts are counted by the transfer.
                let progress = format!("{} attempts", tried.saturating_add(1));
                task.keep(&JobStep { progress, ..JobStep::default() })?;
                Err(Trouble::Later(pause, trouble.code()))
            }
        }
    }

    /// Writes down what happened, unless somebody has stopped it meanwhile.
    pub(super) fn say(
        &self,
        task: &Task,
        transfer: &Transfer,
        event: Event,
        step: Step,
    ) -> Result<()> {
        let tenant = &task.job().new.tenant;
        let mut told = Done::new(
            Action::TransferChanged,
            task.now(),
            Some(tenant),
            Actor { subject: BY.to_owned(), ..Actor::default() },
        );
        match self.transfers.happen(tenant, &transfer.id, event, step) {
            Err(Error::Conflict { .. }) => {
                let now = self.transfers.transfer(tenant, &transfer.id)?;
                if now.is_some_and(|now| now.state.after(event).is_some()) {
                    return Err(Error::unavailable("somebody changed it at the same moment"));
                }
                return Ok(());
            }
            other => {
                told.about(&self.transfers.patient(tenant, &transfer.client));
                told.note("transfer", transfer.id.clone());
                told.note("event", event.as_str());
                told.note("state", other?.state.as_str());
            }
        }
        self.audit.record_blocking(&told)
    }
}

/// Leaves a job to look again later: that it waits is no attempt that failed.
fn wait(task: &Task, for_what: &'static str, pause: Duration) -> std::result::Result<(), Trouble> {
    task.keep(&JobStep { progress: for_what.to_owned(), ..JobStep::default() })?;
    Err(Trouble::Later(pause, "waits"))
}

impl Begun {
    /// What is carried, in the form that the receiver takes.
    fn carried(&self, task: &Task, takes: Takes, there: Option<&str>) -> Result<Carried> {
        let options = self.transfer.options(self.transfer.ready.unwrap_or_else(|| task.now()))?;
        let form = match takes {
            Takes::Transaction => Form::Transaction,
            Takes::Document => Form::Document,
            Takes::Message => Form::Message,
            Takes::Reference => Form::Reference,
            Takes::Link => return Err(Error::broken("a link is carried by people")),
        };
        let name = self.transfer.id.as_str();
        carry(&self.patient, self.pieces.clone(), &options, (name, form, there))
    }
}
