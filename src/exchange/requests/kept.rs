//! A request as its record keeps it: the data of `mappings/models/record-request.json`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::Record;

/// The data of the record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    /// What is asked for.
    #[serde(rename = "type")]
    pub(super) matter: String,
    pub(super) regime: String,
    pub(super) client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) requester: Option<Requester>,
    pub(super) received_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<Proof>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<Scope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) statement: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) history: Vec<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) review: Option<Review>,
    /// The job that makes the copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ordered: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fulfilment: Option<Fulfilment>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) letters: Vec<Letter>,
    /// The `session_note` record that is to be corrected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entry: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) correction: Option<Correction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<Refused>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) disagreement: Option<Disagreement>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) told: Vec<Told>,
    pub(super) status: String,
}

/// A correction that was granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// What the entry is to be read with.
    pub text: String,
    /// The `staff` record of who signs it; nobody where the practice corrects it in its own system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    pub at: String,
}

/// That a correction or an erasure was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// On which ground.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ground: Option<String>,
    /// The `staff` record of who refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    pub at: String,
}

/// What goes along with an entry that was not corrected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disagreement {
    /// When the person asked for it.
    pub at: String,
    /// Their statement; nothing where the request and its denial go along alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// What the practice answers to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rebuttal: Option<String>,
}

/// Somebody who is told of a correction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Who.
    pub name: String,
    /// When they last received the entry, as far as it is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<String>,
    /// When they were told; nothing of whom nobody has told yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_at: Option<String>,
}

/// What was decided on entries, in order; of several on one entry the last counts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Review {
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) decisions: Vec<Decided>,
}

/// What was decided on one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Decided {
    pub(super) item_kind: String,
    pub(super) item_id: String,
    /// The version that was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<u64>,
    pub(super) outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ground: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reviewable: Option<bool>,
    /// How many reviews of a denial had been asked for by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) round: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) spans: Vec<Stretch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<String>,
}

/// A stretch of an entry's text as it is given, in Unicode scalars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stretch {
    /// The first.
    pub start: usize,
    /// After the last.
    pub end: usize,
}

/// What was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fulfilment {
    /// The name of the copy.
    pub package_id: String,
    /// The hash of its bytes.
    pub sha256: String,
    /// When it was there to be taken.
    pub delivered_at: String,
    /// How: `portal`, …
    pub method: String,
    /// Until when it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// When it was first taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<String>,
}

/// What was written about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// What about: `denial`, `extension`, …
    pub kind: String,
    /// Whom it is for, where that is not the person who asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The language, as BCP 47 names it.
    pub language: String,
    /// When.
    pub at: String,
    /// The words.
    pub text: String,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requester {
    /// `client`, `proxy`, `representative`, `attorney` or `insurer`.
    pub kind: String,
    /// The platform's id of their record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// How it is known who asks.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Proof {
    #[serde(default)]
    pub(super) method: String,
    #[serde(default)]
    pub(super) verified_at: String,
    #[serde(default)]
    pub(super) result: String,
}

/// What of the record is asked for, and in which form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Not before this day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Not after this day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Kinds of records; `*` is all.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub kinds: Vec<String>,
    /// `fhir_json`, `pdf`, `ccda`, `html` or `paper`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// `portal`, `smart_health_link`, `encrypted_zip`, `direct` or `mail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
}

/// One step that was taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Moment {
    pub(super) event: String,
    pub(super) at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<String>,
}

impl Kept {
    /// What a record keeps; nothing if it is no request.
    pub(super) fn read(record: &Record) -> Option<Self> {
        Self::deserialize(&record.data).ok()
    }

    /// The same as the record's data.
    pub(super) fn value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
