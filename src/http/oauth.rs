//! The endpoints that apps call by themselves: token, introspection and revocation, with errors in
//! the words of OAuth (RFC 6749, 5.2).

use std::net::IpAddr;

use actix_web::http::header;
use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::parameters::{self, Pairs};
use super::{Refusal, State, body, gate};
use crate::smart::{Asker, Code, Credentials, Fault, Refused, TokenRequest};

/// Answers a token request.
pub(super) async fn token(
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let form = Form::read(&state, &request, payload).await;
    let answered = match form.and_then(|form| form.token()) {
        Ok(asked) => state.authority.token(asked).await,
        Err(fault) => Err(turned_away(&state, &request, fault).await),
    };
    answer(answered.map(|token| unstored(HttpResponse::Ok()).json(token)), &request)
}

/// Says what a token is good for.
pub(super) async fn introspect(
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let form = Form::read(&state, &request, payload).await;
    let answered = match form.and_then(|form| Ok((form.asker()?, form.shown()?))) {
        Ok((asker, token)) => state.authority.introspect(asker, token).await,
        Err(fault) => Err(turned_away(&state, &request, fault).await),
    };
    answer(answered.map(|told| unstored(HttpResponse::Ok()).json(told)), &request)
}

/// Takes a token back.
pub(super) async fn revoke(
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let form = Form::read(&state, &request, payload).await;
    let answered = match form.and_then(|form| Ok((form.credentials()?, form.shown()?))) {
        Ok((who, token)) => state.authority.revoke(who, token).await,
        Err(fault) => Err(turned_away(&state, &request, fault).await),
    };
    answer(answered.map(|()| unstored(HttpResponse::Ok()).finish()), &request)
}

/// Refuses a request that does not say what it asks for.
async fn turned_away(state: &State, request: &HttpRequest, fault: Fault) -> Refused {
    state.authority.turn_away(state.door.caller(request), fault).await
}

/// An answer that nobody keeps (RFC 6749, 5.1).
fn unstored(mut answer: HttpResponseBuilder) -> HttpResponseBuilder {
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.insert_header((header::PRAGMA, "no-cache"));
    answer
}

fn answer(
    answered: Result<HttpResponse, Refused>,
    request: &HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let fault = match answered {
        Ok(answer) => return Ok(answer),
        Err(Refused::Fault(fault)) => fault,
        Err(Refused::Error(error)) => return Err(error.into()),
    };
    let is_client = fault.code == Code::InvalidClient;
    let mut answer = match fault.code {
        Code::InvalidClient => HttpResponse::Unauthorized(),
        Code::SlowDown => HttpResponse::TooManyRequests(),
        _ => HttpResponse::BadRequest(),
    };
    if fault.code == Code::SlowDown {
        answer.insert_header((header::RETRY_AFTER, "60"));
    }
    if is_client && request.headers().contains_key(header::AUTHORIZATION) {
        answer.insert_header((header::WWW_AUTHENTICATE, r#"Basic realm="throughline""#));
    }
    let told = json!({ "error": fault.code.as_str(), "error_description": fault.hint });
    Ok(unstored(answer).json(told))
}

/// The parameters of a form: each at most once, and an empty one is none (RFC 6749, 3.2).
struct Form<'a> {
    pairs: Pairs,
    request: &'a HttpRequest,
    address: Option<IpAddr>,
}

impl<'a> Form<'a> {
    async fn read(
        state: &State,
        request: &'a HttpRequest,
        payload: Payload,
    ) -> Result<Self, Fault> {
        let hint = "send the parameters as application/x-www-form-urlencoded, up to 64 kB of it";
        let pairs = body::form(request, payload).await;
        let pairs = pairs.map_err(|_unread| Fault::new(Code::InvalidRequest, hint))?;
        Ok(Self { pairs, request, address: state.door.caller(request) })
    }

    fn get(&self, name: &str) -> Result<Option<String>, Fault> {
        let mut values = self.pairs.iter().filter(|(known, _)| known == name);
        let first = values.next().map(|(_, value)| value.clone());
        if values.next().is_some() {
            return Err(Fault::new(Code::InvalidRequest, "a parameter is there twice"));
        }
        Ok(first.filter(|value| !value.is_empty()))
    }

    fn credentials(&self) -> Result<Credentials, Fault> {
        let basic = match self.request.headers().get(header::AUTHORIZATION) {
            None => None,
            Some(_) => Some(basic(self.request).ok_or(Fault::client())?),
        };
        Ok(Credentials {
            client_id: self.get("client_id")?,
            basic,
            secret_in_form: self.get("client_secret")?.is_some(),
            assertion_type: self.get("client_assertion_type")?,
            assertion: self.get("client_assertion")?,
            address: self.address,
        })
    }

    fn token(&self) -> Result<TokenRequest, Fault> {
        Ok(TokenRequest {
            credentials: self.credentials()?,
            grant_type: self.get("grant_type")?,
            code: self.get("code")?,
            redirect_uri: self.get("redirect_uri")?,
            verifier: self.get("code_verifier")?,
            refresh_token: self.get("refresh_token")?,
            scope: self.get("scope")?,
        })
    }

    fn asker(&self) -> Result<Asker, Fault> {
        match gate::bearer(self.request.headers()) {
            Some(token) => Ok(Asker::Bearer(token.to_owned())),
            None => Ok(Asker::Client(Box::new(self.credentials()?))),
        }
    }

    /// The token that it is about.
    fn shown(&self) -> Result<String, Fault> {
        self.get("token")?.ok_or(Fault::new(Code::InvalidRequest, "send the token"))
    }
}

/// The id and the secret of the one `Authorization` header: each is encoded as in a form before they
/// are joined (RFC 6749, 2.3.1).
fn basic(request: &HttpRequest) -> Option<(String, String)> {
    let mut fields = request.headers().get_all(header::AUTHORIZATION);
    let only = fields.next().filter(|_| fields.next().is_none())?;
    let (scheme, text) = only.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |part: &str| parameters::decode(part, true).ok();
    Some((decode(id)?, decode(secret)?))
}
