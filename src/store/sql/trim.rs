//! What is taken out of what is shown, or goes along with it, under a grant: references to what is
//! withheld, since nothing may tell that there is something; what a purpose does not need; and by
//! which consents it is shown, where those have to be told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Snapshot, Sql, allowed};
use crate::error::Result;
use crate::fhir::prune::{self, prune};
use crate::fhir::search::param;
use crate::policy::{Permit, minimum};
use crate::store::StoredResource;

/// Makes of these resources what the caller may see of them. The practice itself is shown them as
/// they are.
pub(super) fn trim<'r>(
    snapshot: &impl Snapshot,
    permit: &Permit,
    resources: impl Iterator<Item = &'r mut StoredResource>,
) -> Result<()> {
    let Some(under) = permit.under() else { return Ok(()) };
    let mut all: Vec<&mut StoredResource> = resources.collect();
    let named: BTreeSet<String> =
        all.iter().flat_map(|one| local(&one.body)).map(str::to_owned).collect();
    let seen = seen(snapshot, permit, &named)?;
    let keeps = |reference: &str| !is_local(reference) || seen.contains(reference);
    for resource in &mut all {
        let purpose = under.purpose();
        let elements =
            purpose.and_then(|purpose| minimum::elements(&resource.resource_type, purpose));
        let is_whole = elements.is_none()
            && !prune::names_versions(&resource.body)
            && local(&resource.body).all(|reference| seen.contains(reference));
        if is_whole {
            continue;
        }
        let pruned = prune(&resource.body, &resource.version_id, &keeps, elements);
        resource.body = Arc::from(pruned.body);
        resource.version_id = pruned.version_id;
        resource.shown.is_part = elements.is_some();
    }
    let keys = all.iter().map(|one| (one.resource_type.clone(), one.id.to_string())).collect();
    for (key, basis) in allowed::accompanied(snapshot, permit, &keys)? {
        for resource in &mut all {
            if key == format!("{}/{}", resource.resource_type, resource.id) {
                resource.shown.basis.clone_from(&basis);
            }
        }
    }
    Ok(())
}

/// Whether a reference is to a resource of this server.
fn is_local(reference: &str) -> bool {
    reference.split_once('/').is_some_and(|(name, _)| param::is_served(name))
}

/// The references to resources of this server.
fn local(body: &[u8]) -> impl Iterator<Item = &str> {
    prune::references(body).into_iter().filter(|reference| is_local(reference))
}

/// Those of the references that lead to what the caller may see.
fn seen(
    snapshot: &impl Snapshot,
    permit: &Permit,
    named: &BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    let (files, others): (Vec<&str>, Vec<&str>) =
        named.iter().map(String::as_str).partition(|reference| reference.starts_with("Binary/"));
    let mut seen = BTreeSet::new();
    for (references, name) in [(others, ""), (files, "Binary")] {
        if references.is_empty() {
            continue;
        }
        let mut by_type: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, id) in references.iter().filter_map(|reference| reference.split_once('/')) {
            by_type.entry(name).or_default().push(id);
        }
        let mut sql = Sql::new(snapshot.dialect());
        let tenant = sql.bind(permit.tenant().as_str());
        // Each type by its own look-up, of one statement.
        let mut parts = Vec::new();
        let test = allowed::of_type(&mut sql, permit, name, "r");
        let test: String = test.iter().flat_map(|test| [" AND ", test]).collect();
        for (name, ids) in by_type {
            let name = sql.bind(name);
            let ids = sql.bind_all(ids.into_iter());
            parts.push(format!(
                "SELECT r.type || '/' || r.id FROM resource r WHERE r.tenant = {tenant} \
                 AND r.type = {name} AND r.id IN ({ids}){test}"
            ));
        }
        seen.extend(snapshot.texts(&sql.finish(parts.join(" UNION ALL ")))?);
    }
    Ok(seen)
}
