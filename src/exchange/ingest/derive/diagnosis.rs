//! Derives the Condition of a `diagnosis` record.

use super::field::text;
use super::input::Input;
use super::{Derivation, View, Warning, icd10, reference};
use crate::domain::{Kind, Op, Record};

/// Whether the record becomes a resource.
pub(super) fn is_mapped(record: &Record) -> bool {
    record.data.is_object()
}

pub(super) fn views(record: &Record, d: &Derivation, warnings: &mut Vec<Warning>) -> Vec<View> {
    let data = &record.data;
    let client = text(data, "client_id").unwrap_or_default();
    let Some(patient) = reference::subject(d, client, "/data/client_id", warnings) else {
        return Vec::new();
    };
    let mut input = Input::new(record, d, d.ids.id(Kind::Diagnosis, &record.id));
    input.fact("patient", patient);
    let session = text(data, "session_id");
    match session.and_then(|session| reference::encounter(d, session, client)) {
        Some(encounter) => input.fact("encounter", encounter),
        None => input.fact("problem", true),
    }
    let recorder = text(data, "recorded_by");
    input.fact_if_any("recorder", recorder.and_then(|staff| reference::practitioner(d, staff)));
    let status = if record.op == Op::Void { Some("void") } else { text(data, "status") };
    input.fact_if_any("status", status);
    // con-4: only what is over can have ended.
    if matches!(status, Some("resolved" | "historical" | "ruled_out")) {
        input.fact_if_any("abatement", text(data, "resolved_on"));
    }
    code(&mut input, record, warnings);
    vec![input.view("diagnosis-condition")]
}

/// The code, if it can be one; DSM-5-TR codes are ICD-10-CM codes. Otherwise the text stands alone.
fn code(input: &mut Input, record: &Record, warnings: &mut Vec<Warning>) {
    let Some(given) = record.data.get("code") else { return };
    let Some(code) = text(given, "code") else { return };
    if text(given, "system") == Some("snomed") {
        if is_snomed(code) {
            return input.fact("snomed", code);
        }
    } else if let Some(code) = icd10::normalise(code) {
        return input.fact("icd10", code);
    }
    warnings.push(Warning { code: "unknown_code", pointer: "/data/code/code".to_owned() });
}

/// Whether this has the shape of a SNOMED CT identifier of a concept: 6 to 18 digits, with `0` or
/// `1` before last for "concept" (SNOMED CT Release File Specification, partition identifier).
fn is_snomed(code: &str) -> bool {
    (6..=18).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_digit())
        && code.bytes().rev().nth(1) == Some(b'0')
}

#[cfg(test)]
mod tests {
    use super::is_snomed;

    #[test]
    fn only_concept_identifiers_are_taken_for_snomed() {
        assert!(is_snomed("371631005"));
        for wrong in ["F41.0", "12345", "371631015", "panic"] {
            assert!(!is_snomed(wrong), "{wrong}");
        }
    }
}
