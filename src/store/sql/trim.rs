//! References to what is withheld, taken out of what is shown: that there is something is told by
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Snapshot, Sql, allowed};
use crate::error::{Error, Result};
use crate::fhir::search::param;
use crate::policy::Permit;
use crate::store::StoredResource;

/// Takes the references to what the caller may not see out of these resources. The practice itself
/// is shown them as they are.
pub(super) fn trim<'r>(
    snapshot: &impl Snapshot,
    permit: &Permit,
    resources: impl Iterator<Item = &'r mut StoredResource>,
) -> Result<()> {
    if permit.under().is_none() {
        return Ok(());
    }
    let mut parsed = Vec::new();
    let mut named = BTreeSet::new();
    for resource in resources {
        let body: Value = serde_json::from_slice(&resource.body).map_err(Error::internal)?;
        let mut own = BTreeSet::new();
        collect(&body, &mut own);
        named.extend(own.iter().cloned());
        parsed.push((resource, body, own));
    }
    let seen = seen(snapshot, permit, &named)?;
    for (resource, mut body, own) in parsed {
        if !own.is_subset(&seen) {
            strip(&mut body, &seen);
            resource.body = serde_json::to_vec(&body).map_err(Error::internal)?.into();
        }
    }
    Ok(())
}

/// A reference to a resource of this server.
fn local(value: &Value) -> Option<&str> {
    let reference = value.get("reference")?.as_str()?;
    let (name, _) = reference.split_once('/')?;
    param::served().any(|served| served == name).then_some(reference)
}

fn collect(value: &Value, named: &mut BTreeSet<String>) {
    named.extend(local(value).map(str::to_owned));
    match value {
        Value::Object(members) => members.values().for_each(|value| collect(value, named)),
        Value::Array(items) => items.iter().for_each(|value| collect(value, named)),
        _ => {}
    }
}

/// Those of the references that lead to what the caller may see.
fn seen(
    snapshot: &impl Snapshot,
    permit: &Permit,
    named: &BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    let mut by_type: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, id) in named.iter().filter_map(|reference| reference.split_once('/')) {
        by_type.entry(name).or_default().push(id);
    }
    let mut seen = BTreeSet::new();
    for (name, ids) in by_type {
        let mut sql = Sql::new(snapshot.dialect());
        let (tenant, kind) = (sql.bind(permit.tenant().as_str()), sql.bind(name));
        let ids = sql.bind_all(ids.into_iter());
        sql.and(format!("r.tenant = {tenant} AND r.type = {kind} AND r.id IN ({ids})"));
        if let Some(test) = allowed::test(&mut sql, permit, "r") {
            sql.and(test);
        }
        let text = format!("SELECT r.id FROM resource r WHERE {}", sql.conditions());
        let found = snapshot.texts(&sql.finish(text))?;
        seen.extend(found.into_iter().map(|id| format!("{name}/{id}")));
    }
    Ok(seen)
}

/// Takes out every reference that is not seen, and what is empty without it; answers whether
/// nothing is left.
fn strip(value: &mut Value, seen: &BTreeSet<String>) -> bool {
    if local(value).is_some_and(|reference| !seen.contains(reference)) {
        return true;
    }
    match value {
        Value::Object(members) => {
            let before = members.len();
            // A patient's link is nothing without the one whom it leads to.
            let links = members.contains_key("other");
            members.retain(|_, value| !strip(value, seen));
            before > 0 && members.is_empty() || links && !members.contains_key("other")
        }
        Value::Array(items) => {
            let before = items.len();
            items.retain_mut(|value| !strip(value, seen));
            before > 0 && items.is_empty()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_withheld_goes_with_what_held_it_and_nothing_else() {
        let mut body = json!({
            "resourceType": "Encounter",
            "subject": {"reference": "Patient/a"},
            "reasonReference": [{"reference": "Condition/x"}, {"reference": "Condition/y"}],
            "diagnosis": [{"condition": {"reference": "Condition/x"}}],
            "partOf": {"reference": "urn:uuid:1"},
            "link": [{"other": {"reference": "Patient/x"}, "type": "seealso"}],
            "contained": [{"id": "1"}]
        });
        let mut named = BTreeSet::new();
        collect(&body, &mut named);
        assert_eq!(named.len(), 4, "{named:?}");
        let seen = ["Patient/a", "Condition/y"].map(str::to_owned).into();
        assert!(!strip(&mut body, &seen));
        assert_eq!(
            body,
            json!({
                "resourceType": "Encounter",
                "subject": {"reference": "Patient/a"},
                "reasonReference": [{"reference": "Condition/y"}],
                "partOf": {"reference": "urn:uuid:1"},
                "contained": [{"id": "1"}]
            })
        );
    }
}
