//! Stops asking a service that does not answer, so that its absence costs no request any time.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The first pause after a failure; it doubles with each further one.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest pause between two trials.
const LONGEST: Duration = Duration::from_secs(2);

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// The service answers: ask it.
    Ask,
    /// It does not: go on without it.
    Skip,
    /// Go on without it, and try it aside; only one caller is told so.
    Try,
}

/// Remembers whether a service answers. Closed at first.
pub(super) struct Breaker {
    start: Instant,
    /// 0 while the service answers; else the millisecond since `start` of the next trial.
    retry: AtomicU64,
    failures: AtomicU32,
}

impl Breaker {
    pub(super) fn new(start: Instant) -> Self {
        Self { start, retry: AtomicU64::new(0), failures: AtomicU32::new(0) }
    }

    /// Whether the service answers, as far as is known.
    pub(super) fn is_closed(&self) -> bool {
        self.retry.load(Ordering::Acquire) == 0
    }

    pub(super) fn admit(&self, now: Instant) -> Admission {
        let retry = self.retry.load(Ordering::Acquire);
        if retry == 0 {
            return Admission::Ask;
        }
        let now = self.millis(now);
        if now < retry {
            return Admission::Skip;
        }
        // Whoever moves the time of the next trial makes this one.
        let next = now + millis(LONGEST);
        match self.retry.compare_exchange(retry, next, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Admission::Try,
            Err(_) => Admission::Skip,
        }
    }

    /// The service did not answer a request. Of many that were waiting, the first one counts.
    pub(super) fn fail(&self, now: Instant) {
        let next = self.millis(now) + millis(SHORTEST);
        // If this fails, the breaker is open already.
        let _open = self.retry.compare_exchange(0, next, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// The service did not answer a trial.
    pub(super) fn fail_again(&self, now: Instant) {
        let failures = self.failures.fetch_add(1, Ordering::AcqRel).min(8);
        let pause = millis(SHORTEST * 2_u32.pow(failures + 1)).min(millis(LONGEST));
        self.retry.store(self.millis(now) + pause, Ordering::Release);
    }

    /// The service answered a trial.
    pub(super) fn recover(&self) {
        self.failures.store(0, Ordering::Release);
        self.retry.store(0, Ordering::Release);
    }

    fn millis(&self, now: Instant) -> u64 {
        // 0 means closed.
        millis(now.saturating_duration_since(self.start)).max(1)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_at_a_failure_and_tries_again_once_per_pause() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let breaker = Breaker::new(start);
        assert_eq!(breaker.admit(at(0)), Admission::Ask);
        breaker.fail(at(10));
        assert_eq!(breaker.admit(at(109)), Admission::Skip);
        assert_eq!(breaker.admit(at(110)), Admission::Try);
        assert_eq!(breaker.admit(at(110)), Admission::Skip, "one trial at a time");
        breaker.fail(at(111));
        breaker.fail_again(at(115));
        assert_eq!(breaker.admit(at(314)), Admission::Skip, "the pause doubles");
        assert_eq!(breaker.admit(at(315)), Admission::Try);
        breaker.recover();
        assert_eq!(breaker.admit(at(316)), Admission::Ask);
        breaker.fail(at(320));
        assert_eq!(breaker.admit(at(420)), Admission::Try, "pauses start short again");
    }

    #[test]
    fn a_trial_that_never_ends_is_followed_by_another() {
        let start = Instant::now();
        let breaker = Breaker::new(start);
        for _ in 0..99 {
            breaker.fail_again(start);
        }
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(breaker.admit(at(1_900)), Admission::Skip);
        assert_eq!(breaker.admit(at(2_100)), Admission::Try);
        assert_eq!(breaker.admit(at(4_000)), Admission::Skip);
        assert_eq!(breaker.admit(at(4_200)), Admission::Try);
    }
}
