//! How often a source is asked, and how long it is left alone when it is in trouble.

use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// How often a source is asked.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The pause once everything is read.
    pub every: Duration,
    /// The first pause after trouble; each further one is twice as long.
    pub shortest: Duration,
    /// The longest of these.
    pub longest: Duration,
}

impl Pace {
    /// The usual pauses in trouble.
    pub fn every(every: Duration) -> Self {
        Self { every, shortest: Duration::from_secs(1), longest: Duration::from_mins(5) }
    }

    /// How long to wait after so many failures in a row, at least as long as was asked for.
    /// The pause varies by half, so that sources that failed together do not return together.
    pub(in crate::exchange) fn pause(
        &self,
        failures: u32,
        asked_for: Option<Duration>,
    ) -> Duration {
        let doubled =
            self.shortest.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        let pause = doubled.min(self.longest);
        let mut byte = [0];
        // Without random numbers it is the full pause.
        let filled = SystemRandom::new().fill(&mut byte);
        let less = if filled.is_ok() { u32::from(byte[0]) } else { 0 };
        pause.saturating_sub(pause / 2 * less / 256).max(asked_for.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_are_never_shorter_than_asked_for() {
        let pace = Pace::every(Duration::from_secs(5));
        for (failures, longest) in [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (u32::MAX, 300)] {
            let longest = Duration::from_secs(longest);
            for _ in 0..50 {
                let pause = pace.pause(failures, None);
                assert!(pause <= longest && pause >= longest / 2, "{failures}: {pause:?}");
            }
        }
        let asked = Duration::from_mins(20);
        assert_eq!(pace.pause(1, Some(asked)), asked);
    }
}
