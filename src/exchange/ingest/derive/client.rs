//! Derives the views of a `client` record.

use super::{Derivation, View, Warning};
use crate::domain::{Kind, Record};

/// Whether anyone has been assigned to the client.
pub(super) fn has_care_team(d: &Derivation, client: &str) -> bool {
    !d.neighbours.referring(Kind::Assignment, Kind::Client, client).is_empty()
}

pub(super) fn views(_record: &Record, _d: &Derivation, _warnings: &mut Vec<Warning>) -> Vec<View> {
    Vec::new()
}
