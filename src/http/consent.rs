//! Consents that people give, change and take back by their own app
//! (<https://hl7.org/fhir/R4/http.html#create>, <https://hl7.org/fhir/R4/http.html#update>).

use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::answer::Answer;
use super::asking::Size;
use super::call::Call;
use super::path::{IdPath, ResourcePath, TypePath};
use super::written::{self, Written};
use super::{Refusal, State, parameters, read, search};
use crate::error::{Error, Result as Answered};
use crate::exchange::signing::{Connected, Note, Signed};
use crate::fhir::outcome::{Issue, IssueType};
use crate::fhir::search::parse::{self, Setting};
use crate::fhir::search::{Query, param};
use crate::policy::{Act, Action, Hand, Permit};
use crate::smart::Clients;
use crate::store::StoredResource;

const CONSENT: &str = "Consent";
const IF_NONE_EXIST: &str = "if-none-exist";

/// Reads a Consent.
pub(super) async fn read(
    state: web::Data<State>,
    path: IdPath,
    call: Call,
) -> Result<Answer, Refusal> {
    read::read(state, ResourcePath { resource_type: CONSENT, id: path.id }, call).await
}

/// Searches Consents.
pub(super) async fn search(
    state: web::Data<State>,
    _path: super::path::Everywhere,
    call: Call,
) -> Result<Answer, Refusal> {
    search::search(state, TypePath { resource_type: CONSENT }, call).await
}

/// Takes in a Consent.
pub(super) async fn create(
    state: web::Data<State>,
    call: Call,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    // Before anything that is sent is looked at.
    let hand = Hand::decide(&call.principal, Act::Give)?;
    let condition = condition(request.headers())?;
    let sent = written::sent(&state, &request, payload, CONSENT).await?;
    if let Some(condition) = condition {
        match state.matching(&call, &condition).await?.as_slice() {
            [] => {}
            [one] => {
                let signed = Signed { id: one.id.clone(), is_new: false, notes: Vec::new() };
                return state.told(&request, &call, &hand, done(signed, "unchanged")).await;
            }
            _ => return Err(Refusal::Several),
        }
    }
    let (signing, of_hand) = (state.signing.clone(), hand.clone());
    let connected = state.connected(&call).await?;
    let given = move |_: &dyn crate::store::Store| signing.give(&of_hand, &sent, &connected);
    let signed = state.ask(Size::Many, given).await?;
    let what = if signed.is_new { "given" } else { "unchanged" };
    state.told(&request, &call, &hand, done(signed, what)).await
}

/// Changes a Consent, or takes it back.
pub(super) async fn update(
    state: web::Data<State>,
    path: IdPath,
    call: Call,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let hand = Hand::decide(&call.principal, Act::Change)?;
    let sent = written::sent(&state, &request, payload, CONSENT).await?;
    if sent.get("id").and_then(Value::as_str) != Some(path.id.as_str()) {
        return Err(Error::invalid("Consent.id", "give the id of the URL").into());
    }
    let (permit, id) = (hand.permit(&path.id), path.id.clone());
    let head = state.ask(Size::Point, move |store| store.head(&permit, &id)).await?;
    let head = head.ok_or(Error::NotFound)?;
    let stated = request.headers().get(header::IF_MATCH).and_then(|field| field.to_str().ok());
    let hint = "say with If-Match which version you change: its ETag";
    let stated = stated.ok_or_else(|| Error::invalid("If-Match", hint))?.trim();
    let stated = stated.strip_prefix("W/").unwrap_or(stated).trim_matches('"');
    if stated != head.version_id {
        return Err(Refusal::Stale);
    }
    let (signing, of_hand, id) = (state.signing.clone(), hand.clone(), path.id);
    let connected = state.connected(&call).await?;
    let what = match sent.get("status").and_then(Value::as_str) {
        Some("inactive") => "taken-back",
        _ => "changed",
    };
    let changed = move |_: &dyn crate::store::Store| {
        signing.change(&of_hand, &id, &head.version_id, &sent, &connected)
    };
    let signed = state.ask(Size::Many, changed).await?;
    state.told(&request, &call, &hand, done(signed, what)).await
}

/// The search by which a Consent is not to be there yet.
fn condition(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(field) = headers.get(IF_NONE_EXIST) else { return Ok(None) };
    let text = field.to_str().map_err(|_bytes| {
        Error::invalid("If-None-Exist", "give the parameters of a search, escaped as in a URL")
    })?;
    Ok(Some(text.trim_start_matches('?').to_owned()))
}

/// The clients that records may go to: those of others that ask for a purpose.
pub(super) fn connected(
    clients: &Clients,
    tenant: &crate::domain::TenantId,
) -> Answered<Vec<Connected>> {
    let all = clients.all()?.into_iter().map(|(client, _)| client);
    let others = all.filter(|one| one.tenant == *tenant && !one.is_own && !one.is_disabled);
    Ok(others
        .filter_map(|one| {
            let purpose = one.purpose?.as_str().to_owned();
            Some(Connected { client_id: one.id, name: one.name, purpose })
        })
        .collect())
}

impl State {
    /// To whom records may go.
    async fn connected(&self, call: &Call) -> Answered<Vec<Connected>> {
        let (authority, tenant) = (self.authority.clone(), call.principal.tenant.clone());
        self.ask(Size::Many, move |_| connected(authority.clients(), &tenant)).await
    }

    /// The consents that a conditional create asks about, as a search of the same caller finds them.
    async fn matching(&self, call: &Call, condition: &str) -> Result<Vec<StoredResource>, Refusal> {
        let permit = Permit::decide(&call.principal, Action::Search, CONSENT)?;
        let parameters = parameters::parse(condition)?;
        if parameters.is_empty() {
            let hint = "give the parameters of a search, such as identifier";
            return Err(Error::invalid("If-None-Exist", hint).into());
        }
        let query = {
            let rules = self.rules.load();
            let resource_type = param::search_type(CONSENT).ok_or(Error::NotFound)?;
            let (base, value_sets) = (&self.base, &rules.value_sets);
            let setting = Setting { resource_type, base, value_sets, lenient: false };
            let search = parse::parse(setting, parameters)?;
            for reached in search.reaches() {
                permit.on(reached).ok_or(Error::Denied)?;
            }
            // Two are as many as a hundred.
            Query { count: 2, ..search.query }
        };
        let page = self.ask(Size::Many, move |store| store.search(&permit, &query)).await?;
        Ok(page.matches)
    }
}

/// What became of what was signed.
fn done(signed: Signed, what: &'static str) -> Written {
    let says = match what {
        "given" => "the consent is in force as of now, within its period",
        "changed" => "the consent is changed as of now",
        "taken-back" => "the consent is taken back as of now",
        _ => "this consent is here already, and stays as it is",
    };
    let issue = |note: &Note| Issue {
        code: if note.differs { IssueType::NotSupported } else { IssueType::Informational },
        text: note.says.to_owned(),
        expression: Some(note.element.to_owned()),
        refused: false,
    };
    Written {
        resource_type: CONSENT,
        is_new: signed.is_new,
        done: says,
        issues: signed.notes.iter().map(issue).collect(),
        differs: signed.notes.iter().any(|note| note.differs),
        notes: vec![("consent", what.to_owned())],
        id: signed.id,
    }
}
