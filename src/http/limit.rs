//! Rate limits at the gate: who is counted, for what, and what the answer says about it
//! (draft-ietf-httpapi-ratelimit-headers-09).

use std::sync::Arc;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpMessage, web};

use super::{Refusal, State, routes};
use crate::limits::{Class, Verdict, Who};
use crate::policy::Principal;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Counts a request, also one that is refused for another reason; whoever has asked for too much
/// is told only that.
pub(super) async fn count<T>(
    request: &ServiceRequest,
    admitted: Result<T, Refusal>,
) -> (Result<T, Refusal>, Option<Verdict>) {
    let Some(state) = request.app_data::<web::Data<State>>() else { return (admitted, None) };
    let Some(limits) = state.limits.clone() else { return (admitted, None) };
    let principal = request.extensions().get::<Arc<Principal>>().cloned();
    let address = state.door.caller(request.request());
    let who = match (&principal, address) {
        (Some(principal), _) => {
            Who::Client { tenant: &principal.tenant, subject: &principal.subject }
        }
        (None, Some(address)) => Who::Address(address),
        (None, None) => return (admitted, None),
    };
    let verdict = limits.count(&who, class(request)).await;
    match verdict.and_then(|verdict| verdict.retry_s) {
        Some(seconds) => (Err(Refusal::TooMany { seconds }), verdict),
        None => (admitted, verdict),
    }
}

/// Says what is left of the quota.
pub(super) fn tell(verdict: Verdict, headers: &mut HeaderMap) {
    let Verdict { policy, units, window_s, remaining, reset_s, .. } = verdict;
    let fields = [
        (RATE_LIMIT_POLICY, format!(r#""{policy}";q={units};w={window_s}"#)),
        (RATE_LIMIT, format!(r#""{policy}";r={remaining};t={reset_s}"#)),
    ];
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

/// What a request asks for, by the interaction of its route.
fn class(request: &ServiceRequest) -> Class {
    let pattern = request.match_pattern();
    let interaction = pattern.and_then(|pattern| routes::interaction(request.method(), &pattern));
    match interaction {
        None
        | Some("capabilities" | "read" | "vread" | "history-instance" | "jwks" | "discovery") => {
            Class::Read
        }
        Some(
            "search-type" | "search-system" | "search-compartment" | "authorize" | "token"
            | "introspect" | "revoke",
        ) => Class::Search,
        Some(_) => Class::Bulk,
    }
}
