//! The permit: the only way to a read method of the store.

use std::borrow::Cow;
use std::sync::Arc;

use super::clause::{Clause, OUTSIDE, Reach, Version};
use super::scope::BUNDLE;
use super::{AUDIT_EVENT, Level, Plain, Principal, ResourceScope, Rights, Under, UserType};
use crate::domain::{FhirId, TenantId};
use crate::error::{Error, Result};
use crate::fhir::search::{Condition, index};

/// What a caller wants to do with resources of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read one resource, one version, or the history of one.
    Read,
    /// Search a type.
    Search,
}

impl Action {
    fn right(self) -> Rights {
        match self {
            Self::Read => Rights::READ,
            Self::Search => Rights::SEARCH,
        }
    }
}

/// A decision that a caller may do something; only this module makes one.
#[derive(Debug, Clone)]
pub struct Permit {
    principal: Arc<Principal>,
    action: Action,
    resource_type: Cow<'static, str>,
    /// What is let through, by any of them; everything where there are none.
    clauses: Option<Arc<[Clause]>>,
}

impl Permit {
    /// Decides whether `principal` may do `action` with resources of `resource_type`.
    ///
    /// # Errors
    ///
    /// `Denied` where it may with none of them. Where it may with some, the permit lets only those
    /// through.
    pub fn decide(
        principal: &Arc<Principal>,
        action: Action,
        resource_type: impl Into<Cow<'static, str>>,
    ) -> Result<Self> {
        let resource_type = resource_type.into();
        let clauses = principal.clauses(action, &resource_type).ok_or(Error::Denied)?;
        Ok(Self { principal: Arc::clone(principal), action, resource_type, clauses })
    }

    /// The permit for what one clause lets through.
    pub(super) fn of_clause(
        principal: &Arc<Principal>,
        action: Action,
        resource_type: &'static str,
        clause: Clause,
    ) -> Self {
        let (principal, resource_type) = (Arc::clone(principal), resource_type.into());
        Self { principal, action, resource_type, clauses: Some(Arc::from([clause])) }
    }

    /// The permit for the same action with resources of another type that the matches lead to, by
    /// a chain or an include; `None` where the caller may not.
    pub fn on(&self, resource_type: &'static str) -> Option<Self> {
        Self::decide(&self.principal, self.action, resource_type).ok()
    }

    /// The tenant the permit is for.
    pub fn tenant(&self) -> &TenantId {
        &self.principal.tenant
    }

    /// Who asks.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The resource type the permit is for.
    pub fn resource_type(&self) -> &str {
        &self.resource_type
    }

    /// What is let through, by any of them; everything where it is `None`.
    pub fn clauses(&self) -> Option<&[Clause]> {
        self.clauses.as_deref()
    }

    /// Whether everything of the type is let through, whosever it is.
    pub fn is_open(&self) -> bool {
        self.clauses.is_none() && self.principal.under.is_none()
    }

    /// Under which grants what is let through has to be; under none where it is `None`.
    pub fn under(&self) -> Option<&Under> {
        self.principal.under.as_ref()
    }

    /// What it turns on beside tenant and instant, for telling permits apart: two that say the same here let
    /// the same through.
    pub fn reach(&self) -> String {
        let Principal { scopes, patient, fhir_user, under, .. } = &*self.principal;
        let under = under.as_ref().map(|Under { grantee, patient, able, at }| {
            (grantee, patient, able.bits(), at.is_some())
        });
        format!(
            "{} {:?} {scopes} {patient:?} {fhir_user:?} {under:?}",
            self.resource_type, self.action
        )
    }

    /// Whether names that somebody goes by no longer are shown, and found: to the practice's own people
    /// and systems, never to the client's, who acts for them or anybody outside. A name that was left
    /// behind is the client's to tell.
    pub fn shows_former_names(&self) -> bool {
        self.principal.under.is_none()
    }

    /// The one patient whose resources alone are let through, if it is one.
    pub fn only_patient(&self) -> Option<&FhirId> {
        let mut patients = self.clauses()?.iter().map(|clause| match &clause.reach {
            Reach::Patient(patient) => Some(patient),
            Reach::Everybody | Reach::Caseload(_) => None,
        });
        let first = patients.next()??;
        patients.all(|other| other == Some(first)).then_some(first)
    }

