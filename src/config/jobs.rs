//! How work beside the requests is done.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::problems::Problems;

/// Work beside the requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobSettings {
    /// Jobs of a kind that this process works on at once; 0 leaves them to other replicas
    pub at_once: u32,
    /// How long a job is left to a process that says nothing, in seconds
    pub lease_s: u64,
    /// How often a job is begun without coming on, before it is given up
    pub attempts: u32,
    /// How often it is looked for jobs that others left, in seconds
    pub look_s: u64,
    /// How often it is looked whether consent to what a receiver has still stands, in seconds
    pub follow_s: u64,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self { at_once: 2, lease_s: 30, attempts: 5, look_s: 2, follow_s: 900 }
    }
}

impl JobSettings {
    /// Says what is wrong.
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.lease_s < 3 {
            problems.add("jobs.lease_s", "give 3 seconds or more");
        }
        if self.attempts == 0 {
            problems.add("jobs.attempts", "give 1 or more");
        }
        if self.look_s == 0 {
            problems.add("jobs.look_s", "give a number of seconds, 1 or more");
        }
        if self.follow_s == 0 {
            problems.add("jobs.follow_s", "give a number of seconds, 1 or more");
        }
    }

    /// How long a lease holds.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_s)
    }

    /// How often it is looked.
    pub fn look(&self) -> Duration {
        Duration::from_secs(self.look_s)
    }
}
