//! How records of others are matched.

use serde::{Deserialize, Serialize};

/// Records of others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReceivingSettings {
    /// Whether a family name that a client goes by no longer says that a Bundle is theirs
    pub match_former_names: bool,
}