    /// Whether a version of a resource is let through, the current one of which, `current`, is.
    pub fn admits(&self, id: &FhirId, current: &[u8], version: &[u8]) -> Result<bool> {
        let Some(clauses) = self.clauses() else { return Ok(true) };
        let (patient, rows) = index::rows(&self.resource_type, version)?;
        let (current_patient, current_rows) = index::rows(&self.resource_type, current)?;
        if self.resource_type == "Binary" {
            // Its rows say which document it belongs to, and that one is let through.
            return Ok(rows == current_rows);
        }
        // The store knows the caseload: what nothing else lets through, that did.
        let now = Version { id, patient: current_patient.as_ref(), rows: &current_rows };
        let caseload =
            patient == current_patient && !clauses.iter().any(|clause| clause.admits(&now, false));
        let version = Version { id, patient: patient.as_ref(), rows: &rows };
        Ok(clauses.iter().any(|clause| clause.admits(&version, caseload)))
    }
}

impl Principal {
    /// Whether it may send Bundles of others' records: a system, by a scope that names them.
    pub fn may_bring(&self) -> bool {
        self.scopes.resources().any(|scope| {
            scope.level == Level::System
                && scope.resource_type == Some(BUNDLE)
                && scope.rights.contain(Rights::CREATE)
        })
    }

    /// Whether a scope of this level that names the audit covers the action.
    pub(super) fn is_auditor(&self, level: Level, action: Action) -> bool {
        self.scopes.resources().any(|scope| {
            scope.level == level
                && scope.resource_type == Some(AUDIT_EVENT)
                && scope.rights.contain(action.right())
        })
    }

    /// What the scopes let through: `None` where nothing, and no clauses where everything.
    #[expect(clippy::option_option, reason = "nothing and everything are no clauses, either way")]
    fn clauses(&self, action: Action, resource_type: &str) -> Option<Option<Arc<[Clause]>>> {
        let right = action.right();
        let mut clauses: Vec<Clause> = Vec::new();
        for scope in self.scopes.resources() {
            if !scope.rights.contain(right) || !scope.is_about(resource_type) {
                continue;
            }
            let Some(clause) = self.clause(scope, resource_type) else { continue };
            if clause.is_open() {
                return Some(None);
            }
            if !clauses.contains(&clause) {
                clauses.push(clause);
            }
        }
        clauses.extend(self.themself(action, resource_type));
        (!clauses.is_empty()).then(|| Some(clauses.into()))
    }

    fn clause(&self, scope: &ResourceScope, resource_type: &str) -> Option<Clause> {
        let reach = if scope.level == Level::System {
            Reach::Everybody
        } else {
            let own = self.own(scope.level)?;
            if OUTSIDE.contains(&resource_type) { Reach::Everybody } else { own }
        };
        Some(Clause { reach, conditions: scope.conditions().cloned().collect() })
    }

    /// Whose records a scope of a person is about; nobody's where the token does not say.
    fn own(&self, level: Level) -> Option<Reach> {
        let context = || self.patient.clone().map(Reach::Patient);
        if level == Level::Patient {
            return context();
        }
        let user = self.fhir_user.as_ref()?;
        match user.kind {
            UserType::Patient => Some(Reach::Patient(user.id.clone())),
            UserType::Practitioner => Some(Reach::Caseload(user.id.clone())),
            UserType::RelatedPerson => context(),
        }
    }

