//! What people ask about a record by their own app (<https://hl7.org/fhir/R4/task.html>): a copy, a
//! correction, who has seen it, a limit, an end. `docs/requests.md` has the form of the Task.

use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::answer::Answer;
use super::asking::Size;
use super::call::Call;
use super::path::{Everywhere, TypePath};
use super::written::{self, Written};
use super::{Refusal, State, search};
use crate::domain::FhirId;
use crate::error::Error;
use crate::exchange::requests::focus;
use crate::policy::{Act, Action, Hand, Permit};

const TASK: &str = "Task";
/// The type of what can be corrected.
const ENTRY: &str = "DocumentReference";

/// Searches Tasks.
pub(super) async fn search(
    state: web::Data<State>,
    _path: Everywhere,
    call: Call,
) -> Result<Answer, Refusal> {
    search::search(state, TypePath { resource_type: TASK }, call).await
}

/// Takes in what somebody asks.
pub(super) async fn create(
    state: web::Data<State>,
    call: Call,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    // Before anything that is sent is looked at.
    let hand = Hand::decide(&call.principal, Act::Ask)?;
    let sent = written::sent(&state, &request, payload, TASK).await?;
    let entry = state.entry(&call, &sent).await?;
    let (requests, of_hand) = (state.requests.clone(), hand.clone());
    let asked = state.ask(Size::Many, move |_| requests.ask(&of_hand, &sent, entry.as_ref()));
    let (asked, is_new) = asked.await.map_err(unfit)?;
    if is_new {
        // What cannot be made at once waits for the practice, as any other request.
        if let Err(error) = state.copies.order_if_free(hand.tenant(), &asked.id).await {
            tracing::warn!(cause = %error, "a copy could not be ordered");
        }
    }
    let done = if is_new {
        "the request is received, and its time runs from now"
    } else {
        "this request is here already, and stays as it is"
    };
    let written = Written {
        resource_type: TASK,
        id: state.requests.task(hand.tenant(), &asked.id),
        is_new,
        done,
        issues: Vec::new(),
        differs: false,
        notes: vec![("request", asked.id), ("state", asked.state.as_str().to_owned())],
    };
    state.told(&request, &call, &hand, written).await
}

/// What is well formed, and still no request.
fn unfit(error: Error) -> Refusal {
    match error {
        Error::Invalid { .. } | Error::NotSupported { .. } => Refusal::Unfit(error),
        other => other.into(),
    }
}

impl State {
    /// The entry that a Task is about, where this caller may read it.
    async fn entry(&self, call: &Call, sent: &Value) -> Result<Option<FhirId>, Refusal> {
        let Some(id) = focus(sent).map_err(unfit)? else { return Ok(None) };
        let Ok(permit) = Permit::decide(&call.principal, Action::Read, ENTRY) else {
            return Ok(None);
        };
        let wanted = id.clone();
        let found = self.ask(Size::Point, move |store| store.head(&permit, &wanted)).await?;
        Ok(found.map(|_| id))
    }
}
