//! Whether something is seen for the first time: the guard of what may be used once only, such as
//! a signed request or an assertion.
//!
//! The guard never forgets early. Where it cannot tell, it says so, and the caller refuses.

use std::collections::{BTreeSet, HashSet};
use std::future::ready;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::BoxFuture;
use crate::error::{Error, Result};

/// How many keys are remembered in process; 72 bytes each and what the collections add.
const MOST: usize = 1_000_000;

/// Tells the first sight of a key from the others.
pub trait Once: Send + Sync {
    /// Whether `key` is seen for the first time within `keep`. Of many that ask at the same time,
    /// one is told so. `key` is a digest of what may be used once, with its purpose.
    ///
    /// # Errors
    ///
    /// `Unavailable`: it cannot be told now, so that the caller has to refuse.
    fn first<'a>(&'a self, key: &'a [u8; 32], keep: Duration) -> BoxFuture<'a, Result<bool>>;
}

/// A guard in this process, for a single replica.
pub struct MemoryOnce {
    seen: Mutex<Seen>,
    most: usize,
}

#[derive(Default)]
struct Seen {
    keys: HashSet<[u8; 32]>,
    /// The same keys by the time when they are forgotten.
    ends: BTreeSet<(Instant, [u8; 32])>,
}

impl Default for MemoryOnce {
    fn default() -> Self {
        Self { seen: Mutex::default(), most: MOST }
    }
}

impl MemoryOnce {
    fn is_first(&self, key: &[u8; 32], keep: Duration, now: Instant) -> Result<bool> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget(now);
        if seen.keys.contains(key) {
            return Ok(false);
        }
        if seen.keys.len() >= self.most {
            return Err(Error::unavailable("too much is remembered to remember more"));
        }
        seen.keys.insert(*key);
        seen.ends.insert((now + keep, *key));
        Ok(true)
    }
}

impl Seen {
    fn forget(&mut self, now: Instant) {
        while let Some((_, key)) = self.ends.first().filter(|(end, _)| *end <= now).copied() {
            self.keys.remove(&key);
            self.ends.pop_first();
        }
    }
}

impl Once for MemoryOnce {
    fn first<'a>(&'a self, key: &'a [u8; 32], keep: Duration) -> BoxFuture<'a, Result<bool>> {
        Box::pin(ready(self.is_first(key, keep, Instant::now())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_first_once_until_its_time_is_over() {
        let (once, start) = (MemoryOnce::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let keep = Duration::from_secs(10);
        assert!(once.is_first(&[1; 32], keep, at(0)).unwrap());
        assert!(!once.is_first(&[1; 32], keep, at(9)).unwrap());
        assert!(once.is_first(&[2; 32], keep, at(9)).unwrap());
        assert!(once.is_first(&[1; 32], keep, at(10)).unwrap());
        assert!(!once.is_first(&[2; 32], keep, at(18)).unwrap(), "each has its own time");
    }

    #[test]
    fn a_full_guard_refuses_to_answer_and_forgets_nothing() {
        let once = MemoryOnce { most: 2, ..MemoryOnce::default() };
        let (start, keep) = (Instant::now(), Duration::from_secs(10));
        assert!(once.is_first(&[1; 32], keep, start).unwrap());
        assert!(once.is_first(&[2; 32], keep, start).unwrap());
        assert!(matches!(once.is_first(&[3; 32], keep, start), Err(Error::Unavailable(_))));
        assert!(!once.is_first(&[1; 32], keep, start).unwrap());
        assert!(once.is_first(&[3; 32], keep, start + keep).unwrap());
    }
}
