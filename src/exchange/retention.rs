//! Retention: what has been kept long enough is taken away for good, and so is what somebody may ask
//! to be erased. A hold stops both.
//!
//! A person's record goes in one transaction: the records of all planes with every version, what was
//! made of them, and what was kept about the person beside. What stays is the proof of what was done
//! with it, moved to where nothing serves it, the names of what is gone, so that it does not come
//! back by itself, and the audit. Whatever ends in between is finished by the next run: copies and jobs are taken back
//! first, the transaction is all or nothing, and the audit is told from what the transaction wrote.

mod chart;
mod hold;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::task::spawn_blocking;

use self::chart::Chart;
pub(in crate::exchange) use self::chart::is_held;
pub use self::hold::Hold;
use super::ingest::{BASE, Ingest, LIVE_BATCH, Rules};
use super::jobs::Workshop;
use super::links::HealthLinks;
use crate::audit::{Action, Actor, Audit, Event};
use crate::auth;
use crate::clock::Clock;
use crate::domain::{IdKey, Kind, TenantId};
use crate::error::{Error, Result};
use crate::exchange::bulk;
use crate::store::{Doomed, JobFilter, Purge, Purged, Store, Survivor};

/// How many links of one patient are taken back.
const LINKS: u32 = 10_000;

/// How much of a record somebody may have erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What no schedule keeps (GDPR Art. 17(3)(b), (c)).
    WhatNobodyHasToKeep,
    /// All of it, whatever the schedules say; somebody answers for that.
    Everything,
}

/// By whom, and by what, something is taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Who does it.
    pub by: Actor,
    /// By what: a request, an order. It holds no content, and is kept.
    pub by_what: String,
}

/// What stays of a record, and what went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survivors {
    /// How many records went.
    pub records: u64,
    /// How many resources went with them.
    pub resources: u64,
    /// Whether the person went as a whole.
    pub is_whole: bool,
    /// What stays as proof, by kind: how many records.
    pub proof: BTreeMap<Kind, usize>,
    /// How many records stay because they are about somebody else too.
    pub shared: usize,
    /// What stays because a schedule keeps it: the kind, how many, until when, and what says so.
    pub kept: Vec<KeptFor>,
}

/// Records that a schedule keeps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptFor {
    /// Their kind.
    pub kind: Kind,
    /// Until when; for ever where it is nothing.
    pub until: Option<Date>,
    /// What says so.
    pub source: String,
    /// How many.
    pub count: usize,
}

/// What is due of one person's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The platform's id of the client.
    pub client: String,
    /// Whether the person goes as a whole.
    pub is_whole: bool,
    /// How many records, by kind.
    pub records: BTreeMap<Kind, usize>,
    /// How many notes that are kept apart are among them.
    pub apart: usize,
    /// What says so.
    pub sources: BTreeSet<String>,
    /// The records, by name.
    keys: Vec<Doomed>,
}

/// What would be done now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is due, by client.
    pub due: Vec<Due>,
    /// Why others stay, with how many clients.
    pub stays: BTreeMap<String, usize>,
    /// How many records stay as proof no longer.
    pub proof_over: usize,
}

impl Plan {
    /// A name of what would be done, which is another if that is.
    pub fn name(&self) -> String {
        let mut text = format!("{}\n", self.proof_over);
        for due in &self.due {
            for Doomed { kind, id } in &due.keys {
                let line = serde_json::json!([due.client, due.is_whole, kind.as_str(), id]);
                text.push_str(&line.to_string());
                text.push('\n');
            }
        }
        let hash = hex::encode(digest(&SHA256, text.as_bytes()));
        hash.get(..16).unwrap_or_default().to_owned()
    }
}

/// What it takes to take something away.
#[derive(Clone)]
pub struct Retention {
    /// Where the records are.
    pub store: Arc<dyn Store>,
    /// The schedules, and the maps by which what is left is mapped anew.
    pub rules: Arc<ArcSwap<Rules>>,
    /// The maker of ids.
    pub ids: IdKey,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where it is written down.
    pub audit: Arc<Audit>,
    /// The links to copies.
    pub links: HealthLinks,
    /// What is done beside.
    pub workshop: Arc<Workshop>,
}

