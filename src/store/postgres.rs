//! The store in PostgreSQL, which several replicas may share.
//!
//! The methods block for a way over the network, so a thread that others wait for should leave
//! them to another. Every wait is bounded; a server that does not answer gives
//! [`Error::Unavailable`](crate::Error::Unavailable), and is connected to again by the next call.

mod address;
mod apart;
mod directory;
mod engine;
mod exports;
mod fault;
mod feeds;
mod grants;
mod handles;
mod index;
mod jobs;
mod ledger;
mod links;
mod pool;
mod quarantine;
mod read;
mod received;
mod reindex;
mod retained;
mod row;
mod schema;
mod search;
mod session;
mod write;

use std::sync::Arc;

use self::address::Address;
use self::engine::Engine;
use self::pool::Pool;
use self::search::in_snapshot;
use self::session::{Limits, Session};
use self::write::{Numbers, Transaction};
use super::upgrade::{Upgrade, Upgraded};
use super::{Everything, Head, Page, Quarantined, Store, StoredResource, Write, sql};
use crate::config::StoreSettings;
use crate::domain::{FhirId, Kind};
use crate::error::{Error, Result};
use crate::fhir::search::{Query, fingerprint};
use crate::policy::Permit;

pub use self::ledger::PostgresLedger;

/// A store in a PostgreSQL database.
pub struct PostgresStore {
    readers: Pool,
    writers: Pool,
    numbers: Numbers,
    fingerprint: String,
}

impl PostgresStore {
    /// Opens a database that is migrated.
    ///
    /// # Errors
    ///
    /// `Setup` with what to do, or `Unavailable` if the server does not answer.
    pub fn open(settings: &StoreSettings) -> Result<Self> {
        let address = address(settings)?;
        let engine = Arc::new(Engine::start()?);
        let pool = |read_only, most| {
            Pool::new(Arc::clone(&engine), address.clone(), limits(settings, read_only), most)
        };
        let store = Self {
            readers: pool(true, settings.readers),
            writers: pool(false, settings.writers),
            numbers: Numbers::default(),
            fingerprint: fingerprint(),
        };
        let mut session = store.readers.take()?;
        schema::check(session.session()?, &store.fingerprint)?;
        drop(session);
        Ok(store)
    }

    /// Brings a database up to date, or says what that would take; `watch` is told how many
    /// resources have been indexed anew.
    ///
    /// # Errors
    ///
    /// `Setup` for a database that may not be touched, and says why.
    pub fn migrate(
        settings: &StoreSettings,
        upgrade: Upgrade,
        watch: &mut dyn FnMut(u64),
    ) -> Result<Upgraded> {
        let engine = Arc::new(Engine::start()?);
        let limits = limits(settings, upgrade.only_check);
        let mut session = Session::open(&engine, &address(settings)?, limits)?;
        schema::migrate(&mut session, upgrade, &fingerprint(), watch)
    }
}

impl PostgresStore {
    /// The current version of a resource, where the caller may see only some of its type.
    fn visible(&self, permit: &Permit, id: &FhirId) -> Result<Option<StoredResource>> {
        self.readers
            .run(|session| in_snapshot(session, |reading| sql::current(reading, permit, id)))?
    }
}

fn address(settings: &StoreSettings) -> Result<Address> {
    settings.check()?;
    let url = settings.url.as_ref();
    Address::parse(url.ok_or_else(|| Error::Setup("no database URL is given".to_owned()))?)
}

fn limits(settings: &StoreSettings, read_only: bool) -> Limits {
    Limits {
        connect: settings.connect_timeout(),
        statement: settings.statement_timeout(),
        lock: settings.lock_timeout(),
        read_only,
    }
}

impl Store for PostgresStore {
    fn is_embedded(&self) -> bool {
        false
    }

    fn read(&self, permit: &Permit, id: &FhirId) -> Result<Option<StoredResource>> {
        if !permit.is_open() {
            return self.visible(permit, id);
        }
        Ok(self.readers.run(|session| read::current(session, permit, id))?)
    }

    fn version(
        &self,
        permit: &Permit,
        id: &FhirId,
        version_id: &str,
    ) -> Result<Option<StoredResource>> {
        let version = || self.readers.run(|session| read::version(session, permit, id, version_id));
        if permit.is_open() {
            return Ok(version()?);
        }
        let Some(current) = self.visible(permit, id)? else { return Ok(None) };
        if permit.under().is_some() {
            // An earlier version may hold what has been withheld since.
            return Ok(Some(current).filter(|current| current.version_id == version_id));
        }
        Ok(sql::admitted(permit, &current, version()?.into_iter().collect())?.pop())
    }

    fn history(&self, permit: &Permit, id: &FhirId) -> Result<Vec<StoredResource>> {
        let history = || self.readers.run(|session| read::history(session, permit, id));
        if permit.is_open() {
            return Ok(history()?);
        }
        let Some(current) = self.visible(permit, id)? else { return Ok(Vec::new()) };
        if permit.under().is_some() {
            return Ok(vec![current]);
        }
        sql::admitted(permit, &current, history()?)
    }

    fn search(&self, permit: &Permit, query: &Query) -> Result<Page> {
        self.readers
            .run(|session| in_snapshot(session, |reading| sql::page(reading, permit, query)))?
    }

    fn everything(&self, permit: &Permit, scope: &Everything) -> Result<Page> {
        self.readers.run(|session| {
            in_snapshot(session, |reading| sql::everything(reading, permit, scope))
        })?
    }

    fn edition(&self, _: &Permit, _: &Everything) -> Result<Option<String>> {
        // Replicas that change one compartment would wait for each other to count its changes.
        Ok(None)
    }

    fn head(&self, permit: &Permit, id: &FhirId) -> Result<Option<Head>> {
        if !permit.is_open() {
            return Ok(self.visible(permit, id)?.as_ref().map(Head::from));
        }
        Ok(self.readers.run(|session| read::head(session, permit, id))?)
    }

    fn write(&self) -> Result<Box<dyn Write + '_>> {
        let transaction = Transaction::begin(&self.writers, &self.numbers, &self.fingerprint)?;
        Ok(Box::new(transaction))
    }

    fn quarantine(&self) -> Result<Vec<Quarantined>> {
        Ok(self.readers.run(quarantine::list)?)
    }

    fn quarantined(&self, number: i64) -> Result<Option<Quarantined>> {
        Ok(self.readers.run(|session| quarantine::entry(session, number))?)
    }

    fn record_counts(&self) -> Result<Vec<(Kind, u64)>> {
        Ok(self.readers.run(read::record_counts)?)
    }

    fn resource_counts(&self) -> Result<Vec<(String, u64)>> {
        Ok(self.readers.run(read::resource_counts)?)
    }

    fn ready(&self) -> Result<()> {
        // A question first, which makes a connection anew that has died while it was idle.
        self.fact("id_key")?;
        let mut session = self.readers.take()?;
        schema::check(session.session()?, &self.fingerprint).map_err(|error| match error {
            Error::Setup(_) => {
                let advice = "it has the migrations of another version: replace this server by it";
                Error::Setup(advice.to_owned())
            }
            other => other,
        })
    }

    fn fact(&self, name: &str) -> Result<Option<String>> {
        Ok(self.readers.run(|session| schema::fact(session, name))?)
    }
}
