//! The composition: the one place that names concrete adapters, for the command and for the tests.

mod files;
mod keys;
mod mandates;
mod reload;
mod serve;
mod serving_lock;
mod sign_in;
mod sources;
mod storage;
mod witness;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus_client::registry::Registry;

use crate::audit::Audit;
use crate::auth::{Keys, Notary, Tokens};
use crate::blobs::Blobs;
use crate::cache::{
    Cache, CacheMeter, CacheSecret, Changes, MemoryCache, ReadThrough, RedisCache, RedisLink,
};
use crate::clock::Clock;
use crate::config::{
    AuditMode, AuthSettings, BlobSettings, BulkSettings, CacheSettings, ClientSettings, Cors,
    JobSettings, LimitSettings, LoginSettings, ReceiverSettings, ReceivingSettings, ServerSettings,
    Settings, Sources, StoreSettings, Takes, TlsSettings, TraceSettings,
};
use crate::domain::{FhirId, IdKey, Kind, TenantId};
use crate::error::{Error, Result};
use crate::exchange::bulk::Exporting;
use crate::exchange::ingest::{BASE, Ingest, MAPPED_BY, Report, Rules};
use crate::exchange::jobs::{Mandates, Work, Workshop};
use crate::exchange::links::{HealthLinks, Opening};
use crate::exchange::pull::Pull;
use crate::exchange::push::Pushes;
use crate::exchange::receiving::Matching;
use crate::exchange::reception::Reception;
use crate::exchange::requests::{Copying, Requests};
use crate::exchange::retention::Retention;
use crate::exchange::signing::Signing;
use crate::exchange::transfers::{Sending, Transfers};
use crate::fhir::r4::Elements;
use crate::http::{self, RequestMeter};
use crate::limits::{Guesses, Limits, Strangers};
use crate::partner::Partner;
use crate::smart::{Authority, Parts};
use crate::store::Store;
use crate::telemetry::Traces;

use self::mandates::StandingMandates;
use self::witness::AuditWitness;

pub use self::files::open_blobs;
pub use self::reload::{Goldens, Reload, Watch};
pub use self::serve::Listeners;
pub use self::serving_lock::ServingLock;
pub use self::sources::SourceState;
pub use self::storage::{migrate, open_apart, open_ledger, open_store};

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
    /// How work beside the requests is done.
    pub jobs: JobSettings,
    /// Where files are kept that are too long for the store.
    pub blobs: BlobSettings,
    /// How bulk exports are made.
    pub bulk: BulkSettings,
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
    /// To whom records are carried.
    pub receivers: Vec<ReceiverSettings>,
    /// How records of others are matched.
    pub receiving: ReceivingSettings,
    /// What happens to an answer whose audit event cannot be written.
    pub audit: AuditMode,
    /// How it serves.
    pub server: ServerSettings,
    /// The certificate it shows; without one it serves plain HTTP.
    pub tls: Option<TlsSettings>,
    /// Where traces go.
    pub traces: TraceSettings,
}

impl Config {
    /// Refuses what cannot be served by.
    fn check(&self) -> Result<()> {
        self.cors.check()?;
        self.login.as_ref().map_or(Ok(()), LoginSettings::check)
    }

    /// What the settings say.
    pub fn of(settings: &Settings) -> Self {
        Self {
            data: settings.data.clone(),
            store: settings.store.clone(),
            mappings: settings.mappings.clone(),
            cache: settings.cache.clone(),
            limits: settings.limits.clone(),
            jobs: settings.jobs.clone(),
            blobs: settings.blobs.clone(),
            bulk: settings.bulk.clone(),
            cors: settings.cors.clone(),
            sources: settings.sources.clone(),
            server: settings.server.clone(),
            tls: settings.tls.clone(),
            audit: settings.audit,
            auth: settings.auth.clone(),
            clients: settings.clients.clone(),
            receivers: settings.receivers.clone(),
            receiving: settings.receiving,
            traces: settings.traces.clone(),
            login: settings.login.clone(),
        }
    }
}

/// What work beside the requests has at hand.
type Beside<'a> = (&'a Arc<dyn Store>, &'a Arc<ArcSwap<Rules>>, &'a Arc<dyn Clock>, &'a Arc<Audit>);

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
    blobs: Blobs,
    links: Opening,
    transfers: Transfers,
    workshop: Arc<Workshop>,
    bulk: BulkSettings,
    audit: Arc<Audit>,
    sources: Sources,
    ids: IdKey,
    mappings: PathBuf,
    server: ServerSettings,
    tls: Option<TlsSettings>,
    requests: RequestMeter,
    traces: Option<Arc<Traces>>,
}

