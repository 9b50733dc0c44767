//! Rate limits: how much each client may ask for, counted in this process or, where replicas share
//! a Redis, together.
//!
//! The rule is the generic cell rate algorithm (ITU-T I.371): a quota flows back evenly instead of
//! at the ends of windows, so that nobody can spend two quotas around one. While Redis gives no
//! answer each process counts for itself, and a metric says so.

mod bucket;
mod buckets;
mod gcra;
mod guesses;
mod shared;
mod strangers;
mod who;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use self::buckets::Buckets;
use self::gcra::Quota;
use crate::cache::{CacheSecret, RedisLink};
use crate::config::LimitSettings;
use crate::error::Result;

pub use self::guesses::Guesses;
pub use self::strangers::Strangers;
pub use self::who::Who;

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
    buckets: Buckets,
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
        let buckets = Buckets::new(settings.window_s, redis, secret)?;
        Ok(Some(Self { settings: settings.clone(), buckets, counted: Family::default() }))
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
        let (spent, scope) = self.buckets.spend(who.key(), quota, cost).await;
        let outcome = if spent.is_allowed() { "allowed" } else { "limited" };
        self.counted.get_or_create(&[("scope", scope), ("outcome", outcome)]).inc();
        Some(spent.verdict(who.policy(), quota))
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
