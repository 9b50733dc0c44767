//! Everything in a patient's compartment, and the people and places that it names
//! (<https://hl7.org/fhir/R4/patient-operation-everything.html>).
//!
//! The compartment comes first, by type and newest first, along one index; then what it refers to
//! outside, by type and id. A cursor of the second part has no instant.

use std::sync::LazyLock;

use aws_lc_rs::digest::{Context, Digest, SHA256};
use jiff::Timestamp;

use super::page::cursor;
use super::trim::{leads_beyond, trim};
use super::visible::{minute, visible_types};
use super::{Snapshot, Sql, Statement, also, columns};
use crate::error::{Error, Result};
use crate::fhir::search::{Cursor, SortValue, fingerprint, param};
use crate::policy::{OUTSIDE, Permit, Under};
use crate::store::{Everything, Page};

/// Answers a page.
pub(in crate::store) fn everything(
    snapshot: &impl Snapshot,
    permit: &Permit,
    scope: &Everything,
) -> Result<Page> {
    let reach = Reach::of(permit, scope);
    let mut matches = Vec::new();
    if let Some(statement) = inside(snapshot, permit, scope, &reach.inside) {
        matches = snapshot.found(&statement)?;
    }
    if matches.len() <= scope.count {
        let room = scope.count.saturating_add(1) - matches.len();
        if let Some(statement) = outside(snapshot, permit, scope, &reach, room) {
            matches.append(&mut snapshot.found(&statement)?);
        }
    }
    let more = matches.len() > scope.count;
    matches.truncate(scope.count);
    let next = matches.last().filter(|_| more).map(cursor);
    let mut matches: Vec<_> = matches.into_iter().map(|found| found.resource).collect();
    let looked_up = trim(snapshot, permit, &[], matches.iter_mut())?;
    let is_beyond = leads_beyond(snapshot, permit, &scope.patient, &looked_up)?;
    Ok(Page { matches, next, is_beyond, ..Page::default() })
}

/// Names what a page holds: while it is the same, so is the page.
///
/// It is a digest of all that the page's statements are made of, which says who may see what, and of
/// the changes that the database counts in the patient's compartment and outside of all. So a
/// statement of the page may read nothing but what is counted there ([`COUNTED`]).
///
/// What grants let through is the same from one instant at which one of them begins or ends to the next,
/// so that the last of those stands for the instant of the request.
pub(in crate::store) fn edition(
    snapshot: &impl Snapshot,
    permit: &Permit,
    scope: &Everything,
) -> Result<String> {
    let mut digest = Context::new(&SHA256);
    let Everything { patient, types, since, count, after } = scope;
    let after = serde_json::to_vec(after).map_err(Error::internal)?;
    let since = since.map_or(i64::MIN, Timestamp::as_microsecond);
    part(&mut digest, CODE.as_ref());
    part(&mut digest, permit.tenant().as_str().as_bytes());
    part(&mut digest, permit.reach().as_bytes());
    part(&mut digest, &minute(permit).unwrap_or(i64::MIN).to_be_bytes());
    part(&mut digest, patient.as_str().as_bytes());
    part(&mut digest, types.join(",").as_bytes());
    part(&mut digest, &since.to_be_bytes());
    part(&mut digest, &count.to_be_bytes());
    part(&mut digest, &after);
    let turns = permit.under().map(|under| turns(snapshot, permit, scope, under));
    for statement in turns.into_iter().chain([changes(snapshot, permit, scope)]) {
        for change in snapshot.texts(&statement)? {
            part(&mut digest, change.as_bytes());
        }
    }
    Ok(hex::encode(digest.finish().as_ref()))
}

/// What makes pages. Replicas of two versions may share a cache, and make other pages of the same.
static CODE: LazyLock<Digest> = LazyLock::new(|| {
    let mut code = Context::new(&SHA256);
    for text in [
        include_str!("allowed.rs"),
        include_str!("condition.rs"),
        include_str!("everything.rs"),
        include_str!("operand.rs"),
        include_str!("trim.rs"),
        include_str!("visible.rs"),
        include_str!("../sql.rs"),
        include_str!("../../fhir/prune.rs"),
        include_str!("../../policy/clause.rs"),
        include_str!("../../policy/minimum.rs"),
        include_str!("../../policy/permit.rs"),
        &fingerprint(),
    ] {
        part(&mut code, text.as_bytes());
    }
    code.finish()
});

