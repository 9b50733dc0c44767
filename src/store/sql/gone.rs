//! What an export tells to be gone: resources that are there no more, and those that whoever asks could
//! see until a consent ended. Which of the two it is, nobody is told.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::allowed;
use super::export::{OVERLAP_US, of, whose, within};
use super::visible::visible;
use super::{Snapshot, Sql};
use crate::error::{Error, Result};
use crate::policy::Permit;
use crate::store::exports::{Export, Removed};

/// What is there no more for the caller and they might have seen. Of a type of which the scopes let
/// through only some, nobody can say any more which.
pub(in crate::store) fn removed(
    snapshot: &impl Snapshot,
    permit: &Permit,
    scope: &Export,
) -> Result<Vec<Removed>> {
    let is_plain = |permit: &Permit| {
        let mut clauses = permit.clauses().into_iter().flatten();
        clauses.all(|clause| clause.conditions.is_empty())
    };
    let reached = scope.types.iter().copied();
    let reached: Vec<_> =
        reached.filter(|name| permit.on(name).is_some_and(|permit| is_plain(&permit))).collect();
    if reached.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: BTreeSet<Removed> = taken_away(snapshot, permit, scope, &reached)?;
    for name in reached {
        found.extend(closed(snapshot, permit, scope, name)?);
    }
    Ok(found.into_iter().collect())
}

/// What is there no more.
fn taken_away(
    snapshot: &impl Snapshot,
    permit: &Permit,
    scope: &Export,
    types: &[&'static str],
) -> Result<BTreeSet<Removed>> {
    let mut sql = Sql::new(snapshot.dialect());
    whose(&mut sql, permit, scope, types);
    within(&mut sql, scope, "r.at");
    let text = format!(
        "SELECT r.type || ' ' || r.id || ' ' || r.patient FROM removed r WHERE {} \
         AND NOT EXISTS (SELECT 1 FROM resource x WHERE x.tenant = r.tenant AND x.type = r.type \
         AND x.id = r.id)",
        sql.conditions()
    );
    snapshot.texts(&sql.finish(text))?.iter().map(|text| one(text)).collect()
}

/// What of a type is there, and is to be seen by the caller no more since a consent ended.
fn closed(
    snapshot: &impl Snapshot,
    permit: &Permit,
    scope: &Export,
    name: &'static str,
) -> Result<Vec<Removed>> {
    let (Some(permit), Some(since)) = (permit.on(name), scope.since) else { return Ok(Vec::new()) };
    let mut sql = Sql::new(snapshot.dialect());
    of(&mut sql, &permit, scope, &[name]);
    let since = since.as_microsecond().saturating_sub(OVERLAP_US);
    let until = scope.until.map_or(i64::MAX, Timestamp::as_microsecond);
    let Some(test) = allowed::closed(&mut sql, &permit, "r", (since, until)) else {
        return Ok(Vec::new());
    };
    sql.and(test);
    let seen = visible(&mut sql, &permit, "r").join(" AND ");
    sql.and(format!("NOT ({seen})"));
    let conditions = sql.conditions();
    let text = format!(
        "SELECT r.type || ' ' || r.id || ' ' || r.patient FROM resource r WHERE {conditions}"
    );
    snapshot.texts(&sql.finish(text))?.iter().map(|text| one(text)).collect()
}

fn one(text: &str) -> Result<Removed> {
    let mut words = text.split(' ').map(str::to_owned);
    let broken = || Error::broken("a resource that is gone cannot be read");
    Ok(Removed {
        resource_type: words.next().ok_or_else(broken)?,
        id: words.next().and_then(|id| id.parse().ok()).ok_or_else(broken)?,
        patient: words.next().unwrap_or_default(),
    })
}
