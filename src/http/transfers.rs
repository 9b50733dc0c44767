//! Transfers of care for the platform: it prepares them, signs them off for its own people, and asks
//! what became of them (`docs/transfers.md`). Each request is signed as a push is.

use std::fmt::Write as _;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::asking::Size;
use super::disclosure::Disclosure;
use super::push::Verified;
use super::{Refusal, State, body};
use crate::domain::TenantId;
use crate::error::Error;
use crate::exchange::push::Signed;
use crate::exchange::transfers::{Handed, Handing, Step, Transfer, Transfers, Wanted};
use crate::policy::transfer::Event;

/// The longest body, in bytes.
const LONGEST: usize = 64 * 1024;

/// What the platform wants to be transferred.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Creation {
    client: String,
    receiver: String,
    reason: String,
    by: String,
    #[serde(default = "routine")]
    urgency: String,
    #[serde(default)]
    sections: Vec<String>,
    #[serde(default)]
    notes: Vec<String>,
    #[serde(default)]
    by_link: bool,
    #[serde(default)]
    approve: bool,
}

/// A step that the platform's people take.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Taken {
    by: String,
    text: Option<String>,
    patient: Option<String>,
}

fn routine() -> String {
    "routine".to_owned()
}

/// Prepares a transfer. The same delivery makes one, however often it comes.
pub(super) async fn create(
    Verified(signed): Verified,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let asked: Creation = read(&signed, &request, payload).await?;
    let approve = asked.approve;
    let wanted = Wanted {
        client: asked.client,
        receiver: asked.receiver,
        reason: asked.reason,
        urgency: asked.urgency,
        sections: asked.sections,
        notes: asked.notes,
        by_link: asked.by_link,
        by: asked.by.clone(),
        key: Some(format!("{} {}", signed.source().name, signed.delivery())),
    };
    let by = asked.by.clone();
    let made = move |transfers: &Transfers, tenant: &TenantId| {
        transfers.member(tenant, &by)?;
        transfers.create(tenant, wanted)
    };
    let (transfer, is_new) = state.transfer(&signed, made).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let is_open = transfer.state.after(Event::Approve).is_some();
    let handed = if approve && is_open {
        let by = Step::by(asked.by);
        state.handing().step(signed.tenant(), &transfer.id, Event::Approve, by).await?
    } else {
        Handed { transfer, link: None }
    };
    Ok(answer(&state, &signed, status, &handed))
}

/// Tells of all transfers: a JSON object a line.
pub(super) async fn list(
    Verified(signed): Verified,
    state: web::Data<State>,
) -> Result<HttpResponse, Refusal> {
    let found = state.transfer(&signed, Transfers::all).await?;
    let mut lines = String::new();
    for transfer in &found {
        writeln!(lines, "{}", transfer.told()).map_err(Error::internal)?;
    }
    let shown = Disclosure {
        patients: found.iter().map(|one| patient(&state, &signed, one)).collect(),
        ..Disclosure::default()
    };
    let mut response = HttpResponse::Ok();
    response.extensions_mut().insert(shown);
    Ok(response.content_type("application/x-ndjson").body(lines))
}

/// Tells of one.
pub(super) async fn show(
    Verified(signed): Verified,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let id = segment(&request, "id");
    let found = state.transfer(&signed, move |transfers, tenant| transfers.transfer(tenant, &id));
    let transfer = found.await?.ok_or(Error::NotFound)?;
    Ok(answer(&state, &signed, StatusCode::OK, &Handed { transfer, link: None }))
}

/// Moves one on.
pub(super) async fn step(
    Verified(signed): Verified,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let event: Event = segment(&request, "step").parse().map_err(|()| Refusal::NoRoute)?;
    let asked: Taken = read(&signed, &request, payload).await?;
    let id = segment(&request, "id");
    let step =
        Step { why: asked.text, patient_there: asked.patient, ..Step::by(asked.by.as_str()) };
    let known = move |transfers: &Transfers, tenant: &TenantId| transfers.member(tenant, &asked.by);
    state.transfer(&signed, known).await?;
    let handed = state.handing().step(signed.tenant(), &id, event, step).await?;
    Ok(answer(&state, &signed, StatusCode::OK, &handed))
}

/// A body that was signed.
async fn read<T: DeserializeOwned>(
    signed: &Signed,
    request: &HttpRequest,
    payload: Payload,
) -> Result<T, Refusal> {
    let bytes = body::signed(signed, request, payload, LONGEST).await?;
    serde_json::from_slice(&bytes).map_err(|cause| {
        let (line, column) = (cause.line(), cause.column());
        let hint =
            format!("line {line}, column {column}: docs/transfers.md says which fields there are");
        Error::invalid("body", hint).into()
    })
}

fn segment(request: &HttpRequest, name: &str) -> String {
    request.match_info().get(name).unwrap_or_default().to_owned()
}

fn patient(state: &State, signed: &Signed, transfer: &Transfer) -> crate::domain::FhirId {
    state.transfers.patient(signed.tenant(), &transfer.client)
}

/// Tells of a transfer; of a link that was made, this once.
fn answer(state: &State, signed: &Signed, status: StatusCode, handed: &Handed) -> HttpResponse {
    let transfer = &handed.transfer;
    let shown = Disclosure {
        patients: vec![patient(state, signed, transfer)],
        notes: vec![
            ("transfer", transfer.id.clone()),
            ("state", transfer.state.as_str().to_owned()),
        ],
        ..Disclosure::default()
    };
    let mut response = HttpResponse::build(status);
    response.extensions_mut().insert(shown);
    let mut told = transfer.told();
    if let (Some(told), Some(link)) = (told.as_object_mut(), &handed.link) {
        let link = json!({
            "link": link.made.link, "browser": link.made.viewer, "passcode": link.passcode,
        });
        told.insert("link".to_owned(), link);
    }
    response.json(told)
}

impl State {
    /// Takes the steps that people take with transfers.
    pub(in crate::http) fn handing(&self) -> Handing {
        Handing {
            transfers: self.transfers.clone(),
            links: self.links.links().clone(),
            audit: Arc::clone(&self.audit),
            origin: self.origin().to_owned(),
        }
    }

    /// Asks the transfers of whoever signed, aside of those who do not wait for the store.
    async fn transfer<T: Send + 'static>(
        &self,
        signed: &Signed,
        question: impl FnOnce(&Transfers, &TenantId) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (transfers, tenant) = (self.transfers.clone(), signed.tenant().clone());
        self.ask(Size::Many, move |_| question(&transfers, &tenant)).await
    }
}
