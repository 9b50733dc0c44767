//! The audit over FHIR: `AuditEvent` by id and by search, newest first
//! (<https://hl7.org/fhir/R4/auditevent.html>).

mod asked;

use actix_web::HttpRequest;
use actix_web::web::{self, Payload};

use self::asked::Asked;
use super::answer::Answer;
use super::asking::Size;
use super::call::Call;
use super::content::Content;
use super::disclosure::{Disclosure, Seen};
use super::negotiate::Form;
use super::pages::Pages;
use super::path::{Everywhere, IdPath};
use super::terms::Terms;
use super::{Refusal, State, body};
use crate::audit::fhir::{self, Server};
use crate::audit::{self, Event, Question};
use crate::domain::FhirId;
use crate::error::Error;
use crate::fhir::bundle::{Kind, Mode, Resource, Writer};
use crate::fhir::search::Cursor;
use crate::policy::{AUDIT_EVENT, Action, AuditPermit};
use crate::store::Head;

/// Answers an event.
pub(super) async fn read(
    state: web::Data<State>,
    path: IdPath,
    call: Call,
) -> Result<Answer, Refusal> {
    call.view(&state, AUDIT_EVENT, &[])?;
    let permit = AuditPermit::decide(&call.principal, Action::Read)?;
    let IdPath { id } = path;
    let event = state.event(permit, id.clone()).await?.ok_or(Error::NotFound)?;
    let head = Head { version_id: fhir::VERSION.to_owned(), last_updated: Some(event.at) };
    let body = fhir::encode(&event, Server { base: &state.base })?;
    let seen =
        Seen { resource_type: AUDIT_EVENT.to_owned(), id, version: String::new(), patient: None };
    let is_known = call.conditions.know(&head);
    let body = (!is_known).then(|| Content::from(body));
    let disclosure = Disclosure::of(seen);
    Ok(Answer { head: Some(head), body, form: call.form, disclosure, terms: Terms::default() })
}

/// Answers a page of a search.
pub(super) async fn search(
    state: web::Data<State>,
    _: Everywhere,
    call: Call,
) -> Result<Answer, Refusal> {
    let permit = AuditPermit::decide(&call.principal, Action::Search)?;
    let asked = Asked::of(&call, &state.base)?;
    let pages = Pages {
        state: &state,
        call: &call,
        path: AUDIT_EVENT.to_owned(),
        parameters: &asked.understood,
        page: asked.page.as_deref(),
    };
    let (found, next) = if let Some(id) = &asked.id {
        let id = id.parse().ok();
        let event = match id {
            Some(id) => state.event(permit, id).await?,
            None => None,
        };
        (event.into_iter().filter(|event| asked.question.holds(event)).collect(), None)
    } else {
        let before = pages.after()?.map(|after| after.id.parse()).transpose();
        let before = before.map_err(Error::internal)?;
        let question = Question { before, ..asked.question.clone() };
        let audit = state.audit.clone();
        let asking = move || audit::search(&**audit.ledger(), &permit, &question);
        let found = web::block(asking).await.map_err(Error::internal)??;
        (found.events, found.next)
    };
    let next = next.map(|number| Cursor { keys: Vec::new(), id: number.to_string() });
    let body = encode(&pages, &found, next.as_ref())?;
    // How many, not which: reading the audit must not make it grow by what is read.
    let notes = vec![("events", found.len().to_string())];
    let mut disclosure = Disclosure { notes, ..Disclosure::default() }.asked_by(&asked.understood);
    disclosure.patients.extend(asked.question.patient.filter(FhirId::may_be_ours));
    Ok(Answer::new(body, call.form).showing(disclosure))
}

/// Answers a search whose parameters are in a form.
pub(super) async fn search_by_form(
    state: web::Data<State>,
    mut call: Call,
    request: HttpRequest,
    payload: Payload,
) -> Result<Answer, Refusal> {
    let form = body::form(&request, payload).await?;
    call.parameters.extend(form);
    call.form = Form::of(request.headers(), &call.parameters)?;
    search(state, Everywhere, call).await
}

impl State {
    async fn event(&self, permit: AuditPermit, id: FhirId) -> Result<Option<Event>, Error> {
        let audit = self.audit.clone();
        self.ask(Size::Many, move |_| audit::read(&**audit.ledger(), &permit, id.as_str())).await
    }
}

fn encode(pages: &Pages<'_>, found: &[Event], next: Option<&Cursor>) -> Result<Vec<u8>, Error> {
    let links = pages.links(next)?;
    let links: Vec<_> = links.iter().map(|(name, url)| (*name, url.as_str())).collect();
    let base = &pages.state.base;
    let mut bundle = Writer::new(Kind::Searchset, None, &links, found.len() * 2_048);
    for event in found {
        let body = fhir::encode(event, Server { base })?;
        let (resource_type, id) = (AUDIT_EVENT, event.id.as_str());
        bundle.found(Resource { base, resource_type, id, body: &body }, Mode::Match);
    }
    Ok(bundle.finish())
}
