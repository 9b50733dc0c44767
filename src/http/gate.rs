//! The gate: what every request passes before its handler, and every response after it.
//!
//! The token is checked here, before any extractor runs, so that nothing about a request is looked
//! at, or told about, for somebody unknown. The log gets the route's pattern and never the path,
//! whose ids and queries are about patients.

use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};

use super::routes::{self, Access};
use super::{Refusal, State, negotiate, push};
use crate::error::Error;
use crate::policy::Principal;

/// The longest URL that is read, in bytes.
const MAX_URL: usize = 8 * 1024;
/// The longest header section that is read, in bytes.
const MAX_HEADERS: usize = 16 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Who calls: there only after the gate has seen a good token.
pub(super) struct Caller(pub(super) Arc<Principal>);

impl FromRequest for Caller {
    type Error = Refusal;
    type Future = std::future::Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let principal = request.extensions().get::<Arc<Principal>>().cloned();
        std::future::ready(principal.map(Self).ok_or(Refusal::Known(Error::Unauthenticated)))
    }
}

/// Lets a request pass, or refuses it.
pub async fn gate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let began = Instant::now();
    let id = request_id();
    let mut response = match admit(&request) {
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
        Err(refusal) => request.error_response(refusal),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    log(&response, &id, began);
    Ok(response)
}

/// What can be told before the request is routed.
fn admit(request: &ServiceRequest) -> Result<(), Refusal> {
    let uri = request.uri();
    let length = uri.path_and_query().map_or(0, |path| path.as_str().len());
    if length > MAX_URL {
        return Err(Refusal::LongUrl { limit: MAX_URL });
    }
    let headers = request.headers();
    let length: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if length > MAX_HEADERS {
        return Err(Refusal::LongHeaders { limit: MAX_HEADERS });
    }
    match routes::access(uri.path()) {
        Access::Public => {}
        Access::Bearer => {
            let principal = authenticate(request)?;
            request.extensions_mut().insert(principal);
        }
        Access::Signed => {
            let signed = push::authenticate(request, uri.path())?;
            request.extensions_mut().insert(signed);
            return Ok(());
        }
    }
    negotiate::json(headers, uri.query())
}

fn authenticate(request: &ServiceRequest) -> Result<Arc<Principal>, Error> {
    let state = request.app_data::<web::Data<State>>().ok_or(Error::Unauthenticated)?;
    let token = bearer(request.headers()).ok_or(Error::Unauthenticated)?;
    state.tokens.verify(token)
}

/// The token of the one `Authorization` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut fields = headers.get_all(header::AUTHORIZATION);
    let only = fields.next().filter(|_| fields.next().is_none())?;
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Sixteen random hexadecimal digits; never the caller's, which could hold anything.
fn request_id() -> String {
    let mut bytes = [0; 8];
    // Without random numbers no token could be checked either, so the request gets no further.
    if SystemRandom::new().fill(&mut bytes).is_err() {
        return String::new();
    }
    hex::encode(bytes)
}

/// Logs a request once, at the boundary.
fn log(response: &ServiceResponse<BoxBody>, id: &str, began: Instant) {
    let request = response.request();
    let route = request.match_pattern().unwrap_or_default();
    let status = response.status().as_u16();
    let duration_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    let method = request.method().as_str();
    let cause = response.response().error().and_then(|error| error.as_error::<Refusal>());
    if let Some(Refusal::Known(Error::Internal(cause))) = cause {
        tracing::error!(request_id = id, route, cause = %cause, "request failed");
    }
    tracing::info!(request_id = id, method, route, status, duration_us, "request answered");
}
