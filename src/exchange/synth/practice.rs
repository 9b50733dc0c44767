//! The practice: its organization and the people who work there.

use std::io;

use serde_json::json;

use super::calendar::{after, day};
use super::sink::{Sink, Stamp};
use crate::domain::Kind;

/// The therapists: id, name, suffix, licence, specialty, and the first nine digits of an NPI.
const THERAPISTS: &[(&str, &str, &str, &str, &str, &str)] = &[
    ("sy-st-1", "Arroyo", "LPC", "LPC", "mental_health_counselor", "111000001"),
    ("sy-st-2", "Bright", "LCSW", "LCSW", "clinical_social_worker", "111000002"),
    ("sy-st-3", "Choi", "PsyD", "PSY", "clinical_psychologist", "111000003"),
    ("sy-st-4", "Dunne", "LMFT", "LMFT", "marriage_family_therapist", "111000004"),
    ("sy-st-5", "Eriksen", "LPC", "LPC", "mental_health_counselor", "111000005"),
];

/// Writes the practice, and answers its therapists' ids.
pub(super) fn write(sink: &mut Sink<'_>) -> io::Result<Vec<&'static str>> {
    let calendar = sink.calendar();
    let opened = calendar.at(day(-7), 9, 0);
    let organization = json!({
        "name": "Meadowlark Online Therapy", "npi": npi("110000000"), "tz": calendar.name(),
        "part2_program": false, "jurisdiction": "US-CO", "default_policy": "opt_in",
        "active": true,
        "telecom": [{"kind": "phone", "value": "+13035550300", "use": "work"}],
        "address": {"line": ["300 Meadow Rd"], "city": "Denver", "state": "CO",
            "postal": "80203", "country": "US"},
    });
    sink.put(Kind::Organization, "sy-org", Stamp::noted(opened), &[], &organization)?;
    for (at, (id, family, suffix, licence, specialty, digits)) in (1..).zip(THERAPISTS) {
        let staff = json!({
            "name": {"family": family, "given": ["Kim"], "suffix": suffix},
            "npi": npi(digits),
            "licenses": [{"type": licence, "number": format!("{licence}.000{at}"),
                "state": "US-CO", "valid": {"from": "2018-05-01", "to": "2028-04-30"}}],
            "roles": [{"role": "therapist", "org_id": "sy-org", "from": "2020-01-06"}],
            "specialties": [specialty], "languages": ["en"], "active": true,
        });
        sink.put(Kind::Staff, id, Stamp::noted(after(opened, at)), &[], &staff)?;
    }
    Ok(THERAPISTS.iter().map(|therapist| therapist.0).collect())
}

/// An NPI: nine digits and the check digit of the Luhn sum over `80840` and them (45 CFR 162.406).
fn npi(digits: &str) -> String {
    let sum: u32 = format!("80840{digits}")
        .chars()
        .rev()
        .filter_map(|c| c.to_digit(10))
        .zip([true, false].into_iter().cycle())
        .map(|(digit, double)| if double { digit * 2 / 10 + digit * 2 % 10 } else { digit })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

#[cfg(test)]
mod tests {
    use super::npi;

    #[test]
    fn the_check_digit_is_the_published_example_s() {
        assert_eq!(npi("123456789"), "1234567893");
    }
}
