//! What a scope lets through of a type: whose resources, and which of them.

use crate::domain::FhirId;
use crate::fhir::search::{Condition, IndexRow, Operand, Test};

/// The types that are in nobody's compartment
/// (<https://hl7.org/fhir/R4/compartmentdefinition-patient.html>).
pub const OUTSIDE: [&str; 4] = ["Location", "Organization", "Practitioner", "PractitionerRole"];

/// Resources that a caller may see. A resource is let through that is within reach and meets every
/// condition; of several clauses, one is enough.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    /// Whose.
    pub reach: Reach,
    /// Which of them.
    pub conditions: Vec<Condition>,
}

/// Whose resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Everybody's, and those that are nobody's.
    Everybody,
    /// Those in the compartment of one patient.
    Patient(FhirId),
    /// Those in the compartments of the patients whose active care teams this practitioner is in at
    /// the instant of the question.
    Caseload(FhirId),
}

impl Clause {
    /// Whether it lets everything through.
    pub fn is_open(&self) -> bool {
        self.reach == Reach::Everybody && self.conditions.is_empty()
    }

    /// Whether a version of a resource is let through, by its id, its patient and its index rows.
    /// `caseload` says whether that patient is in the practitioner's.
    pub fn admits(&self, version: &Version<'_>, caseload: bool) -> bool {
        let reached = match &self.reach {
            Reach::Everybody => true,
            Reach::Patient(patient) => version.patient == Some(patient),
            Reach::Caseload(_) => caseload,
        };
        reached && self.conditions.iter().all(|condition| version.meets(condition))
    }
}

/// What is known of a version of a resource.
pub struct Version<'a> {
    /// Its logical id.
    pub id: &'a FhirId,
    /// The patient in whose compartment it is.
    pub patient: Option<&'a FhirId>,
    /// What a search would find it by.
    pub rows: &'a [IndexRow],
}

impl Version<'_> {
    /// Whether it meets a condition of a scope; one that no scope can have is never met.
    fn meets(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Id(ids) => ids.iter().any(|id| id == self.id.as_str()),
            Condition::Param { param, test: Test::Any(any_of) } => {
                any_of.iter().any(|operand| self.rows.iter().any(|row| is(row, *param, operand)))
            }
            _ => false,
        }
    }
}

/// Whether an index row is of a parameter and has the code that an operand names.
fn is(row: &IndexRow, wanted: u16, operand: &Operand) -> bool {
    let IndexRow::Token { param, system, code } = row else { return false };
    let Operand::Token { system: wanted_system, code: wanted_code } = operand else { return false };
    *param == wanted
        && wanted_system.as_ref().is_none_or(|wanted| wanted == system)
        && wanted_code.as_ref().is_none_or(|wanted| wanted == code)
}
