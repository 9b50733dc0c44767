//! What is found by what a resource says.

use super::*;

/// The rows of one parameter, written out.
fn found(resource_type: &str, json: &str, name: &str) -> Vec<String> {
    let (number, _) = param::search_type(resource_type).unwrap().param(name).unwrap();
    let (_, rows) = rows(resource_type, json.as_bytes()).unwrap();
    rows.iter()
        .filter_map(|row| match row {
            IndexRow::Token { param, system, code } => {
                (*param == number).then(|| format!("{system}|{code}"))
            }
            IndexRow::Reference { param, target } => (*param == number).then(|| target.clone()),
            IndexRow::Date { param, low, high } => {
                (*param == number).then(|| format!("{low}..{high}"))
            }
            IndexRow::Text { param, value, .. } => (*param == number).then(|| value.clone()),
            IndexRow::Quantity { param, low, high, code, .. } => {
                (*param == number).then(|| format!("{low}..{high} {code}"))
            }
            IndexRow::Uri { param, value } => (*param == number).then(|| value.clone()),
        })
        .collect()
}

const ENCOUNTER: &str = r#"{"resourceType":"Encounter","id":"e1","text":{"div":"<div/>"},
    "identifier":[{"system":"urn:s","value":"v"}],"status":"finished",
    "class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"VR"},
    "type":[{"coding":[{"system":"http://www.ama-assn.org/go/cpt","code":"90837"},
    {"system":"http://www.ama-assn.org/go/cpt","code":"90837"}],"text":"x"}],
    "subject":{"reference":"Patient/p1"},
    "participant":[{"individual":{"reference":"Practitioner/s1"}}],
    "period":{"start":"2026-11-01T01:30:00-06:00"},"length":{"value":53}}"#;

#[test]
fn an_encounter_is_found_by_what_it_says() {
    let cases = [
        ("identifier", "urn:s|v"),
        ("status", "http://hl7.org/fhir/encounter-status|finished"),
        ("class", "http://terminology.hl7.org/CodeSystem/v3-ActCode|VR"),
        ("subject", "Patient/p1"),
        ("practitioner", "Practitioner/s1"),
        ("date", "1793518200000000..9223372036854775807"),
    ];
    for (name, expected) in cases {
        assert_eq!(found("Encounter", ENCOUNTER, name), [expected], "{name}");
    }
    let code_and_text = ["http://www.ama-assn.org/go/cpt|90837", "x"];
    assert_eq!(found("Encounter", ENCOUNTER, "type"), code_and_text);
    assert!(found("Encounter", ENCOUNTER, "location").is_empty());
}

#[test]
fn the_patient_of_a_resource_is_its_subject_and_of_a_patient_itself() {
    let patient =
        |kind, json: &str| rows(kind, json.as_bytes()).unwrap().0.map(|id| id.as_str().to_owned());
    assert_eq!(patient("Encounter", ENCOUNTER).as_deref(), Some("p1"));
    assert_eq!(patient("Patient", r#"{"id":"p2"}"#).as_deref(), Some("p2"));
    let appointment = r#"{"participant":[{"actor":{"reference":"Practitioner/s"}},
        {"actor":{"reference":"Patient/p3"}}]}"#;
    assert_eq!(patient("Appointment", appointment).as_deref(), Some("p3"));
    assert_eq!(patient("Organization", r#"{"id":"o"}"#), None);
    assert_eq!(patient("Binary", r#"{"id":"b"}"#), None);
}

#[test]
fn a_condition_in_a_path_keeps_the_matching_elements() {
    let patient = r#"{"id":"p","telecom":[{"system":"phone","value":"1"},
        {"system":"email","value":"a@b.example"}],"name":[{"family":"Šimić","given":["Zoë"]}]}"#;
    assert_eq!(found("Patient", patient, "phone"), ["|1"]);
    assert_eq!(found("Patient", patient, "email"), ["|a@b.example"]);
    assert_eq!(found("Patient", patient, "name"), ["simic", "zoe"]);
    let race = r#"{"id":"p","extension":[{"url":
        "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
        "extension":[{"url":"ombCategory","valueCoding":{"code":"1"}}]},
        {"url":"urn:other","extension":[{"valueCoding":{"code":"2"}}]}]}"#;
    assert_eq!(found("Patient", race, "race"), ["|1"]);
}

