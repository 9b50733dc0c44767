//! The contract of every store's search beyond plain parameters: what is not there, other kinds of
//! values, orders, chains, includes, and everything of a patient.

use std::sync::Arc;

use serde_json::{Value, json};
use throughline::domain::Kind;
use throughline::fhir::search::param::search_type;
use throughline::fhir::search::parse::{self, Setting};
use throughline::fhir::search::{Query, ValueSets, index};
use throughline::policy::{Action, Permit, Principal};
use throughline::store::{
    Everything, Guard, NewResource, Page, SqliteStore, Store, StoredResource,
};

use crate::support::postgres;

/// Runs a test over a practice of two clients in a new store of every adapter.
fn every_store(test: impl Fn(&dyn Store)) {
    let store = SqliteStore::in_memory().unwrap();
    fill(&store);
    test(&store);
    let store = postgres::store();
    fill(&store);
    test(&store);
}

fn fill(store: &dyn Store) {
    let resources = [
        json!({"resourceType": "Patient", "id": "amara", "active": true,
               "name": [{"family": "Okafor", "given": ["Amara"]}], "birthDate": "1990-04-05",
               "managingOrganization": {"reference": "Organization/o"}}),
        json!({"resourceType": "Patient", "id": "ben",
               "name": [{"family": "Šimić"}], "birthDate": "1985"}),
        json!({"resourceType": "Organization", "id": "o", "name": "Harborview",
               "identifier": [{"system": "urn:npi", "value": "1"}]}),
        json!({"resourceType": "Practitioner", "id": "d", "name": [{"family": "Reyes"}]}),
        json!({"resourceType": "Encounter", "id": "e1", "status": "finished",
               "subject": {"reference": "Patient/amara"}, "period": {"start": "2026-03-01", "end": "2026-03-01"},
               "participant": [{"individual": {"reference": "Practitioner/d"}}],
               "type": [{"coding": [{"system": "cpt", "code": "90837", "display": "Psychotherapy, 60 minutes"}], "text": "Long session"}]}),
        json!({"resourceType": "Encounter", "id": "e2", "status": "planned",
               "subject": {"reference": "Patient/amara"}, "period": {"start": "2026-01-01"},
               "serviceProvider": {"reference": "Organization/o"}}),
        json!({"resourceType": "Encounter", "id": "e3", "status": "finished",
               "subject": {"reference": "Patient/ben", "identifier": {"system": "urn:mr", "value": "77"}},
               "type": [{"coding": [{"system": "cpt", "code": "90834"}]}]}),
        json!({"resourceType": "Observation", "id": "o1", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]},
               "subject": {"reference": "Patient/amara"}, "encounter": {"reference": "Encounter/e1"},
               "valueQuantity": {"value": 11, "unit": "points", "system": "http://unitsofmeasure.org", "code": "{score}"}}),
        json!({"resourceType": "Observation", "id": "o2", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]},
               "subject": {"reference": "Patient/ben"},
               "valueQuantity": {"value": 20, "unit": "points", "system": "http://unitsofmeasure.org", "code": "{score}"}}),
    ];
    for (number, resource) in resources.iter().enumerate() {
        put(store, "hv", resource, number);
    }
    put(
        store,
        "other",
        &json!({"resourceType": "Patient", "id": "amara", "name": [{"family": "Okafor"}]}),
        0,
    );
    put(
        store,
        "other",
        &json!({"resourceType": "Observation", "id": "x", "subject": {"reference": "Patient/ben"}}),
        0,
    );
}

fn put(store: &dyn Store, tenant: &str, resource: &Value, number: usize) {
    let text = |name: &str| resource[name].as_str().unwrap().to_owned();
    let body = serde_json::to_vec(resource).unwrap();
    let (patient, index) = index::rows(&text("resourceType"), &body).unwrap();
    let resource = StoredResource {
        resource_type: text("resourceType"),
        id: text("id").parse().unwrap(),
        version_id: "1".into(),
        last_updated: jiff::Timestamp::from_second(i64::try_from(number).unwrap()).unwrap(),
        body: body.into(),
        shown: throughline::store::Shown::default(),
    };
    let origin = format!("{}-{}", resource.resource_type, resource.id);
    let new = NewResource { resource, patient, index, guard: Guard::default() };
    let mut write = store.write().unwrap();
    write.put_projection(&tenant.parse().unwrap(), Kind::Client, &origin, vec![new]).unwrap();
    write.commit().unwrap();
}

fn permit(action: Action, resource_type: &'static str, scopes: &[&str]) -> Permit {
    let principal = Principal::new("hv".parse().unwrap(), "test", &scopes.join(" "));
    Permit::decide(&Arc::new(principal), action, resource_type).unwrap()
}

