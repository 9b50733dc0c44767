//! What an answer shows, for the event that the gate writes before the answer leaves.

use std::collections::BTreeSet;

use super::State;
use super::parameters::Pairs;
use super::sheet::Sheet;
use crate::domain::FhirId;
use crate::error::Result;
use crate::fhir::search::{Condition, Operand, Query, Test, index};
use crate::store::{Page, StoredResource};

/// What an answer shows.
#[derive(Debug, Clone, Default)]
pub(super) struct Disclosure {
    /// The resources.
    pub(super) seen: Vec<Seen>,
    /// Patients who were asked about, whatever was found.
    pub(super) patients: Vec<FhirId>,
    /// The names of the parameters that were understood.
    pub(super) parameters: Vec<String>,
    /// What for, where the token does not say.
    pub(super) purpose: Option<String>,
    /// Which of the resources are Part 2 records, as `Type/id`.
    pub(super) part2: BTreeSet<String>,
    /// Codes and numbers.
    pub(super) notes: Vec<(&'static str, String)>,
}

/// A resource in an answer.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The type.
    pub(super) resource_type: String,
    /// The id.
    pub(super) id: FhirId,
    /// The version.
    pub(super) version: String,
    /// Whose record it belongs to.
    pub(super) patient: Option<FhirId>,
}

impl Disclosure {
    /// One resource.
    pub(super) fn of(seen: Seen) -> Self {
        Self { seen: vec![seen], ..Self::default() }
    }

    /// Adds the names of parameters.
    pub(super) fn asked_by(mut self, parameters: &Pairs) -> Self {
        for (name, _) in parameters {
            if !self.parameters.contains(name) {
                self.parameters.push(name.clone());
            }
        }
        self
    }

    /// Adds the patients that a query names.
    pub(super) fn about(mut self, query: &Query) -> Self {
        query.conditions.iter().for_each(|condition| patients(condition, &mut self.patients));
        self
    }

    /// Adds what another answer shows.
    pub(super) fn join(&mut self, other: Self) {
        self.seen.extend(other.seen);
        self.patients.extend(other.patients);
        self.part2.extend(other.part2);
        for name in other.parameters {
            if !self.parameters.contains(&name) {
                self.parameters.push(name);
            }
        }
    }
}

fn patients(condition: &Condition, found: &mut Vec<FhirId>) {
    match condition {
        Condition::Patient(patient) => found.push(patient.clone()),
        Condition::Param { test: Test::Any(any_of), .. } => {
            for operand in any_of {
                let Operand::Reference { targets } = operand else { continue };
                let ids = targets.iter().filter_map(|target| target.strip_prefix("Patient/"));
                // An id that cannot be one of ours could be anything that a caller typed.
                let ids = ids.filter_map(|id| id.parse().ok());
                found.extend(ids.filter(FhirId::may_be_ours));
            }
        }
        _ => {}
    }
}

impl State {
    /// A resource in an answer, whose patient is looked up in its bytes.
    pub(super) fn seen(
        &self,
        resource_type: &str,
        id: &FhirId,
        version: &str,
        body: &[u8],
    ) -> Seen {
        // Without an audit nobody asks whose it is.
        let patient = self.audit.is_on().then(|| index::patient(resource_type, body)).flatten();
        Seen {
            resource_type: resource_type.to_owned(),
            id: id.clone(),
            version: version.to_owned(),
            patient,
        }
    }

    /// What stored versions show.
    pub(super) fn disclosure<'a>(
        &self,
        versions: impl IntoIterator<Item = &'a StoredResource>,
    ) -> Disclosure {
        let seen = versions.into_iter().map(|stored| {
            self.seen(&stored.resource_type, &stored.id, &stored.version_id, &stored.body)
        });
        Disclosure { seen: seen.collect(), ..Disclosure::default() }
    }

    /// What a page that was kept shows.
    pub(super) fn disclosure_of_sheet(&self, sheet: &Sheet) -> Result<Disclosure> {
        if !self.audit.is_on() {
            return Ok(Disclosure::default());
        }
        let seen =
            sheet.shown()?.into_iter().filter_map(|(resource_type, id, version, patient)| {
                let patient = patient.and_then(|patient| patient.parse().ok());
                Some(Seen { resource_type, id: id.parse().ok()?, version, patient })
            });
        Ok(Disclosure { seen: seen.collect(), ..Disclosure::default() })
    }

    /// What a page shows.
    pub(super) fn disclosure_of_page(&self, page: &Page) -> Disclosure {
        self.disclosure(page.matches.iter().chain(&page.included))
    }
}