    /// `fhirUser` is "permission to retrieve information about the current logged-in user".
    fn themself(&self, action: Action, resource_type: &str) -> Option<Clause> {
        let user = self.fhir_user.as_ref().filter(|user| user.kind.as_str() == resource_type)?;
        let may = action == Action::Read && self.scopes.has(Plain::FhirUser);
        let id = user.id.as_str().to_owned();
        may.then(|| Clause { reach: Reach::Everybody, conditions: vec![Condition::Id(vec![id])] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(scopes: &str, patient: Option<&str>, user: Option<&str>) -> Arc<Principal> {
        Arc::new(Principal {
            patient: patient.map(|id| id.parse().unwrap()),
            fhir_user: user.map(|user| user.parse().unwrap()),
            ..Principal::new("hv".parse().unwrap(), "me", scopes)
        })
    }

    /// What is let through, in words.
    fn through(principal: &Arc<Principal>, action: Action, name: &'static str) -> String {
        let Ok(permit) = Permit::decide(principal, action, name) else { return "denied".into() };
        let Some(clauses) = permit.clauses() else { return "all".into() };
        let word = |clause: &Clause| {
            let reach = match &clause.reach {
                Reach::Everybody => "everybody".to_owned(),
                Reach::Patient(id) => format!("patient {id}"),
                Reach::Caseload(id) => format!("caseload {id}"),
            };
            format!("{reach} if {}", clause.conditions.len())
        };
        clauses.iter().map(word).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_permit_lets_through_what_the_scopes_say() {
        let (read, search) = (Action::Read, Action::Search);
        let survey = "patient/Observation.rs?category=survey";
        for (scopes, patient, user, action, name, expected) in [
            ("system/*.rs", None, None, read, "Goal", "all"),
            ("system/*.read", None, None, search, "Goal", "all"),
            ("system/Goal.r", None, None, search, "Goal", "denied"),
            ("system/Goal.s", None, None, read, "Goal", "denied"),
            ("system/Goal.c", None, None, read, "Goal", "denied"),
            ("system/Goal.rs", None, None, read, "Patient", "denied"),
            ("system/Goal.rs?lifecycle-status=active", None, None, read, "Goal", "everybody if 1"),
            ("patient/*.rs", Some("a"), None, read, "Goal", "patient a if 0"),
            ("patient/*.rs", None, None, read, "Goal", "denied"),
            ("patient/*.rs", None, None, read, "Organization", "denied"),
            ("patient/*.rs", Some("a"), None, search, "Organization", "all"),
            (survey, Some("a"), None, read, "Observation", "patient a if 1"),
            (survey, Some("a"), None, read, "Condition", "denied"),
            ("user/*.rs", None, Some("Patient/a"), read, "Goal", "patient a if 0"),
            ("user/*.rs", None, Some("Practitioner/p"), read, "Goal", "caseload p if 0"),
            ("user/*.rs", None, Some("Practitioner/p"), read, "Practitioner", "all"),
            ("user/*.rs", None, Some("RelatedPerson/r"), read, "Goal", "denied"),
            ("user/*.rs", Some("a"), Some("RelatedPerson/r"), read, "Goal", "patient a if 0"),
            ("user/*.rs", Some("a"), None, read, "Goal", "denied"),
            ("fhirUser", None, Some("Practitioner/p"), read, "Practitioner", "everybody if 1"),
            ("fhirUser", None, Some("Practitioner/p"), search, "Practitioner", "denied"),
            ("fhirUser", None, Some("Practitioner/p"), read, "Patient", "denied"),
            ("openid launch/patient", Some("a"), Some("Patient/a"), read, "Patient", "denied"),
            ("", Some("a"), Some("Patient/a"), read, "Patient", "denied"),
        ] {
            let found = through(&principal(scopes, patient, user), action, name);
            assert_eq!(found, expected, "{scopes} {name}");
        }
    }

    #[test]
    fn one_patient_is_known_as_such() {
        let only = |scopes: &str, name: &'static str| {
            let principal = principal(scopes, Some("a"), Some("Practitioner/p"));
            let permit = Permit::decide(&principal, Action::Read, name).unwrap();
            permit.only_patient().map(ToString::to_string)
        };
        let survey = "patient/Observation.r?category=survey patient/Observation.r?code=1";
        assert_eq!(only(survey, "Observation").as_deref(), Some("a"));
        assert_eq!(only("patient/Goal.r user/Goal.r", "Goal"), None);
        assert_eq!(only("patient/Goal.r system/Goal.r", "Goal"), None);
    }

    #[test]
    fn earlier_versions_are_let_through_by_what_they_say() {
        let body = |patient: &str, category: &str| {
            format!(
                r#"{{"resourceType":"Observation","id":"o","category":[{{"coding":[{{"code":"{category}"}}]}}],
                    "subject":{{"reference":"Patient/{patient}"}}}}"#
            )
        };
        let id: FhirId = "o".parse().unwrap();
        for (scopes, patient, category, expected) in [
            ("patient/Observation.r", "ann", "x", true),
            ("patient/Observation.r", "bo", "x", false),
            ("patient/Observation.r?category=survey", "ann", "survey", true),
            ("patient/Observation.r?category=survey", "ann", "x", false),
            ("user/Observation.r", "ann", "x", true),
            ("user/Observation.r", "bo", "x", false),
            ("user/Observation.r patient/Observation.r?category=y", "ann", "x", true),
            ("system/Observation.r", "bo", "x", true),
        ] {
            let principal = principal(scopes, Some("ann"), Some("Practitioner/p"));
            let permit = Permit::decide(&principal, Action::Read, "Observation").unwrap();
            let text = body(patient, category);
            let current = body("ann", "x");
            let admitted = permit.admits(&id, current.as_bytes(), text.as_bytes()).unwrap();
            assert_eq!(admitted, expected, "{scopes} {patient} {category}");
        }
    }
}
