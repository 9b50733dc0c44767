//! `POST /platform/records`: a platform's signed push of records (`docs/platform.md`).

use std::sync::Arc;

use actix_web::dev::{Extensions, Payload, ServiceRequest};
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, web};

use super::disclosure::Disclosure;
use super::{Refusal, State};
use crate::domain::SourceId;
use crate::error::Error;
use crate::exchange::push::{Claim, Crowd, MOST_RECORDS, Signed};
use crate::platform::{Coding, Fault, Message};

/// How long a platform should wait where it is not known when there will be room, in seconds.
const LATER_S: u32 = 30;
/// How long it should wait for others to be done, in seconds.
const SOON_S: u32 = 1;
/// The most characters of a delivery's id.
const LONGEST_ID: usize = 64;

/// Who pushes: there only after the gate has seen a good signature.
pub(super) struct Verified(pub(super) Signed);

impl FromRequest for Verified {
    type Error = Refusal;
    type Future = std::future::Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let signed = request.extensions().get::<Signed>().cloned();
        std::future::ready(signed.map(Self).ok_or(Refusal::Unsigned))
    }
}

/// The source whose signature the gate has seen.
pub(super) fn source(extensions: &Extensions) -> Option<SourceId> {
    extensions.get::<Signed>().map(|signed| signed.source().clone())
}

/// Checks the signature of a request for `pattern`, before anything else of it is looked at.
pub(super) fn authenticate(request: &ServiceRequest, pattern: &str) -> Result<Signed, Refusal> {
    let state = request.app_data::<web::Data<State>>().ok_or(Refusal::Unsigned)?;
    let headers = request.headers();
    let digest = field(headers, "throughline-content-sha256").and_then(digest);
    let delivery = field(headers, "throughline-delivery").filter(|id| is_id(id));
    let timestamp = field(headers, "throughline-timestamp").and_then(|text| text.parse().ok());
    let message = Message {
        method: request.method().as_str(),
        target: pattern,
        source: field(headers, "throughline-source").ok_or(Refusal::Unsigned)?,
        timestamp: timestamp.ok_or(Refusal::Unsigned)?,
        delivery: delivery.ok_or(Refusal::Unsigned)?,
        coding: coding(headers).ok_or(Refusal::Unsigned)?,
        digest: &digest.ok_or(Refusal::Unsigned)?,
    };
    let signature = field(headers, "throughline-signature").ok_or(Refusal::Unsigned)?;
    match state.pushes.verify(&Claim { message, signature }) {
        Ok(signed) => Ok(signed),
        Err(Error::Unauthenticated) => Err(Refusal::Unsigned),
        Err(other) => Err(other.into()),
    }
}

/// Takes a delivery in, and says what became of each of its records.
pub(super) async fn push(
    Verified(signed): Verified,
    payload: web::Payload,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    check_form(&request)?;
    let pushes = Arc::clone(&state.pushes);
    let _place = pushes.place(&signed).await.map_err(crowded)?;
    let body = pushes.spool(&signed).receive(payload).await.map_err(faulty)?;
    let answer = pushes.take_in(&signed, body).await.map_err(failed)?;
    let mut response =
        if answer.attention { HttpResponse::MultiStatus() } else { HttpResponse::Ok() };
    let mut shown = Disclosure::default();
    shown.notes.push(("delivery", signed.delivery().to_owned()));
    if answer.repeated {
        response.insert_header(("Throughline-Repeated", "true"));
        shown.notes.push(("repeated", "true".to_owned()));
    }
    shown.notes.extend(answer.counts.map(|(name, count)| (name, count.to_string())));
    response.extensions_mut().insert(shown);
    Ok(response.content_type("application/json").body(answer.body))
}

/// Refuses what a push cannot have: parameters, or records in another format.
fn check_form(request: &HttpRequest) -> Result<(), Refusal> {
    if !request.query_string().is_empty() {
        return Err(Error::invalid("query", "a push has no parameters: leave the query out").into());
    }
    match request.content_type() {
        "application/x-ndjson" | "application/ndjson" => Ok(()),
        _ => Err(Refusal::MediaType { expected: &["application/x-ndjson"] }),
    }
}

fn crowded(crowd: Crowd) -> Refusal {
    match crowd {
        Crowd::Source => Refusal::Crowded { retry_after: SOON_S },
        Crowd::All => Refusal::Later { retry_after: SOON_S },
    }
}

fn faulty(fault: Fault) -> Refusal {
    match fault {
        Fault::TooLarge(limit) => {
            Error::TooLarge { limit: usize::try_from(limit).unwrap_or(usize::MAX) }.into()
        }
        Fault::TooManyLines(_) => Refusal::ManyRecords { limit: MOST_RECORDS },
        Fault::NotGzip => {
            let hint = "the body is not a whole gzip stream, as its Content-Encoding says";
            Error::invalid("Content-Encoding", hint).into()
        }
        Fault::Cut | Fault::Slow => Refusal::Slow,
        Fault::NoRoom(cause) => {
            tracing::error!(cause = %cause, "a push cannot be kept aside");
            Refusal::Later { retry_after: LATER_S }
        }
    }
}

/// A store that cannot write at the moment is no fault of the delivery: it can be sent again.
fn failed(error: Error) -> Refusal {
    match error {
        Error::Setup(cause) => {
            tracing::error!(cause, "a push cannot be stored");
            Refusal::Later { retry_after: LATER_S }
        }
        other => other.into(),
    }
}

/// The one field of this name.
fn field<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut fields = headers.get_all(name);
    fields.next().filter(|_| fields.next().is_none())?.to_str().ok()
}

fn coding(headers: &HeaderMap) -> Option<Coding> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        field(headers, "content-encoding").and_then(Coding::named)
    } else {
        Some(Coding::Identity)
    }
}

fn is_id(id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(allowed)
}

/// 64 lower-case hexadecimal digits.
fn digest(digits: &str) -> Option<[u8; 32]> {
    let bytes = hex::decode(digits).ok()?.try_into().ok()?;
    (!digits.bytes().any(|b| b.is_ascii_uppercase())).then_some(bytes)
}
