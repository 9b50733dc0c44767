//! The steps that people take with a transfer; with one that goes by a link, the link is made and taken
//! back along with them.
//!
//! A link can be read once, when it is made: its key is kept nowhere. So it is made while somebody waits
//! for it who sends it on, and not by the job, which only watches what becomes of it.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::kept::Package;
use super::transfer::Transfer;
use super::{Step, Transfers, later};
use crate::audit::{Action, Actor, Audit, Event as Done};
use crate::auth;
use crate::domain::TenantId;
use crate::error::{Error, Result};
use crate::exchange::links::{HealthLinks, LinkFile, MadeLink, Named, NewLink, files, passcode};
use crate::package::{Beside, build};
use crate::policy::transfer::{Event, OPEN_FOR};
use crate::policy::{Basis, Mandate, Principal, Purpose as PurposeOfUse};

/// What a link says that it holds. Whoever sees the link reads it.
const LABEL: &str = "Health record";

/// Takes the steps that people take.
pub struct Handing {
    /// The transfers.
    pub transfers: Transfers,
    /// Where links are made.
    pub links: HealthLinks,
    /// Where it is written down that one was made.
    pub audit: Arc<Audit>,
    /// Where the server is, without a path: `https://fhir.example.org`.
    pub origin: String,
}

/// What came of a step.
pub struct Handed {
    /// The transfer after it.
    pub transfer: Transfer,
    /// The link that has to be sent to the receiver now, if it goes by one.
    pub link: Option<HandedLink>,
}

/// A link for the receiver, and its passcode. Both can be read this once.
pub struct HandedLink {
    /// The link.
    pub made: MadeLink,
    /// The passcode, which goes by another way.
    pub passcode: String,
}

/// A copy that a link is to hold.
struct Copied {
    files: Vec<LinkFile>,
    names: Vec<Named>,
    principal: Arc<Principal>,
    package: Package,
}

impl Handing {
    /// Takes a step as [`Transfers::step`] does.
    ///
    /// # Errors
    ///
    /// Those of it; then no link is left behind.
    pub async fn step(
        &self,
        tenant: &TenantId,
        id: &str,
        event: Event,
        step: Step,
    ) -> Result<Handed> {
        let before = self.find(tenant, id).await?;
        if !before.goes_by_link() || before.state.after(event).is_none() {
            return self.move_on(tenant, id, event, step).await;
        }
        match event {
            Event::Approve | Event::Resend => self.hand_out(tenant, before, event, step).await,
            Event::Cancel => {
                self.take_back(tenant, &before).await?;
                self.move_on(tenant, id, event, step).await
            }
            _ => self.move_on(tenant, id, event, step).await,
        }
    }

    /// Makes a link of what consent gives now. The one before opens nothing any more.
    async fn hand_out(
        &self,
        tenant: &TenantId,
        before: Transfer,
        event: Event,
        mut step: Step,
    ) -> Result<Handed> {
        let (of, old) = (before.clone(), before.link.clone());
        let copied = self.aside(tenant, move |transfers, tenant| transfers.copied(tenant, &of));
        let Copied { files, names, principal, package } = copied.await?;
        let (code, now) = (passcode()?, self.transfers.clock.now());
        let new = NewLink {
            origin: &self.origin,
            tenant,
            patient: &self.transfers.patient(tenant, &before.client),
            mandate: &Mandate::of(&principal, &auth::name()?, None),
            label: LABEL,
            passcode: Some(&code),
            expires: later(now, OPEN_FOR),
            views: None,
            is_direct: false,
            files,
            names: &names,
        };
        let made = self.links.make(new).await?;
        step.link = Some(made.name.clone());
        step.package = Some(package);
        let done = match self.account(tenant, &before, &principal, &step).await {
            Ok(()) => self.move_on(tenant, &before.id, event, step).await,
            Err(unwritten) => Err(unwritten),
        };
        let Ok(mut handed) = done else {
            self.links.revoke(tenant, &made.name).await?;
            return done;
        };
        if let Some(old) = old {
            self.links.revoke(tenant, &old).await?;
        }
        handed.link = Some(HandedLink { made, passcode: code });
        Ok(handed)
    }

