//! Path segments as types: what they cannot be is refused before the store is asked.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::Refusal;
use crate::domain::FhirId;
use crate::error::Error;
use crate::fhir::search::param;

/// The variable segments of a path, by the names that the route's pattern gives them.
pub(super) type Segments<'a> = &'a dyn Fn(&str) -> &'a str;

/// The variable segments of a path, each with its name.
pub(super) type Matched<'a> = Vec<(&'static str, &'a str)>;

/// What a path names.
pub(super) trait Named: Sized {
    /// What the segments name.
    fn of(segments: Segments<'_>) -> Result<Self, Refusal>;
}

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

/// `Patient/{id}/…` or `Binary/{id}`: the id of a resource whose type the route names.
pub(super) struct IdPath {
    /// The logical id.
    pub(super) id: FhirId,
}

/// `Patient/{id}/{type}`: a type within the compartment of a patient.
pub(super) struct CompartmentPath {
    /// The patient.
    pub(super) patient: FhirId,
    /// The type.
    pub(super) resource_type: &'static str,
}

/// A path without variable segments.
pub(super) struct Everywhere;

impl Named for Everywhere {
    fn of(_: Segments<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }
}

impl IdPath {
    /// The path of a Binary.
    pub(super) fn binary(self) -> ResourcePath {
        ResourcePath { resource_type: "Binary", id: self.id }
    }
}

impl Named for TypePath {
    fn of(segments: Segments<'_>) -> Result<Self, Refusal> {
        let name = segments("type");
        let known = param::served().find(|known| *known == name);
        known.map(|resource_type| Self { resource_type }).ok_or(match name.as_bytes().first() {
            Some(b'$' | b'_') => Refusal::NoRoute,
            _ => Refusal::UnknownType,
        })
    }
}

impl Named for ResourcePath {
    fn of(segments: Segments<'_>) -> Result<Self, Refusal> {
        let TypePath { resource_type } = TypePath::of(segments)?;
        Ok(Self { resource_type, id: id(segments, "id")? })
    }
}

impl Named for VersionPath {
    fn of(segments: Segments<'_>) -> Result<Self, Refusal> {
        let resource = ResourcePath::of(segments)?;
        Ok(Self { resource, version: id(segments, "version")? })
    }
}

impl Named for IdPath {
    fn of(segments: Segments<'_>) -> Result<Self, Refusal> {
        Ok(Self { id: id(segments, "id")? })
    }
}

impl Named for CompartmentPath {
    fn of(segments: Segments<'_>) -> Result<Self, Refusal> {
        let TypePath { resource_type } = TypePath::of(segments)?;
        Ok(Self { patient: id(segments, "id")?, resource_type })
    }
}

/// A segment that is an id; an operation in its place is one that is not there.
fn id(segments: Segments<'_>, name: &str) -> Result<FhirId, Refusal> {
    let text = segments(name);
    if text.starts_with(['$', '_']) {
        return Err(Refusal::NoRoute);
    }
    text.parse().map_err(|()| {
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
                let segments = request.match_info();
                ready(Self::of(&|name| segments.get(name).unwrap_or_default()))
            }
        }
    )*};
}

extracted!(TypePath, ResourcePath, VersionPath, IdPath, CompartmentPath, Everywhere);
