//! What consents allow, as a test in a statement.
//!
//! The rows were worked out by the rules when something last changed
//! (`exchange/ingest/allow`); they are looked up at the instant of the request, so that what a
//! consent says about time holds to the microsecond.

use std::rc::Rc;

use super::Sql;
use super::operand::NEVER;
use crate::fhir::search::index::SECURITY_CONTEXT;
use crate::fhir::search::param::{self, Param};
use crate::policy::{Obligations, Permit, Under};

/// The type that says who may see a Binary.
pub(super) const DOCUMENT: &str = "DocumentReference";
/// The index that says whether a resource may be seen, without the resource being read.
pub(super) const SEEN: &str = "resource_seen";

/// The test that the row of `resource` under this alias has to meet; none for the practice itself.
///
/// A resource of nobody says who works where, and is seen by whoever may see its type.
pub(super) fn test(sql: &mut Sql, permit: &Permit, row: &str) -> Option<String> {
    let under = permit.under()?;
    let Some(grants) = grants(sql, under, row) else { return Some(NEVER.to_owned()) };
    let nobodys =
        format!("(({row}.patient = '' AND {row}.origin_kind IN ('organization', 'staff')) ");
    Some([&nobodys, "OR EXISTS (SELECT 1 FROM allowed g WHERE ", &grants, "))"].concat())
}

/// Who asks under grants, and when, as a statement has it bound: once, however often it is asked.
pub(super) struct Asking {
    /// Whose grants they are, and which conditions cannot be met.
    whose: String,
    /// When they hold.
    holds: String,
}

impl Asking {
    /// `None` for whoever is granted nothing.
    fn of(sql: &mut Sql, under: &Under) -> Option<Rc<Self>> {
        let at = under.at.filter(|_| !under.grantee.is_empty())?;
        if sql.asking.is_none() {
            let grantee = sql.bind(under.grantee.as_str());
            // What may be seen under a condition only is not there where it cannot be met.
            let unable = sql.bind(i64::from(Obligations::ALL.without(under.able).bits()));
            let mut whose = format!("g.grantee = {grantee} AND (g.duties & {unable}) = 0");
            if let Some(patient) = &under.patient {
                let patient = sql.bind(patient.as_str());
                whose.extend([" AND g.patient = ", &patient]);
            }
            let at = sql.bind(at.as_microsecond());
            let holds = format!("g.since <= {at} AND g.until > {at}");
            sql.asking = Some(Rc::new(Self { whose, holds }));
        }
        sql.asking.clone()
    }
}

/// What a row `g` of `allowed` has to meet so that it allows the row of `resource` under this alias.
fn grants(sql: &mut Sql, under: &Under, row: &str) -> Option<String> {
    let asking = Asking::of(sql, under)?;
    let about = about(sql, row);
    Some([&about, " AND ", &asking.whose, " AND ", &asking.holds].concat())
}

/// What a row `g` says of what it is about, beside whom and when.
fn about(sql: &Sql, row: &str) -> String {
    let named = sql.dialect.contains("g.except_of", &format!("'|' || {row}.related || '|'"));
    format!(
        "g.tenant = {row}.tenant AND g.patient = {row}.patient AND g.class = {row}.class \
         AND g.dated_since <= {row}.dated AND g.dated_until > {row}.dated \
         AND (g.related = {row}.related OR (g.related = '*' AND NOT {named}))"
    )
}

/// The test that the row of `resource` under this alias could be seen until a consent ended, within these
/// instants; none for the practice itself, to which nothing is closed.
///
/// What came here after that end was never to be seen.
pub(super) fn closed(
    sql: &mut Sql,
    permit: &Permit,
    row: &str,
    (since, until): (i64, i64),
) -> Option<String> {
    let under = permit.under()?;
    let whose = &Asking::of(sql, under)?.whose;
    let until = under.at.map_or(until, |at| until.min(at.as_microsecond()));
    let (since, until) = (sql.bind(since), sql.bind(until));
    let about = about(sql, row);
    let ended = |table: &str| {
        format!(
            "EXISTS (SELECT 1 FROM {table} g WHERE {about} AND {whose} \
             AND g.since < g.until AND g.until >= {since} AND g.until <= {until} \
             AND {row}.arrived < g.until)"
        )
    };
    // One that was taken back, and one whose time was over.
    Some(format!("({} OR {})", ended("closed"), ended("allowed")))
}

/// The same for a row of a type whose visibility may be that of another: a Binary is seen with its
/// document.
pub(super) fn of_type(sql: &mut Sql, permit: &Permit, name: &str, row: &str) -> Option<String> {
    if name != "Binary" {
        return test(sql, permit, row);
    }
    let seen = test(sql, permit, "d")?;
    Some(with_document(sql, row, &format!(" AND {seen}")))
}

