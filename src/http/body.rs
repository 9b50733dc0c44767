//! Bodies of requests: of the media types that a route reads, and up to a limit.

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{self, Bytes, Payload};
use tokio::time::timeout;

use super::parameters::{self, Pairs};
use super::{Refusal, State};
use crate::error::Error;

/// The media type of a form.
const FORM: &[&str] = &["application/x-www-form-urlencoded"];
/// The media types of FHIR's JSON.
const JSON: &[&str] = &["application/fhir+json", "application/json"];
/// The longest form that is read, in bytes.
const MAX_FORM: usize = 64 * 1024;

/// The parameters of a form.
pub(super) async fn form(request: &HttpRequest, payload: Payload) -> Result<Pairs, Refusal> {
    let body = read(request, payload, FORM, MAX_FORM).await?;
    let text = std::str::from_utf8(&body)
        .map_err(|_bytes| Error::invalid("body", "the body is not UTF-8: send it as UTF-8"))?;
    parameters::parse(text)
}

/// A resource as JSON, of up to `limit` bytes.
pub(super) async fn resource(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<Bytes, Refusal> {
    read(request, payload, JSON, limit).await
}

async fn read(
    request: &HttpRequest,
    payload: Payload,
    expected: &'static [&'static str],
    limit: usize,
) -> Result<Bytes, Refusal> {
    let headers = request.headers();
    let media = headers.get(header::CONTENT_TYPE).and_then(|field| field.to_str().ok());
    let media = media.and_then(|media| media.split(';').next()).unwrap_or_default().trim();
    if !expected.iter().any(|known| known.eq_ignore_ascii_case(media)) {
        return Err(Refusal::MediaType { expected });
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        let hint = "the body is encoded: send it as it is";
        return Err(Error::not_supported("Content-Encoding", hint).into());
    }
    let patience = request.app_data::<web::Data<State>>().map(|state| state.door.body_timeout());
    let body = timeout(patience.unwrap_or_default(), payload.to_bytes_limited(limit)).await;
    let body = body.map_err(|_elapsed| Refusal::Slow)?;
    let body = body.map_err(|_over| Error::TooLarge { limit })?;
    Ok(body.map_err(|_cut| Error::invalid("body", "the body ended early: send it again"))?)
}
