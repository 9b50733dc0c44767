//! What an app asks for, as a person reads it: by kind of record, with parts that can be left out.
//!
//! What is shown and what is granted come from the same list, so that nothing is granted that was
//! not shown.

use std::collections::{BTreeMap, BTreeSet};

use crate::fhir::search::param;
use crate::policy::{Plain, ResourceScope, Scope, Scopes};

/// The kinds that stay off until they are chosen: what was found and diagnosed, said and written in
/// therapy. An Observation is the score of a questionnaire.
const SENSITIVE: [&str; 6] = [
    "Condition",
    "Observation",
    "Communication",
    "DocumentReference",
    "Binary",
    "QuestionnaireResponse",
];

/// The kind of giving and taking back consents, beside that of reading them.
const SIGNING: &str = "signing";
/// The kind of asking for something about the record, beside that of reading what was asked.
const ASKING: &str = "asking";

/// The order in which kinds are shown; those that are not named come last.
const ORDER: [&str; 21] = [
    "Patient",
    "Appointment",
    "Encounter",
    "EpisodeOfCare",
    "CarePlan",
    "Goal",
    "CareTeam",
    "Consent",
    "RelatedPerson",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "Provenance",
    "Task",
    "Condition",
    "Observation",
    "Communication",
    "DocumentReference",
    "Binary",
    "QuestionnaireResponse",
];

/// A part of a kind: a category, as scopes name it.
pub(super) struct Category {
    /// Its code, by which it has a name in the texts.
    pub(super) code: &'static str,
    /// `system|code`.
    pub(super) token: &'static str,
}

/// The parts of the kinds that have them (US Core 6.1.0, granular scopes).
const CATEGORIES: &[(&str, &[Category])] = &[
    (
        "Condition",
        &[
            Category {
                code: "encounter-diagnosis",
                token: "http://terminology.hl7.org/CodeSystem/condition-category|encounter-diagnosis",
            },
            Category {
                code: "problem-list-item",
                token: "http://terminology.hl7.org/CodeSystem/condition-category|problem-list-item",
            },
            Category {
                code: "health-concern",
                token: "http://hl7.org/fhir/us/core/CodeSystem/condition-category|health-concern",
            },
        ],
    ),
    (
        "Observation",
        &[
            Category {
                code: "survey",
                token: "http://terminology.hl7.org/CodeSystem/observation-category|survey",
            },
            Category {
                code: "social-history",
                token: "http://terminology.hl7.org/CodeSystem/observation-category|social-history",
            },
        ],
    ),
    (
        "DocumentReference",
        &[Category {
            code: "clinical-note",
            token: "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category|clinical-note",
        }],
    ),
];

/// One thing that can be shared or left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// The field's value: the type, and the part of it if only one is asked for.
    pub(super) key: String,
    /// The resource type.
    pub(super) kind: &'static str,
    /// The code of the one part that is asked for.
    pub(super) part: Option<String>,
}

impl Item {
    /// Whether it stays off until it is chosen.
    pub(super) fn is_sensitive(&self) -> bool {
        [SIGNING, ASKING].contains(&self.kind) || SENSITIVE.contains(&self.kind)
    }

    /// The parts to which it can be narrowed.
    pub(super) fn categories(&self) -> &'static [Category] {
        let of_kind = CATEGORIES.iter().find(|(kind, _)| *kind == self.kind);
        of_kind.filter(|_| self.part.is_none()).map_or(&[], |(_, categories)| categories)
    }
}

/// What a person chose.
#[derive(Debug, Clone, Default)]
pub(super) struct Chosen {
    /// The keys of the items.
    pub(super) items: BTreeSet<String>,
    /// The tokens of the categories to which kinds are narrowed, by type.
    pub(super) parts: BTreeMap<String, BTreeSet<String>>,
    /// Whether the app may go on when its token is over.
    pub(super) stay: Stay,
}

/// Whether an app may go on by itself when its token is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Stay {
    /// It has to ask again.
    #[default]
    No,
    /// While the person is signed in.
    Online,
    /// Also while they are away.
    Offline,
}

