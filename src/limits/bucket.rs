//! What this process knows of one client's quota.

use std::sync::atomic::{AtomicU64, Ordering};

use super::gcra::{Quota, Spent};

/// The quota of one client. Times are in microseconds since the start of the process.
pub(super) struct Bucket {
    /// When the quota is whole again, as counted here.
    whole: AtomicU64,
    /// Until when Redis would refuse a request of [`Self::closed_cost`] units or more.
    closed_until: AtomicU64,
    closed_cost: AtomicU64,
    /// What it is called in Redis.
    name: Option<String>,
}

impl Bucket {
    pub(super) fn new(name: Option<String>) -> Self {
        Self {
            whole: AtomicU64::new(0),
            closed_until: AtomicU64::new(0),
            closed_cost: AtomicU64::new(0),
            name,
        }
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Spends as counted here.
    pub(super) fn spend(&self, quota: Quota, cost: u32, now: u64) -> Spent {
        let mut before = self.whole.load(Ordering::Relaxed);
        loop {
            let (after, spent) = quota.spend(before, now, cost);
            let swapped = self.whole.compare_exchange_weak(
                before,
                after,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            match swapped {
                Ok(_) => return spent,
                Err(changed) => before = changed,
            }
        }
    }

    /// Remembers that Redis refused.
    pub(super) fn close(&self, spent: &Spent, cost: u32, now: u64) {
        if !spent.is_allowed() {
            self.closed_cost.store(u64::from(cost), Ordering::Relaxed);
            self.closed_until.store(now + spent.wait, Ordering::Release);
        }
    }

    /// The refusal that Redis would repeat.
    pub(super) fn still_closed(&self, quota: Quota, cost: u32, now: u64) -> Option<Spent> {
        let wait = self.closed_until.load(Ordering::Acquire).checked_sub(now)?;
        let covers = u64::from(cost) >= self.closed_cost.load(Ordering::Relaxed);
        // What is used is what leaves too little for this cost.
        let used = (quota.time(quota.units()) + wait).saturating_sub(quota.time(cost));
        (wait > 0 && covers).then_some(Spent { used, wait })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_redis_is_repeated_until_it_is_over_for_what_costs_as_much() {
        let quota = Quota::new(10, 10).unwrap();
        let bucket = Bucket::new(None);
        assert_eq!(bucket.still_closed(quota, 5, 0), None);
        let refused = Spent { used: 8_000_000, wait: 3_000_000 };
        bucket.close(&refused, 5, 1_000);
        assert_eq!(bucket.still_closed(quota, 5, 1_000), Some(refused));
        assert_eq!(bucket.still_closed(quota, 1, 1_000), None, "this may pass");
        assert_eq!(bucket.still_closed(quota, 5, 3_001_000), None);
    }
}
