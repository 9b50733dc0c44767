//! What the authorization server says of itself (SMART App Launch 2.2, "conformance"; OpenID Connect
//! Discovery 1.0; RFC 8414).

use serde_json::{Value, json};

use super::{AUTHORIZE, INTROSPECT, JWKS, REVOKE, Site, TOKEN};
use crate::fhir::search::param;
use crate::policy::Plain;

/// What is offered, by the names of the specification.
const CAPABILITIES: &[&str] = &[
    "launch-standalone",
    "launch-ehr",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-style",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "context-standalone-encounter",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
];

impl Site {
    /// `/.well-known/smart-configuration` below the FHIR base.
    pub fn smart_configuration(&self) -> Value {
        self.with(json!({ "capabilities": CAPABILITIES }))
    }

    /// `/.well-known/openid-configuration` of the issuer; the same serves as that of RFC 8414.
    pub fn openid_configuration(&self) -> Value {
        self.with(json!({
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES384"],
            "claims_supported":
                ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "fhirUser", "profile"],
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        }))
    }

    /// What both say, and what one says beside it.
    fn with(&self, others: Value) -> Value {
        let mut document = self.common();
        if let (Value::Object(members), Value::Object(others)) = (&mut document, others) {
            members.extend(others);
        }
        document
    }

    fn common(&self) -> Value {
        json!({
            "issuer": self.issuer,
            "jwks_uri": self.url(JWKS),
            "authorization_endpoint": self.url(AUTHORIZE),
            "token_endpoint": self.url(TOKEN),
            "introspection_endpoint": self.url(INTROSPECT),
            "revocation_endpoint": self.url(REVOKE),
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "scopes_supported": scopes(),
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported":
                ["none", "client_secret_basic", "private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
            "authorization_response_iss_parameter_supported": true,
        })
    }
}

fn scopes() -> Vec<String> {
    let plain = Plain::ALL.map(|plain| plain.as_str().to_owned());
    let wild = ["patient/*.rs", "user/*.rs", "system/*.rs"].map(str::to_owned);
    let types = param::served().flat_map(|name| {
        let rights = if param::search_type(name).is_some() { "rs" } else { "r" };
        ["patient", "user"].map(|level| match (level, name) {
            ("patient", "Consent") => "patient/Consent.crus".to_owned(),
            ("patient", "Task") => "patient/Task.crs".to_owned(),
            _ => format!("{level}/{name}.{rights}"),
        })
    });
    plain.into_iter().chain(wild).chain(types).collect()
}
