//! What the rules turn on, of an item, as one text: items of the same class are decided alike.
//!
//! Resources are stored with their class, and what a patient's consents allow is worked out by
//! class when something changes, so that a query only has to look it up.

use jiff::Timestamp;

use super::item::{Item, Withheld};
use super::label::Labels;

/// Flags of an item, with their letters.
const FLAGS: [char; 4] = ['p', 'n', 'x', 'e'];
/// Labels beside level and sensitivities, with their words.
const SPECIAL: [&str; 4] = ["42CFRPart2", "NOPAT", "AIAST", "?"];

impl Item {
    /// The class: kind, class of note, status, labels, who it is withheld from, and flags.
    pub fn class(&self) -> String {
        let labels = &self.labels;
        let mut codes = vec![labels.level.as_str()];
        codes.extend(labels.sensitivities.iter().map(|one| one.as_str()));
        let special = [labels.part2, labels.under_review, labels.machine_drafted, labels.unknown];
        codes.extend(SPECIAL.iter().zip(special).filter_map(|(code, on)| on.then_some(*code)));
        let withheld = self.withheld.map_or_else(String::new, |withheld| {
            let until = withheld.until.map(|until| format!("@{}", until.as_microsecond()));
            format!("{}{}", withheld.ground.as_str(), until.unwrap_or_default())
        });
        let flags =
            [self.withheld_from_proxies, !self.of_record, self.redacted, self.for_emergencies];
        let flags: String =
            FLAGS.iter().zip(flags).filter_map(|(letter, on)| on.then_some(*letter)).collect();
        let note = self.note.map_or("", |note| note.as_str());
        let parts =
            [self.kind.as_str(), note, self.status.as_str(), &codes.join(","), &withheld, &flags];
        parts.join("|")
    }

    /// The item of a class, without date and place; nothing if the text is none.
    pub fn of_class(class: &str) -> Option<Self> {
        let mut parts = class.split('|');
        let mut next = || parts.next();
        let (kind, note, status) = (next()?, next()?, next()?);
        let (codes, withheld, flags) = (next()?, next()?, next()?);
        if next().is_some() {
            return None;
        }
        let mut item = Self::new(kind.parse().ok()?, labels(codes)?);
        item.note = if note.is_empty() { None } else { Some(note.parse().ok()?) };
        item.status = status.parse().ok()?;
        item.withheld = if withheld.is_empty() { None } else { Some(decision(withheld)?) };
        for flag in flags.chars() {
            match flag {
                'p' => item.withheld_from_proxies = true,
                'n' => item.of_record = false,
                'x' => item.redacted = true,
                'e' => item.for_emergencies = true,
                _ => return None,
            }
        }
        Some(item)
    }
}

fn labels(codes: &str) -> Option<Labels> {
    let mut codes = codes.split(',');
    let mut labels = Labels::of_level(codes.next()?.parse().ok()?);
    for code in codes {
        match code {
            "42CFRPart2" => labels.part2 = true,
            "NOPAT" => labels.under_review = true,
            "AIAST" => labels.machine_drafted = true,
            "?" => labels.unknown = true,
            code => {
                labels.sensitivities.insert(code.parse().ok()?);
            }
        }
    }
    Some(labels)
}

fn decision(text: &str) -> Option<Withheld> {
    let (ground, until) = match text.split_once('@') {
        Some((ground, micros)) => {
            (ground, Some(Timestamp::from_microsecond(micros.parse().ok()?).ok()?))
        }
        None => (text, None),
    };
    Some(Withheld { ground: ground.parse().ok()?, until })
}
