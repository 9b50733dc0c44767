//! The search parameters as one table, which the index, the query grammar, the
//! CapabilityStatement and the tests all read.
//!
//! Names, kinds and paths are those of R4 (<https://hl7.org/fhir/R4/searchparameter-registry.html>)
//! and of US Core 6.1.0 where it adds one. A path is a list of element names joined by dots; arrays
//! are walked through, and `[name=value]` keeps the elements with that value.
//!
//! The table has every parameter of the two that finds something in what is served; `left_out`
//! names the others, and says why. None of the served types has a parameter of kind `number`.

pub mod definition;
pub mod left_out;
mod table;

use super::ParamKind;

pub use table::TYPES;

/// How the values of a parameter come from what is at its paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// They are what is there.
    Values,
    /// Whether there is anything but `false`: every resource has one value.
    Truth,
    /// Two other parameters together, which are compared as a pair joined by `$`. With a path, they
    /// are of the same element there; without one, each has one value at most in a resource.
    Pair([&'static str; 2]),
}

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
    /// How its values come from what is at its paths.
    pub form: Form,
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

/// What is added to a parameter's number for what it finds in names that somebody goes by no longer.
pub const FORMER: u16 = 0x8000;

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
    const fn new(name: &'static str, kind: ParamKind, paths: &'static [&'static str]) -> Self {
        Self { name, alias: None, kind, paths, targets: &[], system: "", form: Form::Values }
    }

    /// A code, boolean or identifier.
    pub(super) const fn token(name: &'static str, paths: &'static [&'static str]) -> Self {
        Self::new(name, ParamKind::Token, paths)
    }

    /// Whether there is anything but `false`.
    pub(super) const fn truth(name: &'static str, paths: &'static [&'static str]) -> Self {
        Self { form: Form::Truth, ..Self::token(name, paths) }
    }

    /// Two parameters, as a pair.
    pub(super) const fn pair(
        name: &'static str,
        paths: &'static [&'static str],
        parts: [&'static str; 2],
    ) -> Self {
        Self { form: Form::Pair(parts), ..Self::new(name, ParamKind::Composite, paths) }
    }

    /// An element of type `code`, whose binding implies `system`.
    pub(super) const fn code(
        name: &'static str,
        paths: &'static [&'static str],
        system: &'static str,
    ) -> Self {
        Self { system, ..Self::token(name, paths) }
    }

    /// A reference to one of `targets`.
    pub(super) const fn reference(
        name: &'static str,
        paths: &'static [&'static str],
        targets: &'static [&'static str],
    ) -> Self {
        Self { targets, ..Self::new(name, ParamKind::Reference, paths) }
    }

    /// A date, instant or period.
    pub(super) const fn date(name: &'static str, paths: &'static [&'static str]) -> Self {
        Self::new(name, ParamKind::Date, paths)
    }

    /// Text.
    pub(super) const fn text(name: &'static str, paths: &'static [&'static str]) -> Self {
        Self::new(name, ParamKind::Text, paths)
    }

    /// A number with a unit.
    pub(super) const fn quantity(name: &'static str, paths: &'static [&'static str]) -> Self {
        Self::new(name, ParamKind::Quantity, paths)
    }

    /// A URI.
    pub(super) const fn uri(name: &'static str, paths: &'static [&'static str]) -> Self {
        Self::new(name, ParamKind::Uri, paths)
    }

    /// Whether its values are `Identifier`s, which have a type of their own (`:of-type`).
    pub fn is_identifier(&self) -> bool {
        self.name == "identifier"
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

/// The number under which the index has what a parameter finds in names that somebody goes by no
/// longer; none for a parameter that looks at no names of people.
pub fn former(number: u16) -> Option<u16> {
    let param = by_number(number)?;
    let is_of_names = |path: &&str| path.split('.').next() == Some("name");
    (param.kind == ParamKind::Text && param.paths.iter().any(is_of_names))
        .then_some(number | FORMER)
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
    fn a_former_name_has_a_number_of_its_own() {
        let all = TYPES.iter().flat_map(SearchType::numbered);
        let former: Vec<u16> = all.filter_map(|(number, _)| former(number)).collect();
        assert!(former.len() > 3);
        assert!(former.iter().all(|number| by_number(*number).is_none()));
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

    /// The element that an expression of HL7's is about, as a path of ours: `value as Quantity` is
    /// `valueQuantity`, and conditions on what it leads to are dropped.
    fn element(expression: &str, resource_type: &str) -> String {
        let expression = expression.trim().trim_start_matches('(');
        let expression = expression.split(" and ").next().unwrap();
        let (path, kind) = match expression.split_once(" as ") {
            Some((path, kind)) => (path, Some(kind)),
            None => match expression.split_once(".as(") {
                Some((path, kind)) => (path, Some(kind)),
                None => (expression, None),
            },
        };
        let (kind, after) = kind.and_then(|kind| kind.split_once(')')).unwrap_or_default();
        let upper = kind.get(..1).unwrap_or_default().to_uppercase();
        let path = path.strip_prefix(resource_type).unwrap().trim_start_matches('.');
        let path = path.split(".where(").next().unwrap();
        let path = path.strip_suffix(".exists()").unwrap_or(path);
        format!("{path}{upper}{}{after}", kind.get(1..).unwrap_or_default())
    }

    /// A path of ours without its conditions.
    fn plain(path: &str) -> String {
        let mut depth = 0;
        let keep = |c: &char| {
            depth += i32::from(*c == '[') - i32::from(*c == ']');
            depth == 0 && *c != ']'
        };
        path.chars().filter(keep).collect()
    }

    /// What HL7's expression may stand for among ours: the same, a type of a choice, or a part.
    fn is_of(path: &str, element: &str) -> bool {
        path.strip_prefix(element)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase()))
    }

    #[test]
    fn the_table_is_what_hl7_defines_less_what_is_left_out() {
        for defined in definition::all().filter(|d| d.resource_type != "Resource") {
            let (kind, code) = (defined.resource_type, defined.code);
            let param = search_type(kind).unwrap().param(code).map(|(_, param)| param);
            let why = left_out::why(kind, code);
            let Some(param) = param else {
                assert!(why.is_some(), "{kind}.{code} is neither in the table nor left out");
                continue;
            };
            assert_eq!(why, None, "{kind}.{code} is both in the table and left out");
            assert_eq!(param.kind.code(), defined.kind, "{kind}.{code}");
            let parts = defined.expression.split(" | ").map(|part| element(part, kind));
            let elements: Vec<String> = parts.collect();
            for path in param.paths {
                let known = elements.iter().any(|element| is_of(&plain(path), element));
                assert!(known, "{kind}.{code}: {path} is not of {elements:?}");
            }
        }
    }

    #[test]
    fn nothing_is_in_the_table_that_hl7_does_not_define() {
        for kind in TYPES {
            for (_, param) in kind.numbered() {
                for name in std::iter::once(param.name).chain(param.alias) {
                    assert!(definition::of(kind.name, name).is_some(), "{}.{name}", kind.name);
                }
            }
        }
    }

    #[test]
    fn a_pair_is_of_parameters_of_its_type() {
        for kind in TYPES {
            for (_, param) in kind.numbered() {
                let Form::Pair(parts) = param.form else { continue };
                assert!(parts.iter().all(|part| kind.param(part).is_some()), "{}", param.name);
            }
        }
    }

    #[test]
    fn every_type_in_a_patients_record_is_found_by_patient() {
        let others = ["Patient", "Practitioner", "PractitionerRole", "Organization", "Location"];
        for kind in TYPES.iter().filter(|kind| !others.contains(&kind.name)) {
            assert!(kind.param("patient").is_some(), "{}", kind.name);
        }
    }
}
