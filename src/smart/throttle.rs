//! Limits for guessing: who has failed often to prove to be a client waits for a minute.
//!
//! Counted in this process: with several replicas somebody may guess as many times more.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use moka::sync::Cache;

/// How many times as often somebody at one address may fail for all clients as for one.
const CLIENTS: u32 = 5;
/// The window.
const WINDOW: Duration = Duration::from_mins(1);
/// How many addresses and clients are remembered.
const REMEMBERED: u64 = 100_000;

/// Counts failures.
pub(super) struct Throttle {
    /// Failures within a window, of one address for one client.
    most: u32,
    failures: Cache<(u128, [u8; 32]), Arc<AtomicU32>>,
}

impl Throttle {
    /// So many failures a minute for one client.
    pub(super) fn new(most: u32) -> Self {
        let failures = Cache::builder().max_capacity(REMEMBERED).time_to_live(WINDOW).build();
        Self { most, failures }
    }

    /// Whether somebody at this address has to wait before they are that client.
    pub(super) fn is_closed(&self, address: IpAddr, client: &str) -> bool {
        let counted = |key, most| {
            let count = self.failures.get(&key).map(|count| count.load(Ordering::Relaxed));
            count.is_some_and(|count| count >= most)
        };
        let [one, any] = keys(address, client);
        counted(one, self.most) || counted(any, self.most.saturating_mul(CLIENTS))
    }

    /// Counts a failure.
    pub(super) fn failed(&self, address: IpAddr, client: &str) {
        for key in keys(address, client) {
            self.failures.get_with(key, Arc::default).fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What a client at an address is counted under, and what the address is. Of an IPv6 address the
/// first 64 bits count: the rest is the caller's to choose (RFC 4291, 2.5.1).
fn keys(address: IpAddr, client: &str) -> [(u128, [u8; 32]); 2] {
    let address = match address.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    };
    [(address, crate::auth::digest(client)), (address, [0; 32])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_guesses_waits_and_nobody_else_does() {
        let throttle = Throttle::new(10);
        let [here, there]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|a| a.parse().unwrap());
        for _ in 0..10 {
            assert!(!throttle.is_closed(here, "app"));
            throttle.failed(here, "app");
        }
        assert!(throttle.is_closed(here, "app"));
        assert!(!throttle.is_closed(here, "other") && !throttle.is_closed(there, "app"));
        for number in 10..50 {
            throttle.failed(here, &number.to_string());
        }
        assert!(throttle.is_closed(here, "new"), "somebody who tries names");
        assert!(!throttle.is_closed(there, "new"));
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let throttle = Throttle::new(10);
        for last in 0..10 {
            throttle.failed(format!("2001:db8::{last}").parse().unwrap(), "app");
        }
        assert!(throttle.is_closed("2001:db8::ffff".parse().unwrap(), "app"));
        assert!(!throttle.is_closed("2001:db8:0:1::1".parse().unwrap(), "app"));
    }
}
