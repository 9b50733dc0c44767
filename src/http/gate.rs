//! The gate: what every request passes before its handler, and every response after it.
//!
//! The token is checked here, before any extractor runs, so that nothing about a request is looked
//! at, or told about, for somebody unknown. The log gets the route's pattern and never the path,
//! whose ids and queries are about patients.

use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};

use super::routes::{self, Access};
use super::{Refusal, State, compress, cors, limit, meter, push, witness};
use crate::auth::Verified;
use crate::error::Error;
use crate::policy::Principal;
use crate::telemetry::Answered;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Who calls: there only after the gate has seen a good token.
pub(super) struct Caller(pub(super) Arc<Principal>);

impl Caller {
    /// Who sent the request.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Refusal> {
        let principal = request.extensions().get::<Arc<Principal>>().cloned();
        principal.map(Self).ok_or(Refusal::Known(Error::Unauthenticated))
    }
}

/// Lets a request pass, or refuses it.
pub async fn gate(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let began = Instant::now();
    let id = request_id();
    let state = request.app_data::<web::Data<State>>().cloned();
    let _open = state.as_ref().map(|state| state.meter.began());
    let traced = state.as_ref().and_then(|state| {
        let traces = state.traces.as_ref()?;
        Some(traces.begin(state.door.trace_parent(&request)))
    });
    let (_place, admitted) = match state.as_ref().map(|state| state.door.enter(&request)) {
        Some(Ok(place)) => (Some(place), admit(&mut request).await),
        Some(Err(refusal)) => (None, Err(refusal)),
        None => (None, Err(Error::Unauthenticated.into())),
    };
    let (admitted, verdict) = limit::count(&request, admitted).await;
    let response = match admitted {
        Ok(None) => {
            let answered = next.call(request);
            let answered = match &traced {
                Some(traced) => traced.around(answered).await,
                None => answered.await,
            };
            answered?.map_into_boxed_body()
        }
        Ok(Some(answer)) => request.into_response(answer),
        Err(refusal) => request.error_response(refusal),
    };
    let response = witness::testify(response, &id).await;
    let mut response = compress::compress(response).await;
    let headers = response.headers_mut();
    if let Some(verdict) = verdict {
        limit::tell(verdict, headers);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Encoding, Prefer"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    cors::expose(&mut response);
    if let Some(state) = state {
        let (request, took) = (response.request(), began.elapsed());
        let route = request.match_pattern();
        let (route, status) = (route.as_deref(), response.status());
        state.meter.answered(route, request.method(), status, took);
        if let Some(traced) = traced {
            let (method, status) = (meter::named(request.method()), status.as_u16());
            traced.end(&Answered { route, method, status, request_id: &id });
        }
    }
    log(&response, &id, began);
    Ok(response)
}

/// What can be told before the request is routed: a refusal, or the answer to a browser's question.
async fn admit(request: &mut ServiceRequest) -> Result<Option<HttpResponse>, Refusal> {
    if let Some(answer) = cors::preflight(request) {
        return Ok(Some(answer));
    }
    trim(request);
    match routes::access(request.path()) {
        Access::Public | Access::Page => {}
        Access::Bearer => {
            let (principal, verified) = authenticate(request).await?;
            request.extensions_mut().insert(principal);
            request.extensions_mut().insert(verified);
        }
        Access::Signed => {
            let signed = push::authenticate(request, request.path())?;
            request.extensions_mut().insert(signed);
        }
    }
    Ok(None)
}

/// Takes the slash off the end of the path, which names the same without it.
fn trim(request: &mut ServiceRequest) {
    let uri = request.uri();
    let Some(path) = uri.path().strip_suffix('/').filter(|path| !path.is_empty()) else { return };
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = format!("{path}{query}").parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
}

/// Who sent the request, and the token that says so.
async fn authenticate(request: &ServiceRequest) -> Result<(Arc<Principal>, Arc<Verified>), Error> {
    let state = request.app_data::<web::Data<State>>().ok_or(Error::Unauthenticated)?;
    let token = bearer(request.headers()).ok_or(Error::Unauthenticated)?;
    let verified = state.authority.admit(token).await?;
    let able = state.audit.able();
    Ok((verified.principal.asking_at(state.authority.clock().now(), able), verified))
}

/// The token of the one `Authorization` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
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
