//! Calls from web pages of other origins (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! A browser asks before it calls, without the token; the answer depends on the settings alone.

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

use super::{FHIR, State};
use crate::config::Cors;
use crate::exchange::links::{PATH, VIEWER};
use crate::smart;

/// What pages may send, besides what they always may.
const METHODS: &str = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
const HEADERS: &str = "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, \
     Prefer";
/// What pages may see, besides what they always may.
const EXPOSED: &str = "Allow, Content-Location, ETag, Location, RateLimit, RateLimit-Policy, \
                       Retry-After, WWW-Authenticate, X-Part2-Consent, X-Part2-Notice, \
                       X-Part2-Statement, X-Progress, X-Request-Id";
/// How long a browser may remember the answer, in seconds.
const REMEMBERED: &str = "600";

/// The answer to a browser that asks whether a page may call.
pub(super) fn preflight(request: &ServiceRequest) -> Option<HttpResponse> {
    let asks = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    allowed(request.request()).filter(|_| asks)?;
    let mut answer = HttpResponse::NoContent();
    answer
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, REMEMBERED));
    Some(answer.finish())
}

/// Lets the page that called see a response.
pub(super) fn expose<B>(response: &mut ServiceResponse<B>) {
    let Some(cors) = settings(response.request()) else { return };
    let varies = !cors.allows_all();
    let origin = allowed(response.request());
    let headers = response.headers_mut();
    if varies {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static(EXPOSED);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

/// What the server is, which it tells everybody.
const METADATA: &str = "/fhir/metadata";
/// Where any page may call: documents for anybody, and what shows its own proof of who asks.
const OPEN: &[&str] = &[smart::TOKEN, smart::REVOKE, smart::INTROSPECT, smart::JWKS, METADATA];

/// The settings, where pages may call at all: the FHIR API, and what apps in a browser need of the
/// authorization server (SMART App Launch 2.2, "browser-based apps").
fn settings(request: &HttpRequest) -> Option<&Cors> {
    let state = request.app_data::<web::Data<State>>()?;
    let is_link = request.path().starts_with(&format!("{PATH}/")) && request.path() != VIEWER;
    if is_link || OPEN.contains(&request.path()) || request.path().contains("/.well-known/") {
        return Some(&state.open);
    }
    let is_ours = request
        .path()
        .strip_prefix(FHIR)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    Some(&state.cors).filter(|cors| is_ours && !cors.origins.is_empty())
}

/// What to say in return to the page's origin, if it may call.
fn allowed(request: &HttpRequest) -> Option<HeaderValue> {
    let cors = settings(request)?;
    let origin = request.headers().get(header::ORIGIN)?;
    let is_allowed = origin.to_str().is_ok_and(|origin| cors.allows(origin));
    let all = || HeaderValue::from_static("*");
    is_allowed.then(|| if cors.allows_all() { all() } else { origin.clone() })
}