impl Retention {
    /// What would be done now. Nothing is changed.
    pub fn plan(&self, tenant: &TenantId) -> Result<Plan> {
        let now = self.clock.now();
        let clients: Vec<String> = {
            let write = self.store.write()?;
            let clients = write.records(tenant, Kind::Client)?;
            clients.iter().map(|record| record.id.clone()).collect()
        };
        let mut plan = Plan::default();
        for client in clients {
            let write = self.store.write()?;
            let chart = Chart::of(&*write, tenant, &client)?;
            let Some(chart) = chart else { continue };
            if chart.is_merged() {
                continue;
            }
            let stays = chart.stays(&*write, tenant, now)?;
            if let Some(why) = stays {
                *plan.stays.entry(why.to_owned()).or_default() += 1;
                continue;
            }
            let sorted = chart.sorted(&self.rules.load().tables, now);
            if sorted.due.is_empty() {
                let why = sorted.first_reason();
                *plan.stays.entry(why).or_default() += 1;
                continue;
            }
            plan.due.push(sorted.into_due(&client));
        }
        let survivors = self.store.survivors(tenant, None)?;
        plan.proof_over = survivors.iter().filter(|one| one.until <= now).count();
        Ok(plan)
    }

    /// Does what is due, if that is what was planned under this name; answers what stays, by client.
    ///
    /// # Errors
    ///
    /// `Conflict` where something else is due by now.
    pub async fn apply(
        &self,
        tenant: &TenantId,
        planned: &str,
        by: Actor,
    ) -> Result<Vec<(String, Survivors)>> {
        self.finish(tenant, &by).await?;
        let plan = self.aside(tenant, Self::plan).await?;
        if plan.name() != planned {
            let hint = "something else is due than was planned: look at the plan again";
            return Err(Error::Conflict { hint: hint.to_owned() });
        }
        let mut done = Vec::new();
        for due in plan.due {
            let sources: Vec<String> = due.sources.into_iter().collect();
            let by_what = format!("schedule: {}", sources.join("; "));
            let authority = Authority { by: by.clone(), by_what };
            let wanted = Wanted::Due;
            if let Some(survivors) = self.take(tenant, &due.client, &authority, wanted).await? {
                done.push((due.client, survivors));
            }
        }
        let now = self.clock.now();
        self.aside(tenant, move |this, tenant| this.store.drop_survivors(tenant, now)).await?;
        self.sweep().await?;
        Ok(done)
    }

    /// Takes a person's record away because somebody may ask for that.
    ///
    /// # Errors
    ///
    /// `Conflict` where a hold keeps it, and `NotFound` where there is none.
    pub async fn erase(
        &self,
        tenant: &TenantId,
        client: &str,
        authority: &Authority,
        extent: Extent,
    ) -> Result<Survivors> {
        self.finish(tenant, &authority.by).await?;
        let survivors = self.take(tenant, client, authority, Wanted::Asked(extent)).await?;
        self.sweep().await?;
        survivors.ok_or(Error::NotFound)
    }

    /// What erasing would leave. Nothing is changed.
    pub fn would_erase(
        &self,
        tenant: &TenantId,
        client: &str,
        extent: Extent,
    ) -> Result<Survivors> {
        let write = self.store.write()?;
        let now = self.clock.now();
        let chart = Chart::of(&*write, tenant, client)?.ok_or(Error::NotFound)?;
        chart.check(&*write, tenant, now)?;
        let sorted = chart.sorted_for(&self.rules.load().tables, now, extent);
        Ok(sorted.survivors())
    }

    /// Finishes what an earlier run left: what it took away and did not write down.
    async fn finish(&self, tenant: &TenantId, by: &Actor) -> Result<()> {
        let of = tenant.clone();
        let left = self.aside(tenant, move |this, _| this.store.unnoted(&of)).await?;
        for purged in left {
            self.note(tenant, &purged, by.clone()).await?;
        }
        Ok(())
    }

