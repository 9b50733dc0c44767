//! Requests about records for the platform: opened, read and moved on by a source that signs
//! (`docs/requests.md`).

use std::fmt::Write as _;

use actix_web::web::{self, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::disclosure::Disclosure;
use super::push::Verified;
use super::{Refusal, State, body};
use crate::domain::TenantId;
use crate::error::{Error, Result};
use crate::exchange::push::Signed;
use crate::exchange::requests::{Asked, By, Request, Requester, Requests, Scope, Step, Told};
use crate::policy::request::Event;

/// The longest body, in bytes.
const LONGEST: usize = 64 * 1024;

/// What somebody asks, by the platform's ids.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    client_id: String,
    #[serde(rename = "type")]
    matter: String,
    regime: Option<String>,
    requester: Requester,
    received_at: Option<Timestamp>,
    channel: String,
    proof: Option<String>,
    #[serde(default)]
    scope: Scope,
    statement: Option<String>,
    entry: Option<String>,
}

/// A step.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Taking {
    event: String,
    reason: Option<String>,
    until: Option<Date>,
    proof: Option<String>,
    ground: Option<String>,
    entry: Option<String>,
    text: Option<String>,
    author: Option<String>,
    #[serde(default)]
    tell: Vec<String>,
}

/// Opens a request. A delivery that comes again finds the request that it opened.
pub(super) async fn open(
    Verified(signed): Verified,
    payload: Payload,
    request: HttpRequest,
    state: web::Data<State>,
) -> std::result::Result<HttpResponse, Refusal> {
    let opening: Opening = read_json(&signed, &request, payload).await?;
    let asked = opening.asked()?;
    let delivery = format!("{}\n{}", signed.source().name, signed.delivery());
    let opened = ask(&state, &signed, move |requests, tenant| {
        requests.open_once(tenant, delivery.as_bytes(), asked)
    });
    let (opened, is_new) = opened.await?;
    if is_new {
        // What cannot be made at once waits for the practice, as any other request.
        if let Err(error) = state.copies.order_if_free(signed.tenant(), &opened.id).await {
            tracing::warn!(cause = %error, "a copy could not be ordered");
        }
    }
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    if !is_new {
        response.insert_header(("Throughline-Repeated", "true"));
    }
    Ok(shown(&state, &signed, &opened, response.json(opened.whole_value())))
}

/// Lists what is open, the next to be answered first: a JSON object a line, without what people wrote.
pub(super) async fn list(
    Verified(signed): Verified,
    state: web::Data<State>,
) -> std::result::Result<HttpResponse, Refusal> {
    let found = ask(&state, &signed, Requests::all).await?;
    let open = found.iter().filter(|request| !request.state.is_closed());
    let mut lines = String::new();
    for request in open {
        writeln!(lines, "{}", request.standing_value()).map_err(Error::internal)?;
    }
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").body(lines))
}

/// Reads one.
pub(super) async fn read(
    Verified(signed): Verified,
    id: Path<String>,
    state: web::Data<State>,
) -> std::result::Result<HttpResponse, Refusal> {
    let id = id.into_inner();
    let found = ask(&state, &signed, move |requests, tenant| {
        let mut value = None;
        if let Some(found) = requests.request(tenant, &id)? {
            let entry = |entry: &crate::exchange::requests::Entry| {
                json!({
                    "kind": entry.kind.as_str(), "id": entry.id, "version": entry.version,
                    "trigger": entry.trigger.as_str(), "is_decided": entry.decision.is_some(),
                })
            };
            let entries: Vec<Value> = requests.entries(tenant, &found)?.iter().map(entry).collect();
            value = Some((found, entries));
        }
        value.ok_or(Error::NotFound)
    });
    let (found, entries) = found.await?;
    let mut value = found.whole_value();
    if let Some(value) = value.as_object_mut() {
        value.insert("entries".to_owned(), entries.into());
    }
    Ok(shown(&state, &signed, &found, HttpResponse::Ok().json(value)))
}

/// Moves one on.
pub(super) async fn step(
    Verified(signed): Verified,
    id: Path<String>,
    payload: Payload,
    request: HttpRequest,
    state: web::Data<State>,
) -> std::result::Result<HttpResponse, Refusal> {
    let taking: Taking = read_json(&signed, &request, payload).await?;
    let (id, step) = (id.into_inner(), taking.step(&signed)?);
    let done = ask(&state, &signed, move |requests, tenant| requests.step(tenant, &id, step));
    let done = done.await?;
    Ok(shown(&state, &signed, &done, HttpResponse::Ok().json(done.whole_value())))
}

/// Reads what a source has signed.
async fn read_json<T: DeserializeOwned>(
    signed: &Signed,
    request: &HttpRequest,
    payload: Payload,
) -> std::result::Result<T, Refusal> {
    let body = body::signed(signed, request, payload, LONGEST).await?;
    serde_json::from_slice(&body).map_err(|cause| {
        let (line, column) = (cause.line(), cause.column());
        let hint = format!("line {line}, column {column}: this is not what is taken here");
        Error::invalid("body", hint).into()
    })
}

async fn ask<T: Send + 'static>(
    state: &web::Data<State>,
    signed: &Signed,
    question: impl FnOnce(&Requests, &TenantId) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (state, tenant) = (state.clone(), signed.tenant().clone());
    web::block(move || question(&state.requests, &tenant)).await.map_err(Error::internal)?
}

/// An answer, with whose record it is about.
fn shown(
    state: &State,
    signed: &Signed,
    request: &Request,
    mut response: HttpResponse,
) -> HttpResponse {
    let patient = state.requests.patient(signed.tenant(), request);
    let notes = vec![("request", request.id.clone()), ("state", request.state.as_str().to_owned())];
    let disclosure = Disclosure { notes, patients: vec![patient], ..Disclosure::default() };
    response.extensions_mut().insert(disclosure);
    response
}

impl Opening {
    fn asked(self) -> Result<Asked> {
        let regime = self.regime.map(|word| known("regime", &word)).transpose()?;
        Ok(Asked {
            client: self.client_id,
            matter: known("type", &self.matter)?,
            regime,
            requester: self.requester,
            received: self.received_at,
            channel: self.channel,
            proof: self.proof,
            scope: self.scope,
            statement: self.statement,
            entry: self.entry,
        })
    }
}

impl Taking {
    fn step(self, signed: &Signed) -> Result<Step> {
        let event: Event = known("event", &self.event)?;
        let told = |name| Told { name, received_at: None, told_at: None };
        Ok(Step {
            reason: self.reason,
            until: self.until,
            proof: self.proof,
            ground: self.ground.map(|word| known("ground", &word)).transpose()?,
            entry: self.entry,
            text: self.text,
            author: self.author,
            tell: self.tell.into_iter().map(told).collect(),
            ..Step::new(event, By::Platform(signed.source().name.to_string()))
        })
    }
}

/// A word that has to be one of those that `docs/requests.md` names.
fn known<T: std::str::FromStr>(element: &'static str, word: &str) -> Result<T> {
    word.parse().map_err(|_unknown| {
        Error::invalid(element, format!("{element} has none of the words of docs/requests.md"))
    })
}
