//! `GET /fhir/metadata` (<https://hl7.org/fhir/R4/http.html#capabilities>), which anybody may read.

use actix_web::web;

use super::State;
use super::answer::Answer;
use super::negotiate::Form;

/// Answers the CapabilityStatement.
pub(super) async fn metadata(state: web::Data<State>, form: Form) -> Answer {
    Answer::new(state.metadata.clone(), form)
}
