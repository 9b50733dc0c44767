//! A transfer as its record keeps it: the data of `mappings/models/transfer.json`.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::written;
use crate::domain::Record;

/// The data of the record. What the platform put there besides goes along unchanged.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) client_id: String,
    /// `internal` or `external`.
    #[serde(rename = "type")]
    pub(super) matter: String,
    pub(super) to: To,
    pub(super) reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) urgency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) requested_by: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) sections: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) note_ids: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) attempts: Vec<Attempt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) package: Option<Package>,
    /// The last acknowledgement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ack: Option<Acknowledged>,
    /// The receiver, by its name in the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) receiver: Option<String>,
    /// The person as the receiver's server knows them, where somebody said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) patient_there: Option<String>,
    /// The link that the receiver was given, by its name, which opens nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<String>,
    /// When it was prepared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) made_at: Option<String>,
    /// When it was last signed off or sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ready_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) history: Vec<Moment>,
    pub(super) status: String,
    #[serde(flatten)]
    pub(super) more: Map<String, Value>,
}

/// To whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct To {
    pub(super) org_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fhir_client_id: Option<String>,
    #[serde(flatten)]
    pub(super) more: Map<String, Value>,
}

/// One attempt to deliver it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When.
    #[serde(default)]
    pub at: String,
    /// By which way.
    #[serde(default)]
    pub channel: String,
    /// What the receiver answered, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// Why it did not succeed: a stable name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// SHA-256 of the body, hexadecimal.
    #[serde(default)]
    pub sha256: String,
    /// Its length.
    #[serde(default)]
    pub bytes: u64,
    /// When it was made.
    #[serde(default)]
    pub created_at: String,
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Package {
    /// These bytes, made at that time.
    pub(super) fn of(bytes: &[u8], at: Timestamp) -> Self {
        let sha256 = hex::encode(digest(&SHA256, bytes));
        let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self { sha256, bytes, created_at: written(at), more: Map::new() }
    }
}

/// An acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// `transport`, `application` or `clinical`.
    #[serde(default)]
    pub kind: String,
    /// When.
    #[serde(default)]
    pub at: String,
    /// By whom it was written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Moment {
    pub(super) event: String,
    pub(super) at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
}

impl Kept {
    /// What a record keeps; nothing if it is no transfer.
    pub(super) fn read(record: &Record) -> Option<Self> {
        Self::deserialize(&record.data).ok()
    }

    /// The same as the record's data.
    pub(super) fn value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
