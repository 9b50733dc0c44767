//! What a provider says about a person.

use jiff::Timestamp;
use openidconnect::AdditionalClaims;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A person, as a provider has verified them.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// The provider's name of the person.
    pub subject: String,
    /// All other claims.
    pub claims: Map<String, Value>,
    /// When they proved who they are, if the provider said so. One that does not, and lets somebody
    /// pass whom it knows, proves nothing about now.
    pub proven: Option<Timestamp>,
    /// The ID token, by which the provider is told that they sign out.
    pub id_token: String,
}

impl Identity {
    /// The values of a claim that is text or a list of texts.
    pub fn values(&self, claim: &str) -> Vec<&str> {
        if claim == "sub" {
            return vec![&self.subject];
        }
        match self.claims.get(claim) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

/// Every claim that OpenID Connect has no field for.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct Others(pub(super) Map<String, Value>);

impl AdditionalClaims for Others {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_a_text_or_a_list_of_texts() {
        let claims = serde_json::json!({ "a": "x", "b": ["x", 1, "y"], "c": 1 });
        let identity = Identity {
            issuer: "https://id.example".into(),
            subject: "s".into(),
            claims: claims.as_object().unwrap().clone(),
            proven: None,
            id_token: String::new(),
        };
        let cases: [(&str, &[&str]); 5] =
            [("sub", &["s"]), ("a", &["x"]), ("b", &["x", "y"]), ("c", &[]), ("d", &[])];
        for (claim, expected) in cases {
            assert_eq!(identity.values(claim), expected, "{claim}");
        }
    }
}
