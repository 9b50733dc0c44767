//! The live sources of the configuration, made ready.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use crate::clock::Clock;
use crate::config::{PushSettings, SourceSettings, Sources};
use crate::domain::SourceId;
use crate::error::{Error, Result};
use crate::exchange::push::{Pushes, Sender};
use crate::exchange::reception::Reception;
use crate::platform::Secret;
use crate::store::Store;

/// One mebibyte.
const MIB: u64 = 1024 * 1024;

/// How many batches of live sources are worked on at once: half of the machine, the rest reads.
pub(super) fn hands() -> usize {
    thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

/// Who may push; the secrets are read here, so that a missing one is known at the start.
pub(super) fn pushes(
    sources: &Sources,
    reception: &Arc<Reception>,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    data: &Path,
) -> Result<Pushes> {
    let mut senders = Vec::new();
    for (name, settings) in &sources.0 {
        let id = id(name, settings)?;
        if let Some(push) = &settings.push {
            senders.push(sender(id, push)?);
        }
    }
    let (reception, store, clock) = (Arc::clone(reception), Arc::clone(store), Arc::clone(clock));
    Pushes::new(senders, reception, store, clock, data.to_owned())
}

fn id(name: &str, settings: &SourceSettings) -> Result<SourceId> {
    let wrong = |what: &str| Error::Setup(format!("sources.{name}: {what}"));
    let named = name.parse().map_err(|()| {
        wrong("the name of a source has 1 to 64 of a-z, 0-9, underscore and hyphen")
    })?;
    let tenant = settings.tenant.parse().map_err(|()| {
        wrong("a tenant has 1 to 64 letters, digits, dots, hyphens and underscores")
    })?;
    Ok(SourceId { tenant, name: named })
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
