//! How bulk exports are made.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::problems::Problems;

/// Bulk exports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BulkSettings {
    /// Exports of a client that may be open at once
    pub per_client: u32,
    /// About how many resources a file has
    pub resources_per_file: u64,
    /// How long files are kept, in minutes
    pub keep_minutes: u64,
    /// How long an export may take, in hours
    pub within_hours: u64,
}

impl Default for BulkSettings {
    fn default() -> Self {
        Self { per_client: 2, resources_per_file: 20_000, keep_minutes: 60, within_hours: 24 }
    }
}

impl BulkSettings {
    /// Says what is wrong.
    pub(super) fn check(&self, problems: &mut Problems) {
        for (key, value) in [
            ("bulk.resources_per_file", self.resources_per_file),
            ("bulk.keep_minutes", self.keep_minutes),
            ("bulk.within_hours", self.within_hours),
        ] {
            if value == 0 {
                problems.add(key, "give 1 or more");
            }
        }
    }

    /// How long files are kept.
    pub fn kept(&self) -> Duration {
        Duration::from_mins(self.keep_minutes)
    }

    /// How long an export may take.
    pub fn within(&self) -> Duration {
        Duration::from_hours(self.within_hours)
    }
}