    /// Takes away what is wanted of one person; nothing where nothing is.
    async fn take(
        &self,
        tenant: &TenantId,
        client: &str,
        authority: &Authority,
        wanted: Wanted,
    ) -> Result<Option<Survivors>> {
        let of = client.to_owned();
        let ready = self.aside(tenant, move |this, tenant| {
            let write = this.store.write()?;
            this.ready(&*write, tenant, &of, wanted)
        });
        let Some(ready) = ready.await? else { return Ok(None) };
        if ready.sorted.keys().is_empty() {
            return Ok(Some(ready.sorted.survivors()));
        }
        if ready.is_whole() {
            self.take_back(tenant, &ready.chart).await?;
        }
        let (of, by_what) = (client.to_owned(), authority.by_what.clone());
        let purged =
            self.aside(tenant, move |this, tenant| this.purge(tenant, &of, &by_what, wanted));
        let Some((purged, survivors)) = purged.await? else { return Ok(None) };
        self.note(tenant, &purged, authority.by.clone()).await?;
        self.aside(tenant, |this, _| this.map_again()).await?;
        Ok(Some(survivors))
    }

    /// What is to go, if it may.
    fn ready(
        &self,
        write: &dyn crate::store::Write,
        tenant: &TenantId,
        client: &str,
        wanted: Wanted,
    ) -> Result<Option<Ready>> {
        let now = self.clock.now();
        let Some(chart) = Chart::of(write, tenant, client)? else { return Ok(None) };
        let rules = self.rules.load();
        let sorted = match wanted {
            Wanted::Due if chart.stays(write, tenant, now)?.is_some() => return Ok(None),
            Wanted::Due => chart.sorted(&rules.tables, now),
            Wanted::Asked(extent) => {
                chart.check(write, tenant, now)?;
                chart.sorted_for(&rules.tables, now, extent)
            }
        };
        if sorted.due.is_empty() && wanted == Wanted::Due {
            return Ok(None);
        }
        Ok(Some(Ready { chart, sorted }))
    }

    /// The transaction.
    fn purge(
        &self,
        tenant: &TenantId,
        client: &str,
        authority: &str,
        wanted: Wanted,
    ) -> Result<Option<(Purged, Survivors)>> {
        let now = self.clock.now();
        let mut write = self.store.write()?;
        // Nobody puts a record, and so no hold, between this question and the end.
        write.expect(&[(tenant.clone(), Kind::Client, client.to_owned())])?;
        let Some(Ready { chart, sorted }) = self.ready(&*write, tenant, client, wanted)? else {
            return Ok(None);
        };
        let survivors = sorted.survivors();
        let ids = self.ids.tenant(tenant);
        let mut purged = None;
        // Those that were merged into the client are the same person.
        for (place, one) in chart.clients.iter().enumerate() {
            let is_first = place == 0;
            let (records, proof) = if is_first {
                let proof = sorted.proof(&self.rules.load().tables, now)?;
                (sorted.keys(), proof)
            } else {
                (Vec::new(), Vec::new())
            };
            if !is_first && !sorted.is_whole {
                continue;
            }
            let purge = Purge {
                name: auth::name()?,
                tenant: tenant.clone(),
                client: one.clone(),
                patient: ids.id(Kind::Client, one),
                authority: authority.to_owned(),
                at: now,
                records,
                survivors: proof,
                is_whole: sorted.is_whole,
            };
            let done = write.purge(&purge)?;
            purged.get_or_insert(done);
        }
        write.commit()?;
        let Some(purged) = purged else { return Ok(None) };
        let survivors = Survivors { resources: purged.resources, ..survivors };
        Ok(Some((purged, survivors)))
    }

