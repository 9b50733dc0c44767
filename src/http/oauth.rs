//! The endpoints that apps call by themselves: token, introspection and revocation, with errors in
//! the words of OAuth (RFC 6749, 5.2).

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
    let form = body::form(&request, payload).await?;
    let asked = Form(&form).token(&request);
    let answered = match asked {
        Ok(asked) => state.authority.token(asked).await,
        Err(fault) => Err(fault.into()),
    };
    match answered {
        Ok(answer) => Ok(unstored(HttpResponse::Ok()).json(answer)),
        Err(refused) => refuse(refused, &request),
    }
}

/// Says what a token is good for.
pub(super) async fn introspect(
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let form = body::form(&request, payload).await?;
    let asked = Form(&form).asker(&request).and_then(|asker| Ok((asker, Form(&form).shown()?)));
    let answered = match asked {
        Ok((asker, token)) => state.authority.introspect(asker, token).await,
        Err(fault) => Err(fault.into()),
    };
    match answered {
        Ok(answer) => Ok(unstored(HttpResponse::Ok()).json(answer)),
        Err(refused) => refuse(refused, &request),
    }
}

/// Takes a token back.
pub(super) async fn revoke(
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let form = body::form(&request, payload).await?;
    let parsed = Form(&form);
    let asked = parsed.credentials(&request).and_then(|who| Ok((who, parsed.shown()?)));
    let answered = match asked {
        Ok((who, token)) => state.authority.revoke(who, token).await,
        Err(fault) => Err(fault.into()),
    };
    match answered {
        Ok(()) => Ok(unstored(HttpResponse::Ok()).finish()),
        Err(refused) => refuse(refused, &request),
    }
}

/// An answer that nobody keeps (RFC 6749, 5.1).
fn unstored(mut answer: HttpResponseBuilder) -> HttpResponseBuilder {
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.insert_header((header::PRAGMA, "no-cache"));
    answer
}

fn refuse(refused: Refused, request: &HttpRequest) -> Result<HttpResponse, Refusal> {
    let fault = match refused {
        Refused::Fault(fault) => fault,
        Refused::Error(error) => return Err(error.into()),
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
struct Form<'a>(&'a Pairs);

impl Form<'_> {
    fn get(&self, name: &str) -> Result<Option<String>, Fault> {
        let mut values = self.0.iter().filter(|(known, _)| known == name);
        let first = values.next().map(|(_, value)| value.clone());
        if values.next().is_some() {
            return Err(Fault::new(Code::InvalidRequest, "a parameter is there twice"));
        }
        Ok(first.filter(|value| !value.is_empty()))
    }

    fn credentials(&self, request: &HttpRequest) -> Result<Credentials, Fault> {
        let basic = match request.headers().get(header::AUTHORIZATION) {
            None => None,
            Some(_) => Some(basic(request).ok_or(Fault::client())?),
        };
        Ok(Credentials {
            client_id: self.get("client_id")?,
            basic,
            secret_in_form: self.get("client_secret")?.is_some(),
            assertion_type: self.get("client_assertion_type")?,
            assertion: self.get("client_assertion")?,
            address: request.peer_addr().map(|address| address.ip()),
        })
    }

    fn token(&self, request: &HttpRequest) -> Result<TokenRequest, Fault> {
        Ok(TokenRequest {
            credentials: self.credentials(request)?,
            grant_type: self.get("grant_type")?,
            code: self.get("code")?,
            redirect_uri: self.get("redirect_uri")?,
            verifier: self.get("code_verifier")?,
            refresh_token: self.get("refresh_token")?,
            scope: self.get("scope")?,
        })
    }

    fn asker(&self, request: &HttpRequest) -> Result<Asker, Fault> {
        match gate::bearer(request.headers()) {
            Some(token) => Ok(Asker::Bearer(token.to_owned())),
            None => Ok(Asker::Client(Box::new(self.credentials(request)?))),
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