/// What is asked for, in the order in which it is shown, each once.
pub(super) fn items(scopes: &Scopes) -> Vec<Item> {
    let mut items: Vec<Item> = scopes.resources().flat_map(asked).collect();
    let place = |item: &Item| {
        let place = ORDER.iter().position(|kind| *kind == item.kind).unwrap_or(ORDER.len());
        (item.is_sensitive(), place, item.key.clone())
    };
    items.sort_by_cached_key(place);
    items.dedup();
    items
}

/// The items of one scope.
fn asked(scope: &ResourceScope) -> Vec<Item> {
    let of_kind = |kind: &'static str| {
        let filters: Vec<String> =
            scope.filters().map(|(name, value)| format!("{name}={value}")).collect();
        let part = scope.filters().next().map(|(_, value)| code(value).to_owned());
        let key = if filters.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}?{}", filters.join("&"))
        };
        Item { key, kind, part }
    };
    let mut items: Vec<Item> = match scope.resource_type {
        _ if scope.reading().is_none() => Vec::new(),
        Some(kind) => vec![of_kind(kind)],
        None => param::served().map(of_kind).collect(),
    };
    let written = [(SIGNING, scope.signing()), (ASKING, scope.asking())];
    let written = written.into_iter().filter(|(_, scope)| scope.is_some());
    items.extend(written.map(|(kind, _)| Item { key: kind.to_owned(), kind, part: None }));
    items
}

/// The code of `system|code`.
fn code(token: &str) -> &str {
    token.rsplit_once('|').map_or(token, |(_, code)| code)
}

/// What is granted: of what is asked for, that which was chosen.
pub(super) fn granted(scopes: &Scopes, chosen: &Chosen) -> Scopes {
    let grant = |scope: &Scope| -> Vec<Scope> {
        match scope {
            Scope::Plain(Plain::OfflineAccess) if chosen.stay != Stay::Offline => Vec::new(),
            Scope::Plain(Plain::OnlineAccess) if chosen.stay != Stay::Online => Vec::new(),
            Scope::Plain(_) => vec![scope.clone()],
            Scope::Resource(asked) => chosen.of(asked).into_iter().map(Scope::Resource).collect(),
        }
    };
    scopes.iter().flat_map(grant).collect()
}

impl Chosen {
    /// What is left of a scope.
    fn of(&self, scope: &ResourceScope) -> Vec<ResourceScope> {
        let items = asked(scope);
        let is_whole =
            |item: &Item| self.items.contains(&item.key) && self.narrowing(item).is_empty();
        if items.iter().all(is_whole) {
            return vec![scope.clone()];
        }
        let chosen = items.iter().filter(|item| self.items.contains(&item.key));
        chosen.flat_map(|item| self.part(scope, item)).collect()
    }

    fn part(&self, scope: &ResourceScope, item: &Item) -> Vec<ResourceScope> {
        match item.kind {
            SIGNING => return scope.signing().into_iter().collect(),
            ASKING => return scope.asking().into_iter().collect(),
            _ => {}
        }
        let Some(scope) = &scope.reading() else { return Vec::new() };
        let narrowing = self.narrowing(item);
        if narrowing.is_empty() {
            return scope.of_type(item.kind).into_iter().collect();
        }
        let narrow = |token: &&str| scope.narrowed(item.kind, "category", token);
        narrowing.iter().filter_map(narrow).collect()
    }