fn query(resource_type: &'static str, text: &str) -> Query {
    let setting = Setting {
        resource_type: search_type(resource_type).unwrap(),
        base: "http://localhost/fhir",
        value_sets: &ValueSets::default(),
        lenient: false,
    };
    let pair =
        |pair: &str| pair.split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned())).unwrap();
    parse::parse(setting, text.split('&').map(pair).collect()).unwrap().query
}

fn page(store: &dyn Store, resource_type: &'static str, text: &str) -> Page {
    let permit = permit(Action::Search, resource_type, &["system/*.rs"]);
    store.search(&permit, &query(resource_type, text)).unwrap()
}

fn found(store: &dyn Store, resource_type: &'static str, text: &str) -> String {
    let page = page(store, resource_type, text);
    assert_eq!(page.total, Some(page.matches.len() as u64), "{text}");
    names(&page.matches)
}

fn names(resources: &[StoredResource]) -> String {
    resources.iter().map(|found| found.id.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_not_so_and_what_is_missing_can_be_asked_for() {
    every_store(|store| {
        for (text, expected) in [
            ("status:not=finished", "e2"),
            ("status:not=finished,planned", ""),
            ("type:not=cpt|90837", "e3 e2"),
            ("type:missing=true", "e2"),
            ("type:missing=false", "e3 e1"),
            ("subject:missing=true", ""),
            ("date:missing=true", "e3"),
            ("patient=amara&status:not=planned", "e1"),
        ] {
            assert_eq!(found(store, "Encounter", text), expected, "{text}");
        }
    });
}

#[test]
fn texts_identifiers_quantities_and_exact_names_are_found() {
    every_store(|store| {
        for (resource_type, text, expected) in [
            ("Encounter", "type:text=psycho", "e1"),
            ("Encounter", "type:text=LONG", "e1"),
            ("Encounter", "type:text=hour", ""),
            ("Encounter", "patient:identifier=urn:mr|77", "e3"),
            ("Encounter", "subject:Patient=ben", "e3"),
            ("Patient", "family=simic", "ben"),
            ("Patient", "family:exact=simic", ""),
            ("Patient", "family:exact=Šimić", "ben"),
            ("Patient", "name:contains=mar", "amara"),
            ("Observation", "value-quantity=11", "o1"),
            ("Observation", "value-quantity=gt11", "o2"),
            ("Observation", "value-quantity=ge11|http://unitsofmeasure.org|{score}", "o2 o1"),
            ("Observation", "value-quantity=ge11||points", "o2 o1"),
            ("Observation", "value-quantity=lt20||mg", ""),
        ] {
            assert_eq!(found(store, resource_type, text), expected, "{resource_type}?{text}");
        }
    });
}

#[test]
fn a_chain_leads_through_references_in_both_directions() {
    every_store(|store| {
        for (resource_type, text, expected) in [
            ("Encounter", "patient.family=okafor", "e2 e1"),
            ("Encounter", "subject:Patient.family=simic", "e3"),
            ("Encounter", "patient.birthdate=lt1990", "e3"),
            ("Encounter", "patient.organization.name=harbor", "e2 e1"),
            ("Encounter", "patient.family=nobody", ""),
            ("Patient", "_has:Observation:patient:value-quantity=gt15", "ben"),
            ("Patient", "_has:Encounter:patient:status=planned", "amara"),
            ("Encounter", "_has:Observation:encounter:code=44261-6", "e1"),
            ("Encounter", "patient._has:Observation:patient:value-quantity=gt15", "e3"),
            ("Encounter", "status=finished&patient.family=okafor", "e1"),
        ] {
            assert_eq!(found(store, resource_type, text), expected, "{resource_type}?{text}");
        }
    });
}

#[test]
fn a_chain_through_a_type_that_the_permit_does_not_reach_finds_nothing() {
    every_store(|store| {
        let narrow = permit(Action::Search, "Encounter", &["system/Encounter.rs"]);
        for text in ["patient.family=okafor", "_has:Observation:encounter:code=44261-6"] {
            let page = store.search(&narrow, &query("Encounter", text)).unwrap();
            assert_eq!((page.matches.len(), page.total), (0, Some(0)), "{text}");
        }
        let text = "patient=amara&_include=Encounter:patient&_revinclude=Observation:encounter";
        let page = store.search(&narrow, &query("Encounter", text)).unwrap();
        assert_eq!((page.matches.len(), page.included.len()), (2, 0));
    });
}

#[test]
fn a_result_comes_in_the_order_that_is_asked_for_page_by_page() {
    every_store(|store| {
        for (resource_type, sort, expected) in [
            ("Encounter", "-_lastUpdated", "e3 e2 e1"),
            ("Encounter", "_lastUpdated", "e1 e2 e3"),
            ("Encounter", "_id", "e1 e2 e3"),
            ("Encounter", "-_id", "e3 e2 e1"),
            ("Encounter", "date", "e2 e1 e3"),
            ("Encounter", "-date", "e2 e1 e3"),
            ("Encounter", "status,-_id", "e3 e1 e2"),
            ("Encounter", "-status,_id", "e2 e1 e3"),
            ("Patient", "family", "amara ben"),
            ("Patient", "-family", "ben amara"),
            ("Observation", "-value-quantity", "o2 o1"),
            ("Encounter", "patient,date", "e2 e1 e3"),
        ] {
            for size in 1..=3 {
                let mut query = query(resource_type, &format!("_sort={sort}&_count={size}"));
                let mut seen = Vec::new();
                loop {
                    let permit = permit(Action::Search, resource_type, &["system/*.rs"]);
                    let page = store.search(&permit, &query).unwrap();
                    seen.push(names(&page.matches));
                    query.after = page.next;
                    if query.after.is_none() {
                        break;
                    }
                    assert!(seen.len() < 9, "the pages of {sort} have no end");
                }
                assert_eq!(seen.join(" "), expected, "{resource_type} by {sort}, {size} a page");
            }
        }
    });
}

#[test]
fn what_is_referred_to_and_what_refers_comes_along_once() {
    every_store(|store| {
        for (text, expected) in [
            ("patient=amara&_include=Encounter:patient", "amara"),
            ("patient=amara&_include=Encounter:subject:Patient", "amara"),
            ("patient=amara&_include=Encounter:practitioner", "d"),
            ("patient=amara&_include=Encounter:*", "o amara d"),
            ("patient=amara&_revinclude=Observation:encounter", "o1"),
            ("patient=ben&_include=Encounter:patient&_include:iterate=Patient:organization", "ben"),
            ("_id=e1&_include=Encounter:patient&_include:iterate=Patient:organization", "amara o"),
            (
                "_id=e1&_revinclude=Observation:encounter&_include:iterate=Observation:patient",
                "o1 amara",
            ),
        ] {
            assert_eq!(names(&page(store, "Encounter", text).included), expected, "{text}");
        }
    });
}

#[test]
fn a_total_is_counted_as_far_as_it_is_asked_for() {
    every_store(|store| {
        for number in 0..1_100 {
            let id = format!("n{number}");
            let goal = json!({"resourceType": "Goal", "id": id, "lifecycleStatus": "active"});
            put(store, "hv", &goal, number);
        }
        let total = |text: &str| page(store, "Goal", text).total;
        assert_eq!(total("_count=5"), None, "too many to count for nothing");
        assert_eq!(total("_count=5&_total=accurate"), Some(1_100));
        assert_eq!(total("_count=5&_total=none"), None);
        assert_eq!(total("_count=5&_id=n1,n2"), Some(2));
    });
}

#[test]
fn everything_of_a_patient_is_walked_once_and_only_as_far_as_the_permit_reaches() {
    every_store(|store| {
        let walk = |permit: &Permit, count: usize, types: &[&'static str]| {
            let mut scope = Everything {
                patient: "amara".parse().unwrap(),
                types: types.to_vec(),
                since: None,
                count,
                after: None,
            };
            let mut seen = Vec::new();
            loop {
                let page = store.everything(permit, &scope).unwrap();
                assert!(page.matches.len() <= count);
                let name = |found: &StoredResource| format!("{}/{}", found.resource_type, found.id);
                seen.extend(page.matches.iter().map(name));
                scope.after = page.next;
                if scope.after.is_none() {
                    return seen.join(" ");
                }
                assert!(seen.len() < 20, "the pages have no end");
            }
        };
        let all = permit(Action::Search, "Patient", &["system/*.rs"]);
        let expected =
            "Encounter/e2 Encounter/e1 Observation/o1 Patient/amara Organization/o Practitioner/d";
        for count in 1..8 {
            assert_eq!(walk(&all, count, &[]), expected, "{count} a page");
        }
        assert_eq!(walk(&all, 2, &["Encounter"]), "Encounter/e2 Encounter/e1");
        let few =
            permit(Action::Search, "Patient", &["system/Patient.rs", "system/Observation.rs"]);
        assert_eq!(walk(&few, 5, &[]), "Observation/o1 Patient/amara");
    });
}