impl App {
    /// Opens the data folder, compiles the maps, and connects what is configured.
    ///
    /// # Errors
    ///
    /// `Setup`, with what to put right.
    pub fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self> {
        config.check()?;
        let rules = Arc::new(ArcSwap::from_pointee(Rules::load(&config.mappings)?));
        let keys = Keys::open(&config.data)?;
        let store = open_store(&config.data, &config.store, &keys.id_key())?;
        let tokens = Arc::new(Tokens::new(&keys, Arc::clone(&clock))?);
        let redis = config.cache.redis.as_ref().map(RedisLink::open).transpose()?;
        let secret = CacheSecret::new(*keys.cache_key());
        let audit = Self::open_audit(config, &keys, &clock)?;
        let changes = Changes::new(redis.clone(), &secret)?;
        let parts = Parts {
            store: Arc::clone(&store),
            tokens: Arc::clone(&tokens),
            changes: changes.clone(),
            clock: Arc::clone(&clock),
            witness: AuditWitness::over(&audit, &clock),
            guesses: Guesses::new(config.auth.guesses_a_minute, redis.as_ref(), &secret)?,
            strangers: Strangers::new(&config.auth, redis.as_ref(), &secret)?,
        };
        let authority = Arc::new(Authority::new(parts, &config.auth, &config.clients)?);
        let blobs = open_blobs(&config.data, &config.blobs, &keys)?;
        let beside = (&store, &rules, &clock, &audit);
        let links = Self::opening(&blobs, &authority, beside);
        let (transfers, works) = Self::works(config, &keys, &blobs, beside)?;
        let reception = Self::reception_of(&keys, &store, &rules, &clock);
        let spool = config.data.as_path();
        let around = sources::Around { reception: &reception, store: &store, clock: &clock, spool };
        let (pushes, pulls) = sources::open(&config.sources, &around)?;
        Ok(Self {
            workshop: Self::workshop_of(config, &store, &clock, (&authority, works)),
            data: config.data.clone(),
            ids: keys.id_key(),
            keys,
            clock,
            store,
            limits: Limits::new(&config.limits, redis.as_ref(), &secret)?.map(Arc::new),
            redis,
            cors: config.cors.clone(),
            login: config.login.clone(),
            cache: config.cache.clone(),
            meter: CacheMeter::default(),
            rules,
            reception,
            pushes: Arc::new(pushes),
            pulls,
            blobs,
            links,
            transfers,
            bulk: config.bulk.clone(),
            audit,
            sources: config.sources.clone(),
            tokens,
            authority,
            changes,
            mappings: config.mappings.clone(),
            server: config.server.clone(),
            tls: config.tls.clone(),
            requests: RequestMeter::default(),
            traces: Traces::open(&config.traces)?,
        })
    }

    /// What opens links to copies.
    fn opening(blobs: &Blobs, authority: &Arc<Authority>, beside: Beside<'_>) -> Opening {
        let (store, _, clock, audit) = beside;
        let links = HealthLinks::new(Arc::clone(store), blobs.clone(), Arc::clone(clock));
        Opening::new(links, Self::mandates(authority, store), audit.able())
    }

    /// What takes records in.
    fn reception_of(
        keys: &Keys,
        store: &Arc<dyn Store>,
        rules: &Arc<ArcSwap<Rules>>,
        clock: &Arc<dyn Clock>,
    ) -> Arc<Reception> {
        let (kept, used, time) = (Arc::clone(store), Arc::clone(rules), Arc::clone(clock));
        Arc::new(Reception::new(kept, used, keys.id_key(), time, sources::hands()))
    }

    /// The transfers, and the kinds of work that are done beside the requests.
    fn works(
        config: &Config,
        keys: &Keys,
        blobs: &Blobs,
        beside: Beside<'_>,
    ) -> Result<(Transfers, Vec<Arc<dyn Work>>)> {
        let (store, rules, clock, audit) = beside;
        let links = HealthLinks::new(Arc::clone(store), blobs.clone(), Arc::clone(clock));
        let (transfers, sending) = Self::transfers_of(config, keys, links, beside)?;
        let (kept, used, time) = (Arc::clone(store), Arc::clone(rules), Arc::clone(clock));
        let copying = Copying {
            requests: Arc::new(Requests::new(kept, used, keys.id_key(), time)),
            blobs: blobs.clone(),
            audit: Arc::clone(audit),
        };
        let (blobs, rules, settings) = (blobs.clone(), Arc::clone(rules), config.bulk.clone());
        let able = audit.able();
        let exporting = Exporting { blobs, rules, elements: Elements::new(), settings, able };
        let matching = Matching { store: Arc::clone(store), settings: config.receiving };
        let works: Vec<Arc<dyn Work>> =
            vec![Arc::new(exporting), sending, Arc::new(copying), Arc::new(matching)];
        Ok((transfers, works))
    }