    /// Takes back what holds copies: links with their files, and jobs that are about the person or
    /// have written files about everybody.
    async fn take_back(&self, tenant: &TenantId, chart: &Chart) -> Result<()> {
        let ids = self.ids.tenant(tenant);
        // Their tasks name requests and transfers, whose ids are the gateway's own.
        let requests: Vec<String> = chart.requests().map(str::to_owned).collect();
        for client in &chart.clients {
            let patient = ids.id(Kind::Client, client);
            for link in self.links.list(tenant, Some(&patient), LINKS).await? {
                self.links.revoke(tenant, &link.name).await?;
            }
        }
        let of = tenant.clone();
        let jobs = self.aside(tenant, move |this, _| {
            let filter = JobFilter { kind: None, state: None, limit: u32::MAX >> 1 };
            let jobs = this.store.jobs(&filter)?.into_iter().filter(|job| job.new.tenant == of);
            let names = |task: &[u8]| {
                let task = String::from_utf8_lossy(task);
                // Whole words: an id that is part of another is nobody's.
                let is_end = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
                task.split(is_end).any(|word| requests.iter().any(|request| request == word))
            };
            let ids = jobs.filter(|job| job.new.kind == bulk::KIND || names(&job.new.task));
            Ok(ids.map(|job| job.new.id).collect::<Vec<_>>())
        });
        for job in jobs.await? {
            self.workshop.cancel(&job).await?;
        }
        Ok(())
    }

    /// Has the audit know what was taken away.
    async fn note(&self, tenant: &TenantId, purged: &Purged, by: Actor) -> Result<()> {
        let mut event = Event::new(Action::Purged, purged.at, Some(tenant), by);
        event.about(&purged.patient);
        event.note("purge", &purged.name);
        event.note("authority", &purged.authority);
        event.note("records", purged.records.to_string());
        event.note("resources", purged.resources.to_string());
        self.audit.record(event).await?;
        let name = purged.name.clone();
        self.aside(tenant, move |this, _| this.store.note_purge(&name)).await
    }

    /// Maps anew what used facts of what is gone.
    fn map_again(&self) -> Result<()> {
        loop {
            let rules = self.rules.load_full();
            let (store, ids, clock) = (&*self.store, &self.ids, &*self.clock);
            let ingest = Ingest { store, rules: &rules, ids, base: BASE, clock };
            let mut write = self.store.write()?;
            let count = ingest.map_some(&mut *write, LIVE_BATCH)?;
            write.commit()?;
            if count < LIVE_BATCH {
                return Ok(());
            }
        }
    }

    /// Takes away the files of jobs that were taken back, and what is left between the lines.
    async fn sweep(&self) -> Result<()> {
        self.workshop.sweep().await?;
        let store = Arc::clone(&self.store);
        spawn_blocking(move || store.scrub()).await.map_err(Error::internal)?
    }

    /// Asks the store where waiting holds nobody up.
    async fn aside<T: Send + 'static>(
        &self,
        tenant: &TenantId,
        work: impl FnOnce(&Self, &TenantId) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (this, tenant) = (self.clone(), tenant.clone());
        spawn_blocking(move || work(&this, &tenant)).await.map_err(Error::internal)?
    }
}

/// What is wanted of a person's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Due,
    Asked(Extent),
}

/// A person's record, and what of it is to go.
struct Ready {
    chart: Chart,
    sorted: chart::Sorted,
}

impl Ready {
    fn is_whole(&self) -> bool {
        self.sorted.is_whole
    }
}

/// Until when proof is kept that stays from now on.
fn later(now: Timestamp, years: i16) -> Result<Timestamp> {
    let day = now.to_zoned(jiff::tz::TimeZone::UTC);
    let span = jiff::Span::new().try_years(years).map_err(Error::internal)?;
    Ok(day.checked_add(span).map_err(Error::internal)?.timestamp())
}

/// A record as it stays.
fn survivor(client: &str, record: &crate::domain::Record, until: Timestamp) -> Survivor {
    Survivor {
        client: client.to_owned(),
        kind: record.kind,
        id: record.id.clone(),
        version: record.version,
        until,
        body: super::ingest::line(record),
    }
}
