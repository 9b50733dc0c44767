//! Writes fictional source records of any amount: a practice and its clients' courses of therapy.
//!
//! The records are a function of the seed: the same seed gives the same bytes on every machine, and
//! a client's records do not depend on how many clients there are. Everything is invented, valid
//! against the logical models, and written as it is made, so memory does not grow with the amount.

mod calendar;
mod chart;
mod client;
mod course;
mod dice;
mod group;
mod measures;
mod messages;
mod notes;
mod practice;
mod session;
mod sink;
mod words;

use std::io::{self, Write};

use self::calendar::Calendar;
use self::dice::Dice;
use self::sink::Sink;

/// How many clients share a therapy group.
const GROUP_SIZE: u64 = 8;

/// What to write.
#[derive(Debug, Clone)]
pub struct Order {
    /// How many clients, about 60 records each.
    pub clients: u64,
    /// Which practice: another seed, other people.
    pub seed: u64,
    /// The tenant that the records belong to.
    pub tenant: String,
}

/// Writes the records as NDJSON, and answers how many.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(order: &Order, out: &mut dyn Write) -> io::Result<u64> {
    let calendar = Calendar::new("America/Denver")?;
    let mut sink = Sink::new(&order.tenant, &calendar, out);
    let therapists = practice::write(&mut sink)?;
    for number in 0..order.clients {
        let mut dice = Dice::new(order.seed, number);
        let client = client::Client::draw(&mut dice, number, &therapists);
        client.write(&mut sink)?;
        course::write(&mut sink, &mut dice, &client)?;
        if (number + 1) % GROUP_SIZE == 0 {
            group::write(&mut sink, &mut Dice::new(order.seed ^ 1, number), number)?;
        }
    }
    Ok(sink.written())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use serde_json::Value;

    use super::*;
    use crate::domain::Kind;

    fn bytes(clients: u64, seed: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let order = Order { clients, seed, tenant: "hv".to_owned() };
        let written = write(&order, &mut out).unwrap();
        assert_eq!(written, out.split(|b| *b == b'\n').count() as u64 - 1);
        out
    }

    fn records(clients: u64, seed: u64) -> Vec<Value> {
        String::from_utf8(bytes(clients, seed))
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        assert_eq!(bytes(9, 42), bytes(9, 42));
    }

    #[test]
    fn another_seed_gives_other_records() {
        assert_ne!(bytes(3, 1), bytes(3, 2));
    }

    #[test]
    fn more_clients_leave_the_first_ones_as_they_were() {
        let few = bytes(5, 7);
        assert!(bytes(7, 7).starts_with(&few));
    }

    #[test]
    fn the_bytes_of_one_seed_stay_what_they_are() {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes(8, 1));
        insta::assert_snapshot!(hex::encode(digest));
    }

    #[test]
    fn a_client_has_about_sixty_records() {
        let each = records(64, 3).len() / 64;
        assert!((50..=80).contains(&each), "{each} records a client");
    }

    #[test]
    fn no_two_records_share_a_kind_and_an_id() {
        let mut seen = HashSet::new();
        for record in records(17, 5) {
            let key = (record["kind"].to_string(), record["id"].to_string());
            assert!(seen.insert(key.clone()), "{key:?} twice");
        }
    }

    #[test]
    fn totals_are_the_sums_of_their_items_and_fall_over_the_course() {
        let mut totals: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for record in records(20, 11).iter().filter(|r| r["kind"] == "assessment") {
            let data = &record["data"];
            let items = data["items"].as_array().unwrap();
            let sum: i64 = items.iter().filter_map(|item| item["answer"].as_i64()).sum();
            if items.iter().any(|item| item["answer"].is_null()) {
                assert!(data["total"].is_null(), "a total beside a skipped item");
            } else {
                assert_eq!(data["total"], sum);
                if data["instrument"] == "phq9" {
                    totals.entry(data["client_id"].to_string()).or_default().push(sum);
                }
            }
        }
        let fell = totals.values().filter(|t| t.first() > t.last()).count();
        assert!(fell * 10 >= totals.len() * 8, "{fell} of {} fell", totals.len());
    }

    #[test]
    fn sessions_on_both_sides_of_a_clock_change_carry_both_offsets() {
        let records = records(30, 13);
        let starts: Vec<_> = records
            .iter()
            .filter(|r| r["kind"] == "session_log")
            .filter_map(|r| r["data"]["scheduled_start"].as_str())
            .collect();
        assert!(starts.iter().any(|s| s.ends_with("-06:00")));
        assert!(starts.iter().any(|s| s.ends_with("-07:00")));
    }

    #[test]
    fn every_kind_that_is_mapped_is_written() {
        let kinds: HashSet<_> =
            records(24, 1).iter().map(|r| r["kind"].as_str().unwrap().to_owned()).collect();
        // Everybody stays, and nobody asks.
        let is_platforms = |kind: &&Kind| {
            kind.is_mapped() && !matches!(kind, Kind::Transfer | Kind::RecordRequest)
        };
        for kind in Kind::ALL.iter().filter(is_platforms) {
            assert!(kinds.contains(kind.as_str()), "no {kind}");
        }
    }
}
