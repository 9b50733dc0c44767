//! To whom records are carried: the servers of providers who go on treating somebody.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::problems::Problems;

/// In which form a receiver takes a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Takes {
    /// Each resource, in one transaction.
    Transaction,
    /// A FHIR document, at `/Bundle`.
    Document,
    /// A FHIR document in a message, at `$process-message`.
    Message,
    /// A `DocumentReference` with a PDF in it.
    Reference,
    /// A link, which people of the practice send: it has no FHIR server.
    Link,
}

/// What is done where the server cannot match people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unmatched {
    /// It waits until somebody says who it is there.
    Wait,
    /// The person is created, unless the server has them by our identifier.
    Create,
}

/// One receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverSettings {
    /// Its name here: 1 to 64 of `a-z 0-9 _ -`
    pub name: String,
    /// The tenant whose records it may receive
    pub tenant: String,
    /// What it is called
    pub title: String,
    /// By which client's consents it is decided what it may have
    pub client: String,
    /// Its FHIR base: https, or http on this machine where that is allowed; none for `link`
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub base_url: String,
    /// How it takes records: `transaction`, `document`, `message`, `reference` or `link`
    pub takes: Takes,
    /// What is done where it cannot match people: `wait` or `create`
    #[serde(default = "wait")]
    pub unmatched: Unmatched,
    /// Its token endpoint (SMART Backend Services); without one no token is sent
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url: Option<String>,
    /// The gateway's client id there
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// PEM file with the gateway's private key there: P-384 for ES384, PKCS #8
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// The name (`kid`) by which the receiver knows the public half
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The scopes that are asked for, separated by spaces
    #[serde(default = "scope")]
    pub scope: String,
    /// How long a whole answer may take, in seconds
    #[serde(default = "timeout_s")]
    pub timeout_s: u64,
    /// Networks (`10.0.0.0/8`) that it may be in although they are private
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub private_networks: Vec<String>,
}

fn wait() -> Unmatched {
    Unmatched::Wait
}

fn scope() -> String {
    "system/*.cruds".to_owned()
}

fn timeout_s() -> u64 {
    60
}

impl ReceiverSettings {
    /// Says what is wrong with all of them.
    pub(super) fn check(all: &[Self], problems: &mut Problems) {
        for (place, one) in all.iter().enumerate() {
            let is_letter =
                |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"_-".contains(&c);
            let is_name = (1..=64).contains(&one.name.len()) && one.name.bytes().all(is_letter);
            if !is_name {
                problems.add("receivers.name", "give 1 to 64 of a-z 0-9 _ -");
            }
            let is_twice = all
                .iter()
                .take(place)
                .any(|other| other.name == one.name && other.tenant == one.tenant);
            if is_twice {
                problems.add("receivers.name", format!("`{}` is there twice", one.name));
            }
            let parts = [one.client_id.is_some(), one.key_file.is_some(), one.key_id.is_some()];
            if parts.iter().any(|part| *part != one.token_url.is_some()) {
                let hint =
                    "give token_url, client_id, key_file and key_id together, or none of them";
                problems.add("receivers.token_url", hint);
            }
            if one.base_url.is_empty() != (one.takes == Takes::Link) {
                let hint = "give the FHIR base; only a receiver that takes a `link` has none";
                problems.add("receivers.base_url", hint);
            }
            if one.timeout_s == 0 {
                problems.add("receivers.timeout_s", "give a number of seconds, 1 or more");
            }
        }
    }
}
