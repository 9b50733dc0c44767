//! ICD-10-CM codes as people type them, and as the code system writes them.
//!
//! Only the shape is checked (ICD-10-CM Official Guidelines, section I.A.2: three to seven
//! characters, a point after the third); whether a code is in this year's release is not. Letters
//! in the fourth place are `A`, `B` and the placeholder `X`; `Z` only among the neoplasms (C84.Z).

/// The code in its published form, or nothing if it cannot be one.
pub(super) fn normalise(code: &str) -> Option<String> {
    let code: String =
        code.trim().chars().filter(|c| *c != '.').map(|c| c.to_ascii_uppercase()).collect();
    let bytes = code.as_bytes();
    let well_formed = match bytes {
        [letter, digit, third, rest @ ..] => {
            letter.is_ascii_uppercase()
                && digit.is_ascii_digit()
                && (third.is_ascii_digit() || matches!(third, b'A' | b'B'))
                && rest.len() <= 4
                && rest.iter().all(u8::is_ascii_alphanumeric)
                && rest.first().is_none_or(|fourth| {
                    fourth.is_ascii_digit()
                        || matches!(fourth, b'A' | b'B' | b'X')
                        || (*letter == b'C' && *fourth == b'Z')
                })
        }
        _ => false,
    };
    let (category, detail) = code.split_at_checked(3).filter(|_| well_formed)?;
    Some(if detail.is_empty() { code } else { format!("{category}.{detail}") })
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn point_and_case_are_put_right() {
        for written in ["F41.1", "f411", " F411 ", "f41.1"] {
            assert_eq!(normalise(written).as_deref(), Some("F41.1"), "{written}");
        }
        assert_eq!(normalise("F99").as_deref(), Some("F99"));
        assert_eq!(normalise("F32.A").as_deref(), Some("F32.A"));
        assert_eq!(normalise("C84.Z0").as_deref(), Some("C84.Z0"));
        assert_eq!(normalise("C4A.0").as_deref(), Some("C4A.0"));
        assert_eq!(normalise("T74.11XA").as_deref(), Some("T74.11XA"));
    }

    #[test]
    fn what_cannot_be_a_code_is_refused() {
        for wrong in [
            "",
            "F4",
            "309.81",
            "panic",
            "F41.12345",
            "Z99.Z9",
            "Prolonged grief",
            "F41.1; DROP",
            "É41",
            "F4É",
        ] {
            assert_eq!(normalise(wrong), None, "{wrong}");
        }
    }
}
