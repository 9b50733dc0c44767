//! A client: who they are, what brings them, and who treats them.

use std::io;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::calendar::{after, day};
use super::dice::Dice;
use super::sink::{Sink, Stamp};
use super::words::{CITIES, FAMILIES, GIVEN, LANGUAGES, PROBLEMS, STREETS};
use crate::domain::Kind;

/// The number of weeks over which courses start.
const START_WEEKS: i64 = 80;

/// What one client's records share.
#[derive(Debug, Clone)]
pub(super) struct Client {
    /// The client's number, which all ids of their records carry.
    pub(super) number: u64,
    /// The platform's id.
    pub(super) id: String,
    /// The therapist's id.
    pub(super) therapist: &'static str,
    /// The day of the first session.
    pub(super) first: Date,
    /// How many weekly slots the course has.
    pub(super) weeks: i64,
    /// The hour at which sessions start.
    pub(super) hour: i8,
    /// ICD-10-CM code, its text, the presenting problem, the method.
    pub(super) problem: (&'static str, &'static str, &'static str, &'static str),
    family: &'static str,
    given: (&'static str, &'static str),
}

impl Client {
    /// Draws the client with this number.
    pub(super) fn draw(dice: &mut Dice, number: u64, therapists: &[&'static str]) -> Self {
        let start = dice.between(0, START_WEEKS) * 7 + dice.between(0, 4);
        Self {
            number,
            id: id("cl", number),
            therapist: dice.pick(therapists),
            first: day(start),
            weeks: dice.between(10, 14),
            hour: i8::try_from(dice.between(8, 18)).unwrap_or(9),
            problem: dice.one(PROBLEMS).copied().unwrap_or_default(),
            family: dice.pick(FAMILIES),
            given: dice.one(GIVEN).copied().unwrap_or_default(),
        }
    }

    /// The id of one of this client's records.
    pub(super) fn part(&self, prefix: &str, part: i64) -> String {
        format!("{}-{part}", id(prefix, self.number))
    }

    /// The id of a record of which this client has one.
    pub(super) fn only(&self, prefix: &str) -> String {
        id(prefix, self.number)
    }

    /// Writes the person, the emergency contact, the assignment and the episode.
    pub(super) fn write(&self, sink: &mut Sink<'_>) -> io::Result<()> {
        let mut dice = Dice::new(self.number, u64::MAX);
        let calendar = sink.calendar();
        let intake = calendar.at(self.first, 7, 0);
        let from = self.first.to_string();
        let clients = &[self.id.as_str()];
        sink.put(Kind::Client, &self.id, Stamp::noted(intake), clients, &self.person(&mut dice))?;
        if dice.chance(50) {
            let contact = json!({
                "client_id": self.id, "name": {"family": self.family, "given": ["Noa"]},
                "relationship": "emergency", "authority": [{"type": "none"}],
                "emergency_contact": true,
                "telecom": [{"kind": "phone", "value": phone(&mut dice), "use": "mobile"}],
            });
            let stamp = Stamp::noted(after(intake, 60));
            sink.put(Kind::RelatedParty, &self.only("rp"), stamp, clients, &contact)?;
        }
        let assignment = json!({"client_id": self.id, "staff_id": self.therapist,
            "role": "primary", "from": from});
        let stamp = Stamp::noted(after(intake, 120));
        sink.put(Kind::Assignment, &self.only("as"), stamp, clients, &assignment)?;
        let (_, _, presenting, _) = self.problem;
        let episode = json!({"client_id": self.id, "from": from, "status": "active",
            "presenting_problem": presenting, "referral_source": "self"});
        let stamp = Stamp::noted(after(intake, 180));
        sink.put(Kind::Episode, &self.only("ep"), stamp, clients, &episode)
    }

    fn person(&self, dice: &mut Dice) -> Value {
        let (city, postal) = dice.one(CITIES).copied().unwrap_or_default();
        let (given, gender) = self.given;
        let birth = format!(
            "{}-{:02}-{:02}",
            dice.between(1950, 2004),
            dice.between(1, 12),
            dice.between(1, 28)
        );
        json!({
            "names": [{"use": "official", "family": self.family, "given": [given]}],
            "birth_date": birth, "administrative_gender": gender,
            "identifiers": [{"system": "https://meadowlark.example/mrn",
                "value": format!("ML-{:07}", self.number), "type": "MR"}],
            "telecom": [
                {"kind": "phone", "value": phone(dice), "use": "mobile",
                    "safe_to_contact": dice.chance(90), "detail_ok": true},
                {"kind": "email", "value": format!("client{}@mail.example", self.number),
                    "use": "home", "safe_to_contact": true, "detail_ok": false}],
            "addresses": [{"use": "home", "city": city, "state": "CO", "postal": postal,
                "line": [format!("{} {}", dice.between(1, 999), dice.pick(STREETS))],
                "country": "US"}],
            "language": dice.pick(LANGUAGES), "interpreter_needed": false, "status": "active",
        })
    }
}

/// An id that says what it is of, and sorts as its number.
pub(super) fn id(prefix: &str, number: u64) -> String {
    format!("sy-{prefix}-{number:06}")
}

/// A number of the range that is kept for fiction.
fn phone(dice: &mut Dice) -> String {
    format!("+1303555{:04}", dice.between(100, 199))
}
