//! `GET /fhir/metadata` (<https://hl7.org/fhir/R4/http.html#capabilities>): the one public route.

use actix_web::{HttpResponse, web};

use super::State;
use super::resource::FHIR_JSON;

/// Answers the CapabilityStatement.
pub(super) async fn metadata(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().content_type(FHIR_JSON).body(state.metadata.clone())
}
