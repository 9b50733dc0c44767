//! The live sources of the configuration, made ready and looked after.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use jiff::Timestamp;
use tokio::task::JoinSet;

use super::{App, files, keys};
use crate::clock::Clock;
use crate::config::{PullSettings, PushSettings, SourceSettings, Sources};
use crate::domain::SourceId;
use crate::error::{Error, Result};
use crate::exchange::pull::{Pace, Pull, Puller, Round};
use crate::exchange::push::{Pushes, Sender};
use crate::exchange::reception::Reception;
use crate::platform::{Credential, Endpoint, FolderSource, HttpSource, Secret, Source};
use crate::store::{Feed, Lease, Store};

/// One mebibyte.
const MIB: u64 = 1024 * 1024;

/// What is known of a source.
pub struct SourceState {
    /// The source and its tenant.
    pub id: SourceId,
    /// `push`, `pull` or `folder`, each that is configured.
    pub ways: Vec<&'static str>,
    /// When it last pushed, if that is not forgotten.
    pub pushed: Option<Timestamp>,
    /// How far it has been read.
    pub feed: Feed,
    /// Who reads it, or last did.
    pub lease: Option<Lease>,
}

/// What the sources of a configuration share.
pub(super) struct Around<'a> {
    pub(super) reception: &'a Arc<Reception>,
    pub(super) store: &'a Arc<dyn Store>,
    pub(super) clock: &'a Arc<dyn Clock>,
    /// Where large bodies wait.
    pub(super) spool: &'a Path,
}

/// The sources, ready: who may push, and who is asked. Their secrets are read here, so that a
/// missing one is known at the start.
pub(super) fn open(sources: &Sources, around: &Around<'_>) -> Result<(Pushes, Vec<Pull>)> {
    let (mut senders, mut pulls) = (Vec::new(), Vec::new());
    let holder = holder()?;
    for (name, settings) in &sources.0 {
        let id = id(name, settings)?;
        if let Some(push) = &settings.push {
            senders.push(sender(id.clone(), push)?);
        }
        if let Some(pull) = pull(&id, settings, around, &holder)? {
            pulls.push(pull);
        }
    }
    let Around { reception, store, clock, spool } = around;
    let (reception, store, clock) = (Arc::clone(reception), Arc::clone(store), Arc::clone(clock));
    Ok((Pushes::new(senders, reception, store, clock, spool.to_path_buf())?, pulls))
}

/// How many batches of live sources are worked on at once: half of the machine, the rest reads.
pub(super) fn hands() -> usize {
    thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

/// What tells this process from the other replicas.
fn holder() -> Result<String> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(Error::internal)?;
    Ok(hex::encode(bytes))
}

fn id(name: &str, settings: &SourceSettings) -> Result<SourceId> {
    let wrong = |what: &str| Error::Setup(format!("sources.{name}: {what}"));
    let named = name.parse().map_err(|()| {
        wrong("the name of a source has 1 to 64 of a-z, 0-9, underscore and hyphen")
    })?;
    let tenant = settings.tenant.parse().map_err(|()| {
        wrong("a tenant has 1 to 64 letters, digits, dots, hyphens and underscores")
    })?;
    match (&settings.push, &settings.pull, &settings.folder) {
        (None, None, None) => Err(wrong("say how its records come: push, pull or folder")),
        (_, Some(_), Some(_)) => {
            Err(wrong("a source has one cursor: give pull and folder a source each"))
        }
        _ => Ok(SourceId { tenant, name: named }),
    }
}

fn sender(id: SourceId, push: &PushSettings) -> Result<Sender> {
    if push.secret_files.is_empty() || push.at_once == 0 || push.max_body_mb == 0 {
        return Err(Error::Setup(format!(
            "sources.{}.push: give at least one of secret_files, and more than 0 for at_once and \
             max_body_mb",
            id.name
        )));
    }
    let secrets = push.secret_files.iter().map(|path| Secret::read(path));
    Ok(Sender {
        secrets: secrets.collect::<Result<_>>()?,
        at_once: push.at_once,
        max_body: push.max_body_mb.saturating_mul(MIB),
        id,
    })
}

