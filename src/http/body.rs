//! Bodies of requests: of the media types that a route reads, and up to a limit.

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{self, Bytes, Payload};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use tokio::time::timeout;

use super::parameters::{self, Pairs};
use super::{Refusal, State};
use crate::error::Error;
use crate::exchange::push::Signed;

/// The media type of a form.
const FORM: &[&str] = &["application/x-www-form-urlencoded"];
/// The media types of FHIR's JSON.
const JSON: &[&str] = &["application/fhir+json", "application/json"];
/// The media type of JSON that is no resource.
const PLAIN: &[&str] = &["application/json"];
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

/// A JSON object whose bytes are those that were signed, of up to `limit` bytes.
pub(super) async fn signed(
    signed: &Signed,
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<Bytes, Refusal> {
    let body = read(request, payload, PLAIN, limit).await?;
    let hash = digest(&SHA256, &body);
    let is_it = verify_slices_are_equal(hash.as_ref(), signed.digest()).is_ok();
    if is_it { Ok(body) } else { Err(Refusal::Unsigned) }
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
