//! What consents allow, as a test in a statement.
//!
//! The rows were worked out by the rules when something last changed
//! (`exchange/ingest/allow`); they are looked up at the instant of the request, so that what a
//! consent says about time holds to the microsecond.

use super::Sql;
use super::operand::NEVER;
use crate::policy::Permit;

/// The test that the row of `resource` under this alias has to meet; none for the practice itself.
///
/// A resource of nobody says who works where, and is seen by whoever may see its type.
pub(super) fn test(sql: &mut Sql, permit: &Permit, row: &str) -> Option<String> {
    let under = permit.under()?;
    let Some(at) = under.at.filter(|_| !under.grantee.is_empty()) else {
        return Some(NEVER.to_owned());
    };
    let grantee = sql.bind(under.grantee.as_str());
    let at = sql.bind(at.as_microsecond());
    let patient = under.patient.as_ref().map_or_else(String::new, |patient| {
        let patient = sql.bind(patient.as_str());
        format!(" AND g.patient = {patient}")
    });
    let named = sql.dialect.contains("g.except_of", &format!("'|' || {row}.related || '|'"));
    Some(format!(
        "(({row}.patient = '' AND {row}.origin_kind IN ('organization', 'staff')) \
         OR EXISTS (SELECT 1 FROM allowed g WHERE g.tenant = {row}.tenant \
         AND g.patient = {row}.patient AND g.grantee = {grantee} AND g.class = {row}.class \
         AND g.since <= {at} AND g.until > {at} \
         AND g.dated_since <= {row}.dated AND g.dated_until > {row}.dated \
         AND (g.related = {row}.related OR (g.related = '*' AND NOT {named})){patient}))"
    ))
}
