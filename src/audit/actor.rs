//! Who did something.

use serde::{Deserialize, Serialize};

/// Who did something, as far as it is known; ids and codes, no names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The subject of the token, or the source that signed.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub subject: String,
    /// The client that it acted by, where that is another.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client: Option<String>,
    /// The person, as `Patient/id` or `Practitioner/id`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user: Option<String>,
    /// What the person is: a role's code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<String>,
    /// What for: a code of `v3-ActReason`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub purpose: Option<String>,
    /// The address that the connection came from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
}

impl Actor {
    /// Somebody who sits at the machine itself.
    pub fn operator() -> Self {
        Self { subject: "operator".to_owned(), ..Self::default() }
    }
}
