//! Rate limits: how much each client may ask for, counted in this process or, where replicas share
//! a Redis, together.
//!
//! The rule is the generic cell rate algorithm (ITU-T I.371): a quota flows back evenly instead of
//! at the ends of windows, so that nobody can spend two quotas around one. While Redis gives no
//! answer each process counts for itself, and a metric says so.

mod bucket;
mod gcra;
mod guesses;
mod shared;
mod who;

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::sync::Cache as Moka;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use self::bucket::Bucket;
use self::gcra::{Quota, Spent};
use self::shared::Shared;
use crate::cache::{CacheSecret, RedisLink};
use crate::config::LimitSettings;
use crate::error::Result;

pub use self::guesses::Guesses;
pub use self::who::Who;

/// Clients that are remembered; the quota of one that is forgotten is whole again.
const REMEMBERED: u64 = 100_000;

/// What a request asks for, which decides what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// One resource, one version, a history, or the CapabilityStatement.
    Read,
    /// A search.
    Search,
    /// A batch, or an operation over many resources.
    Bulk,
}

/// What is to be told about a request that was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whose quota it is about: `client` or `address`.
    pub policy: &'static str,
    /// The units of the quota.
    pub units: u32,
    /// The seconds in which they flow back.
    pub window_s: u32,
    /// The units that are left.
    pub remaining: u32,
    /// The seconds until all of them are back.
    pub reset_s: u64,
    /// The seconds to wait, for a request that is refused.
    pub retry_s: Option<u64>,
}

/// Counts what clients ask for.
pub struct Limits {
    settings: LimitSettings,
    start: Instant,
    buckets: Moka<String, Arc<Bucket>>,
    shared: Option<Shared>,
    counted: Family<[(&'static str, &'static str); 2], Counter>,
}

impl Limits {
    /// Limits by their settings, shared where there is a Redis; none if nothing is limited.
    pub fn new(
        settings: &LimitSettings,
        redis: Option<&RedisLink>,
        secret: &CacheSecret,
    ) -> Result<Option<Self>> {
        if !settings.is_on() {
            return Ok(None);
        }
        let shared = redis.map(|link| Shared::new(link.clone(), secret)).transpose()?;
        let idle = Duration::from_secs(u64::from(settings.window_s)) * 2;
        let buckets = Moka::builder().max_capacity(REMEMBERED).time_to_idle(idle).build();
        let (settings, start) = (settings.clone(), Instant::now());
        Ok(Some(Self { settings, start, buckets, shared, counted: Family::default() }))
    }

    /// Names the counters to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Requests counted against a rate limit: together with the other replicas or in \
                    this process alone, and whether they were let pass";
        registry.register("rate_limit_requests", help, self.counted.clone());
    }

    /// Counts a request; nothing is to be told where there is no limit.
    pub async fn count(&self, who: &Who<'_>, class: Class) -> Option<Verdict> {
        let quota = self.quota(who)?;
        let cost = self.cost(class).min(quota.units());
        let key = who.key();
        let bucket = self.buckets.get(&key).unwrap_or_else(|| {
            let bucket =
                Arc::new(Bucket::new(self.shared.as_ref().map(|shared| shared.name(&key))));
            self.buckets.get_with(key, || bucket)
        });
        let (spent, scope) = self.spend(quota, cost, &bucket).await;
        let outcome = if spent.is_allowed() { "allowed" } else { "limited" };
        self.counted.get_or_create(&[("scope", scope), ("outcome", outcome)]).inc();
        Some(spent.verdict(who.policy(), quota))
    }

    async fn spend(&self, quota: Quota, cost: u32, bucket: &Bucket) -> (Spent, &'static str) {
        let now = || u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        if let (Some(shared), Some(name)) = (&self.shared, bucket.name()) {
            // Who was told to wait is told so again without a trip to Redis.
            if let Some(spent) = bucket.still_closed(quota, cost, now()) {
                return (spent, "shared");
            }
            if let Some(spent) = shared.spend(name, quota, cost).await {
                bucket.close(&spent, cost, now());
                return (spent, "shared");
            }
        }
        (bucket.spend(quota, cost, now()), "process")
    }

    fn quota(&self, who: &Who<'_>) -> Option<Quota> {
        let units = match who {
            Who::Client { subject, .. } => {
                *self.settings.clients.get(*subject).unwrap_or(&self.settings.quota)
            }
            Who::Address(_) => self.settings.address_quota,
        };
        Quota::new(units, self.settings.window_s)
    }

    fn cost(&self, class: Class) -> u32 {
        match class {
            Class::Read => self.settings.cost.read,
            Class::Search => self.settings.cost.search,
            Class::Bulk => self.settings.cost.bulk,
        }
    }
}
