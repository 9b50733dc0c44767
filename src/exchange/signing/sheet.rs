//! What is signed: the sheet as it was sent, and the paper that is kept as evidence of it.

use aws_lc_rs::digest::{SHA256, digest as hash};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{AHEAD, Desk, FRESH, text};
use crate::domain::{Kind, Op, Record};
use crate::error::{Error, Result};
use crate::policy::{Hand, Signer};
use crate::store::Placed;

/// The media type of the evidence.
const MEDIA: &str = "application/fhir+json";
/// How many identifiers an app may give.
const MOST_IDENTIFIERS: usize = 4;

/// A Consent as it was sent, as far as it concerns who signs.
pub(super) struct Sheet<'a> {
    pub(super) consent: &'a Value,
    pub(super) status: String,
    /// When it was signed.
    pub(super) signed: Timestamp,
    /// What the app calls it.
    pub(super) identifiers: Vec<Value>,
}

impl<'a> Sheet<'a> {
    /// Whether a Consent is of the patient in context.
    ///
    /// # Errors
    ///
    /// `Denied` where it is another's.
    pub(super) fn is_of(consent: &Value, hand: &Hand) -> Result<()> {
        if text(consent, "resourceType") != Some("Consent") {
            return Err(Error::invalid("resourceType", "send a Consent"));
        }
        let own = format!("Patient/{}", hand.patient);
        let whose = consent.get("patient").and_then(|patient| text(patient, "reference"));
        if whose == Some(own.as_str()) { Ok(()) } else { Err(Error::Denied) }
    }

    /// Reads what was sent.
    ///
    /// # Errors
    ///
    /// `Denied` where it is another's; `Invalid` and `NotSupported` with the element.
    pub(super) fn read(consent: &'a Value, hand: &Hand, now: Timestamp) -> Result<Self> {
        Self::is_of(consent, hand)?;
        let person = hand.person.to_string();
        let performers = consent.get("performer").and_then(Value::as_array);
        if !performers.into_iter().flatten().all(|one| text(one, "reference") == Some(&person)) {
            return Err(Error::Denied);
        }
        if let Some(name) = meant_otherwise(consent) {
            let hint = "an element that changes what the others mean is not understood here";
            return Err(Error::not_supported(name, hint));
        }
        let stated = text(consent, "dateTime").and_then(|at| at.parse::<Timestamp>().ok());
        let hint =
            "say when it was signed, to the second and with an offset, not more than a day ago";
        let signed = stated.ok_or_else(|| Error::invalid("Consent.dateTime", hint))?;
        let age = now.duration_since(signed);
        if age > FRESH || age < -AHEAD {
            return Err(Error::invalid("Consent.dateTime", hint));
        }
        let identifier = |one: &Value| {
            Some(json!({ "system": text(one, "system")?, "value": text(one, "value")? }))
        };
        let named = consent.get("identifier").and_then(Value::as_array);
        // Those that were given here say nothing about the app.
        let ours = |one: &&Value| text(one, "system").is_some_and(|s| s.starts_with(super::BASE));
        let named = named.into_iter().flatten().filter(|one| !ours(one));
        Ok(Self {
            consent,
            status: text(consent, "status").unwrap_or_default().to_owned(),
            // What was signed by a clock that is ahead was signed now.
            signed: signed.min(now),
            identifiers: named.filter_map(identifier).take(MOST_IDENTIFIERS).collect(),
        })
    }
}

/// The first element that would change the meaning of others.
fn meant_otherwise(value: &Value) -> Option<&'static str> {
    match value {
        Value::Object(members) => members.iter().find_map(|(name, value)| match name.as_str() {
            "modifierExtension" => Some("modifierExtension"),
            "implicitRules" => Some("implicitRules"),
            _ => meant_otherwise(value),
        }),
        Value::Array(items) => items.iter().find_map(meant_otherwise),
        _ => None,
    }
}

