//! Sets of time: who was there when, however often they reconnected.

use jiff::Timestamp;

/// A stretch of time that has an end, from `start` up to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Interval {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
}

/// The union of stretches, as stretches that neither touch nor overlap, in order. Stretches that
/// end before they start, or at once, hold no time.
pub(super) fn union(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.retain(|i| i.start < i.end);
    intervals.sort_unstable();
    let mut merged: Vec<Interval> = Vec::with_capacity(intervals.len());
    for next in intervals {
        match merged.last_mut() {
            Some(last) if next.start <= last.end => last.end = last.end.max(next.end),
            _ => merged.push(next),
        }
    }
    merged
}

/// The time that is in both of two unions.
pub(super) fn intersection(left: &[Interval], right: &[Interval]) -> Vec<Interval> {
    let mut both = Vec::new();
    for l in left {
        for r in right {
            let (start, end) = (l.start.max(r.start), l.end.min(r.end));
            if start < end {
                both.push(Interval { start, end });
            }
        }
    }
    union(both)
}

/// The seconds in a union; a fraction of a second in the sum does not count.
pub(super) fn seconds(intervals: &[Interval]) -> i64 {
    let span = |i: &Interval| i.end.as_nanosecond() - i.start.as_nanosecond();
    let nanoseconds: i128 = intervals.iter().map(span).sum();
    i64::try_from(nanoseconds / 1_000_000_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn interval(start: i64, end: i64) -> Interval {
        Interval { start: at(start), end: at(end) }
    }

    #[test]
    fn a_reconnect_storm_is_a_union_and_not_a_sum() {
        let storm = (0..200).map(|i| interval(i * 10, i * 10 + 15)).collect();
        let merged = union(storm);
        assert_eq!(merged, [interval(0, 2005)]);
        assert_eq!(seconds(&merged), 2005);
    }

    #[test]
    fn gaps_do_not_count() {
        let staff = union(vec![interval(0, 100)]);
        let client = union(vec![interval(10, 30), interval(40, 120)]);
        let both = intersection(&staff, &client);
        assert_eq!(both, [interval(10, 30), interval(40, 100)]);
        assert_eq!(seconds(&both), 80);
    }

    #[test]
    fn a_stretch_that_ends_before_it_starts_holds_no_time() {
        assert_eq!(union(vec![interval(10, 10), interval(9, 3)]), []);
    }

    proptest! {
        #[test]
        fn the_union_holds_exactly_the_seconds_that_any_stretch_holds(
            spans in proptest::collection::vec((0i64..100, 0i64..30), 0..12)
        ) {
            let merged = union(spans.iter().map(|(s, l)| interval(*s, s + l)).collect());
            let held = (0..130).filter(|t| spans.iter().any(|(s, l)| (*s..s + l).contains(t)));
            prop_assert_eq!(seconds(&merged), i64::try_from(held.count()).unwrap());
            prop_assert!(merged.windows(2).all(|w| w[0].end < w[1].start));
        }
    }
}
