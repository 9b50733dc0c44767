//! What the audit counts, as metrics.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// The counters; clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    /// Events that are on the disk.
    pub(super) written: Counter,
    /// Commits, each of some events.
    pub(super) commits: Counter,
    /// Commits that failed.
    pub(super) failures: Counter,
    /// Events that could not be kept.
    pub(super) lost: Counter,
}

impl Meter {
    /// Names the counters to a registry.
    pub(super) fn register(&self, registry: &mut Registry) {
        for (name, help, counter) in [
            ("audit_events", "Audit events that are on the disk", &self.written),
            ("audit_commits", "Commits of audit events, each of some", &self.commits),
            ("audit_failures", "Commits of audit events that failed", &self.failures),
            ("audit_lost", "Audit events that could not be kept", &self.lost),
        ] {
            registry.register(name, help, counter.clone());
        }
    }
}