/// The first half of a SHA-256, in hexadecimal digits.
pub(super) fn digest(text: &str) -> String {
    let digest = hex::encode(hash(&SHA256, text.as_bytes()));
    digest.get(..32).unwrap_or_default().to_owned()
}

/// The evidence of what was signed: its very words, in an `attachment` record.
pub(super) struct Paper {
    /// The record's id.
    pub(super) id: String,
    bytes: Vec<u8>,
    sha256: String,
}

impl Paper {
    /// The paper of what a consent says.
    pub(super) fn of(consent: &Value, root: &str) -> Self {
        let bytes = consent.to_string().into_bytes();
        let sha256 = hex::encode(hash(&SHA256, &bytes));
        Self { id: format!("{root}-form"), bytes, sha256 }
    }

    /// The data of its record.
    pub(super) fn data(&self, consent: &str, now: Timestamp) -> Value {
        json!({
            "owner": { "kind": "consent", "id": consent }, "filename": "consent.json",
            "media_type": MEDIA, "size_bytes": self.bytes.len(), "sha256": self.sha256,
            "storage_ref": format!("data:{MEDIA};base64,{}", STANDARD.encode(&self.bytes)),
            "av_scan": "clean", "created_at": format!("{now:.3}"), "contains_third_party": false,
        })
    }

    /// How a consent names it.
    pub(super) fn evidence(&self) -> Value {
        json!({ "attachment_id": self.id, "sha256": self.sha256 })
    }
}

impl Desk<'_> {
    /// What of the patient's record a reference leads to.
    pub(super) fn origin(&self, reference: &str) -> Option<&Placed> {
        let (name, id) = reference.split_once('/')?;
        self.placed.iter().find(|one| one.resource_type == name && one.id.as_str() == id)
    }

    /// Whether whoever is here signed a consent.
    pub(super) fn signed(&self, record: &Record) -> bool {
        let signer = record.data.get("signer").unwrap_or(&Value::Null);
        match &self.party {
            None => text(signer, "kind") == Some(Signer::Client.as_str()),
            Some(party) => text(signer, "id") == Some(party.as_str()),
        }
    }

    /// Whether a consent is theirs to take back: a yes the patient always may, and whoever acts for
    /// them if they signed it; a no, where it was said here, whoever may say yes instead.
    ///
    /// # Errors
    ///
    /// `Conflict`, with what to do.
    pub(super) fn may_end(&self, record: &Record) -> Result<()> {
        let is_yes = text(&record.data, "decision") == Some("permit");
        let is_own = record.id.starts_with(super::OWN);
        let may = match (&self.party, is_yes) {
            (None, true) => true,
            (None, false) => is_own && self.signer.is_some(),
            (Some(_), true) => self.signed(record),
            (Some(_), false) => is_own && self.signed(record),
        };
        if may {
            return Ok(());
        }
        Err(super::conflict("this is not yours to take back here: ask the practice"))
    }

    /// Who signs, as a record says it.
    pub(super) fn signer_value(&self) -> Value {
        let kind = self.signer.unwrap_or(Signer::Client).as_str();
        let id = self.party.as_deref().unwrap_or(&self.client.id);
        json!({ "kind": kind, "id": id })
    }

    /// That it is taken back now.
    pub(super) fn revocation(&self) -> Value {
        let by = self.party.as_deref().unwrap_or(&self.client.id);
        let at = format!("{:.3}", self.now);
        json!({ "at": at, "by": by, "channel": self.hand.client(), "scope": "all" })
    }

    /// A version of a record.
    pub(super) fn record(&self, key: (Kind, &str, u64), data: Value) -> Record {
        let clients = vec![self.client.id.clone()];
        let made = Record::made(self.hand.tenant(), key, self.now, clients, data);
        Record { tz: self.tz.clone(), ..made }
    }

    /// The version of a record that ends it.
    pub(super) fn end(&self, key: (Kind, &str, u64)) -> Record {
        Record { op: Op::Void, ..self.record(key, Value::Null) }
    }
}