#[test]
fn what_a_former_name_says_is_apart() {
    let patient = r#"{"id":"p","name":[{"use":"official","family":"Reed","given":["Ann"]},
        {"use":"old","family":"Bloom","given":["Ann"]}],"address":[{"use":"old","city":"Ely"}]}"#;
    let (_, all) = rows("Patient", patient.as_bytes()).unwrap();
    for (name, current, former) in [
        ("name", vec!["reed", "ann"], vec!["bloom", "ann"]),
        ("family", vec!["reed"], vec!["bloom"]),
        ("given", vec!["ann"], vec!["ann"]),
    ] {
        assert_eq!(found("Patient", patient, name), current, "{name}");
        let (number, _) = param::search_type("Patient").unwrap().param(name).unwrap();
        let number = param::former(number).unwrap();
        let apart = all.iter().filter_map(|row| match row {
            IndexRow::Text { param, value, .. } => (*param == number).then_some(value.as_str()),
            _ => None,
        });
        assert_eq!(apart.collect::<Vec<_>>(), former, "{name}");
    }
    assert_eq!(found("Patient", patient, "address"), ["ely"]);
    let (number, _) = param::search_type("Patient").unwrap().param("address").unwrap();
    assert_eq!(param::former(number), None);
}

#[test]
fn a_reference_of_another_type_is_not_the_patient() {
    let provenance = r#"{"target":[{"reference":"Encounter/e/_history/2"},
        {"reference":"Patient/p"}]}"#;
    assert_eq!(found("Provenance", provenance, "target"), ["Encounter/e", "Patient/p"]);
    assert_eq!(found("Provenance", provenance, "patient"), ["Patient/p"]);
}

#[test]
fn a_quantity_a_uri_an_identifier_and_a_display_have_rows() {
    let observation = r##"{"id":"o","meta":{"profile":["http://p/x|6.1.0"],
        "security":[{"system":"urn:s","code":"R"}]},
        "valueQuantity":{"value":14.50,"comparator":"<","code":"{score}"},
        "code":{"text":"Depression score","coding":[{"code":"1","display":"PHQ"}]},
        "subject":{"identifier":{"system":"urn:i","value":"7"}},
        "encounter":{"reference":"#inside"}}"##;
    assert_eq!(found("Observation", observation, "value-quantity"), ["-inf..14.5 {score}"]);
    let versions = ["http://p/x", "http://p/x|6.1.0"];
    assert_eq!(found("Observation", observation, "_profile"), versions);
    assert_eq!(found("Observation", observation, "_security"), ["urn:s|R"]);
    assert_eq!(found("Observation", observation, "patient"), ["urn:i|7"]);
    assert_eq!(found("Observation", observation, "code"), ["|1", "phq", "depression score"]);
    assert!(found("Observation", observation, "encounter").is_empty());
}

#[test]
fn an_identifier_is_found_by_its_type_too() {
    let patient = r#"{"id":"p","identifier":[{"system":"urn:s","value":"7",
        "type":{"coding":[{"system":"urn:t","code":"MR"}]}}]}"#;
    assert_eq!(found("Patient", patient, "identifier"), ["urn:s|7", "urn:t|MR|7"]);
}

#[test]
fn a_truth_has_one_row_whatever_is_there() {
    for (json, expected) in [
        (r#"{"id":"p"}"#, "|false"),
        (r#"{"id":"p","deceasedBoolean":false}"#, "|false"),
        (r#"{"id":"p","deceasedBoolean":true}"#, "|true"),
        (r#"{"id":"p","deceasedDateTime":"2026-01-02"}"#, "|true"),
    ] {
        assert_eq!(found("Patient", json, "deceased"), [expected], "{json}");
    }
}

#[test]
fn a_pair_is_of_one_element() {
    let document = r#"{"id":"d","relatesTo":[
        {"code":"replaces","target":{"reference":"DocumentReference/a"}},
        {"code":"appends","target":{"reference":"DocumentReference/b"}}]}"#;
    assert_eq!(
        found("DocumentReference", document, "relationship"),
        ["DocumentReference/a|replaces", "DocumentReference/b|appends"]
    );
    let observation = r#"{"id":"o","code":{"text":"x"},"valueString":"y"}"#;
    assert!(found("Observation", observation, "code-value-string").is_empty());
}

#[test]
fn what_is_no_object_is_refused() {
    assert!(rows("Patient", b"[]").is_err());
    assert!(rows("Patient", b"{").is_err());
}
