//! What people write by an app of theirs (<https://hl7.org/fhir/R4/http.html#create>): read as it came,
//! and answered with what there is now.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::asking::Size;
use super::call::Call;
use super::disclosure::Disclosure;
use super::prefer::Return;
use super::{Refusal, State, body, prefer};
use crate::domain::FhirId;
use crate::error::{Error, Result as Answered};
use crate::exchange::ingest;
use crate::fhir::outcome::{self, Issue, IssueType};
use crate::policy::Hand;
use crate::store::Head;

/// The longest resource that is read, in bytes.
const LONGEST: usize = 64 * 1024;

/// What became of something that was written.
pub(super) struct Written {
    /// Its type.
    pub(super) resource_type: &'static str,
    /// Its id.
    pub(super) id: FhirId,
    /// Whether it was not there before.
    pub(super) is_new: bool,
    /// What was done, in a sentence.
    pub(super) done: &'static str,
    /// What else there is to know about it.
    pub(super) issues: Vec<Issue>,
    /// Whether it is kept otherwise than it was said, so that the caller is told in any case.
    pub(super) differs: bool,
    /// What the audit notes about it.
    pub(super) notes: Vec<(&'static str, String)>,
}

/// The resource that was sent: JSON without doubt, and of the form that FHIR gives it.
pub(super) async fn sent(
    state: &State,
    request: &HttpRequest,
    payload: Payload,
    resource_type: &str,
) -> Result<Value, Refusal> {
    let body: Bytes = body::resource(request, payload, LONGEST).await?;
    let sent = ingest::strict(&body)?;
    if sent.get("resourceType").and_then(Value::as_str) != Some(resource_type) {
        return Err(Error::invalid("resourceType", format!("send a {resource_type}")).into());
    }
    match state.elements.check(&sent).into_iter().next() {
        Some(issue) => Err(Error::invalid(issue.expression, issue.message).into()),
        None => Ok(sent),
    }
}

impl State {
    /// The answer to whoever wrote: what there is now, and what there is to know about it.
    pub(super) async fn told(
        &self,
        request: &HttpRequest,
        call: &Call,
        hand: &Hand,
        written: Written,
    ) -> Result<HttpResponse, Refusal> {
        let (permit, id) = (hand.permit(&written.id), written.id.clone());
        let stored = self.ask(Size::Point, move |store| store.read(&permit, &id)).await?;
        let mut answer =
            HttpResponse::build(if written.is_new { StatusCode::CREATED } else { StatusCode::OK });
        let mut notes = vec![("basis", "patient_access".to_owned())];
        notes.extend(written.notes.iter().cloned());
        let patients = vec![hand.patient.clone()];
        let mut shown = Disclosure { patients, notes, ..Disclosure::default() };
        let name = written.resource_type;
        let mut location = format!("{}/{name}/{}", self.base, written.id);
        if let Some(stored) = &stored {
            location = format!("{location}/_history/{}", stored.version_id);
            let head = Head::from(stored);
            answer.insert_header((header::ETAG, format!("W/\"{}\"", head.version_id)));
            if let Some(at) = head.last_updated {
                let at = std::time::SystemTime::from(at);
                answer.insert_header((header::LAST_MODIFIED, header::HttpDate::from(at)));
            }
            shown.seen.push(self.seen(name, &stored.id, &stored.version_id, &stored.body));
        }
        answer.insert_header((header::LOCATION, location));
        answer.extensions_mut().insert(shown);
        answer.content_type(call.form.media);
        let wanted = prefer::returned(request.headers()).filter(|_| !written.differs);
        Ok(match (wanted, stored) {
            (Some(Return::Minimal), _) => answer.body(Bytes::new()),
            (Some(Return::Representation), Some(stored)) => {
                answer.body(Bytes::from_owner(stored.body))
            }
            _ => answer.body(written.outcome()?),
        })
    }
}

impl Written {
    /// What is said about it.
    fn outcome(self) -> Answered<Vec<u8>> {
        let first = Issue {
            code: IssueType::Informational,
            text: self.done.to_owned(),
            expression: Some(format!("{}/{}", self.resource_type, self.id)),
            refused: false,
        };
        outcome::encode(std::iter::once(first).chain(self.issues).collect())
    }
}
