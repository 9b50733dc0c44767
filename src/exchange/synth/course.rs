//! A course of therapy: one slot a week for some months, with what became of each.

use std::io;

use jiff::SignedDuration;
use jiff::civil::Date;

use super::client::Client;
use super::dice::Dice;
use super::measures::{self, Trend};
use super::session::{Fate, Slot};
use super::sink::Sink;
use super::{chart, messages, notes, session};

/// Every how many sessions the anxiety questionnaire is asked.
const GAD_EVERY: i64 = 4;

/// Writes the course.
pub(super) fn write(sink: &mut Sink<'_>, dice: &mut Dice, client: &Client) -> io::Result<()> {
    chart::open(sink, dice, client)?;
    let phq = Trend::draw(dice, 14, 22, 3, 9);
    let gad = Trend::draw(dice, 9, 17, 2, 7);
    let mut held = 0;
    for week in 0..client.weeks {
        let fate = if week == 0 { Fate::Held } else { draw_fate(dice) };
        let slot = Slot::new(client, week, held, day_of(client, week), fate, sink.calendar());
        session::write(sink, dice, client, &slot)?;
        if fate != Fate::Held {
            continue;
        }
        if held % 2 == 0 {
            measures::phq9(sink, dice, client, &slot, &phq)?;
        }
        if held % GAD_EVERY == 0 {
            measures::gad7(sink, dice, client, &slot, &gad)?;
        }
        notes::write(sink, dice, client, &slot)?;
        if held == client.weeks / 2 {
            chart::review(sink, client, &slot)?;
        }
        held += 1;
    }
    messages::write(sink, dice, client)?;
    chart::close(sink, dice, client, day_of(client, client.weeks))
}

fn day_of(client: &Client, week: i64) -> Date {
    client.first.saturating_add(SignedDuration::from_hours(24 * 7 * week))
}

fn draw_fate(dice: &mut Dice) -> Fate {
    match dice.between(0, 99) {
        0..=4 => Fate::NoShow,
        5..=9 => Fate::Cancelled,
        10..=11 => Fate::LateCancelled,
        _ => Fate::Held,
    }
}
