//! The CapabilityStatement: what this server does, and nothing that it does not
//! (<https://hl7.org/fhir/R4/capabilitystatement.html>).

mod resource;

use fhir_codec::fhir_sdk::DateTime;
use fhir_codec::fhir_sdk::r4b::codes::{
    CapabilityStatementKind, FHIRVersion, PublicationStatus, RestfulCapabilityMode,
};
use fhir_codec::fhir_sdk::r4b::resources::{
    CapabilityStatement, CapabilityStatementImplementation, CapabilityStatementRest,
    CapabilityStatementRestInteraction, CapabilityStatementRestSecurity,
    CapabilityStatementSoftware, Resource,
};
use fhir_codec::fhir_sdk::r4b::types::{CodeableConcept, Coding, Extension, ExtensionValue};

use super::profile;
use super::search::param;
use crate::error::{Error, Result};

pub use resource::declared;

/// What the statement is about.
#[derive(Debug, Clone)]
pub struct Server<'a> {
    /// The base URL, without a trailing slash.
    pub base: &'a str,
    /// When the server began to be as it is, RFC 3339.
    pub since: &'a str,
    /// What may be done with the server as a whole: the codes of the routes that there are.
    pub system: &'a [&'static str],
    /// What may be done with one resource.
    pub instance: &'a [&'static str],
    /// What may be done with a searched type.
    pub searched: &'a [&'static str],
    /// What else may be done, with what people write themselves: each with the type that it is of.
    pub written: &'a [(&'static str, &'static str)],
    /// The operations, each with the type that it is of.
    pub operations: &'a [(&'static str, &'static str)],
    /// Whether web pages of other origins may call.
    pub cors: bool,
    /// Where the authorization server is: each endpoint by its name in the extension.
    pub oauth: &'a [(&'static str, String)],
}

/// The system of the kinds of security, and ours
/// (<https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html>).
const SECURITY: (&str, &str) =
    ("http://terminology.hl7.org/CodeSystem/restful-security-service", "SMART-on-FHIR");
/// The extension by which clients of the first SMART App Launch find the authorization server.
const OAUTH_URIS: &str = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris";

/// The statement as JSON.
pub fn encode(server: &Server<'_>) -> Result<Vec<u8>> {
    let guides = profile::VERSIONS.iter().map(|version| {
        Some(format!("http://hl7.org/fhir/us/core/ImplementationGuide/hl7.fhir.us.core|{version}"))
    });
    let statement = CapabilityStatement::builder()
        .status(PublicationStatus::Active)
        .experimental(true)
        .date(server.since.parse::<DateTime>().map_err(Error::internal)?)
        .kind(CapabilityStatementKind::Instance)
        .instantiates(vec![
            Some("http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server".to_owned()),
            Some("http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data".to_owned()),
        ])
        .implementation_guide(guides.collect::<Vec<_>>())
        .software(software()?)
        .implementation(
            CapabilityStatementImplementation::builder()
                .description("Records of a therapy platform, served as FHIR".to_owned())
                .url(server.base.to_owned())
                .build()
                .map_err(Error::internal)?,
        )
        .fhir_version(FHIRVersion::N401)
        .format(vec![Some("application/fhir+json".to_owned()), Some("json".to_owned())])
        .rest(vec![Some(rest(server)?)])
        .build()
        .map_err(Error::internal)?;
    fhir_codec::encode(&Resource::from(statement)).map_err(Error::internal)
}

fn software() -> Result<CapabilityStatementSoftware> {
    CapabilityStatementSoftware::builder()
        .name("throughline".to_owned())
        .version(env!("CARGO_PKG_VERSION").to_owned())
        .build()
        .map_err(Error::internal)
}

fn rest(server: &Server<'_>) -> Result<CapabilityStatementRest> {
    let searched =
        param::TYPES.iter().map(|kind| resource::resource(server, kind.name, Some(kind)));
    let read_only = param::READ_ONLY.iter().map(|name| resource::resource(server, name, None));
    let resources = searched.chain(read_only).chain([
        resource::audit(),
        resource::roster(server),
        resource::received(),
    ]);
    let resources = resources.map(|one| one.map(Some)).collect::<Result<Vec<_>>>()?;
    let interactions = server.system.iter().map(|code| interaction(code));
    CapabilityStatementRest::builder()
        .mode(RestfulCapabilityMode::Server)
        .documentation(
            "Read only, but for the consents and requests of whoever is signed in and for what \
             registered providers send. Unknown search parameters are refused unless the request says \
             Prefer: handling=lenient. Dates without an offset are read as UTC. An OpenAPI \
             document of the same is at openapi.json."
                .to_owned(),
        )
        .security(security(server)?)
        .resource(resources)
        .interaction(interactions.collect::<Result<Vec<_>>>()?)
        .operation(resource::operations(server, "")?)
        .build()
        .map_err(Error::internal)
}

fn security(server: &Server<'_>) -> Result<CapabilityStatementRestSecurity> {
    let (system, code) = SECURITY;
    let coding = Coding::builder()
        .system(system.to_owned())
        .code(code.to_owned())
        .build()
        .map_err(Error::internal)?;
    let service = CodeableConcept::builder().coding(vec![Some(coding)]).build();
    let endpoint = |(name, url): &(&'static str, String)| {
        let value = ExtensionValue::Uri(url.clone());
        Extension::builder().url((*name).to_owned()).value(value).build().map_err(Error::internal)
    };
    let endpoints = server.oauth.iter().map(endpoint).collect::<Result<Vec<_>>>()?;
    let oauth = Extension::builder().url(OAUTH_URIS.to_owned()).extension(endpoints).build();
    CapabilityStatementRestSecurity::builder()
        .extension(vec![oauth.map_err(Error::internal)?])
        .cors(server.cors)
        .service(vec![Some(service.map_err(Error::internal)?)])
        .description(
            "Every request but this one carries a bearer token, which the authorization server of \
             .well-known/smart-configuration gives out."
                .to_owned(),
        )
        .build()
        .map_err(Error::internal)
}

fn interaction(code: &str) -> Result<Option<CapabilityStatementRestInteraction>> {
    CapabilityStatementRestInteraction::builder()
        .code(code.to_owned())
        .build()
        .map(Some)
        .map_err(Error::internal)
}
