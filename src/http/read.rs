//! Read and vread (<https://hl7.org/fhir/R4/http.html#read>).

use actix_web::web::{self, Bytes};

use super::answer::Answer;
use super::asking::Size;
use super::call::Call;
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
    let head = state.head(&permit, &path.id).await?;
    if call.conditions.know(&head) {
        return Ok(Answer { head: Some(head), body: None, form: call.form });
    }
    let body = state.body(&permit, &path.id, &head).await?;
    Ok(state.shown(&call, &view, path.resource_type, head, body))
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
    let question = move |store: &dyn crate::store::Store| {
        store.version(&permit, &resource.id, version.as_str())
    };
    let stored = state.ask(Size::Point, question).await?.ok_or(Error::NotFound)?;
    let head = Head { version_id: stored.version_id, last_updated: stored.last_updated };
    if call.conditions.know(&head) {
        return Ok(Answer { head: Some(head), body: None, form: call.form });
    }
    let body = Bytes::from_owner(stored.body);
    Ok(state.shown(&call, &view, resource.resource_type, head, body))
}

impl State {
    /// An answer that shows a resource as it is asked for.
    fn shown(
        &self,
        call: &Call,
        view: &View,
        resource_type: &str,
        head: Head,
        body: Bytes,
    ) -> Answer {
        let body = match view {
            View::Whole => body,
            part => part.of(&self.elements, resource_type, &body).into_owned().into(),
        };
        Answer { head: Some(head), body: Some(body.into()), form: call.form }
    }
}
