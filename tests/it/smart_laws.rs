//! Laws of what a token lets through, over any scopes and contexts.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use throughline::fhir::search::Query;
use throughline::policy::{Action, Permit, Principal, Scopes};
use throughline::store::Everything;

use crate::smart_scopes::{LAB, SURVEY, spawn_full};
use crate::support::server::Server;

const TYPES: [&str; 8] = [
    "Patient",
    "Encounter",
    "Observation",
    "CareTeam",
    "DocumentReference",
    "Practitioner",
    "Organization",
    "Provenance",
];
const IDS: [&str; 17] = [
    "ann", "bo", "e-ann", "e-bo", "s-ann", "s-bo", "l-ann", "l-bo", "t-ann", "t-bo", "d-ann",
    "d-bo", "dr", "dx", "org", "p-ann", "p-bo",
];

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(spawn_full)
}

fn a_scope() -> impl Strategy<Value = String> {
    let level = prop_oneof![Just("patient"), Just("user"), Just("system")];
    let filter = prop_oneof![
        4 => Just(String::new()),
        1 => Just(format!("?category={SURVEY}")),
        1 => Just(format!("?category={LAB}")),
        1 => Just(format!("?category={SURVEY}&code=44261-6")),
    ];
    let name = prop_oneof![
        Just("*"),
        Just("Observation"),
        Just("Patient"),
        Just("Provenance"),
        Just("Practitioner")
    ];
    (level, name, filter).prop_map(|(level, name, filter)| match filter.as_str() {
        "" => format!("{level}/{name}.rs"),
        filter => format!("{level}/Observation.rs{filter}"),
    })
}

fn a_principal() -> impl Strategy<Value = Arc<Principal>> {
    let scopes = proptest::collection::vec(a_scope(), 1..4);
    let patient = prop_oneof![Just(None), Just(Some("ann")), Just(Some("bo"))];
    let user = prop_oneof![
        Just(None),
        Just(Some("Patient/ann")),
        Just(Some("Practitioner/dr")),
        Just(Some("Practitioner/dx")),
        Just(Some("RelatedPerson/r"))
    ];
    (scopes, patient, user).prop_map(|(scopes, patient, user)| {
        Arc::new(Principal {
            patient: patient.map(|id| id.parse().unwrap()),
            fhir_user: user.map(|user| user.parse().unwrap()),
            at: Some("2026-11-01T12:00:00Z".parse().unwrap()),
            ..Principal::new("hv".parse().unwrap(), "me", &scopes.join(" "))
        })
    })
}

/// What a search for everything of a type finds.
fn found(principal: &Arc<Principal>, name: &'static str) -> BTreeSet<String> {
    let Ok(permit) = Permit::decide(principal, Action::Search, name) else {
        return BTreeSet::new();
    };
    let query = Query { count: 100, ..Query::default() };
    let page = server().app.store().search(&permit, &query).unwrap();
    let ids: BTreeSet<_> = page.matches.iter().map(|found| found.id.to_string()).collect();
    assert_eq!(page.total, Some(ids.len() as u64), "the total says no more");
    ids
}

/// What can be read by its id.
fn read(principal: &Arc<Principal>, name: &'static str) -> BTreeSet<String> {
    let Ok(permit) = Permit::decide(principal, Action::Read, name) else { return BTreeSet::new() };
    let store = server().app.store();
    let is_there = |id: &&&str| {
        let id = id.parse().unwrap();
        let read = store.read(&permit, &id).unwrap();
        assert_eq!(store.head(&permit, &id).unwrap().is_some(), read.is_some());
        assert_eq!(store.history(&permit, &id).unwrap().is_empty(), read.is_none());
        read.is_some()
    };
    IDS.iter().filter(is_there).map(|id| (*id).to_owned()).collect()
}

fn with(principal: &Principal, scopes: &str) -> Arc<Principal> {
    Arc::new(Principal { scopes: Scopes::parse(scopes), ..principal.clone() })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_found_is_what_can_be_read(principal in a_principal()) {
        for name in TYPES {
            prop_assert_eq!(found(&principal, name), read(&principal, name), "{} {}", name, principal.scopes);
        }
    }

    #[test]
    fn fewer_scopes_never_let_more_through(principal in a_principal()) {
        let scopes: Vec<String> = principal.scopes.iter().map(ToString::to_string).collect();
        for left_out in 0..scopes.len() {
            let mut fewer = scopes.clone();
            fewer.remove(left_out);
            let fewer = with(&principal, &fewer.join(" "));
            for name in TYPES {
                prop_assert!(found(&fewer, name).is_subset(&found(&principal, name)), "{}", name);
            }
        }
    }

    #[test]
    fn a_parameter_more_never_lets_more_through(principal in a_principal()) {
        let narrowed: Vec<String> = principal.scopes.resources().map(|scope| {
            let narrower = scope.narrowed("Observation", "category", SURVEY);
            narrower.map_or_else(|| scope.to_string(), |narrower| narrower.to_string())
        }).collect();
        let narrower = with(&principal, &narrowed.join(" "));
        prop_assert!(found(&narrower, "Observation").is_subset(&found(&principal, "Observation")));
    }

    #[test]
    fn everything_has_no_more_than_searches_find(principal in a_principal()) {
        let Ok(permit) = Permit::decide(&principal, Action::Search, "Patient") else { return Ok(()) };
        for patient in ["ann", "bo"] {
            let scope = Everything {
                patient: patient.parse().unwrap(),
                types: Vec::new(),
                since: None,
                count: 100,
                after: None,
            };
            let page = server().app.store().everything(&permit, &scope).unwrap();
            for one in page.matches.iter().filter(|one| one.resource_type != "Binary") {
                let name = TYPES.iter().find(|name| **name == one.resource_type).unwrap();
                prop_assert!(found(&principal, name).contains(one.id.as_str()), "{} {}", name, one.id);
            }
        }
    }
}
