//! By which steps SQLite answers, as tests: no statement goes through all that a tenant has, and what is
//! granted anew is another edition.

use std::cell::RefCell;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::SqliteStore;
use super::search::Reading;
use crate::domain::{Kind, TenantId};
use crate::error::Result;
use crate::fhir::search::param::{self, search_type};
use crate::fhir::search::parse::{self, Setting};
use crate::fhir::search::{ValueSets, index};
use crate::policy::{Action, Grantee, Obligations, Permit, Principal, Purpose, Under};
use crate::store::sql::{self, Dialect, Found, Snapshot, Statement};
use crate::store::{
    Allowed, Everything, Export, Guard, NewResource, Shown, Store, StoredResource, Whose, Write,
};

/// A connection that notes which steps of its answers go through all that a tenant has.
struct Watched<'a> {
    reading: Reading<'a>,
    wide: RefCell<Vec<String>>,
}

impl Watched<'_> {
    fn watch(&self, statement: &Statement) -> Result<()> {
        let text = format!("EXPLAIN QUERY PLAN {}", statement.text);
        let explain = Statement { text, values: statement.values.clone() };
        let steps = self.reading.rows(&explain, |row| row.get::<_, String>(3))?;
        // What a statement made itself is scanned by its name, and values by their number.
        let made = steps.iter().filter_map(|step| {
            step.strip_prefix("CO-ROUTINE ").or_else(|| step.strip_prefix("MATERIALIZE "))
        });
        let made: Vec<&str> = made.collect();
        let is_wide = |step: &&String| {
            let scanned = step.strip_prefix("SCAN ").filter(|name| !made.contains(name));
            scanned.is_some_and(|name| !["CLAUSE", "ROW"].iter().any(|end| name.ends_with(end)))
                || step.ends_with("(tenant=?)")
        };
        self.wide.borrow_mut().extend(steps.iter().filter(is_wide).cloned());
        Ok(())
    }
}

impl Snapshot for Watched<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn found(&self, statement: &Statement) -> Result<Vec<Found>> {
        self.watch(statement)?;
        self.reading.found(statement)
    }

    fn texts(&self, statement: &Statement) -> Result<Vec<String>> {
        self.watch(statement)?;
        self.reading.texts(statement)
    }

    fn number(&self, statement: &Statement) -> Result<u64> {
        self.watch(statement)?;
        self.reading.number(statement)
    }
}

fn tenant() -> TenantId {
    "hv".parse().unwrap()
}

fn put(write: &mut dyn Write, class: &str, resource: &Json) {
    let text = |name: &str| resource[name].as_str().unwrap().to_owned();
    let body = serde_json::to_vec(resource).unwrap();
    let (patient, index) = index::rows(&text("resourceType"), &body).unwrap();
    let kind = if patient.is_some() { Kind::Client } else { Kind::Organization };
    let resource = StoredResource {
        resource_type: text("resourceType"),
        id: text("id").parse().unwrap(),
        version_id: "1".into(),
        last_updated: Timestamp::UNIX_EPOCH,
        body: body.into(),
        shown: Shown::default(),
    };
    let origin = format!("{} {}", resource.resource_type, resource.id);
    let guard = Guard { class: class.to_owned(), ..Guard::default() };
    let made = vec![NewResource { resource, patient, index, guard }];
    write.put_projection(&tenant(), kind, &origin, made).unwrap();
}

/// One patient, who released what is there.
fn store(grantees: &[Grantee]) -> SqliteStore {
    let store = SqliteStore::in_memory().unwrap();
    let mut write = store.write().unwrap();
    let subject = json!({"reference": "Patient/p"});
    let team = json!([{"member": {"reference": "Practitioner/d"}}]);
    let file = json!([{"attachment": {"url": "Binary/b"}}]);
    let document = json!({"reference": "DocumentReference/f"});
    for (class, resource) in [
        ("", json!({"resourceType": "Practitioner", "id": "d"})),
        ("client", json!({"resourceType": "Patient", "id": "p", "name": [{"family": "A"}]})),
        (
            "team",
            json!({"resourceType": "CareTeam", "id": "t", "status": "active", "subject": subject, "participant": team}),
        ),
        (
            "session",
            json!({"resourceType": "Encounter", "id": "e", "status": "finished", "subject": subject,
            "diagnosis": [{"condition": {"reference": "Condition/c"}}],
            "participant": [{"individual": {"reference": "Practitioner/d"}}]}),
        ),
        ("diagnosis", json!({"resourceType": "Condition", "id": "c", "subject": subject})),
        (
            "note",
            json!({"resourceType": "DocumentReference", "id": "f", "subject": subject, "content": file}),
        ),
        ("note", json!({"resourceType": "Binary", "id": "b", "securityContext": document})),
    ] {
        put(&mut *write, class, &resource);
    }
    let classes = ["client", "session", "note"];
    let allowed = grantees.iter().flat_map(|who| classes.map(|class| Allowed::always(who, class)));
    let allowed: Vec<Allowed> = allowed.collect();
    write.put_allowed(&tenant(), &"p".parse().unwrap(), &allowed).unwrap();
    write.commit().unwrap();
    store
}

fn query(name: &'static str, text: &str) -> crate::fhir::search::Query {
    let setting = Setting {
        resource_type: search_type(name).unwrap(),
        base: "http://localhost/fhir",
        value_sets: &ValueSets::default(),
        lenient: false,
    };
    let pairs = text.split('&').map(|pair| pair.split_once('=').unwrap());
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    parse::parse(setting, pairs).unwrap().query
}