    /// Takes the link of a transfer back, before it is stopped; whoever has opened it has the copy.
    async fn take_back(&self, tenant: &TenantId, transfer: &Transfer) -> Result<()> {
        let Some(name) = transfer.link.as_deref() else { return Ok(()) };
        let found = self.links.find(tenant, name).await?;
        if found.is_none_or(|link| link.opened == 0) {
            self.links.revoke(tenant, name).await?;
        }
        let found = self.links.find(tenant, name).await?;
        if found.is_some_and(|link| link.opened > 0) {
            let hint = "the receiver has opened the link: what they have cannot be called back";
            return Err(Error::Conflict { hint: hint.to_owned() });
        }
        Ok(())
    }

    /// Writes down that a link was made, and by whom. What it shows is accounted for when it is opened.
    async fn account(
        &self,
        tenant: &TenantId,
        transfer: &Transfer,
        principal: &Principal,
        step: &Step,
    ) -> Result<()> {
        let actor = Actor {
            subject: step.by.clone(),
            client: Some(principal.client.clone()),
            purpose: Some(PurposeOfUse::Treatment.as_str().to_owned()),
            ..Actor::default()
        };
        let now = self.transfers.clock.now();
        let mut event = Done::new(Action::LinkMade, now, Some(tenant), actor);
        event.about(&self.transfers.patient(tenant, &transfer.client));
        event.note("basis", Basis::Tpo.as_str());
        event.note("transfer", transfer.id.clone());
        event.note("link", step.link.clone().unwrap_or_default());
        self.audit.record(event).await
    }

    async fn move_on(
        &self,
        tenant: &TenantId,
        id: &str,
        event: Event,
        step: Step,
    ) -> Result<Handed> {
        let id = id.to_owned();
        let moved =
            self.aside(tenant, move |transfers, tenant| transfers.step(tenant, &id, event, step));
        Ok(Handed { transfer: moved.await?, link: None })
    }

    async fn find(&self, tenant: &TenantId, id: &str) -> Result<Transfer> {
        let id = id.to_owned();
        let found = self.aside(tenant, move |transfers, tenant| transfers.transfer(tenant, &id));
        found.await?.ok_or(Error::NotFound)
    }

    /// Asks the transfers where waiting holds nobody up.
    async fn aside<T: Send + 'static>(
        &self,
        tenant: &TenantId,
        question: impl FnOnce(&Transfers, &TenantId) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (transfers, tenant) = (self.transfers.clone(), tenant.clone());
        spawn_blocking(move || question(&transfers, &tenant)).await.map_err(Error::internal)?
    }
}

impl Transfers {
    /// The copy of what the receiver of a transfer may have now.
    fn copied(&self, tenant: &TenantId, transfer: &Transfer) -> Result<Copied> {
        let now = self.clock.now();
        let receiver = self.receiver_of(tenant, transfer)?;
        let pieces = self.selected(tenant, transfer, receiver, now)?;
        let pieces = pieces.ok_or_else(super::no_consent)?;
        let options = transfer.options(now)?;
        let names = Named::of(&pieces);
        let patient = self.patient(tenant, &transfer.client);
        let package = build(&patient, pieces, &Beside::default(), &options)?;
        let files = files(&package, LABEL, options.at)?.to_vec();
        let document = files.first().map(|file| file.bytes.as_slice()).unwrap_or_default();
        let package = Package::of(document, now);
        let principal = self.principal(tenant, receiver, now);
        Ok(Copied { files, names, principal, package })
    }
}

impl std::fmt::Debug for HandedLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HandedLink").field("name", &self.made.name).finish_non_exhaustive()
    }
}
