//! The grammar, by example.

use super::*;

fn search(resource_type: &str, query: &[(&str, &str)], lenient: bool) -> Result<Search> {
    let resource_type = param::search_type(resource_type).unwrap();
    let setting = Setting { resource_type, base: "http://localhost/fhir", lenient };
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    parse(setting, query.iter().map(owned).collect())
}

fn one(resource_type: &str, name: &str, value: &str) -> Vec<Operand> {
    search(resource_type, &[(name, value)], false).unwrap().query.conditions.remove(0).any_of
}

fn token(system: Option<&str>, code: Option<&str>) -> Operand {
    Operand::Token { system: system.map(Into::into), code: code.map(Into::into) }
}

fn refused(resource_type: &str, name: &str, value: &str) -> Error {
    search(resource_type, &[(name, value)], false).unwrap_err()
}

#[test]
fn a_token_has_four_forms() {
    assert_eq!(one("Encounter", "type", "90837"), [token(None, Some("90837"))]);
    assert_eq!(one("Encounter", "type", "urn:s|90837"), [token(Some("urn:s"), Some("90837"))]);
    assert_eq!(one("Encounter", "type", "|90837"), [token(Some(""), Some("90837"))]);
    assert_eq!(one("Encounter", "type", "urn:s|"), [token(Some("urn:s"), None)]);
}

#[test]
fn a_comma_is_or_and_an_escaped_one_is_a_comma() {
    assert_eq!(
        one("Encounter", "status", "planned,finished"),
        [token(None, Some("planned")), token(None, Some("finished"))]
    );
    assert_eq!(
        one("Encounter", "identifier", r"urn:s|a\,b\|c\\"),
        [token(Some("urn:s"), Some(r"a,b|c\"))]
    );
}

#[test]
fn a_repeated_parameter_is_and() {
    let query =
        search("Encounter", &[("date", "ge2026"), ("date", "lt2027")], false).unwrap().query;
    assert_eq!(query.conditions.len(), 2);
}

#[test]
fn a_date_has_a_prefix_and_a_precision() {
    let (low, high) = crate::fhir::search::date::range("2026-11").unwrap();
    assert_eq!(
        one("Encounter", "date", "ge2026-11"),
        [Operand::Date { prefix: Prefix::Ge, low, high }]
    );
    let plus = one("Encounter", "date", "2026-11-01T10:00:00 02:00");
    assert_eq!(plus, one("Encounter", "date", "eq2026-11-01T10:00:00+02:00"));
    refused("Encounter", "date", "gt");
    refused("Encounter", "date", "yesterday");
    refused("Encounter", "date", "xx2026");
}

#[test]
fn a_patient_is_named_by_id_by_reference_or_by_url() {
    let expected = [Operand::Reference { targets: vec!["Patient/p1".into()] }];
    for value in ["p1", "Patient/p1", "http://localhost/fhir/Patient/p1"] {
        assert_eq!(one("Encounter", "patient", value), expected, "{value}");
        assert_eq!(one("Encounter", "subject", value), expected, "{value}");
        assert_eq!(one("Encounter", "subject:Patient", value), expected, "{value}");
    }
    refused("Encounter", "patient", "Group/g1");
    refused("Encounter", "patient", "p 1");
    refused("Encounter", "patient", "Patient/");
}

#[test]
fn text_is_compared_without_case_and_accents() {
    assert_eq!(one("Patient", "name", "ŠIMIĆ"), [Operand::Text { prefix: "simic".into() }]);
    refused("Patient", "name", "  ");
}

#[test]
fn repeated_ids_are_those_that_all_name() {
    let ids = |query: &[(&str, &str)]| search("Patient", query, false).unwrap().query;
    assert_eq!(ids(&[("_id", "a,b"), ("_id", "b,c")]).ids, ["b"]);
    let none = ids(&[("_id", "a"), ("_id", "b")]);
    assert!(none.ids.is_empty() && none.conditions[0].any_of.is_empty());
}

#[test]
fn what_is_not_understood_is_refused_unless_the_caller_is_lenient() {
    for (name, value) in [
        ("colour", "red"),
        ("_sort", "date"),
        ("_include", "Encounter:patient"),
        ("_revinclude", "Observation:encounter"),
        ("patient.name", "x"),
        ("_has:x", "y"),
        ("_summary", "count"),
    ] {
        assert!(matches!(refused("Encounter", name, value), Error::NotSupported { .. }), "{name}");
        let search = search("Encounter", &[(name, value), ("status", "finished")], true).unwrap();
        assert_eq!(search.ignored, [name]);
        assert_eq!(search.query.conditions.len(), 1);
        assert_eq!(search.understood, [("status".to_owned(), "finished".to_owned())]);
    }
}

#[test]
fn a_modifier_or_a_bad_value_is_refused_even_then() {
    for (name, value) in [
        ("status:not", "finished"),
        ("type:text", "x"),
        ("status", ""),
        ("date", "never"),
        ("_count", "-1"),
        ("_count", "many"),
        ("_lastUpdated", "2026,2027"),
        ("patient", "a/b/c"),
        ("patient:missing", "true"),
        ("status", ","),
    ] {
        let refused = search("Encounter", &[(name, value)], true).is_err();
        assert!(refused, "{name}={value}");
    }
}

#[test]
fn a_page_is_never_larger_than_the_limit_and_a_search_never_wider() {
    let count = |value| search("Patient", &[("_count", value)], false).unwrap().query.count;
    assert_eq!((count("0"), count("7"), count("99999")), (0, 7, MAX_COUNT));
    assert_eq!(search("Patient", &[], false).unwrap().query.count, DEFAULT_COUNT);
    let many = vec!["x"; MAX_OPERANDS + 1].join(",");
    assert!(search("Patient", &[("identifier", &many)], false).is_err());
    assert!(search("Patient", &[("_id", &many)], false).is_err());
}
