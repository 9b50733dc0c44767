//! Which index a search is read along.

use super::condition::lookup;
use super::{Snapshot, Sql, allowed};
use crate::error::Result;
use crate::fhir::search::{Condition, Operand, Query, Test, TextMatch};
use crate::policy::Permit;

/// A result with fewer candidates than this is sorted; a larger one is read in index order.
const FEW: u64 = 1_000;
/// So few candidates that looking for a better path costs more than it spares.
const FEW_ENOUGH: u64 = 100;

/// The index that a search is read along.
pub(super) enum Path<'q> {
    /// All resources of the type in the order of the result.
    Ordered,
    /// The resources with given ids.
    Ids,
    /// The resources of one patient, in the order of the result.
    Patient { position: usize, patient: &'q str },
    /// The resources that refer to one target, in the order of the result.
    Target { position: usize, param: u16, target: &'q str },
    /// The resources with one code, in the order of the result.
    Code { position: usize, param: u16, code: &'q str, system: Option<&'q str> },
    /// The few resources that meet a condition, to be sorted.
    Few { position: usize, condition: &'q Condition },
}

/// Chooses the path with the fewest candidates.
pub(super) fn choose<'q>(
    snapshot: &impl Snapshot,
    permit: &Permit,
    query: &'q Query,
) -> Result<Path<'q>> {
    if query.conditions.iter().any(|condition| matches!(condition, Condition::Id(_))) {
        return Ok(Path::Ids);
    }
    // What refers to a patient is about as much as what is in their compartment.
    let is_known = |condition: &Condition| {
        let patient = target(condition).and_then(|target| target.strip_prefix("Patient/"));
        let is_theirs = |known: &Condition| matches!(known, Condition::Patient(id) if Some(id.as_str()) == patient);
        query.conditions.iter().any(is_theirs)
    };
    let with = |ease| {
        let conditions = query.conditions.iter().enumerate();
        let fits = |(_, condition): &(usize, &Condition)| {
            access(condition) == ease && !is_known(condition)
        };
        conditions.filter(fits).collect::<Vec<_>>()
    };
    let mut candidates = with(Access::Seek);
    if candidates.is_empty() {
        candidates = with(Access::Range);
    }
    if let [(position, condition)] = candidates.as_slice()
        && let Some(path) = in_order(*position, condition)
    {
        return Ok(path);
    }
    // What names a resource mostly finds fewer than a code does.
    candidates
        .sort_by_key(|(_, condition)| matches!(in_order(0, condition), Some(Path::Code { .. })));
    let mut best = Path::Ordered;
    let mut fewest = FEW;
    for (position, condition) in candidates {
        if fewest < FEW_ENOUGH {
            break;
        }
        let count = count_few(snapshot, permit, condition)?;
        let path = in_order(position, condition);
        // Among paths with many candidates, any that is in order beats reading the whole type.
        if count < fewest || (matches!(best, Path::Ordered) && path.is_some()) {
            fewest = fewest.min(count);
            best = path.unwrap_or(Path::Few { position, condition });
        }
    }
    Ok(best)
}

/// How what meets a condition is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// At its place in an index.
    Seek,
    /// Somewhere in a part of an index, which may be all of it.
    Range,
    /// Only by testing each candidate.
    Test,
}

fn access(condition: &Condition) -> Access {
    let is_range = |operand: &Operand| match operand {
        Operand::Date { .. } | Operand::Quantity { .. } => true,
        Operand::Text { how, .. } => *how == TextMatch::Contains,
        Operand::Token { code, .. } => code.is_none(),
        Operand::Reference { .. } | Operand::Uri { .. } => false,
    };
    match condition {
        Condition::Param { test: Test::Any(any_of), .. } if any_of.is_empty() => Access::Test,
        Condition::Param { test: Test::Any(any_of), .. } if any_of.iter().any(is_range) => {
            Access::Range
        }
        Condition::Param { test: Test::Any(_), .. }
        | Condition::Patient(_)
        | Condition::Chain { .. }
        | Condition::Has { .. } => Access::Seek,
        Condition::All(all) => all.first().map_or(Access::Test, access),
        Condition::Param { .. }
        | Condition::Id(_)
        | Condition::Updated(_)
        | Condition::Either(_) => Access::Test,
    }
}

/// A condition with one exact value can be read in the order of the result.
fn in_order(position: usize, condition: &Condition) -> Option<Path<'_>> {
    let (param, any_of) = match condition {
        Condition::Patient(patient) => {
            return Some(Path::Patient { position, patient: patient.as_str() });
        }
        Condition::Param { param, test: Test::Any(any_of) } => (*param, any_of),
        _ => return None,
    };
    if let Some(target) = target(condition) {
        return Some(Path::Target { position, param, target });
    }
    match any_of.as_slice() {
        [Operand::Token { system, code: Some(code) }] => {
            Some(Path::Code { position, param, code, system: system.as_deref() })
        }
        _ => None,
    }
}

