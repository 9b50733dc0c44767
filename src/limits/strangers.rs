//! Limits for strangers: what anybody may have kept here before it is known who they are, such as a
//! request that waits for a person. By address and in all, so that nobody fills the store.

use std::net::IpAddr;

use super::buckets::Buckets;
use super::gcra::Quota;
use super::who::Who;
use crate::cache::{CacheSecret, RedisLink};
use crate::config::AuthSettings;
use crate::error::Result;

/// The seconds in which a quota flows back.
const WINDOW_S: u32 = 60;
/// What the quota of all is filed under.
const ALL: &str = "strangers";

/// Counts what strangers have kept.
pub struct Strangers {
    /// Of one address; without a limit where it is none.
    address: Option<Quota>,
    /// Of all together.
    all: Option<Quota>,
    buckets: Buckets,
}

impl Strangers {
    /// As many as the settings say.
    pub fn new(
        settings: &AuthSettings,
        redis: Option<&RedisLink>,
        secret: &CacheSecret,
    ) -> Result<Self> {
        let quota = |units| Quota::new(units, WINDOW_S);
        let address = quota(settings.requests_a_minute);
        let all = quota(settings.requests_of_all_a_minute);
        Ok(Self { address, all, buckets: Buckets::new(WINDOW_S, redis, secret)? })
    }

    /// Counts one more that is to be kept; the seconds to wait, if it may not be.
    pub async fn wait(&self, address: Option<IpAddr>) -> Option<u64> {
        // A flood from one address ends at its own quota, and takes nothing of that of all.
        let own = self.address.zip(address).map(|(quota, address)| {
            let key = format!("{ALL} {}", Who::Address(address).key());
            (key, quota)
        });
        let all = self.all.map(|quota| (ALL.to_owned(), quota));
        for (key, quota) in own.into_iter().chain(all) {
            let (spent, _) = self.buckets.spend(key, quota, 1).await;
            if let Some(seconds) = spent.verdict(ALL, quota).retry_s {
                return Some(seconds);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strangers(address: u32, all: u32) -> Strangers {
        let settings = AuthSettings {
            requests_a_minute: address,
            requests_of_all_a_minute: all,
            ..AuthSettings::default()
        };
        Strangers::new(&settings, None, &CacheSecret::new([1; 32])).unwrap()
    }

    async fn let_pass(strangers: &Strangers, address: &str, times: usize) -> usize {
        let mut passed = 0;
        for _ in 0..times {
            let waits = strangers.wait(Some(address.parse().unwrap())).await;
            passed += usize::from(waits.is_none());
        }
        passed
    }

    #[tokio::test]
    async fn an_address_has_a_quota_of_its_own_and_all_have_one_together() {
        let strangers = strangers(3, 5);
        assert_eq!(let_pass(&strangers, "192.0.2.1", 10).await, 3);
        assert_eq!(let_pass(&strangers, "192.0.2.2", 10).await, 2, "what is left of all");
        assert_eq!(let_pass(&strangers, "192.0.2.3", 10).await, 0);
        assert!(strangers.wait(None).await.is_some_and(|seconds| seconds <= 12));
    }

    #[tokio::test]
    async fn nothing_is_no_limit() {
        assert_eq!(let_pass(&strangers(0, 0), "192.0.2.1", 1000).await, 1000);
    }
}
