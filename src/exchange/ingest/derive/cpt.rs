//! Whether a billing code can be true of a session. It only ever warns: a code is never rewritten.

use serde_json::Value;

use super::field::{list, text, texts};
use super::tables::{CptCode, SessionTypes};

/// Whether this looks like a CPT code: four digits and a digit or capital letter.
pub(super) fn is_well_formed(code: &str) -> bool {
    let bytes = code.as_bytes();
    bytes.len() == 5
        && bytes.iter().take(4).all(u8::is_ascii_digit)
        && bytes.last().is_some_and(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
}

/// The code in the table.
pub(super) fn known<'a>(code: &str, table: &'a SessionTypes) -> Option<&'a CptCode> {
    table.cpt.iter().find(|known| known.code == code)
}

/// What a session says against its billing code, as pointers into the record.
pub(super) fn doubts(
    data: &Value,
    minutes: Option<i64>,
    attending: usize,
    table: &SessionTypes,
) -> Vec<&'static str> {
    let mut doubts = Vec::new();
    let Some(billing) = data.get("billing") else { return doubts };
    let cpt = text(billing, "cpt").and_then(|code| known(code, table));
    if let Some(cpt) = cpt {
        let format = text(data, "format").unwrap_or_default();
        let other_format = !cpt.formats.is_empty() && !cpt.formats.iter().any(|f| f == format);
        let too_short = minutes.zip(cpt.minutes_from).is_some_and(|(m, from)| m < from);
        let too_long = minutes.zip(cpt.minutes_to).is_some_and(|(m, to)| m > to);
        let too_few = cpt.attending_from.is_some_and(|from| attending < from);
        let seen = client_is_present(data);
        let wrong_presence = match cpt.code.as_str() {
            "90846" => seen == Some(true),
            "90847" => seen == Some(false),
            _ => false,
        };
        if other_format || too_short || too_long || too_few || wrong_presence {
            doubts.push("/data/billing/cpt");
        }
    }
    let modality = text(data, "modality").unwrap_or_default();
    let contradicts = |modifier: &str| {
        matches!((modifier, modality), ("95", m) if m != "video")
            || matches!((modifier, modality), ("93", m) if m != "phone")
    };
    if texts(billing, "modifiers").any(contradicts) {
        doubts.push("/data/billing/modifiers");
    }
    doubts
}

/// Whether any client was there; nothing where presence was not recorded.
fn client_is_present(data: &Value) -> Option<bool> {
    let rows = list(data, "presence");
    let is_client =
        |row: &Value| row.get("who").and_then(|who| text(who, "kind")) == Some("client");
    (!rows.is_empty()).then(|| rows.iter().any(is_client))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tables::Tables;
    use super::*;

    fn doubt(cpt: &str, format: &str, minutes: i64, attending: usize) -> bool {
        let data = json!({"billing": {"cpt": cpt}, "format": format, "modality": "video"});
        !doubts(&data, Some(minutes), attending, &Tables::shipped().sessions).is_empty()
    }

    #[test]
    fn time_bands_hold_at_their_ends() {
        for (cpt, from, to) in [("90832", 16, 37), ("90834", 38, 52)] {
            assert!(doubt(cpt, "individual", from - 1, 1));
            assert!(!doubt(cpt, "individual", from, 1));
            assert!(!doubt(cpt, "individual", to, 1));
            assert!(doubt(cpt, "individual", to + 1, 1));
        }
        assert!(doubt("90837", "individual", 41, 1));
        assert!(!doubt("90837", "individual", 53, 1));
        assert!(doubt("90847", "family", 25, 2));
    }

    #[test]
    fn formats_attendance_and_modifiers_are_checked() {
        assert!(doubt("90837", "group", 60, 8));
        assert!(doubt("90853", "group", 60, 1));
        assert!(!doubt("90853", "group", 60, 2));
        assert!(!doubt("99999", "individual", 3, 1));
        let data = json!({"billing": {"modifiers": ["95"]}, "modality": "phone"});
        let table = Tables::shipped().sessions;
        assert_eq!(doubts(&data, None, 1, &table), ["/data/billing/modifiers"]);
    }

    #[test]
    fn only_what_looks_like_a_code_is_one() {
        assert!(is_well_formed("90837") && is_well_formed("0591T"));
        assert!(!is_well_formed("9083") && !is_well_formed("90837-95") && !is_well_formed("9o837"));
    }
}