/// Adds a part to a digest, so that it cannot reach into the next.
fn part(digest: &mut Context, bytes: &[u8]) {
    digest.update(&(bytes.len() as u64).to_be_bytes());
    digest.update(bytes);
}

/// The tables whose changes are counted by compartment; rows of the index change with their
/// resource only. Of a caseload only the teams of this patient count.
#[cfg(test)]
const COUNTED: [&str; 5] = ["resource", "reference", "token", "quantity", "allowed"];

/// The last changes of the patient's compartment, and of what is in nobody's.
fn changes(snapshot: &impl Snapshot, permit: &Permit, scope: &Everything) -> Statement {
    let mut sql = Sql::new(snapshot.dialect());
    let tenant = sql.bind(permit.tenant().as_str());
    let patient = sql.bind(scope.patient.as_str());
    let text = format!(
        "SELECT patient || ' ' || change FROM compartment \
         WHERE tenant = {tenant} AND patient IN ('', {patient}) ORDER BY patient"
    );
    sql.finish(text)
}

/// The last instant at which what is granted of the patient began or ended.
fn turns(
    snapshot: &impl Snapshot,
    permit: &Permit,
    scope: &Everything,
    under: &Under,
) -> Statement {
    let mut sql = Sql::new(snapshot.dialect());
    let at = sql.bind(under.at.map_or(i64::MIN, Timestamp::as_microsecond));
    let tenant = sql.bind(permit.tenant().as_str());
    let patient = sql.bind(scope.patient.as_str());
    let grantee = sql.bind(under.grantee.as_str());
    let text = format!(
        "SELECT CAST(coalesce(max(CASE WHEN g.until <= {at} THEN g.until ELSE g.since END), 0) AS TEXT) \
         FROM allowed g WHERE g.tenant = {tenant} AND g.patient = {patient} \
         AND g.grantee = {grantee} AND g.since <= {at}"
    );
    sql.finish(text)
}

/// The types that are wanted and that the permit reaches.
struct Reach {
    inside: Vec<&'static str>,
    outside: Vec<&'static str>,
}

impl Reach {
    fn of(permit: &Permit, scope: &Everything) -> Self {
        let wanted = |name: &&'static str| {
            (scope.types.is_empty() || scope.types.contains(name)) && permit.on(name).is_some()
        };
        let (outside, inside) =
            param::served().filter(wanted).partition(|name| OUTSIDE.contains(name));
        Self { inside, outside }
    }
}

