//! The authorization endpoint (RFC 6749, 3.1), by GET and by form: what is in order waits for a
//! person, who goes on at the consent page.

use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header;
use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use super::html::Visit;
use super::site::Why;
use super::{Refusal, State, body, parameters};
use crate::error::Error;
use crate::smart::{Begun, Turned};

/// Where a person decides: `?request=ID` names what about.
pub const CONSENT: &str = "/auth/consent";

/// The beginning of the name of the cookie that binds a request to a browser.
const COOKIE: &str = "throughline-request-";
/// How much of a request's name is in that of its cookie, so that several can go on at once.
const PART: usize = 8;

/// Takes a request with the parameters in the URL.
pub(super) async fn authorize(
    state: web::Data<State>,
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let asked = parameters::parse(request.query_string())?;
    answer(state, (&visit, &request), asked).await
}

/// Takes the same with the parameters in a form (SMART App Launch 2.2, `authorize-post`).
pub(super) async fn authorize_by_form(
    state: web::Data<State>,
    visit: Visit,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let asked = body::form(&request, payload).await?;
    answer(state, (&visit, &request), asked).await
}

async fn answer(
    state: web::Data<State>,
    (visit, request): (&Visit, &HttpRequest),
    asked: parameters::Pairs,
) -> Result<HttpResponse, Refusal> {
    if let Some(seconds) = state.authority.wait(state.door.caller(request)).await {
        return Ok(visit.refused(Why::Busy(seconds)).error_response());
    }
    let authority = state.authority.clone();
    let begun = web::block(move || authority.authorize(&asked)).await.map_err(Error::internal)?;
    match begun {
        Ok(begun) => Ok(consent(&state, &begun)),
        Err(Turned::Back(url)) => Ok(redirect(&url).finish()),
        Err(Turned::Stays(fault)) => Ok(visit.refused(Why::Request(fault.hint)).error_response()),
        Err(Turned::Failed(error)) => Err(error.into()),
    }
}

/// Sends the person on to decide.
fn consent(state: &State, begun: &Begun) -> HttpResponse {
    let cookie = Cookie::build(cookie(&begun.id), begun.browser.clone())
        .path("/auth")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(state.base.starts_with("https://"))
        .finish();
    redirect(&format!("{CONSENT}?request={}", begun.id)).cookie(cookie).finish()
}

/// A redirect that is followed with GET, and that says nothing of where it came from.
fn redirect(url: &str) -> actix_web::HttpResponseBuilder {
    let mut answer = HttpResponse::SeeOther();
    answer
        .insert_header((header::LOCATION, url))
        .insert_header((header::REFERRER_POLICY, "no-referrer"));
    answer
}

/// What the browser shows for a request of that name, to be given to the authorization server.
pub fn browser(request: &HttpRequest, id: &str) -> Option<String> {
    request.cookie(&cookie(id)).map(|cookie| cookie.value().to_owned())
}

fn cookie(id: &str) -> String {
    format!("{COOKIE}{}", id.chars().take(PART).collect::<String>())
}
