//! Writes down what a request did, before its answer leaves.
//!
//! Every request behind a token or a signature has one event, whether it was answered or refused.
//! Not written down: what is public, and what was sent away for its rate, which was told nothing.

use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::{HttpMessage, HttpRequest, ResponseError, web};

use super::disclosure::Disclosure;
use super::{Refusal, State, push, routes};
use crate::audit::{Action, Actor, Asked, Event};
use crate::domain::{FhirId, TenantId};
use crate::fhir::search::param;
use crate::policy::{AUDIT_EVENT, Principal, Under};

/// Writes the event of a response; where that fails, the response is another one.
pub(super) async fn testify(
    mut response: ServiceResponse<BoxBody>,
    request_id: &str,
) -> ServiceResponse<BoxBody> {
    let disclosure = response.response_mut().extensions_mut().remove::<Disclosure>();
    let request = response.request().clone();
    let Some(state) = request.app_data::<web::Data<State>>() else { return response };
    let status = response.status();
    if !state.audit.is_on() || status == StatusCode::TOO_MANY_REQUESTS {
        return response;
    }
    let Some(mut event) = event(state, &request, status) else { return response };
    request_id.clone_into(&mut event.request);
    event.issue = issue(&response);
    disclose(&mut event, disclosure.unwrap_or_default());
    if event.action == Action::Stranger {
        state.audit.note_stranger(event);
        return response;
    }
    match state.audit.record(event).await {
        Ok(()) => response,
        Err(unwritten) => {
            let refused = Refusal::from(unwritten).error_response().map_into_boxed_body();
            ServiceResponse::new(request, refused)
        }
    }
}

/// The event of a request, without what was shown; nothing for what is public.
fn event(state: &State, request: &HttpRequest, status: StatusCode) -> Option<Event> {
    let address = state.door.caller(request).map(|address| address.to_string());
    let extensions = request.extensions();
    let (tenant, who): (Option<TenantId>, Actor) =
        if let Some(principal) = extensions.get::<Arc<Principal>>() {
            (Some(principal.tenant.clone()), actor(principal))
        } else if let Some(source) = push::source(&extensions) {
            let subject = format!("source:{}", source.name);
            (Some(source.tenant.clone()), Actor { subject, ..Actor::default() })
        } else if status == StatusCode::UNAUTHORIZED {
            (None, Actor::default())
        } else {
            return None;
        };
    drop(extensions);
    let who = Actor { address, ..who };
    let pattern = request.match_pattern().unwrap_or_default();
    let interaction = routes::interaction(request.method(), &pattern);
    let action = if tenant.is_none() {
        Action::Stranger
    } else if pattern.starts_with("/fhir/AuditEvent") {
        Action::AuditRead
    } else {
        Action::of_interaction(interaction)
    };
    let mut event = Event::new(action, state.clock.now(), tenant.as_ref(), who);
    event.status = status.as_u16();
    if action != Action::Stranger {
        name(&mut event, request, &pattern);
    }
    Some(event)
}

/// Who calls.
fn actor(principal: &Principal) -> Actor {
    let (subject, client) = (&principal.subject, &principal.client);
    Actor {
        subject: subject.clone(),
        client: Some(client.clone()).filter(|client| client != subject),
        user: principal.fhir_user.as_ref().map(ToString::to_string),
        purpose: principal
            .under
            .as_ref()
            .and_then(Under::purpose)
            .map(|one| one.as_str().to_owned()),
        ..Actor::default()
    }
}

/// What the path names. Of an id only what may be one of ours: anything can be typed there.
fn name(event: &mut Event, request: &HttpRequest, pattern: &str) {
    let segments = request.match_info();
    let fixed = pattern.split('/').nth(2).filter(|name| !name.starts_with('{'));
    let named = segments.get("type").or(fixed).filter(|name| *name != "metadata");
    let served = |name: &&str| *name == AUDIT_EVENT || param::is_served(name);
    let Some(resource_type) = named.filter(served) else { return };
    let id = segments.get("id").and_then(|id| id.parse().ok()).filter(FhirId::may_be_ours);
    let is_within = pattern.starts_with("/fhir/Patient/{id}/");
    if let Some(patient) = id.as_ref().filter(|_| is_within || resource_type == "Patient") {
        event.about(patient);
    }
    let is_of_type = is_within && segments.get("type").is_some();
    let id = id.filter(|_| !is_of_type).map(|id| id.as_str().to_owned());
    event.asked = Some(Asked { resource_type: resource_type.to_owned(), id });
}

fn disclose(event: &mut Event, disclosure: Disclosure) {
    for patient in &disclosure.patients {
        event.about(patient);
    }
    event.show_all(disclosure.seen.iter().map(|seen| {
        (seen.resource_type.as_str(), &seen.id, seen.version.as_str(), seen.patient.as_ref())
    }));
    if disclosure.purpose.is_some() {
        event.who.purpose = disclosure.purpose;
    }
    event.mark_part2(&disclosure.part2);
    event.parameters = disclosure.parameters;
    for (name, value) in disclosure.notes {
        event.note(name, value);
    }
}

/// The code of what a refused request is told.
fn issue(response: &ServiceResponse<impl MessageBody>) -> Option<String> {
    let refusal = response.response().error()?.as_error::<Refusal>()?;
    let (_, code) = refusal.classify();
    Some(code.as_ref().to_owned())
}
