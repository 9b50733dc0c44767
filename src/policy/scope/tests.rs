//! The laws of scopes.

use proptest::prelude::*;

use super::*;

const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

fn scopes(text: &str) -> Scopes {
    Scopes::parse(text)
}

#[test]
fn scopes_are_echoed_as_they_were_asked_for() {
    let asked = format!(
        "openid fhirUser profile launch launch/patient launch/encounter offline_access \
         online_access patient/*.rs user/Patient.read system/Encounter.cruds \
         patient/Observation.rs?category={CATEGORY}|survey \
         patient/Condition.r?category=a%7Cb&clinical-status=active"
    );
    assert_eq!(scopes(&asked).to_string(), asked.split_whitespace().collect::<Vec<_>>().join(" "));
    let first = "user/*.* user/*.write patient/Goal.read";
    assert_eq!(scopes(first).to_string(), first);
}

#[test]
fn what_is_no_scope_of_ours_is_left_out() {
    for text in [
        "",
        "patient",
        "patient/",
        "patient/Patient",
        "patient/Patient.",
        "patient/Patient.sr",
        "patient/Patient.rr",
        "patient/Patient.x",
        "patient/Nonsense.rs",
        "Patient/Patient.rs",
        "patient/patient.rs",
        "launch/practitioner",
        "patient/*.rs?category=x",
        "patient/Observation.read?category=x",
        "patient/Observation.rs?",
        "patient/Observation.rs?nonsense=x",
        "patient/Observation.rs?category=",
        "patient/Observation.rs?category:not=x",
        "patient/Observation.rs?patient.name=x",
        "patient/Observation.rs?date=gt2020",
        "patient/Observation.rs?category=%zz",
        "patient/Binary.r?category=x",
        "open\"id",
        "openid\u{0}",
    ] {
        assert!(scopes(text).is_empty(), "{text}");
    }
    assert_eq!(scopes("nonsense  openid openid").to_string(), "openid");
    assert!(scopes(&"openid ".repeat(2_000)).is_empty(), "too long");
}

#[test]
fn a_scope_covers_what_is_no_more() {
    let survey = &format!("patient/Observation.rs?category={CATEGORY}|survey");
    let narrower = &format!("{survey}&code=1");
    let other = "patient/Observation.rs?category=laboratory";
    for (granted, wanted, covered) in [
        ("patient/*.rs", "patient/Observation.rs", true),
        ("patient/*.read", "patient/Observation.rs", true),
        ("patient/*.rs", survey, true),
        ("patient/Observation.rs", survey, true),
        (survey, narrower, true),
        ("patient/Observation.r patient/Observation.s", "patient/Observation.rs", true),
        ("patient/Observation.r", "patient/Observation.rs", false),
        (survey, "patient/Observation.rs", false),
        (narrower, survey, false),
        (survey, other, false),
        ("patient/Observation.rs", "patient/*.rs", false),
        ("patient/Observation.rs", "user/Observation.rs", false),
        ("system/*.rs", "patient/Observation.rs", false),
        ("patient/Observation.rs", "patient/Observation.cruds", false),
        ("openid", "openid", true),
        ("openid", "fhirUser", false),
        ("launch", "launch/patient", false),
    ] {
        assert_eq!(scopes(granted).cover(&scopes(wanted)), covered, "{granted} for {wanted}");
    }
}

#[test]
fn a_client_gets_what_it_asks_for_within_what_it_may_have() {
    let may = scopes("openid patient/Observation.rs patient/Patient.r system/*.rs");
    for (asked, given) in [
        ("openid fhirUser", "openid"),
        ("patient/*.rs", "patient/Observation.rs patient/Patient.r"),
        ("patient/*.read", "patient/Observation.read patient/Patient.r"),
        ("patient/Goal.rs", ""),
        ("system/Goal.rs user/*.rs", "system/Goal.rs"),
    ] {
        assert_eq!(scopes(asked).within(&may).to_string(), given, "{asked}");
    }
}

#[test]
fn nothing_is_offered_that_changes_records() {
    let asked = scopes("user/*.* patient/Goal.cruds patient/Goal.write user/Patient.c openid");
    assert_eq!(asked.offered().to_string(), "user/*.read patient/Goal.rs openid");
    let sending = scopes("system/Bundle.cruds user/Bundle.c system/*.c");
    assert_eq!(sending.offered().to_string(), "system/Bundle.c", "but Bundles that are kept aside");
}

#[test]
fn a_scope_is_narrowed_to_a_type_and_to_a_category() {
    let all = scopes("patient/*.rs");
    let all = all.resources().next().unwrap();
    let survey = all.narrowed("Observation", "category", &format!("{CATEGORY}|survey")).unwrap();
    assert_eq!(survey.to_string(), format!("patient/Observation.rs?category={CATEGORY}|survey"));
    assert_eq!(all.of_type("Goal").unwrap().to_string(), "patient/Goal.rs");
    assert!(survey.of_type("Goal").is_none() && all.of_type("Nonsense").is_none());
    assert!(all.narrowed("Observation", "nonsense", "x").is_none());
    assert!(scopes("patient/*.rs").covers(&Scope::Resource(survey)));
}

fn a_scope() -> impl Strategy<Value = String> {
    let level = prop_oneof![Just("patient"), Just("user"), Just("system")];
    let name = prop_oneof![Just("*"), Just("Observation"), Just("Condition"), Just("Patient")];
    let rights = prop_oneof![
        Just("rs"),
        Just("r"),
        Just("s"),
        Just("cruds"),
        Just("read"),
        Just("write"),
        Just("*")
    ];
    let filter = prop_oneof![
        3 => Just(""), 1 => Just("?category=a|b"), 1 => Just("?category=c&code=d"),
        1 => Just("?code=x%7Cy")
    ];
    let resource = (level, name, rights, filter)
        .prop_map(|(level, name, rights, filter)| format!("{level}/{name}.{rights}{filter}"));
    prop_oneof![
        4 => resource,
        1 => prop_oneof![Just("openid"), Just("launch/patient")].prop_map(str::to_owned)
    ]
}

fn some_scopes() -> impl Strategy<Value = Scopes> {
    proptest::collection::vec(a_scope(), 0..6).prop_map(|list| Scopes::parse(&list.join(" ")))
}

proptest! {
    #[test]
    fn parsing_what_is_printed_gives_the_same(asked in some_scopes()) {
        prop_assert_eq!(Scopes::parse(&asked.to_string()), asked);
    }

    #[test]
    fn any_text_parses_to_scopes_that_print_to_a_part_of_it(text in "[ -~]{0,60}") {
        let parsed = Scopes::parse(&text);
        let words: Vec<_> = text.split(' ').collect();
        for scope in parsed.iter() {
            prop_assert!(words.contains(&scope.to_string().as_str()));
        }
    }

    #[test]
    fn covering_is_reflexive_and_transitive(a in some_scopes(), b in some_scopes(), c in some_scopes()) {
        prop_assert!(a.cover(&a));
        if a.cover(&b) && b.cover(&c) {
            prop_assert!(a.cover(&c));
        }
    }

    #[test]
    fn what_is_within_is_covered_by_both(asked in some_scopes(), may in some_scopes()) {
        let given = asked.within(&may);
        prop_assert!(may.cover(&given), "{} of {}", given, may);
        prop_assert!(asked.cover(&given), "{} of {}", given, asked);
    }

    #[test]
    fn offering_never_adds(asked in some_scopes()) {
        prop_assert!(asked.cover(&asked.offered()));
    }
}
