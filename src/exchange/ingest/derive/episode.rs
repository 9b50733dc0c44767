//! Derives the views of a `episode` record.

use super::{Derivation, View, Warning};
use crate::domain::Record;

/// Whether the record becomes a resource.
pub(super) fn is_mapped(record: &Record) -> bool {
    record.data.is_object()
}

pub(super) fn views(_record: &Record, _d: &Derivation, _warnings: &mut Vec<Warning>) -> Vec<View> {
    Vec::new()
}
