//! `$break-glass`: what a clinician sees of a patient in an emergency whom they do not treat, once for
//! each reason that they give. Every use is an event of its own, an alert, and is reviewed.

use std::sync::Arc;

use actix_web::web::{self, Payload};
use actix_web::{HttpMessage as _, HttpRequest};
use serde_json::Value;

use super::answer::Answer;
use super::asking::Size;
use super::call::Call;
use super::path::IdPath;
use super::{Refusal, State, body};
use crate::auth::Verified;
use crate::error::{Error, Result as Answered};
use crate::exchange::emergency::{Broken, Emergencies};
use crate::exchange::ingest;
use crate::fhir::bundle::{Kind, Mode, Resource, Writer};
use crate::policy::{Glass, HighWater, Purpose};
use crate::store::{Store, StoredResource};

/// The longest set of parameters that is read, in bytes.
const MAX_PARAMETERS: usize = 16 * 1024;
/// The longest reason, in characters.
const MAX_REASON: usize = 1_000;
/// What a Bundle carries as long as it is kept anywhere: that it was opened in an emergency.
const WATERMARK: &str = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"BTG","display":"opened in an emergency: for the patient's treatment now, and for nothing else"}"#;
const HINT: &str = "send a Parameters resource with purpose (BTG or ETREAT) as valueCode and reason as \
                    valueString";

/// Opens it.
pub(super) async fn break_glass(
    state: web::Data<State>,
    path: IdPath,
    call: Call,
    request: HttpRequest,
    payload: Payload,
) -> Result<Answer, Refusal> {
    // Before anything that is sent is looked at.
    Glass::decide(&call.principal, &path.id, Purpose::BreakGlass)?;
    if !state.audit.is_on() {
        let hint = "without an audit nothing is opened in an emergency";
        return Err(Error::Conflict { hint: hint.to_owned() }.into());
    }
    let body = body::resource(&request, payload, MAX_PARAMETERS).await?;
    let (purpose, reason) = said(&ingest::strict(&body)?)?;
    let glass = Glass::decide(&call.principal, &path.id, purpose)?;
    let verified = request.extensions().get::<Arc<Verified>>().cloned();
    let (authority, now) = (state.authority.clone(), state.clock.now());
    let grant = verified.and_then(|verified| verified.grant.clone());
    let proven = move |_: &dyn Store| match grant {
        Some(grant) => authority.signed_in(&grant),
        None => Ok(None),
    };
    let proven = state.ask(Size::Point, proven).await?;
    let age = proven.map(|at| now.duration_since(at));
    if age.is_none_or(|age| age.is_negative() || age > Glass::PROVEN_WITHIN) {
        return Err(Refusal::ProveAgain);
    }
    let broken = Broken { reason: reason.clone(), proven_again: true };
    let (rules, ids, clock) = (state.rules.load_full(), state.ids.clone(), state.clock.clone());
    let of_glass = glass.clone();
    let question = move |store: &dyn Store| {
        let emergencies = Emergencies { store, rules: &rules, ids: &ids, clock: &*clock };
        let opened = emergencies.open(&of_glass, &broken)?;
        let mut shown = Vec::new();
        for (name, id) in &opened.resources {
            if let Some(permit) = of_glass.permit(name, id) {
                shown.extend(store.read(&permit, id)?);
            }
        }
        Ok((opened, shown))
    };
    let (opened, shown) = state.ask(Size::Many, question).await?;
    let mut disclosure = state.disclosure(&shown);
    disclosure.patients = vec![path.id];
    disclosure.purpose = Some(purpose.as_str().to_owned());
    disclosure.notes.extend([("basis", "emergency".to_owned()), ("reason", reason)]);
    if opened.part2 {
        disclosure.notes.push(("part2", "true".to_owned()));
    }
    let bundle = bundle(&state, &shown)?;
    state.meter.glass_broken();
    tracing::warn!(
        "a glass was broken: `throughline audit emergencies` lists what is to be reviewed"
    );
    Ok(Answer::new(bundle, call.form).showing(disclosure))
}

/// What is shown, under its labels and the watermark.
fn bundle(state: &State, shown: &[StoredResource]) -> Answered<Vec<u8>> {
    let mut labels = HighWater::default();
    for one in shown {
        labels.join(HighWater::of(&one.body));
    }
    let labels = match labels.json() {
        labels if labels.is_empty() => WATERMARK.to_owned(),
        labels => format!("{WATERMARK},{labels}"),
    };
    let total = u64::try_from(shown.len()).map_err(Error::internal)?;
    let mut bundle = Writer::new(Kind::Searchset, Some(total), &[], 0).labelled(&labels);
    for one in shown {
        let (resource_type, id) = (one.resource_type.as_str(), one.id.as_str());
        let found = Resource { base: &state.base, resource_type, id, body: &one.body };
        bundle.found(found, Mode::Match);
    }
    Ok(bundle.finish())
}

/// The purpose and the reason.
fn said(sent: &Value) -> Answered<(Purpose, String)> {
    let wrong = || Error::invalid("body", HINT);
    if sent.get("resourceType").and_then(Value::as_str) != Some("Parameters") {
        return Err(wrong());
    }
    let (mut purpose, mut reason) = (None, None);
    for one in sent.get("parameter").and_then(Value::as_array).into_iter().flatten() {
        let name = one.get("name").and_then(Value::as_str).unwrap_or_default();
        let text = ["valueString", "valueCode"].iter().find_map(|key| one.get(*key)?.as_str());
        match (name, text) {
            ("purpose", Some(code)) if purpose.is_none() => {
                let known = code.parse::<Purpose>().ok().filter(|one| one.is_emergency());
                purpose = Some(known.ok_or_else(|| Error::invalid("purpose", HINT))?);
            }
            ("reason", Some(text)) if reason.is_none() => {
                if text.chars().count() > MAX_REASON || text.chars().any(char::is_control) {
                    let hint = "give a reason of up to 1000 characters, in one line";
                    return Err(Error::invalid("reason", hint));
                }
                reason = Some(text.trim().to_owned());
            }
            _ => return Err(wrong()),
        }
    }
    Ok((
        purpose.ok_or_else(|| Error::invalid("purpose", HINT))?,
        reason.ok_or_else(|| Error::invalid("reason", HINT))?,
    ))
}
