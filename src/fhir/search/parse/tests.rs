//! The grammar, by example.

use super::*;
use crate::fhir::search::param;
use crate::fhir::search::{Operand, Prefix, SortBy, TextMatch};

fn search(resource_type: &str, query: &[(&str, &str)], lenient: bool) -> Result<Search> {
    let resource_type = param::search_type(resource_type).unwrap();
    let mut value_sets = ValueSets::default();
    let codes = ["a", "b"].map(|code| (Some("urn:s".to_owned()), code.to_owned()));
    value_sets.add("urn:v", Some("1"), codes.to_vec());
    let base = "http://localhost/fhir";
    let setting = Setting { resource_type, base, value_sets: &value_sets, lenient };
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    parse(setting, query.iter().map(owned).collect())
}

fn one(resource_type: &str, name: &str, value: &str) -> Vec<Operand> {
    match search(resource_type, &[(name, value)], false).unwrap().query.conditions.remove(0) {
        Condition::Param { test: Test::Any(any_of), .. } => any_of,
        other => panic!("{other:?}"),
    }
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
fn what_says_one_thing_about_the_matches_is_said_once() {
    for (name, value) in [("_count", "5"), ("_total", "none"), ("_sort", "date"), (PAGE, "x")] {
        let twice = [(name, value), ("status", "finished"), (name, value)];
        assert!(search("Encounter", &twice, true).is_err(), "{name}");
        assert!(search("Encounter", &twice[..2], false).is_ok(), "{name}");
    }
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
    assert_eq!(
        one("Patient", "name", "ŠIMIĆ"),
        [Operand::Text { how: TextMatch::Starts, value: "simic".into() }]
    );
    refused("Patient", "name", "  ");
}

#[test]
fn repeated_ids_are_conditions_of_their_own() {
    let query = search("Patient", &[("_id", "a,b"), ("_id", "b")], false).unwrap().query;
    let ids = |ids: &[&str]| Condition::Id(ids.iter().map(|id| (*id).to_owned()).collect());
    assert_eq!(query.conditions, [ids(&["a", "b"]), ids(&["b"])]);
}

#[test]
fn a_chain_tests_what_is_referred_to_and_has_what_refers_here() {
    let chain = search("Encounter", &[("patient.name", "ana")], false).unwrap();
    assert_eq!(chain.reaches(), ["Patient"]);
    let typed = search("Encounter", &[("participant:Practitioner.family", "k")], false).unwrap();
    assert_eq!(typed.reaches(), ["Practitioner"]);
    let has = [("_has:Encounter:patient:practitioner.name", "k")];
    assert_eq!(search("Patient", &has, false).unwrap().reaches(), ["Encounter", "Practitioner"]);
    let deep = "part-of.part-of.part-of.part-of.status";
    assert!(search("Encounter", &[(deep, "finished")], false).is_err());
    refused("Encounter", "status.name", "x");
    refused("Patient", "_has:Encounter:status:type", "x");
}

#[test]
fn modifiers_change_the_test() {
    let test = |kind, name, value| match search(kind, &[(name, value)], false)
        .unwrap()
        .query
        .conditions
        .remove(0)
    {
        Condition::Param { test, .. } => test,
        other => panic!("{other:?}"),
    };
    assert_eq!(test("Encounter", "status:not", "a"), Test::None(vec![token(None, Some("a"))]));
    assert_eq!(test("Encounter", "date:missing", "true"), Test::Missing(true));
    let exact = Operand::Text { how: TextMatch::Exact, value: "Ana".into() };
    assert_eq!(test("Patient", "family:exact", "Ana"), Test::Any(vec![exact]));
    let identifier = Test::Any(vec![token(Some("s"), Some("1"))]);
    assert_eq!(test("Encounter", "patient:identifier", "s|1"), identifier);
}

#[test]
fn a_value_set_is_its_codes() {
    let codes = ["a", "b"].map(|code| token(Some("urn:s"), Some(code)));
    assert_eq!(one("Encounter", "type:in", "urn:v"), codes);
    assert_eq!(one("Encounter", "type:in", "urn:v|1"), codes);
    let not = search("Encounter", &[("type:not-in", "urn:v")], false).unwrap().query;
    let Condition::Param { test: Test::None(none), .. } = &not.conditions[0] else { panic!() };
    assert_eq!(none, &codes);
    refused("Encounter", "type:in", "urn:v|2");
}

#[test]
fn an_identifier_has_a_type() {
    let of_type = token(Some("urn:t|MR"), Some("7"));
    assert_eq!(one("Patient", "identifier:of-type", "urn:t|MR|7"), [of_type]);
}

#[test]
fn a_pair_of_parameters_is_both_at_once() {
    let pair = |value| {
        search("Observation", &[("code-value-quantity", value)], false).map(|s| s.query.conditions)
    };
    let both = pair("1$2").unwrap();
    assert!(matches!(both.as_slice(), [Condition::Param { .. }, Condition::Param { .. }]));
    let either = pair("1$2,3$4").unwrap();
    let [Condition::Param { test: Test::Any(codes), .. }, Condition::Either(all)] = &either[..]
    else {
        panic!("{either:?}")
    };
    assert_eq!((codes.len(), all.len()), (2, 2));
    for value in ["1", "1$x", "$2", "1$2$3"] {
        assert!(pair(value).is_err(), "{value}");
    }
    let related = Operand::Token {
        system: Some("DocumentReference/d".into()),
        code: Some("replaces".into()),
    };
    assert_eq!(one("DocumentReference", "relationship", "d$replaces"), [related]);
    assert!(one("DocumentReference", "relationship", "d$urn:other|replaces").is_empty());
    refused("DocumentReference", "relationship:missing", "true");
    refused("Observation", "_sort", "code-value-quantity");
}

#[test]
fn a_quantity_has_the_precision_it_is_written_with() {
    let quantity = |prefix, low, high, system: Option<&str>, code: Option<&str>| {
        let (system, code) = (system.map(Into::into), code.map(Into::into));
        [Operand::Quantity { prefix, low, high, system, code }]
    };
    let one = |value| one("Observation", "value-quantity", value);
    assert_eq!(one("15"), quantity(Prefix::Eq, 14.5, 15.5, None, None));
    assert_eq!(one("ge15||kg"), quantity(Prefix::Ge, 15.0, 15.0, None, Some("kg")));
    assert_eq!(one("1e2|u|g"), quantity(Prefix::Eq, 50.0, 150.0, Some("u"), Some("g")));
    for value in ["x", "15|", "15|kg", "inf", "1e999", "nan"] {
        refused("Observation", "value-quantity", value);
    }
}

#[test]
fn order_and_company_are_named_by_parameters() {
    let query = [
        ("_sort", "-date,_id"),
        ("_include", "Encounter:*"),
        ("_include:iterate", "Patient:organization"),
        ("_revinclude", "Provenance:target"),
        ("_revinclude", "Provenance:*"),
    ];
    let query = search("Encounter", &query, false).unwrap().query;
    assert!(query.sort[0].descending && matches!(query.sort[0].by, SortBy::Param(_)));
    assert_eq!(query.sort[1].by, SortBy::Id);
    assert!(query.includes[0].params.len() > 5 && query.includes[1].iterate);
    assert_eq!(query.includes[2].source, "Provenance");
    assert!(query.includes[3].params.len() > 1);
    for (name, value) in [
        ("_sort", "colour"),
        ("_include", "Patient:organization"),
        ("_include", "Encounter:status"),
        ("_include:recurse", "Encounter:patient"),
        ("_revinclude", "Colour:target"),
        ("_include", "Encounter:patient:Patient:x"),
    ] {
        refused("Encounter", name, value);
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_understood_or_refused_and_reads_the_same_twice(
        name in "(date|status|type|patient|length|_has|_sort|_include|[a-z._:]{0,12})(:[a-zA-Z]{1,9})?",
        value in "\\PC{0,24}",
    ) {
        if let Ok(search) = search("Encounter", &[(&name, &value)], true) {
            let sent: Vec<_> =
                search.understood.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let again = super::tests::search("Encounter", &sent, false).unwrap();
            proptest::prop_assert_eq!(again.query.conditions, search.query.conditions);
            proptest::prop_assert_eq!(again.query.sort, search.query.sort);
        }
    }
}

#[test]
fn what_is_not_understood_is_refused_unless_the_caller_is_lenient() {
    for (name, value) in
        [("colour", "red"), ("patient.colour", "x"), ("_text", "y"), ("_summary", "count")]
    {
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
        ("status:above", "finished"),
        ("type:in", "urn:other"),
        ("type:of-type", "urn:s|a|b"),
        ("identifier:of-type", "a|b"),
        ("_has:x", "y"),
        ("status", ""),
        ("date", "never"),
        ("_count", "-1"),
        ("_count", "many"),
        ("_lastUpdated", "soon"),
        ("patient", "a/b/c"),
        ("patient:missing", "yes"),
        ("status", ","),
        ("identifier", "|"),
        ("identifier", "urn:s|1,|"),
        ("patient:identifier", "|"),
        ("status", r"finished\"),
        ("patient.name", r"a\\\"),
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

#[test]
fn a_search_about_one_patient_is_narrow_and_one_that_looks_at_others_is_not() {
    for (parameters, narrow) in [
        (&[("patient", "p1"), ("status", "finished")][..], true),
        (&[("patient", "Patient/p1"), ("date", "ge2026"), ("_sort", "-date")], true),
        (&[("_id", "e1,e2")], true),
        (&[("status", "finished")], false),
        (&[("patient", "p1,p2")], false),
        (&[("practitioner", "Practitioner/d1")], false),
        (&[("patient.name", "x")], false),
        (&[("patient", "p1"), ("patient.name:contains", "x")], false),
        (&[("patient", "p1"), ("_has:Observation:encounter:status", "final")], false),
        (&[("patient", "p1"), ("_include", "Encounter:patient")], false),
        (&[], false),
    ] {
        let search = search("Encounter", parameters, false).unwrap();
        assert_eq!(search.query.is_narrow(), narrow, "{parameters:?}");
    }
}
