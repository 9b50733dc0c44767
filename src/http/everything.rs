//! `$everything` of a patient: the compartment, and the people and places that it names
//! (<https://hl7.org/fhir/R4/patient-operation-everything.html>).
//!
//! What the caller's token does not cover is left out, as in any search. `start` and `end` are
//! refused: the date of care is another element in each type, and some have none, so that an answer
//! cut by them would say more about the index than about the client.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::{self, Bytes, Payload};
use jiff::Timestamp;

use super::answer::Answer;
use super::asking::Size;
use super::call::Call;
use super::history::range;
use super::pages::Pages;
use super::parameters::Pairs;
use super::path::IdPath;
use super::searchset::Searchset;
use super::sheet::Sheet;
use super::terms::Terms;
use super::{Refusal, State, body, parameters};
use crate::cache::CacheKey;
use crate::error::Error;
use crate::fhir::search::param;
use crate::fhir::search::parse::{self, MAX_COUNT, PAGE};
use crate::fhir::subset::View;
use crate::policy::{Action, Permit, Principal};
use crate::store::{Everything, Store};

/// The type whose compartment it is.
const PATIENT: &str = "Patient";
/// How many resources a page holds unless the caller says so: most records fit.
const DEFAULT_COUNT: usize = 500;
/// The longest set of parameters that is read, in bytes.
pub(super) const MAX_PARAMETERS: usize = 64 * 1024;

/// What is asked for.
struct Asked {
    scope: Everything,
    page: Option<String>,
    /// The parameters without the page.
    understood: Pairs,
    /// The names of the parameters that were ignored.
    ignored: Vec<String>,
}

/// Answers a page of the record, with the parameters in the URL.
pub(super) async fn everything(
    state: web::Data<State>,
    path: IdPath,
    call: Call,
) -> Result<Answer, Refusal> {
    let reads = Permit::decide(&call.principal, Action::Read, PATIENT)?;
    let searches = Permit::decide(&call.principal, Action::Search, PATIENT)?;
    let asked = Asked::of(&path, &call)?;
    for name in &asked.scope.types {
        searches.on(name).ok_or(Error::Denied)?;
    }
    let pages = Pages {
        state: &state,
        call: &call,
        path: format!("{PATIENT}/{}/$everything", path.id),
        parameters: &asked.understood,
        page: asked.page.as_deref(),
    };
    let scope = Arc::new(Everything { after: pages.after()?, ..asked.scope });
    let (permit, of) = (searches.clone(), Arc::clone(&scope));
    let edition = state.ask(Size::Point, move |store| store.edition(&permit, &of)).await?;
    let (sheet, terms) =
        Box::pin(state.sheet(&call.principal, [reads, searches], scope, edition)).await?;
    let set = Searchset { pages: &pages, view: &View::Whole, ignored: &asked.ignored };
    let shown = state.disclosure_of_sheet(&sheet)?.asked_by(&asked.understood);
    Ok(Answer::new(set.around(sheet)?, call.form).showing(shown).under(terms))
}

impl State {
    /// The page, from the cache if one of this edition is there; only of a patient who may be read.
    async fn sheet(
        &self,
        principal: &Arc<Principal>,
        [reads, permit]: [Permit; 2],
        scope: Arc<Everything>,
        edition: Option<String>,
    ) -> Result<(Sheet, Terms), Error> {
        // The base is part of the entries, and replicas that share a cache may have another.
        let key = edition.map(|edition| {
            let (maps, version) = (self.rules.load(), format!("{edition} {}", self.base));
            CacheKey::new(permit.tenant(), PATIENT, &scope.patient, &version, maps.maps.hash())
        });
        let question = move |store: &dyn Store| {
            store.head(&reads, &scope.patient)?.ok_or(Error::NotFound)?;
            store.everything(&permit, &scope)
        };
        let mut unkept = None;
        let load = async {
            let mut page = self.ask(Size::Many, question).await?;
            let terms = self.terms(principal, &mut [&mut page.matches]).await?;
            let bytes = Sheet::write(&page, &terms, &self.base)?;
            // What goes along with a page is kept nowhere, and the edition tells of one patient only.
            if key.is_some() && !page.is_beyond && terms.consents.is_empty() {
                return Ok(Some(Arc::from(bytes)));
            }
            unkept = Some((bytes, terms));
            Ok::<_, Error>(None)
        };
        let kept: Option<Arc<[u8]>> = match &key {
            Some(key) => Box::pin(self.cache.get_or_load(key, load)).await?,
            None => load.await?,
        };
        if let Some(kept) = kept {
            return Ok((Sheet::read(Bytes::from_owner(kept))?, Terms::default()));
        }
        let (bytes, terms) = unkept.ok_or(Error::NotFound)?;
        Ok((Sheet::read(Bytes::from(bytes))?, terms))
    }
}

/// Answers the same with the parameters in a `Parameters` resource.
pub(super) async fn everything_by_parameters(
    state: web::Data<State>,
    path: IdPath,
    mut call: Call,
    request: HttpRequest,
    payload: Payload,
) -> Result<Answer, Refusal> {
    let body = body::resource(&request, payload, MAX_PARAMETERS).await?;
    call.parameters.extend(parameters::of_resource(&body)?);
    everything(state, path, call).await
}

impl Asked {
    fn of(path: &IdPath, call: &Call) -> Result<Self, Error> {
        parse::once(&call.parameters, &["_count", "_since", PAGE])?;
        let scope = Everything {
            patient: path.id.clone(),
            types: Vec::new(),
            since: None,
            count: DEFAULT_COUNT,
            after: None,
        };
        let (understood, ignored) = (Vec::new(), Vec::new());
        let mut asked = Self { scope, page: None, understood, ignored };
        for (name, text) in &call.parameters {
            match name.as_str() {
                "_count" => asked.scope.count = count(text)?,
                "_since" => asked.scope.since = Some(since(text)?),
                "_type" => asked.scope.types.extend(types(text)?),
                "_format" | "_pretty" => {}
                PAGE => {
                    asked.page = Some(text.clone());
                    continue;
                }
                _ if call.lenient => {
                    asked.ignored.push(name.clone());
                    continue;
                }
                _ => {
                    let hint = "$everything takes _since, _type and _count";
                    return Err(Error::not_supported(name, hint));
                }
            }
            asked.understood.push((name.clone(), text.clone()));
        }
        Ok(asked)
    }
}

fn count(text: &str) -> Result<usize, Error> {
    let count = text.parse().ok().filter(|count| *count > 0);
    let count: usize = count
        .ok_or_else(|| Error::invalid("_count", "_count is a number of resources: 1 or more"))?;
    Ok(count.min(MAX_COUNT))
}

fn since(text: &str) -> Result<Timestamp, Error> {
    let (low, _) = range("_since", text)?;
    Timestamp::from_microsecond(low)
        .map_err(|_range| Error::invalid("_since", "not an instant of ours"))
}

fn types(text: &str) -> Result<Vec<&'static str>, Error> {
    let known = |name: &str| param::served().find(|served| *served == name.trim());
    text.split(',')
        .map(|name| {
            known(name).ok_or_else(|| {
                Error::invalid("_type", "name types that /fhir/metadata lists, with commas between")
            })
        })
        .collect()
}
