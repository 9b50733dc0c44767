//! What differs by place and changes with the law: a table, `mappings/tables/jurisdictions.toml`.

use jiff::civil::Date;
use serde::Deserialize;

/// The table.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Law {
    /// The first day on which a Part 2 consent needs the statements of 2024.
    pub part2_compliance: Date,
    /// For how many years after death records are protected.
    pub years_after_death: i16,
    /// When an emergency access ends by itself.
    pub emergency_minutes: i64,
    /// How long its reason has to be, in characters.
    pub emergency_reason_characters: usize,
    /// Within how many days it has to be reviewed.
    pub emergency_review_days: i64,
    /// How many years back disclosures are accounted for.
    pub accounting_years: i16,
    /// How many years back disclosures by consent under Part 2 are.
    pub accounting_part2_years: i16,
    /// The flat fee for an electronic copy, in US cents.
    pub flat_fee_cents: i64,
    /// Words of which no name of one recipient is made.
    pub generic_words: Vec<String>,
    /// The places.
    #[serde(rename = "jurisdiction")]
    pub jurisdictions: Vec<Jurisdiction>,
}

/// The law of one place.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jurisdiction {
    /// ISO 3166-1 or 3166-2: `US-CO`, `DE`.
    pub code: String,
    /// The age of majority.
    pub majority: i16,
    /// From which age a minor may consent to outpatient mental health care alone.
    pub consents_alone_from: Option<i16>,
    /// From which age a minor may consent to care for substance use alone.
    pub substance_use_alone_from: Option<i16>,
    /// What it says about parents of a minor who may consent alone.
    #[serde(default)]
    pub parents: Parents,
}

/// What the law says about the access of parents (45 CFR 164.502(g)(3)(ii)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parents {
    /// They may see.
    Permitted,
    /// They may not.
    Prohibited,
    /// Nothing: a licensed professional decides.
    #[default]
    Silent,
}

impl Law {
    /// Reads the table.
    pub fn read(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The law of a place; of a part of a country that is not listed, what the country's says of
    /// majority and nothing else.
    pub fn of(&self, code: &str) -> &Jurisdiction {
        const UNKNOWN: &Jurisdiction = &Jurisdiction {
            code: String::new(),
            majority: 18,
            consents_alone_from: None,
            substance_use_alone_from: None,
            parents: Parents::Silent,
        };
        let find = |code: &str| self.jurisdictions.iter().find(|known| known.code == code);
        let country = code.split('-').next().unwrap_or_default();
        find(code).or_else(|| find(country)).unwrap_or(UNKNOWN)
    }

    /// Whether a name is made of words that fit many.
    pub fn is_generic(&self, name: &str) -> bool {
        normalised(name)
            .split_whitespace()
            .all(|word| self.generic_words.iter().any(|generic| generic == word))
    }
}

/// A name to be compared: letters and digits in lower case, one blank between words.
pub(super) fn normalised(name: &str) -> String {
    let letters = name.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' });
    let lower: String = letters.flat_map(char::to_lowercase).collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
impl Law {
    /// The table of this repository.
    pub(crate) fn shipped() -> Self {
        Self::read(include_str!("../../mappings/tables/jurisdictions.toml")).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_not_listed_has_its_countrys_majority_and_is_silent() {
        let law = Law::shipped();
        assert_eq!(law.of("US-CO").consents_alone_from, Some(12));
        assert_eq!(law.of("US-ZZ").code, "US");
        assert_eq!(law.of("ZZ").parents, Parents::Silent);
    }

    #[test]
    fn a_name_that_fits_many_names_nobody() {
        let law = Law::shipped();
        assert!(law.is_generic("County Health") && law.is_generic("My treating providers"));
        assert!(law.is_generic(" — "));
        assert!(!law.is_generic("Front Range Family Medicine"));
        assert_eq!(normalised("  Front-Range  FAMILY medicine, "), "front range family medicine");
    }
}
