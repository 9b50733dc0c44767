//! SMART Health Links as whoever has one opens it: the list of its files, and the files
//! (<https://hl7.org/fhir/uv/smart-health-cards-and-links/STU1/links-specification.html>).
//!
//! Nobody shows a token here; the secret in the address, and the passcode, say enough. What is said
//! of a link that is not there is said of every other that cannot be opened.

use actix_web::body::SizedStream;
use actix_web::http::header;
use actix_web::web::{self, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;

use super::disclosure::{Disclosure, Seen};
use super::{Refusal, State, body, parameters};
use crate::error::Error;
use crate::exchange::links::{Asking, Closed, Found, Named, OpenedFile, PATH};

/// The media type of a file.
const JOSE: &str = "application/jose";
/// The longest question that is read, in bytes.
const MAX_QUESTION: usize = 16 * 1024;

/// What a manifest is asked for with.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    #[serde(default)]
    recipient: String,
    #[serde(default)]
    passcode: Option<String>,
    #[serde(default)]
    embedded_length_max: Option<u64>,
}

/// Opens a link: answers the list of its files.
pub(super) async fn manifest(
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let body = body::resource(&request, payload, MAX_QUESTION).await?;
    let question: Question = serde_json::from_slice(&body).map_err(|_json| {
        let hint = "the body is no question for a manifest: send JSON with recipient, and \
                    passcode where the link has one";
        Error::invalid("body", hint)
    })?;
    let found = state.link(&request).await?;
    let asking = Asking {
        recipient: known(&question.recipient)?,
        passcode: question.passcode,
        embedded_max: question.embedded_length_max,
    };
    let opened = match state.links.open(&found, asking).await {
        Ok(opened) => opened,
        Err(closed) => return refuse(closed),
    };
    let files: Vec<_> = opened
        .files
        .into_iter()
        .map(|(media, file)| match file {
            OpenedFile::Embedded(text) => json!({ "contentType": media, "embedded": text }),
            OpenedFile::Ticket(ticket) => {
                let location = format!("{}{PATH}/files/{ticket}", state.origin());
                json!({ "contentType": media, "location": location })
            }
        })
        .collect();
    let mut response = HttpResponse::Ok();
    response.extensions_mut().insert(shown(opened.names));
    Ok(response.json(json!({ "status": "finalized", "files": files })))
}

/// Opens a link with `U`: answers its one file.
pub(super) async fn direct(
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let query = parameters::parse(request.query_string())?;
    let recipient = query.iter().find(|(name, _)| name == "recipient");
    let recipient = known(recipient.map_or("", |(_, value)| value))?;
    let found = state.link(&request).await?;
    let asking = Asking { recipient, ..Asking::default() };
    match state.links.open_directly(&found, asking).await {
        Ok((bytes, length, names)) => {
            let mut response = HttpResponse::Ok();
            response.content_type(JOSE);
            response.extensions_mut().insert(shown(names));
            Ok(response.body(SizedStream::new(length, bytes)))
        }
        Err(closed) => refuse(closed),
    }
}

/// Answers a file of a link that was opened.
pub(super) async fn file(
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let ticket = request.match_info().get("ticket").unwrap_or_default();
    let fetched = state.links.fetched(ticket).await?;
    let (found, number) = fetched.ok_or(Error::NotFound)?;
    request.extensions_mut().insert(found.principal.clone());
    match state.links.fetch(&found, number).await {
        Ok((bytes, length)) => {
            let mut response = HttpResponse::Ok();
            // What is fetched was written down when the link was opened.
            response.insert_header((header::CONTENT_TYPE, JOSE));
            Ok(response.body(SizedStream::new(length, bytes)))
        }
        Err(closed) => refuse(closed),
    }
}

impl State {
    /// The link that a request names. From here on, what happens to it is in the audit.
    async fn link(&self, request: &HttpRequest) -> Result<Found, Refusal> {
        let secret = request.match_info().get("secret").unwrap_or_default();
        let found = self.links.find(secret).await?.ok_or(Error::NotFound)?;
        request.extensions_mut().insert(found.principal.clone());
        Ok(found)
    }
}

/// What somebody calls themselves, who has to.
fn known(recipient: &str) -> Result<String, Refusal> {
    let recipient = recipient.trim();
    if recipient.is_empty() {
        let hint = "say who opens the link: a name that its owner knows";
        return Err(Error::invalid("recipient", hint).into());
    }
    Ok(recipient.to_owned())
}

fn shown(names: Vec<Named>) -> Disclosure {
    let seen = |Named { resource_type, id, version, patient }| Seen {
        resource_type,
        id,
        version,
        patient,
    };
    Disclosure { seen: names.into_iter().map(seen).collect(), ..Disclosure::default() }
}

fn refuse(closed: Closed) -> Result<HttpResponse, Refusal> {
    match closed {
        Closed::Gone => Err(Error::NotFound.into()),
        Closed::Passcode { left } => {
            Ok(HttpResponse::Unauthorized().json(json!({ "remainingAttempts": left })))
        }
        Closed::Failed(error) => Err(error.into()),
    }
}
