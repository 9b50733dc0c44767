//! Read and vread (<https://hl7.org/fhir/R4/http.html#read>).

use actix_web::web::{self, Bytes};

use super::answer::Answer;
use super::asking::Size;
use super::call::Call;
use super::disclosure::Disclosure;
use super::path::{ResourcePath, VersionPath};
use super::terms::Terms;
use super::{Refusal, State};
use crate::error::Error;
use crate::fhir::subset::View;
use crate::policy::{Action, Permit};
use crate::store::{Head, Store, StoredResource};

/// Answers the current version of a resource.
pub(super) async fn read(
    state: web::Data<State>,
    path: ResourcePath,
    call: Call,
) -> Result<Answer, Refusal> {
    let view = call.view(&state, path.resource_type, &[])?;
    let permit = Permit::decide(&call.principal, Action::Read, path.resource_type)?;
    if permit.under().is_some() {
        // What is shown of it depends on who asks, so that it is kept nowhere.
        let id = path.id.clone();
        let question = move |store: &dyn Store| store.read(&permit, &id);
        let stored = state.ask(Size::Point, question).await?.ok_or(Error::NotFound)?;
        return state.stored(&call, &view, &path, stored).await;
    }
    let head = match state.head(&permit, &path.id).await {
        Err(Error::NotFound) => return Err(state.absent(&permit, &path.id).await),
        head => head?,
    };
    let body = state.body(&permit, &path.id, &head).await?;
    Ok(state.shown(&call, &view, &path, head, body))
}

/// Answers one version of a resource that is there now.
pub(super) async fn vread(
    state: web::Data<State>,
    path: VersionPath,
    call: Call,
) -> Result<Answer, Refusal> {
    let VersionPath { resource, version } = path;
    let view = call.view(&state, resource.resource_type, &[])?;
    let permit = Permit::decide(&call.principal, Action::Read, resource.resource_type)?;
    let (id, of) = (resource.id.clone(), permit.clone());
    let question = move |store: &dyn Store| store.version(&of, &id, version.as_str());
    let Some(stored) = state.ask(Size::Point, question).await? else {
        return Err(state.absent(&permit, &resource.id).await);
    };
    state.stored(&call, &view, &resource, stored).await
}

impl State {
    /// An answer that shows a resource as the store gave it, with what goes along.
    async fn stored(
        &self,
        call: &Call,
        view: &View,
        path: &ResourcePath,
        stored: StoredResource,
    ) -> Result<Answer, Refusal> {
        let mut shown = vec![stored];
        let terms = self.terms(&call.principal, &mut [&mut shown]).await?;
        let stored = shown.pop().ok_or(Error::NotFound)?;
        let (head, body) = (Head::from(&stored), Bytes::from_owner(stored.body));
        let consents = self.disclosure(&terms.consents);
        let mut answer = self.shown(call, view, path, head, body);
        answer.disclosure.join(consents);
        Ok(answer.under(terms))
    }

    /// An answer that shows a resource as it is asked for, or says that the caller has it already.
    /// Whose it is has to be known in either case, as it is in its bytes.
    fn shown(
        &self,
        call: &Call,
        view: &View,
        path: &ResourcePath,
        head: Head,
        body: Bytes,
    ) -> Answer {
        let ResourcePath { resource_type, id } = path;
        let disclosure = Disclosure::of(self.seen(resource_type, id, &head.version_id, &body))
            .asked_by(&call.parameters);
        let body = match view {
            _ if call.conditions.know(&head) => None,
            View::Whole => Some(body.into()),
            part => Some(part.of(&self.elements, resource_type, &body).into_owned().into()),
        };
        let (head, form, terms) = (Some(head), call.form, Terms::default());
        Answer { head, body, form, disclosure, terms }
    }
}
