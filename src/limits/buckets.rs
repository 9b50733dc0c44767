//! The quotas of everybody who was seen lately: counted in Redis where there is one that answers, in
//! this process otherwise.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::sync::Cache as Moka;

use super::bucket::Bucket;
use super::gcra::{Quota, Spent};
use super::shared::Shared;
use crate::cache::{CacheSecret, RedisLink};
use crate::error::Result;

/// Callers that are remembered; the quota of one that is forgotten is whole again.
const REMEMBERED: u64 = 100_000;

/// Quotas by what they are filed under.
pub(super) struct Buckets {
    start: Instant,
    known: Moka<String, Arc<Bucket>>,
    shared: Option<Shared>,
}

impl Buckets {
    /// Quotas that flow back within so many seconds, shared where there is a Redis.
    pub(super) fn new(
        window_s: u32,
        redis: Option<&RedisLink>,
        secret: &CacheSecret,
    ) -> Result<Self> {
        let shared = redis.map(|link| Shared::new(link.clone(), secret)).transpose()?;
        let idle = Duration::from_secs(u64::from(window_s)) * 2;
        let known = Moka::builder().max_capacity(REMEMBERED).time_to_idle(idle).build();
        Ok(Self { start: Instant::now(), known, shared })
    }

    /// Spends of the quota that is filed under `key`; answers also where it was counted: `shared` or
    /// `process`.
    pub(super) async fn spend(
        &self,
        key: String,
        quota: Quota,
        cost: u32,
    ) -> (Spent, &'static str) {
        let bucket = self.known.get(&key).unwrap_or_else(|| {
            let name = self.shared.as_ref().map(|shared| shared.name(&key));
            self.known.get_with(key, || Arc::new(Bucket::new(name)))
        });
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
}
