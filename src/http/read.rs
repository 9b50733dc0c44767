//! Read and vread (<https://hl7.org/fhir/R4/http.html#read>).

use actix_web::{HttpRequest, HttpResponse, web};

use super::gate::Caller;
use super::path::{ResourcePath, VersionPath};
use super::search::is_lenient;
use super::{Refusal, State, parameters, resource};
use crate::error::Error;
use crate::policy::{Action, Permit};

/// Answers the current version of a resource.
pub(super) async fn read(
    Caller(principal): Caller,
    path: ResourcePath,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    parameters::only_formal(request.query_string(), is_lenient(&request))?;
    let permit = Permit::decide(&principal, Action::Read, path.resource_type)?;
    Ok(state.current(&permit, &path.id, &request).await?)
}

/// Answers one version of a resource that is there now.
pub(super) async fn vread(
    Caller(principal): Caller,
    path: VersionPath,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    parameters::only_formal(request.query_string(), is_lenient(&request))?;
    let permit = Permit::decide(&principal, Action::Read, path.resource.resource_type)?;
    let version = state.store.version(&permit, &path.resource.id, path.version.as_str())?;
    Ok(resource::version(version.ok_or(Error::NotFound)?, &request))
}
