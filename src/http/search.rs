//! Search over a type, or over a type within a patient's compartment, by GET and by form
//! (<https://hl7.org/fhir/R4/http.html#search>).

use actix_web::HttpRequest;
use actix_web::web::{self, Payload};

use super::answer::Answer;
use super::asking::Size;
use super::call::Call;
use super::negotiate::Form;
use super::pages::Pages;
use super::path::{CompartmentPath, TypePath};
use super::searchset::Searchset;
use super::shape::Shape;
use super::{Refusal, State, body};
use crate::domain::FhirId;
use crate::error::Error;
use crate::fhir::search::param::{self, SearchType};
use crate::fhir::search::parse::{self, Setting};
use crate::fhir::search::{Condition, Query};
use crate::policy::{Action, Permit};

/// What is searched.
struct Scope {
    resource_type: &'static str,
    patient: Option<FhirId>,
}

impl From<TypePath> for Scope {
    fn from(path: TypePath) -> Self {
        Self { resource_type: path.resource_type, patient: None }
    }
}

impl From<CompartmentPath> for Scope {
    fn from(path: CompartmentPath) -> Self {
        Self { resource_type: path.resource_type, patient: Some(path.patient) }
    }
}

/// Answers a search over a type.
pub(super) async fn search(
    state: web::Data<State>,
    path: TypePath,
    call: Call,
) -> Result<Answer, Refusal> {
    answer(&state, path.into(), call).await
}

/// Answers a search within a compartment (<https://hl7.org/fhir/R4/http.html#vsearch>).
pub(super) async fn compartment(
    state: web::Data<State>,
    path: CompartmentPath,
    call: Call,
) -> Result<Answer, Refusal> {
    answer(&state, path.into(), call).await
}

/// Answers a search whose parameters are in a form, and in the URL too if they like.
pub(super) async fn search_by_form(
    state: web::Data<State>,
    path: TypePath,
    call: Call,
    request: HttpRequest,
    payload: Payload,
) -> Result<Answer, Refusal> {
    let call = posted(call, &request, payload).await?;
    answer(&state, path.into(), call).await
}

/// The same within a compartment.
pub(super) async fn compartment_by_form(
    state: web::Data<State>,
    path: CompartmentPath,
    call: Call,
    request: HttpRequest,
    payload: Payload,
) -> Result<Answer, Refusal> {
    let call = posted(call, &request, payload).await?;
    answer(&state, path.into(), call).await
}

/// The call with the parameters of the form behind those of the URL.
async fn posted(mut call: Call, request: &HttpRequest, payload: Payload) -> Result<Call, Refusal> {
    let form = body::form(request, payload).await?;
    call.parameters.extend(form);
    call.form = Form::of(request.headers(), &call.parameters)?;
    Ok(call)
}

async fn answer(state: &State, scope: Scope, mut call: Call) -> Result<Answer, Refusal> {
    let permit = Permit::decide(&call.principal, Action::Search, scope.resource_type)?;
    let resource_type = scope.search_type()?;
    let parameters = std::mem::take(&mut call.parameters);
    let (shape, parameters) = Shape::take(&state.elements, scope.resource_type, parameters)?;
    let mut search = {
        let rules = state.rules.load();
        let (base, value_sets) = (&state.base, &rules.value_sets);
        let setting = Setting { resource_type, base, value_sets, lenient: call.lenient };
        parse::parse(setting, parameters)?
    };
    for reached in search.reaches() {
        permit.on(reached).ok_or(Error::Denied)?;
    }
    shape.apply(&mut search)?;
    search.query.conditions.extend(scope.patient.clone().map(Condition::Patient));
    let page = search.page.as_deref();
    let parameters = &search.understood;
    let pages = Pages { state, call: &call, path: scope.path(), parameters, page };
    let query = Query { after: pages.after()?, ..search.query.clone() };
    let size = if query.is_narrow() { Size::Point } else { Size::Many };
    let asked = query.clone();
    let mut page = state.ask(size, move |store| store.search(&permit, &query)).await?;
    let lists = &mut [&mut page.matches, &mut page.included];
    let terms = state.terms(&call.principal, lists).await?;
    let mut shown = state.disclosure_of_page(&page).asked_by(parameters).about(&asked);
    shown.join(state.disclosure(&terms.consents));
    let set = Searchset { pages: &pages, view: &shape.view, ignored: &search.ignored };
    Ok(Answer::new(set.encode(&page, &terms)?, call.form).showing(shown).under(terms))
}

impl Scope {
    /// The parameters that it is searched by; a compartment holds the types that name a patient.
    fn search_type(&self) -> Result<&'static SearchType, Error> {
        let known = param::search_type(self.resource_type);
        let known = known
            .ok_or_else(|| Error::not_supported("type", "this type is read by id, not searched"))?;
        if self.patient.is_some() && known.param("patient").is_none() {
            let hint = "this type is in no patient's compartment: search it by itself";
            return Err(Error::not_supported("type", hint));
        }
        Ok(known)
    }

    /// The path below the base.
    fn path(&self) -> String {
        match &self.patient {
            Some(patient) => format!("Patient/{patient}/{}", self.resource_type),
            None => self.resource_type.to_owned(),
        }
    }
}
