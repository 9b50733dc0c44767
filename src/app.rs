//! The composition: the one place that names concrete adapters, for the command and for the tests.

mod keys;
mod reload;
mod sources;
mod storage;

use std::net::TcpListener;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App as Service, HttpServer, web};
use arc_swap::ArcSwap;
use prometheus_client::registry::Registry;

use crate::auth::{Keys, Provider, Tokens};
use crate::cache::{
    Cache, CacheMeter, CacheSecret, Changes, MemoryCache, ReadThrough, RedisCache, RedisLink,
};
use crate::clock::Clock;
use crate::config::{
    AuthSettings, CacheSettings, ClientSettings, Cors, LimitSettings, LoginSettings, Sources,
    StoreSettings,
};
use crate::domain::IdKey;
use crate::error::{Error, Result};
use crate::exchange::ingest::{BASE, Ingest, Report, Rules};
use crate::exchange::people::People;
use crate::exchange::pull::Pull;
use crate::exchange::push::Pushes;
use crate::exchange::reception::Reception;
use crate::exchange::sign_in::SignIn;
use crate::http::{self, Ports, State};
use crate::limits::Limits;
use crate::smart::{Authority, LogWitness, Parts};
use crate::store::Store;

pub use self::reload::{Goldens, Reload, Watch};
pub use self::sources::SourceState;
pub use self::storage::{migrate, open_store};

/// What the store remembers: the hash of the maps by which the records are mapped.
const MAPPED_BY: &str = "mapped-by";
/// How long open requests may take once the server is told to stop, in seconds.
const GRACE_S: u64 = 10;

/// What the composition needs to know.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Folder of the keys, and of the store where that is a file.
    pub data: PathBuf,
    /// Which store is used.
    pub store: StoreSettings,
    /// Folder of the maps, code tables and models.
    pub mappings: PathBuf,
    /// What is cached, and where.
    pub cache: CacheSettings,
    /// How much clients may ask for.
    pub limits: LimitSettings,
    /// Which web pages may call the API.
    pub cors: Cors,
    /// How people sign in, if they can.
    pub login: Option<LoginSettings>,
    /// The platforms that records come from while it serves.
    pub sources: Sources,
    /// How long what is granted holds.
    pub auth: AuthSettings,
    /// The clients that nobody has to add by a command.
    pub clients: Vec<ClientSettings>,
}

/// The product, put together.
pub struct App {
    data: PathBuf,
    keys: Keys,
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
    cache: CacheSettings,
    redis: Option<RedisLink>,
    meter: CacheMeter,
    limits: Option<Arc<Limits>>,
    cors: Cors,
    login: Option<LoginSettings>,
    rules: Arc<ArcSwap<Rules>>,
    tokens: Arc<Tokens>,
    authority: Arc<Authority>,
    changes: Changes,
    reception: Arc<Reception>,
    pushes: Arc<Pushes>,
    pulls: Vec<Pull>,
    sources: Sources,
    ids: IdKey,
    mappings: PathBuf,
}

