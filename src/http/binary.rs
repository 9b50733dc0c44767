//! Reading a Binary: as JSON, or as the content that it holds where `Accept` names its type
//! (<https://hl7.org/fhir/R4/binary.html#rest>).

use actix_web::http::header;
use actix_web::web;
use actix_web::{HttpRequest, HttpResponse, Responder};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::answer::Answer;
use super::call::Call;
use super::negotiate;
use super::path::IdPath;
use super::{Refusal, State, content, read};
use crate::fhir::raw::Members;

/// The content of a Binary.
struct Content {
    /// Its media type.
    media: String,
    data: Vec<u8>,
}

/// Answers a Binary in the form that is preferred.
pub(super) async fn binary(
    state: web::Data<State>,
    path: IdPath,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let (call, form) = Call::of(&request)?;
    let parameters = call.parameters.clone();
    let answer = read::read(state, path.binary(), call).await?;
    let Some(body) = answer.body.as_ref().map(content::Content::whole) else {
        return Ok(answer.respond_to(&request));
    };
    let content = Content::of(&body).filter(|content| {
        negotiate::prefers_content(request.headers(), &parameters, &content.media)
    });
    match content {
        Some(content) => Ok(content.respond(&answer, &request)),
        None => form.map(|_| answer.respond_to(&request)),
    }
}

impl Content {
    /// The content of a Binary whose JSON this is, if it holds any.
    fn of(body: &[u8]) -> Option<Self> {
        let text = |name| {
            let value = Members::of(body).find(name)?;
            serde_json::from_slice::<String>(value).ok()
        };
        let data = STANDARD.decode(text(b"data")?).ok()?;
        Some(Self { media: text(b"contentType")?, data })
    }

    /// The content as a download that nothing in it can make more of.
    fn respond(self, answer: &Answer, request: &HttpRequest) -> HttpResponse {
        answer
            .builder(request)
            .insert_header((header::CONTENT_TYPE, self.media))
            .insert_header((header::CONTENT_DISPOSITION, "attachment"))
            .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
            .body(self.data)
    }
}