    /// The categories to which an item is narrowed; none, if it is whole.
    fn narrowing(&self, item: &Item) -> Vec<&'static str> {
        let Some(parts) = self.parts.get(item.kind) else { return Vec::new() };
        let known = item.categories().iter().map(|category| category.token);
        known.filter(|token| parts.contains(*token)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::html::{Language, Languages};

    const SURVEY: &str = "http://terminology.hl7.org/CodeSystem/observation-category|survey";

    fn chosen(items: &[&str], parts: &[(&str, &str)], stay: Stay) -> Chosen {
        let mut chosen = Chosen { stay, ..Chosen::default() };
        chosen.items.extend(items.iter().map(|&item| item.to_owned()));
        for (kind, token) in parts {
            chosen.parts.entry((*kind).to_owned()).or_default().insert((*token).to_owned());
        }
        chosen
    }

    #[test]
    fn what_is_granted_is_the_part_that_was_chosen() {
        let narrowed = format!("patient/Observation.rs?category={SURVEY}");
        for (asked, items, parts, stay, expected) in [
            ("openid patient/Goal.rs", &["Goal"][..], &[][..], Stay::No, "openid patient/Goal.rs"),
            ("patient/Goal.rs patient/Condition.rs", &["Goal"], &[], Stay::No, "patient/Goal.rs"),
            ("patient/Goal.rs", &["Condition"], &[], Stay::No, ""),
            ("patient/Goal.rs offline_access", &["Goal"], &[], Stay::No, "patient/Goal.rs"),
            (
                "patient/Goal.rs offline_access",
                &["Goal"],
                &[],
                Stay::Offline,
                "patient/Goal.rs offline_access",
            ),
            (
                "patient/*.rs",
                &["Goal", "Patient"],
                &[],
                Stay::No,
                "patient/Goal.rs patient/Patient.rs",
            ),
            (
                "patient/Observation.rs",
                &["Observation"],
                &[("Observation", SURVEY)],
                Stay::No,
                narrowed.as_str(),
            ),
            ("patient/Observation.rs", &[], &[("Observation", SURVEY)], Stay::No, ""),
            (
                "patient/Observation.rs",
                &["Observation"],
                &[("Observation", "http://evil.example|x")],
                Stay::No,
                "patient/Observation.rs",
            ),
            (
                "patient/Goal.rs online_access offline_access",
                &["Goal"],
                &[],
                Stay::Online,
                "patient/Goal.rs online_access",
            ),
            (
                "patient/Goal.rs online_access offline_access",
                &["Goal"],
                &[],
                Stay::No,
                "patient/Goal.rs",
            ),
            ("patient/Goal.r", &["Goal"], &[], Stay::No, "patient/Goal.r"),
            ("user/Goal.rs", &["Goal"], &[], Stay::No, "user/Goal.rs"),
            ("patient/Consent.crus", &["Consent"], &[], Stay::No, "patient/Consent.rs"),
            ("patient/Consent.crus", &["signing"], &[], Stay::No, "patient/Consent.cu"),
            (
                "patient/Consent.crus",
                &["Consent", "signing"],
                &[],
                Stay::No,
                "patient/Consent.crus",
            ),
            ("patient/Consent.cu", &["Consent"], &[], Stay::No, ""),
            ("patient/Task.crs", &["Task"], &[], Stay::No, "patient/Task.rs"),
            ("patient/Task.crs", &["asking"], &[], Stay::No, "patient/Task.c"),
            ("patient/Task.crs", &["signing"], &[], Stay::No, ""),
        ] {
            let asked = Scopes::parse(asked);
            let granted = granted(&asked, &chosen(items, parts, stay));
            let sorted = |scopes: &Scopes| {
                let mut all: Vec<_> = scopes.iter().map(ToString::to_string).collect();
                all.sort();
                all
            };
            assert_eq!(sorted(&granted), sorted(&Scopes::parse(expected)), "{asked}");
            assert!(asked.cover(&granted), "{asked} does not cover {granted}");
        }
    }

    #[test]
    fn everything_that_is_chosen_of_a_wildcard_is_the_wildcard() {
        let asked = Scopes::parse("patient/*.rs");
        let all: Vec<String> = items(&asked).into_iter().map(|item| item.key).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(granted(&asked, &chosen(&all, &[], Stay::No)), asked);
    }

    #[test]
    fn a_granular_scope_is_an_item_of_its_own() {
        let asked = Scopes::parse(&format!("patient/Observation.rs?category={SURVEY}"));
        let items = items(&asked);
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].part.as_deref(), Some("survey"));
        assert_eq!(granted(&asked, &chosen(&[&items[0].key], &[], Stay::No)), asked);
        assert!(granted(&asked, &chosen(&["Observation"], &[], Stay::No)).is_empty());
    }

    #[test]
    fn every_kind_and_every_part_has_a_name_in_every_language() {
        let languages = Languages::load().unwrap();
        for language in Language::ALL {
            let texts = languages.of(language);
            for kind in param::served().chain([SIGNING, ASKING]) {
                assert!(texts.kinds.contains_key(kind), "{language:?} {kind}");
            }
            for category in CATEGORIES.iter().flat_map(|(_, categories)| *categories) {
                assert!(texts.categories.contains_key(category.code), "{}", category.code);
            }
        }
    }
}
