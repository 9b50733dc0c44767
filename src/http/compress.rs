//! gzip, for whoever asks for it (RFC 9110, 12.5.3).

use std::io::Write;

use actix_web::body::{BodySize, BoxBody, MessageBody, to_bytes};
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, Bytes};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::Refusal;
use super::weights::Weights;
use crate::error::Error;

/// The shortest body that is compressed, in bytes: a shorter one fits a packet as it is.
const SHORTEST: u64 = 1_400;
/// The longest body that is compressed where others wait for it.
const LONGEST_HERE: usize = 64 * 1024;
/// How hard it is tried.
const LEVEL: Compression = Compression::new(1);

/// The response with its body compressed, where that is asked for and worth it.
pub(super) async fn compress(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    if !is_worth_it(&response) {
        return response;
    }
    let (request, response) = response.into_parts();
    let (mut response, body) = response.into_parts();
    let body = match body.try_into_bytes() {
        Ok(body) => body,
        // It has a size, and so is at hand.
        Err(parts) => match to_bytes(parts).await {
            Ok(body) => body,
            Err(cause) => {
                return ServiceResponse::from_err(Refusal::from(Error::broken(cause)), request);
            }
        },
    };
    let Some(short) = gzipped(body.clone()).await else {
        return ServiceResponse::new(request, response.set_body(BoxBody::new(body)));
    };
    response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    ServiceResponse::new(request, response.set_body(BoxBody::new(short)))
}

fn is_worth_it(response: &ServiceResponse<BoxBody>) -> bool {
    let size = response.response().body().size();
    let is_long = matches!(size, BodySize::Sized(length) if length >= SHORTEST);
    is_long && response.status() == StatusCode::OK && is_text(response) && is_wanted(response)
}

/// Whether the caller takes gzip, and does not like the body as it is better.
fn is_wanted(response: &ServiceResponse<BoxBody>) -> bool {
    let wanted = Weights::of(response.request().headers(), &header::ACCEPT_ENCODING);
    let gzip = wanted.exact("gzip").or_else(|| wanted.exact("*")).unwrap_or(0.0);
    gzip > 0.0 && gzip >= wanted.exact("identity").unwrap_or(0.0)
}

/// Whether it is text, not compressed yet: what a Binary holds may be an image.
fn is_text(response: &ServiceResponse<BoxBody>) -> bool {
    let headers = response.headers();
    let media = headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok());
    !headers.contains_key(header::CONTENT_ENCODING)
        && media.is_some_and(|media| media.contains("json") || media.starts_with("text/"))
}

async fn gzipped(body: Bytes) -> Option<Bytes> {
    if body.len() > LONGEST_HERE {
        web::block(move || gzip(&body)).await.ok()?
    } else {
        gzip(&body)
    }
}

fn gzip(body: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 3), LEVEL);
    encoder.write_all(body).ok()?;
    encoder.finish().ok().map(Bytes::from)
}