    /// The transfers, and what carries them to their receivers.
    fn transfers_of(
        config: &Config,
        keys: &Keys,
        links: HealthLinks,
        (store, rules, clock, audit): Beside<'_>,
    ) -> Result<(Transfers, Arc<dyn Work>)> {
        let (kept, used, time) = (Arc::clone(store), Arc::clone(rules), Arc::clone(clock));
        let (ids, able) = (keys.id_key(), audit.able());
        let transfers = Transfers::new(kept, used, ids, time, &config.receivers, able);
        let servers = config.receivers.iter().filter(|one| one.takes != Takes::Link);
        let partners = servers.map(|one| Partner::open(one, clock));
        let partners = partners.collect::<Result<Vec<_>>>()?;
        let audit = Arc::clone(audit);
        let follow = Duration::from_secs(config.jobs.follow_s);
        let sending = Sending { transfers: transfers.clone(), partners, links, audit, follow };
        Ok((transfers, Arc::new(sending)))
    }

    /// What does the jobs.
    fn workshop_of(
        config: &Config,
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
        (authority, works): (&Arc<Authority>, Vec<Arc<dyn Work>>),
    ) -> Arc<Workshop> {
        let mandates = Self::mandates(authority, store);
        let (store, clock) = (Arc::clone(store), Arc::clone(clock));
        Arc::new(Workshop::new(store, clock, mandates, works, config.jobs.clone()))
    }

    /// What tells whether a mandate stands.
    fn mandates(authority: &Arc<Authority>, store: &Arc<dyn Store>) -> Arc<dyn Mandates> {
        Arc::new(StandingMandates { authority: authority.clone(), store: store.clone() })
    }

    /// The audit, which signs with a key of the installation.
    fn open_audit(config: &Config, keys: &Keys, clock: &Arc<dyn Clock>) -> Result<Arc<Audit>> {
        let ledger = open_ledger(&config.data, &config.store)?;
        Audit::start(ledger, Notary::new(keys)?, Arc::clone(clock), config.audit).map(Arc::new)
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

    /// What people ask about their records.
    pub fn requests(&self) -> Requests {
        let (store, rules) = (Arc::clone(&self.store), Arc::clone(&self.rules));
        Requests::new(store, rules, self.ids.clone(), Arc::clone(&self.clock))
    }

    /// The consents that people sign.
    pub fn signing(&self) -> Signing {
        let (store, rules) = (Arc::clone(&self.store), Arc::clone(&self.rules));
        Signing::new(store, rules, self.ids.clone(), Arc::clone(&self.clock))
    }

    /// Takes away what was kept long enough.
    pub fn retention(&self) -> Retention {
        Retention {
            store: Arc::clone(&self.store),
            rules: Arc::clone(&self.rules),
            ids: self.ids.clone(),
            clock: Arc::clone(&self.clock),
            audit: Arc::clone(&self.audit),
            links: self.links(),
            workshop: Arc::clone(&self.workshop),
        }
    }

    /// The transfers of care.
    pub fn transfers(&self) -> &Transfers {
        &self.transfers
    }

    /// The Patient that a client of a tenant is.
    pub fn patient(&self, tenant: &TenantId, client: &str) -> FhirId {
        self.ids.tenant(tenant).id(Kind::Client, client)
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

    /// What is done beside the requests.
    pub fn workshop(&self) -> &Arc<Workshop> {
        &self.workshop
    }

    /// Where files are kept that are too long for the store.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Makes links to encrypted copies, and takes them back.
    pub fn links(&self) -> HealthLinks {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        HealthLinks::new(store, self.blobs.clone(), clock)
    }

    /// Where it is written down what was done.
    pub fn audit(&self) -> &Arc<Audit> {
        &self.audit
    }

    /// Names what this product counts to a registry.
    pub fn register(&self, registry: &mut Registry) {
        self.requests.register(registry);
        self.meter.register(registry);
        self.audit.register(registry);
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
}
