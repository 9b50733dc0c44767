//! PHQ-9 and GAD-7: answers that sum to totals, totals that follow a trend.

use std::io;

use serde_json::{Value, json};

use super::calendar::after;
use super::client::Client;
use super::dice::Dice;
use super::session::Slot;
use super::sink::{Sink, Stamp};
use crate::domain::Kind;

/// The LOINC codes of the items of PHQ-9 (panel 44249-1).
const PHQ9: &[&str] = &[
    "44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3",
    "44260-8",
];
/// The LOINC codes of the items of GAD-7 (panel 69737-5).
const GAD7: &[&str] =
    &["69725-0", "68509-9", "69733-4", "69734-2", "69735-9", "69689-8", "69736-7"];
/// The highest answer: "nearly every day".
const HIGHEST: i64 = 3;

/// Where a score starts and where it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trend {
    from: i64,
    to: i64,
}

impl Trend {
    /// Draws a start of `high..=highest` and an end of `low..=lowest`; one course in ten gets worse.
    pub(super) fn draw(dice: &mut Dice, high: i64, highest: i64, low: i64, lowest: i64) -> Self {
        let (from, to) = (dice.between(high, highest), dice.between(low, lowest));
        if dice.chance(10) { Self { from: to, to: from } } else { Self { from, to } }
    }

    /// The total at session `at` of about `of`, give or take one.
    fn total(self, dice: &mut Dice, at: i64, of: i64, limit: i64) -> i64 {
        let along = (self.to - self.from) * at.min(of) / of.max(1);
        (self.from + along + dice.between(-1, 1)).clamp(0, limit)
    }
}

/// Writes a PHQ-9 that was filled in before the session.
pub(super) fn phq9(
    sink: &mut Sink<'_>,
    dice: &mut Dice,
    client: &Client,
    slot: &Slot,
    trend: &Trend,
) -> io::Result<()> {
    // The last item asks for thoughts of death: answered with 1 at most, and only in severe cases.
    let total = trend.total(dice, slot.held, client.weeks - 2, 24);
    let thoughts = i64::from(total >= 20);
    let mut answers = spread(dice, total - thoughts, PHQ9.len() - 1);
    answers.push(thoughts);
    let severity = match total {
        ..=4 => "minimal",
        5..=9 => "mild",
        10..=14 => "moderate",
        15..=19 => "moderately severe",
        _ => "severe",
    };
    let data = filled_in(sink, client, slot, ("phq9", PHQ9), &answers, severity, dice);
    put(sink, client, slot, "phq", &data)
}

/// Writes a GAD-7 that was filled in before the session.
pub(super) fn gad7(
    sink: &mut Sink<'_>,
    dice: &mut Dice,
    client: &Client,
    slot: &Slot,
    trend: &Trend,
) -> io::Result<()> {
    let total = trend.total(dice, slot.held, client.weeks - 2, 21);
    let answers = spread(dice, total, GAD7.len());
    let severity = match total {
        ..=4 => "minimal",
        5..=9 => "mild",
        10..=14 => "moderate",
        _ => "severe",
    };
    let data = filled_in(sink, client, slot, ("gad7", GAD7), &answers, severity, dice);
    put(sink, client, slot, "gad", &data)
}

fn put(
    sink: &mut Sink<'_>,
    client: &Client,
    slot: &Slot,
    prefix: &str,
    data: &Value,
) -> io::Result<()> {
    let at = after(slot.start, -1800);
    let id = client.part(prefix, slot.week);
    sink.put(Kind::Assessment, &id, Stamp::happened(at, after(at, 240)), &[&client.id], data)
}

fn filled_in(
    sink: &Sink<'_>,
    client: &Client,
    slot: &Slot,
    (instrument, codes): (&str, &[&str]),
    answers: &[i64],
    severity: &str,
    dice: &mut Dice,
) -> Value {
    // One form in twenty-five has an item left out, and then has no total.
    let skipped = dice.chance(4).then_some(1);
    let items: Vec<Value> = (1..)
        .zip(codes.iter().zip(answers))
        .map(|(key, (code, answer)): (i64, _)| {
            if skipped == Some(key) {
                json!({"key": key.to_string(), "loinc": code, "answer": null,
                    "skipped_reason": "declined"})
            } else {
                json!({"key": key.to_string(), "loinc": code, "answer": answer})
            }
        })
        .collect();
    let mut data = json!({
        "client_id": client.id, "instrument": instrument, "mode": "self", "items": items,
        "administered_at": sink.calendar().local(after(slot.start, -1800)),
        "completed": true, "language": "en", "session_id": slot.session,
    });
    if let (None, Some(object)) = (skipped, data.as_object_mut()) {
        object.insert("total".to_owned(), json!(answers.iter().sum::<i64>()));
        object.insert("severity_text".to_owned(), json!(severity));
    }
    data
}

/// Spreads `total` over `items` answers of 0 to 3.
fn spread(dice: &mut Dice, total: i64, items: usize) -> Vec<i64> {
    let mut answers = vec![0; items];
    let mut left = total;
    while left > 0 {
        let open: Vec<usize> =
            (0..items).filter(|at| answers.get(*at).is_some_and(|a| *a < HIGHEST)).collect();
        let Some(answer) = dice.one(&open).and_then(|at| answers.get_mut(*at)) else { break };
        *answer += 1;
        left -= 1;
    }
    answers
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn answers_sum_to_the_total_and_stay_within_the_scale(seed: u64, total in 0i64..=27) {
            let answers = spread(&mut Dice::new(seed, 0), total, 9);
            prop_assert_eq!(answers.iter().sum::<i64>(), total);
            prop_assert!(answers.iter().all(|a| (0..=HIGHEST).contains(a)));
        }
    }
}
