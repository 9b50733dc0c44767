//! The statements of a search, run on a connection.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, ToSql, params_from_iter};

use super::connection::broken;
use super::read;
use crate::error::{Error, Result};
use crate::fhir::search::SortValue;
use crate::store::Shown;
use crate::store::sql::{COLUMNS, Dialect, Found, Snapshot, Statement, Value};

/// A connection inside a read transaction.
pub(super) struct Reading<'a>(pub(super) &'a Connection);

impl Reading<'_> {
    fn rows<T>(
        &self,
        statement: &Statement,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let run = || {
            self.0
                .prepare_cached(&statement.text)?
                .query_map(params_from_iter(&statement.values), read)?
                .collect::<rusqlite::Result<Vec<T>>>()
        };
        run().map_err(broken)
    }
}

impl Snapshot for Reading<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn found(&self, statement: &Statement) -> Result<Vec<Found>> {
        self.rows(statement, |row| {
            let mut keys = Vec::new();
            for column in COLUMNS..row.as_ref().column_count() {
                keys.push(key(row.get_ref(column)?));
            }
            let mut resource = read::resource_at(row, 1)?;
            resource.shown = Shown::by(row.get_ref(COLUMNS - 1)?.as_str()?);
            Ok(Found { rid: row.get(0)?, resource, keys })
        })
    }

    fn texts(&self, statement: &Statement) -> Result<Vec<String>> {
        self.rows(statement, |row| row.get(0))
    }

    fn number(&self, statement: &Statement) -> Result<u64> {
        let numbers = self.rows(statement, |row| read::count(row, 0))?;
        numbers.first().copied().ok_or_else(|| Error::broken("a count without a row"))
    }
}

fn key(value: ValueRef<'_>) -> SortValue {
    match value {
        ValueRef::Null | ValueRef::Blob(_) => SortValue::Missing,
        ValueRef::Integer(instant) => SortValue::Instant(instant),
        ValueRef::Real(number) => SortValue::Number(number),
        ValueRef::Text(text) => SortValue::Text(String::from_utf8_lossy(text).into_owned()),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Int(value) => value.to_sql(),
            Self::Real(value) => value.to_sql(),
            Self::Text(value) => value.to_sql(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Arc;

    use jiff::Timestamp;
    use serde_json::{Value as Json, json};

    use super::super::SqliteStore;
    use super::*;
    use crate::domain::{Kind, TenantId};
    use crate::fhir::search::param::{self, search_type};
    use crate::fhir::search::parse::{self, Setting};
    use crate::fhir::search::{ValueSets, index};
    use crate::policy::{Action, Grantee, Obligations, Permit, Principal, Purpose, Under};
    use crate::store::{
        Allowed, Everything, Export, Guard, NewResource, Store, StoredResource, Whose, Write, sql,
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

    /// One patient, who released what is there to one recipient.
    fn store(under: &[Under]) -> SqliteStore {
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
        let allowed: Vec<Allowed> = under
            .iter()
            .flat_map(|under| ["client", "session", "note"].map(|class| (under, class)))
            .map(|(under, class)| Allowed {
                grantee: under.grantee.clone(),
                class: class.to_owned(),
                related: "*".to_owned(),
                except: String::new(),
                since: 0,
                until: i64::MAX,
                dated_since: i64::MIN,
                dated_until: i64::MAX,
                duties: 0,
                basis: String::new(),
            })
            .collect();
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
        let grantee = Grantee::of_recipient("ehr", Purpose::Treatment).as_str().to_owned();
        let under = Under { grantee, patient: None, at, able: Obligations::OF_FHIR };
        let store = store(std::slice::from_ref(&under));
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
        let [recipient, themself] = [
            (Grantee::of_recipient("ehr", Purpose::Treatment), None),
            (Grantee::of_patient(), Some("p".parse().unwrap())),
        ]
        .map(|(who, patient)| Under {
            grantee: who.as_str().to_owned(),
            patient,
            at,
            able,
        });
        let store = store(&[recipient.clone(), themself.clone()]);
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
            let watched = Watched {
                reading: Reading(reader.connection().unwrap()),
                wide: RefCell::default(),
            };
            for (name, text) in ASKED {
                let Some(permit) = permit(Action::Search, *name) else { continue };
                sql::page(&watched, &permit, &query(name, text)).unwrap();
            }
            for (name, id) in [("Encounter", "e"), ("DocumentReference", "f"), ("Binary", "b")] {
                let Some(permit) = permit(Action::Read, name) else { continue };
                seen +=
                    sql::current(&watched, &permit, &id.parse().unwrap()).unwrap().iter().count();
            }
            let everything = permit(Action::Search, "Patient").unwrap();
            let (patient, types) = ("p".parse().unwrap(), Vec::new());
            let scope = Everything { patient, types, since: None, count: 100, after: None };
            seen += sql::everything(&watched, &everything, &scope).unwrap().matches.len();
            sql::edition(&watched, &everything, &scope).unwrap();
            for whose in [Whose::One("p".parse().unwrap()), Whose::Between("o".into(), "p".into())]
            {
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
}
