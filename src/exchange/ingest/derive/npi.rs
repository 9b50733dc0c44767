//! National Provider Identifiers: ten digits whose last is a Luhn check over `80840` and the rest
//! (45 CFR 162.406; CMS, "Requirements for NPI and NPI Check Digit").

use serde_json::json;

use super::field::text;
use super::input::Input;
use super::{Derivation, Warning};
use crate::domain::Record;

/// The sum that the issuer prefix `80840` contributes.
const PREFIX_SUM: u32 = 24;

/// Whether this is a National Provider Identifier.
pub(super) fn is_valid(npi: &str) -> bool {
    if npi.len() != 10 || !npi.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let sum: u32 = npi
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            let doubled = digit * 2;
            if place % 2 == 0 { digit } else { doubled / 10 + doubled % 10 }
        })
        .sum();
    (sum + PREFIX_SUM).is_multiple_of(10)
}

/// Adds the record's NPI to an input, and whether US Core may be claimed. A number that fails the
/// check is kept under a local system, and US Core is not claimed for what carries it.
pub(super) fn add(input: &mut Input, record: &Record, d: &Derivation, warnings: &mut Vec<Warning>) {
    let Some(npi) = text(&record.data, "npi") else {
        return input.fact("us_core", true);
    };
    if is_valid(npi) {
        input.fact("us_core", true);
        input.fact("npi", npi);
    } else {
        warnings.push(Warning { code: "npi_invalid", pointer: "/data/npi".to_owned() });
        let system = format!("{}/ids/{}/npi-unverified", d.base, record.tenant);
        input.fact("npi_unverified", json!({ "system": system, "value": npi }));
    }
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn the_example_of_the_cms_paper_is_valid() {
        assert!(is_valid("1234567893"));
        assert!(is_valid("1999999984"));
    }

    #[test]
    fn a_wrong_check_digit_a_letter_or_a_wrong_length_is_not() {
        for wrong in
            ["1234567890", "123456789", "12345678931", "12345678A3", "", "１２３４５６７８９３"]
        {
            assert!(!is_valid(wrong), "{wrong}");
        }
    }
}
