//! The history of one resource (<https://hl7.org/fhir/R4/http.html#history>), newest first.

use actix_web::web;

use super::answer::Answer;
use super::asking::Size;
use super::call::Call;
use super::disclosure::Disclosure;
use super::pages::Pages;
use super::path::ResourcePath;
use super::{Refusal, State};
use crate::error::Error;
use crate::fhir::bundle::{Kind, Resource, Response, Writer};
use crate::fhir::search::parse::{self, DEFAULT_COUNT, MAX_COUNT, PAGE};
use crate::fhir::search::{Cursor, date};
use crate::fhir::subset::View;
use crate::policy::{Action, HighWater, Permit};
use crate::store::{Head, StoredResource};

/// The parameters of a history.
const PARAMETERS: &[&str] = &["_count", "_since", "_at", PAGE];

/// What is asked of a history.
#[derive(Default)]
struct Asked {
    count: Option<usize>,
    /// Only versions made at or after this instant, in microseconds.
    since: Option<i64>,
    /// Only versions that were current in this range, in microseconds.
    at: Option<(i64, i64)>,
    page: Option<String>,
    /// The parameters without the page.
    understood: Vec<(String, String)>,
}

/// Answers the versions of a resource that is there now.
pub(super) async fn history(
    state: web::Data<State>,
    path: ResourcePath,
    call: Call,
) -> Result<Answer, Refusal> {
    let view = call.view(&state, path.resource_type, PARAMETERS)?;
    let asked = Asked::of(&call)?;
    let permit = Permit::decide(&call.principal, Action::Read, path.resource_type)?;
    let (id, of) = (path.id.clone(), permit.clone());
    let mut versions = state.ask(Size::Many, move |store| store.history(&of, &id)).await?;
    let terms = state.terms(&call.principal, &mut [&mut versions]).await?;
    if versions.is_empty() {
        return Err(state.absent(&permit, &path.id).await);
    }
    let pages = Pages {
        state: &state,
        call: &call,
        path: format!("{}/{}/_history", path.resource_type, path.id),
        parameters: &asked.understood,
        page: asked.page.as_deref(),
    };
    let (body, mut shown) = encode(&pages, &view, &asked, &asked.among(&versions))?;
    shown.join(state.disclosure(&terms.consents));
    Ok(Answer::new(body, call.form).showing(shown.asked_by(&asked.understood)).under(terms))
}

impl Asked {
    fn of(call: &Call) -> Result<Self, Error> {
        parse::once(&call.parameters, PARAMETERS)?;
        let mut asked = Self::default();
        for (name, text) in &call.parameters {
            match name.as_str() {
                "_count" => asked.count = Some(count(text)?),
                "_since" => asked.since = Some(range(name, text)?.0),
                "_at" => asked.at = Some(range(name, text)?),
                PAGE => {
                    asked.page = Some(text.clone());
                    continue;
                }
                "_format" | "_pretty" | "_summary" | "_elements" => {}
                _ => continue,
            }
            asked.understood.push((name.clone(), text.clone()));
        }
        Ok(asked)
    }

    /// The versions that are asked for. Each is current until the next newer one is made.
    fn among<'a>(&self, versions: &'a [StoredResource]) -> Vec<&'a StoredResource> {
        let mut end = i64::MAX;
        let mut found = Vec::new();
        for version in versions {
            let made = version.last_updated.as_microsecond();
            let was_current = self.at.is_none_or(|(low, high)| made <= high && end > low);
            if was_current && self.since.is_none_or(|since| made >= since) {
                found.push(version);
            }
            end = made;
        }
        found
    }
}

fn count(text: &str) -> Result<usize, Error> {
    let count = text.parse().ok().filter(|count| *count > 0);
    let count: usize = count
        .ok_or_else(|| Error::invalid("_count", "_count is a number of versions: 1 or more"))?;
    Ok(count.min(MAX_COUNT))
}

/// The instants that a date names.
pub(super) fn range(name: &str, text: &str) -> Result<(i64, i64), Error> {
    // A `+` that was not escaped in the URL arrives as a space.
    date::range(&text.replace(' ', "+"))
        .ok_or_else(|| Error::invalid(name, "not an instant: write it like 2026-11-25T10:00:00Z"))
}

/// The page as JSON, and what it shows. It begins after the version that the cursor names, so that versions that are
/// made meanwhile move nothing.
fn encode(
    pages: &Pages<'_>,
    view: &View,
    asked: &Asked,
    versions: &[&StoredResource],
) -> Result<(Vec<u8>, Disclosure), Error> {
    let count = asked.count.unwrap_or(DEFAULT_COUNT);
    let start = match pages.after()? {
        None => 0,
        Some(after) => {
            let last = versions.iter().position(|version| version.version_id == after.id);
            last.map_or(versions.len(), |last| last + 1)
        }
    };
    let shown: Vec<_> = versions.iter().skip(start).take(count).collect();
    let next = shown
        .last()
        .filter(|_| start + shown.len() < versions.len())
        .map(|last| Cursor { keys: Vec::new(), id: last.version_id.clone() });
    let links = pages.links(next.as_ref())?;
    let links: Vec<_> = links.iter().map(|(name, url)| (*name, url.as_str())).collect();
    let size = shown.iter().map(|version| version.body.len() + 256).sum();
    let total = u64::try_from(versions.len()).ok();
    let mut labels = HighWater::default();
    for version in &shown {
        labels.join(HighWater::of(&version.body));
    }
    let mut bundle = Writer::new(Kind::History, total, &links, size).labelled(&labels.json());
    let disclosure = pages.state.disclosure(shown.iter().map(|version| **version));
    for version in shown {
        add(&mut bundle, pages.state, view, version);
    }
    Ok((bundle.finish(), disclosure))
}

fn add(bundle: &mut Writer, state: &super::State, view: &View, version: &StoredResource) {
    let body = view.of(&state.elements, &version.resource_type, &version.body);
    let resource = Resource {
        base: &state.base,
        resource_type: &version.resource_type,
        id: version.id.as_str(),
        body: &body,
    };
    let head = Head::from(version);
    let last_modified = head.last_updated.map(|at| at.to_string());
    let response = Response {
        status: "200",
        etag: Some(&format!("W/\"{}\"", version.version_id)),
        last_modified: last_modified.as_deref(),
        outcome: None,
    };
    bundle.version(resource, response);
}