/// The test that a reference in an index row `x` leads to what may be seen, or out of this server:
/// what was taken out of the bytes is not found, counted or sorted by either. None for the practice
/// itself.
pub(super) fn target(sql: &mut Sql, permit: &Permit, param: &Param) -> Option<String> {
    permit.under()?;
    let index = sql.dialect.indexed_by(SEEN);
    let mut seen = Vec::new();
    let mut local = Vec::new();
    for name in param::served().filter(|name| param.refers_to(name)) {
        let prefix = format!("{name}/");
        // In characters, from 1, after the slash.
        let start = prefix.len() + 1;
        let (low, high) =
            (sql.bind(prefix.as_str()), sql.bind(format!("{prefix}\u{10ffff}").as_str()));
        let test = of_type(sql, permit, name, "t")?;
        seen.push(format!(
            "(x.target >= {low} AND x.target < {high} AND EXISTS (SELECT 1 FROM resource t {index} \
             WHERE t.tenant = x.tenant AND t.type = '{name}' AND t.id = substr(x.target, {start}) \
             AND {test}))"
        ));
        local.push(format!("(x.target >= {low} AND x.target < {high})"));
    }
    seen.push(format!("NOT ({})", local.join(" OR ")));
    Some(format!("({})", seen.join(" OR ")))
}

/// The same for a reference that is known: it is asked once, not for each row.
pub(super) fn known_target(sql: &mut Sql, permit: &Permit, reference: &str) -> Option<String> {
    permit.under()?;
    let (name, id) = reference.split_once('/')?;
    let name = param::served().find(|served| *served == name)?;
    let (tenant, id) = (sql.bind(permit.tenant().as_str()), sql.bind(id));
    let test = of_type(sql, permit, name, "t")?;
    let index = sql.dialect.indexed_by(SEEN);
    Some(format!(
        "EXISTS (SELECT 1 FROM resource t {index} WHERE t.tenant = {tenant} AND t.type = '{name}' \
         AND t.id = {id} AND {test})"
    ))
}

/// The column with the reference to the patient whom the resource `r` is about, where the caller may
/// see that there is one; empty otherwise.
pub(super) fn person(sql: &mut Sql, permit: &Permit) -> String {
    let Some(test) = test(sql, permit, "t") else { return "''".to_owned() };
    let index = sql.dialect.indexed_by(SEEN);
    format!(
        "CASE WHEN EXISTS (SELECT 1 FROM resource t {index} WHERE t.tenant = r.tenant \
         AND t.type = 'Patient' AND t.id = r.patient AND {test}) THEN 'Patient/' || r.patient ELSE '' END"
    )
}

/// The test that the Binary under this alias belongs to a document `d` that meets these tests.
pub(super) fn with_document(sql: &mut Sql, row: &str, tests: &str) -> String {
    let Belonging { of, document } = belonging(sql, row);
    format!("EXISTS (SELECT 1 FROM reference b JOIN resource d ON {document} WHERE {of}{tests})")
}

/// How the Binary under an alias belongs to its document.
struct Belonging {
    /// What its reference `b` meets.
    of: String,
    /// What the document `d` meets.
    document: String,
}

fn belonging(sql: &mut Sql, row: &str) -> Belonging {
    let prefix = format!("{DOCUMENT}/");
    // In characters, from 1, after the slash.
    let start = prefix.len() + 1;
    let param = sql.bind(SECURITY_CONTEXT);
    let (low, high) = (sql.bind(prefix.as_str()), sql.bind(format!("{prefix}\u{10ffff}").as_str()));
    Belonging {
        of: format!(
            "b.tenant = {row}.tenant AND b.rid = {row}.rid AND b.param = {param} \
             AND b.target >= {low} AND b.target < {high}"
        ),
        document: format!(
            "d.tenant = b.tenant AND d.type = '{DOCUMENT}' AND d.id = substr(b.target, {start})"
        ),
    }
}

/// The column with the consent that has to go along with the resource `r`, which is of one of these
/// types; empty where none has to. A Binary is shown by what shows the document that it belongs to.
pub(super) fn basis(sql: &mut Sql, permit: &Permit, types: &[&str]) -> String {
    let along = permit.under().filter(|under| under.able.include(Obligations::CONSENT_COPY));
    let Some(under) = along else { return "''".to_owned() };
    let Some(own) = grants(sql, under, "r") else { return "''".to_owned() };
    // The rows with a consent are few, and have an index of their own.
    let index = sql.dialect.indexed_by("allowed_basis");
    let told = |from: &str, tests: &str| {
        format!("(SELECT min(g.basis) FROM {from} WHERE g.basis <> '' AND {tests})")
    };
    let of_row = told(&format!("allowed g {index}"), &own);
    let of_file = types.contains(&"Binary").then(|| {
        let Belonging { of, document } = belonging(sql, "r");
        let grants = grants(sql, under, "d")?;
        let from =
            format!("reference b JOIN resource d ON {document} JOIN allowed g {index} ON {grants}");
        Some(told(&from, &of))
    });
    match of_file.flatten() {
        None => format!("coalesce({of_row}, '')"),
        Some(of_file) => {
            format!("coalesce(CASE r.type WHEN 'Binary' THEN {of_file} ELSE {of_row} END, '')")
        }
    }
}
