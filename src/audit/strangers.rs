//! How many refusals of unknown callers are written down.
//!
//! Anybody can make them, so that their number must not fill the disk: some in each second are
//! written one by one, and the next one that is written tells how many were not.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Clock;

/// How many are written in a second.
const EACH_SECOND: u32 = 20;

/// Counts them.
pub(super) struct Strangers {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    second: i64,
    admitted: u32,
    passed_over: u64,
}

impl Strangers {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Whether one more is written, and how many before it were not.
    pub(super) fn admit(&self) -> Option<u64> {
        let now = self.clock.now().as_second();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.second != now {
            state.second = now;
            state.admitted = 0;
        }
        if state.admitted < EACH_SECOND {
            state.admitted += 1;
            return Some(std::mem::take(&mut state.passed_over));
        }
        state.passed_over += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use jiff::Timestamp;

    use super::*;

    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
        }
    }

    #[test]
    fn beyond_some_in_a_second_they_are_counted_only() {
        let clock = Arc::new(Hand(AtomicI64::new(7)));
        let strangers = Strangers::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let admitted = (0..100).filter_map(|_| strangers.admit()).count();
        assert_eq!(admitted, 20);
        clock.0.store(8, Ordering::Relaxed);
        assert_eq!(strangers.admit(), Some(80));
        assert_eq!(strangers.admit(), Some(0));
    }
}
