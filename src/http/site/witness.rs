//! Who signed in and who could not, and who signed out, written down in the audit.

use std::sync::Arc;

use actix_web::{HttpRequest, ResponseError};

use super::{Refused, ask};
use crate::audit::{Action, Actor, Event};
use crate::exchange::people::Person;
use crate::http::html::Visit;

/// Writes down that somebody signed in, before they are let in.
pub(super) async fn signed_in(
    visit: &Visit,
    request: &HttpRequest,
    person: &Person,
) -> Result<(), Refused> {
    let known = person.clone();
    let user = ask(visit, move |sign_in| sign_in.people().fhir_user(&known)).await?;
    let who = Actor { subject: person.subject.clone(), user, ..from(visit, request) };
    let event =
        Event::new(Action::SignedIn, visit.state().clock.now(), Some(&visit.tenant()?), who);
    let written = Arc::clone(&visit.state().audit).record(event).await;
    written.map_err(|error| visit.failed(&error))
}

/// Writes down that somebody could not sign in. Anybody can try, so of very many in a second only
/// their number is kept.
pub(super) fn sign_in_refused(visit: &Visit, request: &HttpRequest, refused: &Refused) {
    let (tenant, now) = (visit.tenant().ok(), visit.state().clock.now());
    let mut event = Event::new(Action::SignInRefused, now, tenant.as_ref(), from(visit, request));
    event.status = refused.status_code().as_u16();
    event.issue = Some(refused.code().to_owned());
    visit.state().audit.note_stranger(event);
}

fn from(visit: &Visit, request: &HttpRequest) -> Actor {
    let address = visit.state().door.caller(request).map(|address| address.to_string());
    Actor { address, ..Actor::default() }
}
