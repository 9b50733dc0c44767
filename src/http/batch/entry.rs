//! One entry of a batch: its request, and the row of the table that answers it.

use std::future::Future;
use std::pin::Pin;

use actix_web::http::header::HeaderMap;
use actix_web::web;
use serde::Deserialize;

use crate::error::Error;
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::http::conditions::Conditions;
use crate::http::negotiate::Form;
use crate::http::path::Segments;
use crate::http::{Refusal, State, parameters, routes};

/// How a row of the table answers an entry.
pub(in crate::http) type Handler = fn(web::Data<State>, Segments<'_>, Call) -> Answered;

/// An answer that is on its way.
pub(in crate::http) type Answered = Pin<Box<dyn Future<Output = Result<Answer, Refusal>>>>;

/// An entry of the Bundle; of what else is in it nothing counts.
#[derive(Deserialize)]
pub(super) struct Entry {
    request: Option<Request>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    if_none_match: Option<String>,
    if_modified_since: Option<String>,
}

impl Entry {
    /// The answer, and whether only what is beside its body is asked for.
    pub(super) async fn answer(
        &self,
        state: &web::Data<State>,
        batch: &Call,
    ) -> (Result<Answer, Refusal>, bool) {
        let is_head = self.request.as_ref().is_some_and(|request| request.method == "HEAD");
        let answer = match self.question(state, batch) {
            Ok(answer) => answer.await,
            Err(refusal) => Err(refusal),
        };
        (answer, is_head)
    }

    fn question(&self, state: &web::Data<State>, batch: &Call) -> Result<Answered, Refusal> {
        let request = self.request.as_ref().ok_or_else(|| {
            Error::invalid("Bundle.entry.request", "give the entry a request: {method, url}")
        })?;
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return Err(Refusal::Method { allow: "GET, HEAD".to_owned() });
        }
        let (path, query) = request.url.split_once('?').unwrap_or((&request.url, ""));
        let path = local(path, &state.base)?;
        let segments: Result<Vec<String>, Refusal> =
            path.split('/').map(|segment| parameters::decode(segment, false)).collect();
        let segments = segments?;
        let mut whole = vec!["fhir"];
        whole.extend(segments.iter().map(String::as_str));
        let (endpoint, matched) = routes::question(&whole).ok_or(Refusal::NoRoute)?;
        let handler = endpoint.entry.ok_or(Refusal::NoRoute)?;
        let segment = |wanted: &str| {
            matched.iter().find(|(name, _)| *name == wanted).map_or("", |(_, segment)| *segment)
        };
        Ok(handler(state.clone(), &segment, request.call(batch, query)?))
    }
}

impl Request {
    /// The entry's question, by whoever sent the batch.
    fn call(&self, batch: &Call, query: &str) -> Result<Call, Refusal> {
        let (none_match, since) = (&self.if_none_match, &self.if_modified_since);
        let parameters = parameters::parse(query)?;
        // The Bundle around it is indented or not; a format that there is not is refused here too.
        let form = Form::of(&HeaderMap::new(), &parameters)?;
        Ok(Call {
            principal: batch.principal.clone(),
            parameters,
            lenient: batch.lenient,
            conditions: Conditions::of_entry(none_match.as_deref(), since.as_deref()),
            form,
        })
    }
}

/// The path below the base, of a URL that is relative to it or begins with it.
fn local<'a>(path: &'a str, base: &str) -> Result<&'a str, Refusal> {
    let path = path.strip_prefix(base).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path);
    if path.contains("://") {
        let hint = "the URL of an entry is relative to this server's base";
        return Err(Error::invalid("Bundle.entry.request.url", hint).into());
    }
    Ok(path.trim_matches('/'))
}
