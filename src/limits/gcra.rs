//! The generic cell rate algorithm (ITU-T I.371, annex A): one number per client, the time at
//! which its quota would be whole again. Times are in microseconds.

use super::Verdict;

/// So many units, which flow back evenly within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    units: u32,
    window_s: u32,
    /// The time in which one unit flows back.
    interval: u64,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spent {
    /// The time until the quota is whole again.
    pub(super) used: u64,
    /// The time after which the same request would be let pass; 0 for one that is.
    pub(super) wait: u64,
}

impl Quota {
    /// A quota; `None` if it has no units.
    pub(super) fn new(units: u32, window_s: u32) -> Option<Self> {
        let window = u64::from(window_s.max(1)) * 1_000_000;
        let interval = window.checked_div(u64::from(units))?.max(1);
        Some(Self { units, window_s, interval })
    }

    pub(super) fn units(self) -> u32 {
        self.units
    }

    /// The time in which so many units flow back.
    pub(super) fn time(self, units: u32) -> u64 {
        self.interval * u64::from(units)
    }

    /// Spends `cost` units now, if they are there; the quota is whole at `whole` before, and at
    /// the first answer after it.
    pub(super) fn spend(self, whole: u64, now: u64, cost: u32) -> (u64, Spent) {
        let used = whole.saturating_sub(now);
        let after = used + self.time(cost);
        match after.checked_sub(self.time(self.units)) {
            None | Some(0) => (now + after, Spent { used: after, wait: 0 }),
            Some(wait) => (whole, Spent { used, wait }),
        }
    }
}

impl Spent {
    pub(super) fn is_allowed(self) -> bool {
        self.wait == 0
    }

    pub(super) fn verdict(self, policy: &'static str, quota: Quota) -> Verdict {
        let seconds = |time: u64| time.div_ceil(1_000_000);
        let left = quota.time(quota.units).saturating_sub(self.used) / quota.interval;
        Verdict {
            policy,
            units: quota.units,
            window_s: quota.window_s,
            remaining: u32::try_from(left).unwrap_or(quota.units),
            reset_s: seconds(self.used),
            retry_s: (self.wait > 0).then(|| seconds(self.wait)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_quota_can_be_spent_at_once_and_flows_back_evenly() {
        let quota = Quota::new(10, 60).unwrap();
        let (mut whole, now) = (0, 1_000 * SECOND);
        for left in (0..10).rev() {
            let (after, spent) = quota.spend(whole, now, 1);
            assert!(spent.is_allowed());
            assert_eq!(spent.verdict("client", quota).remaining, left);
            whole = after;
        }
        let (_, refused) = quota.spend(whole, now, 1);
        let verdict = refused.verdict("client", quota);
        assert_eq!((verdict.remaining, verdict.retry_s, verdict.reset_s), (0, Some(6), 60));
        assert!(!quota.spend(whole, now + 6 * SECOND - 1, 1).1.is_allowed());
        let (whole, spent) = quota.spend(whole, now + 6 * SECOND, 1);
        assert!(spent.is_allowed());
        assert!(!quota.spend(whole, now + 6 * SECOND, 1).1.is_allowed(), "one came back");
    }

    #[test]
    fn a_refused_request_costs_nothing() {
        let quota = Quota::new(10, 60).unwrap();
        let (whole, _) = quota.spend(0, 0, 8);
        let (after, refused) = quota.spend(whole, 0, 5);
        assert_eq!((after, refused.wait), (whole, 18 * SECOND));
        assert!(quota.spend(after, 0, 2).1.is_allowed());
    }

    #[test]
    fn no_units_are_no_quota() {
        assert_eq!(Quota::new(0, 60), None);
    }
}
