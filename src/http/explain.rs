//! `$explain` of a patient: who would see what of the record, for what, and by which rule; and what
//! a consent that is planned would change.
//!
//! The practice's people are told of what their token covers, the patient of what they may see
//! themself. Nobody else is told anything.

use std::collections::BTreeSet;

use actix_web::HttpRequest;
use actix_web::web::{self, Payload};
use serde_json::{Value, json};

use super::answer::Answer;
use super::asking::Size;
use super::call::Call;
use super::disclosure::Disclosure;
use super::path::IdPath;
use super::{Refusal, State, body};
use crate::domain::FhirId;
use crate::error::{Error, Result as Answered};
use crate::exchange::explain::{Answer as Told, Asked, Audience, Explainer, Explanation, Line};
use crate::fhir::search::param;
use crate::policy::{Action, Permit, Principal};
use crate::store::Store;

/// The longest set of parameters that is read, in bytes.
const MAX_PARAMETERS: usize = 64 * 1024;
const PATIENT: &str = "Patient";
const HINT: &str = "send a Parameters resource with actor and purpose as valueString, and a planned \
                    consent as resource";

/// Explains, with the parameters in the URL.
pub(super) async fn explain(
    state: web::Data<State>,
    path: IdPath,
    call: Call,
) -> Result<Answer, Refusal> {
    answer(&state, path, call, None).await
}

/// Explains, with the parameters in a `Parameters` resource, which may hold a planned consent.
pub(super) async fn explain_by_parameters(
    state: web::Data<State>,
    path: IdPath,
    mut call: Call,
    request: HttpRequest,
    payload: Payload,
) -> Result<Answer, Refusal> {
    // Before anything that is sent is looked at.
    let permit = Permit::decide(&call.principal, Action::Read, PATIENT)?;
    audience(&call.principal, &permit, &path.id)?;
    let body = body::resource(&request, payload, MAX_PARAMETERS).await?;
    let sent: Value =
        serde_json::from_slice(&body).map_err(|_json| Error::invalid("body", HINT))?;
    if sent.get("resourceType").and_then(Value::as_str) != Some("Parameters") {
        return Err(Error::invalid("body", HINT).into());
    }
    let mut plan = None;
    for parameter in sent.get("parameter").and_then(Value::as_array).into_iter().flatten() {
        let name = parameter.get("name").and_then(Value::as_str).unwrap_or_default();
        let text =
            ["valueString", "valueCode"].iter().find_map(|key| parameter.get(*key)?.as_str());
        match (name, text, parameter.get("resource")) {
            ("consent", None, Some(resource)) => plan = Some(resource.clone()),
            (name, Some(text), None) => call.parameters.push((name.to_owned(), text.to_owned())),
            _ => return Err(Error::invalid("body", HINT).into()),
        }
    }
    answer(&state, path, call, plan).await
}

async fn answer(
    state: &State,
    path: IdPath,
    call: Call,
    plan: Option<Value>,
) -> Result<Answer, Refusal> {
    let permit = Permit::decide(&call.principal, Action::Read, PATIENT)?;
    let audience = audience(&call.principal, &permit, &path.id)?;
    let mut asked = Asked {
        tenant: call.principal.tenant.clone(),
        patient: path.id.clone(),
        actor: None,
        purpose: None,
        plan,
        without: None,
        audience,
    };
    for (name, text) in &call.parameters {
        match name.as_str() {
            "actor" => {
                let who = text.parse().map_err(|hint: &str| Error::invalid("actor", hint))?;
                asked.actor = Some(who);
            }
            "purpose" => {
                let hint = "a purpose is a code of v3-ActReason, such as TREAT";
                let purpose = text.parse().map_err(|()| Error::invalid("purpose", hint))?;
                asked.purpose = Some(purpose);
            }
            "_format" | "_pretty" => {}
            _ if call.lenient => {}
            _ => {
                let hint = "$explain takes actor, purpose, and a planned consent in the body";
                return Err(Error::not_supported(name, hint).into());
            }
        }
    }
    let (rules, ids, clock) = (state.rules.load_full(), state.ids.clone(), state.clock.clone());
    let question = move |store: &dyn Store| {
        store.head(&permit, &asked.patient)?.ok_or(Error::NotFound)?;
        Explainer { store, rules: &rules, ids: &ids, clock: &*clock }.explain(&asked)
    };
    let found = state.ask(Size::Many, question).await?;
    let shown = Disclosure { patients: vec![path.id], ..Disclosure::default() };
    let shown = shown.asked_by(&call.parameters);
    Ok(Answer::new(parameters(&found).to_string().into_bytes(), call.form).showing(shown))
}

/// For whom it is explained.
///
/// # Errors
///
/// `Denied` to whoever is neither the patient nor of the practice.
fn audience(principal: &Principal, permit: &Permit, patient: &FhirId) -> Answered<Audience> {
    let Some(under) = permit.under() else {
        let is_seen = |name: &&'static str| {
            let permit = permit.on(name);
            permit.is_some_and(|permit| permit.clauses().is_none_or(all_of_somebody))
        };
        let types: BTreeSet<_> = param::served().filter(is_seen).collect();
        return Ok(Audience::Practice(Some(types)));
    };
    let own = format!("{PATIENT}/{patient}");
    let is_them = principal.fhir_user.as_ref().is_some_and(|user| user.to_string() == own);
    if is_them && under.patient.as_ref() == Some(patient) {
        return Ok(Audience::Patient);
    }
    Err(Error::Denied)
}

/// Whether one of these lets a whole record through, and not a part of its resources.
fn all_of_somebody(clauses: &[crate::policy::Clause]) -> bool {
    clauses.iter().any(|clause| clause.conditions.is_empty())
}

/// The explanation as a resource.
fn parameters(found: &Explanation) -> Value {
    let text = |name: &str, value: &str| json!({ "name": name, "valueString": value });
    let line = |line: &Line| {
        let result = if line.is_released { "released" } else { "withheld" };
        let mut parts = vec![
            json!({ "name": "result", "valueCode": result }),
            json!({ "name": "type", "valueCode": line.resource_type }),
            json!({ "name": "count", "valueUnsignedInt": line.count }),
            text("rule", line.rule.code),
            text("says", line.rule.says),
            text("source", line.rule.source),
        ];
        if let Some(was) = line.was_released {
            let was = if was { "released" } else { "withheld" };
            parts.push(json!({ "name": "now", "valueCode": was }));
        }
        for consent in &line.consents {
            parts.push(if consent.contains('/') {
                json!({ "name": "consent", "valueReference": { "reference": consent } })
            } else {
                text("consent", consent)
            });
        }
        parts.extend(line.conditions.iter().map(|condition| text("condition", condition)));
        json!({ "name": "line", "part": parts })
    };
    let answer = |told: &Told| {
        let mut parts = vec![
            text("actor", &told.who.to_string()),
            json!({ "name": "purpose", "valueCode": told.purpose.as_str() }),
        ];
        parts.extend(told.lines.iter().map(line));
        json!({ "name": "answer", "part": parts })
    };
    let mut all = vec![json!({ "name": "at", "valueInstant": format!("{:.3}", found.at) })];
    all.extend(found.answers.iter().map(answer));
    all.push(text("always", ALWAYS));
    json!({ "resourceType": "Parameters", "parameter": all })
}

/// What is always said.
const ALWAYS: &str = "Psychotherapy notes and SUD counselling notes, if there are any, are released \
                      by no request.";