fn pull(
    id: &SourceId,
    settings: &SourceSettings,
    around: &Around<'_>,
    holder: &str,
) -> Result<Option<Pull>> {
    let spool = around.spool.to_path_buf();
    let (source, every_s, limit): (Arc<dyn Source>, _, _) = match (&settings.pull, &settings.folder)
    {
        (Some(pull), _) => (Arc::new(http(id, pull, around)?), pull.every_s, pull.limit),
        (None, Some(folder)) => {
            // A file is a page, whatever its length.
            (Arc::new(FolderSource::new(folder.path.clone(), spool)), folder.every_s, 1)
        }
        (None, None) => return Ok(None),
    };
    if every_s == 0 || limit == 0 {
        let name = &id.name;
        return Err(Error::Setup(format!(
            "sources.{name}: give more than 0 for every_s and limit"
        )));
    }
    Ok(Some(Pull {
        id: id.clone(),
        source,
        reception: Arc::clone(around.reception),
        store: Arc::clone(around.store),
        clock: Arc::clone(around.clock),
        pace: Pace::every(Duration::from_secs(every_s)),
        limit,
        holder: holder.to_owned(),
    }))
}

fn http(id: &SourceId, pull: &PullSettings, around: &Around<'_>) -> Result<HttpSource> {
    let wrong = |what: String| Error::Setup(format!("sources.{}.pull: {what}", id.name));
    let credential = match (&pull.bearer_file, &pull.secret_file) {
        (Some(file), None) => Credential::Bearer(Secret::text(file)?),
        (None, Some(file)) => Credential::Signature(Box::new(Secret::read(file)?)),
        _ => return Err(wrong("give either bearer_file or secret_file".to_owned())),
    };
    let read =
        |path| fs::read(path).map_err(|cause| wrong(format!("ca_file cannot be read: {cause}")));
    let endpoint = Endpoint {
        url: pull.url.clone(),
        name: id.name.as_str().to_owned(),
        credential,
        authorities: pull.ca_file.as_ref().map(read).transpose()?,
        timeout: Duration::from_secs(pull.timeout_s.max(1)),
        spool: around.spool.to_path_buf(),
    };
    HttpSource::new(endpoint, Arc::clone(around.clock))
}

impl App {
    /// What is known of each source, in the order of their names.
    pub fn sources(&self) -> Result<Vec<SourceState>> {
        let mut states = Vec::new();
        for (name, settings) in &self.sources.0 {
            let id = id(name, settings)?;
            let ways = [
                ("push", settings.push.is_some()),
                ("pull", settings.pull.is_some()),
                ("folder", settings.folder.is_some()),
            ];
            states.push(SourceState {
                ways: ways.iter().filter(|(_, is)| *is).map(|(way, _)| *way).collect(),
                pushed: self.store.last_delivery(&id)?,
                feed: self.store.feed(&id)?,
                lease: self.store.lease(&id)?,
                id,
            });
        }
        Ok(states)
    }

    /// Reads a source to its end, or up to the first trouble; `None` if there is none of this name
    /// that is read.
    pub async fn pull(&self, name: &str) -> Result<Option<Round>> {
        let Some(pull) = self.pulls.iter().find(|pull| pull.id.name.as_str() == name) else {
            return Ok(None);
        };
        let mut puller = Puller::new(pull.clone());
        let (round, _) = puller.round().await;
        puller.release().await?;
        Ok(Some(round))
    }

    /// Starts what works on live sources beside the requests, until the result is dropped.
    pub(super) fn attend(&self) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&self.reception).map_due());
        let changes = self.changes.clone();
        tasks.spawn(async move { changes.listen().await });
        tasks.spawn(keys::renew(self.data.clone(), Arc::clone(&self.tokens)));
        tasks.spawn(Arc::clone(&self.workshop).run());
        tasks.spawn(files::sweep(self.blobs.clone(), Arc::clone(&self.clock)));
        for pull in &self.pulls {
            tasks.spawn(Puller::new(pull.clone()).run());
        }
        tasks
    }

    /// Lets other replicas read the sources that this one has read.
    pub(super) fn retire(&self) -> Result<()> {
        self.workshop.retire()?;
        self.pulls.iter().try_for_each(|pull| self.store.free_lease(&pull.id, &pull.holder))
    }
}
