//! What a delivery is answered: numbers, and one entry for each record; never content.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::exchange::ingest::{Told, Verdict};

/// The answer to a delivery that was taken in.
pub struct Answer {
    /// Whether a record waits in quarantine or was rejected.
    pub attention: bool,
    /// Whether the delivery had been taken in before, and this was the answer then.
    pub repeated: bool,
    /// What became of its records: how many of each outcome.
    pub counts: [(&'static str, usize); 5],
    /// The report, as JSON.
    pub body: Vec<u8>,
}

#[derive(Serialize)]
struct Report<'a> {
    delivery: &'a str,
    records: usize,
    #[serde(flatten)]
    counts: Counts,
    lines: &'a [Told],
}

#[derive(Serialize, Deserialize)]
struct Counts {
    stored: usize,
    unchanged: usize,
    older: usize,
    quarantined: usize,
    rejected: usize,
}

impl Answer {
    /// The answer to a delivery of whose records this is told.
    pub(super) fn new(delivery: &str, told: &[Told]) -> Result<Self> {
        let count = |outcome| told.iter().filter(|told| told.outcome == outcome).count();
        let counts = Counts {
            stored: count(Verdict::Stored),
            unchanged: count(Verdict::Unchanged),
            older: count(Verdict::Older),
            quarantined: count(Verdict::Quarantined),
            rejected: count(Verdict::Rejected),
        };
        let attention = counts.need_attention();
        let report = Report { delivery, records: told.len(), counts, lines: told };
        let counts = report.counts.named();
        let body = serde_json::to_vec(&report).map_err(Error::internal)?;
        Ok(Self { attention, repeated: false, counts, body })
    }

    /// An answer that was given before.
    pub(super) fn again(body: Vec<u8>) -> Result<Self> {
        let counts: Counts = serde_json::from_slice(&body).map_err(Error::internal)?;
        let attention = counts.need_attention();
        Ok(Self { attention, repeated: true, counts: counts.named(), body })
    }
}

impl Counts {
    fn named(&self) -> [(&'static str, usize); 5] {
        [
            ("stored", self.stored),
            ("unchanged", self.unchanged),
            ("older", self.older),
            ("quarantined", self.quarantined),
            ("rejected", self.rejected),
        ]
    }

    fn need_attention(&self) -> bool {
        self.quarantined + self.rejected > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_the_same_when_it_is_given_again() {
        let told = |line, outcome| Told { line, outcome, reason: None, pointer: None };
        let fine = [told(1, Verdict::Stored), told(2, Verdict::Older)];
        let mixed = [told(1, Verdict::Stored), told(2, Verdict::Rejected)];
        for (told, attention) in [(fine, false), (mixed, true)] {
            let first = Answer::new("d", &told).unwrap();
            let again = Answer::again(first.body.clone()).unwrap();
            assert_eq!((first.attention, first.repeated), (attention, false));
            assert_eq!((again.attention, again.repeated), (attention, true));
            assert_eq!(first.body, again.body);
        }
    }
}
