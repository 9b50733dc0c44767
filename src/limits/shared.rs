//! Quotas that replicas count together: one script, run by Redis as one step on Redis's clock.

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
        let tag = hmac::sign(&self.names, key.as_bytes());
        format!("throughline:limit:{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
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
