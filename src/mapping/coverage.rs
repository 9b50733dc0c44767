//! What a map set does not use and does not set: for people who want to know what is missing.

use super::MapSet;
use super::codes::Entry;
use super::run::losses::Fate;

/// Something that is not covered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "gap")]
pub enum Gap {
    /// A field of `data` that no map reads.
    UnusedField {
        /// The model.
        model: String,
        /// The path, `data.participants.role`.
        field: String,
        /// Why it is left out: `no_target` if nobody said so.
        reason: &'static str,
    },
    /// An element that a profile calls must-support, and that no map sets.
    ElementNeverSet {
        /// The resource type.
        resource: String,
        /// The element.
        element: String,
    },
    /// A code that a table leaves without a counterpart.
    CodeWithoutTarget {
        /// The table's file.
        table: String,
        /// The code.
        code: String,
    },
}

impl MapSet {
    /// Everything that is not covered, sorted.
    pub fn coverage(&self) -> Vec<Gap> {
        let mut gaps = self.unused_fields();
        gaps.extend(self.elements_never_set());
        for table in self.codes.values() {
            let unmatched = table.entries.iter().filter(|(_, entry)| **entry == Entry::Unmatched);
            gaps.extend(unmatched.map(|(code, _)| Gap::CodeWithoutTarget {
                table: table.file.clone(),
                code: code.to_string(),
            }));
        }
        gaps.sort();
        gaps
    }

    fn unused_fields(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for (index, (model, fates)) in self.models.iter().zip(&self.fates).enumerate() {
            if !self.plans.iter().any(|plan| plan.model == index) {
                continue;
            }
            for (t, fates) in model.types.iter().zip(fates) {
                let inside = t.path == "data" || t.path.starts_with("data.");
                for (field, fate) in t.fields.iter().zip(fates).filter(|_| inside) {
                    if let Fate::Lost(reason) = fate {
                        let field = format!("{}.{}", t.path, field.name);
                        gaps.push(Gap::UnusedField { model: model.name.clone(), field, reason });
                    }
                }
            }
        }
        gaps
    }

    /// Reads `tables/must-support.toml`: `[Encounter]`, then `elements = ["status", …]`.
    fn elements_never_set(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for (resource, profile) in self.tables.get("must-support").into_iter().flatten() {
            let plans: Vec<_> = self.plans.iter().filter(|p| p.resource == *resource).collect();
            let elements = profile.get("elements").and_then(toml::Value::as_array);
            for element in elements.into_iter().flatten().filter_map(toml::Value::as_str) {
                let path = format!("{resource}.{element}");
                let set = plans.iter().any(|plan| {
                    plan.rows.iter().any(|row| {
                        row.target.strip_prefix(&path).is_some_and(|rest| {
                            rest.is_empty()
                                || rest.starts_with('.')
                                || rest.starts_with(char::is_uppercase)
                        })
                    })
                });
                if !plans.is_empty() && !set {
                    let (resource, element) = (resource.clone(), element.to_owned());
                    gaps.push(Gap::ElementNeverSet { resource, element });
                }
            }
        }
        gaps
    }
}
