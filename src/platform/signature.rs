//! The signature of a request between a platform and the gateway, in either direction: HMAC-SHA256
//! over eight lines that name everything which decides what the request means.

use std::time::Duration;

use super::{Coding, Secret};

/// The first line: the version of the scheme.
const SCHEME: &str = "throughline-v1";
/// What stands before the digits of a signature.
const PREFIX: &str = "v1=";

/// How far the clocks of the two sides may differ.
pub const SKEW: Duration = Duration::from_mins(5);

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The method in capitals.
    pub method: &'a str,
    /// The path, with the query if there is one.
    pub target: &'a str,
    /// The source's name.
    pub source: &'a str,
    /// When it was sent, in seconds since 1970.
    pub timestamp: i64,
    /// The sender's id of the request.
    pub delivery: &'a str,
    /// How the body is coded.
    pub coding: Coding,
    /// SHA-256 of the body as it is sent.
    pub digest: &'a [u8; 32],
}

impl Message<'_> {
    /// The lines that are signed, without a line end after the last.
    fn text(&self) -> String {
        [
            SCHEME,
            self.method,
            self.target,
            self.source,
            &self.timestamp.to_string(),
            self.delivery,
            self.coding.as_str(),
            &hex::encode(self.digest),
        ]
        .join("\n")
    }

    /// The value of `Throughline-Signature`.
    pub fn sign(&self, secret: &Secret) -> String {
        format!("{PREFIX}{}", hex::encode(secret.tag(self.text().as_bytes())))
    }

    /// Whether one of the secrets made the signature. Every secret is tried, whichever fits.
    pub fn verify<'a>(
        &self,
        secrets: impl IntoIterator<Item = &'a Secret>,
        signature: &str,
    ) -> bool {
        let text = self.text();
        let tag = signature.strip_prefix(PREFIX).and_then(|digits| hex::decode(digits).ok());
        let tag = tag.unwrap_or_default();
        secrets
            .into_iter()
            .fold(false, |found, secret| secret.verifies(text.as_bytes(), &tag) | found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(digest: &[u8; 32]) -> Message<'_> {
        Message {
            method: "POST",
            target: "/platform/records",
            source: "app",
            timestamp: 1_764_054_000,
            delivery: "d-1",
            coding: Coding::Identity,
            digest,
        }
    }

    #[test]
    fn a_signature_is_good_for_any_of_the_secrets_and_for_nothing_else() {
        let (old, new) = (Secret::unknown().unwrap(), Secret::unknown().unwrap());
        let digest = [7; 32];
        let signed = message(&digest).sign(&old);
        assert!(message(&digest).verify([&new, &old], &signed));
        assert!(!message(&digest).verify([&new], &signed));
        let others = [
            Message { method: "GET", ..message(&digest) },
            Message { target: "/platform/records?x", ..message(&digest) },
            Message { source: "web", ..message(&digest) },
            Message { timestamp: 1_764_054_001, ..message(&digest) },
            Message { delivery: "d-2", ..message(&digest) },
            Message { coding: Coding::Gzip, ..message(&digest) },
            message(&[8; 32]),
        ];
        for other in others {
            assert!(!other.verify([&old], &signed), "{other:?}");
        }
        let bare = signed.strip_prefix(PREFIX).unwrap();
        let short = signed.strip_suffix(|_| true).unwrap();
        for garbage in ["", "v1=", "v1=00", "v2=", bare, short] {
            assert!(!message(&digest).verify([&old], garbage), "{garbage}");
        }
    }
}