/// The one reference that a condition asks for.
pub(super) fn target(condition: &Condition) -> Option<&str> {
    let Condition::Param { test: Test::Any(any_of), .. } = condition else { return None };
    match any_of.as_slice() {
        [Operand::Reference { targets }] => match targets.as_slice() {
            [target] => Some(target),
            _ => None,
        },
        _ => None,
    }
}

/// How many index rows meet a condition, counting no further than [`FEW`].
fn count_few(snapshot: &impl Snapshot, permit: &Permit, condition: &Condition) -> Result<u64> {
    let mut sql = Sql::new(snapshot.dialect());
    let Some(rows) = lookup(&mut sql, permit, condition) else { return Ok(FEW) };
    let text = format!("SELECT count(*) FROM (SELECT rid FROM ({rows}) f LIMIT {FEW}) g");
    snapshot.number(&sql.finish(text))
}

impl Path<'_> {
    /// The condition that the path itself meets.
    pub(super) fn position(&self) -> Option<usize> {
        match self {
            Self::Ordered | Self::Ids => None,
            Self::Patient { position, .. }
            | Self::Target { position, .. }
            | Self::Code { position, .. }
            | Self::Few { position, .. } => Some(*position),
        }
    }

    /// The alias of the table whose columns `tenant`, `rid`, `updated` and `id` are used.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::Ordered | Self::Ids | Self::Patient { .. } | Self::Few { .. } => "r",
            Self::Target { .. } | Self::Code { .. } => "k",
        }
    }

    /// The FROM item that gives the keys.
    pub(super) fn keys(&self, sql: &Sql) -> String {
        let (table, index) = match self {
            Self::Ordered => ("resource r", "resource_updated"),
            Self::Ids => ("resource r", "resource_id"),
            Self::Patient { .. } => ("resource r", "resource_patient"),
            Self::Target { .. } => ("reference k", "reference_search"),
            Self::Code { .. } => ("token k", "token_search"),
            Self::Few { .. } => return "resource r".to_owned(),
        };
        format!("{table} {}", sql.dialect.indexed_by(index))
    }

    /// The FROM item that gives the resources as `r`.
    pub(super) fn rows(&self, sql: &Sql) -> String {
        let keys = self.keys(sql);
        match self.key() {
            "k" => format!("{keys} {} resource r ON r.rid = k.rid", sql.dialect.join()),
            _ => keys,
        }
    }

    /// Whether a resource may be met more than once: the same code in two systems is one match.
    pub(super) fn repeats(&self) -> bool {
        matches!(self, Self::Code { system: None, .. })
    }

    /// Confines the keys to the permit's tenant and type, and to the path.
    pub(super) fn confine(&self, sql: &mut Sql, permit: &Permit) {
        let key = self.key();
        let tenant = sql.bind(permit.tenant().as_str());
        let resource_type = sql.bind(permit.resource_type());
        let column = |name: &str| match self {
            // So that the whole type is not walked to spare a small sort.
            Self::Few { .. } => sql.dialect.unindexed(&format!("{key}.{name}")),
            _ => format!("{key}.{name}"),
        };
        let (of_tenant, of_type) = (column("tenant"), column("type"));
        sql.and(format!("{of_tenant} = {tenant} AND {of_type} = {resource_type}"));
        match *self {
            Self::Ordered | Self::Ids => {}
            Self::Patient { patient, .. } => {
                let patient = sql.bind(patient);
                sql.and(format!("r.patient = {patient}"));
            }
            Self::Target { param, target, .. } => {
                let param = sql.bind(param);
                let bound = sql.bind(target);
                sql.and(format!("k.target = {bound} AND k.param = {param}"));
                if let Some(seen) = allowed::known_target(sql, permit, target) {
                    sql.and(seen);
                }
            }
            Self::Code { param, code, system, .. } => {
                let (param, code) = (sql.bind(param), sql.bind(code));
                sql.and(format!("k.param = {param} AND k.code = {code}"));
                if let Some(system) = system {
                    let system = sql.bind(system);
                    sql.and(format!("k.system = {system}"));
                }
            }
            Self::Few { condition, .. } => {
                if let Some(rows) = lookup(sql, permit, condition) {
                    sql.and(format!("r.rid IN ({rows})"));
                }
            }
        }
    }
}
