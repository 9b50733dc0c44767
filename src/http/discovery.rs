//! What the authorization server says of itself, and its public keys, for anybody.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::{Refusal, State};

/// How long the documents may be kept, in seconds: less than a new key is published ahead.
const KEPT: &str = "public, max-age=300";

/// Answers the SMART configuration.
pub(super) async fn smart(state: web::Data<State>) -> Result<HttpResponse, Refusal> {
    Ok(json(&state.authority.site()?.smart_configuration()))
}

/// Answers the metadata of the issuer.
pub(super) async fn openid(state: web::Data<State>) -> Result<HttpResponse, Refusal> {
    Ok(json(&state.authority.site()?.openid_configuration()))
}

/// Answers the public keys.
pub(super) async fn jwks(state: web::Data<State>) -> Result<HttpResponse, Refusal> {
    Ok(json(&state.authority.key_set()))
}

fn json(document: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, KEPT)).json(document)
}