/// What is asked: a type, and how.
const ASKED: &[(&str, &str)] = &[
    ("Encounter", "patient=p"),
    ("Encounter", "patient=Patient/p&status=finished&_total=accurate"),
    ("Encounter", "status=finished&_sort=-date"),
    ("Encounter", "patient.family=A"),
    ("Encounter", "participant=Practitioner/d&_include=Encounter:*"),
    ("Encounter", "_id=e&_revinclude=Provenance:target"),
    ("Patient", "family=A&_revinclude=Encounter:patient"),
    ("Patient", "_has:Encounter:patient:status=finished"),
    ("Encounter", "date=ge2026-01-01&patient=p&_include=Encounter:participant:Practitioner"),
    ("Encounter", "identifier=urn:x|1&type:not=a|b"),
    ("Condition", "patient=p&encounter:missing=true"),
    ("Condition", "code=a|b,a|c&_total=accurate"),
    ("Patient", "identifier=1&_revinclude=Encounter:*"),
    ("DocumentReference", "patient=p&_sort=_lastUpdated"),
    ("DocumentReference", "category=a&_security=R&_lastUpdated=gt2020"),
    ("Practitioner", "_id=d"),
];

#[test]
fn what_is_granted_anew_is_another_edition() {
    let at = Some(Timestamp::from_second(1).unwrap());
    let grantee = Grantee::of_recipient("ehr", Purpose::Treatment);
    let store = store(std::slice::from_ref(&grantee));
    let grantee = grantee.as_str().to_owned();
    let under = Under { grantee, patient: None, at, able: Obligations::OF_FHIR };
    let (patient, types) = ("p".parse().unwrap(), Vec::new());
    let scope = Everything { patient, types, since: None, count: 100, after: None };
    let principal =
        Principal { under: Some(under), ..Principal::new(tenant(), "ehr", "system/*.rs") };
    let permit = Permit::decide(&Arc::new(principal), Action::Search, "Patient").unwrap();
    let before = store.edition(&permit, &scope).unwrap();
    assert_eq!(store.edition(&permit, &scope).unwrap(), before);
    let mut write = store.write().unwrap();
    write.put_allowed(&tenant(), &scope.patient, &[]).unwrap();
    write.commit().unwrap();
    assert_ne!(store.edition(&permit, &scope).unwrap(), before);
}

#[test]
fn no_answer_goes_through_all_that_a_tenant_has() {
    let able = Obligations::OF_FHIR;
    let at = Some(Timestamp::from_second(1).unwrap());
    let whose = [Grantee::of_recipient("ehr", Purpose::Treatment), Grantee::of_patient()];
    let store = store(&whose);
    let [recipient, themself] = whose.map(|who| who.as_str().to_owned());
    let recipient = Under { grantee: recipient, patient: None, at, able };
    let themself = Under { grantee: themself, patient: Some("p".parse().unwrap()), at, able };
    let mut seen = 0;
    for (scopes, user, under) in [
        ("system/*.rs", None, None),
        ("patient/*.rs", None, None),
        ("user/*.rs", Some("Practitioner/d"), None),
        (
            "patient/Patient.rs patient/Condition.rs patient/Encounter.rs?status=finished",
            None,
            None,
        ),
        ("system/*.rs", None, Some(&recipient)),
        ("patient/*.rs", Some("Patient/p"), Some(&themself)),
    ] {
        let principal = Arc::new(Principal {
            patient: Some("p".parse().unwrap()),
            fhir_user: user.map(|user| user.parse().unwrap()),
            under: under.cloned(),
            at,
            ..Principal::new(tenant(), "test", scopes)
        });
        let permit = |action, name| Permit::decide(&principal, action, name).ok();
        let reader = store.readers.take().unwrap();
        let watched =
            Watched { reading: Reading(reader.connection().unwrap()), wide: RefCell::default() };
        for (name, text) in ASKED {
            let Some(permit) = permit(Action::Search, *name) else { continue };
            sql::page(&watched, &permit, &query(name, text)).unwrap();
        }
        for (name, id) in [("Encounter", "e"), ("DocumentReference", "f"), ("Binary", "b")] {
            let Some(permit) = permit(Action::Read, name) else { continue };
            seen += sql::current(&watched, &permit, &id.parse().unwrap()).unwrap().iter().count();
        }
        let everything = permit(Action::Search, "Patient").unwrap();
        let (patient, types) = ("p".parse().unwrap(), Vec::new());
        let scope = Everything { patient, types, since: None, count: 100, after: None };
        seen += sql::everything(&watched, &everything, &scope).unwrap().matches.len();
        sql::edition(&watched, &everything, &scope).unwrap();
        for whose in [Whose::One("p".parse().unwrap()), Whose::Between("o".into(), "p".into())] {
            let types = param::TYPES.iter().map(|known| known.name).collect();
            let wanted = Export { types, whose, since: None, until: None, filters: Vec::new() };
            seen += sql::export(&watched, &everything, &wanted).unwrap().len();
            let wanted = Export { since: at, ..wanted };
            sql::removed(&watched, &everything, &wanted).unwrap();
        }
        sql::still(&watched, &everything, &["p".parse().unwrap()]).unwrap();
        let wide = watched.wide.into_inner();
        assert!(wide.is_empty(), "{scopes} {under:?}: {wide:?}");
    }
    assert!(seen > 30, "the statements have what to find: {seen}");
}
