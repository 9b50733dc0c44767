//! Records of others: a registered provider sends a Bundle, and the platform fetches what was matched
//! to its clients (`docs/receiving.md`).

use std::fmt::Write as _;

use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::asking::Size;
use super::disclosure::Disclosure;
use super::gate::Caller;
use super::{Refusal, State, body, push};
use crate::error::Error;
use crate::fhir::outcome::{self, Issue, IssueType};
use crate::store::{Received, Store};

/// The longest Bundle, in bytes.
const MAX_BUNDLE: usize = 16 * 1024 * 1024;
/// How many Bundles the platform is told of at once.
const PAGE: u32 = 100;

/// Takes in a Bundle. Whether it is known whose it is is not said.
pub(super) async fn receive(
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let principal = Caller::of(&request)?.0;
    if !principal.may_bring() {
        return Err(Error::Denied.into());
    }
    let bytes = body::resource(&request, payload, MAX_BUNDLE).await?.to_vec();
    let name = state.receiving.take(&principal.tenant, &principal.client, bytes).await?;
    let text = format!("received as {name}");
    let issue = Issue { code: IssueType::Informational, text, expression: None, refused: false };
    let mut response = HttpResponse::Accepted();
    let notes = vec![("received", name)];
    response.extensions_mut().insert(Disclosure { notes, ..Disclosure::default() });
    Ok(response.content_type("application/fhir+json").body(outcome::encode(vec![issue])?))
}

/// Tells the platform what was matched after a number: a JSON object a line, without the Bundles.
pub(super) async fn list(
    push::Verified(signed): push::Verified,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let after = request.match_info().get("after").unwrap_or_default();
    let after: u32 = after.parse().map_err(|_unread| {
        Error::invalid("after", "give the number of the last line that you have, or 0")
    })?;
    let tenant = signed.source().tenant.clone();
    let found = state.ask(Size::Many, move |store| {
        let mut lines = String::new();
        for received in store.matched_after(&tenant, after, PAGE)? {
            writeln!(lines, "{}", line(store, &received)?).map_err(Error::internal)?;
        }
        Ok(lines)
    });
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").body(found.await?))
}

/// Gives the platform a Bundle as it came.
pub(super) async fn fetch(
    push::Verified(signed): push::Verified,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let name = request.match_info().get("name").unwrap_or_default().to_owned();
    let tenant = signed.source().tenant.clone();
    let found = state.ask(Size::Many, move |store| store.received_as(&tenant, &name)).await?;
    let (received, bytes) = found.ok_or(Error::NotFound)?;
    let patient = received.patient.ok_or(Error::NotFound)?;
    let mut response = HttpResponse::Ok();
    let notes = vec![("received", received.name)];
    let disclosure = Disclosure { notes, patients: vec![patient], ..Disclosure::default() };
    response.extensions_mut().insert(disclosure);
    Ok(response.content_type("application/fhir+json").body(bytes))
}

fn line(store: &dyn Store, received: &Received) -> Result<serde_json::Value, Error> {
    let patient = received.patient.as_ref().ok_or_else(|| Error::broken("matched to nobody"))?;
    let client = store.client_of(&received.tenant, patient)?;
    Ok(json!({
        "number": received.number,
        "name": received.name,
        "client_id": client,
        "sender": received.client,
        "type": received.form,
        "received": received.received.to_string(),
        "bytes": received.bytes,
        "sha256": hex::encode(received.digest),
        "matched_by": received.by,
    }))
}
