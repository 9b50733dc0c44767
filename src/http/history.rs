//! The history of one resource (<https://hl7.org/fhir/R4/http.html#history>), newest first.

use actix_web::{HttpRequest, HttpResponse, web};

use super::gate::Caller;
use super::path::ResourcePath;
use super::resource::FHIR_JSON;
use super::search::is_lenient;
use super::{Refusal, State, parameters};
use crate::error::Error;
use crate::fhir::bundle::{Version, Writer};
use crate::policy::{Action, Permit};

/// Answers all versions of a resource that is there now.
pub(super) async fn history(
    Caller(principal): Caller,
    path: ResourcePath,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    parameters::only_formal(request.query_string(), is_lenient(&request))?;
    let permit = Permit::decide(&principal, Action::Read, path.resource_type)?;
    let versions = state.store.history(&permit, &path.id)?;
    if versions.is_empty() {
        return Err(Error::NotFound.into());
    }
    let url = format!("{}/{}", path.resource_type, path.id);
    let full_url = format!("{}/{url}", state.base);
    let itself = format!("{full_url}/_history");
    let size = versions.iter().map(|version| version.body.len() + 256).sum();
    let total = versions.len() as u64;
    let mut bundle = Writer::new("history", total, &[("self", &itself)], size);
    for version in &versions {
        let entry = Version {
            url: &url,
            version_id: &version.version_id,
            last_modified: &version.last_updated.to_string(),
            body: &version.body,
        };
        bundle.version(&full_url, entry);
    }
    Ok(HttpResponse::Ok().content_type(FHIR_JSON).body(bundle.finish()))
}
