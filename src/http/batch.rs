//! A batch of questions: each entry is answered as the same request by itself would be
//! (<https://hl7.org/fhir/R4/http.html#transaction>).
//!
//! Entries are asked a few at a time and answered in their order. What a batch may bring back is
//! bounded; an entry beyond that is refused, and can be asked again.

mod entry;

use actix_web::web::{self, Bytes, Payload};
use actix_web::{HttpRequest, ResponseError};
use futures_util::{StreamExt, stream};
use serde::Deserialize;

use self::entry::Entry;
use super::answer::Answer;
use super::call::Call;
use super::content::Content;
use super::disclosure::Disclosure;
use super::terms::Terms;
use super::{Refusal, State, body};
use crate::error::Error;
use crate::fhir::bundle::{Kind, Response, Writer};

pub(super) use self::entry::Handler;

/// The longest Bundle that is read, in bytes.
const MAX_BUNDLE: usize = 1024 * 1024;
/// How many entries a batch may have.
const MAX_ENTRIES: usize = 100;
/// How many entries are asked at the same time.
const AT_ONCE: usize = 4;
/// How many bytes the answer may have before further entries are refused.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

#[derive(Deserialize)]
struct Bundle {
    #[serde(rename = "resourceType")]
    resource_type: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    entry: Vec<Entry>,
}

/// Answers a batch.
pub(super) async fn batch(
    state: web::Data<State>,
    call: Call,
    request: HttpRequest,
    payload: Payload,
) -> Result<Answer, Refusal> {
    let body = body::resource(&request, payload, MAX_BUNDLE).await?;
    let entries = Bundle::parse(&body)?.entry;
    let answers = entries.iter().map(|entry| entry.answer(&state, &call));
    let mut answers = stream::iter(answers).buffered(AT_ONCE);
    let mut bundle = Writer::entries(0);
    let mut terms = Terms::default();
    let (mut shown, mut refused) = (Disclosure::default(), 0_usize);
    while let Some((answer, is_head)) = answers.next().await {
        let room = MAX_ANSWER.saturating_sub(bundle.size());
        match answer.and_then(|answer| fitting(answer, room)) {
            Ok(answer) => {
                add(&mut bundle, &answer, is_head, &state.base)?;
                terms.join(&answer.terms);
                shown.join(answer.disclosure);
            }
            Err(refusal) => {
                refuse(&mut bundle, &refusal);
                refused += 1;
            }
        }
    }
    shown.notes.push(("questions", entries.len().to_string()));
    shown.notes.push(("refused", refused.to_string()));
    let entries = Bytes::from(bundle.kept());
    let whole = Writer::new(Kind::BatchResponse, None, &[], 0).labelled(&terms.labels.json());
    let (before, after) = whole.around(&entries);
    let parts = [Bytes::from(before), entries, Bytes::from(after.finish())];
    let answer = Answer::new(Content::Parts(parts.into()), call.form).showing(shown);
    Ok(Answer { terms, ..answer })
}

impl Bundle {
    fn parse(body: &[u8]) -> Result<Self, Error> {
        let hint = "send a Bundle of type batch, each entry with a request: {method, url}";
        let bundle: Self =
            serde_json::from_slice(body).map_err(|_json| Error::invalid("body", hint))?;
        if bundle.resource_type != "Bundle" {
            return Err(Error::invalid("body", hint));
        }
        match bundle.kind.as_str() {
            "batch" => {}
            "transaction" => {
                let hint = "there are no transactions, as nothing is written here: send a batch";
                return Err(Error::not_supported("Bundle.type", hint));
            }
            _ => return Err(Error::invalid("Bundle.type", hint)),
        }
        if bundle.entry.len() > MAX_ENTRIES {
            let hint = format!("a batch may have up to {MAX_ENTRIES} entries: split it");
            return Err(Error::invalid("Bundle.entry", hint));
        }
        Ok(bundle)
    }
}

fn fitting(answer: Answer, room: usize) -> Result<Answer, Refusal> {
    match &answer.body {
        Some(body) if body.len() > room => Err(Refusal::LongAnswer { limit: MAX_ANSWER }),
        _ => Ok(answer),
    }
}

fn add(bundle: &mut Writer, answer: &Answer, is_head: bool, base: &str) -> Result<(), Error> {
    let etag = answer.etag();
    let last_modified =
        answer.head.as_ref().and_then(|head| head.last_updated).map(|at| at.to_string());
    let outcome = if answer.body.is_some() { answer.terms.outcome(base)? } else { None };
    let response = Response {
        status: if answer.body.is_some() { "200 OK" } else { "304 Not Modified" },
        etag: etag.as_deref(),
        last_modified: last_modified.as_deref(),
        outcome: outcome.as_deref(),
    };
    let body = answer.body.as_ref().filter(|_| !is_head).map(Content::whole);
    bundle.answered(body.as_deref(), response);
    Ok(())
}

fn refuse(bundle: &mut Writer, refusal: &Refusal) {
    let (status, outcome) = (refusal.status_code().to_string(), refusal.outcome());
    let response = Response { status: &status, outcome: Some(&outcome), ..Response::default() };
    bundle.answered(None, response);
}
