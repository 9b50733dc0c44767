//! Read and vread (<https://hl7.org/fhir/R4/http.html#read>).

use actix_web::web::{self, Bytes};

use super::answer::Answer;
use super::asking::Size;
use super::call::Call;
use super::disclosure::Disclosure;
use super::path::{ResourcePath, VersionPath};
use super::{Refusal, State};
use crate::error::Error;
use crate::fhir::subset::View;
use crate::policy::{Action, Permit};
use crate::store::Head;

/// Answers the current version of a resource.
pub(super) async fn read(
    state: web::Data<State>,
    path: ResourcePath,
    call: Call,
) -> Result<Answer, Refusal> {
    let view = call.view(&state, path.resource_type, &[])?;
    let permit = Permit::decide(&call.principal, Action::Read, path.resource_type)?;
    let (head, body) = state.current(&permit, &path.id).await?;
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
    let id = resource.id.clone();
    let question =
        move |store: &dyn crate::store::Store| store.version(&permit, &id, version.as_str());
    let stored = state.ask(Size::Point, question).await?.ok_or(Error::NotFound)?;
    let head = Head { version_id: stored.version_id, last_updated: stored.last_updated };
    let body = Bytes::from_owner(stored.body);
    Ok(state.shown(&call, &view, &resource, head, body))
}

impl State {
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
        Answer { head: Some(head), body, form: call.form, disclosure }
    }
}
