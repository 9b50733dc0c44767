//! The labels of several resources together: the highest level, and every code about handling.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::label::{ACT, CONFIDENTIALITY, Confidentiality, HANDLING};
use crate::fhir::raw::{Items, Members};

/// The mark that water reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HighWater {
    level: Option<String>,
    codes: BTreeSet<String>,
}

impl HighWater {
    /// The labels of a resource as it is stored.
    pub fn of(body: &[u8]) -> Self {
        let mut mark = Self::default();
        let meta = Members::of(body).find(b"meta").unwrap_or_default();
        for label in Items::of(Members::of(meta).find(b"security").unwrap_or_default()) {
            let (system, code) = (text(label, b"system"), text(label, b"code"));
            match system {
                CONFIDENTIALITY => mark.raise(code),
                ACT if code == PART2 || HANDLING.contains(&code) => {
                    mark.codes.insert(code.to_owned());
                }
                _ => {}
            }
        }
        mark
    }

    /// Raises it to where another is.
    pub fn join(&mut self, other: Self) {
        if let Some(level) = &other.level {
            self.raise(level);
        }
        self.codes.extend(other.codes);
    }

    fn raise(&mut self, code: &str) {
        // A level that is not known may be the highest.
        let level = |code: &str| code.parse().unwrap_or(Confidentiality::VeryRestricted);
        if self.level.as_deref().is_none_or(|known| level(known) < level(code)) {
            self.level = Some(level(code).as_str().to_owned());
        }
    }

    /// As the items of `meta.security`; empty where there is no label.
    pub fn json(&self) -> String {
        let level = self.level.iter().map(|code| (CONFIDENTIALITY, code));
        let codes = self.codes.iter().map(|code| (ACT, code));
        let label =
            |(system, code): (&str, &String)| format!(r#"{{"system":"{system}","code":"{code}"}}"#);
        level.chain(codes).map(label).collect::<Vec<_>>().join(",")
    }
}

/// The label of Part 2 records.
const PART2: &str = "42CFRPart2";

/// A member that is text without escapes, as the codes of labels are.
fn text<'a>(label: &'a [u8], name: &[u8]) -> &'a str {
    let value = Members::of(label).find(name).unwrap_or_default();
    std::str::from_utf8(value).unwrap_or_default().trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(codes: &[(&str, &str)]) -> Vec<u8> {
        let label = |(system, code): &(&str, &str)| {
            let system = if *system == "level" { CONFIDENTIALITY } else { ACT };
            format!(r#"{{"system":"{system}","code":"{code}"}}"#)
        };
        let labels = codes.iter().map(label).collect::<Vec<_>>().join(",");
        format!(r#"{{"id":"a","meta":{{"security":[{labels}]}}}}"#).into_bytes()
    }

    #[test]
    fn the_highest_level_and_every_code_about_handling_are_of_all() {
        let mut mark = HighWater::default();
        assert_eq!(mark.json(), "");
        mark.join(HighWater::of(&body(&[("level", "R"), ("act", "PSY"), ("act", "PERSISTLABEL")])));
        mark.join(HighWater::of(&body(&[
            ("level", "N"),
            ("act", "42CFRPart2"),
            ("act", "NORDSCLCD"),
        ])));
        assert_eq!(
            mark.json(),
            format!(
                r#"{{"system":"{CONFIDENTIALITY}","code":"R"}},{{"system":"{ACT}","code":"42CFRPart2"}},{{"system":"{ACT}","code":"NORDSCLCD"}},{{"system":"{ACT}","code":"PERSISTLABEL"}}"#
            )
        );
        mark.join(HighWater::of(&body(&[("level", "?")])));
        assert!(mark.json().contains(r#""code":"V""#));
        assert_eq!(HighWater::of(b"{}"), HighWater::default());
    }
}
