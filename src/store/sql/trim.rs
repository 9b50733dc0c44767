//! What is taken out of what is shown under a grant: references to what is withheld, since nothing
//! may tell that there is something; what a purpose does not need; and former names.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::{Snapshot, Sql, Statement, allowed};
use crate::domain::FhirId;
use crate::error::Result;
use crate::fhir::prune::{self, prune};
use crate::fhir::search::param;
use crate::policy::{OUTSIDE, Permit, minimum};
use crate::store::StoredResource;

/// How many references are looked up in one statement.
const TOGETHER: usize = 256;
/// So few have a statement for each number of them.
const FEW: usize = 8;

/// A reference to a resource of this server: its type and its id.
type Local<'a> = (&'a str, &'a str);

/// Makes of these resources what the caller may see of them. The practice itself is shown them as
/// they are. `seen` are references that were found to lead to what the caller may see; answers those that
/// had to be looked up.
pub(super) fn trim<'r>(
    snapshot: &impl Snapshot,
    permit: &Permit,
    seen: &[&str],
    resources: impl Iterator<Item = &'r mut StoredResource>,
) -> Result<Vec<String>> {
    let Some(under) = permit.under() else { return Ok(Vec::new()) };
    let mut all: Vec<&mut StoredResource> = resources.collect();
    let bodies: Vec<Arc<[u8]>> = all.iter().map(|one| Arc::clone(&one.body)).collect();
    let named: Vec<Vec<Local<'_>>> = bodies.iter().map(|body| local(body).collect()).collect();
    let shown = all.iter().map(|one| (one.resource_type.clone(), one.id.clone()));
    let shown: Vec<(String, FhirId)> = shown.collect();
    let shown = shown.iter().map(|(name, id)| (name.as_str(), id.as_str()));
    let known = seen.iter().filter_map(|reference| parts(reference)).chain(shown).collect();
    let (seen, looked_up) = Seen::of(snapshot, permit, known, named.iter().flatten().copied())?;
    let keeps = |reference: &str| parts(reference).is_none_or(|local| seen.has(local));
    for ((resource, body), named) in all.iter_mut().zip(&bodies).zip(&named) {
        let purpose = under.purpose();
        let elements =
            purpose.and_then(|purpose| minimum::elements(&resource.resource_type, purpose));
        let is_whole = elements.is_none()
            && !prune::names_versions(body)
            && !prune::has_former_names(body)
            && named.iter().all(|local| seen.has(*local));
        if is_whole {
            continue;
        }
        let pruned = prune(body, &resource.version_id, &keeps, elements);
        resource.body = Arc::from(pruned.body);
        resource.version_id = pruned.version_id;
        resource.shown.is_part = elements.is_some();
    }
    Ok(looked_up)
}

/// Whether one of these references leads to what is not in this patient's compartment, nor in nobody's, or is
/// not there.
pub(super) fn leads_beyond(
    snapshot: &impl Snapshot,
    permit: &Permit,
    patient: &FhirId,
    references: &[String],
) -> Result<bool> {
    let all: Vec<Local<'_>> = references.iter().filter_map(|one| parts(one)).collect();
    for some in all.chunks(TOGETHER) {
        let own =
            |sql: &mut Sql| Some(format!("r.patient IN ('', {})", sql.bind(patient.as_str())));
        let found = snapshot.texts(&there(snapshot, permit, some, own))?;
        if found.iter().collect::<HashSet<_>>().len() < some.len() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The parts of a reference to a resource of this server.
fn parts(reference: &str) -> Option<Local<'_>> {
    reference.split_once('/').filter(|(name, _)| param::is_served(name))
}

/// The references to resources of this server.
fn local(body: &[u8]) -> impl Iterator<Item = Local<'_>> {
    prune::references(body).filter_map(parts)
}

/// Those of some references that lead to what the caller may see.
struct Seen<'a>(HashSet<Local<'a>>);

impl<'a> Seen<'a> {
    /// `seen` are those that are known to, since they are shown as well. What is in nobody's
    /// compartment is not looked up either: it is withheld from none of those who ask under consents
    /// ([`allowed::test`]). Answers those that were looked up too.
    fn of(
        snapshot: &impl Snapshot,
        permit: &Permit,
        mut seen: HashSet<Local<'a>>,
        named: impl Iterator<Item = Local<'a>>,
    ) -> Result<(Self, Vec<String>)> {
        let unknown = named.filter(|local| !is_open(*local) && !seen.contains(local));
        let unknown: BTreeSet<Local<'a>> = unknown.collect();
        let looked_up = unknown.iter().map(|(name, id)| format!("{name}/{id}")).collect();
        let (files, others): (Vec<_>, Vec<_>) =
            unknown.into_iter().partition(|(name, _)| *name == "Binary");
        for (references, name) in [(others, ""), (files, "Binary")] {
            for some in references.chunks(TOGETHER) {
                let test = |sql: &mut Sql| allowed::of_type(sql, permit, name, "r");
                for found in snapshot.texts(&there(snapshot, permit, some, test))? {
                    let place = found.split_once('/').map(|found| some.binary_search(&found));
                    seen.extend(place.and_then(|place| some.get(place.ok()?)));
                }
            }
        }
        Ok((Self(seen), looked_up))
    }

    fn has(&self, local: Local<'_>) -> bool {
        is_open(local) || self.0.contains(&local)
    }
}

/// Whether a reference leads to what is in nobody's compartment.
fn is_open((name, _): Local<'_>) -> bool {
    OUTSIDE.contains(&name)
}

/// The statement that finds those of these references which lead to what is there and meets a test, as
/// `Type/id`.
fn there(
    snapshot: &impl Snapshot,
    permit: &Permit,
    references: &[Local<'_>],
    test: impl FnOnce(&mut Sql) -> Option<String>,
) -> Statement {
    let mut sql = Sql::new(snapshot.dialect());
    let tenant = sql.bind(permit.tenant().as_str());
    // The last of many is repeated up to a power of two, so that there are few statements, which are
    // kept.
    let all = references.iter().chain(references.last().into_iter().cycle());
    let few = references.len() <= FEW;
    let count = if few { references.len() } else { references.len().next_power_of_two() };
    let mut named = Vec::new();
    for (name, id) in all.take(count) {
        named.push(format!("({}, {})", sql.bind(*name), sql.bind(*id)));
    }
    let test: String = test(&mut sql).iter().flat_map(|test| [" AND ", test]).collect();
    let (named, join) = (named.join(", "), sql.dialect.join());
    let index = sql.dialect.indexed_by(allowed::SEEN);
    sql.finish(format!(
        "SELECT r.type || '/' || r.id FROM (VALUES {named}) n {join} resource r {index} \
         ON r.tenant = {tenant} AND r.type = n.column1 AND r.id = n.column2{test}"
    ))
}
