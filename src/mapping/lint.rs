//! Where a map set departs from what every engine of the mapping language does. These are
//! choices, not faults: they are listed so that nobody is surprised.

use super::codes::Unmapped;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::{MapSet, fml};

impl MapSet {
    /// The departures from the portable subset.
    pub fn lint(&self) -> Vec<Diagnostic> {
        let mut diagnostics = Diagnostics::default();
        for source in &self.sources {
            fml::lint(source, &mut diagnostics);
        }
        let used = self.plans.iter().flat_map(|plan| &plan.tables);
        let mut files: Vec<(&str, &Unmapped)> =
            used.map(|table| (table.file.as_str(), &table.unmapped)).collect();
        files.sort_unstable_by_key(|(file, _)| *file);
        files.dedup_by_key(|(file, _)| *file);
        for (file, unmapped) in files {
            if *unmapped != Unmapped::Dropped {
                let message = "other engines ignore `unmapped` and leave such codes out";
                diagnostics.file_warning("MAP501", file, message);
            }
        }
        diagnostics.finish()
    }
}
