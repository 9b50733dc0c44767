//! Limits for guessing: who has failed often to prove to be a client waits for a minute, at every
//! replica where they share a Redis. Each process counts too, and goes by its own count while Redis
//! gives no answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use moka::sync::Cache;

use super::shared::Counts;
use crate::cache::{CacheSecret, RedisLink};
use crate::error::Result;

/// How many times as often somebody at one address may fail for all clients as for one.
const CLIENTS: u32 = 5;
/// The window.
const WINDOW: Duration = Duration::from_mins(1);
/// How many addresses and clients are remembered.
const REMEMBERED: u64 = 100_000;

/// Counts failures.
pub struct Guesses {
    /// Failures within a window, of one address for one client.
    most: u32,
    failures: Cache<String, Arc<AtomicU32>>,
    shared: Option<Counts>,
}

impl Guesses {
    /// So many failures a minute for one client.
    pub fn new(most: u32, redis: Option<&RedisLink>, secret: &CacheSecret) -> Result<Self> {
        let shared = redis.map(|link| Counts::new(link.clone(), secret, WINDOW)).transpose()?;
        let failures = Cache::builder().max_capacity(REMEMBERED).time_to_live(WINDOW).build();
        Ok(Self { most, failures, shared })
    }

    /// Whether somebody at this address has to wait before they are that client.
    pub async fn is_closed(&self, address: IpAddr, client: &str) -> bool {
        let bounds = [self.most, self.most.saturating_mul(CLIENTS)];
        for (name, most) in names(address, client).into_iter().zip(bounds) {
            let here = self.failures.get(&name).map_or(0, |count| count.load(Ordering::Relaxed));
            if here >= most {
                return true;
            }
            if let Some(shared) = &self.shared
                && shared.of(&name).await.is_some_and(|count| count >= u64::from(most))
            {
                return true;
            }
        }
        false
    }

    /// Counts a failure.
    pub async fn failed(&self, address: IpAddr, client: &str) {
        for name in names(address, client) {
            if let Some(shared) = &self.shared {
                shared.add(&name).await;
            }
            self.failures.get_with(name, Arc::default).fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What a client at an address is counted under, and what the address is. Of an IPv6 address the
/// first 64 bits count: the rest is the caller's to choose (RFC 4291, 2.5.1).
fn names(address: IpAddr, client: &str) -> [String; 2] {
    let address = match address.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    };
    let client = hex::encode(digest(&SHA256, client.as_bytes()).as_ref());
    [format!("guess {address:x} {client}"), format!("guess {address:x}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guesses() -> Guesses {
        Guesses::new(10, None, &CacheSecret::new([7; 32])).unwrap()
    }

    #[tokio::test]
    async fn who_guesses_waits_and_nobody_else_does() {
        let guesses = guesses();
        let [here, there]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|a| a.parse().unwrap());
        for _ in 0..10 {
            assert!(!guesses.is_closed(here, "app").await);
            guesses.failed(here, "app").await;
        }
        assert!(guesses.is_closed(here, "app").await);
        assert!(!guesses.is_closed(here, "other").await && !guesses.is_closed(there, "app").await);
        for number in 10..50 {
            guesses.failed(here, &number.to_string()).await;
        }
        assert!(guesses.is_closed(here, "new").await, "somebody who tries names");
        assert!(!guesses.is_closed(there, "new").await);
    }

    #[tokio::test]
    async fn addresses_of_one_network_are_one() {
        let guesses = guesses();
        for last in 0..10 {
            guesses.failed(format!("2001:db8::{last}").parse().unwrap(), "app").await;
        }
        assert!(guesses.is_closed("2001:db8::ffff".parse().unwrap(), "app").await);
        assert!(!guesses.is_closed("2001:db8:0:1::1".parse().unwrap(), "app").await);
    }
}
