//! The composition: the one place that names concrete adapters, for the command and for the tests.

mod reload;
mod sources;

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App as Service, HttpServer, web};
use arc_swap::ArcSwap;

use crate::auth::{Keys, Tokens};
use crate::cache::{Cache, CacheSecret, MemoryCache, ReadThrough, RedisCache};
use crate::clock::Clock;
use crate::config::Sources;
use crate::domain::IdKey;
use crate::error::{Error, Result};
use crate::exchange::ingest::{BASE, Ingest, Report, Rules};
use crate::exchange::pull::Pull;
use crate::exchange::push::Pushes;
use crate::exchange::reception::Reception;
use crate::http::{self, Ports, State};
use crate::store::{SqliteStore, Store};

pub use self::reload::{Goldens, Reload, Watch};
pub use self::sources::SourceState;

/// The file in the data folder that names the maps by which the records are mapped.
const MAPPED_BY: &str = "mapped-by";
/// How long open requests may take once the server is told to stop, in seconds.
const GRACE_S: u64 = 10;
/// How much memory the cache in process may take.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// How long a resource stays cached; it cannot be stale, so this only bounds what lies about.
const CACHED_FOR: Duration = Duration::from_hours(1);

/// What the composition needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Folder of the store and of the keys.
    pub data: PathBuf,
    /// Folder of the maps, code tables and models.
    pub mappings: PathBuf,
    /// Redis to cache in, if there is one.
    pub redis_url: Option<String>,
    /// The platforms that records come from while it serves.
    pub sources: Sources,
}

/// The product, put together.
pub struct App {
    keys: Keys,
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
    redis_url: Option<String>,
    rules: Arc<ArcSwap<Rules>>,
    tokens: Arc<Tokens>,
    reception: Arc<Reception>,
    pushes: Arc<Pushes>,
    pulls: Vec<Pull>,
    sources: Sources,
    ids: IdKey,
    data: PathBuf,
    mappings: PathBuf,
}

impl App {
    /// Opens the data folder, compiles the maps, and connects what is configured.
    ///
    /// # Errors
    ///
    /// `Setup`, with what to put right.
    pub fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self> {
        let rules = Rules::load(&config.mappings)?;
        let keys = Keys::open(&config.data)?;
        let store = SqliteStore::open(&config.data.join("store.sqlite"))?;
        let store: Arc<dyn Store> = Arc::new(store);
        let rules = Arc::new(ArcSwap::from_pointee(rules));
        let tokens = Tokens::new(&keys, Arc::clone(&clock))?;
        let reception = Arc::new(Reception::new(
            Arc::clone(&store),
            Arc::clone(&rules),
            keys.id_key(),
            Arc::clone(&clock),
            sources::hands(),
        ));
        let around = sources::Around {
            reception: &reception,
            store: &store,
            clock: &clock,
            spool: &config.data,
        };
        let (pushes, pulls) = sources::open(&config.sources, &around)?;
        Ok(Self {
            ids: keys.id_key(),
            keys,
            clock,
            store,
            redis_url: config.redis_url.clone(),
            rules,
            reception,
            pushes: Arc::new(pushes),
            pulls,
            sources: config.sources.clone(),
            tokens: Arc::new(tokens),
            data: config.data.clone(),
            mappings: config.mappings.clone(),
        })
    }

    /// Where resources are.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Takes in the records of files and folders, and maps them; records that were mapped by other
    /// maps than those in use are mapped anew.
    pub fn take_in(&self, paths: &[PathBuf]) -> Result<Report> {
        let rules = self.rules.load();
        let ingest = self.ingest(&rules);
        let is_new = self.store.record_counts()?.is_empty();
        let report = ingest.files(paths, &mut |_| ())?;
        let mark = fs::read_to_string(self.data.join(MAPPED_BY));
        if !is_new && mark.is_ok_and(|hash| hash != rules.maps.hash()) {
            ingest.reproject(None, &mut |_| ())?;
        }
        self.remember(&rules)?;
        Ok(report)
    }

    /// The use case over this data folder.
    fn ingest<'a>(&'a self, rules: &'a Rules) -> Ingest<'a> {
        let (store, ids, clock) = (self.store(), &self.ids, &*self.clock);
        Ingest { store, rules, ids, base: BASE, clock }
    }

    /// Notes by which maps the records are mapped.
    fn remember(&self, rules: &Rules) -> Result<()> {
        fs::write(self.data.join(MAPPED_BY), rules.maps.hash()).map_err(Error::internal)
    }

    /// The installation's keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Mints and verifies tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The FHIR base URL of a server that listens there.
    pub fn base(listener: &TcpListener) -> Result<String> {
        let address = listener.local_addr().map_err(Error::internal)?;
        Ok(format!("http://{address}{}", http::FHIR))
    }

    /// Memory, in front of Redis if there is one; Redis wants to be named inside a Tokio runtime.
    fn cache(&self) -> Result<ReadThrough> {
        let shared = self.redis_url.as_deref().map(|url| {
            let secret = CacheSecret::new(*self.keys.cache_key());
            RedisCache::new(url, &secret, CACHED_FOR).map(|redis| Arc::new(redis) as Arc<dyn Cache>)
        });
        Ok(ReadThrough::new(MemoryCache::new(CACHE_BYTES, CACHED_FOR), shared.transpose()?))
    }

    /// Serves until `stop` is done, and then until the open requests are answered.
    pub async fn serve(&self, listener: TcpListener, stop: impl Future<Output = ()>) -> Result<()> {
        let base = Self::base(&listener)?;
        let ports = Ports {
            store: Arc::clone(&self.store),
            cache: self.cache()?,
            tokens: Arc::clone(&self.tokens),
            rules: Arc::clone(&self.rules),
            pushes: Arc::clone(&self.pushes),
        };
        let state = web::Data::new(State::new(ports, &self.keys, &*self.clock, base)?);
        let factory = move || {
            Service::new().wrap(from_fn(http::gate)).configure(http::configure(state.clone()))
        };
        let server = HttpServer::new(factory)
            .keep_alive(Duration::from_secs(75))
            .shutdown_timeout(GRACE_S)
            .disable_signals()
            .listen(listener)
            .map_err(Error::internal)?
            .run();
        let handle = server.handle();
        let attending = self.attend();
        let mut running = pin!(server);
        let served = tokio::select! {
            served = &mut running => served,
            () = stop => {
                let (served, ()) = tokio::join!(running, handle.stop(true));
                served
            }
        };
        drop(attending);
        self.retire()?;
        served.map_err(Error::internal)
    }
}
