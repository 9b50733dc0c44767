//! How much of each resource is asked for: `_summary` and `_elements`, and of a search whether its
//! matches are only counted.

use super::parameters::Pairs;
use crate::error::{Error, Result};
use crate::fhir::r4::Elements;
use crate::fhir::search::Total;
use crate::fhir::search::parse::{self, Search};
use crate::fhir::subset::View;

/// The shape of a search's answer.
pub(super) struct Shape {
    /// How much of each match is shown.
    pub(super) view: View,
    /// Whether the matches are only counted.
    counts: bool,
    /// The parameters that said so.
    said: Pairs,
}

/// Takes a parameter that says how much of a resource of the type is shown; `false` where it is
/// another one.
pub(super) fn take(
    view: &mut Option<View>,
    table: &Elements,
    resource_type: &str,
    (name, value): (&str, &str),
) -> Result<bool> {
    let asked = match name {
        "_summary" => View::summary(value)?,
        "_elements" => View::elements(table, resource_type, value)?,
        _ => return Ok(false),
    };
    match view.replace(asked) {
        None => Ok(true),
        Some(_) => Err(Error::invalid(name, "give one of _summary and _elements, once")),
    }
}

impl Shape {
    /// The shape that the parameters of a search ask for, and the other parameters.
    pub(super) fn take(
        table: &Elements,
        resource_type: &str,
        parameters: Pairs,
    ) -> Result<(Self, Pairs)> {
        parse::once(&parameters, &["_summary", "_elements"])?;
        let (mut view, mut counts) = (None, false);
        let (mut said, mut others) = (Vec::new(), Vec::new());
        for (name, value) in parameters {
            let is_count = name == "_summary" && value == "count";
            counts |= is_count;
            if is_count || take(&mut view, table, resource_type, (&name, &value))? {
                said.push((name, value));
            } else {
                others.push((name, value));
            }
        }
        Ok((Self { view: view.unwrap_or_default(), counts, said }, others))
    }

    /// Gives a search this shape. A search without a page is one for the number of matches
    /// (<https://hl7.org/fhir/R4/search.html#count>).
    pub(super) fn apply(&self, search: &mut Search) -> Result<()> {
        if self.view == View::Text && !search.query.includes.is_empty() {
            let hint = "_summary=text goes with no _include or _revinclude";
            return Err(Error::invalid("_summary", hint));
        }
        if self.counts || search.query.count == 0 {
            search.query.count = 0;
            search.query.total = Total::Accurate;
        }
        search.understood.extend(self.said.iter().cloned());
        Ok(())
    }
}
