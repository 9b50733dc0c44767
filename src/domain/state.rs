//! A record's state as a fold over its versions. The order in which they come does not matter.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Op, Record};

/// One version of a record and the hash over everything in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// The version as it was sent.
    pub record: Arc<Record>,
    /// SHA-256 over its canonical form, envelope and data.
    pub hash: [u8; 32],
}

/// What became of a record version that was offered.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// It is now the record's state, or changed it.
    Stored,
    /// The same version with the same content was there already.
    Unchanged,
    /// A higher version was there already.
    Older,
    /// The same version with other content, given here, was there already. Of the two, the one
    /// with the lower hash counts: a rule that does not depend on which came first.
    Conflict(Arc<Record>),
}

/// What has to be kept of a record so that versions can come in any order: the highest version,
/// and where that has no data, the highest one that has some.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The highest version; among equals the one with the lowest hash.
    pub head: Version,
    /// The highest version with data, where the head has none.
    pub body: Option<Version>,
}

impl State {
    /// The state after the first version.
    pub fn first(version: Version) -> Self {
        Self { head: version, body: None }
    }

    /// Folds one more version in.
    pub fn offer(&mut self, version: Version) -> Accepted {
        let same = |kept: &&Version| kept.record.version == version.record.version;
        let kept = || std::iter::once(&self.head).chain(&self.body).filter(same);
        if kept().any(|kept| kept.hash == version.hash) {
            return Accepted::Unchanged;
        }
        let answer = match kept().next() {
            Some(kept) => Accepted::Conflict(kept.record.clone()),
            None if self.counts(&version) => Accepted::Stored,
            None => return Accepted::Older,
        };
        let head = std::mem::replace(&mut self.head, version.clone());
        let body = self.body.take();
        let best = |versions: [Option<Version>; 3]| versions.into_iter().flatten().max_by(order);
        let with_data = |version: Version| (!version.record.data.is_null()).then_some(version);
        let data = best([with_data(head.clone()), body, with_data(version.clone())]);
        if order(&head, &version).is_gt() {
            self.head = head;
        }
        self.body = if self.head.record.data.is_null() { data } else { None };
        answer
    }

    /// Whether a version that was not seen before changes the state.
    fn counts(&self, version: &Version) -> bool {
        let beats = |kept: &Version| order(version, kept).is_gt();
        beats(&self.head)
            || (self.head.record.data.is_null()
                && !version.record.data.is_null()
                && self.body.as_ref().is_none_or(beats))
    }

    /// The record as it stands. A void without data shows the data, clients and labels of the
    /// version it voids, under its own version and time.
    pub fn record(&self) -> Arc<Record> {
        let Some(body) = &self.body else { return self.head.record.clone() };
        let (head, mut record) = (&self.head.record, Record::clone(&body.record));
        record.version = head.version;
        record.op = Op::Void;
        record.updated_at = head.updated_at;
        record.recorded_at.clone_from(&head.recorded_at);
        for label in &head.labels {
            if !record.labels.contains(label) {
                record.labels.push(label.clone());
            }
        }
        Arc::new(record)
    }
}

/// The higher version counts; of two variants of one version, the one with the lower hash.
fn order(a: &Version, b: &Version) -> Ordering {
    a.record.version.cmp(&b.record.version).then(b.hash.cmp(&a.hash))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::Kind;

    fn version(number: u64, data: Value, hash: u8) -> Version {
        let record = Record {
            tenant: "hv".parse().unwrap(),
            kind: Kind::SessionLog,
            id: "ses_1".into(),
            version: number,
            op: if data.is_null() { Op::Void } else { Op::Upsert },
            occurred_at: None,
            recorded_at: None,
            updated_at: jiff::Timestamp::UNIX_EPOCH,
            tz: None,
            client_ids: if data.is_null() { vec![] } else { vec!["cl_7".into()] },
            labels: vec![],
            part2: None,
            data,
        };
        Version { record: Arc::new(record), hash: [hash; 32] }
    }

    fn fold(versions: &[Version]) -> Arc<Record> {
        let mut state = State::first(versions[0].clone());
        for version in &versions[1..] {
            state.offer(version.clone());
        }
        state.record()
    }

    #[test]
    fn every_order_of_versions_folds_to_the_same_record() {
        let all = [
            version(1, json!({"a": 1}), 1),
            version(2, json!({"a": 2}), 9),
            version(2, json!({"a": 3}), 4),
            version(3, Value::Null, 7),
            version(3, json!({"a": 4}), 8),
        ];
        let expected = fold(&all);
        assert_eq!(expected.data, json!({"a": 4}));
        assert_eq!((expected.version, expected.op), (3, Op::Void), "the lower hash counts");
        assert_eq!(expected.client_ids, ["cl_7"], "a void keeps the clients of what it voids");
        let mut order: Vec<usize> = (0..all.len()).collect();
        permutations(&mut order, 0, &mut |order| {
            let versions: Vec<Version> = order.iter().map(|i| all[*i].clone()).collect();
            assert_eq!(fold(&versions), expected, "{order:?}");
        });
    }

    fn permutations(items: &mut Vec<usize>, from: usize, visit: &mut dyn FnMut(&[usize])) {
        if from == items.len() {
            visit(items);
        }
        for i in from..items.len() {
            items.swap(from, i);
            permutations(items, from + 1, visit);
            items.swap(from, i);
        }
    }

    #[test]
    fn a_lower_version_is_older_and_the_same_one_unchanged() {
        let mut state = State::first(version(5, json!({}), 1));
        assert_eq!(state.offer(version(4, json!({"x": 1}), 2)), Accepted::Older);
        assert_eq!(state.offer(version(5, json!({}), 1)), Accepted::Unchanged);
        assert!(matches!(state.offer(version(5, json!({"y": 1}), 3)), Accepted::Conflict(_)));
        assert_eq!(state.record().data, json!({}), "the higher hash does not displace the lower");
    }
}
