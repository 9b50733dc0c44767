//! Derives the views of a `assessment` record.

use super::{Derivation, View, Warning};
use crate::domain::Record;

/// Whether the record becomes a resource for this client.
pub(super) fn is_mapped(record: &Record, client: &str) -> bool {
    record.data.is_object() && record.client_ids.iter().any(|id| id == client)
}

pub(super) fn views(_record: &Record, _d: &Derivation, _warnings: &mut Vec<Warning>) -> Vec<View> {
    Vec::new()
}
