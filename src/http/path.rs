//! Path segments as types: what they cannot be is refused before the store is asked.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::Refusal;
use crate::domain::FhirId;
use crate::error::Error;
use crate::fhir::search::param;

/// `{type}`: a resource type that is served.
pub(super) struct TypePath {
    /// The type.
    pub(super) resource_type: &'static str,
}

/// `{type}/{id}`.
pub(super) struct ResourcePath {
    /// The type.
    pub(super) resource_type: &'static str,
    /// The logical id.
    pub(super) id: FhirId,
}

/// `{type}/{id}/_history/{version}`.
pub(super) struct VersionPath {
    /// The resource.
    pub(super) resource: ResourcePath,
    /// The version, which has the form of an id.
    pub(super) version: FhirId,
}

impl TypePath {
    fn parse(request: &HttpRequest) -> Result<Self, Refusal> {
        let name = request.match_info().get("type").unwrap_or_default();
        let resource_type =
            param::served().find(|known| *known == name).ok_or(Refusal::UnknownType)?;
        Ok(Self { resource_type })
    }
}

impl ResourcePath {
    fn parse(request: &HttpRequest) -> Result<Self, Refusal> {
        let TypePath { resource_type } = TypePath::parse(request)?;
        Ok(Self { resource_type, id: segment(request, "id")? })
    }
}

impl VersionPath {
    fn parse(request: &HttpRequest) -> Result<Self, Refusal> {
        let resource = ResourcePath::parse(request)?;
        Ok(Self { resource, version: segment(request, "version")? })
    }
}

fn segment(request: &HttpRequest, name: &str) -> Result<FhirId, Refusal> {
    request.match_info().get(name).unwrap_or_default().parse().map_err(|()| {
        let hint = "an id has 1 to 64 letters, digits, hyphens and dots";
        Refusal::from(Error::invalid(name, hint))
    })
}

macro_rules! extracted {
    ($($path:ident),*) => {$(
        impl FromRequest for $path {
            type Error = Refusal;
            type Future = Ready<Result<Self, Refusal>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                ready(Self::parse(request))
            }
        }
    )*};
}

extracted!(TypePath, ResourcePath, VersionPath);
