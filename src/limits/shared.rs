//! What replicas count together: scripts, each run by Redis as one step on Redis's clock.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::{Cmd, Script};

use super::gcra::{Quota, Spent};
use crate::cache::{CacheSecret, Fault, RedisLink};
use crate::error::{Error, Result};

/// `KEYS[1]` holds the microsecond at which the quota is whole again; `ARGV` are the time in which
/// the quota flows back and the time in which the cost does. A time that no quota can have, which
/// somebody else must have put there, counts as a spent quota.
const SPEND: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local quota, cost = tonumber(ARGV[1]), tonumber(ARGV[2])
local used = (tonumber(redis.call('GET', KEYS[1])) or 0) - now
used = math.min(math.max(used, 0), quota)
if used + cost > quota then
  return {used, used + cost - quota}
end
used = used + cost
redis.call('SET', KEYS[1], string.format('%.0f', now + used), 'PX', math.ceil(used / 1000) + 1)
return {used, 0}
";

/// Counts one more under `KEYS[1]`, until the milliseconds of `ARGV[1]` after the first. A count that
/// would stay for ever, which somebody else must have put there, ends as well.
const ADD: &str = "
local count = redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return count
";

/// What is counted under a name in Redis: neither client nor address can be read or guessed.
fn named(names: &hmac::Key, key: &str) -> String {
    let tag = hmac::sign(names, key.as_bytes());
    format!("throughline:limit:{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

/// Counts in Redis, each of which ends after a while.
pub(super) struct Counts {
    link: RedisLink,
    names: hmac::Key,
    window: Duration,
}

impl Counts {
    pub(super) fn new(link: RedisLink, secret: &CacheSecret, window: Duration) -> Result<Self> {
        let names = secret.names(b"limit").map_err(Error::internal)?;
        Ok(Self { link, names, window })
    }

    /// How many were counted, if Redis answers.
    pub(super) async fn of(&self, key: &str) -> Option<u64> {
        let mut ask = redis::cmd("GET");
        ask.arg(named(&self.names, key));
        let count: Option<u64> = self.link.ask(&ask).await.ok()?;
        Some(count.unwrap_or(0))
    }

    /// Counts one more, if Redis answers.
    pub(super) async fn add(&self, key: &str) {
        let mut ask = redis::cmd("EVAL");
        let window = u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX);
        ask.arg(ADD).arg(1).arg(named(&self.names, key)).arg(window);
        // Where it gives none, the process has counted it.
        let _counted: std::result::Result<u64, Fault> = self.link.ask(&ask).await;
    }
}

/// Quotas in Redis.
pub(super) struct Shared {
    link: RedisLink,
    names: hmac::Key,
    script: Script,
}

impl Shared {
    pub(super) fn new(link: RedisLink, secret: &CacheSecret) -> Result<Self> {
        let names = secret.names(b"limit").map_err(Error::internal)?;
        Ok(Self { link, names, script: Script::new(SPEND) })
    }

    /// What a quota is called in Redis: neither client nor address can be read or guessed.
    pub(super) fn name(&self, key: &str) -> String {
        named(&self.names, key)
    }

    /// Spends, if Redis answers.
    pub(super) async fn spend(&self, name: &str, quota: Quota, cost: u32) -> Option<Spent> {
        let run = |mut command: Cmd, script: &str| {
            let (all, cost) = (quota.time(quota.units()), quota.time(cost));
            command.arg(script).arg(1).arg(name).arg(all).arg(cost);
            command
        };
        let known = run(redis::cmd("EVALSHA"), self.script.get_hash());
        let answer = match self.link.ask(&known).await {
            Err(Fault::NoScript) => self.link.ask(&run(redis::cmd("EVAL"), SPEND)).await,
            answer => answer,
        };
        let (used, wait) = answer.ok()?;
        Some(Spent { used, wait })
    }
}