impl App {
    /// Opens the data folder, compiles the maps, and connects what is configured.
    ///
    /// # Errors
    ///
    /// `Setup`, with what to put right.
    pub fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self> {
        config.cors.check()?;
        config.login.as_ref().map_or(Ok(()), LoginSettings::check)?;
        let rules = Rules::load(&config.mappings)?;
        let keys = Keys::open(&config.data)?;
        let store = open_store(&config.data, &config.store, &keys.id_key())?;
        let rules = Arc::new(ArcSwap::from_pointee(rules));
        let tokens = Arc::new(Tokens::new(&keys, Arc::clone(&clock))?);
        let redis = config.cache.redis.as_ref().map(RedisLink::open).transpose()?;
        let secret = CacheSecret::new(*keys.cache_key());
        let changes = Changes::new(redis.clone(), &secret)?;
        let parts = Parts {
            store: Arc::clone(&store),
            tokens: Arc::clone(&tokens),
            changes: changes.clone(),
            clock: Arc::clone(&clock),
            witness: Arc::new(LogWitness),
        };
        let authority = Arc::new(Authority::new(parts, &config.auth, &config.clients)?);
        let limits = Limits::new(&config.limits, redis.as_ref(), &secret)?;
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
            data: config.data.clone(),
            ids: keys.id_key(),
            keys,
            clock,
            store,
            redis,
            limits: limits.map(Arc::new),
            cors: config.cors.clone(),
            login: config.login.clone(),
            cache: config.cache.clone(),
            meter: CacheMeter::default(),
            rules,
            reception,
            pushes: Arc::new(pushes),
            pulls,
            sources: config.sources.clone(),
            tokens,
            authority,
            changes,
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
        let mapped_by = self.store.fact(MAPPED_BY)?;
        if !is_new && mapped_by.as_deref() != Some(rules.maps.hash()) {
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
        let mut write = self.store.write()?;
        write.set_fact(MAPPED_BY, rules.maps.hash())?;
        write.commit()
    }

    /// The installation's keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Mints and verifies tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The authorization server.
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// Names what this product counts to a registry.
    pub fn register(&self, registry: &mut Registry) {
        self.meter.register(registry);
        if let Some(redis) = &self.redis {
            redis.register(registry);
        }
        if let Some(limits) = &self.limits {
            limits.register(registry);
        }
    }

    /// The FHIR base URL of a server that listens there.
    pub fn base(listener: &TcpListener) -> Result<String> {
        let address = listener.local_addr().map_err(Error::internal)?;
        Ok(format!("http://{address}{}", http::FHIR))
    }

    /// Memory, in front of Redis if there is one.
    fn cache(&self) -> ReadThrough {
        let secret = CacheSecret::new(*self.keys.cache_key());
        let (keep, meter) = (self.cache.keep(), &self.meter);
        let shared = self.redis.clone().map(|link| {
            Arc::new(RedisCache::new(link, &secret, keep, meter.clone())) as Arc<dyn Cache>
        });
        ReadThrough::new(MemoryCache::new(self.cache.memory(), keep), shared, meter.clone())
    }

    /// How people sign in at a server with this base.
    fn sign_in(&self, base: &str) -> Result<Option<Arc<SignIn>>> {
        let Some(login) = &self.login else { return Ok(None) };
        let wrong = |()| Error::Setup("login.tenant: it is no name of a tenant".to_owned());
        let tenant = login.tenant.parse().map_err(wrong)?;
        let (store, clock, claims) = (&self.store, &self.clock, &login.claims);
        let needed = [&claims.client, &claims.proxy, &claims.staff];
        let needed = needed.into_iter().filter(|claim| !claim.is_empty()).cloned().collect();
        let back = http::sign_in_url(base);
        let provider = login
            .provider
            .as_ref()
            .map(|provider| Provider::open(provider, needed, &back, Arc::clone(clock)));
        let (store, clock) = (Arc::clone(store), Arc::clone(clock));
        let people =
            People::new(Arc::clone(&store), tenant, claims.clone(), &self.keys, Arc::clone(&clock));
        Ok(Some(Arc::new(SignIn::new(store, people, provider.transpose()?, login, clock))))
    }

    /// Serves until `stop` is done, and then until the open requests are answered.
    pub async fn serve(&self, listener: TcpListener, stop: impl Future<Output = ()>) -> Result<()> {
        let base = Self::base(&listener)?;
        self.authority.open_at(&base);
        let ports = Ports {
            store: Arc::clone(&self.store),
            cache: self.cache(),
            limits: self.limits.clone(),
            authority: Arc::clone(&self.authority),
            rules: Arc::clone(&self.rules),
            cors: self.cors.clone(),
            pushes: Arc::clone(&self.pushes),
            sign_in: self.sign_in(&base)?,
            practice: self.login.as_ref().and_then(|login| login.practice.clone()),
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
