//! What a run did, in numbers: never content.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

/// The numbers of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Files that were read.
    pub files: u64,
    /// Records by kind; those whose kind cannot be read are under `unreadable`.
    pub records: BTreeMap<String, Outcomes>,
    /// What went into quarantine, by reason.
    pub quarantined: BTreeMap<String, u64>,
    /// Records that were mapped.
    pub mapped: u64,
    /// Resources that were made, by type.
    pub resources: BTreeMap<String, u64>,
    /// Fields that no resource carries.
    #[serde(serialize_with = "as_list")]
    pub losses: BTreeMap<Finding, u64>,
    /// What was taken in although something about it is odd.
    #[serde(serialize_with = "as_list")]
    pub warnings: BTreeMap<Finding, u64>,
}

/// What became of the records of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// New or changed.
    pub stored: u64,
    /// There already.
    pub unchanged: u64,
    /// Superseded by a higher version that was there already.
    pub older: u64,
    /// Not taken in, or in dispute.
    pub quarantined: u64,
    /// Of those stored, how many are of a kind that is kept but not mapped.
    pub not_mapped: u64,
    /// Of those stored, how many went to the isolated plane.
    pub isolated: u64,
}

/// Something about a field of a kind of record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The kind of record.
    pub kind: String,
    /// The field as a JSON pointer; `*` stands for any item of a list.
    pub pointer: String,
    /// A stable name.
    pub reason: String,
}

impl Finding {
    /// A finding; positions in lists are generalised.
    pub fn new(kind: &str, pointer: &str, reason: &str) -> Self {
        let general = |step: &str| {
            let is_position = !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit());
            if is_position { "*".to_owned() } else { step.to_owned() }
        };
        let pointer = pointer.split('/').map(general).collect::<Vec<_>>().join("/");
        Self { kind: kind.to_owned(), pointer, reason: reason.to_owned() }
    }
}

/// The most findings that are kept apart: a record with made-up field names must not fill memory.
const FINDINGS: usize = 10_000;

impl Report {
    /// The outcomes of a kind.
    pub(super) fn kind(&mut self, kind: &str) -> &mut Outcomes {
        self.records.entry(kind.to_owned()).or_default()
    }

    /// Counts a field that is not carried over.
    pub(super) fn loss(&mut self, kind: &str, pointer: &str, reason: &str) {
        count(&mut self.losses, Finding::new(kind, pointer, reason));
    }

    /// Counts something odd.
    pub(super) fn warning(&mut self, kind: &str, pointer: &str, code: &str) {
        count(&mut self.warnings, Finding::new(kind, pointer, code));
    }

    /// Counts an entry in quarantine.
    pub(super) fn quarantine(&mut self, reason: &str) {
        *self.quarantined.entry(reason.to_owned()).or_default() += 1;
    }

    /// Whether anything went into quarantine.
    pub fn needs_attention(&self) -> bool {
        !self.quarantined.is_empty()
    }
}

fn count(findings: &mut BTreeMap<Finding, u64>, finding: Finding) {
    if let Some(count) = findings.get_mut(&finding) {
        *count += 1;
        return;
    }
    let finding = if findings.len() < FINDINGS {
        finding
    } else {
        Finding { pointer: "/*".to_owned(), ..finding }
    };
    *findings.entry(finding).or_default() += 1;
}

fn as_list<S: Serializer>(findings: &BTreeMap<Finding, u64>, to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Counted<'a> {
        #[serde(flatten)]
        finding: &'a Finding,
        count: u64,
    }
    let mut list = to.serialize_seq(Some(findings.len()))?;
    for (finding, count) in findings {
        list.serialize_element(&Counted { finding, count: *count })?;
    }
    list.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_in_lists_are_generalised() {
        let mut report = Report::default();
        report.warning("session_log", "/data/presence/12/left_at", "leap_second");
        report.warning("session_log", "/data/presence/3/left_at", "leap_second");
        let text = serde_json::to_string(&report.warnings.keys().collect::<Vec<_>>()).unwrap();
        assert!(text.contains("/data/presence/*/left_at"), "{text}");
        assert_eq!(report.warnings.values().copied().collect::<Vec<_>>(), [2]);
    }
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is new or changes the record.
    Stored,
    /// It was there already.
    Unchanged,
    /// A higher version was there already.
    Older,
    /// It waits in quarantine.
    Quarantined,
    /// It is not kept at all.
    Rejected,
}
