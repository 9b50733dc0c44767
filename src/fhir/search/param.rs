//! The search parameters as one table, which the index, the query grammar, the
//! CapabilityStatement and the tests all read.
//!
//! Names, kinds and paths are those of R4 (<https://hl7.org/fhir/R4/searchparameter-registry.html>)
//! and of US Core 6.1.0 where it adds one. A path is a list of element names joined by dots; arrays
//! are walked through, and `[name=value]` keeps the elements with that value.

mod table;

use super::ParamKind;

pub use table::TYPES;

/// One search parameter of one resource type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param {
    /// Its name in the query string.
    pub name: &'static str,
    /// Another name with the same meaning, such as `subject` for `patient`.
    pub alias: Option<&'static str>,
    /// How it is compared.
    pub kind: ParamKind,
    /// Where its values are.
    pub paths: &'static [&'static str],
    /// For references, the types that count; empty where any does.
    pub targets: &'static [&'static str],
    /// For elements of type `code`, the system that the element's binding implies.
    pub system: &'static str,
}

/// A resource type that is searched, with its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchType {
    /// `Encounter`, `Patient`, …
    pub name: &'static str,
    /// Its parameters. New ones are added at the end: the position is part of a parameter's number.
    pub params: &'static [Param],
}

/// The parameters that every type has, of `meta`. New ones are added at the end.
pub const COMMON: &[Param] = &[
    Param::token("_security", &["meta.security"]),
    Param::token("_tag", &["meta.tag"]),
    Param::uri("_profile", &["meta.profile"]),
    Param::uri("_source", &["meta.source"]),
];

/// The number of the first of them.
const FIRST_COMMON: u16 = 0xF000;

/// The types that are only read, never searched.
pub const READ_ONLY: &[&str] = &["Binary"];

/// How many parameters a type may have, so that a number tells the type and the parameter.
const PER_TYPE: usize = 64;

impl SearchType {
    /// The parameters with their numbers, which the index rows carry; those of every type last.
    pub fn numbered(&self) -> impl Iterator<Item = (u16, &'static Param)> + use<> {
        let place = TYPES.iter().position(|known| known.name == self.name).unwrap_or_default();
        let first = u16::try_from(place * PER_TYPE).unwrap_or(u16::MAX);
        (first..).zip(self.params).chain((FIRST_COMMON..).zip(COMMON))
    }

    /// The parameter of that name.
    pub fn param(&self, name: &str) -> Option<(u16, &'static Param)> {
        self.numbered().find(|(_, param)| param.name == name || param.alias == Some(name))
    }
}

impl Param {
    /// A code, boolean or identifier.
    pub(super) const fn token(name: &'static str, paths: &'static [&'static str]) -> Self {
        Self { name, alias: None, kind: ParamKind::Token, paths, targets: &[], system: "" }
    }

    /// An element of type `code`, whose binding implies `system`.
    pub(super) const fn code(
        name: &'static str,
        paths: &'static [&'static str],
        system: &'static str,
    ) -> Self {
        Self { name, alias: None, kind: ParamKind::Token, paths, targets: &[], system }
    }

    /// A reference to one of `targets`.
    pub(super) const fn reference(
        name: &'static str,
        paths: &'static [&'static str],
        targets: &'static [&'static str],
    ) -> Self {
        Self { name, alias: None, kind: ParamKind::Reference, paths, targets, system: "" }
    }

    /// A date, instant or period.
    pub(super) const fn date(name: &'static str, paths: &'static [&'static str]) -> Self {
        Self { name, alias: None, kind: ParamKind::Date, paths, targets: &[], system: "" }
    }

    /// Text.
    pub(super) const fn text(name: &'static str, paths: &'static [&'static str]) -> Self {
        Self { name, alias: None, kind: ParamKind::Text, paths, targets: &[], system: "" }
    }

    /// A number with a unit.
    pub(super) const fn quantity(name: &'static str, paths: &'static [&'static str]) -> Self {
        Self { name, alias: None, kind: ParamKind::Quantity, paths, targets: &[], system: "" }
    }

    /// A URI.
    pub(super) const fn uri(name: &'static str, paths: &'static [&'static str]) -> Self {
        Self { name, alias: None, kind: ParamKind::Uri, paths, targets: &[], system: "" }
    }

    /// Whether, as a reference, it may lead to that type.
    pub fn refers_to(&self, resource_type: &str) -> bool {
        self.targets.is_empty() || self.targets.contains(&resource_type)
    }

    /// The patient whose record it is, under the names `patient` and `subject`.
    pub(super) const fn subject() -> Self {
        Self { alias: Some("subject"), ..Self::patient(&["subject"]) }
    }

    /// The patient whose record it is.
    pub(super) const fn patient(paths: &'static [&'static str]) -> Self {
        Self::reference("patient", paths, &["Patient"])
    }
}

/// The searched type of that name.
pub fn search_type(name: &str) -> Option<&'static SearchType> {
    TYPES.iter().find(|known| known.name == name)
}

/// The parameter with that number, which an index row or a condition carries.
pub fn by_number(number: u16) -> Option<&'static Param> {
    if let Some(position) = number.checked_sub(FIRST_COMMON) {
        return COMMON.get(usize::from(position));
    }
    let (place, position) = (usize::from(number) / PER_TYPE, usize::from(number) % PER_TYPE);
    TYPES.get(place)?.params.get(position)
}

/// The types that are served, searched ones first.
pub fn served() -> impl Iterator<Item = &'static str> {
    TYPES.iter().map(|known| known.name).chain(READ_ONLY.iter().copied())
}

/// Whether resources of that type are served.
pub fn is_served(name: &str) -> bool {
    served().any(|known| known == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_and_names_are_unique() {
        let mut numbers = HashSet::new();
        for kind in TYPES {
            assert!(kind.params.len() <= PER_TYPE, "{}", kind.name);
            let mut names = HashSet::new();
            for (number, param) in kind.numbered() {
                assert!(
                    number >= FIRST_COMMON || numbers.insert(number),
                    "{}.{}",
                    kind.name,
                    param.name
                );
                assert!(names.insert(param.name), "{}.{}", kind.name, param.name);
                assert!(param.alias.is_none_or(|alias| names.insert(alias)), "{}", kind.name);
            }
        }
    }

    #[test]
    fn a_number_once_given_is_kept() {
        let number = |kind, name| search_type(kind).and_then(|t| t.param(name)).map(|(n, _)| n);
        assert_eq!(number("Patient", "identifier"), Some(0));
        assert_eq!(number("Encounter", "patient"), Some(9 * 64));
        assert_eq!(number("Encounter", "subject"), Some(9 * 64));
        assert_eq!(number("Provenance", "target"), Some(18 * 64));
        assert_eq!(number("Goal", "_security"), Some(0xF000));
        assert_eq!(by_number(0xF002).map(|param| param.name), Some("_profile"));
    }

    #[test]
    fn every_type_in_a_patients_record_is_found_by_patient() {
        let others = ["Patient", "Practitioner", "PractitionerRole", "Organization", "Location"];
        for kind in TYPES.iter().filter(|kind| !others.contains(&kind.name)) {
            assert!(kind.param("patient").is_some(), "{}", kind.name);
        }
    }
}