/// The statement of what is in the compartment, unless the page starts behind it.
fn inside(
    snapshot: &impl Snapshot,
    permit: &Permit,
    scope: &Everything,
    types: &[&'static str],
) -> Option<Statement> {
    let is_past = matches!(scope.after.as_ref().map(|after| after.keys.as_slice()), Some([_]));
    if is_past || types.is_empty() {
        return None;
    }
    let mut sql = Sql::new(snapshot.dialect());
    let tenant = sql.bind(permit.tenant().as_str());
    let patient = sql.bind(scope.patient.as_str());
    sql.and(format!("r.tenant = {tenant} AND r.patient = {patient}"));
    // Without a choice of types the rows come as the index has them.
    if types.len() < param::served().filter(|name| !OUTSIDE.contains(name)).count() {
        let types = sql.bind_all(types.iter().copied());
        sql.and(format!("r.type IN ({types})"));
    }
    for test in visible_types(&mut sql, permit, types, "r") {
        sql.and(test);
    }
    since(&mut sql, scope);
    if let Some(Cursor { keys, id }) = &scope.after
        && let [SortValue::Text(name), SortValue::Instant(updated)] = keys.as_slice()
    {
        let (name, updated) = (sql.bind(name.as_str()), sql.bind(*updated));
        let id = sql.bind(id.as_str());
        sql.and(format!(
            "r.type >= {name} AND (r.type > {name} OR r.updated < {updated} \
             OR (r.updated = {updated} AND r.id > {id}))"
        ));
    }
    let limit = sql.bind(i64::try_from(scope.count.saturating_add(1)).unwrap_or(i64::MAX));
    let columns = columns(&mut sql, permit, types);
    let (index, conditions) = (sql.dialect.indexed_by("resource_patient"), sql.conditions());
    let text = format!(
        "SELECT {columns}, r.type, r.updated FROM resource r {index} WHERE {conditions} \
         ORDER BY r.type, r.updated DESC, r.id LIMIT {limit}"
    );
    Some(sql.finish(text))
}

/// The statement of what resources of the compartment refer to outside it.
fn outside(
    snapshot: &impl Snapshot,
    permit: &Permit,
    scope: &Everything,
    reach: &Reach,
    room: usize,
) -> Option<Statement> {
    if reach.outside.is_empty() {
        return None;
    }
    let mut sql = Sql::new(snapshot.dialect());
    let tenant = sql.bind(permit.tenant().as_str());
    let patient = sql.bind(scope.patient.as_str());
    let types = sql.bind_all(reach.outside.iter().copied());
    let has = |name: &&'static str| !OUTSIDE.contains(name) && permit.on(name).is_some();
    let all: Vec<_> = param::served().filter(has).collect();
    let sources = sql.bind_all(all.iter().copied());
    let seen = also(&visible_types(&mut sql, permit, &all, "c"));
    // From the compartment to what it refers to: the other way leads through all that the tenant has.
    let (index, join) = (sql.dialect.indexed_by("resource_patient"), sql.dialect.join());
    let named = format!(
        "SELECT DISTINCT x.target FROM resource c {index} \
         {join} reference x ON x.tenant = c.tenant AND x.rid = c.rid \
         WHERE c.tenant = {tenant} AND c.patient = {patient} AND c.type IN ({sources}){seen}"
    );
    let [of_type, of_id] = sql.dialect.parts("n.target");
    sql.and(format!("r.tenant = {tenant} AND r.type IN ({types})"));
    for test in visible_types(&mut sql, permit, &reach.outside, "r") {
        sql.and(test);
    }
    since(&mut sql, scope);
    if let Some(Cursor { keys, id }) = &scope.after
        && let [SortValue::Text(name)] = keys.as_slice()
    {
        let (name, id) = (sql.bind(name.as_str()), sql.bind(id.as_str()));
        sql.and(format!("(r.type > {name} OR (r.type = {name} AND r.id > {id}))"));
    }
    let limit = sql.bind(i64::try_from(room).unwrap_or(i64::MAX));
    let columns = columns(&mut sql, permit, &reach.outside);
    let conditions = sql.conditions();
    let text = format!(
        "SELECT {columns}, r.type FROM ({named}) n {join} resource r ON r.type = {of_type} AND r.id = {of_id} \
         WHERE {conditions} ORDER BY r.type, r.id LIMIT {limit}"
    );
    Some(sql.finish(text))
}

fn since(sql: &mut Sql, scope: &Everything) {
    if let Some(since) = scope.since {
        let since = sql.bind(since.as_microsecond());
        sql.and(format!("r.updated >= {since}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::policy::{Action, Obligations, Principal};
    use crate::store::sql::{Dialect, Found};

    /// A database of which only the statements are of interest.
    struct Nothing;

    impl Snapshot for Nothing {
        fn dialect(&self) -> Dialect {
            Dialect::Sqlite
        }

        fn found(&self, _: &Statement) -> Result<Vec<Found>> {
            Ok(Vec::new())
        }

        fn texts(&self, _: &Statement) -> Result<Vec<String>> {
            Ok(Vec::new())
        }

        fn number(&self, _: &Statement) -> Result<u64> {
            Ok(0)
        }
    }

    fn permit(scopes: &[&str]) -> Permit {
        permit_under(scopes, None)
    }

    fn permit_under(scopes: &[&str], under: Option<Under>) -> Permit {
        let principal = Principal {
            patient: Some("p".parse().unwrap()),
            fhir_user: Some("Practitioner/dr".parse().unwrap()),
            at: Some(Timestamp::UNIX_EPOCH),
            under,
            ..Principal::new("hv".parse().unwrap(), "test", &scopes.join(" "))
        };
        Permit::decide(&Arc::new(principal), Action::Search, "Patient").unwrap()
    }

    /// Under the grants of a grantee, a while after the epoch.
    fn under(grantee: &str, seconds: i64) -> Under {
        let at = Some(Timestamp::from_second(seconds).unwrap());
        Under { grantee: grantee.to_owned(), patient: None, at, able: Obligations::OF_FHIR }
    }

    fn scope() -> Everything {
        let (patient, types) = ("p".parse().unwrap(), Vec::new());
        Everything { patient, types, since: None, count: 10, after: None }
    }

    #[test]
    fn a_page_reads_nothing_whose_changes_are_not_counted() {
        let scopes = ["system/*.rs", "patient/*.rs", "user/*.rs", "user/Observation.rs?category=x"];
        let looks = [None, Some(under("TREAT client ehr", 1))];
        let looks = scopes.iter().flat_map(|narrow| looks.clone().map(|under| (narrow, under)));
        let statements = looks.flat_map(|(narrow, under)| {
            let (permit, scope) = (permit_under(&["user/Patient.rs", narrow], under), scope());
            let reach = Reach::of(&permit, &scope);
            [
                inside(&Nothing, &permit, &scope, &reach.inside),
                outside(&Nothing, &permit, &scope, &reach, 1),
            ]
        });
        for statement in statements.flatten() {
            let words: Vec<&str> = statement.text.split([' ', '(', ')']).collect();
            let tables = words.windows(2).filter(|pair| matches!(pair[0], "FROM" | "JOIN"));
            let tables: Vec<&str> = tables.map(|pair| pair[1]).collect();
            // Of a subquery the tables are its own.
            let tables: Vec<&str> = tables.into_iter().filter(|table| !table.is_empty()).collect();
            assert!(!tables.is_empty());
            assert!(tables.iter().all(|table| COUNTED.contains(table)), "{tables:?}");
        }
    }

    #[test]
    fn whatever_makes_another_page_makes_another_edition() {
        let all = permit(&["system/*.rs"]);
        let granted = |under| permit_under(&["system/*.rs"], Some(under));
        let (ehr, later) =
            (granted(under("TREAT client ehr", 1)), granted(under("TREAT client ehr", 2)));
        let after = |keys| Some(crate::fhir::search::Cursor { keys, id: "e".into() });
        let place = vec![SortValue::Text("Encounter".into()), SortValue::Instant(1)];
        let editions = [
            edition(&Nothing, &all, &scope()),
            edition(&Nothing, &permit(&["system/Patient.rs"]), &scope()),
            edition(&Nothing, &permit(&["patient/*.rs"]), &scope()),
            edition(&Nothing, &permit(&["user/*.rs"]), &scope()),
            edition(&Nothing, &all, &Everything { patient: "q".parse().unwrap(), ..scope() }),
            edition(&Nothing, &all, &Everything { types: vec!["Goal"], ..scope() }),
            edition(&Nothing, &ehr, &scope()),
            edition(&Nothing, &granted(under("TREAT client other", 1)), &scope()),
            edition(&Nothing, &granted(under("HPAYMT client ehr", 1)), &scope()),
            edition(
                &Nothing,
                &granted(Under { able: Obligations::NONE, ..under("TREAT client ehr", 1) }),
                &scope(),
            ),
            edition(
                &Nothing,
                &granted(Under {
                    patient: Some("p".parse().unwrap()),
                    ..under("TREAT client ehr", 1)
                }),
                &scope(),
            ),
            edition(
                &Nothing,
                &granted(Under { at: None, ..under("TREAT client ehr", 1) }),
                &scope(),
            ),
            edition(&Nothing, &all, &Everything { count: 11, ..scope() }),
            edition(&Nothing, &all, &Everything { since: Some(Timestamp::UNIX_EPOCH), ..scope() }),
            edition(&Nothing, &all, &Everything { after: after(place), ..scope() }),
            edition(
                &Nothing,
                &all,
                &Everything { after: after(vec![SortValue::Text("Location".into())]), ..scope() },
            ),
        ];
        let editions: Vec<String> = editions.into_iter().map(Result::unwrap).collect();
        let distinct: std::collections::HashSet<&String> = editions.iter().collect();
        assert_eq!(distinct.len(), editions.len());
        assert_eq!(edition(&Nothing, &all, &scope()).unwrap(), editions[0]);
        let [at_once, later] =
            [ehr, later].map(|permit| edition(&Nothing, &permit, &scope()).unwrap());
        assert_eq!(at_once, later, "the time alone makes no other page");
    }
}
