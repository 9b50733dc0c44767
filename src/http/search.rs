//! Search over a type (<https://hl7.org/fhir/R4/http.html#search>), by GET and by form.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use url::form_urlencoded::Serializer;

use super::gate::Caller;
use super::path::TypePath;
use super::resource::FHIR_JSON;
use super::{Refusal, State, parameters};
use crate::error::Error;
use crate::fhir::bundle::{Mode, Writer};
use crate::fhir::outcome::{self, Issue, IssueType};
use crate::fhir::search::param;
use crate::fhir::search::parse::{self, PAGE, Search, Setting};
use crate::policy::{Action, Permit, Principal};
use crate::store::Page;

/// The longest form that is read, in bytes.
const MAX_FORM: usize = 64 * 1024;

/// Answers a search by GET.
pub(super) async fn search(
    Caller(principal): Caller,
    path: TypePath,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let parameters = parameters::parse(request.query_string())?;
    answer(&principal, path.resource_type, parameters, state, &request).await
}

/// Answers a search whose parameters are in a form, and in the URL too if they like.
pub(super) async fn search_by_form(
    Caller(principal): Caller,
    path: TypePath,
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let media = request.headers().get(header::CONTENT_TYPE).and_then(|field| field.to_str().ok());
    let media = media.and_then(|media| media.split(';').next()).map(str::trim);
    if !media.is_some_and(|media| media.eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
        return Err(Refusal::MediaType {
            take: "send the parameters as application/x-www-form-urlencoded",
        });
    }
    let form = payload.to_bytes_limited(MAX_FORM).await;
    let form = form.map_err(|_over| Error::TooLarge { limit: MAX_FORM })?;
    let form =
        form.map_err(|_cut| Error::invalid("body", "the body ended early: send it again"))?;
    let form = std::str::from_utf8(&form)
        .map_err(|_bytes| Error::invalid("body", "the body is not UTF-8: send it as UTF-8"))?;
    let mut parameters = parameters::parse(request.query_string())?;
    parameters.extend(parameters::parse(form)?);
    answer(&principal, path.resource_type, parameters, state, &request).await
}

/// Whether the caller asks for unknown parameters to be ignored.
pub(super) fn is_lenient(request: &HttpRequest) -> bool {
    request
        .headers()
        .get_all("prefer")
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split([',', ';']))
        .any(|preference| preference.trim().eq_ignore_ascii_case("handling=lenient"))
}

async fn answer(
    principal: &Principal,
    name: &str,
    parameters: Vec<(String, String)>,
    state: web::Data<State>,
    request: &HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let permit = Permit::decide(principal, Action::Search, name)?;
    let resource_type = param::search_type(name)
        .ok_or_else(|| Error::not_supported("type", "this type is read by id, not searched"))?;
    let setting = Setting { resource_type, base: &state.base, lenient: is_lenient(request) };
    let mut search = parse::parse(setting, parameters)?;
    if search.query.with_provenance {
        Permit::decide(principal, Action::Search, "Provenance")?;
    }
    let context = context(&permit, &search);
    if let Some(page) = &search.page {
        search.query.after = Some(state.cursors.open(page, &context)?);
    }
    let query = search.query.clone();
    let store = state.store.clone();
    let page = web::block(move || store.search(&permit, &query)).await;
    let page = page.map_err(Error::internal)??;
    let body = render(&state, name, &search, &page, &context)?;
    Ok(HttpResponse::Ok().content_type(FHIR_JSON).body(body))
}

/// What a page cursor is bound to: it is of no use for another tenant, type or search.
fn context(permit: &Permit, search: &Search) -> String {
    let query = query_string(search, None);
    format!("{}\u{1f}{}\u{1f}{query}", permit.tenant(), permit.resource_type())
}

fn query_string(search: &Search, page: Option<&str>) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(&search.understood);
    if let Some(page) = page {
        query.append_pair(PAGE, page);
    }
    query.finish()
}

fn render(
    state: &State,
    name: &str,
    search: &Search,
    page: &Page,
    context: &str,
) -> Result<Vec<u8>, Refusal> {
    let url = |cursor: Option<&str>| {
        let query = query_string(search, cursor);
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}/{name}{mark}{query}", state.base)
    };
    let itself = url(search.page.as_deref());
    let next = page.next.as_ref().map(|cursor| state.cursors.seal(cursor, context)).transpose()?;
    let next = next.as_deref().map(|cursor| url(Some(cursor)));
    let mut links = vec![("self", itself.as_str())];
    links.extend(next.iter().map(|next| ("next", next.as_str())));
    let resources = page.matches.iter().chain(&page.included);
    let size = resources.map(|resource| resource.body.len() + 192).sum();
    let mut bundle = Writer::new("searchset", page.total, &links, size);
    for (resources, mode) in [(&page.matches, Mode::Match), (&page.included, Mode::Include)] {
        for resource in resources {
            let full_url = format!("{}/{}/{}", state.base, resource.resource_type, resource.id);
            bundle.found(&full_url, &resource.body, mode);
        }
    }
    if !search.ignored.is_empty() {
        let issue = Issue {
            code: IssueType::NotSupported,
            text: format!("these parameters were ignored: {}", search.ignored.join(", ")),
            expression: None,
            refused: false,
        };
        bundle.found("", &outcome::encode(vec![issue])?, Mode::Outcome);
    }
    Ok(bundle.finish())
}
